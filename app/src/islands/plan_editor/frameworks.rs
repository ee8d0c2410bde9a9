//! The frameworks: which take part, their command, base flags and searched flags.

use leptos::prelude::*;
use podium_domain::form::{FrameworkForm, PlanEdit};
use podium_domain::framework::Framework;

use super::state::Editor;

/// Base flags or searched flags: two tables of the same shape.
#[derive(Clone, Copy, PartialEq)]
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

    const fn key(self) -> &'static str {
        match self {
            Self::Base => "base_server_flags",
            Self::Search => "search_space",
        }
    }

    /// Name and text of every row.
    fn rows(self, form: &FrameworkForm) -> Vec<(String, String)> {
        match self {
            Self::Base => form.base_flags.iter().map(|row| (row.name.clone(), row.value.clone())).collect(),
            Self::Search => form.search.iter().map(|row| (row.name.clone(), row.values.clone())).collect(),
        }
    }

    fn set(self, framework: Framework, flag: String, text: String) -> PlanEdit {
        match self {
            Self::Base => PlanEdit::SetFlag { framework, flag, value: text },
            Self::Search => PlanEdit::SetSearch { framework, flag, values: text },
        }
    }

    fn remove(self, framework: Framework, flag: String) -> PlanEdit {
        match self {
            Self::Base => PlanEdit::RemoveFlag { framework, flag },
            Self::Search => PlanEdit::RemoveSearch { framework, flag },
        }
    }
}

/// Every framework: a check box, and what belongs to it once it takes part.
#[component]
pub(super) fn Frameworks(editor: Editor) -> impl IntoView {
    let known = Memo::new(move |_| {
        editor
            .form
            .with(|form| form.frameworks.iter().map(|part| (part.framework, part.name.clone())).collect::<Vec<_>>())
    });
    view! {
        <For each=move || known.get() key=|(framework, _)| *framework let:part>
            {framework_view(editor, part.0, part.1)}
        </For>
    }
    .into_any()
}

fn framework_view(editor: Editor, framework: Framework, name: String) -> AnyView {
    let part = Memo::new(move |_| {
        editor.form.with(|form| form.frameworks.iter().find(|part| part.framework == framework).cloned())
    });
    // Its id, without the framework table, which is not in the browser's code.
    let id = serde_json::to_value(framework).ok().and_then(|id| id.as_str().map(str::to_owned)).unwrap_or_default();
    let enabled = Memo::new(move |_| part.with(|part| part.as_ref().is_some_and(|part| part.enabled)));
    let command = Memo::new(move |_| part.with(|part| part.as_ref().map(|part| part.server_command.clone())));
    let model_path = Memo::new(move |_| part.with(|part| part.as_ref().map(|part| part.model_path.clone())));
    let path = format!("frameworks.{id}");
    let problem = {
        let path = path.clone();
        Memo::new(move |_| editor.problems_at(&path))
    };
    view! {
        <div class="framework-part">
            <label class="choice">
                <input
                    type="checkbox"
                    prop:checked=move || enabled.get()
                    on:change=move |event| editor.edit(PlanEdit::EnableFramework { framework, enabled: event_target_checked(&event) })
                />
                <span class=format!("framework framework-{id}")>{name.clone()}</span>
            </label>
            <span class="field-error" hidden=move || problem.with(Option::is_none)>
                {move || problem.get()}
            </span>
            <Show when=move || enabled.get()>
                <details>
                    <summary>{format!("Command and flags of {name}")}</summary>
                    {scalar(editor, format!("{path}.server_command"), format!("Server command of {name}"), command)}
                    {scalar(editor, format!("{path}.model_path"), format!("Model location for {name}, where it differs"), model_path)}
                    {table(editor, framework, &id, &name, part, Table::Base)}
                    {table(editor, framework, &id, &name, part, Table::Search)}
                </details>
            </Show>
        </div>
    }
    .into_any()
}

