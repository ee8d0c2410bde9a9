//! What HTTP is spoken over: a socket, with or without TLS on it.

use std::cell::{Ref, RefCell, RefMut};
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_rustls::client::TlsStream;

use super::socket::StampedSocket;

/// Bytes that one read takes at most.
const READ_BYTES: usize = 64 * 1024;

/// A stamped socket, with or without TLS on it.
#[derive(Debug)]
pub(crate) enum Stream {
    /// As the bytes come.
    Plain(StampedSocket),
    /// Encrypted.
    Tls(Box<TlsStream<StampedSocket>>),
}

impl AsyncRead for Stream {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match &mut *self {
            Stream::Plain(socket) => Pin::new(socket).poll_read(cx, buffer),
            Stream::Tls(stream) => Pin::new(stream).poll_read(cx, buffer),
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match &mut *self {
            Stream::Plain(socket) => Pin::new(socket).poll_write(cx, bytes),
            Stream::Tls(stream) => Pin::new(stream).poll_write(cx, bytes),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut *self {
            Stream::Plain(socket) => Pin::new(socket).poll_flush(cx),
            Stream::Tls(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut *self {
            Stream::Plain(socket) => Pin::new(socket).poll_shutdown(cx),
            Stream::Tls(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }

    fn is_write_vectored(&self) -> bool {
        match self {
            Stream::Plain(socket) => socket.is_write_vectored(),
            Stream::Tls(stream) => stream.is_write_vectored(),
        }
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match &mut *self {
            Stream::Plain(socket) => Pin::new(socket).poll_write_vectored(cx, slices),
            Stream::Tls(stream) => Pin::new(stream).poll_write_vectored(cx, slices),
        }
    }
}

/// The buffers that all connections of one thread read through: what the socket gave, and what of it is the body.
#[derive(Debug, Clone)]
pub(crate) struct Scratch {
    read: Rc<RefCell<Box<[u8]>>>,
    body: Rc<RefCell<Vec<u8>>>,
}

impl Scratch {
    pub fn new() -> Self {
        Scratch { read: Rc::new(RefCell::new(vec![0; READ_BYTES].into_boxed_slice())), body: Rc::default() }
    }

    /// The buffer for the socket, which must not be held while anything is waited for.
    pub fn read_buffer(&self) -> RefMut<'_, [u8]> {
        RefMut::map(self.read.borrow_mut(), |bytes| &mut **bytes)
    }

    /// The buffer for the body, which must not be held while anything is waited for.
    pub fn body_buffer(&self) -> RefMut<'_, Vec<u8>> {
        self.body.borrow_mut()
    }

    /// What was last put into the buffer for the body.
    pub fn body(&self) -> Ref<'_, [u8]> {
        Ref::map(self.body.borrow(), Vec::as_slice)
    }
}
