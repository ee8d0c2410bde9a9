//! Hosts.

use axum::extract::{Path, State};
use axum::{Extension, Json};
use podium_app::context::id;
use podium_app::error::AppError;
use podium_service::{Caller, HostView};

use super::models::HostLine;
use super::problem::Problem;
use crate::state::AppState;

/// Every host, with what was last found on it
#[utoipa::path(get, path = "/api/v1/hosts", tag = "Hosts", responses(
    (status = 200, description = "All hosts", body = [HostLine]),
    (status = "4XX", description = "Not allowed", body = Problem, content_type = "application/problem+json"),
))]
pub(super) async fn list(
    State(state): State<AppState>,
    Extension(caller): Extension<Caller>,
) -> Result<Json<Vec<HostLine>>, Problem> {
    let hosts = state.service.hosts(caller).await?;
    Ok(Json(hosts.into_iter().map(line).collect::<Result<_, _>>()?))
}

/// Look at a host again; one that is out of reach is an answer, too
#[utoipa::path(post, path = "/api/v1/hosts/{id}/check", tag = "Hosts",
    params(("id" = String, Path, description = "The host")),
    responses(
        (status = 200, description = "What was found", body = HostLine),
        (status = "4XX", description = "There is none", body = Problem, content_type = "application/problem+json"),
))]
pub(super) async fn check(
    State(state): State<AppState>,
    Extension(caller): Extension<Caller>,
    Path(host): Path<String>,
) -> Result<Json<HostLine>, Problem> {
    Ok(Json(line(state.service.check_host(caller, id(&host, "this host")?).await?)?))
}

fn line(host: HostView) -> Result<HostLine, AppError> {
    HostLine::try_from(host).map_err(|error| {
        let reference = uuid::Uuid::new_v4().to_string();
        tracing::error!(%reference, %error, "the facts of a host have no JSON form");
        AppError::Internal { reference }
    })
}
