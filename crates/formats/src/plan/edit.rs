//! The form's edits, applied to a plan's text.

use podium_domain::form::{PlanEdit, ScenarioRow};
use podium_domain::framework::Framework;
use podium_domain::sla::SLA_KEYS;
use serde_json::Value;

use super::inline::{quote, typed, typed_list};
use super::problem::Problem;
use super::project::{is_product, lookup, project};
use super::read::without_bom;
use super::splice::{Fragment, Step, remove, set, steps};
use super::starter;
use super::tree::{self, Content, Node};

/// Applies one edit. Comments, key order and every line that the edit does not concern stay as they are. The edited
/// plan may still have problems: the edit only says what the text shall hold.
pub fn apply(text: &str, edit: &PlanEdit) -> Result<String, Problem> {
    let text = without_bom(text);
    match edit {
        PlanEdit::SetScalar { path, value } => set_typed(text, &parsed(path)?, value),
        PlanEdit::SetList { path, values } => set_typed_list(text, &parsed(path)?, values),
        PlanEdit::Remove { path } => remove(text, &parsed(path)?),
        PlanEdit::SetSla { key, value } => set_sla(text, key, value),
        PlanEdit::SetScenario { index, scenario } => set_scenario(text, *index as usize, scenario),
        PlanEdit::AddScenario { scenario } => set_scenario(text, scenarios(text)?.len(), scenario),
        PlanEdit::RemoveScenario { index } => remove_scenario(text, *index as usize),
        PlanEdit::EnableFramework { framework, enabled } => enable(text, *framework, *enabled),
        PlanEdit::ProposeSearch { tier } => propose(text, starter::tier_of(tier)),
        PlanEdit::SetFlag { framework, flag, value } => {
            set_typed(text, &flag_path(text, *framework, "base_server_flags", flag)?, value)
        }
        PlanEdit::RemoveFlag { framework, flag } => {
            remove(text, &flag_path(text, *framework, "base_server_flags", flag)?)
        }
        PlanEdit::SetSearch { framework, flag, values } => {
            set_typed_list(text, &flag_path(text, *framework, "search_space", flag)?, values)
        }
        PlanEdit::RemoveSearch { framework, flag } => remove(text, &flag_path(text, *framework, "search_space", flag)?),
    }
}

fn parsed(path: &str) -> Result<Vec<Step>, Problem> {
    steps(path).ok_or_else(|| Problem::new(path, None, format!("`{path}` is not a path: write keys separated by dots")))
}

fn keys<const N: usize>(keys: [&str; N]) -> Vec<Step> {
    keys.iter().map(|key| Step::Key((*key).to_owned())).collect()
}

fn set_typed(text: &str, path: &[Step], value: &str) -> Result<String, Problem> {
    if value.trim().is_empty() { remove(text, path) } else { set(text, path, &Fragment::inline(typed(value))) }
}

fn set_typed_list(text: &str, path: &[Step], values: &str) -> Result<String, Problem> {
    if values.trim().is_empty() {
        return remove(text, path);
    }
    let list = typed_list(values).ok_or_else(|| {
        let message = format!("`{values}` is not a list: separate the values with commas");
        Problem::new(super::splice::display(path), None, message)
    })?;
    set(text, path, &Fragment::inline(list))
}

/// The limits stay where the plan has them; a plan without limits gets them at the top.
fn set_sla(text: &str, key: &str, value: &str) -> Result<String, Problem> {
    if !SLA_KEYS.contains(&key) {
        let message = format!("`{key}` is not a limit: the limits are {}", SLA_KEYS.join(", "));
        return Err(Problem::new("sla", None, message));
    }
    let root = tree::parse(text)?.root;
    let has = |path: &[&str]| lookup(&root, path).is_some_and(|node| !node.is_null());
    let path =
        if !has(&["sla"]) && has(&["benchmark", "sla"]) { keys(["benchmark", "sla", key]) } else { keys(["sla", key]) };
    set_typed(text, &path, value)
}

/// The aligned lists of scenarios, in the order of [`ScenarioRow`]'s fields.
const SCENARIO_LISTS: [&str; 3] = ["scenario_names", "input_len", "output_len"];

fn scenarios(text: &str) -> Result<Vec<ScenarioRow>, Problem> {
    project(text).map(|form| form.scenarios).map_err(|problems| {
        problems.into_iter().next().unwrap_or_else(|| Problem::new("", None, "the plan cannot be read"))
    })
}

/// The scenario as items of the three lists. What is empty becomes null, which the validation then names.
fn scenario_items(row: &ScenarioRow) -> [(String, Value); 3] {
    let length = |text: &str| if text.trim().is_empty() { ("null".to_owned(), Value::Null) } else { typed(text) };
    let name = row.name.trim();
    let name = if name.is_empty() { ("null".to_owned(), Value::Null) } else { (quote(name), name.into()) };
    [name, length(&row.input_len), length(&row.output_len)]
}

