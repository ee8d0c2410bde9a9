//! `/plans/new`: where a plan is written, and `/plans/start`, which shows one again that could not be started.

use leptos::prelude::*;
use leptos_axum::ResponseOptions;
use leptos_meta::Title;
use leptos_router::hooks::use_query_map;
use podium_domain::framework::Framework;
use podium_service::{Caller, PlanCheck, Service};

use crate::api::on_host;
use crate::components::{candidates, form, leave_out, loaded, problems, start_note};
use crate::context::{caller, id, service};
use crate::dto::HostChoice;
use crate::error::AppError;
use crate::escape::raw_text;
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
            // The first of the list is the chosen one until somebody chooses.
            let chosen = host.clone().or_else(|| Some(hosts.first()?.id.clone()));
            let check = on_host(&service, caller, check, chosen).await?;
            let parts = parts(&check, &source, &hosts, host.as_deref());
            Ok(view! {
                {starts(&service, &source)}
                {reason}
                <PlanEditor source=source.clone() problems=check.problems.len() as u32>
                    {parts}
                </PlanEditor>
                {knob_lists()}
            })
        })}
    }
}

/// The parts of the editor. Their ids are the island's way to them.
fn parts(check: &PlanCheck, source: &str, hosts: &[HostChoice], host: Option<&str>) -> AnyView {
    let sections = check.form.as_ref().map(|plan| form(plan, check));
    let hosts = hosts
        .iter()
        .map(|choice| {
            view! {
                <option value=choice.id.clone() selected=host == Some(choice.id.as_str())>
                    {choice.label.clone()}
                </option>
            }
        })
        .collect_view();
    view! {
        <div class="notice" id="draft-notice" role="status" hidden>
            <p>
                "Your changes from an earlier visit were brought back. "
                <button type="button" class="button button-small" id="draft-discard">
                    "Discard them"
                </button>
            </p>
        </div>
        <div class="plan-editor">
            <div class="plan-form">
                <p class="notice notice-warn" id="plan-frozen" role="status" hidden=check.form.is_some()>
                    "The text cannot be read as YAML at the moment, so the form waits. Correct the text, or undo the last change to it."
                </p>
                <fieldset class="plan-sections" id="plan-form-body" disabled=check.form.is_none()>
                    {sections}
                </fieldset>
            </div>
            <form class="plan-side" id="plan-start" method="post" action="/plans/start">
                <input type="hidden" name="source" value=source.to_owned() />
                <p class="notice notice-bad" id="plan-failure" role="alert" hidden></p>
                <div class="plan-problems" id="plan-problems" aria-live="polite">
                    {problems(check)}
                </div>
                <div class="field">
                    <label for="plan-yaml">"Plan as YAML"</label>
                    <textarea
                        id="plan-yaml"
                        name="yaml"
                        rows="28"
                        spellcheck="false"
                        autocomplete="off"
                        aria-describedby="plan-problems"
                    >
                        {format!("\n{}", raw_text(&check.yaml))}
                    </textarea>
                </div>
                <div id="plan-candidates">{candidates(check)}</div>
                <fieldset class="start">
                    <legend>"Start"</legend>
                    <div class="field">
                        <label for="start-host">"Host"</label>
                        <select id="start-host" name="host">
                            {hosts}
                        </select>
                    </div>
                    <div id="plan-leave-out">{leave_out(check)}</div>
                    <label class="choice">
                        <input type="checkbox" name="skip_missing" value="yes" />
                        <span>"Leave out frameworks that are not installed on the host, with that reason"</span>
                    </label>
                    <label class="choice">
                        <input type="checkbox" name="idle_engines" value="yes" />
                        <span>"Run engines at idle priority, for a small machine that measures itself"</span>
                    </label>
                    <p class="button-row">
                        <button class="button button-primary" type="submit">
                            "Start the run"
                        </button>
                        <span class="muted start-note" id="start-note" role="status">
                            {start_note(check)}
                        </span>
                    </p>
                </fieldset>
            </form>
        </div>
    }
    .into_any()
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
            let yaml = match example {
                Some(example) => example.yaml,
                None => {
                    let cookbook = service.cookbook(caller)?.iter().find(|plan| plan.slug == slug);
                    cookbook.ok_or_else(|| AppError::NotFound { what: format!("the plan \"{slug}\"") })?.yaml
                }
            };
            Ok((yaml.to_owned(), format!("from={slug}")))
        }
        None => Ok((service.blank_plan(caller).await?, "new".to_owned())),
    }
}

fn refusal(error: &AppError) -> impl IntoView + use<> {
    let reason = match error {
        AppError::Invalid { fields, .. } if !fields.is_empty() => {
            fields.iter().map(|field| field.message.as_str()).collect::<Vec<_>>().join("; ")
        }
        other => other.to_string(),
    };
    view! {
        <div class="notice notice-bad" role="alert">
            <p>{format!("The run was not started: {reason}.")}</p>
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
                <li>
                    <a href="/cookbook">"The cookbook"</a>
                </li>
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
