//! One HTTP/1.1 connection, driven by the task that waits for its answer.
//!
//! What the body of an answer is made of is read here and not by a library: a library hands out each chunk on its own,
//! through a channel, which costs more than all that this program does with a token. What one read of the socket brought
//! is one piece here, with one stamp, however many chunks it holds.

mod body;
mod head;

use std::cell::Ref;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker, ready};

use bytes::Bytes;
use http::{Request, Response};
use tokio::io::{AsyncRead as _, AsyncWrite as _, ReadBuf};

use self::body::BodyDecoder;
use self::head::Head;
use super::connection::{SendError, TransportError};
use super::socket::SocketStamps;
use super::stream::{Scratch, Stream};

/// What a head of an answer may be long.
const MAX_HEAD_BYTES: usize = 64 * 1024;

/// What broke an HTTP/1.1 connection.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Http1Error {
    /// The socket, or the encryption on it.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// The server closed it inside an answer, or before one.
    #[error("it ended before the answer did")]
    Incomplete,
    /// What came is no HTTP/1.1.
    #[error("what came is no HTTP/1.1 ({0})")]
    Malformed(&'static str),
}

pub(super) struct Http1 {
    stream: Stream,
    stamps: Rc<SocketStamps>,
    scratch: Scratch,
    /// The head of an answer as far as it has come; then what came of the body with it.
    early: Vec<u8>,
    body: BodyDecoder,
    /// Whether the connection can carry another request once the body has ended.
    keeps: bool,
}

impl Http1 {
    pub fn new(stream: Stream, stamps: Rc<SocketStamps>, scratch: Scratch) -> Self {
        Http1 { stream, stamps, scratch, early: Vec::new(), body: BodyDecoder::none(), keeps: true }
    }

    /// Whether a request can be sent: the last answer was read to its end, and nothing came since, not even the end of
    /// the connection.
    pub fn is_usable(&mut self) -> bool {
        let is_idle = self.keeps && self.body.has_ended() && self.early.is_empty();
        if is_idle && self.poll_read(&mut Context::from_waker(Waker::noop()), |_early, _read| ()).is_ready() {
            self.keeps = false;
        }
        is_idle && self.keeps
    }

    /// Sends a request and waits for the head of its answer.
    pub async fn send(&mut self, request: Request<Bytes>) -> Result<Response<()>, SendError> {
        let head = head::write(&request);
        if let Err(error) = self.write(&head, request.body()).await {
            if self.stamps.sent().is_none() {
                return Err(SendError::NotSent);
            }
            // A server that refuses a request may answer and close before it has read all of it.
            return self.read_head().await.map_err(|_no_answer| transport_error(error.into()));
        }
        self.read_head().await.map_err(transport_error)
    }

    async fn write(&mut self, head: &[u8], body: &[u8]) -> io::Result<()> {
        let mut written = 0;
        std::future::poll_fn(|cx| {
            while written < head.len() + body.len() {
                let rest_of_head = &head[written.min(head.len())..];
                let rest_of_body = &body[written.saturating_sub(head.len())..];
                let slices = [IoSlice::new(rest_of_head), IoSlice::new(rest_of_body)];
                let slices = if rest_of_head.is_empty() { &slices[1..] } else { &slices[..] };
                match ready!(Pin::new(&mut self.stream).poll_write_vectored(cx, slices))? {
                    0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                    more => written += more,
                }
            }
            Pin::new(&mut self.stream).poll_flush(cx)
        })
        .await
    }

    async fn read_head(&mut self) -> Result<Response<()>, Http1Error> {
        self.early.clear();
        loop {
            loop {
                let parsed = Head::parse(&self.early)?;
                if parsed.as_ref().map_or(self.early.len(), |(_, length)| *length) > MAX_HEAD_BYTES {
                    return Err(Http1Error::Malformed("a head of more than 64 KiB"));
                }
                let Some((head, length)) = parsed else { break };
                self.early.drain(..length);
                // An interim answer: the one that counts comes after it.
                if head.response.status().is_informational() {
                    continue;
                }
                self.body = head.body;
                self.keeps = head.keeps;
                return Ok(head.response);
            }
            let came = std::future::poll_fn(|cx| {
                self.poll_read(cx, |this, read| {
                    this.early.extend_from_slice(read);
                    !read.is_empty()
                })
            })
            .await?;
            if !came {
                return Err(Http1Error::Incomplete);
            }
        }
    }

    /// What the next read of the socket brings of the body, `None` at its end. It must be let go before the thread waits
    /// for anything.
    pub async fn next_piece(&mut self) -> Option<Result<Ref<'_, [u8]>, TransportError>> {
        match self.read_data().await {
            Ok(true) => Some(Ok(self.scratch.body())),
            Ok(false) => None,
            Err(error) => {
                self.keeps = false;
                Some(Err(TransportError::Http1(error)))
            }
        }
    }

    /// Reads until the buffer for the body holds something; `false` at the body's end.
    async fn read_data(&mut self) -> Result<bool, Http1Error> {
        if !self.early.is_empty() {
            // It came with the head, whose read was the latest one.
            let early = std::mem::take(&mut self.early);
            if self.decode(&early)? {
                return Ok(true);
            }
        }
        while !self.body.has_ended() {
            let came = std::future::poll_fn(|cx| {
                self.poll_read(cx, |this, read| {
                    if read.is_empty() { this.body.end_of_connection().map(|()| false) } else { this.decode(read) }
                })
            })
            .await??;
            if came {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Puts what `read` holds of the body into the buffer for it; whether that is anything.
    fn decode(&mut self, read: &[u8]) -> Result<bool, Http1Error> {
        let mut data = self.scratch.body_buffer();
        data.clear();
        let used = self.body.decode(read, &mut data)?;
        if used < read.len() {
            // More than was asked for: whose answer would it be?
            self.keeps = false;
        }
        Ok(!data.is_empty())
    }

    /// Reads the socket once and lets `look` see what came, which is nothing at the connection's end.
    fn poll_read<T>(
        &mut self,
        cx: &mut Context<'_>,
        look: impl FnOnce(&mut Self, &[u8]) -> T,
    ) -> Poll<Result<T, Http1Error>> {
        let scratch = self.scratch.clone();
        let mut bytes = scratch.read_buffer();
        let mut buffer = ReadBuf::new(&mut bytes);
        ready!(Pin::new(&mut self.stream).poll_read(cx, &mut buffer))?;
        if !buffer.filled().is_empty() {
            self.stamps.note_answer();
        }
        Poll::Ready(Ok(look(self, buffer.filled())))
    }
}

fn transport_error(error: Http1Error) -> SendError {
    SendError::Transport(TransportError::Http1(error))
}
