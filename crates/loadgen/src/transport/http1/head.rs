//! The heads of requests and answers.

use bytes::Bytes;
use http::header::{CONNECTION, CONTENT_LENGTH, TRANSFER_ENCODING};
use http::{HeaderMap, HeaderName, HeaderValue, Request, Response, StatusCode};

use super::Http1Error;
use super::body::BodyDecoder;

/// How many headers an answer may have.
const MAX_HEADERS: usize = 128;

/// The head of an answer, and what it says of the rest.
pub(super) struct Head {
    pub response: Response<()>,
    pub body: BodyDecoder,
    /// Whether the server keeps the connection after the body.
    pub keeps: bool,
}

/// The head of `request`.
pub(super) fn write(request: &Request<Bytes>) -> Vec<u8> {
    let target = request.uri().path_and_query().map_or("/", |target| target.as_str());
    let mut head = format!("{} {target} HTTP/1.1\r\n", request.method()).into_bytes();
    for (name, value) in request.headers() {
        head.extend_from_slice(name.as_str().as_bytes());
        head.extend_from_slice(b": ");
        head.extend_from_slice(value.as_bytes());
        head.extend_from_slice(b"\r\n");
    }
    head.extend_from_slice(format!("content-length: {}\r\n\r\n", request.body().len()).as_bytes());
    head
}

impl Head {
    /// The head that `bytes` begin with, and its length; `None` when they do not hold all of it.
    pub fn parse(bytes: &[u8]) -> Result<Option<(Self, usize)>, Http1Error> {
        let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
        let mut parsed = httparse::Response::new(&mut headers);
        let length = match parsed.parse(bytes) {
            Ok(httparse::Status::Complete(length)) => length,
            Ok(httparse::Status::Partial) => return Ok(None),
            Err(error) => return Err(Http1Error::Malformed(explain(error))),
        };
        let status = parsed
            .code
            .and_then(|code| StatusCode::from_u16(code).ok())
            .ok_or(Http1Error::Malformed("a status that does not exist"))?;
        let is_http_1_1 = parsed.version == Some(1);
        let mut response = Response::new(());
        *response.status_mut() = status;
        let map = response.headers_mut();
        for header in parsed.headers.iter() {
            let name = HeaderName::from_bytes(header.name.as_bytes());
            let value = HeaderValue::from_bytes(header.value);
            let (Ok(name), Ok(value)) = (name, value) else { return Err(Http1Error::Malformed("a bad header")) };
            map.append(name, value);
        }
        let body = body(status, map)?;
        let keeps = match has_token(map, &CONNECTION, "close") {
            true => false,
            false => (is_http_1_1 || has_token(map, &CONNECTION, "keep-alive")) && !body.ends_with_connection(),
        };
        Ok(Some((Head { response, body, keeps }, length)))
    }
}

/// How long the body is, as RFC 9112 section 6.3 has it.
fn body(status: StatusCode, headers: &HeaderMap) -> Result<BodyDecoder, Http1Error> {
    if status == StatusCode::SWITCHING_PROTOCOLS {
        return Err(Http1Error::Malformed("a change of protocol that was not asked for"));
    }
    if status.is_informational() || status == StatusCode::NO_CONTENT || status == StatusCode::NOT_MODIFIED {
        return Ok(BodyDecoder::none());
    }
    if headers.contains_key(TRANSFER_ENCODING) {
        let codings = tokens(headers, &TRANSFER_ENCODING).collect::<Vec<_>>();
        return match codings.as_slice() {
            [coding] if coding.eq_ignore_ascii_case("chunked") => Ok(BodyDecoder::chunked()),
            _ => Err(Http1Error::Malformed("a transfer encoding that was not asked for")),
        };
    }
    let mut length = None;
    for value in tokens(headers, &CONTENT_LENGTH) {
        let is_number = !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit());
        let value = is_number.then(|| value.parse::<u64>().ok()).flatten();
        let value = value.ok_or(Http1Error::Malformed("a content length that is no number"))?;
        if length.is_some_and(|length| length != value) {
            return Err(Http1Error::Malformed("two content lengths"));
        }
        length = Some(value);
    }
    Ok(length.map_or_else(BodyDecoder::until_end_of_connection, BodyDecoder::of_length))
}

