//! Links to reports.

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::{Extension, Json};
use podium_app::context::id;
use podium_service::{Caller, ShareOptions};

use super::models::{Link, NewLink};
use super::problem::{Body, Problem};
use crate::routes::reports::find_view;
use crate::state::AppState;

/// The links to the report of a run, newest first
#[utoipa::path(get, path = "/api/v1/runs/{id}/shares", tag = "Shares",
    params(("id" = String, Path, description = "The run")),
    responses(
        (status = 200, description = "Without their secrets", body = [Link]),
        (status = "4XX", description = "There is no report", body = Problem, content_type = "application/problem+json"),
))]
pub(super) async fn list(
    State(state): State<AppState>,
    Extension(caller): Extension<Caller>,
    Path(run): Path<String>,
) -> Result<Json<Vec<Link>>, Problem> {
    Ok(Json(find_view(&state, caller, &run).await?.shares.into_iter().map(Into::into).collect()))
}

/// Make a link to the report of a run; its secret path is in this answer alone
#[utoipa::path(post, path = "/api/v1/runs/{id}/shares", tag = "Shares",
    params(("id" = String, Path, description = "The run")), request_body = NewLink,
    responses(
        (status = 201, description = "The link", body = Link),
        (status = "4XX", description = "There is no report", body = Problem, content_type = "application/problem+json"),
))]
pub(super) async fn create(
    State(state): State<AppState>,
    Extension(caller): Extension<Caller>,
    Path(run): Path<String>,
    Body(new): Body<NewLink>,
) -> Result<(StatusCode, Json<Link>), Problem> {
    let report = find_view(&state, caller, &run).await?;
    let options = ShareOptions { include_private: new.include_private, days: new.days, password: new.password };
    let made = state.service.share_report(caller, report.id, options).await?;
    let mut link = Link::from(made.share);
    link.path = Some(format!("/r/{}", made.token));
    Ok((StatusCode::CREATED, Json(link)))
}

/// Revoke a link: it shows nothing from now on
#[utoipa::path(delete, path = "/api/v1/shares/{id}", tag = "Shares",
    params(("id" = String, Path, description = "The link")),
    responses(
        (status = 204, description = "It is revoked"),
        (status = "4XX", description = "There is none", body = Problem, content_type = "application/problem+json"),
))]
pub(super) async fn revoke(
    State(state): State<AppState>,
    Extension(caller): Extension<Caller>,
    Path(share): Path<String>,
) -> Result<StatusCode, Problem> {
    state.service.revoke_share(caller, id(&share, "this link")?).await?;
    Ok(StatusCode::NO_CONTENT)
}
