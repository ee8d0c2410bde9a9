//! One HTTP/2 connection, driven by the task that waits for its answer.

use std::future::Future as _;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use h2::client::{Builder, Connection, SendRequest};
use h2::{Reason, RecvStream};
use http::{Request, Response};

use super::connection::{SendError, TransportError};
use super::socket::SocketStamps;
use super::stream::Stream;

/// What a server may send before it hears that it was read; a fast one must never wait for that.
const WINDOW_BYTES: u32 = 4 << 20;

/// It carries one request at a time, as an HTTP/1.1 connection does: requests that share a connection wait for each
/// other's frames, which would be measured as the server's time.
///
/// It is driven as an HTTP/1.1 connection is. The HTTP/2 library would read on until the socket is empty, and then hand
/// out pieces of different ages; it is allowed one read at a time instead, so that the latest stamp is always the one
/// of the piece in hand.
pub(super) struct Http2 {
    sender: SendRequest<Bytes>,
    driver: Driver,
    stamps: Rc<SocketStamps>,
}

impl Http2 {
    pub async fn start(stream: Stream, stamps: Rc<SocketStamps>) -> Result<Self, h2::Error> {
        let (sender, connection) = Builder::new()
            .enable_push(false)
            .initial_window_size(WINDOW_BYTES)
            .initial_connection_window_size(WINDOW_BYTES)
            .handshake(stream)
            .await?;
        let driver = Driver { connection: Box::pin(connection), stamps: Rc::clone(&stamps), ended: false };
        Ok(Http2 { sender, driver, stamps })
    }

    pub fn is_usable(&mut self) -> bool {
        let mut cx = Context::from_waker(Waker::noop());
        while self.driver.drive(&mut cx) {}
        !self.driver.ended && matches!(self.sender.poll_ready(&mut cx), Poll::Ready(Ok(())))
    }

    pub async fn send(&mut self, request: Request<Bytes>) -> Result<Response<RecvStream>, SendError> {
        if !matches!(self.sender.poll_ready(&mut Context::from_waker(Waker::noop())), Poll::Ready(Ok(()))) {
            return Err(SendError::NotSent);
        }
        let (parts, body) = request.into_parts();
        // Both only queue; the first drive writes them together.
        let (mut answer, mut sending) =
            self.sender.send_request(Request::from_parts(parts, ()), false).map_err(send_error)?;
        sending.send_data(body, true).map_err(send_error)?;
        let response = self.driver.drive_until(|cx| Pin::new(&mut answer).poll(cx)).await.map_err(send_error)?;
        self.stamps.note_answer();
        Ok(response)
    }

    /// The next piece of the body, `None` at its end.
    pub async fn next_piece(&mut self, body: &mut RecvStream) -> Option<Result<Bytes, TransportError>> {
        let piece = self.driver.drive_until(|cx| body.poll_data(cx)).await?;
        Some(match piece {
            Ok(piece) => {
                // Fails only on a stream that has ended, which needs no room.
                let _ = body.flow_control().release_capacity(piece.len());
                Ok(piece)
            }
            Err(error) => Err(TransportError::Http2(error)),
        })
    }
}

fn send_error(error: h2::Error) -> SendError {
    // By these words the server says that it did not begin with the request.
    let untouched = error.reason() == Some(Reason::REFUSED_STREAM)
        || error.is_go_away() && error.is_remote() && error.reason() == Some(Reason::NO_ERROR);
    if untouched { SendError::NotSent } else { SendError::Transport(TransportError::Http2(error)) }
}

struct Driver {
    connection: Pin<Box<Connection<Stream, Bytes>>>,
    stamps: Rc<SocketStamps>,
    /// Whether the connection has ended; it must not be polled again.
    ended: bool,
}

impl Driver {
    /// Lets the connection write, and read once; whether it read. Its result is not looked at: an error reaches the
    /// waiting request too.
    fn drive(&mut self, cx: &mut Context<'_>) -> bool {
        if self.ended {
            return false;
        }
        self.stamps.allow_one_read();
        self.ended = self.connection.as_mut().poll(cx).is_ready();
        self.stamps.has_read()
    }

    /// Waits for `poll`, read by read.
    async fn drive_until<T>(&mut self, mut poll: impl FnMut(&mut Context<'_>) -> Poll<T>) -> T {
        std::future::poll_fn(|cx| {
            loop {
                if let Poll::Ready(result) = poll(cx) {
                    return Poll::Ready(result);
                }
                if !self.drive(cx) {
                    // Nothing was read, but the connection may have ended; if not, both wakers are registered.
                    return poll(cx);
                }
            }
        })
        .await
    }
}
