//! `podium load`

mod job;
mod report;
mod shape;
mod telemetry;

use std::io::BufWriter;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context as _;
use clap::{ArgGroup, Args, ValueEnum};
use podium_domain::load::LoadPoint;
use podium_domain::plan::Endpoint;
use podium_loadgen::{AgentMessage, LoadJob, LoadOutcome, Margin, StopHandle, vllm_result, write_request_lines};
use podium_workload::Protocol;
use serde_json::{Map, Value};
use tokio_util::sync::CancellationToken;

use super::compare::write_file;
use super::{at_terminal, cancel_on_signal, print};
use shape::ShapeArgs;
use telemetry::TelemetryArgs;

/// Drive a server that runs already, and report what its users would see
#[derive(Debug, Args)]
#[command(group = ArgGroup::new("load").required(true)
    .args(["rate", "trace", "concurrency", "burst", "sweep_rate", "sweep_concurrency"]))]
#[command(group = ArgGroup::new("rates").args(["rate", "sweep_rate"]))]
#[command(group = ArgGroup::new("sweep").args(["sweep_rate", "sweep_concurrency"]))]
#[command(after_help = "Examples:
  podium load --base-url http://127.0.0.1:8000 --model m --input-len 1000 --output-len 100 --rate 8 --duration 30s
  podium load --base-url http://127.0.0.1:8000 --model m --input-len 64 --output-len 16 --concurrency 4 --num-prompts 80
  podium load --base-url http://127.0.0.1:8000 --model m --input-len 900 --output-len 90 --shared-prefix 4x512 --rate 2
  podium load --base-url http://127.0.0.1:8000 --model m --dataset requests.jsonl --burst --json result.json
  podium load --base-url http://127.0.0.1:8000 --model m --dataset requests.jsonl --trace starts.jsonl --requests all.jsonl
  podium load --base-url http://127.0.0.1:8000 --model m --input-len 900 --output-len 90 --sweep-rate 1,2,4,8 --json curve.json
  podium load --base-url http://127.0.0.1:8000 --model m --input-len 64 --output-len 16 --sweep-concurrency 1,8,64
  podium load --base-url https://engine.example --ca ca.pem --http2 --model m --input-len 64 --output-len 16 --rate 2
  podium load --base-url unix:/run/engine.sock --model m --input-len 64 --output-len 16 --concurrency 4

A sweep measures one load after another, each with prompts of its own: a latency-throughput curve.

Ctrl-C ends the measurement early; what was measured is reported and written all the same.

Exit codes: 0 the measurement came to its end and requests were answered; 1 none was answered (in a sweep: at one of the
loads), or it could not take place; 2 the options are wrong; 130 Ctrl-C or a TERM signal ended it early.")]
pub(super) struct LoadArgs {
    /// Where the server listens: http://HOST:PORT, https://HOST, or unix:/PATH/OF/ITS/SOCKET
    #[arg(long, value_name = "URL")]
    base_url: String,

    /// The certificate authorities that an https server is trusted by, in PEM form; the system's where absent
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,

    /// Speak HTTP/2, agreed on by ALPN with https, else by prior knowledge; each request in flight has its connection
    #[arg(long)]
    http2: bool,

    /// The name under which the server knows the model
    #[arg(long)]
    model: String,

    /// The request path: /v1/completions, /v1/chat/completions, or SGLang's own /generate
    #[arg(long, value_name = "PATH", default_value = "/v1/completions", value_parser = endpoint)]
    endpoint: (Protocol, Endpoint),

    /// Prompt tokens of every request
    #[arg(long, value_name = "TOKENS", required_unless_present = "dataset", requires = "output_len")]
    input_len: Option<u32>,

    /// Output tokens of every request
    #[arg(long, value_name = "TOKENS", required_unless_present = "dataset")]
    output_len: Option<u32>,

    #[command(flatten)]
    shape: ShapeArgs,

    /// The model's tokenizer.json, or its folder: random prompts are then text of exactly --input-len tokens
    #[arg(long, value_name = "FILE OR FOLDER")]
    tokenizer: Option<PathBuf>,

    /// A file of requests instead of random prompts: canonical lines, ShareGPT, OpenAI batch or a Mooncake trace
    #[arg(long, value_name = "FILE", conflicts_with_all = ["input_len", "output_len"])]
    dataset: Option<PathBuf>,

    /// Requests to send; 80, or as many as a trace has, where absent. Of each load of a sweep, and then at least four for
    /// each one in flight
    #[arg(long, value_name = "N")]
    num_prompts: Option<u32>,

    /// Requests per second, at Poisson-distributed times that no answer moves
    #[arg(long, value_name = "RPS")]
    rate: Option<f64>,

