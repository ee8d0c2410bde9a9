//! `podium load`

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{ArgGroup, Args};
use podium_domain::load::LoadPoint;
use podium_domain::plan::Endpoint;
use podium_domain::stats::Distribution;
use podium_loadgen::{AgentMessage, LoadJob, LoadReport, StopHandle};
use podium_workload::{Arrivals, DatasetSpec, TextCalibration, WorkloadSpec, measurement_key};
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::compare::write_file;
use super::{at_terminal, cancel_on_signal, print};

/// Drive a server that runs already, and report what its users would see
#[derive(Debug, Args)]
#[command(group = ArgGroup::new("load").required(true).args(["rate", "concurrency", "burst"]))]
#[command(after_help = "Examples:
  podium load --base-url http://127.0.0.1:8000 --model m --input-len 1000 --output-len 100 --rate 8 --duration 30
  podium load --base-url http://127.0.0.1:8000 --model m --input-len 64 --output-len 16 --concurrency 4 --num-prompts 80
  podium load --base-url http://127.0.0.1:8000 --model m --dataset requests.jsonl --burst --json result.json

Ctrl-C ends the measurement early; what was measured is reported.")]
pub(super) struct LoadArgs {
    /// Where the server listens
    #[arg(long, value_name = "URL")]
    base_url: String,

    /// The name under which the server knows the model
    #[arg(long)]
    model: String,

    /// The request path
    #[arg(long, default_value = "/v1/completions", value_parser = endpoint)]
    endpoint: Endpoint,

    /// Prompt tokens of every request
    #[arg(long, value_name = "TOKENS", required_unless_present = "dataset", requires = "output_len")]
    input_len: Option<u32>,

    /// Output tokens of every request
    #[arg(long, value_name = "TOKENS", required_unless_present = "dataset")]
    output_len: Option<u32>,

    /// A file of requests, one JSON object a line, instead of random prompts
    #[arg(long, value_name = "FILE", conflicts_with_all = ["input_len", "output_len"])]
    dataset: Option<PathBuf>,

    /// Requests to send
    #[arg(long, value_name = "N", default_value_t = 80)]
    num_prompts: u32,

    /// Requests per second, at Poisson-distributed times that no answer moves
    #[arg(long, value_name = "RPS")]
    rate: Option<f64>,

    /// Requests that are always in flight
    #[arg(long, value_name = "N")]
    concurrency: Option<u32>,

    /// Everything at once
    #[arg(long)]
    burst: bool,

    /// At most this many in flight, for --rate and --burst
    #[arg(long, value_name = "N", conflicts_with = "concurrency")]
    max_concurrency: Option<u32>,

    /// Nothing is sent later than this after the start; with --rate alone, as many requests are sent as fit
    #[arg(long, value_name = "SECONDS")]
    duration: Option<f64>,

    /// Requests before the measurement that are not counted
    #[arg(long, value_name = "N", default_value_t = 1)]
    warmup: u32,

    /// Fixes prompts and times
    #[arg(long, default_value_t = 0)]
    seed: u64,

    /// The environment variable that holds the server's API key
    #[arg(long, value_name = "NAME")]
    api_key_env: Option<String>,

    /// A request without its full answer after this long has failed
    #[arg(long, value_name = "SECONDS", default_value_t = 600.0)]
    request_timeout: f64,

