//! The charts of a report.

use podium_domain::ranking::{Preference, in_mode};
use podium_domain::report::{FrameworkTable, Report, figure};
use podium_domain::row::{ResultRow, framework_name};
use podium_domain::validity::Validity;

use super::hues::{hue, mark};
use super::model::{Axis, ChartModel, Form, Limit, Point, Series};
use super::{curves, detail, overall};

/// A scatter chart shows this many rows at most; more could not be told apart.
const MAX_ROWS: usize = 400;

/// A figure of a row.
type Measure = fn(&ResultRow) -> Option<f64>;

/// Every chart of `report`: the best throughput of each framework, for each scenario throughput against TTFT and output
/// tokens against TPOT, the curves of what was measured at several loads, then what lies behind them.
pub fn models(report: &Report) -> Vec<ChartModel> {
    let mut models = vec![best_throughput(report)];
    for (index, comparison) in report.comparisons.iter().enumerate() {
        models.push(throughput_and_ttft(report, index, &comparison.scenario));
        models.push(tokens_and_tpot(report, index, &comparison.scenario));
    }
    models.extend(curves::models(report));
    models.extend(overall::cost(report));
    for (index, comparison) in report.comparisons.iter().enumerate() {
        models.extend(overall::of_scenario(report, index, &comparison.scenario));
        models.extend(detail::models(report, index, &comparison.scenario));
    }
    models
}

/// The measured rows of the primary load mode, best first; invalid measurements are left out.
pub(super) fn shown(report: &Report) -> impl Iterator<Item = &ResultRow> {
    report.rows_of(&report.order).filter(|row| row.is_sound() && in_mode(row, report.primary_mode))
}

/// Framework ids in the order of the report's tables.
pub(super) fn frameworks(report: &Report) -> impl Iterator<Item = &str> {
    report.best_by_framework.iter().map(|table| table.framework.as_str())
}

pub(super) fn point(row: &ResultRow, x: f64, y: f64) -> Point {
    let mut label = row.candidate_id.clone();
    if row.is_simulated() {
        label += ", simulated";
    }
    if matches!(row.validity(), Some(Validity::Doubtful(_))) {
        label += ", doubtful";
    }
    let selectable = row.is_selectable();
    if !selectable {
        label += ", misses the SLA";
    }
    Point {
        x,
        y,
        interval: None,
        label,
        command: row.launch_command().map(str::to_owned),
        selectable,
        simulated: row.is_simulated(),
    }
}

pub(super) fn series(id: &str, points: Vec<Point>) -> Option<Series> {
    let simulated = if points.iter().any(|point| point.simulated) { " (simulated)" } else { "" };
    let name = format!("{}{simulated}", framework_name(id));
    (!points.is_empty()).then(|| Series { name, hue: hue(id).to_owned(), mark: mark(id), points })
}

fn best_throughput(report: &Report) -> ChartModel {
    let (title, y): (&str, Axis) = match report.preference {
        Preference::Requests => ("Best request throughput", Axis::linear("request throughput", "req/s")),
        Preference::Tokens => ("Best output-token throughput", Axis::linear("output-token throughput", "tok/s")),
    };
    let categories: Vec<String> = report.comparisons.iter().map(|comparison| comparison.scenario.clone()).collect();
    let of_framework = |table: &FrameworkTable| {
        let bar = |row: &ResultRow| {
            let category = categories.iter().position(|name| name == row.scenario())?;
            let bar = point(row, category as f64, report.preference.decisive(row)?);
            Some(Point { interval: interval(row, report.preference), ..bar })
        };
        series(&table.framework, report.rows_of(&table.rows).filter_map(bar).collect())
    };
    let series: Vec<Series> = report.best_by_framework.iter().filter_map(of_framework).collect();
    let mut caption = "Each framework's best candidate within the SLA, per scenario. Taller is better.".to_owned();
    if series.iter().flat_map(|series| &series.points).any(|point| point.interval.is_some()) {
        caption += " Whiskers are 95 % intervals of candidates that were measured again.";
    }
    ChartModel {
        id: "best-throughput".to_owned(),
        title: title.to_owned(),
        caption,
        form: Form::Bars { categories },
        x: Axis::linear("scenario", ""),
        y,
        simulated: any_simulated(&series),
        series,
        limits: Vec::new(),
        front: Vec::new(),
        empty: "No candidate holds the SLA, so there is no best throughput to compare.".to_owned(),
    }
}

/// Where the throughput lies that is shown, for a row that was measured again.
fn interval(row: &ResultRow, preference: Preference) -> Option<(f64, f64)> {
    let found = row.repeats()?.request_throughput_interval.filter(|_| preference == Preference::Requests)?;
    Some((found.low, found.high))
}

