//! `podium compare`

use std::fs::{self, File};
use std::io::BufReader;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context as _;
use clap::Args;
use podium_domain::report::{Report, ReportInput};
use podium_formats::{report, rows};
use podium_service::charts;

use super::print;

/// Rank result rows and write the report
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  podium compare rows.jsonl
  podium compare a.jsonl b.jsonl --markdown report.md --csv report.csv --html report.html
  podium compare rows.jsonl --json")]
pub(super) struct CompareArgs {
    /// Files of result rows, one JSON object a line
    #[arg(required = true, value_name = "ROWS")]
    rows: Vec<PathBuf>,

    /// Write the report as Markdown to this file
    #[arg(long, value_name = "FILE")]
    markdown: Option<PathBuf>,

    /// Write all rows in ranking order as CSV to this file
    #[arg(long, value_name = "FILE")]
    csv: Option<PathBuf>,

    /// Write the report as one self-contained page to this file
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,

    /// Print the ranking as JSON
    #[arg(long)]
    json: bool,

    /// Leave out lines that are no rows instead of failing
    #[arg(long)]
    lenient: bool,
}

pub(super) fn run(args: &CompareArgs) -> anyhow::Result<ExitCode> {
    let mut input = ReportInput::default();
    let mut wrong = 0;
    for path in &args.rows {
        let file = File::open(path).with_context(|| format!("cannot open {}", path.display()))?;
        let read = rows::read(BufReader::new(file)).with_context(|| format!("cannot read {}", path.display()))?;
        for problem in &read.problems {
            eprintln!("{}:{}: {}", path.display(), problem.line, problem.message);
        }
        wrong += read.problems.len();
        input.rows.extend(read.rows);
    }
    if wrong > 0 && !args.lenient {
        eprintln!("{wrong} lines are no result rows; --lenient leaves them out and ranks the others");
        return Ok(ExitCode::FAILURE);
    }
    let report = Report::build(input);
    let write = |path: &Option<PathBuf>, text: &dyn Fn() -> String| match path {
        Some(path) => write_file(path, &text()),
        None => Ok(()),
    };
    write(&args.markdown, &|| report::markdown(&report))?;
    write(&args.csv, &|| report::csv(&report))?;
    write(&args.html, &|| report::html(&report, &charts::for_report(&report)))?;
    if args.json {
        print(&format!("{}\n", serde_json::to_string_pretty(&report::compare_json(&report))?))?;
    } else {
        let answers = report.answers();
        print(&answers.iter().map(|answer| format!("{answer}\n")).collect::<String>())?;
    }
    Ok(ExitCode::SUCCESS)
}

pub(super) fn write_file(path: &Path, text: &str) -> anyhow::Result<()> {
    fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
}
