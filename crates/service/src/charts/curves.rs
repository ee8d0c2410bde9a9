//! The latency–throughput curves of a report, one line for each framework's best candidate.

use podium_domain::report::{Report, figure};
use podium_domain::row::ResultRow;
use podium_domain::search_curve::{CurvePoint, LoadAxis, SearchCurve};

use super::from_report::{any_simulated, limits, series};
use super::model::{Axis, ChartModel, Form, Point, Series};

/// The curves over TTFT and over TPOT of every scenario, for rates and for requests in flight; none where a candidate was
/// measured at one load only.
pub(super) fn models(report: &Report) -> Vec<ChartModel> {
    let mut models = Vec::new();
    for (index, comparison) in report.comparisons.iter().enumerate() {
        for axis in LoadAxis::ALL {
            let here = |curve: &&SearchCurve| curve.scenario == comparison.scenario && curve.axis == axis;
            let curves: Vec<&SearchCurve> = report.shown_curves().filter(here).collect();
            models.extend(latencies(report).into_iter().filter_map(|latency| model(report, index, &curves, latency)));
        }
    }
    models
}

/// A latency that a curve is drawn over.
struct Latency {
    /// For the chart's id.
    id: &'static str,
    name: &'static str,
    of: fn(&CurvePoint) -> Option<f64>,
    limit_ms: Option<f64>,
}

fn latencies(report: &Report) -> [Latency; 2] {
    [
        Latency { id: "ttft", name: "p50 TTFT", of: |p| p.p50_ttft_ms, limit_ms: report.sla.max_p50_ttft_ms },
        Latency { id: "tpot", name: "p50 TPOT", of: |p| p.p50_tpot_ms, limit_ms: report.sla.max_p50_tpot_ms },
    ]
}

fn model(report: &Report, index: usize, curves: &[&SearchCurve], latency: Latency) -> Option<ChartModel> {
    let series: Vec<Series> = curves.iter().filter_map(|curve| line(report, curve, latency.of)).collect();
    let (axis, scenario) = (curves.first()?.axis, &curves.first()?.scenario);
    if series.iter().all(|series| series.points.len() < 2) {
        return None;
    }
    let (over, id) = match axis {
        LoadAxis::Rate => ("request rates", "rate"),
        LoadAxis::Concurrency => ("requests in flight", "concurrency"),
    };
    let x = Axis::linear(latency.name, "ms");
    let mut caption = format!(
        "Each framework's best candidate at rising {over}; a line joins its loads in their order. Higher and further left \
         is better; hollow marks do not hold the SLA."
    );
    Some(ChartModel {
        id: format!("curve-{id}-{}-{index}", latency.id),
        title: format!("{scenario}: throughput against {} over {over}", latency.name),
        limits: limits(latency.limit_ms, &x, &series, &mut caption),
        caption,
        form: Form::Lines,
        front: Vec::new(),
        simulated: any_simulated(&series),
        empty: format!("No load of {scenario} has both figures."),
        x,
        y: Axis::linear("request throughput", "req/s"),
        series,
    })
}

fn line(report: &Report, curve: &SearchCurve, x_of: fn(&CurvePoint) -> Option<f64>) -> Option<Series> {
    let row = report.row_of_curve(curve)?;
    let point = |point: &CurvePoint| {
        let mut label = format!("{}, {} {}", curve.candidate_id, figure(point.load), curve.axis.unit());
        if row.is_simulated() {
            label += ", simulated";
        }
        if !point.holds {
            label += ", does not hold the SLA";
        }
        Some(Point {
            x: x_of(point)?,
            y: point.achieved_rps?,
            interval: None,
            label,
            command: ResultRow::launch_command(row).map(str::to_owned),
            selectable: point.holds,
            simulated: row.is_simulated(),
        })
    };
    series(&curve.framework, curve.points.iter().filter_map(point).collect())
}
