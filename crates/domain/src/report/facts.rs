//! The facts at the head of a report: what was asked, and what it ran on.

use std::collections::BTreeSet;

use super::*;
use crate::load::PlannedLoad;
use crate::plan::{Plan, Scenario};

/// The plan's scenarios in its order, then those that only rows name, in name order.
pub(super) fn scenario_names(plan: Option<&Plan>, rows: &[ResultRow]) -> Vec<String> {
    let mut names: Vec<String> =
        plan.map(|plan| plan.dataset.scenarios.iter().map(|s| s.name.clone()).collect()).unwrap_or_default();
    let in_rows: BTreeSet<&str> = rows.iter().map(ResultRow::scenario).collect();
    names.extend(
        in_rows.into_iter().filter(|name| !names.iter().any(|n| n == name)).map(str::to_owned).collect::<Vec<_>>(),
    );
    names
}

pub(super) fn candidates(input: &ReportInput<'_>, rows: &[ResultRow]) -> u64 {
    let in_rows = rows.iter().map(|row| (&row.framework, &row.candidate_id)).collect::<BTreeSet<_>>().len() as u64;
    in_rows.max(input.searches.iter().map(|search| search.candidates).sum())
}

pub(super) fn title(input: &ReportInput<'_>, rows: &[ResultRow]) -> String {
    if let Some(plan) = input.plan {
        return plan.title();
    }
    let models: BTreeSet<&str> = rows.iter().filter_map(|row| row.model.as_deref()).collect();
    let last_part = |model: &str| model.trim_end_matches('/').rsplit('/').next().unwrap_or(model).to_owned();
    let model = match models.len() {
        0 => "Comparison".to_owned(),
        1 => models.first().map(|model| last_part(model)).unwrap_or_default(),
        n => format!("{n} models"),
    };
    format!("{model} · {}", scenario_names(None, rows).join(", "))
}

pub(super) fn simulated(rows: &[ResultRow]) -> Vec<String> {
    let ids: BTreeSet<&str> = rows.iter().filter(|row| row.is_simulated()).map(|row| row.framework.as_str()).collect();
    ids.into_iter().map(str::to_owned).collect()
}

/// The value that all rows share; `None` where they differ or do not say.
fn shared<T: PartialEq>(values: impl IntoIterator<Item = T>) -> Option<T> {
    let mut values = values.into_iter();
    let first = values.next()?;
    values.all(|value| value == first).then_some(first)
}

pub(super) fn workload(plan: Option<&Plan>, rows: &[ResultRow], scenarios: &[String]) -> Workload {
    let facts = |name: &String| {
        let (input, output) = match plan.and_then(|plan| plan.dataset.scenarios.iter().find(|s| s.name == *name)) {
            Some(Scenario { input_len: Some(input), output_len: Some(output), .. }) => {
                (Lengths::Exact { tokens: (*input).into() }, Lengths::Exact { tokens: (*output).into() })
            }
            _ => lengths(rows, name),
        };
        ScenarioFacts { name: name.clone(), input, output }
    };
    let scenarios = scenarios.iter().map(facts).collect();
    match plan {
        Some(plan) => Workload {
            model: Some(plan.model.name.clone()),
            tokenizer: plan.model.tokenizer.clone(),
            precision: plan.model.precision.clone(),
            quantization: plan.model.quantization.clone(),
            dataset_kind: Some(plan.dataset.kind.clone()),
            dataset_path: plan.dataset.path.clone(),
            num_prompts: Some(plan.dataset.num_prompts.into()),
            seed: Some(plan.dataset.seed),
            endpoint: Some(plan.benchmark.endpoint.path().to_owned()),
            loads: plan.benchmark.planned_loads().iter().map(load_text).collect(),
            scenarios,
        },
        None => Workload {
            model: shared(rows.iter().filter_map(|row| row.model.clone())),
            dataset_kind: shared(rows.iter().filter_map(|row| row.workload.kind.clone())),
            dataset_path: shared(rows.iter().filter_map(|row| row.workload.dataset_path.clone())),
            num_prompts: shared(rows.iter().filter_map(|row| row.workload.num_prompts)),
            endpoint: shared(rows.iter().filter_map(|row| row.workload.endpoint.clone())),
            loads: rows.iter().filter_map(ResultRow::load_text).collect::<BTreeSet<_>>().into_iter().collect(),
            scenarios,
            ..Workload::default()
        },
    }
}

