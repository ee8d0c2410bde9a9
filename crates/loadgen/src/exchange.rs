//! One request from its sending to the end of its answer.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{Response, StatusCode, header};
use podium_workload::PreparedRequest;

use crate::clock::Clock;
use crate::event::{EventReader, FinishReason, Meaning, read_whole};
use crate::live::Live;
use crate::sample::{FailureClass, RequestSample};
use crate::sse::SseParser;
use crate::stop::StopHandle;
use crate::transport::{Body, Connection, OpenError, Pool, SendError, SocketStamps};

/// How much of an error answer is kept.
const EXCERPT_BYTES: usize = 300;
/// How much of an answer that is no stream is held.
const MAX_WHOLE_BYTES: usize = 64 << 20;

/// A failed request, in the words of the server or the system.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Failure {
    pub class: FailureClass,
    pub detail: String,
}

impl Failure {
    pub fn new(class: FailureClass, detail: impl Into<String>) -> Self {
        Failure { class, detail: detail.into() }
    }

    fn protocol(detail: impl Into<String>) -> Self {
        Failure::new(FailureClass::Protocol, detail)
    }

    /// The run was stopped.
    pub fn cancelled(detail: &str) -> Self {
        Failure::new(FailureClass::Cancelled, detail)
    }
}

/// When a request has failed for taking too long.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limits {
    /// From the sending to the end of the answer.
    pub total: Duration,
    /// Between two reads.
    pub idle: Option<Duration>,
}

/// What all requests of one phase share.
pub(crate) struct Exchanger<'a> {
    pub pool: &'a Pool,
    pub clock: Clock,
    pub limits: Limits,
    pub stream: bool,
    pub stop: &'a StopHandle,
    pub live: &'a RefCell<Live>,
}

