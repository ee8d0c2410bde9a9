//! A person's own password and tokens, by forms.

use axum::Extension;
use axum::extract::{Form, Path, State};
use axum::http::Uri;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Redirect, Response};
use leptos::prelude::provide_context;
use podium_app::context::id;
use podium_app::error::{AppError, FieldProblem};
use podium_app::posted::{FreshToken, RejectedAccount};
use podium_service::Caller;
use serde::Deserialize;

use super::failure::Failure;
use super::signing_in::{begin, too_many_tries};
use crate::state::AppState;

/// The page of the account.
const PAGE: &str = "/account";

/// What the form says.
#[derive(Debug, Deserialize)]
pub(super) struct PasswordFields {
    old_password: String,
    new_password: String,
    repeated: String,
}

/// Changes the password, which ends every other session.
pub(super) async fn password(
    State(state): State<AppState>,
    Extension(caller): Extension<Caller>,
    parts: Parts,
    Form(fields): Form<PasswordFields>,
) -> Response {
    // Whoever found an open session must not guess its password.
    let counted = caller.person.to_string();
    let error = if fields.new_password != fields.repeated {
        not_repeated("repeated")
    } else if !state.doorman.may_try(&counted, None) {
        too_many_tries()
    } else {
        match state.service.change_password(caller, fields.old_password, fields.new_password).await {
            Ok(session) => {
                state.doorman.forgive(&counted, None);
                return begin(&state, &session, PAGE);
            }
            Err(error) => error.into(),
        }
    };
    page(&state, parts, move || provide_context(RejectedAccount { error: error.clone() })).await
}

/// What the form says.
#[derive(Debug, Deserialize)]
pub(super) struct TokenFields {
    token_name: String,
    role: String,
    days: String,
}

/// Makes a token and answers with the page that shows it, this once.
pub(super) async fn create_token(
    State(state): State<AppState>,
    Extension(caller): Extension<Caller>,
    parts: Parts,
    Form(fields): Form<TokenFields>,
) -> Response {
    let made = async {
        let role = fields.role.parse().map_err(|message| invalid("role", message))?;
        let days = fields.days.trim().parse().map_err(|_| invalid("days", "a number of days".to_owned()))?;
        Ok::<_, AppError>(state.service.create_api_token(caller, &fields.token_name, role, days).await?)
    };
    match made.await {
        Ok(made) => {
            let fresh = FreshToken { name: made.token.name, secret: made.secret };
            page(&state, parts, move || provide_context(fresh.clone())).await
        }
        Err(error) => page(&state, parts, move || provide_context(RejectedAccount { error: error.clone() })).await,
    }
}

/// Revokes a token and leads back.
pub(super) async fn revoke_token(
    State(state): State<AppState>,
    Extension(caller): Extension<Caller>,
    Path(token): Path<String>,
) -> Result<Response, Failure> {
    state.service.revoke_api_token(caller, id(&token, "this token")?).await?;
    Ok(Redirect::to(PAGE).into_response())
}

/// What is wrong with a password that was not written the same twice.
pub(super) fn not_repeated(field: &str) -> AppError {
    invalid(field, "the two passwords differ; write the new one twice".to_owned())
}

fn invalid(field: &str, message: String) -> AppError {
    AppError::Invalid { message: message.clone(), fields: vec![FieldProblem { path: field.to_owned(), message }] }
}

async fn page(state: &AppState, mut parts: Parts, more: impl Fn() + Clone + Send + Sync + 'static) -> Response {
    // The form's own address is no page.
    parts.uri = Uri::from_static(PAGE);
    state.page(parts, more).await
}
