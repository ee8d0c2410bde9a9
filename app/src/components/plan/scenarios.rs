//! The scenarios: one row each, three aligned lists in the text.

use leptos::prelude::*;
use podium_domain::form::{PlanEdit, PlanForm, ScenarioRow};
use podium_service::PlanCheck;

use super::fields::{Entry, Input, id_of};
use super::{error_view, problems_at, template};

/// A column of the table.
struct Column {
    label: &'static str,
    /// The list in the plan.
    path: &'static str,
    input: Input,
    text: fn(&ScenarioRow) -> &String,
}

const COLUMNS: [Column; 3] = [
    Column { label: "Name", path: "dataset.scenario_names", input: Input::Text, text: |row| &row.name },
    Column { label: "Input tokens", path: "dataset.input_len", input: Input::Number, text: |row| &row.input_len },
    Column { label: "Output tokens", path: "dataset.output_len", input: Input::Number, text: |row| &row.output_len },
];

/// The table, with a button that adds a row.
pub(super) fn scenarios(plan: &PlanForm, check: &PlanCheck) -> AnyView {
    let rows = plan.scenarios.iter().enumerate().map(|(index, scenario)| row(check, index, scenario)).collect_view();
    let heads = COLUMNS.iter().map(|column| view! { <th scope="col">{column.label}</th> }).collect_view();
    let problems: Vec<_> = COLUMNS.iter().filter_map(|column| problems_at(check, column.path)).collect();
    let add = PlanEdit::AddScenario {
        scenario: ScenarioRow {
            name: format!("scenario-{}", plan.scenarios.len() + 1),
            input_len: "1000".to_owned(),
            output_len: "200".to_owned(),
        },
    };
    view! {
        <div class="field">
            <table class="rows">
                <caption class="field-label">"Scenarios"</caption>
                <thead>
                    <tr>
                        {heads}
                        <th scope="col">
                            <span class="visually-hidden">"Remove"</span>
                        </th>
                    </tr>
                </thead>
                <tbody>{rows}</tbody>
            </table>
            {error_view("field-scenarios", (!problems.is_empty()).then(|| problems.join("; ")))}
            <div>
                <button type="button" class="button button-small" data-edit=template(&add) data-slots="">
                    "Add a scenario"
                </button>
            </div>
        </div>
    }
    .into_any()
}

fn row(check: &PlanCheck, index: usize, scenario: &ScenarioRow) -> AnyView {
    let cells = COLUMNS.iter().map(|column| {
        let path = format!("{}[{index}]", column.path);
        let entry = Entry {
            id: id_of(&path),
            problem: problems_at(check, &path),
            edit: PlanEdit::SetScalar { path, value: String::new() },
            slot: "/value",
            text: (column.text)(scenario).clone(),
        };
        view! {
            <td>
                <label class="visually-hidden" for=entry.id.clone()>
                    {format!("{} of scenario {}", column.label, index + 1)}
                </label>
                {entry.view(column.input)}
            </td>
        }
    });
    let remove = PlanEdit::RemoveScenario { index: index as u32 };
    view! {
        <tr>
            {cells.collect_view()}
            <td>
                <button
                    type="button"
                    class="button button-small"
                    aria-label=format!("Remove scenario {}", index + 1)
                    data-edit=template(&remove)
                    data-slots=""
                >
                    "✕"
                </button>
            </td>
        </tr>
    }
    .into_any()
}
