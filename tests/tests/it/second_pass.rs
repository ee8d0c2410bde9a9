//! The second pass on simulated engines: what is measured again, how sure the order then is, and what interrupts it.

use std::collections::BTreeSet;
use std::path::PathBuf;

use podium_domain::confidence::Verdict;
use podium_domain::fairness::Finding;
use podium_domain::framework::Framework;
use podium_domain::report::{AnswerState, Caveat};
use podium_domain::status::{CandidateStatus, MeasurementStatus, RunStatus};
use podium_formats::report;
use podium_store::Measurement;
use podium_tests::bench::{Bench, EndedRun};
use podium_tests::binaries::{podium, podium_program};
use podium_tests::wait::until;
use podium_tests::{plans, quiet};
use uuid::Uuid;

/// Repeats of a plan that does not say how many.
const REPEATS: i32 = 3;

/// A vLLM whose launches take these accelerators, one after the other: the smoke test of the preflight, the first pass, the
/// repeats.
fn uneven(bench: &Bench, framework: &str, kinds: &str) -> String {
    let folder = bench.folder().join(format!("uneven-{framework}"));
    std::fs::create_dir_all(&folder).expect("a folder below the bench's");
    let program: PathBuf = podium_program();
    let script = plans::script("uneven_engine.py");
    let command = format!("{script} {} {kinds} {}", folder.display(), program.display());
    plans::with_flags(framework, &command, "{max_model_len: 4096}", "{}")
}

/// How often a run is started anew where a busy machine spoiled a measurement: that says nothing about repeats.
const ATTEMPTS: usize = 3;

/// A run without invalid measurements, and the bench that it was carried out on; `yaml` makes its plan.
async fn trusted_run(yaml: impl Fn(&Bench) -> String) -> EndedRun {
    let mut last = None;
    for _ in 0..ATTEMPTS {
        let bench = Bench::new().await;
        let run = bench.run(yaml(&bench)).await;
        let invalid = |m: &Measurement| m.summary.as_ref().is_some_and(|summary| !summary.validity.may_win());
        if !run.measurements.iter().any(invalid) {
            return run;
        }
        last = Some(run.measurements);
    }
    panic!("the machine is too busy to measure, {ATTEMPTS} times: {last:#?}");
}

