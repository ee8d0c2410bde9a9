//! Searches for the highest load, on simulated engines.

use podium_domain::load::LoadMode;
use podium_domain::search_curve::LoadAxis;
use podium_formats::report;
use podium_service::charts;
use podium_tests::bench::{Bench, EndedRun};
use podium_tests::{plans, quiet};

/// The simulated plan with one candidate of each framework and `load`. Time in front of the engine makes latencies so long
/// that a busy machine does not spoil them.
fn plan(load: &str) -> String {
    let fixed = plans::text("simulated.yaml");
    let plan = fixed
        .replace("request_rates: [12]", load)
        .replace("--sim-startup-s 0.1", "--sim-startup-s 0.1 --sim-pre-scheduler-ms 250")
        .replace("max_candidates_per_framework: 2", "max_candidates_per_framework: 1");
    assert_ne!(plan, fixed);
    plan
}

/// Why what was measured may not count, for a failed expectation.
fn doubts(run: &EndedRun) -> Vec<String> {
    let summaries = run.measurements.iter().filter_map(|m| m.summary.as_ref());
    summaries.flat_map(|summary| summary.validity.reasons()).map(|reason| reason.text.clone()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_search_launches_each_candidate_once_and_keeps_its_curve() {
    let _quiet = quiet::shared().await;
    let bench = Bench::new().await;
    let run = bench.run(plan("qps: {lower: 6, upper: 12, tolerance: 1, max_rounds: 3}")).await;

    assert_eq!(run.view.candidates.len(), 2);
    assert_eq!(run.launches.len(), 2, "one launch for each candidate: {:#?}", run.launches);
    assert!(run.measurements.iter().all(|m| m.load_mode == LoadMode::RateSearch));
    let model = &run.report.report;
    assert_eq!(model.search_curves.len(), 4, "one curve for each candidate and scenario");
    for curve in &model.search_curves {
        let measured = run.measurements.iter().filter(|m| m.scenario == curve.scenario).count();
        assert!(curve.points.len() >= 2 && curve.points.len() <= measured, "{curve:#?} {:?}", doubts(&run));
        assert!(curve.points.is_sorted_by(|a, b| a.load < b.load), "{curve:#?}");
        let point = curve.sla_point.unwrap_or_else(|| panic!("{:?}", doubts(&run)));
        assert!(point.interval.low <= point.interval.high, "{point:?}");
    }
    assert!(report::markdown(model).contains("## Search curve"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_most_requests_in_flight_are_searched_on_one_server_and_drawn() {
    let _quiet = quiet::shared().await;
    let bench = Bench::new().await;
    let run = bench.run(plan("concurrency_search: {lower: 2, upper: 6, max_rounds: 3}")).await;

    assert_eq!(run.launches.len(), 2, "one launch for each candidate: {:#?}", run.launches);
    assert!(run.measurements.iter().all(|m| m.load_mode == LoadMode::ConcurrencySearch));
    let model = &run.report.report;
    assert_eq!(model.primary_mode, Some(LoadMode::ConcurrencySearch));
    assert_eq!(model.search_curves.len(), 4, "one curve for each candidate and scenario");
    for curve in &model.search_curves {
        assert_eq!(curve.axis, LoadAxis::Concurrency);
        assert_eq!(curve.points[0].load, 2.0, "{curve:#?}");
        assert!(curve.points.iter().all(|point| point.load.fract() == 0.0), "{curve:#?}");
        let point = curve.sla_point.unwrap_or_else(|| panic!("{:?}", doubts(&run)));
        assert!((2.0..=6.0).contains(&point.load), "{point:?}");
    }
    let charts: Vec<_> = charts::for_report(model).into_iter().map(|chart| chart.id).collect();
    assert!(charts.iter().any(|id| id == "curve-concurrency-ttft-0"), "{charts:?}");
    let text = report::markdown(model);
    assert!(text.contains("In flight") && text.contains("## Search curve"), "{text}");
    let telemetry =
        run.view.candidates.iter().flat_map(|candidate| &candidate.cells).flat_map(|cell| &cell.measurements);
    assert!(telemetry.clone().count() >= 4);
    for measurement in telemetry {
        assert!(measurement.telemetry.as_ref().is_some_and(|telemetry| telemetry.readings >= 2), "{measurement:?}");
    }
}
