//! A search for the highest rate, on simulated engines.

use podium_domain::load::LoadMode;
use podium_formats::report;
use podium_tests::bench::Bench;
use podium_tests::{plans, quiet};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_search_launches_each_candidate_once_and_keeps_its_curve() {
    let _quiet = quiet::shared().await;
    let bench = Bench::new().await;
    let fixed = plans::text("simulated.yaml");
    let plan = fixed
        .replace("request_rates: [12]", "qps: {lower: 6, upper: 12, tolerance: 1, max_rounds: 3}")
        .replace("max_candidates_per_framework: 2", "max_candidates_per_framework: 1");
    assert_ne!(plan, fixed);
    let run = bench.run(plan).await;

    assert_eq!(run.view.candidates.len(), 2);
    assert_eq!(run.launches.len(), 2, "one launch for each candidate: {:#?}", run.launches);
    assert!(run.measurements.iter().all(|m| m.load_mode == LoadMode::RateSearch));
    let model = &run.report.report;
    assert_eq!(model.search_curves.len(), 4, "one curve for each candidate and scenario");
    for curve in &model.search_curves {
        let measured = run.measurements.iter().filter(|m| m.scenario == curve.scenario).count();
        assert!(curve.points.len() >= 2 && curve.points.len() <= measured, "{curve:#?}");
        assert!(curve.points.is_sorted_by(|a, b| a.rate_rps < b.rate_rps), "{curve:#?}");
        let point = curve.sla_point.expect("the lowest rate holds a limit of seconds");
        assert!(point.interval.low <= point.interval.high, "{point:?}");
    }
    assert!(report::markdown(model).contains("## Search curve"));
}