/// The measurements of one repeat, in the order in which they were begun.
fn of_repeat(run: &EndedRun, repeat: i32) -> Vec<&Measurement> {
    let mut own: Vec<_> = run.measurements.iter().filter(|m| m.repeat == repeat).collect();
    own.sort_by_key(|m| m.started_at);
    own
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_best_are_launched_again_in_alternating_order_and_a_clear_win_has_its_interval() {
    let _quiet = quiet::alone().await;
    let of = |framework: &str, gpu: &str| {
        let command = plans::simulated(framework, &format!("--sim-gpu {gpu}"));
        plans::with_flags(framework, &command, "{max_model_len: 4096}", "{max_num_seqs: [64]}")
    };
    let frameworks = [of("vllm", "h100"), of("tokenspeed", "l40s")];
    let run = trusted_run(|_| plans::plan("second_pass.yaml", &frameworks)).await;

    assert_eq!(run.view.item.status, RunStatus::Completed);
    let candidates: Vec<Uuid> = of_repeat(&run, 0).iter().map(|m| m.candidate_id).collect();
    assert_eq!(candidates.len(), 4);
    let backwards: Vec<Uuid> = candidates.iter().rev().copied().collect();
    for repeat in 1..=REPEATS {
        let order: Vec<Uuid> = of_repeat(&run, repeat).iter().map(|m| m.candidate_id).collect();
        assert_eq!(order, if repeat % 2 == 1 { candidates.clone() } else { backwards.clone() }, "repeat {repeat}");
    }
    assert_eq!(run.measurements.len(), 16);
    assert!(run.measurements.iter().all(|m| m.status == MeasurementStatus::Done), "{:#?}", run.measurements);
    let launches: BTreeSet<_> = run.measurements.iter().map(|m| m.launch_id).collect();
    assert_eq!(launches.len(), 16, "each measurement has a launch of its own");
    assert!(run.view.candidates.iter().all(|candidate| candidate.status == CandidateStatus::Ok));

    // A row is one of its candidate's repeats, the middle one, and never the first pass.
    assert_eq!(run.rows.len(), 4);
    for row in &run.rows {
        let podium = &row.row["podium"];
        let own = |m: &&Measurement| Some(m.id.to_string().as_str()) == podium["measurement_id"].as_str();
        let stands = run.measurements.iter().find(own).expect("the row names its measurement");
        assert_eq!(podium["repeat"], stands.repeat, "{podium}");
        assert!(stands.repeat > 0 && podium["measured_times"] == REPEATS, "{podium}");
        let mut repeats: Vec<_> = run
            .measurements
            .iter()
            .filter(|m| m.candidate_id == stands.candidate_id && m.repeat > 0)
            .filter_map(|m| m.summary.as_ref()?.request_throughput)
            .collect();
        repeats.sort_by(f64::total_cmp);
        assert_eq!(row.row["metrics"]["request_throughput"].as_f64(), Some(repeats[1]));
        assert_eq!(podium["repeats"]["figures"].as_array().map(Vec::len), Some(4), "both passes are told");
    }

    let model = &run.report.report;
    let answer = &model.comparison("chat").expect("the scenario is compared").answer;
    assert_eq!(answer.state, AnswerState::Winner, "{answer:?}");
    let difference = answer.margin.as_ref().and_then(|margin| margin.difference).expect("both were measured again");
    assert_eq!((difference.verdict, difference.rounds), (Verdict::Ahead, 3), "{difference:?}");
    let sentence = answer.sentence("chat");
    assert!(
        sentence.starts_with("Simulated: vLLM wins chat by ") && sentence.contains("(95 % interval "),
        "{sentence}"
    );
    assert!(!model.caveats.iter().any(|caveat| matches!(caveat, Caveat::MeasuredOnce { .. })), "{:?}", model.caveats);
    let confidence = model.confidence.as_ref().expect("candidates were measured again");
    assert_eq!((confidence.rows.len(), confidence.steadiness.len()), (4, 2));
    for text in [report::markdown(model), report::html(model, &podium_service::charts::for_report(model))] {
        assert!(text.contains("Repeats and confidence") && !text.contains("easured once"), "{text}");
        assert!(text.contains(&difference.interval_text()), "{text}");
    }
    assert_eq!(run.view.candidates[0].cells[0].measurements.len(), 4);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_machine_that_changes_makes_a_tie_and_is_told() {
    let _quiet = quiet::alone().await;
    let run = trusted_run(|bench| {
        let vllm = uneven(bench, "vllm", "h100,h100,h100,l40s,h100");
        plans::plan("second_pass.yaml", &[vllm, uneven(bench, "tokenspeed", "h100,h100,l40s,h100,l40s")])
    })
    .await;

    let model = &run.report.report;
    let comparison = model.comparison("chat").expect("the scenario is compared");
    let ranked: Vec<_> = model.rows_of(&comparison.ranked).map(|row| row.framework.as_str()).collect();
    assert_eq!(ranked, ["vllm", "tokenspeed"], "two of three repeats were quick, against one of three");
    let margin = comparison.answer.margin.as_ref().expect("there are two");
    assert!(margin.is_tie(), "{margin:?}");
    let sentence = comparison.answer.sentence("chat");
    assert!(sentence.contains(", a tie with TokenSpeed: "), "{sentence}");

    let confidence = model.confidence.as_ref().expect("candidates were measured again");
    assert!(confidence.steadiness.iter().all(|baseline| baseline.finding == Finding::Fail), "{confidence:#?}");
    let changed = |caveat: &&Caveat| matches!(caveat, Caveat::MachineChanged { .. });
    let caveat = model.caveats.iter().find(changed).expect("the machine changed").to_string();
    assert!(caveat.contains("vLLM baseline in chat: p50 TPOT "), "{caveat}");
    assert!(report::markdown(model).contains(&caveat));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_repeat_that_fails_is_told_and_the_others_stand() {
    let _quiet = quiet::alone().await;
    let run =
        trusted_run(|bench| plans::plan("second_pass.yaml", &[uneven(bench, "vllm", "h100,h100,h100,dead,h100")]))
            .await;

    assert_eq!(run.only(Framework::Vllm).status, CandidateStatus::Ok);
    let failed: Vec<_> = run.measurements.iter().filter(|m| m.status == MeasurementStatus::Failed).collect();
    let [failed] = failed[..] else { panic!("not one failed measurement: {:#?}", run.measurements) };
    assert_eq!(failed.repeat, 2);
    let model = &run.report.report;
    let row = model.rows.first().expect("one candidate, one scenario");
    assert!(row.is_selectable(), "{row:#?}");
    assert_eq!(row.repeats().expect("it was measured again").counted().map(|f| f.repeat).collect::<Vec<_>>(), [1, 3]);
    let texts: Vec<_> = model.caveats.iter().map(ToString::to_string).collect();
    let told = |text: &String| text.contains("held the SLA in 2 of 3 repeats, and 1 gave no figures");
    assert!(texts.iter().any(told), "{texts:#?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_that_is_killed_in_the_second_pass_is_followed_by_one_that_goes_on() {
    let _quiet = quiet::shared().await;
    let bench = Bench::new().await;
    let framework = plans::with_flags("vllm", &plans::simulated("vllm", ""), "{max_model_len: 4096}", "{}");
    let run_id = bench.start(plans::plan("second_pass.yaml", &[framework])).await;
    let folder = bench.folder().display().to_string();
    let mut worker = podium(["worker", "--data-dir", &folder, "--database-url", &bench.database_url])
        .spawn()
        .expect("a worker starts");
    let before = until("the second repeat is being measured", async || {
        let measurements = bench.measurements(run_id).await;
        let taken = |m: &Measurement| m.repeat == 2 && m.status == MeasurementStatus::Measuring;
        measurements.iter().any(taken).then_some(measurements)
    })
    .await;
    worker.kill().await.expect("the worker can be killed");
    let activity = bench.view(run_id).await.activity;
    assert!(activity.ends_with("(pass 2, repeat 2 of 3)"), "{activity}");

    let working = bench.work();
    let run = bench.wait_for_end(run_id).await;
    working.stop().await;
    assert_eq!(run.view.item.status, RunStatus::Completed);
    assert_eq!(run.measurements.len(), 4, "who takes part is settled once");
    for earlier in before.iter().filter(|m| m.status == MeasurementStatus::Done) {
        assert!(run.measurements.contains(earlier), "taken again: {earlier:#?}");
    }
    let launches: BTreeSet<_> = run.measurements.iter().map(|m| m.launch_id).collect();
    assert!(run.measurements.iter().all(|m| m.status == MeasurementStatus::Done), "{:#?}", run.measurements);
    assert_eq!((launches.len(), run.launches.len()), (4, 5), "one launch was lost with its worker");
    assert_eq!(run.rows[0].row["podium"]["measured_times"], REPEATS);
}
