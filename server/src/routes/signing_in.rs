//! Signing in and out, and accepting an invitation, by forms.

use std::net::SocketAddr;

use axum::extract::{ConnectInfo, Form, Path, State};
use axum::http::header::SET_COOKIE;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue};
use axum::response::{AppendHeaders, IntoResponse, Redirect, Response};
use leptos::prelude::provide_context;
use podium_app::error::AppError;
use podium_app::posted::{RejectedInvitation, RejectedSignIn};
use podium_service::Session;
use serde::Deserialize;

use super::failure::Failure;
use crate::access::remote;
use crate::state::AppState;

/// What the form says.
#[derive(Debug, Deserialize)]
pub(super) struct SignInFields {
    name: String,
    password: String,
    /// The page to go on to.
    #[serde(default)]
    next: String,
}

/// Begins a session and leads on; or shows the form again.
pub(super) async fn sign_in(
    State(state): State<AppState>,
    parts: Parts,
    Form(fields): Form<SignInFields>,
) -> Result<Response, Failure> {
    let address = remote(parts.extensions.get::<ConnectInfo<SocketAddr>>(), &parts.headers);
    let error = if !state.doorman.demands_accounts() {
        AppError::Conflict { message: "this podium asks for no accounts: whoever reaches it is its owner".to_owned() }
    } else if !state.doorman.may_try(&fields.name, address) {
        too_many_tries()
    } else if let Some(session) = state.service.sign_in(&fields.name, fields.password).await? {
        state.doorman.forgive(&fields.name, address);
        return Ok(begin(&state, &session, own_page(&fields.next)));
    } else {
        AppError::Forbidden { message: "name and password do not fit".to_owned() }
    };
    let rejected = RejectedSignIn { name: fields.name, next: own_page(&fields.next).to_owned(), error };
    Ok(state.page(parts, move || provide_context(rejected.clone())).await)
}

/// Ends the session and leads to the form.
pub(super) async fn sign_out(State(state): State<AppState>, headers: HeaderMap) -> Result<Response, Failure> {
    if let Some(secret) = state.doorman.session(&headers) {
        state.service.sign_out(secret).await?;
    }
    Ok(with_cookie(state.doorman.forget_session(), Redirect::to("/login")))
}

/// What the form says.
#[derive(Debug, Deserialize)]
pub(super) struct InvitationFields {
    name: String,
    password: String,
    repeated: String,
}

/// Gives the invited person a password and begins a session; or shows the form again with what is wrong.
pub(super) async fn accept(
    State(state): State<AppState>,
    Path(secret): Path<String>,
    parts: Parts,
    Form(fields): Form<InvitationFields>,
) -> Result<Response, Failure> {
    let error = if fields.password != fields.repeated {
        super::account::not_repeated("repeated")
    } else {
        match state.service.accept_invitation(&secret, &fields.name, fields.password).await {
            Ok(session) => return Ok(begin(&state, &session, "/")),
            Err(error) => error.into(),
        }
    };
    let rejected = RejectedInvitation { name: fields.name, error };
    Ok(state.page(parts, move || provide_context(rejected.clone())).await)
}

/// The answer to somebody who tried too many passwords.
pub(super) fn too_many_tries() -> AppError {
    AppError::Unavailable { message: "there were too many tries; wait a minute, then try again".to_owned() }
}

/// Leads on with a session.
pub(super) fn begin(state: &AppState, session: &Session, next: &str) -> Response {
    with_cookie(state.doorman.keep_session(&session.secret), Redirect::to(next))
}

/// The answer with a cookie.
pub(super) fn with_cookie(cookie: Option<HeaderValue>, response: impl IntoResponse) -> Response {
    (AppendHeaders(cookie.map(|cookie| (SET_COOKIE, cookie))), response).into_response()
}

/// A page of ours to go on to: a form must not lead elsewhere.
fn own_page(next: &str) -> &str {
    let is_own = next.starts_with('/') && !next.starts_with("//") && !next.contains('\\') && next.is_ascii();
    if is_own && !next.chars().any(char::is_control) { next } else { "/" }
}

#[cfg(test)]
mod tests {
    use super::own_page;

    #[test]
    fn the_way_on_never_leads_elsewhere() {
        assert_eq!(own_page("/runs/7?a=b#c"), "/runs/7?a=b#c");
        for elsewhere in ["//evil.example", "https://evil.example", "/\\evil.example", "", "runs", "/a\r\nb", "/é"] {
            assert_eq!(own_page(elsewhere), "/", "{elsewhere}");
        }
    }
}
