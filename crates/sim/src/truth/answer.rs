//! One request's answer, token by token.

use std::io;
use std::sync::atomic::Ordering;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::{Instant as TimerInstant, sleep_until};

use super::wire::{Request, Wire};
use super::{Fault, Shared, TruthConfig, TruthEnd, TruthEvent, TruthRecord};
use crate::openai::{Endpoint, FinishReason, GenerationRequest, ResponseStyle, Usage, error_body};

/// Fixed, so that two runs give the same bytes.
const CREATED_UNIX_S: u64 = 1_700_000_000;
const SPLIT_PAUSE: Duration = Duration::from_millis(1);

/// What becomes of the connection.
pub(super) enum After {
    KeepAlive,
    Close,
}

/// Answers one request and records what happened.
pub(super) async fn answer(wire: &mut Wire, request: Request, shared: &Shared, connection: u64) -> io::Result<After> {
    let endpoint = match (request.method.as_str(), request.path.as_str()) {
        ("POST", "/v1/completions") => Endpoint::Completions,
        ("POST", "/v1/chat/completions") => Endpoint::Chat,
        ("GET", "/health") => return respond_json(wire, 200, &json!({ "status": "ok" })).await,
        ("GET", "/v1/models") => {
            let model = json!({ "id": shared.config.model, "object": "model", "simulated": true });
            return respond_json(wire, 200, &json!({ "object": "list", "data": [model] })).await;
        }
        ("GET", "/metrics") => {
            let text = metrics(&shared.records());
            wire.respond(200, "text/plain; version=0.0.4", text.as_bytes()).await?;
            return Ok(After::KeepAlive);
        }
        _ => return respond_json(wire, 404, &error_body(404, "NotFoundError", "there is nothing at this path")).await,
    };
    let index = shared.next_request.fetch_add(1, Ordering::Relaxed);
    let mut record = TruthRecord {
        index,
        connection,
        endpoint,
        body: request.body.clone(),
        prompt_tokens: 0,
        requested_tokens: 0,
        read_at: request.read_at,
        events: Vec::new(),
        end: TruthEnd::Complete,
    };
    let generation = match GenerationRequest::parse(endpoint, &request.body) {
        Ok(generation) => generation,
        Err(error) => {
            record.end = TruthEnd::Refused;
            shared.record(record);
            return respond_json(wire, 400, &error_body(400, "BadRequestError", &error.to_string())).await;
        }
    };
    let config = &shared.config;
    record.prompt_tokens = config.prompt_tokens.unwrap_or(generation.prompt.len());
    record.requested_tokens = generation.max_tokens.unwrap_or(config.default_output_tokens);
    let strikes = (index + 1).is_multiple_of(config.fault_every.max(1));
    let fault = config.fault.filter(|_| strikes);
    let style =
        ResponseStyle { endpoint, id: format!("truth-{index}"), model: config.model.clone(), created: CREATED_UNIX_S };
    let mut answer = Answer { wire, config, fault, style, generation, record: &mut record, templates: [None, None] };
    let result = answer.run().await;
    if result.is_err() {
        record.end = TruthEnd::ClientClosed;
    }
    shared.record(record);
    result
}

/// What vLLM would have counted of these requests, under its names.
fn metrics(records: &[TruthRecord]) -> String {
    let ttfts = || records.iter().filter_map(TruthRecord::ttft);
    let sum_s: f64 = ttfts().map(|ttft| ttft.as_secs_f64()).sum();
    let prompt_tokens: u64 = records.iter().map(|record| u64::from(record.prompt_tokens)).sum();
    format!(
        "# TYPE vllm:prompt_tokens_total counter\nvllm:prompt_tokens_total {prompt_tokens}\n\
         # TYPE vllm:time_to_first_token_seconds histogram\n\
         vllm:time_to_first_token_seconds_count {}\nvllm:time_to_first_token_seconds_sum {sum_s}\n",
        ttfts().count()
    )
}

async fn respond_json(wire: &mut Wire, status: u16, body: &Value) -> io::Result<After> {
    wire.respond(status, "application/json", body.to_string().as_bytes()).await?;
    Ok(After::KeepAlive)
}

struct Answer<'a> {
    wire: &'a mut Wire,
    config: &'a TruthConfig,
    fault: Option<Fault>,
    style: ResponseStyle,
    generation: GenerationRequest,
    record: &'a mut TruthRecord,
    /// Of text and of reasoning events, once one was written.
    templates: [Option<EventTemplate>; 2],
}

