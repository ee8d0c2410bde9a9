//! The editor's state. The YAML text is the truth; the form shows what the server reads in it, and its edits are sent
//! to the server as patches of the text.

use std::collections::VecDeque;
use std::time::Duration;

use leptos::html::Form;
use leptos::leptos_dom::helpers::TimeoutHandle;
use leptos::prelude::*;
use leptos::task::spawn_local;
use podium_domain::form::{PlanEdit, PlanForm};

use crate::api::{check_plan, edit_plan};
use crate::dto::{PlanProblem, PlanState};
use crate::error::AppError;
use crate::format::counted;

/// How long the keyboard has to rest before the text is sent, in milliseconds.
const REST: Duration = Duration::from_millis(300);

/// Handles of the editor's signals.
#[derive(Clone, Copy)]
pub(super) struct Editor {
    /// The text as it stands in the text area.
    pub(super) yaml: RwSignal<String>,
    /// What the server last said about it.
    pub(super) state: RwSignal<PlanState>,
    /// What the form shows: the last text that could be read.
    pub(super) form: RwSignal<PlanForm>,
    /// Why the last request failed, in words.
    pub(super) failure: RwSignal<Option<String>>,
    /// Counts changes of the text, so that an answer about an older one is told from the newest.
    version: StoredValue<u64>,
    /// The version that `state` is about.
    checked: RwSignal<u64>,
    /// Edits of the form that are not in the text yet, oldest first.
    queue: StoredValue<VecDeque<PlanEdit>>,
    is_editing: RwSignal<bool>,
    timer: StoredValue<Option<TimeoutHandle>>,
    wants_start: RwSignal<bool>,
}

impl Editor {
    pub(super) fn new(initial: PlanState) -> Self {
        Self {
            yaml: RwSignal::new(initial.yaml.clone()),
            form: RwSignal::new(initial.form.clone().unwrap_or_default()),
            state: RwSignal::new(initial),
            failure: RwSignal::new(None),
            version: StoredValue::new(0),
            checked: RwSignal::new(0),
            queue: StoredValue::new(VecDeque::new()),
            is_editing: RwSignal::new(false),
            timer: StoredValue::new(None),
            wants_start: RwSignal::new(false),
        }
    }

    /// Whether the text cannot be read, so that the form waits.
    pub(super) fn is_frozen(self) -> bool {
        self.state.with(|state| state.form.is_none())
    }

    /// Whether anything prevents a start.
    pub(super) fn has_problems(self) -> bool {
        self.state.with(|state| !state.problems.is_empty())
    }

    /// What is wrong at `path` or below it, one sentence after the other.
    pub(super) fn problems_at(self, path: &str) -> Option<String> {
        let messages = self.state.with(|state| {
            let below = state.problems.iter().filter(|problem| is_at_or_below(&problem.path, path));
            below.map(|problem| problem.message.clone()).collect::<Vec<_>>()
        });
        (!messages.is_empty()).then(|| messages.join("; "))
    }

    /// How many problems are at or below any of `paths`.
    pub(super) fn count_below(self, paths: &[&str]) -> usize {
        self.state.with(|state| {
            let is_below = |problem: &&PlanProblem| paths.iter().any(|path| is_at_or_below(&problem.path, path));
            state.problems.iter().filter(is_below).count()
        })
    }

    /// The text was typed or replaced.
    pub(super) fn set_yaml(self, yaml: String) {
        self.yaml.set(yaml);
        self.version.update_value(|version| *version += 1);
        self.timer.update_value(|timer| {
            if let Some(timer) = timer.take() {
                timer.clear();
            }
            *timer = set_timeout_with_handle(move || self.check(), REST).ok();
        });
    }

    fn check(self) {
        let asked = self.version.get_value();
        spawn_local(async move {
            let answer = check_plan(self.yaml.get_untracked()).await;
            // Newest answer wins: one about an older text is dropped.
            if self.version.get_value() == asked {
                match answer {
                    Ok(state) => self.accept(state),
                    Err(error) => self.fail(&error),
                }
            }
        });
    }

    /// One edit of the form. Edits are applied one after the other, each to the text that the one before it made.
    pub(super) fn edit(self, edit: PlanEdit) {
        self.queue.update_value(|queue| queue.push_back(edit));
        if self.is_editing.get_untracked() {
            return;
        }
        self.is_editing.set(true);
        spawn_local(async move {
            while let Some(edit) = self.queue.with_value(|queue| queue.front().cloned()) {
                let asked = self.version.get_value();
                let answer = edit_plan(self.yaml.get_untracked(), edit).await;
                if self.version.get_value() != asked {
                    // The text was typed in meanwhile; the edit is applied to what it has become.
                    continue;
                }
                self.queue.update_value(|queue| {
                    queue.pop_front();
                });
                match answer {
                    Ok(state) => {
                        self.version.update_value(|version| *version += 1);
                        self.yaml.set(state.yaml.clone());
                        self.accept(state);
                    }
                    Err(error) => self.fail(&error),
                }
            }
            self.is_editing.set(false);
        });
    }

    fn accept(self, state: PlanState) {
        self.failure.set(None);
        if let Some(form) = &state.form {
            self.form.set(form.clone());
        }
        self.state.set(state);
        self.checked.set(self.version.get_value());
    }

    fn fail(self, error: &AppError) {
        let text = match error {
            AppError::Invalid { fields, .. } if !fields.is_empty() => {
                fields.iter().map(|field| field.message.clone()).collect::<Vec<_>>().join("; ")
            }
            other => other.to_string(),
        };
        self.failure.set(Some(format!("The change was not made: {text}.")));
        self.wants_start.set(false);
        // What the form shows is put back to what the text says.
        self.form.notify();
    }

    /// Whether the server's last answer is about the text as it stands. Tracks.
    fn is_settled(self) -> bool {
        // `yaml` changes with every version.
        self.yaml.track();
        !self.is_editing.get() && self.checked.get() == self.version.get_value()
    }

    /// Whether the form may be sent now. If not, it is sent as soon as the last change is checked and right.
    pub(super) fn may_submit(self) -> bool {
        if !untrack(|| self.is_settled()) {
            self.wants_start.set(true);
            return false;
        }
        !untrack(|| self.has_problems())
    }

    /// Sends `form` once everything is checked, where it was asked for before that.
    pub(super) fn submit_when_settled(self, form: NodeRef<Form>) {
        Effect::new(move |_| {
            if self.wants_start.get() && self.is_settled() {
                self.wants_start.set(false);
                if let Some(form) = form.get_untracked() {
                    // It fails for a submitter that is not the form's own; there is none.
                    let _ = form.request_submit();
                }
            }
        });
    }

    /// What stands beside the start button.
    pub(super) fn start_note(self) -> String {
        if self.wants_start.get() {
            return "Checking the last change…".to_owned();
        }
        self.state.with(|state| match state.problems.len() as u64 {
            0 => format!(
                "{}, {}",
                counted(state.candidates.len() as u64, "candidate", "candidates"),
                counted(state.measurements, "measurement", "measurements")
            ),
            problems => format!("{} to correct first", counted(problems, "problem", "problems")),
        })
    }
}

/// Whether `path` is `place` or lies below it.
fn is_at_or_below(path: &str, place: &str) -> bool {
    path.strip_prefix(place).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
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
