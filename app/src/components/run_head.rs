//! The head of a run's page: where it stands, and what can be done about it.

use leptos::prelude::*;
use podium_domain::status::RunStatus;
use podium_service::RunView;

use super::{FrameworkMark, Labels, Moment, StatusMark, launches, matrix};
use crate::dto::RunState;
use crate::format::counted;
use crate::words;

/// Renders the parts of the page that change while the run goes on.
#[must_use]
pub fn run_state(run: &RunView) -> RunState {
    RunState {
        head_html: run_head(run).to_html(),
        matrix_html: matrix(run).to_html(),
        launches_html: launches(run).to_html(),
    }
}

/// Status, activity, progress, failure, answers and actions.
pub fn run_head(run: &RunView) -> AnyView {
    let item = &run.item;
    let frameworks = item.frameworks.iter().map(|&framework| view! { <FrameworkMark framework /> }).collect_view();
    let is_final = item.status.is_final();
    let progress = (!is_final && run.planned > 0).then(|| {
        let text = format!("{} of {}", run.measured, counted(run.planned, "measurement", "measurements"));
        view! {
            <p class="progress-line">
                <progress max=run.planned.to_string() value=run.measured.to_string() aria-label="Measurements taken"></progress>
                <span class="number">{text}</span>
            </p>
        }
    });
    let failure = run.failure.clone().map(|failure| {
        view! {
            <div class="notice notice-bad" role="alert">
                <p>{failure}</p>
            </div>
        }
    });
    let answers = (!item.answers.is_empty()).then(|| {
        view! {
            <ul class="answers">
                {item.answers.iter().map(|answer| view! { <li class="answer">{answer.clone()}</li> }).collect_view()}
            </ul>
        }
    });
    view! {
        <p class="run-facts">
            <StatusMark look=words::run(item.status) />
            <Labels simulated=item.simulated flow_check=item.flow_check />
            {frameworks}
            <span class="muted">{format!("on {}", item.host)}</span>
            <span class="muted">
                "started "
                <Moment at=item.created_at />
            </span>
        </p>
        {failure}
        {answers}
        <p class="activity">{run.activity.clone()}</p>
        {progress}
        <div class="button-row">{actions(run)}</div>
    }
    .into_any()
}

fn actions(run: &RunView) -> impl IntoView + use<> {
    let id = run.item.id;
    let report = run.report_id.map(|_| {
        view! {
            <a class="button button-primary" href=format!("/runs/{id}/report")>
                "See the report"
            </a>
        }
    });
    let cancel = matches!(run.item.status, RunStatus::Queued | RunStatus::Running).then(|| {
        view! {
            <form method="post" action=format!("/runs/{id}/cancel")>
                <button class="button button-danger" type="submit">
                    "Cancel the run"
                </button>
            </form>
        }
    });
    let again = view! {
        <a class="button" href=format!("/plans/new?run={id}")>
            {if run.item.status.is_final() { "Run again with changes" } else { "Copy the plan" }}
        </a>
    };
    (report, cancel, again)
}