/// The bytes around the text of a content event. Events are serialised once for each answer: a server that spends its
/// time on JSON reads its next request late, and its clients seem late.
struct EventTemplate {
    before: Vec<u8>,
    after: Vec<u8>,
}

/// Stands for the text while a template is made; no JSON escape changes it.
const TEXT_MARK: &str = "\u{a7}text\u{a7}";

impl Answer<'_> {
    async fn run(&mut self) -> io::Result<After> {
        match self.fault {
            Some(Fault::Status(status)) => {
                self.record.end = TruthEnd::Fault;
                return respond_json(
                    self.wire,
                    status,
                    &error_body(status, "InternalServerError", "a fault that was asked for"),
                )
                .await;
            }
            Some(Fault::CloseBeforeResponse) => {
                self.record.end = TruthEnd::Fault;
                return Ok(After::Close);
            }
            Some(Fault::NeverRespond) => {
                self.record.end = TruthEnd::Fault;
                self.wire.client_closed().await;
                return Ok(After::Close);
            }
            _ => {}
        }
        if self.generation.stream { self.stream().await } else { self.whole().await }
    }

    fn usage(&self) -> Usage {
        let extra = match self.fault {
            Some(Fault::WrongUsage { extra_tokens }) => extra_tokens,
            _ => 0,
        };
        Usage {
            prompt_tokens: self.record.prompt_tokens,
            completion_tokens: self.record.output_tokens() + extra,
            cached_tokens: self.config.cached_tokens,
        }
    }

    async fn whole(&mut self) -> io::Result<After> {
        let tokens = self.record.requested_tokens;
        self.wait(self.config.ttft + self.config.itl * tokens.saturating_sub(1)).await?;
        let text: String = (0..tokens).map(token_text).collect();
        // The record first: usage counts what it holds. The write below is one event to the client.
        self.record.events.push(TruthEvent { written_at: std::time::Instant::now(), tokens });
        let body = self.style.whole(&text, FinishReason::Length, self.usage());
        respond_json(self.wire, 200, &body).await
    }

    async fn stream(&mut self) -> io::Result<After> {
        if self.config.framing.head_with_first_event {
            self.wire.prepare_events();
        } else {
            self.wire.begin_events().await?;
        }
        if self.config.role_event && self.style.endpoint == Endpoint::Chat {
            let role = self.encode(&self.style.role_event().to_string());
            self.wire.chunk(&role).await?;
        }
        let per_event = self.config.tokens_per_event.max(1);
        let per_write = self.config.framing.events_per_write.max(1);
        let (mut produced, mut late) = (0, Duration::ZERO);
        let mut pending = Pending::default();
        let mut fault = self.fault;
        let mut finish = FinishReason::Length;
        while produced < self.record.requested_tokens {
            let tokens = per_event.min(self.record.requested_tokens - produced);
            if fault.is_some_and(|fault| strikes_before(fault, produced + tokens)) {
                // What was due before the fault has to be on the wire before it.
                self.flush(&mut pending).await?;
                match fault.take() {
                    Some(Fault::Stall { pause, .. }) => late += pause,
                    Some(Fault::MalformedEvent { .. }) => {
                        let broken = self.encode("{\"choices\": [{\"index\": 0, ");
                        self.wire.chunk(&broken).await?;
                    }
                    Some(Fault::CloseMidStream { .. }) => {
                        self.record.end = TruthEnd::Fault;
                        return Ok(After::Close);
                    }
                    Some(Fault::EndWithoutDone { .. }) => {
                        self.record.end = TruthEnd::Fault;
                        self.wire.end_chunks().await?;
                        return Ok(After::KeepAlive);
                    }
                    Some(Fault::ErrorEvent { .. }) => return self.error_event().await,
                    Some(Fault::StopEarly { .. }) => {
                        finish = FinishReason::Stop;
                        break;
                    }
                    _ => {}
                }
            }
            self.wait(self.config.ttft + late + self.config.itl * produced).await?;
            self.append(&mut pending, produced, tokens);
            let first = produced == 0;
            produced += tokens;
            if first || pending.tokens.len() as u32 >= per_write || produced == self.record.requested_tokens {
                self.flush(&mut pending).await?;
            }
        }
        if !self.config.tail_delay.is_zero() {
            let last = self.config.itl * produced.saturating_sub(per_event);
            self.wait(self.config.ttft + late + last + self.config.tail_delay).await?;
        }
        let mut closing = self.encode(&self.style.finish_event(finish).to_string());
        if self.generation.include_usage {
            closing.extend(self.encode(&self.style.usage_event(self.usage()).to_string()));
        }
        closing.extend(self.encode("[DONE]"));
        self.wire.last_chunk(&closing).await?;
        Ok(After::KeepAlive)
    }

    async fn error_event(&mut self) -> io::Result<After> {
        self.record.end = TruthEnd::Fault;
        let error = error_body(500, "InternalServerError", "a fault that was asked for");
        let mut closing = self.encode(&error.to_string());
        closing.extend(self.encode("[DONE]"));
        self.wire.chunk(&closing).await?;
        self.wire.end_chunks().await?;
        Ok(After::KeepAlive)
    }

    /// Waits until `after` from the request's arrival; fails when the client leaves first.
    async fn wait(&mut self, after: Duration) -> io::Result<()> {
        let due = TimerInstant::from_std(self.record.read_at + after);
        if due <= TimerInstant::now() {
            return Ok(());
        }
        tokio::select! {
            biased;
            () = sleep_until(due) => Ok(()),
            () = self.wire.client_closed() => Err(io::ErrorKind::ConnectionAborted.into()),
        }
    }

    fn append(&mut self, pending: &mut Pending, first_token: u32, tokens: u32) {
        let reasoning = first_token < self.config.reasoning_tokens;
        if self.config.framing.comments {
            pending.bytes.extend_from_slice(self.line(": ping").as_bytes());
        }
        let template = match self.templates[usize::from(reasoning)].take() {
            Some(template) => template,
            None => self.template(reasoning),
        };
        pending.bytes.extend_from_slice(&template.before);
        (first_token..first_token + tokens).for_each(|n| pending.bytes.extend_from_slice(token_text(n).as_bytes()));
        pending.bytes.extend_from_slice(&template.after);
        self.templates[usize::from(reasoning)] = Some(template);
        pending.tokens.push(tokens);
    }

    fn template(&self, reasoning: bool) -> EventTemplate {
        let event = if reasoning { self.style.reasoning_event(TEXT_MARK) } else { self.style.text_event(TEXT_MARK) };
        let event = event.to_string();
        let (before, after) = event.split_once(TEXT_MARK).unwrap_or((&event, ""));
        let end = self.line("");
        EventTemplate {
            before: format!("data: {before}").into_bytes(),
            after: format!("{after}{end}{end}").into_bytes(),
        }
    }

    async fn flush(&mut self, pending: &mut Pending) -> io::Result<()> {
        if pending.tokens.is_empty() {
            return Ok(());
        }
        let bytes = std::mem::take(&mut pending.bytes);
        match bytes.iter().position(|byte| !byte.is_ascii()) {
            Some(at) if self.config.framing.split_events => {
                // After the first byte of a character of two.
                let (head, rest) = bytes.split_at(at + 1);
                self.wire.chunk(head).await?;
                tokio::time::sleep(SPLIT_PAUSE).await;
                self.wire.chunk(rest).await?;
            }
            _ => self.wire.chunk(&bytes).await?,
        }
        let written_at = std::time::Instant::now();
        let tokens = std::mem::take(&mut pending.tokens);
        self.record.events.extend(tokens.into_iter().map(|tokens| TruthEvent { written_at, tokens }));
        Ok(())
    }

    fn encode(&self, data: &str) -> Vec<u8> {
        let end = if self.config.framing.crlf { "\r\n" } else { "\n" };
        format!("data: {data}{end}{end}").into_bytes()
    }

    fn line(&self, text: &str) -> String {
        let end = if self.config.framing.crlf { "\r\n" } else { "\n" };
        format!("{text}{end}")
    }
}

/// Content events that are due but wait for company in one write.
#[derive(Default)]
struct Pending {
    bytes: Vec<u8>,
    tokens: Vec<u32>,
}

fn strikes_before(fault: Fault, tokens_then: u32) -> bool {
    match fault {
        Fault::Stall { after_tokens, .. }
        | Fault::CloseMidStream { after_tokens }
        | Fault::EndWithoutDone { after_tokens }
        | Fault::ErrorEvent { after_tokens }
        | Fault::StopEarly { after_tokens }
        | Fault::MalformedEvent { after_tokens } => tokens_then > after_tokens,
        Fault::Status(_) | Fault::CloseBeforeResponse | Fault::NeverRespond | Fault::WrongUsage { .. } => false,
    }
}

/// The text of the `n`-th output token; never empty, and with a character outside ASCII.
fn token_text(n: u32) -> String {
    format!(" é{n}")
}
