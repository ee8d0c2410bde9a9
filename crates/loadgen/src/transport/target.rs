//! Where requests go, and the head that each of them has.

use std::net::SocketAddr;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Uri, header};
use http_body_util::Full;
use podium_domain::plan::Endpoint;

use crate::error::Error;
use crate::job::LoadJob;

/// A server whose address is known, and the head of the requests to it.
#[derive(Debug)]
pub(crate) struct Target {
    /// What the server's name stands for; never empty.
    pub addresses: Vec<SocketAddr>,
    path: Uri,
    headers: HeaderMap,
}

impl Target {
    /// Finds the server of `job`.
    pub async fn resolve(job: &LoadJob) -> Result<Self, Error> {
        let Base { host, port, prefix } = Base::parse(&job.base_url)?;
        let authority = if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") };
        let path = format!("{prefix}{}", job.workload.path());
        let path =
            path.parse().map_err(|_| bad_url(&job.base_url, "its path holds characters that no URL may hold"))?;
        let headers = headers(&authority, job)?;
        let unknown = |source| Error::Resolve { host: host.clone(), source };
        let addresses: Vec<_> = tokio::net::lookup_host((host.as_str(), port)).await.map_err(unknown)?.collect();
        if addresses.is_empty() {
            return Err(unknown(std::io::Error::other("the name service gave no address")));
        }
        Ok(Target { addresses, path, headers })
    }

    /// The request with this body.
    pub fn request(&self, body: Bytes) -> Request<Full<Bytes>> {
        let mut request = Request::new(Full::new(body));
        *request.method_mut() = Method::POST;
        *request.uri_mut() = self.path.clone();
        *request.headers_mut() = self.headers.clone();
        request
    }
}

fn headers(authority: &str, job: &LoadJob) -> Result<HeaderMap, Error> {
    let mut headers = HeaderMap::new();
    let host = HeaderValue::from_str(authority)
        .map_err(|_| bad_url(&job.base_url, "its host holds characters that no host name may hold"))?;
    headers.insert(header::HOST, host);
    headers.insert(header::USER_AGENT, HeaderValue::from_static(concat!("podium-agent/", env!("CARGO_PKG_VERSION"))));
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    let accepted = if job.workload.stream { "text/event-stream" } else { "application/json" };
    headers.insert(header::ACCEPT, HeaderValue::from_static(accepted));
    for (name, value) in &job.headers {
        let refused = |what| {
            Error::Job(format!("the header {name:?} cannot be sent: its {what} holds characters that none may hold"))
        };
        let header = HeaderName::from_bytes(name.as_bytes()).map_err(|_| refused("name"))?;
        if [header::CONTENT_LENGTH, header::TRANSFER_ENCODING, header::CONNECTION].contains(&header) {
            return Err(Error::Job(format!("the header {name:?} cannot be set: it is the connection's own")));
        }
        headers.insert(header, HeaderValue::from_str(value).map_err(|_| refused("value"))?);
    }
    if let Some(variable) = &job.api_key_env {
        // The text of the error never holds the key, whatever is wrong with it.
        let key = std::env::var(variable).map_err(|_| {
            Error::Job(format!("the environment variable {variable} holds no API key; set it where the load starts"))
        })?;
        let mut bearer = HeaderValue::from_str(&format!("Bearer {key}"))
            .map_err(|_| Error::Job(format!("the API key in {variable} holds characters that no header may hold")))?;
        bearer.set_sensitive(true);
        headers.insert(header::AUTHORIZATION, bearer);
    }
    Ok(headers)
}

/// The parts of a base URL.
#[derive(Debug, PartialEq, Eq)]
struct Base {
    host: String,
    port: u16,
    /// What stands before the endpoint's path; no slash at its end.
    prefix: String,
}

impl Base {
    fn parse(base_url: &str) -> Result<Self, Error> {
        let url: Uri = base_url.parse().map_err(|_| bad_url(base_url, "it is no URL"))?;
        match url.scheme_str() {
            Some("http") => {}
            Some("https") => {
                return Err(bad_url(base_url, "encrypted connections are not supported; serve the engine over http"));
            }
            _ => return Err(bad_url(base_url, "it does not start with http://")),
        }
        if url.query().is_some() {
            return Err(bad_url(base_url, "it has a query, which a base URL cannot have"));
        }
        let authority = url.authority().map_or("", |authority| authority.as_str());
        if authority.contains('@') {
            return Err(Error::Job(
                "the base URL holds a user name; give an API key by the name of its environment variable".to_owned(),
            ));
        }
        let port = match authority.strip_prefix(url.host().unwrap_or_default()) {
            Some("") | None => 80,
            Some(_) => url.port_u16().ok_or_else(|| bad_url(base_url, "its port is no number up to 65535"))?,
        };
        let host = url.host().unwrap_or_default().trim_start_matches('[').trim_end_matches(']').to_owned();
        if host.is_empty() {
            return Err(bad_url(base_url, "it names no host"));
        }
        let path = url.path().trim_end_matches('/');
        let version = Endpoint::Completions.path().trim_end_matches("/completions");
        let prefix = path.strip_suffix(version).unwrap_or(path).to_owned();
        Ok(Base { host, port, prefix })
    }
}

fn bad_url(base_url: &str, detail: &str) -> Error {
    Error::Job(format!("the base URL {base_url:?} cannot be used: {detail}; write it like http://127.0.0.1:8000"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base_urls_are_taken_apart() {
        let base = |host: &str, port, prefix: &str| Base { host: host.to_owned(), port, prefix: prefix.to_owned() };
        for (url, expected) in [
            ("http://127.0.0.1:8000", base("127.0.0.1", 8000, "")),
            ("http://engine.example", base("engine.example", 80, "")),
            ("http://127.0.0.1:8000/v1/", base("127.0.0.1", 8000, "")),
            ("http://[::1]:9/proxy/a/v1", base("::1", 9, "/proxy/a")),
        ] {
            assert_eq!(Base::parse(url).unwrap(), expected, "{url}");
        }
    }

    #[test]
    fn base_urls_that_cannot_be_used_are_refused_with_the_reason() {
        for url in ["", "127.0.0.1:8000", "https://h:1", "ftp://h", "http://h/?a=b", "http://", "http://h:99999"] {
            let error = Base::parse(url).unwrap_err().to_string();
            assert!(error.contains("http://127.0.0.1:8000"), "{url}: {error}");
        }
        let error = Base::parse("http://me:sk-secret@h:1").unwrap_err().to_string();
        assert!(error.contains("environment variable") && !error.contains("sk-secret"), "{error}");
    }
}
