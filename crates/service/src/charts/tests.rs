use podium_domain::report::{Report, ReportInput};
use podium_domain::row::ResultRow;
use podium_domain::search_curve::{CurvePoint, LoadAxis, SearchCurve};
use serde_json::{Value, json};

use super::*;

fn row(framework: &str, id: &str, rps: f64, ttft_ms: f64, simulated: bool) -> ResultRow {
    let value: Value = json!({
        "framework": framework, "candidate_id": format!("{framework}-{id}"), "status": "ok",
        "workload": {"scenario": "chat", "request_rate": 8, "max_concurrency": 64},
        "sla": {"max_p50_ttft_ms": 500},
        "metrics": {"request_throughput": rps, "output_token_throughput": rps * 200.0,
                    "p50_ttft_ms": ttft_ms, "p50_tpot_ms": ttft_ms / 10.0},
        "server_command": format!("serve --id {id}"),
        "podium": {"baseline": false, "simulated": simulated, "load_mode": "rate", "validity": {"verdict": "valid"}},
    });
    serde_json::from_value(value).unwrap()
}

fn report(simulated: bool) -> Report {
    let rows = vec![
        row("sglang", "a", 7.35, 190.0, false),
        row("sglang", "b", 7.1, 180.0, false),
        row("vllm", "a", 7.77, 210.0, simulated),
        row("vllm", "b", 7.9, 812.0, simulated),
        row("other", "<x>", 3.0, 250.0, false),
    ];
    Report::build(ReportInput { rows, ..ReportInput::default() })
}

#[test]
fn pictures_are_stable() {
    let charts = for_report(&report(true));
    for chart in &charts {
        insta::assert_snapshot!(chart.id.as_str(), chart.figure.svg);
    }
    insta::assert_json_snapshot!("charts", charts);
}

#[test]
fn every_point_of_the_report_is_a_target_inside_the_picture() {
    let charts = for_report(&report(false));
    let counts: Vec<_> = charts.iter().map(|chart| (chart.id.as_str(), chart.targets.len())).collect();
    assert_eq!(
        counts,
        [("best-throughput", 3), ("throughput-ttft-0", 5), ("tokens-tpot-0", 5), ("knobs-0", 2), ("parallel-0", 20)]
    );
    for chart in &charts {
        assert_eq!(chart.data.rows.len(), chart.targets.len());
        for target in &chart.targets {
            assert!((0..chart.width as i32).contains(&target.x) && (0..chart.height as i32).contains(&target.y));
            assert!(target.command.is_some());
        }
    }
}

#[test]
fn better_points_are_higher_and_further_left() {
    let charts = for_report(&report(false));
    let of = |label: &str| charts[1].targets.iter().find(|target| target.label.contains(label)).unwrap();
    let (fast, slow) = (of("vllm-b"), of("other-"));
    assert!(fast.y < slow.y, "7.9 req/s is above 3");
    assert!(fast.x > slow.x, "812 ms is right of 250");
}

#[test]
fn the_front_holds_what_no_other_point_beats() {
    let model = &models(&report(false))[1];
    assert_eq!(model.front, [(180.0, 7.1), (190.0, 7.35), (210.0, 7.77), (812.0, 7.9)]);
}

#[test]
fn pictures_follow_the_theme_and_the_policy() {
    for chart in for_report(&report(true)) {
        let svg = &chart.figure.svg;
        for forbidden in ["style=", "<style", "<script", "#010203", "href", "<x>"] {
            assert!(!svg.contains(forbidden), "{forbidden} in {svg}");
        }
        assert!(svg.contains("currentColor") && svg.contains("role=\"img\""));
    }
}

#[test]
fn simulated_is_written_into_every_picture_that_shows_it() {
    for chart in for_report(&report(true)) {
        assert!(chart.figure.title.ends_with("(simulated)"));
        assert!(chart.figure.svg.contains(">\nsimulated\n<"), "the watermark of {}", chart.id);
        assert!(chart.targets.iter().any(|target| target.label.contains("simulated")));
    }
    for chart in for_report(&report(false)) {
        assert!(!chart.figure.svg.contains("simulated"));
    }
}

#[test]
fn a_limit_is_hatched_when_near_and_named_when_far() {
    let mut near = report(false);
    assert!(for_report(&near)[1].figure.svg.contains("SLA: at most 500 ms"));
    near.sla.max_p50_ttft_ms = Some(50_000.0);
    let far = &for_report(&near)[1];
    assert!(!far.figure.svg.contains("SLA:"));
    assert!(far.figure.caption.contains("limit of 50000 ms is beyond the right edge"));
}

