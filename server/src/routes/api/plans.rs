//! Plans.

use axum::extract::State;
use axum::{Extension, Json};
use podium_service::Caller;

use super::models::{PlanAnswer, PlanText};
use super::problem::{Body, Problem};
use crate::state::AppState;

/// Check a plan: every problem at once, and the candidates that it stands for
#[utoipa::path(post, path = "/api/v1/plans/validate", tag = "Plans", request_body = PlanText, responses(
    (status = 200, description = "What follows from the text; a wrong plan is an answer, too", body = PlanAnswer),
    (status = "4XX", description = "The request is no such text", body = Problem, content_type = "application/problem+json"),
))]
pub(super) async fn validate(
    State(state): State<AppState>,
    Extension(caller): Extension<Caller>,
    Body(plan): Body<PlanText>,
) -> Result<Json<PlanAnswer>, Problem> {
    Ok(Json(state.service.check_plan(caller, plan.yaml).await?.into()))
}
