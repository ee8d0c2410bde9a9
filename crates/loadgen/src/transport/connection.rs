//! One connection, over whatever the server speaks.

use std::cell::Ref;
use std::io;
use std::ops::Deref;
use std::rc::Rc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use h2::RecvStream;
use http::{Request, Response};
use tokio::net::{TcpStream, UnixStream};

use super::http1::{Http1, Http1Error};
use super::http2::Http2;
use super::socket::{Socket, SocketStamps, StampedSocket};
use super::stream::{Scratch, Stream};
use super::target::{Address, Target};

/// An established connection that carries one request at a time.
pub(crate) struct Connection {
    wire: Wire,
    opening: Opening,
    /// When its last answer ended; `None` before its first request.
    used_at: Option<Instant>,
    stamps: Rc<SocketStamps>,
}

enum Wire {
    Http1(Http1),
    Http2(Http2),
}

/// How long the parts of opening a connection took.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Opening {
    /// Until the socket was connected.
    pub connect: Duration,
    /// From there until the TLS handshake was done; zero without TLS.
    pub tls: Duration,
}

/// Why there is no connection.
#[derive(Debug)]
pub(crate) enum OpenError {
    /// The socket could not be connected.
    Connect(String),
    /// The TLS handshake failed.
    Tls(String),
}

/// Why a request got no answer.
#[derive(Debug)]
pub(crate) enum SendError {
    /// The server did not begin with the request: the connection was closed before, or it said so.
    NotSent,
    /// The server closed the connection without a byte of an answer.
    Closed,
    /// Something else.
    Transport(TransportError),
}

/// What broke a connection.
#[derive(Debug)]
pub(crate) enum TransportError {
    /// In HTTP/1.1.
    Http1(Http1Error),
    /// In HTTP/2.
    Http2(h2::Error),
}

/// The body of an answer.
pub(crate) enum Body {
    /// In HTTP/1.1, whose connection has it.
    Http1,
    /// In HTTP/2.
    Http2(RecvStream),
}

/// A piece of a body.
pub(crate) enum Piece<'a> {
    /// In the buffer that all connections share.
    Shared(Ref<'a, [u8]>),
    /// On its own.
    Own(Bytes),
}

impl Deref for Piece<'_> {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Piece::Shared(piece) => piece,
            Piece::Own(piece) => piece,
        }
    }
}

impl Connection {
    /// Connects to `target`, `within` this time for each part of it.
    pub async fn open(target: &Target, scratch: &Scratch, within: Duration) -> Result<Self, OpenError> {
        let began = Instant::now();
        let too_long = |part| format!("no {part} within {} s", within.as_secs_f64());
        let socket = tokio::time::timeout(within, connect(&target.address))
            .await
            .map_err(|_elapsed| OpenError::Connect(too_long("connection")))?
            .map_err(|error| OpenError::Connect(error.to_string()))?;
        let connected = Instant::now();
        let stamps = Rc::new(SocketStamps::default());
        let socket = StampedSocket::new(socket, Rc::clone(&stamps));
        let stream = match &target.tls {
            None => Stream::Plain(socket),
            Some(tls) => {
                let shaken = tokio::time::timeout(within, tls.handshake(socket))
                    .await
                    .map_err(|_elapsed| OpenError::Tls(too_long("TLS handshake")))?;
                Stream::Tls(Box::new(shaken.map_err(OpenError::Tls)?))
            }
        };
        let tls = if target.tls.is_some() { connected.elapsed() } else { Duration::ZERO };
        let wire = if target.http2 {
            let http2 = Http2::start(stream, Rc::clone(&stamps)).await;
            Wire::Http2(http2.map_err(|error| OpenError::Connect(error.to_string()))?)
        } else {
            Wire::Http1(Http1::new(stream, Rc::clone(&stamps), scratch.clone()))
        };
        let opening = Opening { connect: connected - began, tls };
        Ok(Connection { wire, opening, used_at: None, stamps })
    }

