//! Fields that are one value in the text.

use leptos::prelude::*;
use podium_domain::form::{PlanEdit, PlanForm};
use podium_service::PlanCheck;

use super::{described, error_view, problems_at, template};

/// What a field is filled in with.
#[derive(Clone, Copy)]
pub(super) enum Input {
    /// Anything on one line.
    Text,
    /// A number; the keyboard of a phone follows.
    Number,
    /// One of these: value and words.
    Choice(&'static [(&'static str, &'static str)]),
}

/// What an edit of the field does to the text.
#[derive(Clone, Copy)]
pub(super) enum Target {
    /// Sets one value.
    Scalar,
    /// Sets a list.
    List,
    /// Sets a limit of the SLA, wherever the plan has them.
    Limit(&'static str),
}

/// One field.
#[derive(Clone, Copy)]
pub(super) struct Field {
    /// The label.
    pub(super) label: &'static str,
    /// Its place in the plan.
    pub(super) path: &'static str,
    /// One line of help; may be empty.
    pub(super) hint: &'static str,
    /// How it is filled in.
    pub(super) input: Input,
    /// What an edit does.
    pub(super) target: Target,
    /// Its text in the form.
    pub(super) text: fn(&PlanForm) -> &str,
}

impl Field {
    /// The edit without its value, and where that goes.
    fn edit(&self) -> (PlanEdit, &'static str) {
        let path = self.path.to_owned();
        match self.target {
            Target::Scalar => (PlanEdit::SetScalar { path, value: String::new() }, "/value"),
            Target::List => (PlanEdit::SetList { path, values: String::new() }, "/values"),
            Target::Limit(key) => (PlanEdit::SetSla { key: key.to_owned(), value: String::new() }, "/value"),
        }
    }

    fn problem(&self, check: &PlanCheck) -> Option<String> {
        match self.target {
            // Limits stand at the top or under the benchmark.
            Target::Limit(key) => problems_at(check, &format!("sla.{key}"))
                .or_else(|| problems_at(check, &format!("benchmark.sla.{key}"))),
            Target::Scalar | Target::List => problems_at(check, self.path),
        }
    }

    /// Label, input, help and problem.
    pub(super) fn view(&self, plan: &PlanForm, check: &PlanCheck) -> AnyView {
        let text = (self.text)(plan).to_owned();
        let (edit, slot) = self.edit();
        let input = Entry { id: id_of(self.path), edit, slot, text, problem: self.problem(check) };
        let hint = (!self.hint.is_empty()).then(|| view! { <span class="field-hint">{self.hint}</span> });
        view! {
            <div class="field">
                <label for=input.id.clone()>{self.label}</label>
                {input.view(self.input)}
                {hint}
                {error_view(&input.id, input.problem.clone())}
            </div>
        }
        .into_any()
    }
}

/// An input that edits the plan.
pub(super) struct Entry {
    pub(super) id: String,
    pub(super) edit: PlanEdit,
    pub(super) slot: &'static str,
    pub(super) text: String,
    pub(super) problem: Option<String>,
}

impl Entry {
    /// The input alone.
    pub(super) fn view(&self, input: Input) -> AnyView {
        let (invalid, described_by) = described(&self.id, self.problem.as_ref());
        match input {
            Input::Choice(choices) => {
                // A value that is none of them is shown all the same, so that it can be seen and corrected.
                let known = choices.iter().any(|(value, _)| *value == self.text);
                let other = (!known).then(|| {
                    view! {
                        <option value=self.text.clone() selected>
                            {if self.text.is_empty() { "by default".to_owned() } else { self.text.clone() }}
                        </option>
                    }
                });
                let options = choices
                    .iter()
                    .map(|(value, words)| {
                        view! {
                            <option value=*value selected=*value == self.text>
                                {*words}
                            </option>
                        }
                    })
                    .collect_view();
                view! {
                    <select
                        id=self.id.clone()
                        aria-invalid=invalid
                        aria-describedby=described_by
                        data-edit=template(&self.edit)
                        data-slots=self.slot
                    >
                        {other}
                        {options}
                    </select>
                }
                .into_any()
            }
            Input::Text | Input::Number => view! {
                <input
                    id=self.id.clone()
                    type="text"
                    inputmode=if matches!(input, Input::Number) { "decimal" } else { "text" }
                    autocomplete="off"
                    spellcheck="false"
                    value=self.text.clone()
                    aria-invalid=invalid
                    aria-describedby=described_by
                    data-edit=template(&self.edit)
                    data-slots=self.slot
                />
            }
            .into_any(),
        }
    }
}

/// The id of a field's input.
pub(super) fn id_of(path: &str) -> String {
    let word = path.replace(['.', '[', ']'], "-");
    format!("field-{word}")
}