/// Changes scenario `index`, or adds it where `index` is one past the last.
fn set_scenario(text: &str, index: usize, row: &ScenarioRow) -> Result<String, Problem> {
    let mut rows = scenarios(text)?;
    if index > rows.len() {
        return Err(no_scenario(index, rows.len()));
    }
    let root = tree::parse(text)?.root;
    let list = |key: &str| lookup(&root, &["dataset", key]).and_then(Node::items);
    let aligned =
        !is_product(&root) && SCENARIO_LISTS.iter().all(|key| list(key).is_some_and(|items| items.len() == rows.len()));
    let mut text = text.to_owned();
    if aligned && !rows.is_empty() {
        for (key, item) in SCENARIO_LISTS.into_iter().zip(scenario_items(row)) {
            let current = list(key).and_then(|items| items.get(index)).map(Node::to_value);
            if current.as_ref() != Some(&item.1) {
                let mut path = keys(["dataset", key]);
                path.push(Step::Index(index));
                text = set(&text, &path, &Fragment::inline(item))?;
            }
        }
        return Ok(text);
    }
    if index == rows.len() {
        rows.push(row.clone())
    } else {
        rows[index] = row.clone()
    }
    write_scenarios(text, &rows)
}

/// Writes all three lists, where they are not aligned as they are. Pairs of lengths become plain scenarios by that.
fn write_scenarios(mut text: String, rows: &[ScenarioRow]) -> Result<String, Problem> {
    text = remove(&text, &keys(["dataset", "scenario_product"]))?;
    let items: Vec<_> = rows.iter().map(scenario_items).collect();
    for (column, key) in SCENARIO_LISTS.into_iter().enumerate() {
        let written: Vec<_> = items.iter().map(|row| row[column].0.as_str()).collect();
        let value = items.iter().map(|row| row[column].1.clone()).collect();
        let list = (format!("[{}]", written.join(", ")), value);
        text = set(&text, &keys(["dataset", key]), &Fragment::inline(list))?;
    }
    Ok(text)
}

fn remove_scenario(text: &str, index: usize) -> Result<String, Problem> {
    let mut rows = scenarios(text)?;
    if index >= rows.len() {
        return Err(no_scenario(index, rows.len()));
    }
    if is_product(&tree::parse(text)?.root) {
        rows.remove(index);
        return write_scenarios(text.to_owned(), &rows);
    }
    let mut text = text.to_owned();
    for key in SCENARIO_LISTS {
        let mut path = keys(["dataset", key]);
        path.push(Step::Index(index));
        text = remove(&text, &path)?;
    }
    Ok(text)
}

fn no_scenario(index: usize, count: usize) -> Problem {
    Problem::new("dataset", None, format!("there is no scenario {}: the plan has {count}", index + 1))
}

fn enable(text: &str, framework: Framework, enabled: bool) -> Result<String, Problem> {
    let root = tree::parse(text)?.root;
    let id = framework.id();
    let part = lookup(&root, &["frameworks", id]).filter(|node| !node.is_null());
    match part {
        Some(part) => {
            let disabled =
                part.get("enabled").is_some_and(|node| matches!(node.content, Content::Scalar(Value::Bool(false))));
            // No `enabled` means enabled: nothing is written that says only that.
            if disabled != enabled {
                return Ok(text.to_owned());
            }
            set_typed(text, &keys(["frameworks", id, "enabled"]), if enabled { "true" } else { "false" })
        }
        None if enabled => {
            let form = project(text).unwrap_or_default();
            let lines = starter::framework_lines(framework, &starter::Sizes::of_form(&form));
            let value = tree::parse(&lines.join("\n"))?.root.to_value();
            set(text, &keys(["frameworks", id]), &Fragment::block(lines, value))
        }
        None => Ok(text.to_owned()),
    }
}

/// The smallest search that answers a question of this depth, for every framework that takes part.
fn propose(text: &str, tier: u8) -> Result<String, Problem> {
    let enabled: Vec<Framework> = project(text)
        .unwrap_or_default()
        .frameworks
        .iter()
        .filter(|form| form.enabled)
        .map(|form| form.framework)
        .collect();
    let mut text = set_typed(text, &keys(["search", "tier"]), &tier.to_string())?;
    let limit = starter::proposed_limit(tier).to_string();
    text = set_typed(&text, &keys(["search", "max_candidates_per_framework"]), &limit)?;
    for framework in enabled {
        let lines: Vec<_> = starter::proposed_search(framework, tier)
            .into_iter()
            .map(|(flag, values)| format!("{flag}: {values}"))
            .collect();
        let value = tree::parse(&lines.join("\n"))?.root.to_value();
        let place = keys(["frameworks", framework.id(), "search_space"]);
        text = set(&remove(&text, &place)?, &place, &Fragment::block(lines, value))?;
    }
    Ok(text)
}

/// The place of a flag, as the plan spells it where it has it.
fn flag_path(text: &str, framework: Framework, part: &str, flag: &str) -> Result<Vec<Step>, Problem> {
    let id = framework.id();
    let name = flag.trim().trim_start_matches("--").replace('-', "_");
    if name.is_empty() || !name.chars().all(|c| c.is_ascii_alphanumeric() || "_.".contains(c)) {
        let message = format!("`{flag}` is not the name of a flag: use letters, digits, underscores and dots");
        return Err(Problem::new(format!("frameworks.{id}.{part}"), None, message));
    }
    let root = tree::parse(text)?.root;
    let Some(framework) = lookup(&root, &["frameworks", id]) else {
        let message = format!("the plan has no part for {}: enable it first", framework.name());
        return Err(Problem::new(format!("frameworks.{id}"), None, message));
    };
    let entries = framework.get(part).and_then(Node::entries).unwrap_or_default();
    let spelled = entries.iter().find(|entry| entry.key.replace('-', "_") == name).map(|entry| entry.key.as_str());
    Ok(keys(["frameworks", id, part, spelled.unwrap_or(&name)]))
}
