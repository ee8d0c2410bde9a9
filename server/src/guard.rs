//! Refuses requests that did not come from this server's own pages.
//!
//! Two attacks reach a server on loopback through the user's own browser. A foreign page can make it send requests
//! here; its `Origin` gives it away. A foreign name can be pointed at 127.0.0.1 so that the browser takes both for
//! one site; its `Host` gives it away. Programs outside a browser send neither a foreign `Origin` nor
//! `Sec-Fetch-Site`, and are the user's own.

use std::net::SocketAddr;

use axum::extract::{Request, State};
use axum::http::header::{HOST, ORIGIN};
use axum::http::{HeaderMap, HeaderName, Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use podium_app::error::AppError;

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// The names under which a server on loopback may be addressed.
const LOOPBACK_NAMES: [&str; 3] = ["127.0.0.1", "localhost", "[::1]"];

/// Which `Host` values are this server.
#[derive(Clone, Debug)]
pub(crate) struct AllowedHosts {
    authorities: Vec<String>,
}

impl AllowedHosts {
    /// The loopback names with the server's own port, and the address it is bound to.
    pub(crate) fn loopback(address: SocketAddr) -> Self {
        let port = address.port();
        let with_port = LOOPBACK_NAMES.iter().map(|name| format!("{name}:{port}")).chain([address.to_string()]);
        // A browser leaves the default port out.
        let bare = LOOPBACK_NAMES.iter().filter(|_| port == 80).map(|name| (*name).to_owned());
        Self { authorities: with_port.chain(bare).collect() }
    }

    fn allows(&self, authority: &str) -> bool {
        self.authorities.iter().any(|allowed| allowed.eq_ignore_ascii_case(authority))
    }

    fn check(&self, method: &Method, headers: &HeaderMap) -> Result<(), String> {
        let host = headers.get(HOST).and_then(|value| value.to_str().ok()).unwrap_or_default();
        if !self.allows(host) {
            return Err(format!(
                "this server does not answer to the name \"{host}\"; open it as http://{}",
                self.authorities.first().map_or("127.0.0.1", String::as_str)
            ));
        }
        if method.is_safe() {
            return Ok(());
        }
        let foreign = match headers.get(ORIGIN) {
            Some(origin) => {
                let own = origin.to_str().ok().and_then(|origin| origin.strip_prefix("http://"));
                !own.is_some_and(|authority| authority.eq_ignore_ascii_case(host))
            }
            None => headers.get(SEC_FETCH_SITE).is_some_and(|site| site != "same-origin" && site != "none"),
        };
        if foreign {
            return Err("this request changes something and was sent by another site; it was refused. Do it from \
                        podium's own page"
                .to_owned());
        }
        Ok(())
    }
}

/// The middleware: answers 403 before anything else looks at the request.
pub(crate) async fn refuse_foreign(State(allowed): State<AllowedHosts>, request: Request, next: Next) -> Response {
    match allowed.check(request.method(), request.headers()) {
        Ok(()) => next.run(request).await,
        Err(message) => {
            tracing::warn!(method = %request.method(), path = request.uri().path(), "refused: {message}");
            refusal(request.uri().path(), message)
        }
    }
}

/// Server functions decode every failure as [`AppError`], so they get one; everything else gets the sentence.
fn refusal(path: &str, message: String) -> Response {
    if path.starts_with("/api/") {
        (StatusCode::FORBIDDEN, axum::Json(AppError::Forbidden { message })).into_response()
    } else {
        (StatusCode::FORBIDDEN, format!("{message}\n")).into_response()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(HeaderName, &str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.clone(), value.parse().expect("a header value"))).collect()
    }

    fn check(method: &Method, pairs: &[(HeaderName, &str)]) -> Result<(), String> {
        AllowedHosts::loopback(([127, 0, 0, 2], 8080).into()).check(method, &headers(pairs))
    }

    #[test]
    fn a_rebound_name_is_refused_even_for_reading() {
        for host in ["evil.example:8080", "127.0.0.1", "127.0.0.1:9090", ""] {
            assert!(check(&Method::GET, &[(HOST, host)]).is_err(), "{host:?}");
        }
        assert!(check(&Method::GET, &[]).is_err());
    }

    #[test]
    fn every_loopback_name_reads() {
        for host in ["127.0.0.1:8080", "LOCALHOST:8080", "[::1]:8080", "127.0.0.2:8080"] {
            assert_eq!(check(&Method::GET, &[(HOST, host)]), Ok(()));
        }
    }

    #[test]
    fn only_the_own_origin_changes_something() {
        let host = (HOST, "localhost:8080");
        assert_eq!(check(&Method::POST, &[host.clone(), (ORIGIN, "http://localhost:8080")]), Ok(()));
        // Another loopback name or port is another site to the browser, and one this server never makes forms for.
        for origin in ["null", "https://localhost:8080", "http://localhost:3000", "http://127.0.0.1:8080"] {
            assert!(check(&Method::POST, &[host.clone(), (ORIGIN, origin)]).is_err(), "{origin}");
        }
    }

    #[test]
    fn without_an_origin_a_browser_is_told_by_its_fetch_metadata() {
        let host = (HOST, "localhost:8080");
        assert_eq!(check(&Method::POST, std::slice::from_ref(&host)), Ok(()));
        assert!(check(&Method::POST, &[host.clone(), (SEC_FETCH_SITE, "cross-site")]).is_err());
        assert_eq!(check(&Method::POST, &[host, (SEC_FETCH_SITE, "same-origin")]), Ok(()));
    }
}
