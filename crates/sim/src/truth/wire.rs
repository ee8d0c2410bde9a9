//! Just enough HTTP/1.1: reads requests with a `content-length`, writes fixed and chunked responses.

use std::io;
use std::time::Instant;

use bytes::{Buf, Bytes, BytesMut};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// Larger heads and bodies are refused by closing the connection: tests need neither.
const MAX_HEAD_BYTES: usize = 64 * 1024;
const MAX_BODY_BYTES: usize = 64 * 1024 * 1024;

const EVENTS_HEAD: &[u8] =
    b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream; charset=utf-8\r\ncache-control: no-cache\r\n\
      transfer-encoding: chunked\r\nx-podium-simulated: 1\r\n\r\n";

/// A request that was read to its end.
pub(super) struct Request {
    pub method: String,
    pub path: String,
    pub body: Bytes,
    pub read_at: Instant,
}

/// One connection.
pub(super) struct Wire {
    stream: TcpStream,
    buffer: BytesMut,
    /// A head that goes out with the first chunk.
    pending_head: &'static [u8],
}

impl Wire {
    pub(super) fn new(stream: TcpStream) -> Wire {
        Wire { stream, buffer: BytesMut::with_capacity(8 * 1024), pending_head: b"" }
    }

    /// The next request, or `None` when the client closed the connection between two requests.
    pub(super) async fn read_request(&mut self) -> io::Result<Option<Request>> {
        let head_len = loop {
            if let Some(at) = find(&self.buffer, b"\r\n\r\n") {
                break at + 4;
            }
            if self.buffer.len() > MAX_HEAD_BYTES {
                return Err(invalid("the request head is too large"));
            }
            if self.stream.read_buf(&mut self.buffer).await? == 0 {
                return if self.buffer.is_empty() { Ok(None) } else { Err(io::ErrorKind::UnexpectedEof.into()) };
            }
        };
        let head = self.buffer.split_to(head_len);
        let head = std::str::from_utf8(&head).map_err(|_| invalid("the request head is not text"))?;
        let mut lines = head.split("\r\n");
        let mut first = lines.next().unwrap_or_default().split(' ');
        let (Some(method), Some(target)) = (first.next(), first.next()) else {
            return Err(invalid("the request line is broken"));
        };
        let (mut length, mut expects_continue) = (0, false);
        for (name, value) in lines.filter_map(|line| line.split_once(':')) {
            if name.eq_ignore_ascii_case("content-length") {
                length = value.trim().parse().map_err(|_| invalid("the content length is no number"))?;
            } else if name.eq_ignore_ascii_case("expect") {
                expects_continue = true;
            } else if name.eq_ignore_ascii_case("transfer-encoding") {
                return Err(invalid("chunked requests are not supported"));
            }
        }
        if length > MAX_BODY_BYTES {
            return Err(invalid("the request body is too large"));
        }
        let (method, path) = (method.to_owned(), target.split('?').next().unwrap_or_default().to_owned());
        if expects_continue {
            self.stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n").await?;
        }
        while self.buffer.len() < length {
            if self.stream.read_buf(&mut self.buffer).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        let body = self.buffer.split_to(length).freeze();
        Ok(Some(Request { method, path, body, read_at: Instant::now() }))
    }

    /// Writes a whole response.
    pub(super) async fn respond(&mut self, status: u16, content_type: &str, body: &[u8]) -> io::Result<()> {
        let head = format!(
            "HTTP/1.1 {status} {reason}\r\ncontent-type: {content_type}\r\ncontent-length: {length}\r\n\
             x-podium-simulated: 1\r\n\r\n",
            reason = reason(status),
            length = body.len(),
        );
        self.stream.write_all(&[head.as_bytes(), body].concat()).await
    }

    /// Writes the head of an event stream.
    pub(super) async fn begin_events(&mut self) -> io::Result<()> {
        self.stream.write_all(EVENTS_HEAD).await
    }

    /// Holds the head of an event stream back until the first chunk.
    pub(super) fn prepare_events(&mut self) {
        self.pending_head = EVENTS_HEAD;
    }

    /// Writes one chunk of the body, in one write.
    pub(super) async fn chunk(&mut self, payload: &[u8]) -> io::Result<()> {
        let bytes = self.framed(payload, b"\r\n");
        self.stream.write_all(&bytes).await
    }

    /// Writes the last chunk and the end of the body, in one write.
    pub(super) async fn last_chunk(&mut self, payload: &[u8]) -> io::Result<()> {
        let bytes = self.framed(payload, b"\r\n0\r\n\r\n");
        self.stream.write_all(&bytes).await
    }

    /// Ends a chunked body.
    pub(super) async fn end_chunks(&mut self) -> io::Result<()> {
        let head = std::mem::take(&mut self.pending_head);
        self.stream.write_all(&[head, b"0\r\n\r\n"].concat()).await
    }

    fn framed(&mut self, payload: &[u8], end: &[u8]) -> Vec<u8> {
        let head = std::mem::take(&mut self.pending_head);
        let size = format!("{:x}\r\n", payload.len());
        [head, size.as_bytes(), payload, end].concat()
    }

    /// Returns when the client has closed its side; bytes that it sends meanwhile are kept for the next request.
    pub(super) async fn client_closed(&mut self) {
        while self.buffer.len() <= MAX_HEAD_BYTES {
            match self.stream.read_buf(&mut self.buffer).await {
                Ok(0) | Err(_) => return,
                Ok(_) => {}
            }
        }
        // A client that pipelines this much is not waiting for its answer; leave the bytes in the kernel.
        std::future::pending::<()>().await;
    }
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack.chunk().windows(needle.len()).position(|window| window == needle)
}

fn invalid(message: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, message)
}

fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        400 => "Bad Request",
        404 => "Not Found",
        429 => "Too Many Requests",
        500 => "Internal Server Error",
        503 => "Service Unavailable",
        _ => "Status",
    }
}
