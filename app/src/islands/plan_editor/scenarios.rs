//! The scenarios: one row each, three aligned lists in the text.

use leptos::prelude::*;
use podium_domain::form::{PlanEdit, ScenarioRow};

use super::state::Editor;

/// A column of the table.
#[derive(Clone, Copy)]
struct Column {
    label: &'static str,
    /// The list in the plan.
    path: &'static str,
    get: fn(&ScenarioRow) -> &String,
    set: fn(&mut ScenarioRow, String),
}

const COLUMNS: [Column; 3] = [
    Column { label: "Name", path: "dataset.scenario_names", get: |row| &row.name, set: |row, text| row.name = text },
    Column {
        label: "Input tokens",
        path: "dataset.input_len",
        get: |row| &row.input_len,
        set: |row, text| row.input_len = text,
    },
    Column {
        label: "Output tokens",
        path: "dataset.output_len",
        get: |row| &row.output_len,
        set: |row, text| row.output_len = text,
    },
];

/// The table, with a row to add.
#[component]
pub(super) fn Scenarios(editor: Editor) -> impl IntoView {
    let count = Memo::new(move |_| editor.form.with(|form| form.scenarios.len()));
    let add = move |_| {
        let name = format!("scenario-{}", count.get_untracked() + 1);
        let scenario = ScenarioRow { name, input_len: "1000".to_owned(), output_len: "200".to_owned() };
        editor.edit(PlanEdit::AddScenario { scenario });
    };
    let problem = Memo::new(move |_| {
        let problems: Vec<_> = COLUMNS.iter().filter_map(|column| editor.problems_at(column.path)).collect();
        (!problems.is_empty()).then(|| problems.join("; "))
    });
    view! {
        <div class="field">
            <table class="rows">
                <caption class="field-label">"Scenarios"</caption>
                <thead>
                    <tr>
                        {COLUMNS.map(|column| view! { <th scope="col">{column.label}</th> }).collect_view()} <th scope="col">
                            <span class="visually-hidden">"Remove"</span>
                        </th>
                    </tr>
                </thead>
                <tbody>
                    <For each=move || 0..count.get() key=|index| *index let:index>
                        {row_view(editor, index)}
                    </For>
                </tbody>
            </table>
            <span class="field-error" hidden=move || problem.with(Option::is_none)>
                {move || problem.get()}
            </span>
            <div>
                <button type="button" class="button button-small" on:click=add>
                    "Add a scenario"
                </button>
            </div>
        </div>
    }
    .into_any()
}

fn row_view(editor: Editor, index: usize) -> AnyView {
    let row = Memo::new(move |_| editor.form.with(|form| form.scenarios.get(index).cloned().unwrap_or_default()));
    let cells = COLUMNS.map(|column| {
        let change = move |text: String| {
            let mut scenario = row.get_untracked();
            (column.set)(&mut scenario, text);
            if scenario != row.get_untracked() {
                editor.edit(PlanEdit::SetScenario { index: index as u32, scenario });
            }
        };
        let problem =
            move || if editor.problems_at(&format!("{}[{index}]", column.path)).is_some() { "true" } else { "false" };
        view! {
            <td>
                <input
                    type="text"
                    autocomplete="off"
                    aria-label=format!("{} of scenario {}", column.label, index + 1)
                    aria-invalid=problem
                    prop:value=move || row.with(|row| (column.get)(row).clone())
                    on:change=move |event| change(event_target_value(&event))
                />
            </td>
        }
        .into_any()
    });
    view! {
        <tr>
            {cells.into_iter().collect_view()}
            <td>
                <button
                    type="button"
                    class="button button-small"
                    aria-label=format!("Remove scenario {}", index + 1)
                    on:click=move |_| editor.edit(PlanEdit::RemoveScenario { index: index as u32 })
                >
                    "Remove"
                </button>
            </td>
        </tr>
    }
    .into_any()
}
