//! `podium import`

use std::fs::{self, File};
use std::io::{self, BufWriter, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::Args;
use podium_domain::framework::Framework;
use podium_domain::row::ResultRow;
use podium_domain::sla::Sla;
use podium_formats::import::{ImportOptions, import};
use podium_formats::rows;

use podium_service::{Caller, Error, ImportFile, ImportRequest};

use super::{DataArgs, print};

/// Turn result files of other tools into result rows
#[derive(Debug, Args)]
#[command(after_help = "Read are the files of vllm bench serve and sweep, sglang.bench_serving and auto_benchmark,
TensorRT-LLM's benchmark_serving, GuideLLM and AIPerf; the tool is told by the file's keys.
Each row names its tool and what that tool means by its figures.
With --save the files become a run of the dashboard, with a report; result rows are taken as well then.

Examples:
  podium import result.json --framework vllm --candidate tuned --out rows.jsonl
  podium import a.jsonl b.jsonl --framework sglang --scenario chat --max-p50-ttft-ms 500 >> rows.jsonl
  podium import vllm.json sglang.jsonl rows.jsonl --save --title nightly
  podium compare rows.jsonl")]
pub(super) struct ImportArgs {
    /// Result files
    #[arg(required = true, value_name = "FILES")]
    files: Vec<PathBuf>,

    /// The framework that was measured: sglang, vllm, tensorrt_llm, tokenspeed or llama_cpp
    /// [default: the tool's own; GuideLLM and AIPerf have none]
    #[arg(long, value_name = "ID")]
    framework: Option<Framework>,

    /// The candidate's id [default: what the file says, else <framework>-imported]
    #[arg(long, value_name = "ID")]
    candidate: Option<String>,

    /// The scenario's name [default: what the file says, else default]
    #[arg(long, value_name = "NAME")]
    scenario: Option<String>,

    /// Judge the rows by this limit of the median TTFT
    #[arg(long, value_name = "MS")]
    max_p50_ttft_ms: Option<f64>,

    /// Judge the rows by this limit of the median TPOT
    #[arg(long, value_name = "MS")]
    max_p50_tpot_ms: Option<f64>,

    /// Judge the rows by this limit of the median end-to-end latency
    #[arg(long, value_name = "MS")]
    max_p50_e2e_ms: Option<f64>,

    /// Judge the rows by this share of requests that have to succeed, from 0 to 1
    #[arg(long, value_name = "SHARE")]
    min_success_rate: Option<f64>,

    /// Write the rows to this file instead of printing them
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,

    /// Store the files as a run of the dashboard and print the path of its page
    #[arg(long, conflicts_with = "out")]
    save: bool,

    /// The run's title [default: model and scenarios, as the files say]
    #[arg(long, value_name = "TEXT", requires = "save")]
    title: Option<String>,

    #[command(flatten)]
    data: DataArgs,
}

pub(super) async fn run(args: &ImportArgs) -> anyhow::Result<ExitCode> {
    if args.save { save(args).await } else { convert(args) }
}

/// The limits of the arguments.
fn limits(args: &ImportArgs) -> Sla {
    Sla {
        max_p50_ttft_ms: args.max_p50_ttft_ms,
        max_p50_tpot_ms: args.max_p50_tpot_ms,
        max_p50_e2e_ms: args.max_p50_e2e_ms,
        min_success_rate: args.min_success_rate,
    }
}

/// `--save`: as the dashboard's form does it.
async fn save(args: &ImportArgs) -> anyhow::Result<ExitCode> {
    let mut files = Vec::new();
    for path in &args.files {
        let bytes = fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
        files.push(ImportFile { name: path.display().to_string(), bytes });
    }
    let request = ImportRequest {
        files,
        title: args.title.clone(),
        framework: args.framework,
        candidate_id: args.candidate.clone(),
        scenario: args.scenario.clone(),
        limits: limits(args),
    };
    let opened = args.data.open().await?;
    let imported = opened.service.import(Caller::owner(), request).await;
    let code = match imported {
        Ok(run) => {
            print(&format!("/runs/{run}\n"))?;
            ExitCode::SUCCESS
        }
        Err(Error::Invalid { problems }) => {
            for problem in problems {
                eprintln!("{problem}");
            }
            eprintln!("nothing was stored: leave the wrong files out, or give the ones that were meant");
            ExitCode::FAILURE
        }
        Err(error) => return Err(error.into()),
    };
    opened.database.close().await?;
    Ok(code)
}

/// Without it: rows to a file or to standard output.
fn convert(args: &ImportArgs) -> anyhow::Result<ExitCode> {
    let options = ImportOptions {
        framework: args.framework.map(|framework| framework.id().to_owned()).unwrap_or_default(),
        candidate_id: args.candidate.clone(),
        scenario: args.scenario.clone(),
        limits: limits(args),
    };
    let mut imported = Vec::new();
    let mut wrong = false;
    for path in &args.files {
        let text = fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
        match import(&text, &options) {
            Ok(rows) => {
                for row in &rows {
                    eprintln!("{}: {}", path.display(), summary(row));
                }
                imported.extend(rows);
            }
            Err(error) => {
                eprintln!("{}: {error}", path.display());
                wrong = true;
            }
        }
    }
    if wrong {
        eprintln!("nothing was written: leave the wrong files out, or give the ones that were meant");
        return Ok(ExitCode::FAILURE);
    }
    match &args.out {
        Some(path) => {
            let write = || -> io::Result<()> {
                let mut out = BufWriter::new(File::create(path)?);
                rows::write(&mut out, &imported)?;
                out.flush()
            };
            write().with_context(|| format!("cannot write {}", path.display()))?;
        }
        None => {
            let mut text = Vec::new();
            rows::write(&mut text, &imported)?;
            print(&String::from_utf8_lossy(&text))?;
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// One line for people: the tool, the load and the verdict.
fn summary(row: &ResultRow) -> String {
    let origin = row.podium.as_ref().and_then(|podium| podium.imported.as_ref());
    let tool = origin.map_or("unknown tool", |origin| origin.tool.as_str());
    let load = row.load_text().map(|load| format!(", {load}")).unwrap_or_default();
    let samples = match origin.map_or(0, |origin| origin.samples) {
        0 => ", summaries only".to_owned(),
        n => format!(", computed again from {n} requests"),
    };
    let reason = row.failure_reason.as_ref().map(|reason| format!(": {reason}")).unwrap_or_default();
    format!("{tool}{load}{samples}: {}{reason}", row.status.word())
}
