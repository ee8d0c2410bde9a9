//! One plan over time: the best of each framework, run by run.

use podium_domain::ranking::Preference;

use super::from_report::{any_simulated, point, series};
use super::model::{Axis, ChartModel, Form, Point, Series};
use crate::compare::{Trend, TrendPoint};

/// One chart per scenario, in name order: request throughput over the plan's runs.
pub fn of_trend(trend: &Trend) -> Vec<ChartModel> {
    let mut scenarios: Vec<&str> = trend.points.iter().map(|point| point.row.scenario()).collect();
    scenarios.sort_unstable();
    scenarios.dedup();
    scenarios.into_iter().enumerate().map(|(index, scenario)| model(trend, index, scenario)).collect()
}

fn model(trend: &Trend, index: usize, scenario: &str) -> ChartModel {
    let mut times: Vec<_> = trend.points.iter().map(|point| point.run_at).collect();
    times.sort_unstable();
    times.dedup();
    let number = |point: &TrendPoint| times.iter().position(|at| *at == point.run_at).map_or(0.0, |at| at as f64 + 1.0);
    let here = || trend.points.iter().filter(|point| point.row.scenario() == scenario);
    let mut frameworks: Vec<&str> = here().map(|point| point.row.framework.as_str()).collect();
    frameworks.dedup();
    let line = |id: &str| {
        let own = here().filter(|found| found.row.framework == id);
        let place = |found: &TrendPoint| {
            let drawn = point(&found.row, number(found), Preference::Requests.decisive(&found.row)?);
            let version = found.row.framework_version.as_deref().unwrap_or("version unknown");
            Some(Point { label: format!("{version}, {}", drawn.label), ..drawn })
        };
        series(id, own.filter_map(place).collect())
    };
    let series: Vec<Series> = frameworks.into_iter().filter_map(line).collect();
    ChartModel {
        id: format!("trend-{index}"),
        title: format!("{scenario}: best request throughput, run by run"),
        caption: "The best candidate of each framework in every run of this plan, oldest first; each point names the \
                  framework's version."
            .to_owned(),
        form: Form::Lines,
        x: Axis::linear("run", ""),
        y: Axis::linear("request throughput", "req/s"),
        simulated: any_simulated(&series),
        series,
        limits: Vec::new(),
        front: Vec::new(),
        empty: format!("No run of this plan has a candidate within the SLA in {scenario}."),
    }
}
