//! Runs, their rows and their reports.

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::{Extension, Json};
use podium_app::context::id;
use podium_app::error::{AppError, FieldProblem};
use podium_domain::framework::Framework;
use podium_domain::report::Report;
use podium_domain::row::ResultRow;
use podium_service::{Caller, Error, RunQuery, RunWords, StartRun};

use super::models::{Made, NewRun, RunDetail, RunLine, RunsQuery};
use super::problem::{Body, Params, Problem};
use crate::routes::reports::find;
use crate::state::AppState;

/// Runs in one answer, unless asked otherwise.
const DEFAULT_LIMIT: u32 = 50;

/// Runs in one answer at most.
const MOST: u32 = 500;

/// The newest runs
#[utoipa::path(get, path = "/api/v1/runs", tag = "Runs", params(RunsQuery), responses(
    (status = 200, description = "Newest first", body = [RunLine]),
    (status = "4XX", description = "The query cannot be read", body = Problem, content_type = "application/problem+json"),
))]
pub(super) async fn list(
    State(state): State<AppState>,
    Extension(caller): Extension<Caller>,
    Params(query): Params<RunsQuery>,
) -> Result<Json<Vec<RunLine>>, Problem> {
    let limit = query.limit.unwrap_or(DEFAULT_LIMIT).clamp(1, MOST);
    let words = query.search.as_deref().map(RunWords::of).unwrap_or_default();
    let runs = state.service.list_runs(caller, &RunQuery { words, ..RunQuery::default() }, limit).await?;
    Ok(Json(runs.into_iter().map(Into::into).collect()))
}

/// Start a run of a plan
#[utoipa::path(post, path = "/api/v1/runs", tag = "Runs", request_body = NewRun, responses(
    (status = 201, description = "It is queued", body = Made),
    (status = "4XX", description = "Nothing was started", body = Problem, content_type = "application/problem+json"),
))]
pub(super) async fn start(
    State(state): State<AppState>,
    Extension(caller): Extension<Caller>,
    Body(new): Body<NewRun>,
) -> Result<(StatusCode, Json<Made>), Problem> {
    let frameworks = new.frameworks.map(|names| names.iter().map(|name| framework(name)).collect()).transpose()?;
    let host_id = match &new.host {
        Some(name) => Some(state.service.host_named(caller, name).await?.id),
        None => None,
    };
    let start = StartRun {
        yaml: new.yaml,
        host_id,
        frameworks,
        skip_missing: new.skip_missing,
        idle_engines: new.idle_engines,
        smoke: podium_service::SmokeChoice::default(),
    };
    Ok((StatusCode::CREATED, Json(Made { id: state.service.start_run(caller, start).await? })))
}

fn framework(name: &str) -> Result<Framework, AppError> {
    name.parse().map_err(|_| {
        let message = format!("`{name}` is not a framework that podium knows");
        let field = FieldProblem { path: "frameworks".to_owned(), message: message.clone() };
        AppError::Invalid { message, fields: vec![field] }
    })
}

/// One run: where it is, and its candidates
#[utoipa::path(get, path = "/api/v1/runs/{id}", tag = "Runs", params(("id" = String, Path, description = "The run")),
    responses(
        (status = 200, description = "The run", body = RunDetail),
        (status = "4XX", description = "There is none", body = Problem, content_type = "application/problem+json"),
))]
pub(super) async fn show(
    State(state): State<AppState>,
    Extension(caller): Extension<Caller>,
    Path(run): Path<String>,
) -> Result<Json<RunDetail>, Problem> {
    Ok(Json(state.service.run(caller, id(&run, "this run")?).await?.into()))
}

/// Ask for the end of a run; what was measured is kept
#[utoipa::path(post, path = "/api/v1/runs/{id}/cancel", tag = "Runs",
    params(("id" = String, Path, description = "The run")),
    responses(
        (status = 204, description = "It is asked for, or the run has ended already"),
        (status = "4XX", description = "There is none", body = Problem, content_type = "application/problem+json"),
))]
pub(super) async fn cancel(
    State(state): State<AppState>,
    Extension(caller): Extension<Caller>,
    Path(run): Path<String>,
) -> Result<StatusCode, Problem> {
    match state.service.cancel_run(caller, id(&run, "this run")?).await {
        // A run that has ended meanwhile is not an error for someone who wants it to end.
        Ok(()) | Err(Error::Conflict(_)) => Ok(StatusCode::NO_CONTENT),
        Err(error) => Err(error.into()),
    }
}

/// The result rows of a run, the best first, once there is a report
#[utoipa::path(get, path = "/api/v1/runs/{id}/rows", tag = "Runs",
    params(("id" = String, Path, description = "The run")),
    responses(
        (status = 200, description = "One row per candidate and scenario, in ranking order", body = [Object]),
        (status = "4XX", description = "There are none", body = Problem, content_type = "application/problem+json"),
))]
pub(super) async fn rows(
    State(state): State<AppState>,
    Extension(caller): Extension<Caller>,
    Path(run): Path<String>,
) -> Result<Json<Vec<ResultRow>>, Problem> {
    let report = find(&state, caller, &run).await?;
    Ok(Json(report.rows_of(&report.order).cloned().collect()))
}

/// The report of a run: the frozen model from which pages and downloads are drawn
#[utoipa::path(get, path = "/api/v1/runs/{id}/report", tag = "Runs",
    params(("id" = String, Path, description = "The run")),
    responses(
        (status = 200, description = "The report", body = Object),
        (status = "4XX", description = "There is none", body = Problem, content_type = "application/problem+json"),
))]
pub(super) async fn report(
    State(state): State<AppState>,
    Extension(caller): Extension<Caller>,
    Path(run): Path<String>,
) -> Result<Json<Report>, Problem> {
    Ok(Json(find(&state, caller, &run).await?))
}
