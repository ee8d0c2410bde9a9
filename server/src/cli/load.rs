//! `podium load`

mod report;
mod shape;

use std::collections::BTreeMap;
use std::io::BufWriter;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context as _;
use clap::{ArgGroup, Args, ValueEnum};
use podium_domain::load::LoadPoint;
use podium_domain::plan::Endpoint;
use podium_loadgen::{AgentMessage, LoadJob, LoadOutcome, Margin, StopHandle, vllm_result, write_request_lines};
use podium_workload::{
    Arrivals, DatasetSpec, Protocol, TextCalibration, WorkloadSpec, measurement_key, read_trace, trace_at_rate,
};
use serde_json::{Map, Value};
use tokio_util::sync::CancellationToken;

use super::compare::write_file;
use super::{at_terminal, cancel_on_signal, print};
use shape::ShapeArgs;

/// Drive a server that runs already, and report what its users would see
#[derive(Debug, Args)]
#[command(group = ArgGroup::new("load").required(true).args(["rate", "trace", "concurrency", "burst"]))]
#[command(after_help = "Examples:
  podium load --base-url http://127.0.0.1:8000 --model m --input-len 1000 --output-len 100 --rate 8 --duration 30s
  podium load --base-url http://127.0.0.1:8000 --model m --input-len 64 --output-len 16 --concurrency 4 --num-prompts 80
  podium load --base-url http://127.0.0.1:8000 --model m --input-len 900 --output-len 90 --shared-prefix 4x512 --rate 2
  podium load --base-url http://127.0.0.1:8000 --model m --dataset requests.jsonl --burst --json result.json
  podium load --base-url http://127.0.0.1:8000 --model m --dataset requests.jsonl --trace starts.jsonl --requests all.jsonl
  podium load --base-url https://engine.example --ca ca.pem --http2 --model m --input-len 64 --output-len 16 --rate 2
  podium load --base-url unix:/run/engine.sock --model m --input-len 64 --output-len 16 --concurrency 4

