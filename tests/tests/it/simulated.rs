//! A worker on simulated engines, from a plan to its report.

use std::collections::BTreeSet;

use futures::StreamExt as _;
use podium_domain::framework::Framework;
use podium_domain::report::{AnswerState, Caveat};
use podium_domain::status::{CandidateStatus, MeasurementStatus, RunStatus};
use podium_formats::report;
use podium_service::{Caller, RunEvent, charts};
use podium_tests::bench::Bench;
use podium_tests::{plans, quiet};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_plan_becomes_rows_and_a_report_that_say_simulated_everywhere() {
    let _quiet = quiet::shared().await;
    let bench = Bench::new().await;
    let run = bench.run(plans::text("simulated.yaml")).await;

    assert_eq!(run.view.item.status, RunStatus::Completed);
    assert_eq!(run.view.candidates.len(), 4);
    for candidate in &run.view.candidates {
        assert_eq!(candidate.status, CandidateStatus::Ok, "{candidate:#?}");
    }
    assert!(run.measurements.iter().all(|m| m.status == MeasurementStatus::Done), "{:#?}", run.measurements);
    assert_eq!(run.measurements.len(), 8);
    assert_eq!(run.launches.len(), 4);
    assert_eq!(run.rows.len(), 8);
    for measurement in &run.measurements {
        let summary = measurement.summary.as_ref().expect("a measurement that is done has figures");
        assert_eq!((summary.planned, summary.completed), (24, 24), "{summary:#?}");
        let (input, output) = if measurement.scenario == "chat" { (200, 16) } else { (800, 8) };
        assert_eq!(summary.input_tokens, Some(24 * input));
        assert_eq!(summary.output_tokens, Some(24 * output));
    }

    assert!(run.view.item.simulated);
    assert!(run.measurements.iter().all(|m| m.simulated));
    for row in &run.rows {
        assert!(row.simulated);
        assert_eq!(row.row["podium"]["simulated"], true, "{}", row.row);
    }
    let model = &run.report.report;
    assert_eq!(model.simulated.iter().map(String::as_str).collect::<BTreeSet<_>>(), ["sglang", "vllm"].into());
    assert!(model.comparisons.iter().all(|comparison| comparison.answer.simulated));
    assert_eq!(model.comparisons.len(), 2);

    let markdown = report::markdown(model);
    assert!(markdown.to_lowercase().contains("> **simulated**"), "no banner: {markdown}");
    let mut table_lines = 0;
    for line in markdown.lines().filter(|line| line.starts_with('|')) {
        if run.candidate_ids().iter().any(|id| line.contains(id)) {
            table_lines += 1;
            assert!(line.contains("simulated"), "{line}");
        }
    }
    assert!(table_lines >= 8, "{markdown}");

    let csv = report::csv(model);
    let mut lines = csv.lines();
    assert!(lines.next().is_some_and(|header| header.ends_with(",simulated")), "{csv}");
    assert_eq!(lines.clone().count(), 8);
    assert!(lines.all(|line| line.ends_with(",true")), "{csv}");

    let charts = charts::for_report(model);
    assert!(charts.len() >= 2);
    for chart in &charts {
        assert!(chart.figure.svg.to_lowercase().contains("simulated"), "{}", chart.figure.svg);
        assert!(chart.targets.iter().all(|target| target.label.contains("simulated")), "{:?}", chart.targets);
    }
    let html = report::html(model, &charts);
    assert!(html.contains("(simulated)</title>"), "{html}");
    assert_eq!(html.matches("<svg").count(), charts.len());

    for launch in &run.launches {
        let log = bench.service.launch_log(Caller::owner(), launch.id, 0).await.expect("the log was kept");
        assert!(!log.text.is_empty());
        assert!(launch.log_artifact_id.is_some());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_same_plan_gives_the_same_candidates_and_a_flow_check_no_winner() {
    let _quiet = quiet::shared().await;
    let bench = Bench::new().await;
    let frameworks = [
        plans::with_flags("sglang", &plans::simulated("sglang", ""), "{}", "{max_running_requests: [4]}"),
        plans::with_flags("vllm", &plans::simulated("vllm", ""), "{max_model_len: 4096}", "{max_num_seqs: [4]}"),
    ];
    let yaml = plans::plan("flow_check.yaml", &frameworks);
    let first = bench.run(yaml.clone()).await;
    let second = bench.run(yaml.clone()).await;

    assert_ne!(first.view.item.id, second.view.item.id);
    assert_eq!(first.candidate_ids().len(), 4);
    assert_eq!(first.candidate_ids().iter().collect::<BTreeSet<_>>().len(), 4);
    assert_eq!(first.candidate_ids(), second.candidate_ids());
    let check = bench.service.check_plan(Caller::owner(), yaml).await.expect("a check");
    let previewed: Vec<_> = check.candidates.iter().map(|candidate| candidate.candidate_id.as_str()).collect();
    assert_eq!(first.candidate_ids(), previewed);

    for run in [&first, &second] {
        assert_eq!(run.view.item.status, RunStatus::Completed);
        assert!(run.view.item.flow_check);
        let model = &run.report.report;
        assert!(model.flow_check && !model.has_winner());
        for comparison in &model.comparisons {
            assert!(matches!(comparison.answer.state, AnswerState::FlowCheck | AnswerState::None), "{comparison:?}");
        }
        assert!(
            model.caveats.contains(&Caveat::FlowCheck { num_prompts: Some(20), eager_flags: Vec::new() }),
            "{:?}",
            model.caveats
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_framework_that_was_left_out_is_named() {
    let _quiet = quiet::shared().await;
    let bench = Bench::new().await;
    let frameworks = [
        plans::framework("sglang", &plans::simulated("sglang", "")),
        plans::with_flags("vllm", &plans::simulated("vllm", ""), "{max_model_len: 4096}", "{}"),
    ];
    let run_id = bench.start_only(plans::plan("one_scenario.yaml", &frameworks), Some(vec![Framework::Vllm])).await;
    let run = bench.carry_out(run_id).await;
    assert_eq!(run.only(Framework::Vllm).status, CandidateStatus::Ok);
    assert_eq!(run.view.candidates.len(), 1);
    let model = &run.report.report;
    assert!(model.caveats.contains(&Caveat::Excluded { frameworks: vec!["sglang".to_owned()] }), "{:?}", model.caveats);
    let markdown = report::markdown(model);
    assert!(markdown.lines().any(|line| line.contains("Left out by the user: SGLang")), "{markdown}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn live_points_arrive_while_it_measures_and_equal_what_is_stored() {
    let _quiet = quiet::shared().await;
    let bench = Bench::new().await;
    let run_id = bench.start(plans::text("steady.yaml")).await;
    let mut events = Box::pin(bench.service.run_events(Caller::owner(), run_id, 0).await.expect("a stream"));
    let working = bench.work();

    let mut ticks = Vec::new();
    let mut while_measuring = BTreeSet::new();
    let mut numbers = Vec::new();
    let mut last_run_status = None;
    while let Some(event) = events.next().await {
        numbers.push(event.seq);
        match event.event {
            RunEvent::Tick { measurement_id, point, .. } => {
                let stored = bench.store.measurement(measurement_id).await.expect("the measurement is there");
                if stored.status == MeasurementStatus::Measuring {
                    while_measuring.insert(point.t_s);
                }
                ticks.push((measurement_id, point));
            }
            RunEvent::Run { status, .. } => last_run_status = Some(status),
            _ => {}
        }
    }
    working.stop().await;
    let run = bench.ended(run_id).await;

    assert_eq!(last_run_status, Some(RunStatus::Completed));
    assert_eq!(numbers, (1..=run.view.last_seq).collect::<Vec<_>>(), "events have a gap");
    assert!(while_measuring.len() >= 5, "only {while_measuring:?} came while it measured");
    let [measurement] = &run.measurements[..] else { panic!("not one measurement: {:#?}", run.measurements) };
    assert!(ticks.iter().all(|(id, _)| *id == measurement.id));
    let series = measurement.series.clone().expect("a series is stored");
    let live: Vec<_> = ticks.into_iter().map(|(_, point)| point).collect();
    // The second in which the measurement ended is part of its end, not of its progress.
    assert!(series.len() - live.len() <= 1, "{live:?} of {series:?}");
    assert_eq!(live, series[..live.len()]);
    let sent: u32 = series.iter().map(|point| point.sent).sum();
    assert_eq!(sent, 30);
}
