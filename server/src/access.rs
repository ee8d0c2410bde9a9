//! Who asks: finds the caller of every request, where accounts are demanded, and keeps guessers of passwords slow.

mod throttle;

use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use axum::extract::{ConnectInfo, Request, State};
use axum::http::header::AUTHORIZATION;
use axum::http::{HeaderMap, HeaderValue};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use podium_app::context::cookie;
use podium_service::{Caller, Result, SESSION, Service};

use self::throttle::Throttle;
use crate::routes::Failure;
use crate::settings::PublicUrl;
use crate::state::AppState;

/// The cookie with a session's secret. Over https its name forbids that another site or path sets it.
const SESSION_COOKIE: (&str, &str) = ("podium-session", "__Host-podium-session");

/// Knows who is let in. Clones are the same one.
#[derive(Clone, Debug)]
pub(crate) struct Doorman {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    demands_accounts: bool,
    public_url: Option<PublicUrl>,
    throttle: Mutex<Throttle>,
}

impl Doorman {
    /// One that asks for accounts, or takes everybody for the owner. Where browsers reach Podium by TLS, its cookies are
    /// secure.
    pub(crate) fn new(demands_accounts: bool, public_url: Option<PublicUrl>) -> Self {
        let throttle = Mutex::new(Throttle::new(Instant::now()));
        Self { inner: Arc::new(Inner { demands_accounts, public_url, throttle }) }
    }

    /// Whether a person has to sign in.
    pub(crate) fn demands_accounts(&self) -> bool {
        self.inner.demands_accounts
    }

    /// Scheme and authority under which browsers reach Podium, where that is known.
    pub(crate) fn public_origin(&self) -> Option<String> {
        self.inner.public_url.as_ref().map(PublicUrl::origin)
    }

    fn is_https(&self) -> bool {
        self.inner.public_url.as_ref().is_some_and(PublicUrl::is_https)
    }

    /// Who sent these headers; `None` for somebody unknown. A program's token goes before a browser's session.
    async fn caller(&self, service: &Service, headers: &HeaderMap) -> Result<Option<Caller>> {
        if !self.demands_accounts() {
            return Ok(Some(Caller::owner()));
        }
        if let Some(authorization) = headers.get(AUTHORIZATION) {
            return match authorization.to_str().ok().and_then(bearer) {
                Some(token) => service.caller_of_token(token).await,
                None => Ok(None),
            };
        }
        match self.session(headers) {
            Some(secret) => service.caller_of_session(secret).await,
            None => Ok(None),
        }
    }

    /// The session's secret that a browser sent along.
    pub(crate) fn session<'a>(&self, headers: &'a HeaderMap) -> Option<&'a str> {
        cookie(headers, self.session_name())
    }

    /// The header that makes a browser keep a session.
    pub(crate) fn keep_session(&self, secret: &str) -> Option<HeaderValue> {
        self.cookie(self.session_name(), secret, "/", SESSION.whole_seconds())
    }

    /// The header that makes a browser forget its session.
    pub(crate) fn forget_session(&self) -> Option<HeaderValue> {
        self.cookie(self.session_name(), "", "/", 0)
    }

    /// The header of a cookie that scripts cannot read and other sites' forms do not send. `None` for a value that no
    /// header can hold.
    pub(crate) fn cookie(&self, name: &str, value: &str, path: &str, seconds: i64) -> Option<HeaderValue> {
        let secure = if self.is_https() { "; Secure" } else { "" };
        let text = format!("{name}={value}; Path={path}; Max-Age={seconds}; HttpOnly; SameSite=Lax{secure}");
        HeaderValue::from_str(&text).ok()
    }

    fn session_name(&self) -> &'static str {
        if self.is_https() { SESSION_COOKIE.1 } else { SESSION_COOKIE.0 }
    }

    /// Whether a password for `what` may be tried from `address` now. A try that is allowed is counted.
    pub(crate) fn may_try(&self, what: &str, address: Option<IpAddr>) -> bool {
        self.throttle(|throttle| throttle.take(what, address, Instant::now()))
    }

    /// Takes a try back: the password was right.
    pub(crate) fn forgive(&self, what: &str, address: Option<IpAddr>) {
        self.throttle(|throttle| throttle.give_back(what, address));
    }

    fn throttle<T>(&self, work: impl FnOnce(&mut Throttle) -> T) -> T {
        // Counters are right after every step, so that a panic elsewhere leaves nothing half done.
        work(&mut self.inner.throttle.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

fn bearer(authorization: &str) -> Option<&str> {
    let (scheme, token) = authorization.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

/// The address of whoever sent a request: the connection's, or what a proxy on this machine says of it.
pub(crate) fn remote(peer: Option<&ConnectInfo<SocketAddr>>, headers: &HeaderMap) -> Option<IpAddr> {
    let peer = peer?.0.ip();
    let forwarded = headers.get_all("x-forwarded-for").iter().next_back();
    let nearest = forwarded.and_then(|value| value.to_str().ok()?.rsplit(',').next()?.trim().parse().ok());
    Some(nearest.filter(|_| peer.is_loopback()).unwrap_or(peer))
}

/// Beside a [`Caller`] that was found by a token.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ByToken;

/// The middleware: leaves the [`Caller`] for what comes behind it, if there is one.
pub(crate) async fn identify(State(state): State<AppState>, mut request: Request, next: Next) -> Response {
    match state.doorman.caller(&state.service, request.headers()).await {
        Ok(Some(caller)) => {
            request.extensions_mut().insert(caller);
            if state.doorman.demands_accounts() && request.headers().contains_key(AUTHORIZATION) {
                request.extensions_mut().insert(ByToken);
            }
        }
        Ok(None) => {}
        Err(error) => return Failure::from(error).into_response(),
    }
    next.run(request).await
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect()
    }

    #[test]
    fn only_a_proxy_on_this_machine_is_believed() {
        let forwarded = headers(&[("x-forwarded-for", "203.0.113.9, 198.51.100.7")]);
        let from = |peer: &str| remote(Some(&ConnectInfo(peer.parse().unwrap())), &forwarded).unwrap().to_string();
        assert_eq!(from("127.0.0.1:9"), "198.51.100.7");
        assert_eq!(from("192.0.2.4:9"), "192.0.2.4");
        assert_eq!(remote(None, &forwarded), None);
    }

    #[test]
    fn a_cookie_is_secure_where_podium_is_told_of_https() {
        let plain = Doorman::new(true, None);
        let text = |value: Option<HeaderValue>| value.unwrap().to_str().unwrap().to_owned();
        assert_eq!(
            text(plain.keep_session("abc")),
            "podium-session=abc; Path=/; Max-Age=1209600; HttpOnly; SameSite=Lax"
        );
        let secure = Doorman::new(true, Some(PublicUrl::parse("https://podium.example").unwrap()));
        let kept = text(secure.keep_session("abc"));
        assert!(kept.starts_with("__Host-podium-session=abc;") && kept.ends_with("; Secure"), "{kept}");
        assert!(text(secure.forget_session()).contains("Max-Age=0"));
        assert_eq!(plain.cookie("name", "a\nb", "/", 1), None);
        let sent = headers(&[("cookie", "a=b; podium-session=abc")]);
        assert_eq!((plain.session(&sent), secure.session(&sent)), (Some("abc"), None));
    }

    #[test]
    fn only_a_bearer_is_a_token() {
        assert_eq!(bearer("Bearer abc"), Some("abc"));
        assert_eq!(bearer("bearer  abc"), Some("abc"));
        assert_eq!((bearer("Basic abc"), bearer("abc")), (None, None));
    }
}