fn load_text(load: &PlannedLoad) -> String {
    match load {
        PlannedLoad::Fixed { point } => point.to_string(),
        PlannedLoad::RateSearch { range, max_concurrency } => {
            let cap = max_concurrency.map(|cap| format!(", at most {cap} in flight")).unwrap_or_default();
            format!("highest rate within the SLA, {} to {} req/s{cap}", range.lower, range.upper)
        }
        PlannedLoad::ConcurrencySearch { range } => {
            format!("most requests in flight within the SLA, {} to {}", range.lower, range.upper)
        }
    }
}

/// The lengths of a scenario as its rows tell them.
pub(super) fn lengths(rows: &[ResultRow], scenario: &str) -> (Lengths, Lengths) {
    let of = |exact: fn(&ResultRow) -> Option<u64>, spread: fn(&ResultRow) -> (Option<f64>, Option<f64>)| {
        let rows = || rows.iter().filter(|row| row.scenario() == scenario);
        if let Some(tokens) = rows().find_map(exact) {
            return Lengths::Exact { tokens };
        }
        let known = rows().map(spread).find_map(|(p50, p95)| Some(Lengths::Spread { p50: p50?, p95 }));
        known.unwrap_or(Lengths::Unknown)
    };
    (
        of(|row| row.workload.input_len, |row| (row.workload.input_len_p50, row.workload.input_len_p95)),
        of(|row| row.workload.output_len, |row| (row.workload.output_len_p50, row.workload.output_len_p95)),
    )
}

pub(super) fn sla(plan: Option<&Plan>, rows: &[ResultRow]) -> Sla {
    match plan {
        Some(plan) => plan.sla.clone(),
        None => shared(rows.iter().map(ResultRow::limits).filter(|limits| !limits.is_empty())).unwrap_or_default(),
    }
}

pub(super) fn hardware(input: &ReportInput<'_>, rows: &[ResultRow]) -> HardwareFacts {
    HardwareFacts {
        gpu_model: shared(rows.iter().filter_map(|row| row.hardware.gpu_model.clone()))
            .or_else(|| input.plan.and_then(|plan| plan.hardware.gpu_model.clone())),
        gpu_count: match rows.is_empty() {
            true => input.plan.map(|plan| plan.hardware.gpu_count.into()),
            false => shared(rows.iter().filter_map(|row| row.hardware.gpu_count)),
        },
        host: input.host.clone(),
    }
}

pub(super) fn versions(rows: &[ResultRow]) -> Vec<FrameworkVersion> {
    let mut versions: Vec<FrameworkVersion> = Vec::new();
    for row in rows {
        let version = FrameworkVersion {
            framework: row.framework.clone(),
            version: row.framework_version.clone(),
            commit: row.framework_commit.clone(),
            simulated: row.is_simulated(),
        };
        if !versions.contains(&version) {
            versions.push(version);
        }
    }
    // A row that does not know its version adds nothing where another one of its framework does.
    let known: BTreeSet<String> =
        versions.iter().filter(|v| v.version.is_some()).map(|v| v.framework.clone()).collect();
    versions.retain(|v| v.version.is_some() || v.commit.is_some() || !known.contains(&v.framework));
    versions
}

/// The limits of an SLA in words, as (metric, limit), for example (`p50 TTFT`, `at most 500 ms`).
pub fn limit_texts(sla: &Sla) -> Vec<(&'static str, String)> {
    let at_most_ms = |limit: Option<f64>| limit.map(|ms| format!("at most {ms} ms"));
    let limits = [
        ("p50 TTFT", at_most_ms(sla.max_p50_ttft_ms)),
        ("p50 TPOT", at_most_ms(sla.max_p50_tpot_ms)),
        ("p50 E2E", at_most_ms(sla.max_p50_e2e_ms)),
        ("success rate", sla.min_success_rate.map(|rate| format!("at least {} %", figure(rate * 100.0)))),
    ];
    limits.into_iter().filter_map(|(metric, text)| Some((metric, text?))).collect()
}
