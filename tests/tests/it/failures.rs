//! Engines that fail. Each ends as a candidate with the right status and reason, and the run goes on.

use podium_domain::framework::Framework;
use podium_domain::status::{CandidateStatus, MeasurementStatus, RunStatus};
use podium_service::{CandidateView, StartRun};
use podium_tests::bench::{Bench, EndedRun};
use podium_tests::{plans, quiet};

/// Runs a plan with a vLLM that fails and, behind it, an SGLang that does not.
async fn beside_a_good_one(plan: &str, failing: String) -> EndedRun {
    let _quiet = quiet::shared().await;
    let bench = Bench::new().await;
    let good = plans::framework("sglang", &plans::simulated("sglang", ""));
    let run = bench.run(plans::plan(plan, &[failing, good])).await;
    assert_eq!(run.view.item.status, RunStatus::Completed);
    assert_eq!(run.only(Framework::Sglang).status, CandidateStatus::Ok, "{:#?}", run.only(Framework::Sglang));

    let failed = run.only(Framework::Vllm);
    let reason = failed.failure_reason.clone().expect("a failed candidate has a reason");
    let own: Vec<_> = run.rows.iter().filter(|row| row.framework == "vllm").collect();
    assert_eq!(own.len(), run.view.scenarios.len());
    for row in own.iter().filter(|row| row.status == failed.status) {
        assert!(row.row["failure_reason"].as_str().is_some_and(|text| text.contains(&reason)), "{}", row.row);
    }
    assert!(own.iter().any(|row| row.status == failed.status), "{own:#?}");
    assert!(run.report.report.not_selected.iter().any(|entry| entry.reason.contains(&reason)), "{reason}");
    run
}

fn assert_failed(candidate: &CandidateView, status: CandidateStatus, reason: &str) {
    assert_eq!(candidate.status, status, "{candidate:#?}");
    let said = candidate.failure_reason.as_deref().unwrap_or_default();
    assert!(said.contains(reason), "`{said}` does not say `{reason}`: {candidate:#?}");
}

fn assert_evidence(candidate: &CandidateView, words: &str) {
    assert!(candidate.evidence.iter().any(|line| line.contains(words)), "no `{words}` in {:#?}", candidate.evidence);
}

fn missing() -> String {
    plans::with_flags("vllm", "no-such-engine serve", "{max_model_len: 4096}", "{}")
}

fn vllm(more: &str) -> String {
    plans::with_flags("vllm", &plans::simulated("vllm", more), "{max_model_len: 4096}", "{}")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_command_that_does_not_exist() {
    let run = beside_a_good_one("one_scenario.yaml", missing()).await;
    let candidate = run.only(Framework::Vllm);
    assert_failed(candidate, CandidateStatus::Failed, "`no-such-engine` was not found on PATH");
    assert!(candidate.hint.as_deref().is_some_and(|hint| hint.contains("PODIUM_VLLM")), "{candidate:#?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_command_that_does_not_exist_is_skipped_where_that_was_asked_for() {
    let _quiet = quiet::shared().await;
    let bench = Bench::new().await;
    let frameworks = [missing(), plans::framework("sglang", &plans::simulated("sglang", ""))];
    let yaml = plans::plan("one_scenario.yaml", &frameworks);
    let start = StartRun { skip_missing: true, ..StartRun::of(yaml) };
    let run_id = bench.start_with(start).await;
    let run = bench.carry_out(run_id).await;
    assert_failed(run.only(Framework::Vllm), CandidateStatus::Skipped, "environment gap: `no-such-engine`");
    assert_eq!(run.only(Framework::Sglang).status, CandidateStatus::Ok);
    assert_eq!(run.launches.len(), 1, "what is skipped is not launched");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_engine_that_exits_at_once() {
    let run = beside_a_good_one("one_scenario.yaml", vllm("--sim-fault exit=7")).await;
    let candidate = run.only(Framework::Vllm);
    assert_failed(candidate, CandidateStatus::Failed, "exit code 7");
    assert!(!candidate.evidence.is_empty(), "{candidate:#?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_engine_that_finds_its_port_taken() {
    let failing = plans::with_flags("vllm", &plans::script("port_taken.py"), "{max_model_len: 4096}", "{}");
    let run = beside_a_good_one("one_scenario.yaml", failing).await;
    let candidate = run.only(Framework::Vllm);
    assert_failed(candidate, CandidateStatus::Failed, "another process holds the port");
    assert_evidence(candidate, "Address already in use");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_engine_that_does_not_know_a_flag() {
    let run = beside_a_good_one("one_scenario.yaml", vllm("--no-such-flag 3")).await;
    let candidate = run.only(Framework::Vllm);
    assert_failed(candidate, CandidateStatus::Failed, "does not accept one of its flags");
    assert_evidence(candidate, "--no-such-flag");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_engine_that_is_healthy_and_answers_nothing() {
    let run = beside_a_good_one("one_scenario.yaml", vllm("--sim-fault http500")).await;
    let candidate = run.only(Framework::Vllm);
    assert_failed(candidate, CandidateStatus::Failed, "500");
    assert!(candidate.launch.as_ref().is_some_and(|launch| launch.ready_after_s.is_none()), "{candidate:#?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_engine_that_hangs() {
    let _quiet = quiet::shared().await;
    let bench = Bench::new().await;
    let yaml = plans::plan("one_scenario.yaml", &[vllm("--sim-fault hang")]);
    let run = bench.run(yaml.replace("startup_timeout_s: 60", "startup_timeout_s: 2")).await;
    assert_eq!(run.view.item.status, RunStatus::Completed);
    assert_failed(run.only(Framework::Vllm), CandidateStatus::Timeout, "2 s");
    assert_eq!(run.rows[0].status, CandidateStatus::Timeout);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_engine_without_memory_for_its_kv_cache() {
    // No fault is asked for: the weights alone fill the tenth of the memory that the engine may use.
    let flags = "{max_model_len: 4096, gpu_memory_utilization: 0.1}";
    let failing = plans::with_flags("vllm", &plans::simulated("vllm", ""), flags, "{}");
    let run = beside_a_good_one("one_scenario.yaml", failing).await;
    let candidate = run.only(Framework::Vllm);
    assert_failed(candidate, CandidateStatus::Oom, "memory");
    assert!(!candidate.evidence.is_empty(), "{candidate:#?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_engine_that_dies_under_load() {
    // A measurement takes 2 + 24 requests and getting ready at least one: it dies in the second scenario.
    let run = beside_a_good_one("three_scenarios.yaml", vllm("--sim-fault crash-after=40")).await;
    let candidate = run.only(Framework::Vllm);
    assert_failed(candidate, CandidateStatus::Failed, "134");
    let taken = |scenario: &str| {
        let index = run.view.scenarios.iter().position(|name| name == scenario).expect("a scenario of the plan");
        candidate.cells[index].measurements.iter().map(|m| (m.status, m.failure_reason.clone())).collect::<Vec<_>>()
    };
    assert_eq!(taken("first"), [(MeasurementStatus::Done, None)]);
    let second = taken("second");
    assert_eq!(second[0].0, MeasurementStatus::Failed, "{second:?}");
    assert!(second[0].1.as_deref().is_some_and(|reason| reason.starts_with("the engine failed")), "{second:?}");
    assert_eq!(taken("third"), [(MeasurementStatus::Skipped, Some("its engine failed".to_owned()))]);
}
