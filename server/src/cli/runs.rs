//! `podium runs`

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Subcommand, ValueEnum};
use podium_domain::report::Report;
use podium_formats::report;
use podium_service::charts;
use uuid::Uuid;

use super::compare::write_file;
use super::remote::{Podium, ServerArgs};
use super::{DataArgs, print};
use crate::routes::api::{RunCandidate, RunDetail, RunLine};

/// List runs, look at one, take its report, cancel it: here or on a server
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  podium runs list --search qwen3
  podium runs show 0198c0de-0000-7000-8000-000000000000
  podium runs report 0198c0de-0000-7000-8000-000000000000 --format html --output report.html
  PODIUM_TOKEN=podium_… podium runs list --server https://podium.example.org")]
pub(super) struct RunsArgs {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    List(ListArgs),
    Show(ShowArgs),
    Report(ReportArgs),
    /// Ask for the end of a run; what was measured is kept
    #[command(after_help = "Examples:
  podium runs cancel 0198c0de-0000-7000-8000-000000000000")]
    Cancel(CancelArgs),
}

/// The newest runs, newest first
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  podium runs list
  podium runs list --search 'qwen3 vllm' --limit 5 --json")]
struct ListArgs {
    /// Beginnings of words of title, model, frameworks, tags and notes
    #[arg(long, value_name = "WORDS")]
    search: Option<String>,

    /// How many
    #[arg(long, value_name = "NUMBER", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=500))]
    limit: u32,

    /// Print JSON
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    at: At,
}

/// One run: where it is, and its candidates
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  podium runs show 0198c0de-0000-7000-8000-000000000000
  podium runs show 0198c0de-0000-7000-8000-000000000000 --json")]
struct ShowArgs {
    /// The run's id
    run: Uuid,

    /// Print JSON
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    at: At,
}

/// The report of a run
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  podium runs report 0198c0de-0000-7000-8000-000000000000
  podium runs report 0198c0de-0000-7000-8000-000000000000 --format csv --output rows.csv")]
struct ReportArgs {
    /// The run's id
    run: Uuid,

    /// In which form
    #[arg(long, value_enum, default_value_t = Format::Markdown)]
    format: Format,

    /// Write it to this file instead of standard output
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,

    #[command(flatten)]
    at: At,
}

#[derive(Debug, Args)]
struct CancelArgs {
    /// The run's id
    run: Uuid,

    #[command(flatten)]
    at: At,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Format {
    Markdown,
    Csv,
    Json,
    /// One page that needs nothing else
    Html,
}

/// Where the runs are.
#[derive(Debug, Args)]
struct At {
    #[command(flatten)]
    server: ServerArgs,

    #[command(flatten)]
    data: DataArgs,
}

pub(super) async fn run(args: RunsArgs) -> anyhow::Result<ExitCode> {
    let at = match &args.action {
        Action::List(args) => &args.at,
        Action::Show(args) => &args.at,
        Action::Report(args) => &args.at,
        Action::Cancel(args) => &args.at,
    };
    let podium = at.server.open(&at.data).await?;
    let outcome = act(&args.action, &podium).await;
    podium.close().await?;
    outcome.map(|()| ExitCode::SUCCESS)
}

async fn act(action: &Action, podium: &Podium) -> anyhow::Result<()> {
    match action {
        Action::List(args) => {
            let runs = podium.runs(args.search.as_deref(), args.limit).await?;
            if args.json {
                return print(&format!("{}\n", serde_json::to_string_pretty(&runs)?));
            }
            let line = |run: &RunLine| format!("{}  {:<10} {}\n", run.id, run.status, run.title);
            print(&runs.iter().map(line).collect::<String>())
        }
        Action::Show(args) => {
            let run = podium.run(args.run).await?;
            let text = if args.json { format!("{}\n", serde_json::to_string_pretty(&run)?) } else { described(&run) };
            print(&text)
        }
        Action::Report(args) => {
            let text = written(&podium.report(args.run).await?, args.format);
            match &args.output {
                Some(path) => write_file(path, &text),
                None => print(&text),
            }
        }
        Action::Cancel(args) => {
            podium.cancel(args.run).await?;
            print("its end is asked for; what was measured is kept\n")
        }
    }
}

fn described(run: &RunDetail) -> String {
    let failure = run.failure.as_ref().map(|failure| format!("failure: {failure}\n")).unwrap_or_default();
    let candidate = |candidate: &RunCandidate| {
        let reason = candidate.failure_reason.as_ref().map(|reason| format!(": {reason}")).unwrap_or_default();
        format!("  {:<8} {}{reason}\n", candidate.status, candidate.candidate_id)
    };
    format!(
        "{}\n{}: {} ({} of {} measurements)\n{failure}{}{}",
        run.run.title,
        run.run.status,
        run.activity,
        run.measured,
        run.planned,
        run.candidates.iter().map(candidate).collect::<String>(),
        run.run.answers.iter().map(|answer| format!("{answer}\n")).collect::<String>(),
    )
}

fn written(report: &Report, format: Format) -> String {
    match format {
        Format::Markdown => report::markdown(report),
        Format::Csv => report::csv(report),
        Format::Json => report::json(report),
        Format::Html => report::html(report, &charts::for_report(report)),
    }
}
