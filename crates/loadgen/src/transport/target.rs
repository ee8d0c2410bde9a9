//! Where requests go, and the head that each of them has.

use std::net::SocketAddr;
use std::path::PathBuf;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, Uri, Version, header};

use super::base_url::{BaseUrl, bad_url};
use super::tls::Tls;
use crate::error::Error;
use crate::job::LoadJob;

/// A server whose address is known, and the head of the requests to it.
#[derive(Debug)]
pub(crate) struct Target {
    /// Where its socket is.
    pub address: Address,
    /// How connections are encrypted; `None` for plain ones.
    pub tls: Option<Tls>,
    /// Whether HTTP/2 is spoken, by prior knowledge or, with TLS, by ALPN.
    pub http2: bool,
    uri: Uri,
    headers: HeaderMap,
}

/// Where a server's socket is.
#[derive(Debug)]
pub(crate) enum Address {
    /// What the server's name stands for; never empty.
    Tcp(Vec<SocketAddr>),
    /// A socket on this machine.
    Unix(PathBuf),
}

impl Target {
    /// Finds the server of `job`.
    pub async fn resolve(job: &LoadJob) -> Result<Self, Error> {
        let base = BaseUrl::parse(&job.base_url)?;
        let (authority, scheme, prefix) = match &base {
            BaseUrl::Http { tls, host, port, prefix } => {
                let host = if host.contains(':') { format!("[{host}]") } else { host.clone() };
                (format!("{host}:{port}"), if *tls { "https" } else { "http" }, prefix.as_str())
            }
            // As curl does: a Unix socket has no name to ask for.
            BaseUrl::Unix { .. } => ("localhost".to_owned(), "http", ""),
        };
        let path = format!("{prefix}{}", job.workload.path());
        // HTTP/2 has the server's name in the request's target, HTTP/1.1 in a header.
        let uri = if job.http2 { format!("{scheme}://{authority}{path}") } else { path };
        let uri = uri.parse().map_err(|_| bad_url(&job.base_url, "its path holds characters that no URL may hold"))?;
        let mut headers = headers(&authority, job)?;
        if job.http2 {
            headers.remove(header::HOST);
        }
        let (address, tls) = match base {
            BaseUrl::Http { tls, host, port, .. } => {
                let tls = tls.then(|| Tls::new(&host, job.ca_file.as_deref(), job.http2)).transpose()?;
                (Address::Tcp(look_up(&host, port).await?), tls)
            }
            BaseUrl::Unix { path } => (Address::Unix(path), None),
        };
        Ok(Target { address, tls, http2: job.http2, uri, headers })
    }

    /// The request with this body.
    pub fn request(&self, body: Bytes) -> Request<Bytes> {
        let mut request = Request::new(body);
        *request.method_mut() = Method::POST;
        *request.uri_mut() = self.uri.clone();
        *request.headers_mut() = self.headers.clone();
        if self.http2 {
            *request.version_mut() = Version::HTTP_2;
        }
        request
    }
}

async fn look_up(host: &str, port: u16) -> Result<Vec<SocketAddr>, Error> {
    let unknown = |source| Error::Resolve { host: host.to_owned(), source };
    let addresses: Vec<_> = tokio::net::lookup_host((host, port)).await.map_err(unknown)?.collect();
    if addresses.is_empty() {
        return Err(unknown(std::io::Error::other("the name service gave no address")));
    }
    Ok(addresses)
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