/// The parts of a header that is a list.
fn tokens<'a>(headers: &'a HeaderMap, name: &HeaderName) -> impl Iterator<Item = &'a str> {
    // What is no text is no token that means anything.
    headers.get_all(name).into_iter().flat_map(|value| value.to_str().unwrap_or("?").split(',').map(str::trim))
}

fn has_token(headers: &HeaderMap, name: &HeaderName, token: &str) -> bool {
    tokens(headers, name).any(|found| found.eq_ignore_ascii_case(token))
}

fn explain(error: httparse::Error) -> &'static str {
    match error {
        httparse::Error::HeaderName | httparse::Error::HeaderValue => "a bad header",
        httparse::Error::NewLine => "a bad line end",
        httparse::Error::Status => "a bad status line",
        httparse::Error::TooManyHeaders => "more than 128 headers",
        httparse::Error::Version => "a bad version",
        httparse::Error::Token => "a bad first line",
    }
}

#[cfg(test)]
mod tests {
    use http::Method;

    use super::*;

    fn parse(text: &str) -> Result<Head, Http1Error> {
        let (head, length) = Head::parse(text.as_bytes())?.expect("the head is whole");
        assert_eq!(length, text.len());
        Ok(head)
    }

    #[test]
    fn a_request_is_written_with_its_length() {
        let mut request = Request::new(Bytes::from_static(b"{}"));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = "/v1/completions?x=1".parse().expect("a path");
        request.headers_mut().insert("host", HeaderValue::from_static("h:1"));
        let head = write(&request);
        assert_eq!(head, b"POST /v1/completions?x=1 HTTP/1.1\r\nhost: h:1\r\ncontent-length: 2\r\n\r\n");
    }

    #[test]
    fn a_head_that_has_not_come_is_waited_for() {
        let whole = "HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\n";
        for end in 0..whole.len() {
            assert!(Head::parse(&whole.as_bytes()[..end]).expect("nothing wrong so far").is_none(), "{end}");
        }
        assert_eq!(parse(whole).expect("a head").response.headers()["content-length"], "3");
    }

    #[test]
    fn a_connection_is_kept_when_both_sides_can_tell_where_the_body_ends() {
        let keeps = |text: &str| parse(text).expect("a head").keeps;
        assert!(keeps("HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\n"));
        assert!(keeps("HTTP/1.1 200 OK\r\nTransfer-Encoding: Chunked\r\n\r\n"));
        assert!(keeps("HTTP/1.0 200 OK\r\ncontent-length: 3\r\nconnection: Keep-Alive\r\n\r\n"));
        assert!(keeps("HTTP/1.1 204 No Content\r\n\r\n"));
        assert!(!keeps("HTTP/1.0 200 OK\r\ncontent-length: 3\r\n\r\n"));
        assert!(!keeps("HTTP/1.1 200 OK\r\ncontent-length: 3\r\nConnection: x, Close\r\n\r\n"));
        assert!(!keeps("HTTP/1.1 200 OK\r\n\r\n"));
    }

    #[test]
    fn what_could_hide_an_answer_inside_another_is_refused() {
        for headers in [
            "content-length: 3\r\ncontent-length: 4",
            "content-length: 3, 4",
            "content-length: +3",
            "content-length: ",
            "content-length: 99999999999999999999",
            "transfer-encoding: gzip, chunked",
            "transfer-encoding: chunked, chunked",
            "transfer-encoding: identity",
        ] {
            let head = parse(&format!("HTTP/1.1 200 OK\r\n{headers}\r\n\r\n"));
            assert!(matches!(head, Err(Http1Error::Malformed(_))), "{headers}");
        }
        assert!(parse("HTTP/1.1 200 OK\r\ncontent-length: 3, 3\r\n\r\n").is_ok());
        assert!(parse("HTTP/1.1 101 Switching Protocols\r\n\r\n").is_err());
        assert!(Head::parse(b"SSH-2.0-OpenSSH_9.2\r\n").is_err());
    }
}
