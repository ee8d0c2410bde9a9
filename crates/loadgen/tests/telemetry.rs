//! What is read beside a measurement, from a server that counts for itself and from a program that stands for
//! `nvidia-smi`.

use std::fs;
use std::net::Ipv4Addr;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use podium_domain::framework::Framework;
use podium_domain::load::LoadPoint;
use podium_domain::plan::Endpoint;
use podium_domain::telemetry::TelemetrySummary;
use podium_loadgen::workload::{DatasetSpec, TextCalibration, WorkloadSpec};
use podium_loadgen::{LoadJob, LoadOutcome, StopHandle, TelemetrySpec, run};
use podium_sim::cli::{self, Command};
use podium_sim::serve_on;
use podium_sim::truth::{TruthConfig, TruthServer};
use tokio::net::TcpListener;

const REQUESTS: u32 = 8;
const WARMUP: u32 = 3;

async fn measured(base_url: String, telemetry: TelemetrySpec) -> LoadOutcome {
    let dataset = DatasetSpec::Random {
        input_len: 24,
        output_len: 10,
        vocab_size: None,
        prompt_form: None,
        text_calibration: TextCalibration::default(),
    };
    let workload = WorkloadSpec {
        warmup_requests: WARMUP,
        ..WorkloadSpec::new(dataset, Endpoint::Completions, "truth", REQUESTS)
    };
    let job = LoadJob {
        request_timeout_s: 60.0,
        telemetry: Some(telemetry),
        ..LoadJob::new(base_url, workload, LoadPoint::Concurrency { concurrency: 2 })
    };
    tokio::task::spawn_blocking(move || run(&job, &StopHandle::new(), |_| ()).unwrap()).await.unwrap()
}

async fn server() -> TruthServer {
    let config =
        TruthConfig { ttft: Duration::from_millis(30), itl: Duration::from_millis(2), ..TruthConfig::default() };
    TruthServer::start(config).await.unwrap()
}

fn telemetry(outcome: &LoadOutcome) -> &TelemetrySummary {
    outcome.report.telemetry.as_ref().expect("it was asked for")
}

