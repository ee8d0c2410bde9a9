//! `/plans/new`: where a plan is written, and `/plans/start`, which shows one again that could not be started.

use leptos::prelude::*;
use leptos_axum::ResponseOptions;
use leptos_meta::Title;
use leptos_router::hooks::use_query_map;
use podium_domain::framework::Framework;
use podium_service::{Caller, Service};

use crate::components::loaded;
use crate::context::{caller, id, service};
use crate::dto::HostChoice;
use crate::error::AppError;
use crate::islands::PlanEditor;
use crate::posted::RejectedPlan;

/// The plan editor, with where to start from above it.
#[component]
pub fn NewPlanPage() -> impl IntoView {
    let query = use_query_map().get_untracked();
    let (from, run) = (query.get("from"), query.get("run"));
    let rejected = use_context::<RejectedPlan>();
    view! {
        <Title text="New plan" />
        <h1>"New plan"</h1>
        {loaded(async move {
            let (service, caller) = (service()?, caller()?);
            let (yaml, source) = match &rejected {
                Some(rejected) => (rejected.yaml.clone(), rejected.source.clone()),
                None => starting_point(&service, caller, from, run).await?,
            };
            let check = service.check_plan(caller, yaml).await?;
            let hosts: Vec<HostChoice> = service.hosts(caller).await?.into_iter().map(Into::into).collect();
            // A plan that is right and yet was not started: the reason is not in the plan.
            let reason = rejected
                .as_ref()
                .filter(|_| check.problems.is_empty())
                .map(|rejected| refusal(&rejected.error));
            if let (Some(rejected), Some(response)) = (&rejected, use_context::<ResponseOptions>()) {
                response.set_status(
                    http::StatusCode::from_u16(rejected.error.status_code()).unwrap_or(http::StatusCode::BAD_REQUEST),
                );
            }
            let host = rejected.and_then(|rejected| rejected.host);
            Ok(view! {
                {starts(&service, &source)}
                {reason}
                <PlanEditor initial=check.into() source hosts host />
                {knob_lists()}
            })
        })}
    }
}

/// The text to begin with, and its name.
async fn starting_point(
    service: &Service,
    caller: Caller,
    from: Option<String>,
    run: Option<String>,
) -> Result<(String, String), AppError> {
    if let Some(run) = run {
        let view = service.run(caller, id(&run, "this run")?).await?;
        return Ok((view.yaml, format!("run={run}")));
    }
    match from {
        Some(slug) => {
            let example = service.example_plans().iter().find(|example| example.slug == slug);
            let example = example.ok_or_else(|| AppError::NotFound { what: "this example".to_owned() })?;
            Ok((example.yaml.to_owned(), format!("from={slug}")))
        }
        None => Ok((service.blank_plan(caller).await?, "new".to_owned())),
    }
}

fn refusal(error: &AppError) -> impl IntoView + use<> {
    view! {
        <div class="notice notice-bad" role="alert">
            <p>{format!("The run was not started: {error}.")}</p>
        </div>
    }
}

/// Links to the other starting points.
fn starts(service: &Service, source: &str) -> impl IntoView + use<> {
    let current = |name: &str| (name == source).then_some("page");
    let examples = service
        .example_plans()
        .iter()
        .map(|example| {
            view! {
                <li>
                    <a
                        href=format!("/plans/new?from={}", example.slug)
                        aria-current=current(&format!("from={}", example.slug))
                    >
                        {example.title}
                    </a>
                </li>
            }
        })
        .collect_view();
    view! {
        <nav class="starts" aria-label="Start from">
            <span class="muted">"Start from"</span>
            <ul>
                <li>
                    <a href="/plans/new" aria-current=current("new")>
                        "A blank plan"
                    </a>
                </li>
                {examples}
            </ul>
        </nav>
    }
}

/// The names of the flags that can be searched, for the editor's inputs.
fn knob_lists() -> impl IntoView {
    let list = |framework: Framework| {
        let knobs = framework.spec().knobs;
        view! {
            <datalist id=format!("knobs-{}", framework.id())>
                {knobs
                    .iter()
                    .map(|knob| {
                        view! {
                            <option value=knob.name>{knob.help}</option>
                        }
                    })
                    .collect_view()}
            </datalist>
        }
    };
    Framework::ALL.map(list).into_iter().collect_view()
}