    /// Write the figures as JSON to this file; `-` is standard output
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

fn endpoint(text: &str) -> Result<Endpoint, String> {
    let known = Endpoint::ALL.into_iter().find(|endpoint| endpoint.path() == text);
    known.ok_or_else(|| "use /v1/completions or /v1/chat/completions".to_owned())
}

pub(super) async fn run(args: LoadArgs) -> anyhow::Result<ExitCode> {
    let job = args.job()?;
    let stop = StopHandle::new();
    let interrupted = CancellationToken::new();
    tokio::spawn(cancel_on_signal(interrupted.clone()));
    tokio::spawn({
        let stop = stop.clone();
        async move {
            interrupted.cancelled().await;
            stop.stop();
        }
    });
    let live = at_terminal();
    let outcome = tokio::task::spawn_blocking(move || {
        podium_loadgen::run(&job, &stop, |message| {
            if let AgentMessage::Tick { point, counters } = message
                && live
            {
                let ttft = point.ttft_p50_ms.map(|ms| format!(", TTFT p50 {ms:.1} ms")).unwrap_or_default();
                let ended = counters.completed + counters.failed;
                eprint!("\r{ended} of {} requests, {} in flight{ttft}\x1b[K", counters.planned, point.in_flight);
            }
        })
    })
    .await??;
    if live {
        eprintln!();
    }
    let json = format!("{}\n", serde_json::to_string_pretty(&figures(&outcome.report))?);
    match &args.json {
        Some(path) if path == Path::new("-") => print(&json)?,
        Some(path) => write_file(path, &json)?,
        None => {}
    }
    if args.json.as_deref() != Some(Path::new("-")) {
        print(&table(&outcome.report))?;
    }
    Ok(if outcome.report.summary.completed > 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

impl LoadArgs {
    fn job(&self) -> anyhow::Result<LoadJob> {
        let load = match (self.rate, self.concurrency) {
            (Some(rate_rps), _) => LoadPoint::Rate { rate_rps, max_concurrency: self.max_concurrency },
            (None, Some(concurrency)) => LoadPoint::Concurrency { concurrency },
            (None, None) => LoadPoint::Burst { max_concurrency: self.max_concurrency },
        };
        let dataset = match (&self.dataset, self.input_len, self.output_len) {
            (Some(path), _, _) => DatasetSpec::File { path: path.clone() },
            (None, Some(input_len), Some(output_len)) => DatasetSpec::Random {
                input_len,
                output_len,
                vocab_size: None,
                prompt_form: None,
                text_calibration: TextCalibration::default(),
            },
            (None, _, _) => {
                anyhow::bail!("name the lengths with --input-len and --output-len, or a file with --dataset")
            }
        };
        // A rate for a duration says how many requests there are.
        let num_prompts = match (self.rate, self.duration) {
            (Some(rate), Some(seconds)) => (rate * seconds).ceil().clamp(1.0, f64::from(u32::MAX)) as u32,
            _ => self.num_prompts,
        };
        let workload = WorkloadSpec {
            warmup_requests: self.warmup,
            seed: self.seed,
            measurement_key: measurement_key("load", &load, 0),
            ..WorkloadSpec::new(dataset, self.endpoint, self.model.clone(), num_prompts)
        };
        Ok(LoadJob {
            api_key_env: self.api_key_env.clone(),
            arrivals: Arrivals::Poisson,
            duration_limit_s: self.duration,
            request_timeout_s: self.request_timeout,
            ..LoadJob::new(self.base_url.clone(), workload, load)
        })
    }
}

/// The figures under the names that other tools use.
fn figures(report: &LoadReport) -> Value {
    let s = &report.summary;
    let at = |d: &Option<Distribution>, pick: fn(&Distribution) -> f64| d.as_ref().map(pick);
    json!({
        "completed": s.completed,
        "failed": s.failed,
        "never_sent": s.never_sent,
        "duration_s": s.duration_s,
        "request_throughput": s.request_throughput,
        "output_token_throughput": s.output_token_throughput,
        "total_token_throughput": s.total_token_throughput,
        "p50_ttft_ms": at(&s.ttft_ms, |d| d.p50),
        "p99_ttft_ms": at(&s.ttft_ms, |d| d.p99),
        "mean_ttft_ms": at(&s.ttft_ms, |d| d.mean),
        "p50_user_ttft_ms": at(&s.user_ttft_ms, |d| d.p50),
        "p50_tpot_ms": at(&s.tpot_ms, |d| d.p50),
        "p99_tpot_ms": at(&s.tpot_ms, |d| d.p99),
        "p50_itl_ms": at(&s.itl_ms, |d| d.p50),
        "p50_e2e_ms": at(&s.e2e_ms, |d| d.p50),
        "p99_e2e_ms": at(&s.e2e_ms, |d| d.p99),
        "schedule_lag_p99_ms": at(&s.schedule_lag_ms, |d| d.p99),
        "input_tokens": s.input_tokens,
        "output_tokens": s.output_tokens,
        "success_rate": s.success_rate,
        "client_limited": s.client_limited,
        "validity": s.validity,
        "prompt_set_hash": report.prompt_set_hash,
        "summary": s,
        "series": report.series,
    })
}

/// The figures for people.
fn table(report: &LoadReport) -> String {
    let s = &report.summary;
    let mut text =
        format!("{} of {} requests completed, {} failed, in {:.2} s\n", s.completed, s.planned, s.failed, s.duration_s);
    for failure in &s.failures {
        text += &format!("  {} × {}: {}\n", failure.count, failure.class, failure.example);
    }
    let mut line = |name: &str, value: Option<f64>, unit: &str| {
        if let Some(value) = value {
            text += &format!("{name:<26}{value:>12.2} {unit}\n");
        }
    };
    line("request throughput", s.request_throughput, "req/s");
    line("output token throughput", s.output_token_throughput, "tok/s");
    line("total token throughput", s.total_token_throughput, "tok/s");
    let latencies = [
        ("TTFT", &s.ttft_ms),
        ("user's TTFT", &s.user_ttft_ms),
        ("TPOT", &s.tpot_ms),
        ("ITL", &s.itl_ms),
        ("E2E", &s.e2e_ms),
        ("schedule lag", &s.schedule_lag_ms),
    ];
    text += &format!("{:<14}{:>10}{:>10}{:>10}{:>10}{:>8}   ms\n", "", "mean", "p50", "p90", "p99", "n");
    for (name, distribution) in latencies {
        if let Some(d) = distribution {
            text += &format!("{name:<14}{:>10.2}{:>10.2}{:>10.2}{:>10.2}{:>8}\n", d.mean, d.p50, d.p90, d.p99, d.n);
        }
    }
    text += &format!("validity: {}\n", s.validity.word());
    for reason in s.validity.reasons() {
        text += &format!("  {}\n", reason.text);
    }
    for note in &report.notes {
        text += &format!("note: {}\n", note.text);
    }
    text
}
