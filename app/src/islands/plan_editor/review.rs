//! What follows from the plan: problems first, then the candidates.

use leptos::html::Textarea;
use leptos::prelude::*;

use super::state::Editor;
use super::text::select_line;
use crate::dto::PlanProblem;
use crate::format::counted;

/// Everything that is wrong, counted, each with its place and line; then what is only worth knowing.
#[component]
pub(super) fn Problems(editor: Editor, area: NodeRef<Textarea>) -> impl IntoView {
    let count = move || editor.state.with(|state| state.problems.len());
    let warnings = move || editor.state.with(|state| state.warnings.clone());
    let problems = move || editor.state.with(|state| state.problems.clone());
    view! {
        <div id="plan-problems" class="plan-problems" aria-live="polite" data-problems=move || count().to_string()>
            <p class="notice notice-bad" hidden=move || editor.failure.with(Option::is_none)>
                {move || editor.failure.get()}
            </p>
            <div class="notice notice-bad" hidden=move || count() == 0>
                <p>
                    <strong>
                        {move || format!("The plan has {}", counted(count() as u64, "problem", "problems"))}
                    </strong>
                </p>
                <ul class="problem-list">
                    {move || problems().into_iter().map(|problem| problem_view(problem, area)).collect_view()}
                </ul>
            </div>
            <details class="notice notice-warn" hidden=move || warnings().is_empty()>
                <summary>{move || counted(warnings().len() as u64, "warning", "warnings")}</summary>
                <ul class="problem-list">
                    {move || warnings().into_iter().map(|warning| problem_view(warning, area)).collect_view()}
                </ul>
            </details>
        </div>
    }
    .into_any()
}

fn problem_view(problem: PlanProblem, area: NodeRef<Textarea>) -> AnyView {
    let PlanProblem { path, line, message } = problem;
    let place = line.map(|line| {
        view! {
            <button type="button" class="line-link" on:click=move |_| select_line(area, line)>
                {format!("line {line}")}
            </button>
        }
    });
    view! {
        <li data-path=path.clone()>
            <code>{path.clone()}</code>
            " "
            {place}
            " "
            <span>{message}</span>
        </li>
    }
    .into_any()
}

/// The candidates that a run would try, with their commands.
#[component]
pub(super) fn Candidates(editor: Editor) -> impl IntoView {
    let summary = move || {
        editor.state.with(|state| {
            if state.candidates.is_empty() {
                return "No candidates while the plan has problems".to_owned();
            }
            let candidates = counted(state.candidates.len() as u64, "candidate", "candidates");
            format!("{candidates}, {}", counted(state.measurements, "measurement", "measurements"))
        })
    };
    let candidates = move || {
        editor.state.with(|state| {
            let items = state.candidates.iter().map(|candidate| {
                view! {
                    <li>
                        <span class=format!("framework framework-{}", candidate.framework)>
                            {candidate.candidate_id.clone()}
                        </span>
                        <pre class="command">{candidate.command.clone()}</pre>
                    </li>
                }
                .into_any()
            });
            items.collect_view()
        })
    };
    let notes = move || {
        editor.state.with(|state| {
            let untried = (!state.untried.is_empty())
                .then(|| format!("Not tried, because of the limit: {}.", state.untried.join(", ")));
            let flow_check = state.flow_check.then(|| {
                "With so few prompts this is a flow check: it shows that all works and names no winner.".to_owned()
            });
            let filled =
                (!state.filled.is_empty()).then(|| format!("Filled in by default: {}.", state.filled.join(", ")));
            let notes = [flow_check, untried, filled].into_iter().flatten();
            notes.map(|note| view! { <p class="muted">{note}</p> }.into_any()).collect_view()
        })
    };
    view! {
        <details class="section candidates">
            <summary>"Candidates " <span class="section-summary">{summary}</span></summary>
            <div class="section-body">
                {notes}
                <ol>{candidates}</ol>
            </div>
        </details>
    }
    .into_any()
}
