//! A server whose timing is known: tokens leave at set times, and the server notes when it really wrote them.
//!
//! It speaks just enough HTTP/1.1 by hand, because its faults (a stream cut in the middle of a chunk, an event split
//! over two writes, several events in one write) are below what an HTTP library lets through.
//!
//! ```no_run
//! # async fn example() -> std::io::Result<()> {
//! use std::time::Duration;
//! use podium_sim::truth::{TruthConfig, TruthServer};
//!
//! let config = TruthConfig { ttft: Duration::from_millis(50), itl: Duration::from_millis(5), ..TruthConfig::default() };
//! let server = TruthServer::start(config).await?;
//! println!("{}", server.base_url());
//! let records = server.records();
//! server.shutdown().await;
//! # Ok(()) }
//! ```

mod answer;
mod wire;

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::openai::Endpoint;

/// What the server does, for every request alike.
#[derive(Debug, Clone)]
pub struct TruthConfig {
    /// From the last byte of a request read to its first content event written.
    pub ttft: Duration,
    /// Between two tokens. Events are `itl × tokens_per_event` apart.
    pub itl: Duration,
    /// Tokens that one content event carries; the last event carries what is left. At least 1.
    pub tokens_per_event: u32,
    /// Output tokens of a request that asks for no limit.
    pub default_output_tokens: u32,
    /// Prompt tokens to report; `None` counts the prompt by the rule of [`crate::openai::Prompt`].
    pub prompt_tokens: Option<u32>,
    /// Cached prompt tokens to report.
    pub cached_tokens: u32,
    /// The model name in answers and in `/v1/models`.
    pub model: String,
    /// Whether a streamed chat starts with a role-only event, written as soon as the request was read.
    pub role_event: bool,
    /// How many of the first tokens are reasoning instead of content (chat only).
    pub reasoning_tokens: u32,
    /// Time between the last content event and the closing events (finish, usage, `[DONE]`).
    pub tail_delay: Duration,
    /// How long the server lets a new connection wait before it reads from it.
    pub accept_delay: Duration,
    /// How the bytes of the event stream are cut and ended.
    pub framing: Framing,
    /// What goes wrong.
    pub fault: Option<Fault>,
    /// Every how many requests [`TruthConfig::fault`] strikes: 1 is each, 3 is the third, sixth, … At least 1.
    pub fault_every: u64,
}

impl Default for TruthConfig {
    fn default() -> Self {
        TruthConfig {
            ttft: Duration::from_millis(20),
            itl: Duration::from_millis(5),
            tokens_per_event: 1,
            default_output_tokens: 16,
            prompt_tokens: None,
            cached_tokens: 0,
            model: "truth".to_owned(),
            role_event: true,
            reasoning_tokens: 0,
            tail_delay: Duration::ZERO,
            accept_delay: Duration::ZERO,
            framing: Framing::default(),
            fault: None,
            fault_every: 1,
        }
    }
}

/// How the bytes of the event stream are cut and ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Framing {
    /// Lines end with `\r\n` instead of `\n`.
    pub crlf: bool,
    /// A comment line (`: ping`) goes before every content event.
    pub comments: bool,
    /// How many content events share one write. The first event always goes alone; a group is written when its last
    /// event is due. At least 1.
    pub events_per_write: u32,
    /// Every content event is cut in the middle (inside a multi-byte character) and its halves are written 1 ms apart.
    pub split_events: bool,
    /// The head of a streamed answer goes out with its first event instead of before it.
    pub head_with_first_event: bool,
}

impl Default for Framing {
    fn default() -> Self {
        Framing { crlf: false, comments: false, events_per_write: 1, split_events: false, head_with_first_event: false }
    }
}

