//! Plans.

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::{Extension, Json};
use podium_app::context::id;
use podium_service::Caller;

use super::models::{NewPlan, Plan, PlanAnswer, PlanText, VersionQuery};
use super::problem::{Body, Params, Problem};
use crate::state::AppState;

/// Plans in one answer.
const LIMIT: u32 = 500;

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

/// The plans that are kept, in their newest version
#[utoipa::path(get, path = "/api/v1/plans", tag = "Plans", responses(
    (status = 200, description = "The newest plan first", body = [Plan]),
    (status = "4XX", description = "Not allowed", body = Problem, content_type = "application/problem+json"),
))]
pub(super) async fn list(
    State(state): State<AppState>,
    Extension(caller): Extension<Caller>,
) -> Result<Json<Vec<Plan>>, Problem> {
    Ok(Json(state.service.kept_plans(caller, LIMIT).await?.into_iter().map(Into::into).collect()))
}

/// Keep a plan under a name
#[utoipa::path(post, path = "/api/v1/plans", tag = "Plans", request_body = NewPlan, responses(
    (status = 201, description = "Its first version", body = Plan),
    (status = "4XX", description = "Nothing was kept", body = Problem, content_type = "application/problem+json"),
))]
pub(super) async fn create(
    State(state): State<AppState>,
    Extension(caller): Extension<Caller>,
    Body(new): Body<NewPlan>,
) -> Result<(StatusCode, Json<Plan>), Problem> {
    let kept = state.service.keep_plan(caller, &new.name, new.yaml).await?;
    Ok((StatusCode::CREATED, Json(kept.into())))
}

/// A plan in one of its versions
#[utoipa::path(get, path = "/api/v1/plans/{id}", tag = "Plans",
    params(("id" = String, Path, description = "The plan"), VersionQuery),
    responses(
        (status = 200, description = "The version that was asked for, or the newest", body = Plan),
        (status = "4XX", description = "There is none", body = Problem, content_type = "application/problem+json"),
))]
pub(super) async fn show(
    State(state): State<AppState>,
    Extension(caller): Extension<Caller>,
    Path(plan): Path<String>,
    Params(query): Params<VersionQuery>,
) -> Result<Json<Plan>, Problem> {
    Ok(Json(state.service.kept_plan(caller, id(&plan, "this plan")?, query.version).await?.into()))
}

/// Keep a newer text of a plan; the older ones stay
#[utoipa::path(post, path = "/api/v1/plans/{id}/versions", tag = "Plans",
    params(("id" = String, Path, description = "The plan")), request_body = PlanText,
    responses(
        (status = 201, description = "The new version", body = Plan),
        (status = "4XX", description = "Nothing was kept", body = Problem, content_type = "application/problem+json"),
))]
pub(super) async fn add_version(
    State(state): State<AppState>,
    Extension(caller): Extension<Caller>,
    Path(plan): Path<String>,
    Body(text): Body<PlanText>,
) -> Result<(StatusCode, Json<Plan>), Problem> {
    let kept = state.service.keep_plan_version(caller, id(&plan, "this plan")?, text.yaml).await?;
    Ok((StatusCode::CREATED, Json(kept.into())))
}
