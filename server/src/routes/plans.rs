//! Starting a plan from the editor's form.

use axum::Extension;
use axum::extract::{Form, State};
use axum::http::request::Parts;
use axum::response::{IntoResponse, Redirect, Response};
use leptos::prelude::provide_context;
use podium_app::context::id;
use podium_app::error::AppError;
use podium_app::posted::RejectedPlan;
use podium_domain::framework::Framework;
use podium_service::{Caller, SmokeChoice, StartRun};
use uuid::Uuid;

use crate::state::AppState;

/// What the form says. A box that is not ticked is not sent.
#[derive(Debug, Default)]
struct StartForm {
    yaml: String,
    source: String,
    host: String,
    skip_missing: bool,
    idle_engines: bool,
    /// Frameworks of the plan that are left out of this run.
    excluded: Vec<Framework>,
}

impl StartForm {
    fn read(fields: Vec<(String, String)>) -> Self {
        let mut form = Self::default();
        for (name, value) in fields {
            match name.as_str() {
                // Browsers end lines with CR LF in what they post.
                "yaml" => form.yaml = value.replace("\r\n", "\n"),
                "source" => form.source = value,
                "host" => form.host = value,
                "skip_missing" => form.skip_missing = true,
                "idle_engines" => form.idle_engines = true,
                other => {
                    let excluded = other.strip_prefix("exclude_").and_then(|id| id.parse::<Framework>().ok());
                    form.excluded.extend(excluded);
                }
            }
        }
        form
    }

    /// The frameworks of the run; `None` for all that the plan enables.
    fn frameworks(&self) -> Option<Vec<Framework>> {
        let kept = || Framework::ALL.into_iter().filter(|framework| !self.excluded.contains(framework)).collect();
        (!self.excluded.is_empty()).then(kept)
    }
}

/// Starts the run and leads to its page, or shows the editor again with what is wrong.
pub(super) async fn start(
    State(state): State<AppState>,
    Extension(caller): Extension<Caller>,
    parts: Parts,
    Form(fields): Form<Vec<(String, String)>>,
) -> Response {
    let form = StartForm::read(fields);
    let start = StartRun {
        yaml: form.yaml.clone(),
        host_id: None,
        frameworks: form.frameworks(),
        skip_missing: form.skip_missing,
        idle_engines: form.idle_engines,
        smoke: SmokeChoice::default(),
    };
    let started = match chosen_host(&form.host) {
        Ok(host_id) => state.service.start_run(caller, StartRun { host_id, ..start }).await.map_err(AppError::from),
        Err(error) => Err(error),
    };
    match started {
        Ok(run) => Redirect::to(&format!("/runs/{run}")).into_response(),
        Err(error) => {
            let host = Some(form.host).filter(|host| !host.is_empty());
            let rejected = RejectedPlan { yaml: form.yaml, source: form.source, host, error };
            state.page(parts, move || provide_context(rejected.clone())).await
        }
    }
}

fn chosen_host(text: &str) -> Result<Option<Uuid>, AppError> {
    if text.is_empty() { Ok(None) } else { id(text, "this host").map(Some) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn form(fields: &[(&str, &str)]) -> StartForm {
        StartForm::read(fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect())
    }

    #[test]
    fn the_text_is_taken_as_it_was_typed() {
        let form = form(&[("yaml", "a: 1\r\nb: 2\r\n"), ("host", ""), ("idle_engines", "yes")]);
        assert_eq!(form.yaml, "a: 1\nb: 2\n");
        assert!(form.idle_engines && !form.skip_missing);
        assert_eq!(form.frameworks(), None);
    }

    #[test]
    fn what_is_left_out_is_told_from_what_is_unknown() {
        let form = form(&[("exclude_vllm", "yes"), ("exclude_nonsense", "yes")]);
        assert_eq!(form.excluded, [Framework::Vllm]);
        let kept = form.frameworks().expect("a choice");
        assert!(!kept.contains(&Framework::Vllm) && kept.contains(&Framework::Sglang));
    }
}