    /// How long opening it took.
    pub fn opening(&self) -> Opening {
        self.opening
    }

    /// When the socket was written and read.
    pub fn stamps(&self) -> &Rc<SocketStamps> {
        &self.stamps
    }

    /// How long the connection was kept since its last answer; `None` before its first request.
    pub fn kept_for(&self) -> Option<Duration> {
        self.used_at.map(|used_at| used_at.elapsed())
    }

    /// Notes that an answer was read to its end.
    pub fn set_used(&mut self) {
        self.used_at = Some(Instant::now());
    }

    /// Whether a request can be sent now. Notices that the server closed the connection while it was kept.
    pub fn is_usable(&mut self) -> bool {
        match &mut self.wire {
            Wire::Http1(http1) => http1.is_usable(),
            Wire::Http2(http2) => http2.is_usable(),
        }
    }

    /// Sends a request and waits for the head of its answer.
    pub async fn send(&mut self, request: Request<Bytes>) -> Result<Response<Body>, SendError> {
        let answer = match &mut self.wire {
            Wire::Http1(http1) => http1.send(request).await.map(|response| response.map(|()| Body::Http1)),
            Wire::Http2(http2) => http2.send(request).await.map(|response| response.map(Body::Http2)),
        };
        answer.map_err(|error| match error {
            SendError::Transport(error) if self.stamps.first().is_none() && error.is_close() => SendError::Closed,
            error => error,
        })
    }

    /// The next piece of the body, `None` at its end. It must be let go before the thread waits for anything.
    pub async fn next_piece(&mut self, body: &mut Body) -> Option<Result<Piece<'_>, TransportError>> {
        match (&mut self.wire, body) {
            (Wire::Http1(http1), Body::Http1) => http1.next_piece().await.map(|piece| piece.map(Piece::Shared)),
            (Wire::Http2(http2), Body::Http2(body)) => http2.next_piece(body).await.map(|piece| piece.map(Piece::Own)),
            // A body of another connection has nothing to come here.
            (Wire::Http1(_), Body::Http2(_)) | (Wire::Http2(_), Body::Http1) => None,
        }
    }
}

async fn connect(address: &Address) -> io::Result<Socket> {
    match address {
        Address::Tcp(addresses) => {
            let stream = TcpStream::connect(addresses.as_slice()).await?;
            stream.set_nodelay(true)?;
            Ok(Socket::Tcp(stream))
        }
        Address::Unix(path) => Ok(Socket::Unix(UnixStream::connect(path).await?)),
    }
}

impl TransportError {
    /// Whether the server ended the connection, in any of the ways that the system tells it.
    pub fn is_close(&self) -> bool {
        use io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, UnexpectedEof};
        let (incomplete, cause) = match self {
            TransportError::Http1(Http1Error::Io(cause)) => (false, Some(cause)),
            TransportError::Http1(error) => (matches!(error, Http1Error::Incomplete), None),
            TransportError::Http2(error) => (false, error.get_io()),
        };
        incomplete
            || cause.is_some_and(|cause| {
                matches!(cause.kind(), BrokenPipe | ConnectionAborted | ConnectionReset | UnexpectedEof)
            })
    }

    /// In words.
    pub fn explain(&self, when: &str) -> String {
        let incomplete = match self {
            TransportError::Http1(error) => matches!(error, Http1Error::Incomplete),
            TransportError::Http2(_) => self.is_close(),
        };
        if incomplete {
            return format!("the server closed the connection {when}");
        }
        let error: &dyn std::error::Error = match self {
            TransportError::Http1(error) => error,
            TransportError::Http2(error) => error,
        };
        let mut text = format!("the connection broke {when}: {error}");
        let mut source = error.source();
        while let Some(cause) = source {
            text.push_str(&format!(": {cause}"));
            source = cause.source();
        }
        text
    }
}