#[test]
fn an_empty_report_says_what_is_missing() {
    let empty = for_report(&Report::build(ReportInput::default()));
    assert_eq!(empty.len(), 1);
    assert!(empty[0].figure.svg.contains("No candidate holds the SLA"));
    assert_eq!(empty[0].targets, []);
}

#[test]
fn axes_can_be_logarithmic_and_points_can_have_intervals() {
    let mut model = models(&report(false)).swap_remove(1);
    model.x.log = true;
    model.series[0].points[0].interval = Some((7.0, 7.6));
    let chart = svg(&model);
    assert!(chart.figure.svg.contains(">\n1000\n<"), "{}", chart.figure.svg);
    assert_eq!(chart.targets.len(), 5);
}

#[test]
fn a_long_legend_takes_more_lines_and_keeps_the_points_below_it() {
    let rows = (0..9).map(|n| row(&format!("a-framework-with-a-long-name-{n}"), "a", 7.0, 190.0, false)).collect();
    let charts = for_report(&Report::build(ReportInput { rows, ..ReportInput::default() }));
    assert_eq!(charts[1].targets.len(), 9);
    assert!(charts[1].targets.iter().all(|target| target.y > 16 + 3 * 20), "{:?}", charts[1].targets);
}

#[test]
fn a_crowd_is_cut_to_its_best_and_says_so() {
    let rows = (0..450).map(|n| row("vllm", &format!("c{n}"), f64::from(n), 190.0, false)).collect();
    let charts = for_report(&Report::build(ReportInput { rows, ..ReportInput::default() }));
    assert_eq!(charts[1].targets.len(), 400);
    assert!(charts[1].figure.caption.ends_with("The best 400 of 450 rows are shown."));
    assert!(charts[1].targets.iter().any(|target| target.label.contains("c449")));
}

/// A report whose two frameworks were measured at two rates each; vLLM at one more.
pub(super) fn with_curves(simulated: bool) -> Report {
    let mut report = report(simulated);
    let point = |load: f64, ttft_ms: f64, holds: bool| CurvePoint {
        load,
        achieved_rps: Some(load * 0.9),
        output_token_throughput: Some(load * 180.0),
        p50_ttft_ms: Some(ttft_ms),
        p50_tpot_ms: None,
        pass_share: Some(1.0),
        holds,
        ended_early: None,
    };
    let curve = |framework: &str, points: Vec<CurvePoint>| SearchCurve {
        framework: framework.to_owned(),
        candidate_id: format!("{framework}-a"),
        scenario: "chat".to_owned(),
        axis: LoadAxis::Rate,
        points,
        sla_point: None,
    };
    report.search_curves = vec![
        curve("sglang", vec![point(4.0, 90.0, true), point(8.0, 190.0, true)]),
        curve("vllm", vec![point(4.0, 80.0, true), point(8.0, 210.0, true), point(16.0, 900.0, false)]),
    ];
    report
}

#[test]
fn a_curve_joins_its_loads_in_their_order() {
    let charts = for_report(&with_curves(true));
    let ids: Vec<_> = charts.iter().map(|chart| chart.id.as_str()).collect();
    assert_eq!(ids[..4], ["best-throughput", "throughput-ttft-0", "tokens-tpot-0", "curve-rate-ttft-0"]);
    assert!(!ids.contains(&"curve-rate-tpot-0"), "no TPOT, no chart");
    let chart = &charts[3];
    assert_eq!(chart.targets.len(), 5);
    assert_eq!(chart.data.rows.len(), 5);
    assert_eq!(chart.data.columns[2..], ["p50 TTFT, ms", "request throughput, req/s"]);
    assert!(chart.figure.svg.contains("SLA: at most 500 ms"));
    let worst = chart.targets.last().unwrap();
    assert_eq!(worst.label, "vLLM (simulated): vllm-a, 16.0 req/s, simulated, does not hold the SLA");
    assert!(chart.figure.svg.matches("<polyline").count() >= 2, "{}", chart.figure.svg);
    insta::assert_snapshot!(chart.id.as_str(), chart.figure.svg);
}

#[test]
fn a_single_load_is_no_curve() {
    let mut report = with_curves(false);
    for curve in &mut report.search_curves {
        curve.points.truncate(1);
    }
    assert!(models(&report).iter().all(|model| !model.id.starts_with("curve")));
}
