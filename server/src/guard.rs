//! Refuses requests that did not come from this server's own pages.
//!
//! Two attacks reach a server on loopback through the user's own browser. A foreign page can make it send requests
//! here; its `Origin` gives it away. A foreign name can be pointed at 127.0.0.1 so that the browser takes both for
//! one site; its `Host` gives it away. Programs outside a browser send neither a foreign `Origin` nor
//! `Sec-Fetch-Site`, and are the user's own.

use std::net::{IpAddr, SocketAddr};

use axum::extract::{Request, State};
use axum::http::header::{HOST, ORIGIN};
use axum::http::{HeaderMap, HeaderName, Method, StatusCode};
use axum::middleware::Next;
use axum::response::Response;

use crate::routes::table::refusal;
use crate::settings::PublicUrl;

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// The names under which a server on loopback may be addressed.
const LOOPBACK_NAMES: [&str; 3] = ["127.0.0.1", "localhost", "[::1]"];

/// What a proxy adds to a request that it hands on.
const PROXY_HEADERS: [&str; 4] = ["forwarded", "x-forwarded-for", "x-forwarded-host", "x-real-ip"];

/// Which requests are meant for this server.
#[derive(Clone, Debug)]
pub(crate) struct Guard {
    authorities: Vec<String>,
    /// Where browsers reach Podium by a proxy: scheme and authority.
    public_origin: Option<String>,
    /// Whether any address of this machine will do as a name. A foreign name cannot be one.
    any_address: bool,
    /// Whether a request may come through a proxy. It may not where everybody on this machine counts as the owner: who
    /// is on the other side of the proxy is not on this machine.
    allows_proxies: bool,
}

impl Guard {
    /// The guard of a server that listens on `address` and is reached at `public_url`.
    pub(crate) fn new(address: SocketAddr, public_url: Option<&PublicUrl>, demands_accounts: bool) -> Self {
        let port = address.port();
        let machine = (!address.ip().is_loopback()).then(podium_launcher::host_name);
        let names = LOOPBACK_NAMES.iter().map(|name| (*name).to_owned()).chain(machine);
        let mut authorities: Vec<_> = names.map(|name| format!("{name}:{port}")).chain([address.to_string()]).collect();
        if port == 80 {
            // A browser leaves the default port out.
            authorities.extend(LOOPBACK_NAMES.map(str::to_owned));
        }
        authorities.extend(public_url.map(|url| url.authority().to_owned()));
        Self {
            authorities,
            public_origin: public_url.map(PublicUrl::origin),
            any_address: !address.ip().is_loopback(),
            allows_proxies: demands_accounts,
        }
    }

    fn allows(&self, authority: &str) -> bool {
        self.authorities.iter().any(|allowed| allowed.eq_ignore_ascii_case(authority))
            || (self.any_address && is_address(authority))
    }

    fn check(&self, method: &Method, headers: &HeaderMap) -> Result<(), String> {
        let host = headers.get(HOST).and_then(|value| value.to_str().ok()).unwrap_or_default();
        if !self.allows(host) {
            return Err(format!(
                "this server does not answer to the name \"{host}\"; open it as http://{}, or name its address with \
                 `podium serve --url`",
                self.authorities.first().map_or("127.0.0.1", String::as_str)
            ));
        }
        if !self.allows_proxies && PROXY_HEADERS.iter().any(|name| headers.contains_key(*name)) {
            return Err("this request came through a proxy, and podium was started without accounts: whoever asks \
                        would count as its owner. Start it with `podium serve --accounts`"
                .to_owned());
        }
        if method.is_safe() {
            return Ok(());
        }
        let foreign = match headers.get(ORIGIN) {
            Some(origin) => !origin.to_str().is_ok_and(|origin| self.is_own_origin(origin, host)),
            None => headers.get(SEC_FETCH_SITE).is_some_and(|site| site != "same-origin" && site != "none"),
        };
        if foreign {
            return Err("this request changes something and was sent by another site; it was refused. Do it from \
                        podium's own page"
                .to_owned());
        }
        Ok(())
    }

    fn is_own_origin(&self, origin: &str, host: &str) -> bool {
        let is_public = self.public_origin.as_deref().is_some_and(|public| public.eq_ignore_ascii_case(origin));
        is_public || origin.strip_prefix("http://").is_some_and(|authority| authority.eq_ignore_ascii_case(host))
    }
}

/// Whether a `Host` is an IP address, with or without a port.
fn is_address(authority: &str) -> bool {
    let bare = authority.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(authority);
    authority.parse::<SocketAddr>().is_ok() || bare.parse::<IpAddr>().is_ok()
}

/// The middleware: answers 403 before anything else looks at the request.
pub(crate) async fn refuse_foreign(State(guard): State<Guard>, request: Request, next: Next) -> Response {
    match guard.check(request.method(), request.headers()) {
        Ok(()) => next.run(request).await,
        Err(message) => {
            tracing::warn!(method = %request.method(), path = request.uri().path(), "refused: {message}");
            refusal(request.uri().path(), StatusCode::FORBIDDEN, message)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(HeaderName, &str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.clone(), value.parse().expect("a header value"))).collect()
    }

    fn check(method: &Method, pairs: &[(HeaderName, &str)]) -> Result<(), String> {
        Guard::new(([127, 0, 0, 2], 8080).into(), None, false).check(method, &headers(pairs))
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

    #[test]
    fn where_everybody_is_the_owner_nobody_comes_through_a_proxy() {
        let host = (HOST, "localhost:8080");
        for name in PROXY_HEADERS {
            assert!(
                check(&Method::GET, &[host.clone(), (HeaderName::from_static(name), "192.0.2.1")]).is_err(),
                "{name}"
            );
        }
        let guard = Guard::new(([127, 0, 0, 1], 8080).into(), None, true);
        let sent = headers(&[host, (HeaderName::from_static("x-forwarded-for"), "192.0.2.1")]);
        assert_eq!(guard.check(&Method::GET, &sent), Ok(()));
    }

    #[test]
    fn a_server_for_others_answers_to_its_addresses_and_its_url() {
        let url = PublicUrl::parse("https://podium.example").unwrap();
        let guard = Guard::new(([0, 0, 0, 0], 8080).into(), Some(&url), true);
        for host in ["192.0.2.1:8080", "10.0.0.1", "[2001:db8::1]:8080", "[2001:db8::1]", "podium.example"] {
            assert_eq!(guard.check(&Method::GET, &headers(&[(HOST, host)])), Ok(()), "{host}");
        }
        for host in ["evil.example:8080", "podium.example.evil.example", ""] {
            assert!(guard.check(&Method::GET, &headers(&[(HOST, host)])).is_err(), "{host}");
        }
        let post = |host: &str, origin: &str| guard.check(&Method::POST, &headers(&[(HOST, host), (ORIGIN, origin)]));
        assert_eq!(post("podium.example", "https://podium.example"), Ok(()));
        // Where the proxy puts the server's own address there.
        assert_eq!(post("127.0.0.1:8080", "https://podium.example"), Ok(()));
        assert_eq!(post("192.0.2.1:8080", "http://192.0.2.1:8080"), Ok(()));
        assert!(post("podium.example", "https://evil.example").is_err());
    }
}