/// One way to misbehave. Faults "after tokens" strike before the first event that would exceed that many tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Answers with this status and a JSON error, at once.
    Status(u16),
    /// Closes the connection without an answer.
    CloseBeforeResponse,
    /// Never answers; the connection stays open until the client closes it.
    NeverRespond,
    /// Sends nothing for `pause`, then goes on; all later tokens are late by `pause`.
    Stall {
        /// Tokens sent before.
        after_tokens: u32,
        /// How long the silence lasts.
        pause: Duration,
    },
    /// Closes the connection in the middle of the body.
    CloseMidStream {
        /// Tokens sent before.
        after_tokens: u32,
    },
    /// Ends the body correctly but without finish reason, usage and `[DONE]`.
    EndWithoutDone {
        /// Tokens sent before.
        after_tokens: u32,
    },
    /// Sends an error event, then `[DONE]`, as engines do when a request dies inside a stream that already began.
    ErrorEvent {
        /// Tokens sent before.
        after_tokens: u32,
    },
    /// Sends an event whose data is broken JSON, then goes on.
    MalformedEvent {
        /// Tokens sent before.
        after_tokens: u32,
    },
    /// Ends a streamed answer early but correctly, with the finish reason `stop`.
    StopEarly {
        /// Tokens sent before.
        after_tokens: u32,
    },
    /// Claims this many completion tokens more than were sent.
    WrongUsage {
        /// Added to the true count.
        extra_tokens: u32,
    },
}

/// What the server itself saw of one request. Instants are of the process's monotonic clock, so a client in the same
/// process can compare them with its own.
#[derive(Debug, Clone)]
pub struct TruthRecord {
    /// Position among all requests, from 0, in the order they were read.
    pub index: u64,
    /// Which connection carried it, from 0.
    pub connection: u64,
    /// The endpoint.
    pub endpoint: Endpoint,
    /// The request body as it came.
    pub body: bytes::Bytes,
    /// Prompt tokens, as reported in usage.
    pub prompt_tokens: u32,
    /// Output tokens that the request asked for.
    pub requested_tokens: u32,
    /// When the last byte of the request had been read.
    pub read_at: Instant,
    /// Each content event: when its write had returned, and how many tokens it carried.
    pub events: Vec<TruthEvent>,
    /// How it ended.
    pub end: TruthEnd,
}

impl TruthRecord {
    /// Output tokens written.
    pub fn output_tokens(&self) -> u32 {
        self.events.iter().map(|event| event.tokens).sum()
    }

    /// From the request read to the first content event written.
    pub fn ttft(&self) -> Option<Duration> {
        self.events.first().map(|event| event.written_at - self.read_at)
    }
}

/// One content event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TruthEvent {
    /// When the write that completed it had returned.
    pub written_at: Instant,
    /// Tokens in it.
    pub tokens: u32,
}

/// How a request ended, as the server sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TruthEnd {
    /// Everything was sent.
    Complete,
    /// The request body was refused with a 400.
    Refused,
    /// The set fault cut it short.
    Fault,
    /// The client went away first.
    ClientClosed,
}

/// Connections that may wait to be accepted: a client may open thousands at once, and one that is dropped for want of
/// room comes again a second later.
const BACKLOG: u32 = 4096;

struct Shared {
    config: TruthConfig,
    records: Mutex<Vec<TruthRecord>>,
    changed: Notify,
    next_request: AtomicU64,
    open_connections: AtomicUsize,
    most_connections: AtomicUsize,
}

impl Shared {
    fn records(&self) -> MutexGuard<'_, Vec<TruthRecord>> {
        self.records.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn record(&self, record: TruthRecord) {
        self.records().push(record);
        self.changed.notify_waiters();
    }
}

/// A running server; dropping it closes every connection.
pub struct TruthServer {
    addr: SocketAddr,
    shared: Arc<Shared>,
    cancel: CancellationToken,
    tasks: TaskTracker,
}

impl TruthServer {
    /// Binds a free loopback port and serves there on the current runtime.
    ///
    /// # Errors
    /// When no port can be bound.
    pub async fn start(config: TruthConfig) -> io::Result<TruthServer> {
        let socket = TcpSocket::new_v4()?;
        socket.bind((Ipv4Addr::LOCALHOST, 0).into())?;
        let listener = socket.listen(BACKLOG)?;
        let addr = listener.local_addr()?;
        let shared = Arc::new(Shared {
            config,
            records: Mutex::default(),
            changed: Notify::new(),
            next_request: AtomicU64::new(0),
            open_connections: AtomicUsize::new(0),
            most_connections: AtomicUsize::new(0),
        });
        let cancel = CancellationToken::new();
        let tasks = TaskTracker::new();
        tasks.spawn(accept(listener, Arc::clone(&shared), cancel.clone(), tasks.clone()));
        Ok(TruthServer { addr, shared, cancel, tasks })
    }

