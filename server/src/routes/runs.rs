//! Watching and cancelling a run.

use std::convert::Infallible;
use std::time::Duration;

use axum::Extension;
use axum::extract::{Form, Path, Query, State};
use axum::http::HeaderMap;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Redirect, Response};
use futures::{Stream, StreamExt as _};
use podium_app::context::id;
use podium_app::convert::LiveEvent;
use podium_service::{Caller, Error, RunEventView};
use serde::Deserialize;

use super::failure::Failure;
use crate::state::AppState;

/// A silent connection is kept open by a comment this often, so that nothing between takes it for dead.
const KEEP_ALIVE: Duration = Duration::from_secs(15);

/// Asks for the run to be stopped and leads back to its page, which shows what came of it.
pub(super) async fn cancel(
    State(state): State<AppState>,
    Extension(caller): Extension<Caller>,
    Path(run): Path<String>,
) -> Result<Redirect, Failure> {
    let run = id(&run, "this run")?;
    match state.service.cancel_run(caller, run).await {
        // A run that has ended meanwhile is not an error for someone who wants it to end.
        Ok(()) | Err(Error::Conflict(_)) => Ok(Redirect::to(&format!("/runs/{run}"))),
        Err(error) => Err(error.into()),
    }
}

/// What the form of tags and notes says.
#[derive(Debug, Deserialize)]
pub(super) struct NotesFields {
    tags: String,
    notes: String,
}

/// Replaces tags and notes, and leads back to the run.
pub(super) async fn annotate(
    State(state): State<AppState>,
    Extension(caller): Extension<Caller>,
    Path(run): Path<String>,
    Form(fields): Form<NotesFields>,
) -> Result<Redirect, Failure> {
    let run = id(&run, "this run")?;
    state.service.annotate_run(caller, run, &fields.tags, &fields.notes).await?;
    Ok(Redirect::to(&format!("/runs/{run}#review")))
}

/// Puts the run into the archive and leads to the list, which offers the way back.
pub(super) async fn archive(
    State(state): State<AppState>,
    Extension(caller): Extension<Caller>,
    Path(run): Path<String>,
) -> Result<Redirect, Failure> {
    let run = id(&run, "this run")?;
    state.service.archive_run(caller, run, true).await?;
    Ok(Redirect::to(&format!("/?archived={run}")))
}

/// Takes the run out of the archive and leads to it.
pub(super) async fn unarchive(
    State(state): State<AppState>,
    Extension(caller): Extension<Caller>,
    Path(run): Path<String>,
) -> Result<Redirect, Failure> {
    let run = id(&run, "this run")?;
    state.service.archive_run(caller, run, false).await?;
    Ok(Redirect::to(&format!("/runs/{run}")))
}

/// Deletes the run and leads to the list, which offers the way back.
pub(super) async fn delete(
    State(state): State<AppState>,
    Extension(caller): Extension<Caller>,
    Path(run): Path<String>,
) -> Result<Redirect, Failure> {
    let run = id(&run, "this run")?;
    state.service.delete_run(caller, run).await?;
    Ok(Redirect::to(&format!("/?deleted={run}")))
}

/// Brings the run back and leads to it.
pub(super) async fn restore(
    State(state): State<AppState>,
    Extension(caller): Extension<Caller>,
    Path(run): Path<String>,
) -> Result<Redirect, Failure> {
    let run = id(&run, "this run")?;
    state.service.restore_run(caller, run).await?;
    Ok(Redirect::to(&format!("/runs/{run}")))
}

/// Where a reader of events wants to begin.
#[derive(Debug, Deserialize)]
pub(super) struct Position {
    /// The last event that it has.
    after: Option<i64>,
}

/// The run's events from a position on, as server-sent events named `tick` and `change` with the events' numbers as
/// ids. A browser that lost the connection names the last one it saw, and misses nothing.
pub(super) async fn events(
    State(state): State<AppState>,
    Extension(caller): Extension<Caller>,
    Path(run): Path<String>,
    Query(position): Query<Position>,
    headers: HeaderMap,
) -> Result<Response, Failure> {
    let run = id(&run, "this run")?;
    let after = last_event_id(&headers).or(position.after).unwrap_or(0);
    let stream = state.service.run_events(caller, run, after).await?;
    let events = frames(stream).take_until(state.closing.clone().cancelled_owned());
    Ok(Sse::new(events).keep_alive(KeepAlive::new().interval(KEEP_ALIVE)).into_response())
}

fn last_event_id(headers: &HeaderMap) -> Option<i64> {
    headers.get("last-event-id")?.to_str().ok()?.trim().parse().ok()
}

fn frames(events: impl Stream<Item = RunEventView> + Send) -> impl Stream<Item = Result<Event, Infallible>> + Send {
    events.filter_map(|view| async move {
        let frame = Event::default().id(view.seq.to_string());
        let frame = match LiveEvent::from(view) {
            LiveEvent::Tick(tick) => frame.event("tick").json_data(tick),
            LiveEvent::Change(change) => frame.event("change").json_data(change),
        };
        // Text and finite numbers always have a JSON form.
        frame.ok().map(Ok)
    })
}
