//! Making and revoking links to a report, by forms.

use std::net::SocketAddr;

use axum::Extension;
use axum::extract::{ConnectInfo, Form, Path, State};
use axum::http::request::Parts;
use axum::response::{Redirect, Response};
use leptos::prelude::provide_context;
use podium_app::context::{SHARE_COOKIE, id, share_options};
use podium_app::dto::NewLink;
use podium_app::error::AppError;
use podium_app::posted::{FreshLink, RejectedUnlock};
use podium_service::Caller;
use serde::Deserialize;

use super::failure::Failure;
use super::signing_in::{too_many_tries, with_cookie};
use crate::access::remote;
use crate::state::AppState;

/// How long a browser keeps the key of a link with a password.
const SHARE_COOKIE_SECONDS: i64 = 24 * 60 * 60;

/// The fields of the form that makes a link.
#[derive(Debug, Deserialize)]
pub(super) struct ShareFields {
    report: String,
    /// A box that is not checked is not sent.
    include_private: Option<String>,
    /// Empty is never.
    #[serde(default)]
    days: String,
    /// Empty is none.
    #[serde(default)]
    password: String,
}

/// Makes a link and answers with the report's page, which shows it: the secret is never part of an address of ours.
pub(super) async fn create(
    State(state): State<AppState>,
    Extension(caller): Extension<Caller>,
    parts: Parts,
    Form(fields): Form<ShareFields>,
) -> Result<Response, Failure> {
    let report = id(&fields.report, "this report")?;
    let options = share_options(fields.include_private.is_some(), &fields.days, fields.password)?;
    let made = state.service.share_report(caller, report, options).await?;
    let link = FreshLink(NewLink { path: format!("/r/{}", made.token) });
    Ok(state.page(parts, move || provide_context(link.clone())).await)
}

/// What the form of a locked link says.
#[derive(Debug, Deserialize)]
pub(super) struct UnlockFields {
    password: String,
}

/// Leads to the report of a link whose password is right; or shows the form again.
pub(super) async fn unlock(
    State(state): State<AppState>,
    Path(token): Path<String>,
    mut parts: Parts,
    Form(fields): Form<UnlockFields>,
) -> Result<Response, Failure> {
    let address = remote(parts.extensions.get::<ConnectInfo<SocketAddr>>(), &parts.headers);
    let error = if !state.doorman.may_try(&token, address) {
        too_many_tries()
    } else if let Some(key) = state.service.unlock_share(&token, fields.password).await? {
        state.doorman.forgive(&token, address);
        let path = format!("/r/{token}");
        let cookie = state.doorman.cookie(SHARE_COOKIE, &key, &path, SHARE_COOKIE_SECONDS);
        return Ok(with_cookie(cookie, Redirect::to(&path)));
    } else {
        AppError::Forbidden { message: "this is not the password of this link".to_owned() }
    };
    // The form's own address is no page.
    parts.uri = format!("/r/{token}").parse().map_err(|_| AppError::NotFound { what: "this link".to_owned() })?;
    Ok(state.page(parts, move || provide_context(RejectedUnlock { error: error.clone() })).await)
}

/// The fields of the form that revokes a link.
#[derive(Debug, Deserialize)]
pub(super) struct RevokeFields {
    /// The run whose report leads here.
    run: String,
}

/// Revokes a link and leads back to the report.
pub(super) async fn revoke(
    State(state): State<AppState>,
    Extension(caller): Extension<Caller>,
    Path(share): Path<String>,
    Form(fields): Form<RevokeFields>,
) -> Result<Redirect, Failure> {
    // An id, so that the form cannot be made to lead elsewhere.
    let run = id(&fields.run, "this run")?;
    state.service.revoke_share(caller, id(&share, "this link")?).await?;
    Ok(Redirect::to(&format!("/runs/{run}/report#share")))
}
