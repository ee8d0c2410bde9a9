//! What every request brings along on the server: the service and who asks.

use leptos::prelude::use_context;
use podium_service::{Caller, Service, ShareOptions};
use uuid::Uuid;

use crate::error::{AppError, FieldProblem};

/// The service, which the server's router provides.
///
/// # Errors
/// [`AppError::Unavailable`] outside a request.
pub fn service() -> Result<Service, AppError> {
    use_context::<Service>().ok_or_else(|| AppError::Unavailable {
        message: "the server is still starting; try again in a moment".to_owned(),
    })
}

/// Who asks, as the server's middleware found out.
///
/// # Errors
/// [`AppError::Forbidden`] where nobody was found: nothing is done on behalf of nobody.
pub fn caller() -> Result<Caller, AppError> {
    use_context::<http::request::Parts>()
        .and_then(|parts| parts.extensions.get::<Caller>().copied())
        .ok_or_else(|| AppError::Forbidden { message: "sign in first".to_owned() })
}

/// Reads an id of an address or a request.
///
/// # Errors
/// [`AppError::NotFound`] for text that is no id: nothing can have it.
pub fn id(text: &str, what: &str) -> Result<Uuid, AppError> {
    text.parse().map_err(|_| AppError::NotFound { what: what.to_owned() })
}

/// Who asks, if anybody is known.
#[must_use]
pub fn known_caller() -> Option<Caller> {
    caller().ok()
}

/// Whether this Podium asks people to sign in. The server provides it as context.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Accounts {
    /// Whether it does; otherwise everybody counts as the owner.
    pub demanded: bool,
}

/// Where browsers reach this Podium, as the server was told; else as this request names it.
#[must_use]
pub fn public_origin() -> Option<String> {
    let told = use_context::<PublicOrigin>().and_then(|PublicOrigin(origin)| origin);
    told.or_else(|| {
        let parts = use_context::<http::request::Parts>()?;
        let host = parts.headers.get(http::header::HOST)?.to_str().ok()?;
        Some(format!("http://{host}"))
    })
}

/// Scheme and authority under which browsers reach this Podium, where the server was told. It provides this as context.
#[derive(Clone, Debug)]
pub struct PublicOrigin(pub Option<String>);

/// The OpenAPI document of the API for programs. The server provides it as context.
#[derive(Clone, Debug)]
pub struct ApiDocument(pub std::sync::Arc<serde_json::Value>);

/// The cookie with the key of a link that has a password. Its path is the link's own.
pub const SHARE_COOKIE: &str = "podium-link";

/// The key of a link that a browser sent along.
#[must_use]
pub fn share_key(headers: &http::HeaderMap) -> Option<&str> {
    cookie(headers, SHARE_COOKIE)
}

/// The value of the first cookie of this name that a browser sent along.
#[must_use]
pub fn cookie<'a>(headers: &'a http::HeaderMap, name: &str) -> Option<&'a str> {
    let lines = headers.get_all(http::header::COOKIE).iter().filter_map(|line| line.to_str().ok());
    let mut pairs = lines.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.find(|(found, _)| *found == name).map(|(_, value)| value)
}

/// What a link is to be, from a form's fields: days until its end, where it has one, and its password.
///
/// # Errors
/// [`AppError::Invalid`] for text that is no number of days.
pub fn share_options(include_private: bool, days: &str, password: String) -> Result<ShareOptions, AppError> {
    let days = match days.trim() {
        "" => None,
        days => Some(days.parse().map_err(|_| {
            let message = format!("`{days}` is not a number of days");
            let field = FieldProblem { path: "days".to_owned(), message: message.clone() };
            AppError::Invalid { message, fields: vec![field] }
        })?),
    };
    Ok(ShareOptions { include_private, days, password: (!password.is_empty()).then_some(password) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cookie_is_found_by_its_whole_name() {
        let mut headers = http::HeaderMap::new();
        for line in ["xa=1; a=2;b=3=4", "c=5"] {
            headers.append(http::header::COOKIE, http::HeaderValue::from_static(line));
        }
        let all = ["a", "b", "c", "d"].map(|name| cookie(&headers, name));
        assert_eq!(all, [Some("2"), Some("3=4"), Some("5"), None]);
    }
}
