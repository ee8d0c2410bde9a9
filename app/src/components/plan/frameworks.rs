//! The frameworks: which take part, their command, base flags and searched flags.

use leptos::prelude::*;
use podium_domain::form::{FrameworkForm, PlanEdit, PlanForm};
use podium_domain::framework::Framework;
use podium_service::PlanCheck;

use super::fields::{Entry, Input, id_of};
use super::hints::hint;
use super::{error_view, problems_at, template};
use crate::components::FrameworkMark;

/// Base flags or searched flags: two tables of the same shape.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Table {
    Base,
    Search,
}

impl Table {
    const fn title(self) -> &'static str {
        match self {
            Self::Base => "Flags of every candidate",
            Self::Search => "Flags to search, values separated by commas",
        }
    }

    /// The column of values.
    const fn value(self) -> &'static str {
        match self {
            Self::Base => "Value",
            Self::Search => "Values",
        }
    }

    /// The mapping in the plan.
    const fn key(self) -> &'static str {
        match self {
            Self::Base => "base_server_flags",
            Self::Search => "search_space",
        }
    }

    /// Name and text of every row.
    fn rows(self, part: &FrameworkForm) -> Vec<(&str, &str)> {
        match self {
            Self::Base => part.base_flags.iter().map(|row| (row.name.as_str(), row.value.as_str())).collect(),
            Self::Search => part.search.iter().map(|row| (row.name.as_str(), row.values.as_str())).collect(),
        }
    }

    /// The edit that sets a flag, without the value, and where that goes.
    fn set(self, framework: Framework, flag: &str) -> (PlanEdit, &'static str) {
        let flag = flag.to_owned();
        match self {
            Self::Base => (PlanEdit::SetFlag { framework, flag, value: String::new() }, "/value"),
            Self::Search => (PlanEdit::SetSearch { framework, flag, values: String::new() }, "/values"),
        }
    }

    fn remove(self, framework: Framework, flag: &str) -> PlanEdit {
        let flag = flag.to_owned();
        match self {
            Self::Base => PlanEdit::RemoveFlag { framework, flag },
            Self::Search => PlanEdit::RemoveSearch { framework, flag },
        }
    }
}

/// Every framework: a check box, and what belongs to it once it takes part.
pub(super) fn frameworks(plan: &PlanForm, check: &PlanCheck) -> AnyView {
    plan.frameworks.iter().map(|part| framework_view(part, check)).collect_view().into_any()
}

fn framework_view(part: &FrameworkForm, check: &PlanCheck) -> AnyView {
    let framework = part.framework;
    let id = format!("framework-{}", framework.id());
    let toggle = PlanEdit::EnableFramework { framework, enabled: false };
    let problem = problems_at(check, &format!("frameworks.{}", framework.id()));
    let details = part.enabled.then(|| {
        view! {
            <details id=format!("{id}-details")>
                <summary>{format!("Command and flags of {}", part.name)}</summary>
                {scalar(part, "server_command", format!("Server command of {}", part.name), &part.server_command)}
                {scalar(
                    part,
                    "model_path",
                    format!("Model location for {}, where it differs", part.name),
                    &part.model_path,
                )}
                {table(part, check, Table::Base)}
                {table(part, check, Table::Search)}
            </details>
        }
    });
    view! {
        <div class="framework-part">
            <label class="choice">
                <input
                    type="checkbox"
                    id=id.clone()
                    checked=part.enabled
                    data-edit=template(&toggle)
                    data-slots="/enabled"
                />
                <FrameworkMark framework />
            </label>
            {error_view(&id, problem)}
            {details}
        </div>
    }
    .into_any()
}

fn scalar(part: &FrameworkForm, key: &str, label: String, text: &str) -> AnyView {
    let path = format!("frameworks.{}.{key}", part.framework.id());
    let entry = Entry {
        id: id_of(&path),
        edit: PlanEdit::SetScalar { path, value: String::new() },
        slot: "/value",
        text: text.to_owned(),
        // It is told at the framework.
        problem: None,
    };
    view! {
        <div class="field">
            <label for=entry.id.clone()>{label}</label>
            {entry.view(Input::Text)}
        </div>
    }
    .into_any()
}

fn table(part: &FrameworkForm, check: &PlanCheck, table: Table) -> AnyView {
    let framework = part.framework;
    let rows = table.rows(part).into_iter().map(|(flag, text)| flag_row(framework, check, table, flag, text));
    let title = format!("{} · {}", table.title(), part.name);
    let new = format!("new-{}-{}", table.key(), framework.id());
    let (new_flag, new_value) = (format!("{new}-flag"), format!("{new}-value"));
    let (set, slot) = table.set(framework, "");
    view! {
        <table class="rows">
            <caption class="field-label">{title.clone()}</caption>
            <thead>
                <tr>
                    <th scope="col">"Flag"</th>
                    <th scope="col">{table.value()}</th>
                    <th scope="col">
                        <span class="visually-hidden">"Change"</span>
                    </th>
                </tr>
            </thead>
            <tbody>
                {rows.collect_view()}
                <tr>
                    <td>
                        <input
                            id=new_flag.clone()
                            type="text"
                            autocomplete="off"
                            spellcheck="false"
                            list=format!("knobs-{}", framework.id())
                            aria-label=format!("New flag: {title}")
                        />
                    </td>
                    <td>
                        <input
                            id=new_value.clone()
                            type="text"
                            autocomplete="off"
                            spellcheck="false"
                            aria-label=format!("New value: {title}")
                        />
                    </td>
                    <td>
                        <button
                            type="button"
                            class="button button-small"
                            aria-label=format!("Add to: {title}")
                            data-edit=template(&set)
                            data-slots=format!("/flag {slot}")
                            data-inputs=format!("{new_flag} {new_value}")
                        >
                            "Add"
                        </button>
                    </td>
                </tr>
            </tbody>
        </table>
    }
    .into_any()
}

fn flag_row(framework: Framework, check: &PlanCheck, table: Table, flag: &str, text: &str) -> AnyView {
    let path = format!("frameworks.{}.{}.{flag}", framework.id(), table.key());
    let (edit, slot) = table.set(framework, flag);
    let entry = Entry { id: id_of(&path), edit, slot, text: text.to_owned(), problem: problems_at(check, &path) };
    view! {
        <tr>
            <th scope="row">
                <label for=entry.id.clone()>
                    <code>{flag.to_owned()}</code>
                </label>
                {hint(framework, check, &path, flag)}
            </th>
            <td>{entry.view(Input::Text)}</td>
            <td>
                <button
                    type="button"
                    class="button button-small"
                    aria-label=format!("Remove {flag}")
                    data-edit=template(&table.remove(framework, flag))
                    data-slots=""
                >
                    "✕"
                </button>
            </td>
        </tr>
    }
    .into_any()
}
