//! One connection, driven by the task that waits for its answer.

use std::future::Future;
use std::io;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use hyper::body::{Body, Incoming};
use hyper::client::conn::http1;
use tokio::net::TcpStream;

use super::io::{Scratch, SocketStamps, StampedStream};
use super::target::Target;

type Driver = http1::Connection<StampedStream, Full<Bytes>>;

/// What a connection reads at once. Hyper's own buffers grow to hundreds of kilobytes where a server is fast, which
/// thousands of connections cannot afford.
const READ_BUFFER_BYTES: usize = 16 * 1024;

/// An established connection.
///
/// No task of its own drives it: whoever waits for the answer polls hyper's connection too. So a socket read, its
/// stamp and its parsing happen in one go, and hyper hands out one piece of the body before it reads on, so that the
/// latest stamp is always the one of the piece in hand.
pub(crate) struct Connection {
    sender: http1::SendRequest<Full<Bytes>>,
    driver: Pin<Box<Driver>>,
    /// Whether hyper has ended the connection; it must not be polled again.
    ended: bool,
    /// When its last answer ended; `None` before its first request.
    used_at: Option<Instant>,
    stamps: Rc<SocketStamps>,
}

/// Why a request got no answer.
#[derive(Debug)]
pub(crate) enum SendError {
    /// Nothing of the request was sent: the connection was already closed.
    NotSent,
    /// The server closed the connection without a byte of an answer.
    Closed,
    /// Something else.
    Http(hyper::Error),
}

impl Connection {
    /// Connects to `target`.
    pub async fn open(target: &Target, scratch: &Scratch) -> io::Result<Self> {
        let stream = TcpStream::connect(target.addresses.as_slice()).await?;
        stream.set_nodelay(true)?;
        let stamps = Rc::new(SocketStamps::default());
        let stream = StampedStream::new(stream, Rc::clone(&stamps), scratch.clone());
        let (sender, driver) = http1::Builder::new()
            .read_buf_exact_size(Some(READ_BUFFER_BYTES))
            .handshake(stream)
            .await
            .map_err(io::Error::other)?;
        Ok(Connection { sender, driver: Box::pin(driver), ended: false, used_at: None, stamps })
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
        self.drive(&mut Context::from_waker(Waker::noop()));
        !self.ended && self.sender.is_ready()
    }

    /// Sends a request and waits for the head of its answer.
    pub async fn send(&mut self, request: Request<Full<Bytes>>) -> Result<Response<Incoming>, SendError> {
        let Connection { sender, driver, ended, .. } = self;
        let mut answer = pin!(sender.try_send_request(request));
        std::future::poll_fn(|cx| {
            drive(driver, ended, cx);
            answer.as_mut().poll(cx)
        })
        .await
        .map_err(|mut error| {
            if error.take_message().is_some() {
                return SendError::NotSent;
            }
            let error = error.into_error();
            if self.stamps.first().is_none() && is_closed_by_peer(&error) {
                SendError::Closed
            } else {
                SendError::Http(error)
            }
        })
    }

    /// The next piece of the body, `None` at its end.
    pub async fn next_piece(&mut self, body: &mut Incoming) -> Option<Result<Bytes, hyper::Error>> {
        let mut body = Pin::new(body);
        std::future::poll_fn(|cx| {
            // Once as it is and once after driving: hyper may have produced the next piece, and if it did not, both
            // wakers are registered.
            let mut driven = false;
            loop {
                match body.as_mut().poll_frame(cx) {
                    Poll::Ready(Some(Ok(frame))) => {
                        // What is no data is trailers, which say nothing here.
                        if let Ok(piece) = frame.into_data() {
                            return Poll::Ready(Some(Ok(piece)));
                        }
                    }
                    Poll::Ready(Some(Err(error))) => return Poll::Ready(Some(Err(error))),
                    Poll::Ready(None) => return Poll::Ready(None),
                    Poll::Pending if driven => return Poll::Pending,
                    Poll::Pending => {
                        self.drive(cx);
                        driven = true;
                    }
                }
            }
        })
        .await
    }

    fn drive(&mut self, cx: &mut Context<'_>) {
        drive(&mut self.driver, &mut self.ended, cx);
    }
}

/// Lets hyper write and read. Its result is not looked at: an error reaches the waiting request too.
fn drive(driver: &mut Pin<Box<Driver>>, ended: &mut bool, cx: &mut Context<'_>) {
    if !*ended && driver.as_mut().poll(cx).is_ready() {
        *ended = true;
    }
}

/// Whether the server ended the connection, in any of the ways that the system tells it.
fn is_closed_by_peer(error: &hyper::Error) -> bool {
    use io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, UnexpectedEof};
    let cause = std::error::Error::source(error).and_then(|source| source.downcast_ref::<io::Error>());
    error.is_incomplete_message()
        || cause.is_some_and(|cause| {
            matches!(cause.kind(), BrokenPipe | ConnectionAborted | ConnectionReset | UnexpectedEof)
        })
}
