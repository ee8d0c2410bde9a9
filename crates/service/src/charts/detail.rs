//! Charts of what lies behind the headline figures: latency percentiles, throughput over time, SLA attainment.

use podium_domain::profile::Profile;
use podium_domain::report::Report;
use podium_domain::row::ResultRow;
use podium_domain::search_curve::LoadAxis;
use podium_domain::stats::Distribution;

use super::from_report::{any_simulated, series};
use super::model::{Axis, ChartModel, Form, Point, Series};

/// A latency of a profile.
type Latency = fn(&Profile) -> Option<&Distribution>;

/// The latencies that are shown: id, name, which.
const LATENCIES: [(&str, &str, Latency); 2] =
    [("ttft", "TTFT", |profile| profile.ttft_ms.as_ref()), ("tpot", "TPOT", |profile| profile.tpot_ms.as_ref())];

/// A percentile of the heat map: its name, and where it is found.
type Percentile = (&'static str, fn(&Distribution) -> f64);

/// The percentiles of the heat map.
const PERCENTILES: [Percentile; 6] = [
    ("p25", |spread| spread.p25),
    ("p50", |spread| spread.p50),
    ("p75", |spread| spread.p75),
    ("p90", |spread| spread.p90),
    ("p95", |spread| spread.p95),
    ("p99", |spread| spread.p99),
];

/// The charts of one scenario; those without a point are left out.
pub(super) fn models(report: &Report, index: usize, scenario: &str) -> Vec<ChartModel> {
    let profiles: Vec<&Profile> = report.profiles.iter().filter(|profile| profile.scenario == scenario).collect();
    let mut models = Vec::new();
    for (id, name, latency) in LATENCIES {
        models.push(distribution(report, &profiles, (&format!("cdf-{id}-{index}"), scenario, name), latency));
    }
    models.push(heat_map(report, &profiles, index, scenario));
    models.push(over_time(report, &profiles, index, scenario));
    models.push(attainment(report, index, scenario));
    models.retain(|model| !model.series.is_empty());
    models
}

/// One series per profile, from what `points` makes of it.
fn per_profile(report: &Report, profiles: &[&Profile], points: impl Fn(&Profile) -> Vec<(f64, f64)>) -> Vec<Series> {
    let of = |profile: &&Profile| {
        let row = row_of(report, &profile.framework, &profile.candidate_id, &profile.scenario);
        let point = |(x, y)| plain_point(row, &profile.candidate_id, x, y);
        series(&profile.framework, points(profile).into_iter().map(point).collect())
    };
    profiles.iter().filter_map(of).collect()
}

fn row_of<'a>(report: &'a Report, framework: &str, candidate: &str, scenario: &str) -> Option<&'a ResultRow> {
    let is_it =
        |row: &&ResultRow| row.framework == framework && row.candidate_id == candidate && row.scenario() == scenario;
    report.rows.iter().find(is_it)
}

fn plain_point(row: Option<&ResultRow>, label: &str, x: f64, y: f64) -> Point {
    let simulated = row.is_some_and(ResultRow::is_simulated);
    Point {
        x,
        y,
        interval: None,
        label: format!("{label}{}", if simulated { ", simulated" } else { "" }),
        command: row.and_then(ResultRow::launch_command).map(str::to_owned),
        selectable: true,
        simulated,
    }
}

fn model(id: String, title: String, caption: &str, form: Form, axes: (Axis, Axis), series: Vec<Series>) -> ChartModel {
    ChartModel {
        id,
        title,
        caption: caption.to_owned(),
        form,
        x: axes.0,
        y: axes.1,
        simulated: any_simulated(&series),
        series,
        limits: Vec::new(),
        front: Vec::new(),
        empty: String::new(),
    }
}

fn distribution(report: &Report, profiles: &[&Profile], names: (&str, &str, &str), latency: Latency) -> ChartModel {
    let (id, scenario, name) = names;
    let series = per_profile(report, profiles, |profile| latency(profile).map(steps).unwrap_or_default());
    let axes = (Axis { log: true, ..Axis::linear(name, "ms") }, Axis::linear("requests at most that slow", "%"));
    let caption = "Each framework's best candidate; further left is better, and a long foot to the right is a slow tail. \
                   Marks are percentiles, the lines between them are drawn for the eye.";
    model(id.to_owned(), format!("{scenario}: {name} of all requests"), caption, Form::Lines, axes, series)
}

/// The percentiles of a spread as (value, percent of requests).
fn steps(spread: &Distribution) -> Vec<(f64, f64)> {
    [
        (spread.p1, 1.0),
        (spread.p5, 5.0),
        (spread.p10, 10.0),
        (spread.p25, 25.0),
        (spread.p50, 50.0),
        (spread.p75, 75.0),
        (spread.p90, 90.0),
        (spread.p95, 95.0),
        (spread.p99, 99.0),
        (spread.max, 100.0),
    ]
    .into_iter()
    .filter(|(value, _)| *value > 0.0)
    .collect()
}

fn heat_map(report: &Report, profiles: &[&Profile], index: usize, scenario: &str) -> ChartModel {
    let series = per_profile(report, profiles, |profile| {
        let spread = profile.ttft_ms.as_ref();
        let cell = |(column, (_, of)): (usize, &Percentile)| Some((column as f64, of(spread?)));
        PERCENTILES.iter().enumerate().filter_map(cell).collect()
    });
    let columns = PERCENTILES.iter().map(|(name, _)| (*name).to_owned()).collect();
    let caption = "TTFT in ms by percentile, each framework's best candidate; a fuller cell is slower, on a logarithmic \
                   scale.";
    model(
        format!("heat-ttft-{index}"),
        format!("{scenario}: TTFT by percentile"),
        caption,
        Form::Heat { columns },
        (Axis::linear("percentile", ""), Axis::linear("TTFT", "ms")),
        series,
    )
}

fn over_time(report: &Report, profiles: &[&Profile], index: usize, scenario: &str) -> ChartModel {
    let series = per_profile(report, profiles, |profile| {
        profile.windows.iter().map(|window| (window.t_s, window.output_token_throughput)).collect()
    });
    let caption = "Output tokens per second over the measurement of each framework's best candidate, in windows of equal \
                   length. A line that sags or climbs was not yet steady.";
    model(
        format!("over-time-{index}"),
        format!("{scenario}: throughput over time"),
        caption,
        Form::Lines,
        (Axis::linear("since the start", "s"), Axis::linear("output-token throughput", "tok/s")),
        series,
    )
}

/// The share of requests within every limit, over the request rate.
fn attainment(report: &Report, index: usize, scenario: &str) -> ChartModel {
    let curves = report.shown_curves().filter(|curve| curve.scenario == scenario && curve.axis == LoadAxis::Rate);
    let series: Vec<Series> = curves
        .filter_map(|curve| {
            let row = row_of(report, &curve.framework, &curve.candidate_id, scenario);
            let point = |(load, share): (f64, f64)| plain_point(row, &curve.candidate_id, load, share * 100.0);
            let known = curve.points.iter().filter_map(|point| Some((point.load, point.pass_share?)));
            series(&curve.framework, known.map(point).collect())
        })
        .collect();
    model(
        format!("attainment-{index}"),
        format!("{scenario}: SLA attainment over request rate"),
        "The share of requests that met every limit at each measured rate; higher and further right is better.",
        Form::Lines,
        (Axis::linear("request rate", "req/s"), Axis::linear("requests within the SLA", "%")),
        series,
    )
}
