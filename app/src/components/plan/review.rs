//! What follows from the plan: problems first, then the candidates.

use leptos::prelude::*;
use podium_domain::form::PlanEdit;
use podium_formats::plan::Problem;
use podium_service::PlanCheck;

use super::{sizes, template};
use crate::components::{FrameworkMark, command_words};
use crate::format::counted;

/// Everything that is wrong, counted, each with its place and line; then what is only worth knowing.
pub fn problems(check: &PlanCheck) -> AnyView {
    let count = check.problems.len() as u64;
    let problems = (count > 0).then(|| {
        view! {
            <div class="notice notice-bad">
                <p>
                    <strong>{format!("The plan has {}", counted(count, "problem", "problems"))}</strong>
                </p>
                <ul class="problem-list">{check.problems.iter().map(problem).collect_view()}</ul>
            </div>
        }
    });
    let warnings = (!check.warnings.is_empty()).then(|| {
        view! {
            <details class="notice notice-warn" id="plan-warnings">
                <summary>{counted(check.warnings.len() as u64, "warning", "warnings")}</summary>
                <ul class="problem-list">{check.warnings.iter().map(problem).collect_view()}</ul>
            </details>
        }
    });
    (problems, warnings).into_any()
}

fn problem(problem: &Problem) -> AnyView {
    let line = problem.line.map(|line| {
        view! {
            <button type="button" class="line-link" data-line=line.to_string()>
                {format!("line {line}")}
            </button>
            " "
        }
    });
    let path = (!problem.path.is_empty()).then(|| view! { <code>{problem.path.clone()}</code> " " });
    view! {
        <li data-path=problem.path.clone()>
            {path}
            {line}
            <span>{problem.message.clone()}</span>
        </li>
    }
    .into_any()
}

/// The candidates that a run would try, with their commands.
pub fn candidates(check: &PlanCheck) -> AnyView {
    let summary =
        if check.candidates.is_empty() { "none while the plan has problems".to_owned() } else { sizes(check) };
    let untried =
        check.untried.iter().map(|value| format!("{} {} = {}", value.framework.name(), value.knob, value.value));
    let untried: Vec<_> = untried.collect();
    let filled: Vec<_> = check.filled.iter().map(|filled| format!("{}: {}", filled.path, filled.value)).collect();
    let notes = [
        check.flow_check.then(|| {
            "With so few prompts this is a flow check: it shows that all works and names no winner.".to_owned()
        }),
        (!filled.is_empty()).then(|| format!("Filled in by default: {}.", filled.join(", "))),
    ];
    let notes = notes.into_iter().flatten().map(|note| view! { <p class="muted">{note}</p> }).collect_view();
    let untried = (!untried.is_empty()).then(|| {
        view! {
            <p class="muted" id="plan-untried">
                {format!("Not tried, because of the limit: {}. ", untried.join(", "))}
                {raise_limit(check)}
            </p>
        }
    });
    let items = check
        .candidates
        .iter()
        .map(|candidate| {
            view! {
                <li>
                    <FrameworkMark framework=candidate.framework />
                    " "
                    <code>{candidate.candidate_id.clone()}</code>
                    <pre class="command">{command_words(&candidate.command)}</pre>
                </li>
            }
        })
        .collect_view();
    view! {
        <details class="section candidates" id="plan-candidate-list">
            <summary>"Candidates " <span class="section-summary">{summary}</span></summary>
            <div class="section-body">
                {untried}
                {notes}
                <ol>{items}</ol>
            </div>
        </details>
    }
    .into_any()
}

/// One click to the smallest limit that tries every value.
fn raise_limit(check: &PlanCheck) -> Option<AnyView> {
    let limit = check.limit_for_all?;
    let edit = PlanEdit::SetScalar { path: "search.max_candidates_per_framework".to_owned(), value: limit.to_string() };
    let button = view! {
        <button
            type="button"
            id="raise-limit"
            class="button button-small"
            data-edit=template(&edit)
            data-slots=""
        >
            {format!("Raise the limit to {limit}")}
        </button>
    };
    Some(button.into_any())
}

/// The frameworks of the plan, to leave out of one run. The plan keeps them, and the report says that they were left out.
pub fn leave_out(check: &PlanCheck) -> AnyView {
    let mut frameworks: Vec<_> = check.candidates.iter().map(|candidate| candidate.framework).collect();
    frameworks.dedup();
    if frameworks.len() < 2 {
        return ().into_any();
    }
    let boxes = frameworks
        .into_iter()
        .map(|framework| {
            let name = format!("exclude_{}", framework.id());
            view! {
                <label class="choice">
                    <input type="checkbox" id=name.clone() name=name value="yes" />
                    <FrameworkMark framework />
                </label>
            }
        })
        .collect_view();
    view! {
        <div class="field">
            <span class="field-label">"Leave out of this run"</span>
            <div class="leave-out">{boxes}</div>
        </div>
    }
    .into_any()
}
