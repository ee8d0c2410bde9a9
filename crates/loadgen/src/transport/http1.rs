//! One HTTP/1.1 connection, driven by the task that waits for its answer.

use std::future::Future as _;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use hyper::body::{Body as _, Incoming};
use hyper::client::conn::http1;

use super::connection::{SendError, TransportError};
use super::socket::SocketStamps;
use super::stream::{HyperStream, Scratch, Stream};

/// What a connection reads at once. Hyper's own buffers grow to hundreds of kilobytes where a server is fast, which
/// thousands of connections cannot afford.
const READ_BUFFER_BYTES: usize = 16 * 1024;

/// No task of its own drives it: whoever waits for the answer polls hyper's connection too. So a socket read, its
/// stamp and its parsing happen in one go, and hyper hands out one piece of the body before it reads on, so that the
/// latest stamp is always the one of the piece in hand.
pub(super) struct Http1 {
    sender: http1::SendRequest<Full<Bytes>>,
    driver: Driver,
}

impl Http1 {
    pub async fn start(stream: Stream, stamps: Rc<SocketStamps>, scratch: Scratch) -> hyper::Result<Self> {
        let stream = HyperStream::new(stream, stamps, scratch);
        let (sender, connection) =
            http1::Builder::new().read_buf_exact_size(Some(READ_BUFFER_BYTES)).handshake(stream).await?;
        Ok(Http1 { sender, driver: Driver { connection: Box::pin(connection), ended: false } })
    }

    pub fn is_usable(&mut self) -> bool {
        self.driver.drive(&mut Context::from_waker(Waker::noop()));
        !self.driver.ended && self.sender.is_ready()
    }

    pub async fn send(&mut self, request: Request<Bytes>) -> Result<Response<Incoming>, SendError> {
        let Http1 { sender, driver } = self;
        let mut answer = pin!(sender.try_send_request(request.map(Full::new)));
        std::future::poll_fn(|cx| {
            driver.drive(cx);
            answer.as_mut().poll(cx)
        })
        .await
        .map_err(|mut error| match error.take_message() {
            Some(_unsent) => SendError::NotSent,
            None => SendError::Transport(TransportError::Http1(error.into_error())),
        })
    }

    /// The next piece of the body, `None` at its end.
    pub async fn next_piece(&mut self, body: &mut Incoming) -> Option<Result<Bytes, TransportError>> {
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
                    Poll::Ready(Some(Err(error))) => return Poll::Ready(Some(Err(TransportError::Http1(error)))),
                    Poll::Ready(None) => return Poll::Ready(None),
                    Poll::Pending if driven => return Poll::Pending,
                    Poll::Pending => {
                        self.driver.drive(cx);
                        driven = true;
                    }
                }
            }
        })
        .await
    }
}

struct Driver {
    connection: Pin<Box<http1::Connection<HyperStream, Full<Bytes>>>>,
    /// Whether hyper has ended the connection; it must not be polled again.
    ended: bool,
}

impl Driver {
    /// Lets hyper write and read. Its result is not looked at: an error reaches the waiting request too.
    fn drive(&mut self, cx: &mut Context<'_>) {
        if !self.ended && self.connection.as_mut().poll(cx).is_ready() {
            self.ended = true;
        }
    }
}
