//! Charts over many candidates at once: what each knob did, all figures side by side, what a token costs.

use podium_domain::command_flags::{KnobEffect, knob_effects};
use podium_domain::ranking::Preference;
use podium_domain::report::Report;
use podium_domain::row::ResultRow;

use super::from_report::{any_simulated, frameworks, point, series, shown};
use super::model::{Axis, ChartModel, Form, Point, Series};

/// The largest effects are shown; smaller ones say little.
const MAX_EFFECTS: usize = 24;

/// Lines of the parallel coordinates at most.
const MAX_LINES: usize = 40;

/// A figure of the parallel coordinates: its name, its unit, and where it is found.
type Measured = (&'static str, &'static str, fn(&ResultRow) -> Option<f64>);

/// The figures of the parallel coordinates.
const AXES: [Measured; 6] = [
    ("requests", "req/s", |row| row.metrics.request_throughput),
    ("output tokens", "tok/s", |row| row.metrics.output_token_throughput),
    ("p50 TTFT", "ms", ResultRow::sla_ttft_ms),
    ("p99 TTFT", "ms", |row| row.metrics.p99_ttft_ms),
    ("p50 TPOT", "ms", |row| row.metrics.p50_tpot_ms),
    ("p50 E2E", "ms", |row| row.metrics.p50_e2e_ms),
];

/// Knob effects and parallel coordinates of one scenario; those without a point are left out.
pub(super) fn of_scenario(report: &Report, index: usize, scenario: &str) -> Vec<ChartModel> {
    let rows: Vec<&ResultRow> = shown(report).filter(|row| row.scenario() == scenario).collect();
    let mut models = vec![effects(report, &rows, index, scenario), parallel(&rows, index, scenario)];
    models.retain(|model| !model.series.is_empty());
    models
}

fn effects(report: &Report, rows: &[&ResultRow], index: usize, scenario: &str) -> ChartModel {
    let mut found = knob_effects(rows, |row| report.preference.decisive(row));
    let all = found.len();
    found.truncate(MAX_EFFECTS);
    let categories: Vec<String> = found.iter().map(|effect| effect.change.text()).collect();
    let of_framework = |id: &str| {
        let own = found.iter().enumerate().filter(|(_, effect)| effect.from.framework == id);
        series(id, own.map(|(place, effect)| effect_point(place, effect)).collect())
    };
    let series: Vec<Series> = frameworks_of(rows).into_iter().filter_map(of_framework).collect();
    let what = match report.preference {
        Preference::Requests => "request throughput",
        Preference::Tokens => "output-token throughput",
    };
    let mut caption = format!(
        "Every pair of candidates whose commands differ in one flag alone, and by how much that changed the {what}. Right \
         of the line is better."
    );
    if all > MAX_EFFECTS {
        caption += &format!(" The {MAX_EFFECTS} largest of {all} are shown.");
    }
    ChartModel {
        id: format!("knobs-{index}"),
        title: format!("{scenario}: what each knob did"),
        caption,
        form: Form::Rows { categories },
        x: Axis::linear(&format!("change of {what}"), "%"),
        y: Axis::linear("knob", ""),
        simulated: any_simulated(&series),
        series,
        limits: Vec::new(),
        front: Vec::new(),
        empty: String::new(),
    }
}

fn effect_point(place: usize, effect: &KnobEffect<'_>) -> Point {
    let (from, to) = (effect.from, effect.to);
    let simulated = if to.is_simulated() { ", simulated" } else { "" };
    Point {
        label: format!("{} against {}{simulated}", to.candidate_id, from.candidate_id),
        selectable: to.is_selectable(),
        ..point(to, effect.share * 100.0, place as f64)
    }
}

/// The ids of the rows' frameworks, those of the first rows first.
fn frameworks_of<'a>(rows: &[&'a ResultRow]) -> Vec<&'a str> {
    let mut ids: Vec<&str> = Vec::new();
    for row in rows {
        if !ids.contains(&row.framework.as_str()) {
            ids.push(&row.framework);
        }
    }
    ids
}

fn parallel(rows: &[&ResultRow], index: usize, scenario: &str) -> ChartModel {
    // An axis on which nobody has a figure says nothing.
    let axes: Vec<_> = AXES.into_iter().filter(|(_, _, of)| rows.iter().any(|row| of(row).is_some())).collect();
    let line = |row: &&ResultRow| {
        let value = |(place, (_, _, of)): (usize, &Measured)| Some(point(row, place as f64, of(row)?));
        let points = axes.iter().enumerate().filter_map(value).collect();
        series(&row.framework, points)
    };
    // One line is no comparison, and one axis no line.
    let enough = rows.len() > 1 && axes.len() > 1;
    let series: Vec<Series> = rows.iter().take(MAX_LINES).filter(|_| enough).filter_map(line).collect();
    let mut caption =
        "One line for each candidate; every axis has its own scale, and higher is better on each of them: \
                       latencies run downwards."
            .to_owned();
    if rows.len() > MAX_LINES {
        caption += &format!(" The best {MAX_LINES} of {} are shown.", rows.len());
    }
    let lower_is_better = |unit: &str| unit == "ms";
    ChartModel {
        id: format!("parallel-{index}"),
        title: format!("{scenario}: all figures side by side"),
        caption,
        form: Form::Parallel {
            axes: axes.iter().map(|(name, unit, _)| (Axis::linear(name, unit), lower_is_better(unit))).collect(),
        },
        x: Axis::linear("figure", ""),
        y: Axis::linear("value", ""),
        simulated: any_simulated(&series),
        series,
        limits: Vec::new(),
        front: Vec::new(),
        empty: String::new(),
    }
}

/// What a million output tokens take of the GPUs, per scenario; nothing where no server had a GPU.
pub(super) fn cost(report: &Report) -> Option<ChartModel> {
    let categories: Vec<String> = report.comparisons.iter().map(|comparison| comparison.scenario.clone()).collect();
    let of_framework = |id: &str| {
        let table = report.best_by_framework.iter().find(|table| table.framework == id)?;
        let bar = |row: &ResultRow| {
            let category = categories.iter().position(|name| name == row.scenario())?;
            Some(point(row, category as f64, gpu_hours_per_million_tokens(row)?))
        };
        series(id, report.rows_of(&table.rows).filter_map(bar).collect())
    };
    let series: Vec<Series> = frameworks(report).filter_map(of_framework).collect();
    (!series.is_empty()).then(|| ChartModel {
        id: "cost".to_owned(),
        title: "GPU-hours per million output tokens".to_owned(),
        caption:
            "Each framework's best candidate within the SLA at the load that it was measured at; shorter is cheaper. \
                  Times the price of a GPU-hour it is the price of a million tokens."
                .to_owned(),
        form: Form::Bars { categories },
        x: Axis::linear("scenario", ""),
        y: Axis::linear("GPU-hours per million tokens", "h"),
        simulated: any_simulated(&series),
        series,
        limits: Vec::new(),
        front: Vec::new(),
        empty: String::new(),
    })
}

/// GPU-hours for a million output tokens; `None` for servers without a GPU.
fn gpu_hours_per_million_tokens(row: &ResultRow) -> Option<f64> {
    let gpus = row.hardware.gpu_count.filter(|gpus| *gpus > 0)?;
    let tokens_per_s = row.metrics.output_token_throughput.filter(|tokens| *tokens > 0.0)?;
    Some(gpus as f64 * 1e6 / tokens_per_s / 3600.0)
}
