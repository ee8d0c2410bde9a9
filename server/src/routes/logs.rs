//! An engine's whole log as text.

use axum::Extension;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use futures::stream;
use podium_app::context::id;
use podium_service::{Caller, Error, LogChunk, Service};
use uuid::Uuid;

use super::failure::Failure;
use crate::state::AppState;

/// Sends the log part by part, so that a large one is never held in memory.
pub(super) async fn whole(
    State(state): State<AppState>,
    Extension(caller): Extension<Caller>,
    Path(launch): Path<String>,
) -> Result<Response, Failure> {
    let launch = id(&launch, "this launch")?;
    // The first part decides the status.
    let first = state.service.launch_log(caller, launch, 0).await?;
    let rest = Rest { service: state.service, caller, launch, next: Some(first) };
    let parts = stream::try_unfold(rest, Rest::part);
    Ok(([(CONTENT_TYPE, "text/plain; charset=utf-8")], Body::from_stream(parts)).into_response())
}

/// What is still to be sent.
struct Rest {
    service: Service,
    caller: Caller,
    launch: Uuid,
    next: Option<LogChunk>,
}

impl Rest {
    async fn part(mut self) -> Result<Option<(String, Self)>, Error> {
        let Some(part) = self.next.take().filter(|part| !part.text.is_empty()) else { return Ok(None) };
        self.next = Some(self.service.launch_log(self.caller, self.launch, part.next_offset).await?);
        Ok(Some((part.text, self)))
    }
}
