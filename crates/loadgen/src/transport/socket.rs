//! The socket under everything: a request is stamped just before its first byte goes out, every read before anything
//! looks at its bytes. Under TLS these are the encrypted bytes, so that decrypting is never part of a server's time.

use std::cell::Cell;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Instant;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpStream, UnixStream};

/// When a connection's socket was written and read.
#[derive(Debug, Default)]
pub(crate) struct SocketStamps {
    sent: Cell<Option<Instant>>,
    first: Cell<Option<Instant>>,
    last: Cell<Option<Instant>>,
    gate: Cell<Gate>,
}

/// How many reads the socket allows.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Gate {
    /// Any number: the reader itself stops after each.
    #[default]
    Open,
    /// One.
    One,
    /// None until the next [`SocketStamps::allow_one_read`].
    Shut,
}

impl SocketStamps {
    /// Forgets what was written and read: a new request begins.
    pub fn reset(&self) {
        self.sent.set(None);
        self.first.set(None);
        self.last.set(None);
    }

    /// Just before the first write since the reset that took a byte.
    pub fn sent(&self) -> Option<Instant> {
        self.sent.get()
    }

    /// The read that brought the first byte of the answer.
    pub fn first(&self) -> Option<Instant> {
        self.first.get()
    }

    /// The latest read since the reset.
    pub fn last(&self) -> Option<Instant> {
        self.last.get()
    }

    /// The latest read brought something of the answer. Not every read does: TLS and HTTP/2 have messages of their own.
    pub fn note_answer(&self) {
        if self.first.get().is_none() {
            self.first.set(self.last.get());
        }
    }

    /// Lets the socket be read once more, for a protocol that otherwise reads on until the socket is empty: what it
    /// hands out then came with the latest read, and no later one.
    pub fn allow_one_read(&self) {
        self.gate.set(Gate::One);
    }

    /// Whether the allowed read took place.
    pub fn has_read(&self) -> bool {
        self.gate.get() == Gate::Shut
    }

    fn note_write(&self, before: Instant) {
        if self.sent.get().is_none() {
            self.sent.set(Some(before));
        }
    }

    fn note_read(&self, now: Instant) {
        self.last.set(Some(now));
        if self.gate.get() == Gate::One {
            self.gate.set(Gate::Shut);
        }
    }
}

/// A connected socket of either kind.
#[derive(Debug)]
pub(crate) enum Socket {
    /// To a host and port.
    Tcp(TcpStream),
    /// To a path on this machine.
    Unix(UnixStream),
}

/// A socket that stamps its writes and reads.
#[derive(Debug)]
pub(crate) struct StampedSocket {
    socket: Socket,
    stamps: Rc<SocketStamps>,
}

impl StampedSocket {
    pub fn new(socket: Socket, stamps: Rc<SocketStamps>) -> Self {
        StampedSocket { socket, stamps }
    }
}

impl AsyncRead for StampedSocket {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.stamps.has_read() {
            // No waker is kept for this: whoever shut the gate opens it again and polls.
            return Poll::Pending;
        }
        let before = buffer.filled().len();
        ready!(match &mut self.socket {
            Socket::Tcp(stream) => Pin::new(stream).poll_read(cx, buffer),
            Socket::Unix(stream) => Pin::new(stream).poll_read(cx, buffer),
        })?;
        if buffer.filled().len() > before {
            self.stamps.note_read(Instant::now());
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for StampedSocket {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let before = Instant::now();
        let written = ready!(match &mut self.socket {
            Socket::Tcp(stream) => Pin::new(stream).poll_write(cx, bytes),
            Socket::Unix(stream) => Pin::new(stream).poll_write(cx, bytes),
        })?;
        self.stamps.note_write(before);
        Poll::Ready(Ok(written))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.socket {
            Socket::Tcp(stream) => Pin::new(stream).poll_flush(cx),
            Socket::Unix(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.socket {
            Socket::Tcp(stream) => Pin::new(stream).poll_shutdown(cx),
            Socket::Unix(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }

    fn is_write_vectored(&self) -> bool {
        match &self.socket {
            Socket::Tcp(stream) => stream.is_write_vectored(),
            Socket::Unix(stream) => stream.is_write_vectored(),
        }
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let before = Instant::now();
        let written = ready!(match &mut self.socket {
            Socket::Tcp(stream) => Pin::new(stream).poll_write_vectored(cx, slices),
            Socket::Unix(stream) => Pin::new(stream).poll_write_vectored(cx, slices),
        })?;
        self.stamps.note_write(before);
        Poll::Ready(Ok(written))
    }
}
