//! The socket under hyper: a request is stamped just before its first byte goes out, every read before anything looks
//! at its bytes.

use std::cell::{Cell, RefCell};
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Instant;

use hyper::rt::ReadBufCursor;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

/// Bytes that one read takes at most.
const READ_BYTES: usize = 16 * 1024;

/// When a connection's socket was written and read.
#[derive(Debug, Default)]
pub(crate) struct SocketStamps {
    sent: Cell<Option<Instant>>,
    first: Cell<Option<Instant>>,
    last: Cell<Option<Instant>>,
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

    /// The first read since the reset.
    pub fn first(&self) -> Option<Instant> {
        self.first.get()
    }

    /// The latest read since the reset.
    pub fn last(&self) -> Option<Instant> {
        self.last.get()
    }

    fn note_write(&self, before: Instant) {
        if self.sent.get().is_none() {
            self.sent.set(Some(before));
        }
    }

    fn stamp(&self, now: Instant) {
        if self.first.get().is_none() {
            self.first.set(Some(now));
        }
        self.last.set(Some(now));
    }
}

/// The buffer that all connections of one thread read into; what was read is copied on at once.
#[derive(Debug, Clone)]
pub(crate) struct Scratch {
    bytes: Rc<RefCell<Box<[u8]>>>,
}

impl Scratch {
    pub fn new() -> Self {
        Scratch { bytes: Rc::new(RefCell::new(vec![0; READ_BYTES].into_boxed_slice())) }
    }
}

/// A TCP stream that stamps its writes and reads.
#[derive(Debug)]
pub(crate) struct StampedStream {
    stream: TcpStream,
    stamps: Rc<SocketStamps>,
    scratch: Scratch,
}

impl StampedStream {
    pub fn new(stream: TcpStream, stamps: Rc<SocketStamps>, scratch: Scratch) -> Self {
        StampedStream { stream, stamps, scratch }
    }
}

impl hyper::rt::Read for StampedStream {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, mut into: ReadBufCursor<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        let mut scratch = this.scratch.bytes.borrow_mut();
        let room = into.remaining().min(READ_BYTES);
        let mut buffer = ReadBuf::new(&mut scratch[..room]);
        ready!(Pin::new(&mut this.stream).poll_read(cx, &mut buffer))?;
        if !buffer.filled().is_empty() {
            this.stamps.stamp(Instant::now());
            into.put_slice(buffer.filled());
        }
        Poll::Ready(Ok(()))
    }
}

impl hyper::rt::Write for StampedStream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let before = Instant::now();
        let written = ready!(Pin::new(&mut self.stream).poll_write(cx, bytes))?;
        self.stamps.note_write(before);
        Poll::Ready(Ok(written))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let before = Instant::now();
        let written = ready!(Pin::new(&mut self.stream).poll_write_vectored(cx, slices))?;
        self.stamps.note_write(before);
        Poll::Ready(Ok(written))
    }
}
