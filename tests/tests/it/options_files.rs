//! Options that TensorRT-LLM has no flags for: in a file of the plan's making, and in files of the user's own.

use podium_domain::framework::Framework;
use podium_domain::status::{CandidateStatus, RunStatus};
use podium_tests::bench::{Bench, EndedRun};
use podium_tests::{plans, quiet};

fn plan(base: &str, search: &str) -> String {
    let flags = format!("{{backend: pytorch, max_seq_len: 4096{base}}}");
    let command = plans::simulated(Framework::TensorrtLlm.id(), "");
    plans::plan("one_scenario.yaml", &[plans::with_flags("tensorrt_llm", &command, &flags, search)])
}

/// The texts of the options files that a run has kept, sorted.
async fn kept(bench: &Bench, run: &EndedRun) -> Vec<String> {
    let mut texts = Vec::new();
    for file in bench.store.run_artifacts(run.view.item.id).await.expect("the database answers") {
        if file.kind == "options_file" {
            let bytes = bench.store.artifact_bytes(file.artifact_id).await.expect("a file of the run is there");
            texts.push(String::from_utf8(bytes).expect("YAML is text"));
        }
    }
    texts.sort();
    texts
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn searched_options_reach_the_server_and_are_kept() {
    let _quiet = quiet::shared().await;
    let bench = Bench::new().await;
    let run = bench.run(plan("", "{kv_cache_config.enable_block_reuse: [false, true]}")).await;
    assert_eq!(run.view.item.status, RunStatus::Completed);
    assert!(run.view.candidates.iter().all(|c| c.status == CandidateStatus::Ok), "{:#?}", run.view.candidates);
    assert_eq!(run.view.candidates.len(), 3);
    let file = |value| format!("kv_cache_config:\n  enable_block_reuse: {value}\n");
    assert_eq!(kept(&bench, &run).await, [file(false), file(true)]);
    for row in &run.rows {
        let (command, file) = (&row.row["server_command"], &row.row["podium"]["options_file"]);
        assert_eq!(row.row["podium"]["baseline"] == true, file.is_null(), "{}", row.row);
        let named = file["name"].as_str().is_none_or(|name| command.as_str().is_some_and(|text| text.ends_with(name)));
        assert!(named || command.as_str().is_some_and(|text| text.contains("podium-options-")), "{}", row.row);
    }
    // The simulated server refuses what it cannot read, so a wrong value shows that it was read.
    let refused = bench.run(plan("", "{kv_cache_config.max_tokens: [1]}")).await;
    let statuses: Vec<_> = refused.view.candidates.iter().map(|candidate| candidate.status).collect();
    assert_eq!(statuses, [CandidateStatus::Ok, CandidateStatus::Failed], "{:#?}", refused.view.candidates);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_that_asks_for_another_backend_skips_its_candidates_and_the_rest_runs() {
    let _quiet = quiet::shared().await;
    let bench = Bench::new().await;
    let path = |name: &str| bench.folder().join(name).display().to_string();
    let (good, bad) = (path("good.yaml"), path("bad.yaml"));
    std::fs::write(&good, "stream_interval: 2\n").expect("a file can be written");
    std::fs::write(&bad, "backend: trt\n").expect("a file can be written");
    let run = bench.run(plan("", &format!("{{extra_llm_api_options: [{bad:?}, {good:?}]}}"))).await;
    assert_eq!(run.view.item.status, RunStatus::Completed);
    let statuses: Vec<_> = run.view.candidates.iter().map(|candidate| candidate.status).collect();
    assert_eq!(statuses, [CandidateStatus::Ok, CandidateStatus::Skipped, CandidateStatus::Ok]);
    let reason = run.view.candidates[1].failure_reason.clone().unwrap_or_default();
    assert!(reason.contains("bad.yaml") && reason.contains("must be pytorch"), "{reason}");
    let reported = &run.report.report;
    assert!(reported.not_selected.iter().any(|entry| entry.reason == reason), "{:?}", reported.not_selected);
    assert_eq!(kept(&bench, &run).await, ["stream_interval: 2\n"]);
}
