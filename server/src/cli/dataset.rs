//! `podium dataset`

use std::fmt::Write as _;
use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, bail};
use clap::{Args, Subcommand, ValueEnum};
use podium_workload::{
    CanonicalRequest, DatasetFile, DatasetRows, LengthFigures, Measured, Prompt, PromptTokenizer, ReadOptions, Rng,
    RowLengths, TraceRow, read_dataset, trace_requests,
};
use serde_json::{Value, json};

use super::print;

/// Look at request files, and turn those of other tools into request lines
#[derive(Debug, Args)]
#[command(after_help = "Read are the canonical request lines, ShareGPT conversations, OpenAI batch files and Mooncake
traces; the form is told by the content. A plan and podium load take each of them as it is.

Examples:
  podium dataset inspect chats.json --tokenizer ./model
  podium dataset convert chats.json --to jsonl -o requests.jsonl --tokenizer ./model --sample 500 --seed 7
  podium load --base-url http://127.0.0.1:8000 --model m --dataset requests.jsonl --concurrency 8")]
pub(super) struct DatasetArgs {
    #[command(subcommand)]
    command: DatasetCommand,
}

#[derive(Debug, Subcommand)]
enum DatasetCommand {
    Inspect(InspectArgs),
    Convert(ConvertArgs),
}

/// Show what a request file holds: three rows, its lengths, what was left out
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  podium dataset inspect requests.jsonl
  podium dataset inspect chats.json --tokenizer ./model/tokenizer.json
  podium dataset inspect trace.jsonl --json")]
struct InspectArgs {
    #[command(flatten)]
    input: InputArgs,

    /// Print JSON for programs
    #[arg(long)]
    json: bool,
}

/// Turn a request file into canonical request lines
#[derive(Debug, Args)]
#[command(
    after_help = "Three rows and the lengths are shown first, on standard error. The final answer of a conversation is left out
of its prompt, sampling options are kept in extra_request_body. The same file, seed and tokenizer give the same bytes.

Examples:
  podium dataset convert chats.json --to jsonl -o requests.jsonl --tokenizer ./model
  podium dataset convert batch.jsonl --to jsonl -o requests.jsonl --sample 200 --seed 7
  podium dataset convert trace.jsonl --to jsonl -o requests.jsonl --tokenizer ./model --force"
)]
struct ConvertArgs {
    #[command(flatten)]
    input: InputArgs,

    /// The form to write
    #[arg(long, value_enum)]
    to: Form,

    /// The file to write
    #[arg(short, long, value_name = "FILE")]
    output: PathBuf,

    /// Overwrite the file
    #[arg(long)]
    force: bool,

    /// Take so many rows at random instead of all
    #[arg(long, value_name = "N")]
    sample: Option<u32>,

    /// Fixes the rows that are taken and the prompts that are drawn for a trace
    #[arg(long, default_value_t = 0)]
    seed: u64,
}

#[derive(Debug, Args)]
struct InputArgs {
    /// The request file
    #[arg(value_name = "FILE")]
    file: PathBuf,

    /// The model's tokenizer.json, or its folder; without one, four characters are taken as a token
    #[arg(long, value_name = "FILE OR FOLDER")]
    tokenizer: Option<PathBuf>,

    /// The answer length of rows that have neither a length nor an answer
    #[arg(long, value_name = "TOKENS")]
    output_len: Option<u32>,
}

/// What a file is turned into.
#[derive(Debug, Clone, Copy, ValueEnum)]
enum Form {
    /// Canonical request lines
    Jsonl,
}

/// Rows that are shown.
const SHOWN_ROWS: usize = 3;
/// Ranges of a histogram at most.
const BINS: u32 = 10;
/// Rows that were left out and are listed.
const LISTED_SKIPS: usize = 5;

pub(super) fn run(args: &DatasetArgs) -> anyhow::Result<ExitCode> {
    match &args.command {
        DatasetCommand::Inspect(args) => inspect(args),
        DatasetCommand::Convert(args) => convert(args),
    }
}

/// A file with its lengths.
struct Seen {
    file: DatasetFile,
    lengths: RowLengths,
    tokenizer: Option<PromptTokenizer>,
}

impl InputArgs {
    fn read(&self) -> anyhow::Result<Seen> {
        let tokenizer = self.tokenizer.as_deref().map(PromptTokenizer::load).transpose()?;
        let options = ReadOptions { tokenizer: tokenizer.as_ref(), output_len: self.output_len };
        let file = read_dataset(&self.file, &options).with_context(|| self.file.display().to_string())?;
        let lengths = RowLengths::of(&file, tokenizer.as_ref())?;
        Ok(Seen { file, lengths, tokenizer })
    }
}

