//! Asking the dashboard for a page, over HTTP as a browser does.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::{Context as _, Result};

/// A server that takes longer to answer is broken.
const TIMEOUT: Duration = Duration::from_secs(30);

/// An answer.
#[derive(Debug)]
pub struct Page {
    /// The status code.
    pub status: u16,
    /// What follows the headers.
    pub body: String,
}

/// Gets `path` from a server on this machine.
///
/// # Errors
/// When the server cannot be reached or speaks something else than HTTP.
pub fn get(address: SocketAddr, path: &str) -> Result<Page> {
    let context = || format!("cannot get http://{address}{path}");
    let mut stream = TcpStream::connect_timeout(&address, TIMEOUT).with_context(context)?;
    stream.set_read_timeout(Some(TIMEOUT)).with_context(context)?;
    stream.set_write_timeout(Some(TIMEOUT)).with_context(context)?;
    // Version 1.0, so that the body comes in one piece and ends with the connection.
    let request = format!("GET {path} HTTP/1.0\r\nHost: {address}\r\nAccept: text/html\r\n\r\n");
    stream.write_all(request.as_bytes()).with_context(context)?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).with_context(context)?;
    parse(&String::from_utf8_lossy(&answer)).with_context(context)
}

fn parse(answer: &str) -> Result<Page> {
    let (head, body) = answer.split_once("\r\n\r\n").context("the answer has no end of headers")?;
    let status = head.split_whitespace().nth(1).and_then(|status| status.parse().ok());
    Ok(Page { status: status.context("the answer has no status")?, body: body.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn an_answer_has_a_status_and_a_body() {
        let page = parse("HTTP/1.0 404 Not Found\r\ncontent-type: text/html\r\n\r\n<p>\r\n\r\n</p>").expect("a page");
        assert_eq!((page.status, page.body.as_str()), (404, "<p>\r\n\r\n</p>"));
        assert!(parse("HTTP/1.0 200 OK\r\n").is_err());
        assert!(parse("garbage\r\n\r\n").is_err());
    }
}