/// A program that answers like `nvidia-smi`.
fn nvidia_smi(folder: &Path, body: &str) -> PathBuf {
    let path = folder.join("nvidia-smi");
    fs::write(&path, format!("#!/bin/sh\n{body}\n")).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    path
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn counters_are_of_the_measurement_alone() {
    let server = server().await;
    let outcome = measured(server.base_url(), TelemetrySpec::new(Framework::Vllm)).await;
    let telemetry = telemetry(&outcome);
    assert_eq!(telemetry.problem, None);
    let ttft = telemetry.engine_ttft.unwrap();
    assert_eq!(ttft.n, u64::from(REQUESTS), "the warm-up is not in it");
    let truth: Vec<f64> = server.records()[WARMUP as usize..]
        .iter()
        .filter_map(|record| Some(record.ttft()?.as_secs_f64() * 1e3))
        .collect();
    let mean_ms = truth.iter().sum::<f64>() / truth.len() as f64;
    assert!((ttft.mean_ms - mean_ms).abs() < 1e-3, "{} {mean_ms}", ttft.mean_ms);
    assert_eq!(telemetry.prompt_tokens, outcome.report.summary.input_tokens.map(|tokens| tokens as f64));
    // This server counts nothing else, and nothing is made up.
    assert_eq!((telemetry.kv_usage, telemetry.preemptions, telemetry.accept_length), (None, None, None));
    assert_eq!(telemetry.gpu, None);
    server.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_engine_without_such_metrics_is_measured_all_the_same() {
    let server = server().await;
    let outcome = measured(server.base_url(), TelemetrySpec::new(Framework::TensorrtLlm)).await;
    assert_eq!(outcome.report.summary.completed, u64::from(REQUESTS));
    let telemetry = telemetry(&outcome);
    assert_eq!((telemetry.readings, telemetry.engine_ttft), (0, None));
    assert!(telemetry.failed_readings >= 2, "before and after");
    assert_eq!(telemetry.problem.as_deref(), Some("/prometheus/metrics answered with 404"));
    server.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn gpus_are_read_and_tokens_per_joule_follow() {
    let folder = tempfile::tempdir().unwrap();
    let program = nvidia_smi(
        folder.path(),
        "[ \"$1 $2\" = '--query-gpu=power.draw,memory.used,utilization.gpu --format=csv,noheader,nounits' ] || exit 9\n\
         echo '400.0, 20000, 90'\necho '200.0, 10000, 50'",
    );
    let server = server().await;
    let spec = TelemetrySpec { nvidia_smi: Some(program), ..TelemetrySpec::new(Framework::Vllm) };
    let outcome = measured(server.base_url(), spec).await;
    let gpu = telemetry(&outcome).gpu.as_ref().unwrap();
    assert_eq!(gpu.count, 2);
    assert_eq!(gpu.power_w.unwrap().mean, 600.0);
    assert!((gpu.utilization.unwrap().max - 0.7).abs() < 1e-9);
    let joules = gpu.energy_j.unwrap();
    assert!(joules > 0.0);
    assert_eq!(gpu.tokens_per_joule, Some(f64::from(REQUESTS * 10) / joules));
    let point = telemetry(&outcome).series.last().unwrap();
    assert_eq!(point.gpu_power_w, Some(600.0));
    server.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_driver_that_fails_leaves_the_gpus_out() {
    let folder = tempfile::tempdir().unwrap();
    let program = nvidia_smi(folder.path(), "echo 'NVIDIA-SMI has failed'; exit 9");
    let server = server().await;
    let spec = TelemetrySpec { nvidia_smi: Some(program), ..TelemetrySpec::new(Framework::Vllm) };
    assert_eq!(telemetry(&measured(server.base_url(), spec).await).gpu, None);
    server.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn metrics_can_be_elsewhere() {
    let (server, gateway) = (server().await, server().await);
    let url = format!("{}/metrics", gateway.base_url());
    let spec = TelemetrySpec { url: Some(url.clone()), ..TelemetrySpec::recognised() };
    let outcome = measured(server.base_url(), spec).await;
    // The other server answered nothing, and says so.
    assert_eq!((telemetry(&outcome).problem.as_deref(), telemetry(&outcome).engine_ttft), (None, None));
    let whole = TelemetrySpec { url: Some(url), ..TelemetrySpec::recognised() };
    assert_eq!(telemetry(&measured(gateway.base_url(), whole).await).engine_ttft.unwrap().n, u64::from(REQUESTS));
    let beside = TelemetrySpec { url: Some(gateway.base_url()), ..TelemetrySpec::recognised() };
    assert_eq!(telemetry(&measured(gateway.base_url(), beside).await).engine_ttft.unwrap().n, u64::from(REQUESTS));
    server.shutdown().await;
    gateway.shutdown().await;
}

/// What was read from a simulated server of this framework.
async fn simulated(framework: Framework, line: &str) -> TelemetrySummary {
    let words: Vec<String> = format!("{line} --sim-startup-s 0").split(' ').map(str::to_owned).collect();
    let Ok(Command::Serve(options)) = cli::parse(framework, &words, &|_| None) else { panic!("{line}") };
    let server = serve_on(TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap(), *options).unwrap();
    server.ready().await;
    // Nobody says whose it is: its metrics do.
    let outcome = measured(format!("http://{}", server.addr()), TelemetrySpec::recognised()).await;
    server.shutdown().await;
    let telemetry = telemetry(&outcome).clone();
    assert_eq!(telemetry.problem, None, "{framework}");
    assert_eq!(telemetry.prompt_tokens, outcome.report.summary.input_tokens.map(|tokens| tokens as f64), "{framework}");
    assert!(telemetry.prefix_cache_hit_rate().is_some(), "{framework}");
    telemetry
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn simulated_engines_count_under_the_real_names() {
    let all = u64::from(REQUESTS);
    let vllm =
        simulated(Framework::Vllm, r#"truth --speculative-config {"method":"ngram","num_speculative_tokens":3}"#);
    let eagle = "--speculative-algorithm EAGLE --speculative-num-steps 3 --speculative-num-draft-tokens 4";
    let sglang_line = format!("--model-path truth --enable-metrics {eagle}");
    let sglang = simulated(Framework::Sglang, &sglang_line);
    let trtllm = simulated(Framework::TensorrtLlm, "truth --backend pytorch");
    let llama = simulated(Framework::LlamaCpp, "-m truth --metrics");
    let (vllm, sglang, trtllm, llama) = (vllm.await, sglang.await, trtllm.await, llama.await);
    for counted in [&vllm, &sglang, &trtllm] {
        assert_eq!(counted.engine_ttft.map(|ttft| ttft.n), Some(all));
        assert_eq!(counted.queue.map(|queue| queue.n), Some(all));
        assert!(counted.kv_cache_tokens.is_some_and(|tokens| tokens > 1000.0));
    }
    for speculating in [&vllm, &sglang] {
        assert!(speculating.accept_length.is_some_and(|length| length >= 1.0));
        assert!(speculating.acceptance_rate.is_some_and(|rate| (0.0..=1.0).contains(&rate)));
        assert_eq!(speculating.preemptions, Some(0));
    }
    // Not in the real ones' metrics, or not switched on.
    assert_eq!((trtllm.preemptions, trtllm.accept_length), (None, None));
    assert_eq!((llama.engine_ttft, llama.queue, llama.kv_cache_tokens, llama.accept_length), (None, None, None, None));
}