fn throughput_and_ttft(report: &Report, index: usize, scenario: &str) -> ChartModel {
    let clock = match report.primary_mode {
        Some(mode) if mode.is_open_loop() => " TTFT counts from the scheduled start, as the SLA does.",
        _ => "",
    };
    let caption = format!(
        "Higher and further left is better; hollow marks miss the SLA; the dashed line joins the candidates that no \
         other one beats on both axes.{clock}"
    );
    scatter(
        report,
        scenario,
        Scatter {
            id: format!("throughput-ttft-{index}"),
            title: format!("{scenario}: request throughput against p50 TTFT"),
            caption,
            x: Axis::linear("p50 TTFT", "ms"),
            y: Axis::linear("request throughput", "req/s"),
            x_of: ResultRow::sla_ttft_ms,
            y_of: |row| row.metrics.request_throughput,
            limit: report.sla.max_p50_ttft_ms,
        },
    )
}

fn tokens_and_tpot(report: &Report, index: usize, scenario: &str) -> ChartModel {
    scatter(
        report,
        scenario,
        Scatter {
            id: format!("tokens-tpot-{index}"),
            title: format!("{scenario}: output-token throughput against p50 TPOT"),
            caption: "Higher and further left is better; 1000 / TPOT is the tokens per second that one user sees."
                .to_owned(),
            x: Axis::linear("p50 TPOT", "ms"),
            y: Axis::linear("output-token throughput", "tok/s"),
            x_of: |row| row.metrics.p50_tpot_ms,
            y_of: |row| row.metrics.output_token_throughput,
            limit: report.sla.max_p50_tpot_ms,
        },
    )
}

/// What one scatter chart differs in.
struct Scatter {
    id: String,
    title: String,
    caption: String,
    x: Axis,
    y: Axis,
    x_of: Measure,
    y_of: Measure,
    limit: Option<f64>,
}

fn scatter(report: &Report, scenario: &str, parts: Scatter) -> ChartModel {
    let Scatter { id, title, mut caption, x, y, x_of, y_of, limit } = parts;
    let mut rows: Vec<&ResultRow> = shown(report).filter(|row| row.scenario() == scenario).collect();
    if rows.len() > MAX_ROWS {
        caption += &format!(" The best {MAX_ROWS} of {} rows are shown.", rows.len());
        rows.truncate(MAX_ROWS);
    }
    let of_framework = |id: &str| {
        let own = rows.iter().filter(|row| row.framework == id);
        series(id, own.filter_map(|row| Some(point(row, x_of(row)?, y_of(row)?))).collect())
    };
    let series: Vec<Series> = frameworks(report).filter_map(of_framework).collect();
    let limits = limits(limit, &x, &series, &mut caption);
    ChartModel {
        id,
        title,
        caption,
        form: Form::Scatter,
        limits,
        front: front(series.iter().flat_map(|series| &series.points)),
        simulated: any_simulated(&series),
        empty: format!("No valid measurement of {scenario} has both figures."),
        x,
        y,
        series,
    }
}

/// The SLA's limit of `x`, unless it is far away, where it would squeeze the points together: the caption says it then.
pub(super) fn limits(limit: Option<f64>, x: &Axis, series: &[Series], caption: &mut String) -> Vec<Limit> {
    let largest = series.iter().flat_map(|series| &series.points).map(|point| point.x).fold(0.0, f64::max);
    let near = limit.filter(|limit| *limit <= largest * 3.0);
    if let Some(limit) = limit.filter(|_| near.is_none() && largest > 0.0) {
        *caption += &format!(" The SLA's limit of {} {} is beyond the right edge.", figure(limit), x.unit);
    }
    let limit_of = |limit: f64| Limit { x: limit, label: format!("SLA: at most {} {}", figure(limit), x.unit) };
    near.map(limit_of).into_iter().collect()
}

pub(super) fn any_simulated(series: &[Series]) -> bool {
    series.iter().any(|series| series.points.iter().any(|point| point.simulated))
}

/// The points that no other one beats (smaller `x` and larger `y` are better), from left to right.
fn front<'a>(points: impl Iterator<Item = &'a Point>) -> Vec<(f64, f64)> {
    let mut places: Vec<(f64, f64)> = points.map(|point| (point.x, point.y)).collect();
    places.sort_by(|a, b| a.0.total_cmp(&b.0).then(b.1.total_cmp(&a.1)));
    let mut best = f64::NEG_INFINITY;
    places.retain(|&(_, y)| {
        let better = y > best;
        best = best.max(y);
        better
    });
    places
}
