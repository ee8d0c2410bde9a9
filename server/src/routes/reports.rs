//! Reports as files.

use axum::Extension;
use axum::extract::{Path, State};
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use podium_app::context::id;
use podium_app::error::AppError;
use podium_domain::report::Report;
use podium_formats::report;
use podium_service::{Caller, ReportView, charts};

use super::failure::Failure;
use crate::state::AppState;

/// The run's report as Markdown.
pub(super) async fn markdown(
    State(state): State<AppState>,
    Extension(caller): Extension<Caller>,
    Path(run): Path<String>,
) -> Result<Response, Failure> {
    let report = find(&state, caller, &run).await?;
    Ok(file("text/markdown; charset=utf-8", "md", report::markdown(&report)))
}

/// All rows of the run's report as CSV.
pub(super) async fn csv(
    State(state): State<AppState>,
    Extension(caller): Extension<Caller>,
    Path(run): Path<String>,
) -> Result<Response, Failure> {
    let report = find(&state, caller, &run).await?;
    Ok(file("text/csv; charset=utf-8", "csv", report::csv(&report)))
}

/// The run's report as JSON: the frozen model.
pub(super) async fn json(
    State(state): State<AppState>,
    Extension(caller): Extension<Caller>,
    Path(run): Path<String>,
) -> Result<Response, Failure> {
    let report = find(&state, caller, &run).await?;
    Ok(file("application/json", "json", report::json(&report)))
}

/// The run's report as one HTML file that needs nothing else.
pub(super) async fn html(
    State(state): State<AppState>,
    Extension(caller): Extension<Caller>,
    Path(run): Path<String>,
) -> Result<Response, Failure> {
    let report = find(&state, caller, &run).await?;
    Ok(file("text/html; charset=utf-8", "html", report::html(&report, &charts::for_report(&report))))
}

/// The newest report of the run with this id.
pub(super) async fn find(state: &AppState, caller: Caller, run: &str) -> Result<Report, AppError> {
    Ok(find_view(state, caller, run).await?.report)
}

/// As [`find`], with its links.
pub(super) async fn find_view(state: &AppState, caller: Caller, run: &str) -> Result<ReportView, AppError> {
    let found = state.service.run_report(caller, id(run, "this run")?).await?;
    found.ok_or_else(|| AppError::NotFound { what: "a report of this run (it is made when the run ends)".to_owned() })
}

fn file(media_type: &'static str, extension: &str, content: String) -> Response {
    let disposition = format!("attachment; filename=\"podium-report.{extension}\"");
    ([(CONTENT_TYPE, media_type.to_owned()), (CONTENT_DISPOSITION, disposition)], content).into_response()
}
