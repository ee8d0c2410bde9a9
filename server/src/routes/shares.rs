//! Making and revoking links to a report, by forms.

use axum::Extension;
use axum::extract::{Form, Path, State};
use axum::http::request::Parts;
use axum::response::{Redirect, Response};
use leptos::prelude::provide_context;
use podium_app::context::id;
use podium_app::dto::NewLink;
use podium_app::posted::FreshLink;
use podium_service::Caller;
use serde::Deserialize;

use super::failure::Failure;
use crate::state::AppState;

/// The fields of the form that makes a link.
#[derive(Debug, Deserialize)]
pub(super) struct ShareFields {
    report: String,
    /// A box that is not checked is not sent.
    include_private: Option<String>,
}

/// Makes a link and answers with the report's page, which shows it: the secret is never part of an address of ours.
pub(super) async fn create(
    State(state): State<AppState>,
    Extension(caller): Extension<Caller>,
    parts: Parts,
    Form(fields): Form<ShareFields>,
) -> Result<Response, Failure> {
    let report = id(&fields.report, "this report")?;
    let made = state.service.share_report(caller, report, fields.include_private.is_some()).await?;
    let link = FreshLink(NewLink { path: format!("/r/{}", made.token) });
    Ok(state.page(parts, move || provide_context(link.clone())).await)
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