fn inspect(args: &InspectArgs) -> anyhow::Result<ExitCode> {
    let seen = args.input.read()?;
    let text = if args.json {
        format!("{}\n", serde_json::to_string_pretty(&seen.figures())?)
    } else {
        seen.text(&args.input.file)
    };
    print(&text)?;
    Ok(ExitCode::SUCCESS)
}

fn convert(args: &ConvertArgs) -> anyhow::Result<ExitCode> {
    let Form::Jsonl = args.to;
    if args.sample == Some(0) {
        bail!("--sample takes at least 1 row");
    }
    let seen = args.input.read()?;
    eprint!("{}", seen.text(&args.input.file));
    let requests = match seen.file.rows {
        DatasetRows::Requests(rows) => sampled(rows, args.sample, args.seed),
        DatasetRows::Trace(rows) => {
            let rows = sampled(rows, args.sample, args.seed);
            trace_requests(&rows, args.seed, seen.tokenizer.as_ref())?
        }
    };
    let file = create(&args.output, args.force)?;
    write_lines(file, &requests).with_context(|| format!("cannot write {}", args.output.display()))?;
    print(&format!("{} requests written to {}\n", requests.len(), args.output.display()))?;
    Ok(ExitCode::SUCCESS)
}

/// So many rows at random, in the file's order; all of them where there are no more.
fn sampled<T>(rows: Vec<T>, sample: Option<u32>, seed: u64) -> Vec<T> {
    let Some(sample) = sample.map(|sample| sample as usize).filter(|sample| *sample < rows.len()) else { return rows };
    let mut order: Vec<usize> = (0..rows.len()).collect();
    Rng::new(seed, "dataset", "sample").shuffle(&mut order);
    let mut taken = vec![false; rows.len()];
    order.iter().take(sample).for_each(|index| taken[*index] = true);
    rows.into_iter().zip(taken).filter_map(|(row, taken)| taken.then_some(row)).collect()
}

fn create(path: &Path, force: bool) -> anyhow::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true);
    if force {
        options.create(true).truncate(true);
    } else {
        options.create_new(true);
    }
    match options.open(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            bail!("{} exists: write another file, or add --force to overwrite it", path.display())
        }
        file => file.with_context(|| format!("cannot write {}", path.display())),
    }
}

fn write_lines(file: File, requests: &[CanonicalRequest]) -> anyhow::Result<()> {
    let mut out = BufWriter::new(file);
    for request in requests {
        serde_json::to_writer(&mut out, request)?;
        out.write_all(b"\n")?;
    }
    out.flush()?;
    Ok(())
}

impl Seen {
    fn figures(&self) -> Value {
        let shown: Vec<Value> = match &self.file.rows {
            DatasetRows::Requests(rows) => rows.iter().take(SHOWN_ROWS).map(|row| json!(row)).collect(),
            DatasetRows::Trace(rows) => rows.iter().take(SHOWN_ROWS).map(|row| json!(row)).collect(),
        };
        json!({
            "kind": self.file.kind,
            "rows": self.file.rows.len(),
            "lengths_from": self.lengths.measured,
            "input_len": LengthFigures::of(&self.lengths.input, BINS),
            "output_len": LengthFigures::of(&self.lengths.output, BINS),
            "estimated_outputs": self.file.estimated_outputs,
            "longest_sequence": self.lengths.longest_sequence(),
            "skipped": self.file.skipped,
            "first_rows": shown,
        })
    }

