//! The charts behind the headline figures.

use podium_domain::profile::{Profile, Window};
use podium_domain::report::Report;
use podium_domain::stats::Distribution;

use super::model::Form;
use super::tests::with_curves;
use super::*;

/// A report whose two best candidates have profiles and GPUs.
fn with_profiles(simulated: bool) -> Report {
    let mut report = with_curves(simulated);
    let spread = |scale: f64| Distribution::of(&mut (1..=200).map(|n| f64::from(n) * scale).collect::<Vec<_>>());
    let window =
        |t_s: f64, tokens: f64| Window { t_s, request_throughput: tokens / 200.0, output_token_throughput: tokens };
    let profile = |framework: &str, scale: f64| Profile {
        framework: framework.to_owned(),
        candidate_id: format!("{framework}-a"),
        scenario: "chat".to_owned(),
        ttft_ms: spread(scale),
        tpot_ms: spread(scale / 10.0),
        e2e_ms: None,
        windows: vec![window(0.5, 800.0), window(1.5, 1500.0 / scale)],
    };
    report.profiles = vec![profile("sglang", 1.0), profile("vllm", 1.2)];
    for row in &mut report.rows {
        row.hardware.gpu_count = Some(2);
    }
    report
}

fn chart(report: &Report, id: &str) -> (ChartModel, Chart) {
    let model = models(report).into_iter().find(|model| model.id == id).unwrap_or_else(|| panic!("no {id}"));
    let chart = svg(&model);
    (model, chart)
}

#[test]
fn percentiles_are_a_rising_line_and_a_row_of_cells() {
    let report = with_profiles(false);
    let (model, drawn) = chart(&report, "cdf-ttft-0");
    assert_eq!(drawn.targets.len(), 20);
    for series in &model.series {
        assert!(series.points.windows(2).all(|pair| pair[0].x < pair[1].x && pair[0].y < pair[1].y));
    }
    let median = drawn.targets.iter().find(|target| target.value.starts_with("requests at most that slow 50.0 %"));
    assert_eq!(median.map(|target| target.value.as_str()), Some("requests at most that slow 50.0 %, TTFT 100 ms"));
    let (_, heat) = chart(&report, "heat-ttft-0");
    assert_eq!(heat.data.rows.len(), 12);
    assert_eq!(heat.data.rows[1], ["SGLang", "sglang-a", "p50", "100"]);
    assert!(heat.height < 200, "two rows are not drawn on a whole page");
}

#[test]
fn throughput_over_time_and_attainment_have_a_line_for_each_framework() {
    let report = with_profiles(false);
    let (_, over_time) = chart(&report, "over-time-0");
    assert_eq!(over_time.targets.len(), 4);
    assert_eq!(over_time.targets[1].value, "output-token throughput 1500 tok/s, since the start 1.50 s");
    let (_, attainment) = chart(&report, "attainment-0");
    assert_eq!(attainment.targets.len(), 5);
    assert_eq!(attainment.targets[0].value, "requests within the SLA 100 %, request rate 4.00 req/s");
    assert!(attainment.figure.svg.contains(">\n100\n<") && !attainment.figure.svg.contains(">\n120\n<"));
}

#[test]
fn a_knobs_effect_lies_on_its_side_of_zero() {
    let mut report = with_profiles(false);
    for (row, command) in report.rows.iter_mut().zip(["m", "m --chunk 64", "m", "m --chunk 64 --eager", "m"]) {
        row.server_command = Some(format!("serve {command}"));
    }
    let (model, drawn) = chart(&report, "knobs-0");
    assert_eq!(model.form, Form::Rows { categories: vec!["chunk: default to 64".to_owned()] });
    assert_eq!(drawn.targets.len(), 1, "vLLM's two differ in two flags");
    assert_eq!(drawn.targets[0].label, "SGLang: sglang-b against sglang-a");
    assert!(drawn.targets[0].value.contains("change of request throughput -3.40 %"), "{}", drawn.targets[0].value);
}

#[test]
fn less_is_higher_on_an_axis_of_latencies() {
    let (_, drawn) = chart(&with_profiles(false), "parallel-0");
    let at = |candidate: &str, axis: &str| {
        let is_it = |target: &&Target| target.label.contains(candidate) && target.value.starts_with(axis);
        drawn.targets.iter().find(is_it).map(|target| target.y)
    };
    assert!(at("vllm-a", "requests") < at("sglang-a", "requests"), "7.77 req/s are more than 7.35");
    assert!(at("sglang-a", "p50 TTFT") < at("vllm-a", "p50 TTFT"), "190 ms are less than 210");
}

#[test]
fn a_token_costs_what_its_gpus_take_and_nothing_without_gpus() {
    let report = with_profiles(false);
    let (_, drawn) = chart(&report, "cost");
    // Two GPUs at 7.35 × 200 tokens a second.
    assert!(drawn.data.rows.contains(&["SGLang", "sglang-a", "chat", "0.378"].map(str::to_owned).to_vec()));
    let without = with_curves(false);
    assert!(models(&without).iter().all(|model| model.id != "cost"));
}

#[test]
fn every_form_fits_its_picture_and_says_that_it_is_simulated() {
    for drawn in for_report(&with_profiles(true)) {
        assert!(drawn.figure.svg.contains(">\nsimulated\n<"), "{}", drawn.id);
        for target in &drawn.targets {
            let inside = (0..drawn.width as i32).contains(&target.x) && (0..drawn.height as i32).contains(&target.y);
            assert!(inside, "{}: {target:?}", drawn.id);
        }
    }
}
