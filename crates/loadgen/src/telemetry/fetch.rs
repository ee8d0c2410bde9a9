//! A plain GET, on a thread that does nothing else.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use tokio_rustls::rustls::{ClientConnection, StreamOwned};

use crate::transport::{BaseUrl, BlockingTls};

/// A scrape that takes longer has failed.
const TIMEOUT: Duration = Duration::from_secs(2);
/// More than any engine writes.
const MAX_BYTES: u64 = 8 * 1024 * 1024;

/// A server whose metrics are read.
#[derive(Debug)]
pub(crate) struct Source {
    way: Way,
    authority: String,
    /// What stands before the path of the metrics.
    prefix: String,
}

/// How the server is reached.
#[derive(Debug)]
enum Way {
    Tcp(Vec<SocketAddr>),
    Tls(Vec<SocketAddr>, BlockingTls),
    Unix(PathBuf),
}

impl Source {
    /// The server at `base_url`, trusted as the load's server is.
    ///
    /// # Errors
    /// When it cannot be reached like that; the text says why.
    pub fn new(base_url: &str, ca_file: Option<&Path>) -> Result<Self, String> {
        let refused = |why: &dyn std::fmt::Display| format!("the metrics of {base_url} cannot be read: {why}");
        match BaseUrl::parse(base_url).map_err(|error| refused(&error))? {
            BaseUrl::Unix { path } => {
                Ok(Source { way: Way::Unix(path), authority: "localhost".to_owned(), prefix: String::new() })
            }
            BaseUrl::Http { tls, host, port, prefix } => {
                let found = (host.as_str(), port).to_socket_addrs().map_err(|error| refused(&error))?;
                let addresses: Vec<_> = found.collect();
                let way = match tls {
                    true => Way::Tls(addresses, BlockingTls::new(&host, ca_file).map_err(|error| refused(&error))?),
                    false => Way::Tcp(addresses),
                };
                let host = if host.contains(':') { format!("[{host}]") } else { host };
                Ok(Source { way, authority: format!("{host}:{port}"), prefix })
            }
        }
    }

    /// Whether the address has a path of its own.
    pub fn has_prefix(&self) -> bool {
        !self.prefix.is_empty()
    }

    /// The text at `path`, which is appended to what the base URL names.
    ///
    /// # Errors
    /// When the engine does not answer in time, or not with a success; the text says which.
    pub fn get(&self, path: &str) -> Result<String, String> {
        let path = &format!("{}{path}", self.prefix);
        let answer = self.exchange(path).map_err(|error| format!("{path} did not answer: {error}"))?;
        let text = String::from_utf8(answer).map_err(|_| format!("{path} answered with what is no text"))?;
        let (head, body) =
            text.split_once("\r\n\r\n").ok_or_else(|| format!("{path} answered with what is no HTTP"))?;
        let status = head.split_whitespace().nth(1).unwrap_or("no status");
        if status != "200" {
            return Err(format!("{path} answered with {status}"));
        }
        Ok(body.to_owned())
    }

    fn exchange(&self, path: &str) -> io::Result<Vec<u8>> {
        let request = format!(
            "GET {path} HTTP/1.0\r\nHost: {}\r\nAccept: text/plain\r\nConnection: close\r\n\r\n",
            self.authority
        );
        let deadline = Instant::now() + TIMEOUT;
        match &self.way {
            Way::Tcp(addresses) => exchange(connect(addresses, deadline)?, &request, deadline),
            Way::Tls(addresses, tls) => exchange(tls.over(connect(addresses, deadline)?)?, &request, deadline),
            Way::Unix(path) => exchange(UnixStream::connect(path)?, &request, deadline),
        }
    }
}

/// A socket whose reads and writes can be told when to give up.
trait Timed {
    /// The next read or write takes no longer.
    fn give_up_after(&self, left: Duration) -> io::Result<()>;
}

impl Timed for TcpStream {
    fn give_up_after(&self, left: Duration) -> io::Result<()> {
        self.set_read_timeout(Some(left))?;
        self.set_write_timeout(Some(left))
    }
}

impl Timed for UnixStream {
    fn give_up_after(&self, left: Duration) -> io::Result<()> {
        self.set_read_timeout(Some(left))?;
        self.set_write_timeout(Some(left))
    }
}

impl Timed for StreamOwned<ClientConnection, TcpStream> {
    fn give_up_after(&self, left: Duration) -> io::Result<()> {
        self.sock.give_up_after(left)
    }
}

/// Sends the request as HTTP/1.0, to which every server answers in one piece. The answer ends with its announced length
/// or with the connection.
fn exchange(mut stream: impl Read + Write + Timed, request: &str, deadline: Instant) -> io::Result<Vec<u8>> {
    stream.give_up_after(TIMEOUT)?;
    stream.write_all(request.as_bytes())?;
    stream.flush()?;
    let mut answer = Vec::new();
    let mut piece = [0; 16 * 1024];
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(io::ErrorKind::TimedOut.into());
        }
        stream.give_up_after(left)?;
        let read = match stream.read(&mut piece) {
            Ok(0) => return Ok(answer),
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            // A server that ends a TLS connection without saying so; the text shows whether it is whole.
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof && !answer.is_empty() => return Ok(answer),
            Err(error) => return Err(error),
        };
        answer.extend_from_slice(&piece[..read]);
        if is_whole(&answer) {
            return Ok(answer);
        }
        if answer.len() as u64 > MAX_BYTES {
            return Err(io::Error::other("it is too long"));
        }
    }
}

fn connect(addresses: &[SocketAddr], deadline: Instant) -> io::Result<TcpStream> {
    let mut last = io::Error::from(io::ErrorKind::AddrNotAvailable);
    for address in addresses {
        // Zero would be refused as a time-out.
        let left = deadline.saturating_duration_since(Instant::now()).max(Duration::from_millis(1));
        match TcpStream::connect_timeout(address, left) {
            Ok(stream) => return Ok(stream),
            Err(error) => last = error,
        }
    }
    Err(last)
}

/// Whether as much of the body is there as the head announces; never without such an announcement.
fn is_whole(answer: &[u8]) -> bool {
    let Some(head) = answer.windows(4).position(|window| window == b"\r\n\r\n") else { return false };
    let length = std::str::from_utf8(&answer[..head]).ok().and_then(|head| {
        let fields = head.lines().filter_map(|line| line.split_once(':'));
        let (_, length) = fields.into_iter().find(|(name, _)| name.eq_ignore_ascii_case("content-length"))?;
        length.trim().parse::<usize>().ok()
    });
    length.is_some_and(|length| answer.len() >= head + 4 + length)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_whole_at_its_announced_length() {
        assert!(!is_whole(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n"));
        assert!(!is_whole(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\na 1"));
        assert!(is_whole(b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\na 1\n"));
        assert!(!is_whole(b"HTTP/1.0 200 OK\r\n\r\na 1\n"), "only the end of the connection tells");
    }

    #[test]
    fn the_path_follows_what_stands_before_v1() {
        let source = Source::new("http://127.0.0.1:8000/proxy/v1", None).unwrap();
        assert_eq!((source.prefix.as_str(), source.authority.as_str()), ("/proxy", "127.0.0.1:8000"));
        assert_eq!(Source::new("http://[::1]:8000", None).unwrap().authority, "[::1]:8000");
        assert!(matches!(Source::new("unix:/run/engine.sock", None).unwrap().way, Way::Unix(_)));
        let error = Source::new("ftp://127.0.0.1", None).unwrap_err();
        assert!(error.contains("the metrics of ftp://127.0.0.1 cannot be read"), "{error}");
    }
}
