//! `podium compare`

use std::fs::{self, File};
use std::io::{self, BufReader, BufWriter, Write as _};
use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::thread;

use anyhow::Context as _;
use clap::Args;
use podium_domain::ranking::Preference;
use podium_domain::report::{Report, ReportInput};
use podium_formats::report::{self, ShortAnswer};
use podium_formats::rows::{self, RowProblem, Standings};
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
    // Only the report needs the rows themselves; the short answer and the CSV also go with millions of them.
    if args.json && args.markdown.is_none() && args.html.is_none() {
        return short(args);
    }
    let mut input = ReportInput::default();
    let mut wrong = Wrong::default();
    for path in &args.rows {
        let read =
            rows::read(BufReader::new(open(path)?)).with_context(|| format!("cannot read {}", path.display()))?;
        wrong.say(path, &read.problems);
        input.rows.extend(read.rows);
    }
    if wrong.stops(args) {
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
        print_json(&ShortAnswer::of(&report))?;
    } else {
        let answers = report.answers();
        print(&answers.iter().map(|answer| format!("{answer}\n")).collect::<String>())?;
    }
    Ok(ExitCode::SUCCESS)
}

/// `--json` and `--csv` alone.
fn short(args: &CompareArgs) -> anyhow::Result<ExitCode> {
    let threads = thread::available_parallelism().map_or(1, NonZero::get);
    let mut standings = Standings::new(Preference::default(), args.csv.is_some());
    let mut wrong = Wrong::default();
    for path in &args.rows {
        let read = standings.read(open(path)?, threads);
        wrong.say(path, &read.with_context(|| format!("cannot read {}", path.display()))?);
    }
    if wrong.stops(args) {
        return Ok(ExitCode::FAILURE);
    }
    let order = standings.order();
    let write_csv = |path: &Path| {
        let write = || standings.write_csv(&order, BufWriter::new(File::create(path)?));
        write().with_context(|| format!("cannot write {}", path.display()))
    };
    thread::scope(|scope| {
        let written = args.csv.as_deref().map(|path| scope.spawn(move || write_csv(path)));
        print_json(&ShortAnswer::of_standings(standings.rows(), &order))?;
        match written.map(thread::ScopedJoinHandle::join) {
            Some(Err(panic)) => std::panic::resume_unwind(panic),
            Some(Ok(written)) => written,
            None => Ok(()),
        }
    })?;
    Ok(ExitCode::SUCCESS)
}

/// How many lines are no rows.
#[derive(Default)]
struct Wrong(usize);

impl Wrong {
    fn say(&mut self, path: &Path, problems: &[RowProblem]) {
        for problem in problems {
            eprintln!("{}:{}: {}", path.display(), problem.line, problem.message);
        }
        self.0 += problems.len();
    }

    fn stops(&self, args: &CompareArgs) -> bool {
        let stops = self.0 > 0 && !args.lenient;
        if stops {
            eprintln!("{} lines are no result rows; --lenient leaves them out and ranks the others", self.0);
        }
        stops
    }
}

fn open(path: &Path) -> anyhow::Result<File> {
    File::open(path).with_context(|| format!("cannot open {}", path.display()))
}

/// Prints as it goes: the text of very many rows is long.
fn print_json(answer: &ShortAnswer<'_>) -> anyhow::Result<()> {
    let mut out = BufWriter::new(io::stdout().lock());
    let written = serde_json::to_writer_pretty(&mut out, answer).map_err(io::Error::from);
    match written.and_then(|()| out.write_all(b"\n")).and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(()),
    }
}

pub(super) fn write_file(path: &Path, text: &str) -> anyhow::Result<()> {
    fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
}
