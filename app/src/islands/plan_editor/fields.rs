//! Fields that are one value in the text.

use leptos::prelude::*;
use podium_domain::form::{PlanEdit, PlanForm};

use super::state::Editor;

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
    fn edit(&self, value: String) -> PlanEdit {
        match self.target {
            Target::Scalar => PlanEdit::SetScalar { path: self.path.to_owned(), value },
            Target::List => PlanEdit::SetList { path: self.path.to_owned(), values: value },
            Target::Limit(key) => PlanEdit::SetSla { key: key.to_owned(), value },
        }
    }

    /// Label, input, help and problem.
    pub(super) fn view(self, editor: Editor) -> AnyView {
        let id = id_of(self.path);
        let text = self.text;
        let value = Memo::new(move |_| editor.form.with(|form| text(form).to_owned()));
        let problem = Memo::new(move |_| match self.target {
            // Limits stand at the top or under the benchmark.
            Target::Limit(key) => editor
                .problems_at(&format!("sla.{key}"))
                .or_else(|| editor.problems_at(&format!("benchmark.sla.{key}"))),
            Target::Scalar | Target::List => editor.problems_at(self.path),
        });
        let error_id = format!("{id}-error");
        let described = {
            let error_id = error_id.clone();
            move || problem.with(Option::is_some).then(|| error_id.clone())
        };
        let invalid = move || if problem.with(Option::is_some) { "true" } else { "false" };
        let change = move |text: String| {
            if value.with_untracked(|value| *value != text) {
                editor.edit(self.edit(text));
            }
        };
        let input = match self.input {
            Input::Choice(choices) => view! {
                <select
                    id=id.clone()
                    aria-invalid=invalid
                    aria-describedby=described
                    prop:value=move || value.get()
                    on:change=move |event| change(event_target_value(&event))
                >
                    {choices.iter().map(|(value, words)| view! { <option value=*value>{*words}</option> }).collect_view()}
                </select>
            }
            .into_any(),
            Input::Text | Input::Number => view! {
                <input
                    id=id.clone()
                    type="text"
                    inputmode=if matches!(self.input, Input::Number) { "decimal" } else { "text" }
                    autocomplete="off"
                    spellcheck="false"
                    aria-invalid=invalid
                    aria-describedby=described
                    prop:value=move || value.get()
                    on:change=move |event| change(event_target_value(&event))
                />
            }
            .into_any(),
        };
        let hint = (!self.hint.is_empty()).then(|| view! { <span class="field-hint">{self.hint}</span> });
        view! {
            <div class="field">
                <label for=id>{self.label}</label>
                {input}
                {hint}
                <span class="field-error" id=error_id hidden=move || problem.with(Option::is_none)>
                    {move || problem.get()}
                </span>
            </div>
        }
        .into_any()
    }
}

/// The id of a field's input.
pub(super) fn id_of(path: &str) -> String {
    let word = path.replace(['.', '[', ']'], "-");
    format!("field-{word}")
}