impl Exchanger<'_> {
    /// Sends `request` and reads its answer; everything that was seen goes into `sample`, also when it fails.
    pub async fn run(&self, request: &PreparedRequest, sample: &mut RequestSample) -> Result<(), Failure> {
        let result = self.attempt(request, sample).await;
        if let Err(failure) = &result {
            sample.failure = Some(failure.class);
            sample.done_at_ns = Some(self.clock.now_ns());
        }
        sample.gaps.shrink();
        self.live.borrow_mut().on_end(sample, result.is_ok());
        result
    }

    async fn attempt(&self, request: &PreparedRequest, sample: &mut RequestSample) -> Result<(), Failure> {
        while let Some(connection) = self.pool.take_idle() {
            let kept_for = connection.kept_for();
            match self.exchange(connection, request, sample).await {
                Ok(()) => return Ok(()),
                Err(Ended::NotSent) => self.unsend(sample),
                // The server had closed the kept connection when the request came. It never saw the request, which goes
                // out on another connection, and its clock starts there. A connection on its first request is
                // different: the server took the request and gave no answer.
                Err(Ended::Closed) if kept_for.is_some() => {
                    self.pool.note_resent(kept_for.unwrap_or_default());
                    self.unsend(sample);
                }
                Err(ended) => return Err(ended.into_failure()),
            }
        }
        let connection = self.connect(sample).await?;
        self.exchange(connection, request, sample).await.map_err(Ended::into_failure)
    }

    fn unsend(&self, sample: &mut RequestSample) {
        sample.sent_at_ns = None;
        self.live.borrow_mut().on_unsent(sample);
    }

    async fn connect(&self, sample: &mut RequestSample) -> Result<Connection, Failure> {
        let began = Instant::now();
        let opened = tokio::select! {
            biased;
            opened = self.pool.open(self.limits.total) => opened.map_err(|error| match error {
                OpenError::Connect(detail) => Failure::new(FailureClass::Connect, detail),
                OpenError::Tls(detail) => Failure::new(FailureClass::Tls, detail),
            }),
            () = self.stop.stopped() => Err(Failure::cancelled("the run was stopped while connecting")),
        };
        let (connect, tls) = match &opened {
            Ok(connection) => (connection.opening().connect, connection.opening().tls),
            Err(_) => (began.elapsed(), Duration::ZERO),
        };
        sample.connect_ns = sample.connect_ns.saturating_add(as_ns(connect));
        sample.tls_ns = sample.tls_ns.saturating_add(as_ns(tls));
        opened
    }

    async fn exchange(
        &self,
        mut connection: Connection,
        request: &PreparedRequest,
        sample: &mut RequestSample,
    ) -> Result<(), Ended> {
        let message = self.pool.target().request(request.body.clone());
        let stamps = Rc::clone(connection.stamps());
        stamps.reset();
        let began = Instant::now();
        self.live.borrow_mut().on_sent(sample, self.clock.at_ns(began));
        let ended = tokio::select! {
            biased;
            ended = self.send_and_read(&mut connection, message, &stamps, sample) => ended,
            failure = self.overdue(began, &stamps) => Err(failure.into()),
            () = self.stop.stopped() => Err(Failure::cancelled("the run was stopped").into()),
        };
        // Also where the exchange was cut short before it could note this.
        sample.sent_at_ns = Some(self.clock.at_ns(stamps.sent().unwrap_or(began)));
        if ended? {
            connection.set_used();
            self.pool.put_back(connection);
        }
        Ok(())
    }

    /// Waits until the request has taken too long.
    async fn overdue(&self, sent_at: Instant, stamps: &SocketStamps) -> Failure {
        let deadline = sent_at + self.limits.total;
        loop {
            let silent_since = stamps.last().unwrap_or(sent_at);
            let silent_until = self.limits.idle.map_or(deadline, |idle| silent_since + idle);
            let now = Instant::now();
            if now >= deadline {
                let detail = format!("not answered to its end within {} s", self.limits.total.as_secs_f64());
                return Failure::new(FailureClass::Deadline, detail);
            }
            if now >= silent_until {
                let detail = format!("silent for {} s", (now - silent_since).as_secs_f64());
                return Failure::new(FailureClass::Idle, detail);
            }
            tokio::time::sleep_until(silent_until.min(deadline).into()).await;
        }
    }

    /// The exchange itself; whether its connection can carry another one.
    async fn send_and_read(
        &self,
        connection: &mut Connection,
        message: http::Request<Bytes>,
        stamps: &SocketStamps,
        sample: &mut RequestSample,
    ) -> Result<bool, Ended> {
        let sent = connection.send(message).await;
        sample.sent_at_ns = stamps.sent().map(|at| self.clock.at_ns(at));
        let response = sent.map_err(|error| match error {
            SendError::NotSent => Ended::NotSent,
            SendError::Closed => Ended::Closed,
            SendError::Transport(error) => Failure::protocol(error.explain("before it answered")).into(),
        })?;
        sample.first_byte_at_ns = stamps.first().map(|at| self.clock.at_ns(at));
        let status = response.status();
        let is_stream = response
            .headers()
            .get(header::CONTENT_TYPE)
            .and_then(|value| value.to_str().ok())
            .is_some_and(|value| value.starts_with("text/event-stream"));
        if !status.is_success() {
            return Err(error_answer(connection, response, status).await.into());
        }
        match (self.stream, is_stream) {
            (true, true) => self.read_stream(connection, response.into_body(), stamps, sample).await?,
            (false, false) => self.read_whole_answer(connection, response.into_body(), stamps, sample).await?,
            (true, false) => {
                let excerpt = excerpt(connection, response.into_body()).await;
                return Err(Failure::protocol(format!("the answer is no event stream: {excerpt}")).into());
            }
            (false, true) => {
                return Err(Failure::protocol("the answer is an event stream, and none was asked for").into());
            }
        }
        Ok(connection.is_usable())
    }

    async fn read_stream(
        &self,
        connection: &mut Connection,
        mut body: Body,
        stamps: &SocketStamps,
        sample: &mut RequestSample,
    ) -> Result<(), Failure> {
        let mut parser = SseParser::default();
        let mut answer = StreamedAnswer { events: EventReader::default(), finished: false, failure: None };
        while let Some(piece) = connection.next_piece(&mut body).await {
            let piece = piece.map_err(|error| {
                let events = sample.content_events();
                Failure::protocol(error.explain(&format!("after {events} content events")))
            })?;
            let at_ns = self.clock.at_ns(stamps.last().unwrap_or_else(Instant::now));
            let had_done = answer.finished;
            let live = self.live;
            parser
                .feed(&piece, |event| answer.on_event(event, at_ns, sample, live))
                .map_err(|_too_long| Failure::protocol("an event of the stream is longer than 4 MiB"))?;
            if let Some(failure) = answer.failure.take() {
                return Err(failure);
            }
            if answer.finished && !had_done {
                sample.done_at_ns = Some(at_ns);
            }
        }
        if answer.finished || sample.finish != FinishReason::Unknown {
            sample.done_at_ns.get_or_insert_with(|| self.clock.at_ns(stamps.last().unwrap_or_else(Instant::now)));
            // An engine that gives nothing up under load must not look like one that answers at once.
            if sample.content_events() == 0 && sample.output_tokens.unwrap_or(0) == 0 {
                return Err(Failure::protocol("the stream ended without a single token"));
            }
            return Ok(());
        }
        let events = sample.content_events();
        Err(Failure::protocol(format!(
            "the stream ended after {events} content events without [DONE] or a finish reason"
        )))
    }

    async fn read_whole_answer(
        &self,
        connection: &mut Connection,
        mut body: Body,
        stamps: &SocketStamps,
        sample: &mut RequestSample,
    ) -> Result<(), Failure> {
        let mut whole = Vec::new();
        while let Some(piece) = connection.next_piece(&mut body).await {
            let piece = piece.map_err(|error| Failure::protocol(error.explain("inside its answer")))?;
            if whole.len() + piece.len() > MAX_WHOLE_BYTES {
                return Err(Failure::protocol("the answer is longer than 64 MiB"));
            }
            whole.extend_from_slice(&piece);
        }
        let at_ns = self.clock.at_ns(stamps.last().unwrap_or_else(Instant::now));
        let meaning = read_whole(&whole)
            .map_err(|error| Failure::protocol(format!("the answer is no completion ({error}): {}", clip(&whole))))?;
        note_counts(&meaning, sample);
        if let Some(error) = meaning.error {
            return Err(Failure::protocol(format!("the answer is an error: {}", clip(error.as_bytes()))));
        }
        sample.last_token_at_ns = Some(at_ns);
        sample.done_at_ns = Some(at_ns);
        self.live.borrow_mut().on_event();
        Ok(())
    }
}