    /// Equal times between requests, for --rate and --sweep-rate
    #[arg(long, requires = "rates", conflicts_with_all = ["burstiness", "ramp_from"])]
    constant: bool,

    /// Shape of the gamma-distributed times between requests, for --rate: 1 is Poisson, less comes in bursts
    #[arg(long, value_name = "SHAPE", requires = "rates", conflicts_with = "ramp_from")]
    burstiness: Option<f64>,

    /// The rate grows evenly from this to --rate
    // Clap does not ask for what conflicts with another load that is given, so those are named here.
    #[arg(long, value_name = "RPS", requires = "rate",
        conflicts_with_all = ["trace", "concurrency", "burst", "sweep_rate", "sweep_concurrency"])]
    ramp_from: Option<f64>,

    /// Requests start at the times of this file: on each line seconds, or an object with `timestamp` in milliseconds
    #[arg(long, value_name = "FILE")]
    trace: Option<PathBuf>,

    /// The trace is stretched to this mean rate, for --trace
    #[arg(long, value_name = "RPS", requires = "trace",
        conflicts_with_all = ["rate", "concurrency", "burst", "sweep_rate", "sweep_concurrency"])]
    trace_rate: Option<f64>,

    /// Requests that are always in flight
    #[arg(long, value_name = "N")]
    concurrency: Option<u32>,

    /// Everything at once
    #[arg(long)]
    burst: bool,

    /// Measure at each of these rates, requests per second, one after another
    #[arg(long, value_name = "RPS,…", value_delimiter = ',', value_parser = positive)]
    sweep_rate: Vec<f64>,

    /// Measure with each of these numbers of requests in flight, one after another
    #[arg(long, value_name = "N,…", value_delimiter = ',', value_parser = clap::value_parser!(u32).range(1..))]
    sweep_concurrency: Vec<u32>,

    /// At most this many in flight, for --rate, --sweep-rate, --trace and --burst
    #[arg(long, value_name = "N", conflicts_with_all = ["concurrency", "sweep_concurrency"])]
    max_concurrency: Option<u32>,

    /// Nothing is sent later than this after the start; at a rate, as many requests are sent as fit
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    duration: Option<f64>,

    /// Requests before the measurement that are not counted
    #[arg(long, value_name = "N", default_value_t = 1)]
    warmup: u32,

    /// Left out of the figures at the beginning, though sent: requests (`20`) or seconds (`5s`)
    #[arg(long, value_name = "MARGIN", value_parser = margin)]
    skip_first: Option<Margin>,

    /// Left out of the figures at the end, though sent: requests (`20`) or seconds (`5s`)
    #[arg(long, value_name = "MARGIN", value_parser = margin)]
    skip_last: Option<Margin>,

    /// Fixes prompts and times
    #[arg(long, default_value_t = 0)]
    seed: u64,

    /// The environment variable that holds the server's API key
    #[arg(long, value_name = "NAME")]
    api_key_env: Option<String>,

    /// A header of every request; never a secret, see --api-key-env
    #[arg(long, value_name = "NAME: VALUE", value_parser = header)]
    header: Vec<(String, String)>,

    /// A JSON object laid over the body of every request
    #[arg(long, value_name = "JSON", value_parser = json_object)]
    extra_request_body: Option<Map<String, Value>>,

    /// Ask for whole answers instead of streams; there is no time to the first token then
    #[arg(long)]
    no_stream: bool,

    /// A request whose answer is silent for this long has failed
    #[arg(long, value_name = "SECONDS")]
    idle_timeout: Option<f64>,

    /// A request without its full answer after this long has failed
    #[arg(long, value_name = "SECONDS", default_value_t = 600.0)]
    request_timeout: f64,

    /// Write the figures as JSON to this file; `-` is standard output
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,

    /// The form of what --json writes
    #[arg(long, value_enum, default_value_t = Format::Podium, requires = "json", conflicts_with = "sweep")]
    format: Format,

    /// Write one JSON object for each request to this file
    #[arg(long, value_name = "FILE", conflicts_with = "sweep")]
    requests: Option<PathBuf>,

    #[command(flatten)]
    telemetry: TelemetryArgs,
}

/// The form of a result file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// Our own figures
    Podium,
    /// As `vllm bench serve --save-result --save-detailed` writes them
    Vllm,
}

fn endpoint(text: &str) -> Result<(Protocol, Endpoint), String> {
    if text == "/generate" {
        return Ok((Protocol::SglangGenerate, Endpoint::Completions));
    }
    let known = Endpoint::ALL.into_iter().find(|endpoint| endpoint.path() == text);
    known
        .map(|endpoint| (Protocol::OpenAi, endpoint))
        .ok_or_else(|| "use /v1/completions, /v1/chat/completions or /generate".to_owned())
}

