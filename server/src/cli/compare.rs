//! `podium compare`

use std::fs::{self, File};
use std::io::{self, BufReader, BufWriter, Read, Write as _};
use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::thread;

use anyhow::Context as _;
use clap::Args;
use podium_domain::ranking::Preference;
use podium_domain::report::{Report, ReportInput};
use podium_formats::report::{self, ShortAnswer};
use podium_formats::rows::{self, RowProblem, Standings, WHOLE_REPORT_ROWS};
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
    let threads = thread::available_parallelism().map_or(1, NonZero::get);
    let mut standings = Standings::new(Preference::default(), args.csv.is_some());
    let mut files = Vec::new();
    let mut wrong = Wrong::default();
    for path in &args.rows {
        let first = standings.rows().len();
        let mut file = InputFile { path, held: hold_pipe(path)?, first, problems: Vec::new() };
        let read = standings.read(file.reader()?, threads);
        file.problems = read.with_context(|| format!("cannot read {}", path.display()))?;
        wrong.say(path, &file.problems);
        files.push(file);
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
        // Only the report needs rows themselves; the short answer and the CSV also go with millions of them.
        if args.json {
            print_json(&ShortAnswer::of_standings(standings.rows(), &order))?;
        }
        if !args.json || args.markdown.is_some() || args.html.is_some() {
            write_report(args, &files, &standings, &order)?;
        }
        match written.map(thread::ScopedJoinHandle::join) {
            Some(Err(panic)) => std::panic::resume_unwind(panic),
            Some(Ok(written)) => written,
            None => Ok(()),
        }
    })?;
    Ok(ExitCode::SUCCESS)
}

/// A file of rows.
struct InputFile<'a> {
    path: &'a Path,
    /// Its content, where it cannot be read twice.
    held: Option<Vec<u8>>,
    /// The index of its first row among the rows of all files.
    first: usize,
    problems: Vec<RowProblem>,
}

impl InputFile<'_> {
    fn reader(&self) -> anyhow::Result<Box<dyn Read + '_>> {
        Ok(match &self.held {
            Some(content) => Box::new(content.as_slice()),
            None => Box::new(open(self.path)?),
        })
    }
}

/// What a pipe or a device holds: it gives its content once.
fn hold_pipe(path: &Path) -> anyhow::Result<Option<Vec<u8>>> {
    let mut file = open(path)?;
    let cannot = || format!("cannot read {}", path.display());
    if file.metadata().with_context(cannot)?.is_file() {
        return Ok(None);
    }
    let mut content = Vec::new();
    file.read_to_end(&mut content).with_context(cannot)?;
    Ok(Some(content))
}

/// Writes Markdown and HTML, and prints the answers unless JSON was asked for.
fn write_report(
    args: &CompareArgs,
    files: &[InputFile<'_>],
    standings: &Standings,
    order: &[usize],
) -> anyhow::Result<()> {
    let (chosen, left_out) = match standings.rows().len() {
        0..=WHOLE_REPORT_ROWS => ((0..standings.rows().len()).collect(), None),
        _ => {
            let (chosen, left_out) = standings.chosen(order);
            (chosen, Some(left_out))
        }
    };
    let mut input = ReportInput { left_out, ..ReportInput::default() };
    let ends = files.iter().skip(1).map(|file| file.first).chain([standings.rows().len()]);
    for (file, end) in files.iter().zip(ends) {
        let of_file =
            chosen.iter().filter(|&&index| (file.first..end).contains(&index)).map(|index| index - file.first);
        let rows = rows::read_chosen(BufReader::new(file.reader()?), &file.problems, of_file);
        input.rows.extend(rows.with_context(|| format!("cannot read {} again", file.path.display()))?);
    }
    let report = Report::build(input);
    if let Some(path) = &args.markdown {
        write_file(path, &report::markdown(&report))?;
    }
    if let Some(path) = &args.html {
        write_file(path, &report::html(&report, &charts::for_report(&report)))?;
    }
    if !args.json {
        let answers = report.answers();
        print(&answers.iter().map(|answer| format!("{answer}\n")).collect::<String>())?;
    }
    Ok(())
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
