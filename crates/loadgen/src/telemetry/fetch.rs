//! A plain GET, on a thread that does nothing else.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::time::{Duration, Instant};

use http::Uri;

/// A scrape that takes longer has failed.
const TIMEOUT: Duration = Duration::from_secs(2);
/// More than any engine writes.
const MAX_BYTES: u64 = 8 * 1024 * 1024;

/// Where an engine's metrics are.
#[derive(Debug, Clone)]
pub(crate) struct Source {
    addresses: Vec<SocketAddr>,
    authority: String,
    path: String,
}

impl Source {
    /// The metrics of the engine at `base_url`.
    ///
    /// # Errors
    /// When they cannot be had over plain HTTP.
    pub fn new(base_url: &str, path: &str) -> Result<Self, String> {
        let refused = |why: &str| format!("the metrics of {base_url} cannot be read: {why}");
        let url: Uri = base_url.parse().map_err(|_| refused("it is no URL"))?;
        if url.scheme_str() != Some("http") {
            return Err(refused("they are read over plain http only"));
        }
        let host = url.host().ok_or_else(|| refused("it names no host"))?;
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        let port = url.port_u16().unwrap_or(80);
        let addresses: Vec<_> = (bare, port).to_socket_addrs().map_err(|error| refused(&error.to_string()))?.collect();
        let prefix = url.path().trim_end_matches('/');
        let prefix = prefix.strip_suffix("/v1").unwrap_or(prefix);
        Ok(Source { addresses, authority: format!("{host}:{port}"), path: format!("{prefix}{path}") })
    }

    /// The text of the metrics.
    ///
    /// # Errors
    /// When the engine does not answer in time, or not with a success; the text says which.
    pub fn get(&self) -> Result<String, String> {
        let answer = self.exchange().map_err(|error| format!("{} did not answer: {error}", self.path))?;
        let text = String::from_utf8(answer).map_err(|_| format!("{} answered with what is no text", self.path))?;
        let (head, body) =
            text.split_once("\r\n\r\n").ok_or_else(|| format!("{} answered with what is no HTTP", self.path))?;
        let status = head.split_whitespace().nth(1).unwrap_or("no status");
        if status != "200" {
            return Err(format!("{} answered with {status}", self.path));
        }
        Ok(body.to_owned())
    }

    /// Sends the request as HTTP/1.0, to which every server answers in one piece. The answer ends with its announced
    /// length or with the connection.
    fn exchange(&self) -> io::Result<Vec<u8>> {
        let deadline = Instant::now() + TIMEOUT;
        let mut stream = self.connect(deadline)?;
        stream.set_write_timeout(Some(TIMEOUT))?;
        let request = format!(
            "GET {} HTTP/1.0\r\nHost: {}\r\nAccept: text/plain\r\nConnection: close\r\n\r\n",
            self.path, self.authority
        );
        stream.write_all(request.as_bytes())?;
        let mut answer = Vec::new();
        let mut piece = [0; 16 * 1024];
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(io::ErrorKind::TimedOut.into());
            }
            stream.set_read_timeout(Some(left))?;
            let read = match stream.read(&mut piece) {
                Ok(0) => return Ok(answer),
                Ok(read) => read,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
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

    fn connect(&self, deadline: Instant) -> io::Result<TcpStream> {
        let mut last = io::Error::from(io::ErrorKind::AddrNotAvailable);
        for address in &self.addresses {
            // Zero would be refused as a time-out.
            let left = deadline.saturating_duration_since(Instant::now()).max(Duration::from_millis(1));
            match TcpStream::connect_timeout(address, left) {
                Ok(stream) => return Ok(stream),
                Err(error) => last = error,
            }
        }
        Err(last)
    }
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
        let source = Source::new("http://127.0.0.1:8000/proxy/v1", "/metrics").unwrap();
        assert_eq!((source.path.as_str(), source.authority.as_str()), ("/proxy/metrics", "127.0.0.1:8000"));
        let error = Source::new("https://127.0.0.1:8000", "/metrics").unwrap_err();
        assert!(error.contains("plain http"), "{error}");
    }
}