/// `30`, `30s` or `2m`.
fn seconds(text: &str) -> Result<f64, String> {
    let (number, factor) = match (text.strip_suffix('s'), text.strip_suffix('m')) {
        (Some(number), _) => (number, 1.0),
        (None, Some(number)) => (number, 60.0),
        (None, None) => (text, 1.0),
    };
    let number: f64 = number.parse().map_err(|_| "write seconds (`30`, `30s`) or minutes (`2m`)".to_owned())?;
    Ok(number * factor)
}

fn positive(text: &str) -> Result<f64, String> {
    let number = text.parse().ok().filter(|number: &f64| *number > 0.0 && number.is_finite());
    number.ok_or_else(|| "write numbers above 0, separated by commas (`1,2.5,8`)".to_owned())
}

fn header(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once(':').ok_or("write it as `name: value`")?;
    Ok((name.trim().to_owned(), value.trim().to_owned()))
}

fn json_object(text: &str) -> Result<Map<String, Value>, String> {
    serde_json::from_str(text).map_err(|error| format!("it is no JSON object: {error}"))
}

fn margin(text: &str) -> Result<Margin, String> {
    let margin = match text.strip_suffix('s') {
        Some(seconds) => seconds.parse().ok().map(Margin::Seconds),
        None => text.parse().ok().map(Margin::Requests),
    };
    margin.ok_or_else(|| "write a number of requests (`20`) or of seconds (`5s`)".to_owned())
}

pub(super) async fn run(args: LoadArgs) -> anyhow::Result<ExitCode> {
    let jobs = args.jobs()?;
    let stop = stop_on_signal();
    let mut measured: Vec<(LoadPoint, LoadOutcome)> = Vec::new();
    for job in &jobs {
        if stop.is_stopped() {
            break;
        }
        if args.is_sweep() {
            eprintln!("{} of {}: {}", measured.len() + 1, jobs.len(), job.load);
        }
        measured.push((job.load, measure(job.clone(), stop.clone()).await?));
    }
    args.report(&jobs, &measured, stop.is_stopped())?;
    Ok(if stop.is_stopped() {
        ExitCode::from(INTERRUPTED)
    } else if measured.iter().all(|(_, outcome)| outcome.report.summary.completed > 0) {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// What a shell reports of a program that Ctrl-C has ended.
const INTERRUPTED: u8 = 130;

/// A handle that Ctrl-C and TERM stop.
fn stop_on_signal() -> StopHandle {
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
    stop
}

/// Carries out one measurement, with a line that follows it on a terminal.
async fn measure(job: LoadJob, stop: StopHandle) -> anyhow::Result<LoadOutcome> {
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
    Ok(outcome)
}

fn write_requests(path: &Path, outcome: &LoadOutcome) -> std::io::Result<()> {
    write_request_lines(&mut BufWriter::new(std::fs::File::create(path)?), &outcome.samples)
}

impl LoadArgs {
    /// Writes and prints what was measured.
    fn report(&self, jobs: &[LoadJob], measured: &[(LoadPoint, LoadOutcome)], interrupted: bool) -> anyhow::Result<()> {
        if let (Some(path), Some((_, outcome))) = (&self.requests, measured.first()) {
            write_requests(path, outcome)
                .with_context(|| format!("cannot write the requests to {}", path.display()))?;
        }
        let figures = match (self.format, jobs.first(), measured.first()) {
            _ if self.is_sweep() => report::sweep_figures(measured, interrupted),
            (Format::Vllm, Some(job), Some((_, outcome))) => vllm_result(job, outcome),
            (_, _, Some((_, outcome))) => report::figures(&outcome.report),
            // Stopped before the first request.
            (_, _, None) => return Ok(()),
        };
        let json = format!("{}\n", serde_json::to_string_pretty(&figures)?);
        match &self.json {
            Some(path) if path == Path::new("-") => print(&json)?,
            Some(path) => write_file(path, &json)?,
            None => {}
        }
        if self.json.as_deref() != Some(Path::new("-")) {
            match measured {
                [(_, outcome)] if !self.is_sweep() => print(&report::table(&outcome.report))?,
                _ => print(&report::sweep_table(measured, jobs.len()))?,
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_and_margins_have_units() {
        assert_eq!((seconds("30"), seconds("0.5s"), seconds("2m")), (Ok(30.0), Ok(0.5), Ok(120.0)));
        assert!(seconds("soon").is_err());
        assert_eq!((margin("20"), margin("5s")), (Ok(Margin::Requests(20)), Ok(Margin::Seconds(5.0))));
        assert!(margin("-1").is_err());
    }
}
