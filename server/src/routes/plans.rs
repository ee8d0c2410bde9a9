//! Starting a plan from the editor's form.

use axum::Extension;
use axum::extract::{Form, State};
use axum::http::request::Parts;
use axum::response::{IntoResponse, Redirect, Response};
use leptos::prelude::provide_context;
use podium_app::context::id;
use podium_app::error::AppError;
use podium_app::posted::RejectedPlan;
use podium_service::{Caller, StartRun};
use serde::Deserialize;
use uuid::Uuid;

use crate::state::AppState;

/// The fields of the form.
#[derive(Debug, Deserialize)]
pub(super) struct StartForm {
    yaml: String,
    #[serde(default)]
    source: String,
    #[serde(default)]
    host: String,
    /// A box that is not checked is not sent.
    skip_missing: Option<String>,
    idle_engines: Option<String>,
}

/// Starts the run and leads to its page, or shows the editor again with what is wrong.
pub(super) async fn start(
    State(state): State<AppState>,
    Extension(caller): Extension<Caller>,
    parts: Parts,
    Form(form): Form<StartForm>,
) -> Response {
    // Browsers end lines with CR LF in what they post.
    let yaml = form.yaml.replace("\r\n", "\n");
    let start = StartRun {
        yaml: yaml.clone(),
        host_id: None,
        frameworks: None,
        skip_missing: form.skip_missing.is_some(),
        idle_engines: form.idle_engines.is_some(),
    };
    let started = match chosen_host(&form.host) {
        Ok(host_id) => state.service.start_run(caller, StartRun { host_id, ..start }).await.map_err(AppError::from),
        Err(error) => Err(error),
    };
    match started {
        Ok(run) => Redirect::to(&format!("/runs/{run}")).into_response(),
        Err(error) => {
            let host = Some(form.host).filter(|host| !host.is_empty());
            let rejected = RejectedPlan { yaml, source: form.source, host, error };
            state.page(parts, move || provide_context(rejected.clone())).await
        }
    }
}

fn chosen_host(text: &str) -> Result<Option<Uuid>, AppError> {
    if text.is_empty() { Ok(None) } else { id(text, "this host").map(Some) }
}
