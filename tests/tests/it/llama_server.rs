//! The CPU plan on a real llama.cpp server: every token is counted, no latency is asserted.

use std::path::Path;
use std::time::Duration;

use podium_domain::framework::Framework;
use podium_domain::load::LoadMode;
use podium_domain::plan::Endpoint;
use podium_domain::status::{CandidateStatus, MeasurementStatus, RunStatus};
use podium_launcher::{EngineSpec, LogLimits, inject};
use podium_loadgen::read_from;
use podium_service::{Caller, RunQuery};
use podium_tests::bench::Bench;
use podium_tests::binaries::{podium, run};
use podium_tests::engines::CpuPlan;
use podium_tests::{engines, plans, quiet};
use serde_json::json;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_cpu_plan_counts_every_token() {
    let _quiet = quiet::shared().await;
    let bench = Bench::new().await;
    let llama_server = engines::llama_server();
    let models = engines::working_folder();
    let plan = plans::shipped("demo-cpu.yaml").canonicalize().expect("a plan that is shipped").display().to_string();
    let folder = bench.folder().display().to_string();
    let arguments = ["run", &plan, "--framework", "llama_cpp", "--idle-engines", "--data-dir", &folder];
    let ended = run(podium(arguments)
        .env("DATABASE_URL", &bench.database_url)
        .env("PODIUM_LLAMA_SERVER", &llama_server)
        .current_dir(models.path()))
    .await;

    let runs = bench.service.list_runs(Caller::owner(), &RunQuery::default(), 50).await.expect("the database answers");
    let [only] = &runs[..] else { panic!("not one run: {ended:?}") };
    let run = bench.ended(only.id).await;
    assert_eq!(run.view.item.status, RunStatus::Completed, "{ended:?}");
    assert!(!run.view.item.simulated && !run.report.report.is_simulated());
    assert_eq!(run.view.candidates.len(), 4, "{ended:?}");
    assert!(run.view.candidates.iter().all(|c| c.status == CandidateStatus::Ok), "{ended:?}");
    assert!(run.launches.iter().all(|launch| launch.version.is_some()), "{:#?}", run.launches);
    assert_eq!(ended.code, Some(if run.report.report.has_winner() { 0 } else { 1 }), "{ended:?}");

    // Four candidates, two scenarios, two loads.
    assert_eq!(run.measurements.len(), 16);
    let asked = CpuPlan::of(&bench, only.id).await;
    for measurement in &run.measurements {
        assert_eq!(measurement.status, MeasurementStatus::Done, "{measurement:#?}");
        assert_eq!(measurement.load_mode, LoadMode::Concurrency);
        let (input_len, output_len) = asked.lengths(&measurement.scenario);
        let stored =
            bench.store.samples(measurement.id).await.expect("the database answers").expect("requests are kept");
        let samples = read_from(&mut stored.bytes.as_slice()).expect("a sample file");
        assert_eq!(samples.len() as u64, asked.num_prompts);
        for sample in &samples {
            assert!(sample.is_complete(), "{sample:?}");
            assert_eq!(sample.input_tokens, Some(input_len), "{sample:?}");
            assert_eq!(sample.output_tokens, Some(output_len), "{sample:?}");
        }
        let summary = measurement.summary.as_ref().expect("figures");
        assert_eq!(summary.input_tokens, Some(asked.num_prompts * u64::from(input_len)));
        assert_eq!(summary.output_tokens, Some(asked.num_prompts * u64::from(output_len)));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_direct_request_and_the_load_process_agree_on_tokens() {
    let _quiet = quiet::shared().await;
    let bench = Bench::new().await;
    let models = engines::working_folder();
    let engine = bench.host.start(spec(&bench, &models.path().join("tiny-llama.gguf")).await).await.expect("it starts");
    let ready = engine.wait_ready(&CancellationToken::new()).await.expect("it becomes ready");

    let body = json!({
        "model": ready.model, "prompt": (100..164).collect::<Vec<u32>>(), "max_tokens": 16, "ignore_eos": true,
        "temperature": 0.0,
    });
    let answer = reqwest::Client::new().post(format!("{}/v1/completions", engine.base_url())).json(&body);
    let answer: serde_json::Value = answer.send().await.expect("an answer").json().await.expect("JSON");
    assert_eq!(answer["usage"]["prompt_tokens"], 64, "{answer}");
    assert_eq!(answer["usage"]["completion_tokens"], 16, "{answer}");

    let load = ["load", "--base-url", &engine.base_url(), "--model", &ready.model, "--input-len", "64"];
    let more = ["--output-len", "16", "--concurrency", "2", "--num-prompts", "10", "--json", "-"];
    let figures = run(&mut podium(load.into_iter().chain(more))).await.json();
    assert_eq!(figures["completed"], 10, "{figures}");
    assert_eq!(figures["input_tokens"], 10 * 64, "{figures}");
    assert_eq!(figures["output_tokens"], 10 * 16, "{figures}");

    let report = engine.stop().await;
    assert!(report.is_clean(), "{report:?}");
}

async fn spec(bench: &Bench, model: &Path) -> EngineSpec {
    let port = bench.host.free_port().await.expect("a free port");
    let words = ["llama-server", "--model", &model.display().to_string(), "--ctx-size", "2048", "--parallel", "2"];
    let command = inject(Framework::LlamaCpp, &words.map(str::to_owned), "tiny-llama", port);
    let mut argv = command.argv;
    argv[0] = engines::llama_server().display().to_string();
    EngineSpec {
        launch_id: Uuid::new_v4(),
        argv,
        env: Vec::new(),
        port,
        served_model_name: command.served_model_name,
        endpoint: Endpoint::Completions,
        startup_timeout: Duration::from_secs(120),
        idle_priority: true,
        container: None,
        folder: bench.folder().join("direct"),
        log_limits: LogLimits::default(),
    }
}
