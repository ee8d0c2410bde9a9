//! What every request brings along on the server: the service and who asks.

use leptos::prelude::use_context;
use podium_service::{Caller, Service};
use uuid::Uuid;

use crate::error::AppError;

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
    use_context::<http::request::Parts>().and_then(|parts| parts.extensions.get::<Caller>().copied()).ok_or_else(|| {
        AppError::Forbidden { message: "this needs an account; open podium on the machine that it runs on".to_owned() }
    })
}

/// Reads an id of an address or a request.
///
/// # Errors
/// [`AppError::NotFound`] for text that is no id: nothing can have it.
pub fn id(text: &str, what: &str) -> Result<Uuid, AppError> {
    text.parse().map_err(|_| AppError::NotFound { what: what.to_owned() })
}