Ctrl-C ends the measurement early; what was measured is reported.")]
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

    /// Requests to send; 80, or as many as a trace has, where absent
    #[arg(long, value_name = "N")]
    num_prompts: Option<u32>,

    /// Requests per second, at Poisson-distributed times that no answer moves
    #[arg(long, value_name = "RPS")]
    rate: Option<f64>,

    /// Equal times between requests, for --rate
    #[arg(long, requires = "rate", conflicts_with_all = ["burstiness", "ramp_from"])]
    constant: bool,

    /// Shape of the gamma-distributed times between requests, for --rate: 1 is Poisson, less comes in bursts
    #[arg(long, value_name = "SHAPE", requires = "rate", conflicts_with = "ramp_from")]
    burstiness: Option<f64>,

    /// The rate grows evenly from this to --rate
    #[arg(long, value_name = "RPS", requires = "rate")]
    ramp_from: Option<f64>,

    /// Requests start at the times of this file: on each line seconds, or an object with `timestamp` in milliseconds
    #[arg(long, value_name = "FILE")]
    trace: Option<PathBuf>,

    /// The trace is stretched to this mean rate, for --trace
    #[arg(long, value_name = "RPS", requires = "trace")]
    trace_rate: Option<f64>,

    /// Requests that are always in flight
    #[arg(long, value_name = "N")]
    concurrency: Option<u32>,

    /// Everything at once
    #[arg(long)]
    burst: bool,

    /// At most this many in flight, for --rate, --trace and --burst
    #[arg(long, value_name = "N", conflicts_with = "concurrency")]
    max_concurrency: Option<u32>,

    /// Nothing is sent later than this after the start; with --rate alone, as many requests are sent as fit
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
    #[arg(long, value_enum, default_value_t = Format::Podium, requires = "json")]
    format: Format,

    /// Write one JSON object for each request to this file
    #[arg(long, value_name = "FILE")]
    requests: Option<PathBuf>,
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
    let measured = job.clone();
    let outcome = tokio::task::spawn_blocking(move || {
        podium_loadgen::run(&measured, &stop, |message| {
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
    if let Some(path) = &args.requests {
        write_requests(path, &outcome).with_context(|| format!("cannot write the requests to {}", path.display()))?;
    }
    let figures = match args.format {
        Format::Podium => report::figures(&outcome.report),
        Format::Vllm => vllm_result(&job, &outcome),
    };
    let json = format!("{}\n", serde_json::to_string_pretty(&figures)?);
    match &args.json {
        Some(path) if path == Path::new("-") => print(&json)?,
        Some(path) => write_file(path, &json)?,
        None => {}
    }
    if args.json.as_deref() != Some(Path::new("-")) {
        print(&report::table(&outcome.report))?;
    }
    Ok(if outcome.report.summary.completed > 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn write_requests(path: &Path, outcome: &LoadOutcome) -> std::io::Result<()> {
    write_request_lines(&mut BufWriter::new(std::fs::File::create(path)?), &outcome.samples)
}

impl LoadArgs {
    fn job(&self) -> anyhow::Result<LoadJob> {
        let arrivals = self.arrivals()?;
        let load = self.load(&arrivals);
        let (protocol, endpoint) = self.endpoint;
        let workload = WorkloadSpec {
            protocol,
            warmup_requests: self.warmup,
            seed: self.seed,
            measurement_key: measurement_key("load", &load, 0),
            stream: !self.no_stream,
            extra_request_body: self.extra_request_body.clone().unwrap_or_default(),
            shape: self.shape.prompt_shape(),
            tokenizer: self.tokenizer.clone(),
            ..WorkloadSpec::new(self.dataset()?, endpoint, self.model.clone(), self.count(&arrivals))
        };
        Ok(LoadJob {
            ca_file: self.ca.clone(),
            http2: self.http2,
            api_key_env: self.api_key_env.clone(),
            headers: self.header.iter().cloned().collect::<BTreeMap<_, _>>(),
            arrivals,
            duration_limit_s: self.duration,
            skip_first: self.skip_first,
            skip_last: self.skip_last,
            request_timeout_s: self.request_timeout,
            idle_timeout_s: self.idle_timeout,
            ..LoadJob::new(self.base_url.clone(), workload, load)
        })
    }

    fn arrivals(&self) -> anyhow::Result<Arrivals> {
        Ok(match (&self.trace, self.burstiness, self.ramp_from) {
            (Some(path), _, _) => {
                let starts_s = read_trace(path)?;
                let count = self.num_prompts.unwrap_or(u32::MAX);
                Arrivals::Trace {
                    starts_s: match self.trace_rate {
                        Some(rate_rps) => trace_at_rate(&starts_s, count, rate_rps),
                        None => starts_s,
                    },
                }
            }
            (None, Some(burstiness), _) => Arrivals::Gamma { burstiness },
            (None, None, Some(from_rps)) => Arrivals::Ramp { from_rps },
            (None, None, None) if self.constant => Arrivals::Constant,
            (None, None, None) => Arrivals::Poisson,
        })
    }

    fn load(&self, arrivals: &Arrivals) -> LoadPoint {
        let max_concurrency = self.max_concurrency;
        match (arrivals, self.rate, self.concurrency) {
            (Arrivals::Trace { starts_s }, _, _) => {
                LoadPoint::Rate { rate_rps: mean_rate_rps(starts_s), max_concurrency }
            }
            (_, Some(rate_rps), _) => LoadPoint::Rate { rate_rps, max_concurrency },
            (_, None, Some(concurrency)) => LoadPoint::Concurrency { concurrency },
            (_, None, None) => LoadPoint::Burst { max_concurrency },
        }
    }

    fn dataset(&self) -> anyhow::Result<DatasetSpec> {
        match (&self.dataset, self.input_len, self.output_len) {
            (Some(path), _, _) => Ok(DatasetSpec::File { path: path.clone() }),
            (None, Some(input_len), Some(output_len)) => Ok(DatasetSpec::Random {
                input_len,
                output_len,
                vocab_size: None,
                prompt_form: None,
                text_calibration: TextCalibration::default(),
            }),
            (None, _, _) => {
                anyhow::bail!("name the lengths with --input-len and --output-len, or a file with --dataset")
            }
        }
    }

    /// A rate for a duration says how many requests there are; a trace does, too.
    fn count(&self, arrivals: &Arrivals) -> u32 {
        match (arrivals, self.rate, self.duration) {
            (Arrivals::Trace { starts_s }, _, _) => {
                self.num_prompts.unwrap_or_else(|| u32::try_from(starts_s.len()).unwrap_or(u32::MAX))
            }
            (_, Some(rate_rps), Some(seconds)) => {
                (arrivals.mean_rps(rate_rps) * seconds).ceil().clamp(1.0, f64::from(u32::MAX)) as u32
            }
            _ => self.num_prompts.unwrap_or(DEFAULT_NUM_PROMPTS),
        }
    }
}

/// Requests to send where nothing says how many.
const DEFAULT_NUM_PROMPTS: u32 = 80;

/// The mean rate of a trace, which names its measurement; 1 where all of it starts at once.
fn mean_rate_rps(starts_s: &[f64]) -> f64 {
    let span_s = starts_s.last().zip(starts_s.first()).map_or(0.0, |(last, first)| last - first);
    if span_s > 0.0 { (starts_s.len() as f64 - 1.0) / span_s } else { 1.0 }
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

    #[test]
    fn a_trace_has_the_rate_of_its_span() {
        assert_eq!(mean_rate_rps(&[1.0, 1.5, 3.0]), 1.0);
        assert_eq!(mean_rate_rps(&[1.0]), 1.0);
    }
}