    fn text(&self, path: &Path) -> String {
        let file = &self.file;
        let mut text = format!("{}: {}, {} requests\n", path.display(), file.kind.name(), file.rows.len());
        let how = match self.lengths.measured {
            Measured::Stated => "as the file says",
            Measured::Tokenizer => "counted by the tokenizer",
            Measured::Estimate => "estimated at four characters a token; --tokenizer counts them",
        };
        let mut line = |line: String| text.push_str(&(line + "\n"));
        line(format!("prompt lengths are {how}"));
        if file.estimated_outputs > 0 {
            line(format!("{} answer lengths are estimated at four characters a token", file.estimated_outputs));
        }
        if !file.skipped.is_empty() {
            line(format!("{} rows ask nothing and are left out:", file.skipped.len()));
            for skipped in file.skipped.iter().take(LISTED_SKIPS) {
                line(format!("  row {} {}", skipped.row, skipped.reason));
            }
        }
        match &file.rows {
            DatasetRows::Requests(rows) => {
                for (index, row) in rows.iter().take(SHOWN_ROWS).enumerate() {
                    line(format!("\nrequest {}\n{}", index + 1, request_text(row)));
                }
            }
            DatasetRows::Trace(rows) => {
                for (index, row) in rows.iter().take(SHOWN_ROWS).enumerate() {
                    line(format!("\nrequest {}\n{}", index + 1, trace_text(row)));
                }
            }
        }
        for (name, lengths) in [("prompt", &self.lengths.input), ("answer", &self.lengths.output)] {
            if let Some(figures) = LengthFigures::of(lengths, BINS) {
                line(format!("\n{name} tokens\n{}", figures_text(&figures)));
            }
        }
        line(format!("longest prompt plus answer: {} tokens", self.lengths.longest_sequence()));
        text
    }
}

fn request_text(row: &CanonicalRequest) -> String {
    let mut text = match &row.prompt {
        Prompt::Text(prompt) => format!("  prompt: {}", short(prompt)),
        Prompt::Chat(messages) => {
            let said = messages.iter().map(|message| {
                let role = message.get("role").and_then(Value::as_str).unwrap_or_default();
                let content = message.get("content").map(|content| match content {
                    Value::String(text) => short(text),
                    other => short(&other.to_string()),
                });
                format!("  {role}: {}", content.unwrap_or_default())
            });
            said.collect::<Vec<_>>().join("\n")
        }
    };
    let _ = write!(text, "\n  output_len: {}", row.output_len);
    if let Some(extra) = &row.extra_request_body {
        let _ = write!(text, "\n  extra_request_body: {}", short(&json!(extra).to_string()));
    }
    text
}

fn trace_text(row: &TraceRow) -> String {
    format!(
        "  after {} s: {} prompt tokens, {} answer tokens, {} blocks",
        row.timestamp / 1e3,
        row.input_length,
        row.output_length,
        row.hash_ids.len()
    )
}

/// The beginning of a text, on one line.
fn short(text: &str) -> String {
    const SHOWN_CHARS: usize = 100;
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(SHOWN_CHARS) {
        Some((end, _)) => format!("{}… ({} characters)", &line[..end], text.chars().count()),
        None => line,
    }
}

/// The figures in one line, and a bar for each range.
fn figures_text(figures: &LengthFigures) -> String {
    const BAR: u32 = 40;
    let LengthFigures { min, p50, p95, max, mean, histogram } = figures;
    let mut text = format!("  p50 {p50:.0}, p95 {p95:.0}, max {max}, min {min}, mean {mean:.1}");
    let most = histogram.iter().map(|(_, _, count)| *count).max().unwrap_or(1).max(1);
    let width = max.to_string().len();
    for (from, to, count) in histogram {
        // Rounded up, so that a rare length is seen.
        let bar = (u64::from(*count) * u64::from(BAR)).div_ceil(u64::from(most)) as usize;
        let _ = write!(text, "\n  {from:>width$} – {:>width$} │{:<40} {count}", to - 1, "█".repeat(bar));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_keep_the_order_and_follow_the_seed() {
        let rows: Vec<u32> = (0..100).collect();
        let taken = sampled(rows.clone(), Some(10), 1);
        assert!(taken.len() == 10 && taken.is_sorted());
        assert_eq!(taken, sampled(rows.clone(), Some(10), 1));
        assert_ne!(taken, sampled(rows.clone(), Some(10), 2));
        assert_eq!(sampled(rows.clone(), Some(500), 1), rows);
    }

    #[test]
    fn bars_show_every_length() {
        let figures = LengthFigures::of(&[1, 1, 1, 1, 100], 4).unwrap();
        let text = figures_text(&figures);
        assert!(text.starts_with("  p50 1, p95 80, max 100, min 1, mean 20.8\n"), "{text}");
        let bars: Vec<usize> = text.lines().skip(1).map(|line| line.matches('█').count()).collect();
        assert_eq!(bars, [40, 0, 0, 10]);
    }

    #[test]
    fn long_texts_are_cut_between_characters() {
        assert_eq!(short("a\n b"), "a b");
        let text = short(&"ü".repeat(300));
        assert!(text.ends_with("… (300 characters)") && text.chars().filter(|c| *c == 'ü').count() == 100);
    }
}
