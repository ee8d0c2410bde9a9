//! The base URL of a server, taken apart.

use std::path::PathBuf;

use http::Uri;
use podium_domain::plan::Endpoint;

use crate::error::Error;

/// The parts of a base URL.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum BaseUrl {
    /// `http://host:port/prefix` or `https://…`.
    Http {
        /// Whether it is `https`.
        tls: bool,
        /// A name or an address without brackets.
        host: String,
        /// The port, the scheme's own where none is named.
        port: u16,
        /// What stands before the endpoint's path; no slash at its end.
        prefix: String,
    },
    /// `unix:/path/of/the/socket`.
    Unix {
        /// The socket; an absolute path.
        path: PathBuf,
    },
}

impl BaseUrl {
    pub fn parse(base_url: &str) -> Result<Self, Error> {
        if let Some(path) = base_url.strip_prefix("unix:") {
            let path = PathBuf::from(path.strip_prefix("//").unwrap_or(path));
            if !path.is_absolute() {
                return Err(bad_url(base_url, "a Unix socket is named by its whole path, like unix:/run/engine.sock"));
            }
            return Ok(BaseUrl::Unix { path });
        }
        let url: Uri = base_url.parse().map_err(|_| bad_url(base_url, "it is no URL"))?;
        let tls = match url.scheme_str() {
            Some("http") => false,
            Some("https") => true,
            _ => return Err(bad_url(base_url, "it starts with none of http://, https:// and unix:")),
        };
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
            Some("") | None => default_port(tls),
            Some(_) => url.port_u16().ok_or_else(|| bad_url(base_url, "its port is no number up to 65535"))?,
        };
        let host = url.host().unwrap_or_default().trim_start_matches('[').trim_end_matches(']').to_owned();
        if host.is_empty() {
            return Err(bad_url(base_url, "it names no host"));
        }
        let path = url.path().trim_end_matches('/');
        let version = Endpoint::Completions.path().trim_end_matches("/completions");
        let prefix = path.strip_suffix(version).unwrap_or(path).to_owned();
        Ok(BaseUrl::Http { tls, host, port, prefix })
    }
}

fn default_port(tls: bool) -> u16 {
    if tls { 443 } else { 80 }
}

/// Why `base_url` cannot be used.
pub(super) fn bad_url(base_url: &str, detail: &str) -> Error {
    Error::Job(format!("the base URL {base_url:?} cannot be used: {detail}; write it like http://127.0.0.1:8000"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base_urls_are_taken_apart() {
        let http = |tls, host: &str, port, prefix: &str| BaseUrl::Http {
            tls,
            host: host.to_owned(),
            port,
            prefix: prefix.to_owned(),
        };
        let unix = |path: &str| BaseUrl::Unix { path: PathBuf::from(path) };
        for (url, expected) in [
            ("http://127.0.0.1:8000", http(false, "127.0.0.1", 8000, "")),
            ("http://engine.example", http(false, "engine.example", 80, "")),
            ("http://127.0.0.1:8000/v1/", http(false, "127.0.0.1", 8000, "")),
            ("http://[::1]:9/proxy/a/v1", http(false, "::1", 9, "/proxy/a")),
            ("https://engine.example/v1", http(true, "engine.example", 443, "")),
            ("https://h:8443", http(true, "h", 8443, "")),
            ("unix:/run/engine.sock", unix("/run/engine.sock")),
            ("unix:///run/engine.sock", unix("/run/engine.sock")),
        ] {
            assert_eq!(BaseUrl::parse(url).unwrap(), expected, "{url}");
        }
    }

    #[test]
    fn base_urls_that_cannot_be_used_are_refused_with_the_reason() {
        for url in
            ["", "127.0.0.1:8000", "ftp://h", "http://h/?a=b", "http://", "http://h:99999", "unix:engine.sock", "unix:"]
        {
            let error = BaseUrl::parse(url).unwrap_err().to_string();
            assert!(error.contains("http://127.0.0.1:8000"), "{url}: {error}");
        }
        let error = BaseUrl::parse("http://me:sk-secret@h:1").unwrap_err().to_string();
        assert!(error.contains("environment variable") && !error.contains("sk-secret"), "{error}");
    }
}