    /// Where the server listens.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// `http://127.0.0.1:<port>`, without a trailing slash.
    pub fn base_url(&self) -> String {
        format!("http://{}", self.addr)
    }

    /// A loopback address on which nothing listens: connecting to it is refused.
    ///
    /// # Errors
    /// When no port can be bound for a moment.
    pub async fn refusing_addr() -> io::Result<SocketAddr> {
        TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?.local_addr()
    }

    /// The requests that ended so far, in the order they ended.
    pub fn records(&self) -> Vec<TruthRecord> {
        self.shared.records().clone()
    }

    /// Waits until `count` requests have ended, at most `bound`; the records then, fewer if the bound was reached.
    pub async fn wait_for_records(&self, count: usize, bound: Duration) -> Vec<TruthRecord> {
        let enough = async {
            loop {
                // Registered before the check, so that a record between check and wait is not missed.
                let changed = self.shared.changed.notified();
                if self.shared.records().len() >= count {
                    return;
                }
                changed.await;
            }
        };
        // Reaching the bound is no error here: the caller sees it in the number of records.
        let _ = tokio::time::timeout(bound, enough).await;
        self.records()
    }

    /// Connections open now.
    pub fn open_connections(&self) -> usize {
        self.shared.open_connections.load(Ordering::Relaxed)
    }

    /// The most connections that were open at once.
    pub fn most_connections(&self) -> usize {
        self.shared.most_connections.load(Ordering::Relaxed)
    }

    /// Closes the listener and all connections and waits for their tasks.
    pub async fn shutdown(self) {
        self.cancel.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }
}

impl Drop for TruthServer {
    fn drop(&mut self) {
        self.cancel.cancel();
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>, cancel: CancellationToken, tasks: TaskTracker) {
    let mut connection = 0;
    loop {
        let stream = tokio::select! {
            () = cancel.cancelled() => return,
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => stream,
                // Out of descriptors, or a client that left between SYN and accept: the next one may do better.
                Err(_) => {
                    tokio::task::yield_now().await;
                    continue;
                }
            },
        };
        let (shared, cancel) = (Arc::clone(&shared), cancel.clone());
        tasks.spawn(async move {
            tokio::select! {
                () = cancel.cancelled() => {}
                () = serve_connection(stream, &shared, connection) => {}
            }
        });
        connection += 1;
    }
}

struct OpenConnection<'a>(&'a Shared);

impl<'a> OpenConnection<'a> {
    fn new(shared: &'a Shared) -> Self {
        let open = shared.open_connections.fetch_add(1, Ordering::Relaxed) + 1;
        shared.most_connections.fetch_max(open, Ordering::Relaxed);
        OpenConnection(shared)
    }
}

impl Drop for OpenConnection<'_> {
    fn drop(&mut self) {
        self.0.open_connections.fetch_sub(1, Ordering::Relaxed);
    }
}

async fn serve_connection(stream: TcpStream, shared: &Shared, connection: u64) {
    let _open = OpenConnection::new(shared);
    // Without this the kernel would hold small writes back and the set times would mean nothing.
    if stream.set_nodelay(true).is_err() {
        return;
    }
    if !shared.config.accept_delay.is_zero() {
        tokio::time::sleep(shared.config.accept_delay).await;
    }
    let mut wire = wire::Wire::new(stream);
    // A read or write error means that the client is gone; the record of the request, if there was one, says so.
    while let Ok(Some(request)) = wire.read_request().await {
        // Requests that came with this one are read before it is parsed, so that none is read late for another's sake.
        tokio::task::yield_now().await;
        match answer::answer(&mut wire, request, shared, connection).await {
            Ok(answer::After::KeepAlive) => {}
            Ok(answer::After::Close) | Err(_) => return,
        }
    }
}

#[cfg(test)]
mod tests;
