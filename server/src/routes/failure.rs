//! The answer to a request that was not done.

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use podium_app::error::AppError;

/// A failure on its way out: its status and its sentence as plain text.
#[derive(Debug)]
pub(crate) struct Failure(AppError);

impl<E: Into<AppError>> From<E> for Failure {
    fn from(error: E) -> Self {
        Self(error.into())
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.0.status_code()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        (status, format!("{}\n", self.0)).into_response()
    }
}