fn scalar(editor: Editor, path: String, label: String, value: Memo<Option<String>>) -> AnyView {
    let id = super::fields::id_of(&path);
    let change = move |text: String| {
        if value.with_untracked(|value| value.as_ref() != Some(&text)) {
            editor.edit(PlanEdit::SetScalar { path: path.clone(), value: text });
        }
    };
    view! {
        <div class="field">
            <label for=id.clone()>{label}</label>
            <input
                id=id
                type="text"
                autocomplete="off"
                spellcheck="false"
                prop:value=move || value.get().unwrap_or_default()
                on:change=move |event| change(event_target_value(&event))
            />
        </div>
    }
    .into_any()
}

fn table(
    editor: Editor,
    framework: Framework,
    id: &str,
    name: &str,
    part: Memo<Option<FrameworkForm>>,
    table: Table,
) -> AnyView {
    let rows = Memo::new(move |_| part.with(|part| part.as_ref().map(|part| table.rows(part)).unwrap_or_default()));
    let names = move || rows.with(|rows| rows.iter().map(|(name, _)| name.clone()).collect::<Vec<_>>());
    let place = format!("frameworks.{id}.{}", table.key());
    let (new_flag, new_value) = (RwSignal::new(String::new()), RwSignal::new(String::new()));
    let add = move |_| {
        let (flag, value) = (new_flag.get_untracked(), new_value.get_untracked());
        if !flag.trim().is_empty() && !value.trim().is_empty() {
            editor.edit(table.set(framework, flag.trim().to_owned(), value.trim().to_owned()));
            new_flag.set(String::new());
            new_value.set(String::new());
        }
    };
    let title = table.title();
    view! {
        <table class="rows">
            <caption class="field-label">{format!("{title} · {name}")}</caption>
            <thead>
                <tr>
                    <th scope="col">"Flag"</th>
                    <th scope="col">{if table == Table::Base { "Value" } else { "Values" }}</th>
                    <th scope="col">
                        <span class="visually-hidden">"Change"</span>
                    </th>
                </tr>
            </thead>
            <tbody>
                <For each=names key=|flag| flag.clone() let:flag>
                    {flag_row(editor, framework, flag, place.clone(), rows, table)}
                </For>
                <tr>
                    <td>
                        <input
                            type="text"
                            autocomplete="off"
                            list=format!("knobs-{id}")
                            aria-label=format!("New flag: {title} of {name}")
                            prop:value=move || new_flag.get()
                            on:input=move |event| new_flag.set(event_target_value(&event))
                        />
                    </td>
                    <td>
                        <input
                            type="text"
                            autocomplete="off"
                            aria-label=format!("New value: {title} of {name}")
                            prop:value=move || new_value.get()
                            on:input=move |event| new_value.set(event_target_value(&event))
                        />
                    </td>
                    <td>
                        <button type="button" class="button button-small" on:click=add>
                            "Add"
                        </button>
                    </td>
                </tr>
            </tbody>
        </table>
    }
    .into_any()
}

fn flag_row(
    editor: Editor,
    framework: Framework,
    flag: String,
    place: String,
    rows: Memo<Vec<(String, String)>>,
    table: Table,
) -> AnyView {
    let value = {
        let flag = flag.clone();
        Memo::new(move |_| {
            rows.with(|rows| {
                rows.iter().find(|(name, _)| *name == flag).map(|(_, text)| text.clone()).unwrap_or_default()
            })
        })
    };
    let path = format!("{place}.{flag}");
    let invalid = move || if editor.problems_at(&path).is_some() { "true" } else { "false" };
    let change = {
        let flag = flag.clone();
        move |text: String| {
            if value.with_untracked(|value| *value != text) {
                editor.edit(table.set(framework, flag.clone(), text));
            }
        }
    };
    let remove = {
        let flag = flag.clone();
        move |_| editor.edit(table.remove(framework, flag.clone()))
    };
    view! {
        <tr>
            <th scope="row">
                <code>{flag.clone()}</code>
            </th>
            <td>
                <input
                    type="text"
                    autocomplete="off"
                    spellcheck="false"
                    aria-label=format!("{flag}: {}", table.title())
                    aria-invalid=invalid
                    prop:value=move || value.get()
                    on:change=move |event| change(event_target_value(&event))
                />
            </td>
            <td>
                <button type="button" class="button button-small" aria-label=format!("Remove {flag}") on:click=remove>
                    "Remove"
                </button>
            </td>
        </tr>
    }
    .into_any()
}
