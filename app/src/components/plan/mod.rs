//! The parts of the plan editor, drawn by the server: form, problems, candidates.
//!
//! The editor's island replaces them as a whole whenever the text changes. Each element that edits the plan says how:
//! `data-edit` holds the JSON of an edit, `data-slots` where the entered values go, and `data-inputs`, on buttons, the
//! ids of the inputs that they take them from. See [`crate::form_edit`].

mod fields;
mod frameworks;
mod hints;
mod review;
mod scenarios;
mod sections;

use leptos::prelude::*;
use podium_domain::form::PlanEdit;
use podium_service::PlanCheck;

use crate::dto::PlanView;
use crate::format::counted;

pub use review::{candidates, leave_out, problems};
pub use sections::form;

/// Everything that follows from a plan's text.
#[must_use]
pub fn plan_view(check: &PlanCheck) -> PlanView {
    PlanView {
        yaml: check.yaml.clone(),
        form_html: check.form.as_ref().map(|plan| form(plan, check).to_html()),
        problems_html: problems(check).to_html(),
        candidates_html: candidates(check).to_html(),
        leave_out_html: leave_out(check).to_html(),
        problems: check.problems.len() as u32,
        note: start_note(check),
    }
}

/// What stands beside the start button.
#[must_use]
pub fn start_note(check: &PlanCheck) -> String {
    match check.problems.len() as u64 {
        0 => sizes(check),
        problems => format!("{} to correct first", counted(problems, "problem", "problems")),
    }
}

/// How much a run would do.
fn sizes(check: &PlanCheck) -> String {
    let candidates = counted(check.candidates.len() as u64, "candidate", "candidates");
    let measurements = counted(check.measurements, "measurement", "measurements");
    match check.repeated_measurements {
        0 => format!("{candidates}, {measurements}"),
        more => format!("{candidates}, {measurements}, then at most {more} more of the best"),
    }
}

/// What is wrong at `path` or below it, one sentence after the other.
fn problems_at(check: &PlanCheck, path: &str) -> Option<String> {
    let below = check.problems.iter().filter(|problem| is_at_or_below(&problem.path, path));
    let messages: Vec<_> = below.map(|problem| problem.message.as_str()).collect();
    (!messages.is_empty()).then(|| messages.join("; "))
}

/// Whether `path` is `place` or lies below it.
fn is_at_or_below(path: &str, place: &str) -> bool {
    path.strip_prefix(place).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
}

/// The value of `data-edit`.
fn template(edit: &PlanEdit) -> String {
    // Texts and numbers always have a JSON form; an empty template would be refused with a message.
    serde_json::to_string(edit).unwrap_or_default()
}

/// The problem of a field, below it.
fn error_view(id: &str, problem: Option<String>) -> Option<AnyView> {
    problem.map(|problem| {
        view! {
            <span class="field-error" id=format!("{id}-error")>
                {problem}
            </span>
        }
        .into_any()
    })
}

/// `aria-invalid` and `aria-describedby` of a field.
fn described(id: &str, problem: Option<&String>) -> (Option<&'static str>, Option<String>) {
    (problem.map(|_| "true"), problem.map(|_| format!("{id}-error")))
}

#[cfg(test)]
mod tests {
    use super::is_at_or_below;

    #[test]
    fn a_problem_belongs_to_its_field_and_the_sections_above() {
        let path = "frameworks.vllm.search_space.max_num_seqs[1]";
        for place in [path, "frameworks.vllm.search_space.max_num_seqs", "frameworks.vllm", "frameworks"] {
            assert!(is_at_or_below(path, place), "{place}");
        }
        assert!(!is_at_or_below(path, "frameworks.vllm.search_space.max_num"));
        assert!(!is_at_or_below("frameworks.vllm2", "frameworks.vllm"));
    }
}