/// How an exchange ended badly.
enum Ended {
    /// The connection was closed before anything was sent.
    NotSent,
    /// The connection was closed without a byte of an answer.
    Closed,
    Failed(Failure),
}

impl Ended {
    fn into_failure(self) -> Failure {
        match self {
            Ended::NotSent => {
                Failure::new(FailureClass::Connect, "the server closed the new connection before the request")
            }
            Ended::Closed => Failure::protocol("the server closed the connection before it answered"),
            Ended::Failed(failure) => failure,
        }
    }
}

impl From<Failure> for Ended {
    fn from(failure: Failure) -> Self {
        Ended::Failed(failure)
    }
}

/// The state of a streamed answer between two events.
struct StreamedAnswer {
    events: EventReader,
    /// `[DONE]` was seen.
    finished: bool,
    failure: Option<Failure>,
}

impl StreamedAnswer {
    fn on_event(&mut self, event: &[u8], at_ns: u64, sample: &mut RequestSample, live: &RefCell<Live>) {
        if self.finished || self.failure.is_some() {
            return;
        }
        if event == b"[DONE]" {
            self.finished = true;
            return;
        }
        let meaning = match self.events.read(event) {
            Ok(meaning) => meaning,
            Err(error) => {
                let detail = format!("an event of the stream cannot be read ({error}): {}", clip(event));
                self.failure = Some(Failure::protocol(detail));
                return;
            }
        };
        note_counts(&meaning, sample);
        if meaning.content {
            let is_first = sample.first_token_at_ns.is_none();
            sample.on_content(at_ns, meaning.visible);
            let mut live = live.borrow_mut();
            live.on_event();
            if is_first {
                live.on_first_token(sample);
            }
        }
        if let Some(error) = meaning.error {
            self.failure = Some(Failure::protocol(format!("an error inside the stream: {}", clip(error.as_bytes()))));
        }
    }
}

fn note_counts(meaning: &Meaning, sample: &mut RequestSample) {
    if let Some(finish) = meaning.finish {
        sample.finish = finish;
    }
    if let Some(usage) = meaning.usage {
        sample.input_tokens = usage.prompt_tokens.or(sample.input_tokens);
        sample.output_tokens = usage.completion_tokens.or(sample.output_tokens);
        sample.cached_tokens = usage.cached_tokens.or(sample.cached_tokens);
    }
}

async fn error_answer(connection: &mut Connection, response: Response<Body>, status: StatusCode) -> Failure {
    let excerpt = excerpt(connection, response.into_body()).await;
    Failure::new(FailureClass::HttpStatus, format!("{status}: {excerpt}"))
}

/// The beginning of a body that is shown to people.
async fn excerpt(connection: &mut Connection, mut body: Body) -> String {
    let mut bytes = Vec::new();
    while bytes.len() < EXCERPT_BYTES
        && let Some(Ok(piece)) = connection.next_piece(&mut body).await
    {
        bytes.extend_from_slice(&piece);
    }
    clip(&bytes)
}

/// `bytes` as one line of text, cut short.
fn clip(bytes: &[u8]) -> String {
    let kept = &bytes[..bytes.len().min(EXCERPT_BYTES)];
    let text: String = String::from_utf8_lossy(kept).chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let text = text.trim();
    match (text.is_empty(), kept.len() < bytes.len()) {
        (true, _) => "(empty)".to_owned(),
        (false, true) => format!("{text}…"),
        (false, false) => text.to_owned(),
    }
}

fn as_ns(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn excerpts_are_one_short_line() {
        assert_eq!(clip(b" {\"a\":\n1}\r\n"), "{\"a\": 1}");
        assert_eq!(clip(b""), "(empty)");
        let long = clip(&[b'x'; 1000]);
        assert!(long.ends_with('…') && long.chars().count() == EXCERPT_BYTES + 1);
    }
}
