//! What is read beside a measurement, from a server that counts for itself and from a program that stands for
//! `nvidia-smi`.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use podium_domain::framework::Framework;
use podium_domain::load::LoadPoint;
use podium_domain::plan::Endpoint;
use podium_domain::telemetry::TelemetrySummary;
use podium_loadgen::workload::{DatasetSpec, TextCalibration, WorkloadSpec};
use podium_loadgen::{LoadJob, LoadOutcome, StopHandle, TelemetrySpec, run};
use podium_sim::truth::{TruthConfig, TruthServer};

const REQUESTS: u32 = 8;
const WARMUP: u32 = 3;

async fn measured(server: &TruthServer, telemetry: TelemetrySpec) -> LoadOutcome {
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
        ..LoadJob::new(server.base_url(), workload, LoadPoint::Concurrency { concurrency: 2 })
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
    let outcome = measured(&server, TelemetrySpec::new(Framework::Vllm)).await;
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
    let outcome = measured(&server, TelemetrySpec::new(Framework::TensorrtLlm)).await;
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
    let outcome = measured(&server, spec).await;
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
    assert_eq!(telemetry(&measured(&server, spec).await).gpu, None);
    server.shutdown().await;
}
