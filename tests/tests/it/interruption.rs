//! Runs that are cancelled, given back, or left by a worker that was killed.

use podium_domain::report::{AnswerState, Caveat};
use podium_domain::status::{CandidateStatus, MeasurementStatus, RunStatus};
use podium_service::Caller;
use podium_store::Measurement;
use podium_tests::bench::Bench;
use podium_tests::binaries::podium;
use podium_tests::wait::until;
use podium_tests::{plans, quiet};
use uuid::Uuid;

/// A run of one candidate: a measurement that is over at once, then one that takes long.
async fn start(bench: &Bench) -> Uuid {
    let flags = "{max_model_len: 4096}";
    let framework = plans::with_flags("vllm", &plans::simulated("vllm", ""), flags, "{}");
    bench.start(plans::plan("quick_and_long.yaml", &[framework])).await
}

/// Waits until the long measurement is being taken and has shown a first second; the quick one as it is then.
async fn interrupt_here(bench: &Bench, run_id: Uuid) -> Measurement {
    until("the second measurement is being taken", async || {
        let measurements = bench.measurements(run_id).await;
        let of = |scenario: &str| measurements.iter().find(|m| m.scenario == scenario);
        let long_runs = of("long")?.status == MeasurementStatus::Measuring;
        of("quick").filter(|quick| long_runs && quick.status == MeasurementStatus::Done).cloned()
    })
    .await
}

fn of_scenario<'a>(measurements: &'a [Measurement], scenario: &str) -> &'a Measurement {
    let own: Vec<_> = measurements.iter().filter(|m| m.scenario == scenario).collect();
    let [only] = own[..] else { panic!("not one measurement of {scenario}: {measurements:#?}") };
    only
}

fn assert_not_taken_again(before: &Measurement, after: &[Measurement]) {
    let after = of_scenario(after, "quick");
    assert_eq!(after.id, before.id);
    assert_eq!((after.started_at, after.ended_at), (before.started_at, before.ended_at));
    assert_eq!(after.launch_id, before.launch_id);
    assert_eq!(after.summary, before.summary);
    assert_eq!(after.attempt, before.attempt);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cancelled_run_keeps_what_was_measured() {
    let _quiet = quiet::shared().await;
    let bench = Bench::new().await;
    let run_id = start(&bench).await;
    let working = bench.work();
    let quick = interrupt_here(&bench, run_id).await;
    bench.service.cancel_run(Caller::owner(), run_id).await.expect("a run that goes on can be cancelled");
    let run = bench.wait_for_end(run_id).await;
    working.stop().await;

    assert_eq!(run.view.item.status, RunStatus::Cancelled);
    assert_not_taken_again(&quick, &run.measurements);
    let long = of_scenario(&run.measurements, "long");
    assert_eq!(long.status, MeasurementStatus::Skipped);
    assert_eq!(long.failure_reason.as_deref(), Some("the run was cancelled"));
    assert_eq!(run.view.candidates[0].status, CandidateStatus::Skipped);

    let report = &run.report.report;
    let interrupted =
        |caveat: &Caveat| matches!(caveat, Caveat::Interrupted { reason } if reason.contains("cancelled"));
    assert!(report.caveats.iter().any(interrupted), "{:?}", report.caveats);
    assert!(!report.has_winner());
    let answer = &report.comparison("quick").expect("the measured scenario is compared").answer;
    assert_eq!(answer.state, AnswerState::Leading, "{answer:?}");
    assert!(answer.sentence("quick").contains("search incomplete"), "{}", answer.sentence("quick"));

    let again = bench.service.cancel_run(Caller::owner(), run_id).await;
    assert_eq!(bench.status(run_id).await, RunStatus::Cancelled, "{again:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_that_shuts_down_gives_its_run_to_the_next() {
    let _quiet = quiet::shared().await;
    let bench = Bench::new().await;
    let run_id = start(&bench).await;
    let working = bench.work();
    let quick = interrupt_here(&bench, run_id).await;
    working.stop().await;
    bench.assert_nothing_runs(run_id).await;
    assert!(!bench.status(run_id).await.is_final());
    assert_eq!(of_scenario(&bench.measurements(run_id).await, "quick"), &quick);

    // The lease was given back, so that the next worker need not wait for its end.
    let run = bench.carry_out(run_id).await;
    assert_eq!(run.view.item.status, RunStatus::Completed);
    assert_eq!(run.view.candidates[0].status, CandidateStatus::Ok, "{:#?}", run.view.candidates);
    assert_not_taken_again(&quick, &run.measurements);
    assert_eq!(of_scenario(&run.measurements, "long").status, MeasurementStatus::Done);
    assert_eq!(run.measurements.len(), 2);
    assert_eq!(run.launches.len(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_worker_leaves_a_run_that_another_resumes() {
    let _quiet = quiet::shared().await;
    let bench = Bench::new().await;
    let run_id = start(&bench).await;
    let folder = bench.folder().display().to_string();
    let mut worker = podium(["worker", "--data-dir", &folder, "--database-url", &bench.database_url])
        .spawn()
        .expect("a worker starts");
    let quick = interrupt_here(&bench, run_id).await;
    worker.kill().await.expect("the worker can be killed");
    let left = bench.launches(run_id).await;
    assert_eq!(left.len(), 1);

    let working = bench.work();
    let run = bench.wait_for_end(run_id).await;
    working.stop().await;
    assert_eq!(run.view.item.status, RunStatus::Completed);
    assert_eq!(run.view.candidates[0].status, CandidateStatus::Ok, "{:#?}", run.view.candidates);
    assert_not_taken_again(&quick, &run.measurements);
    let long = of_scenario(&run.measurements, "long");
    assert_eq!(long.status, MeasurementStatus::Done);

    // One launch by the dead worker, at most one more by its successor, which has no part in the first measurement.
    assert_eq!(run.launches.len(), 2);
    assert_eq!(run.launches[0].id, left[0].id);
    assert_eq!(quick.launch_id, Some(left[0].id));
    assert_eq!(long.launch_id, Some(run.launches[1].id));
    let failure = run.launches[0].failure.as_ref().expect("the dead worker's launch is marked");
    assert_eq!(failure["class"], "abandoned");
}
