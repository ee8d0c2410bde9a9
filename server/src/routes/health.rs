//! Whether the server lives, whether it can answer, and its own figures.

use axum::Extension;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use podium_app::error::AppError;
use podium_service::Caller;

use super::failure::Failure;
use crate::metrics::Metrics;
use crate::state::AppState;

/// The process answers.
pub(super) async fn alive() -> &'static str {
    "ok\n"
}

/// The database answers as well; else status 503 with the reason.
pub(super) async fn ready(State(state): State<AppState>) -> Result<&'static str, Failure> {
    state.service.check_ready().await?;
    Ok("ready\n")
}

/// Podium's own figures in OpenMetrics' text form.
pub(super) async fn metrics(
    State(state): State<AppState>,
    Extension(metrics): Extension<Metrics>,
    Extension(caller): Extension<Caller>,
) -> Result<Response, Failure> {
    let runs = state.service.run_counts(caller).await?;
    let text = metrics.text(runs).map_err(|_| AppError::Unavailable {
        message: "the figures could not be written; try again in a moment".to_owned(),
    })?;
    let media_type = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    Ok(([(CONTENT_TYPE, media_type)], text).into_response())
}
