//! Request files of every form that is read.

mod canonical;
mod figures;
mod message;
mod mooncake;
mod openai_batch;
mod sharegpt;

use std::path::Path;

use serde::Serialize;
use serde_json::{Map, Value};

pub use self::canonical::{CanonicalRequest, Prompt, parse_rows};
pub use self::figures::{LengthFigures, Measured, RowLengths};
pub use self::mooncake::{BLOCK_TOKENS, TraceRow};
use crate::error::Error;
use crate::tokenizer::PromptTokenizer;

/// The form of a request file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum DatasetKind {
    /// Our own: one `{"prompt", "output_len"}` a line.
    Jsonl,
    /// Conversations, as one JSON array or one object a line.
    ShareGpt,
    /// The input file of OpenAI's batch API: one request a line.
    OpenAiBatch,
    /// A trace of lengths and prefix blocks: one request a line.
    Mooncake,
}

impl DatasetKind {
    /// The name for people.
    pub fn name(self) -> &'static str {
        match self {
            DatasetKind::Jsonl => "canonical request lines",
            DatasetKind::ShareGpt => "ShareGPT conversations",
            DatasetKind::OpenAiBatch => "OpenAI batch file",
            DatasetKind::Mooncake => "Mooncake trace",
        }
    }
}

/// How a file is read.
#[derive(Debug, Clone, Copy, Default)]
pub struct ReadOptions<'a> {
    /// Counts the answers whose length the file does not say; without one, four characters are taken as a token.
    pub tokenizer: Option<&'a PromptTokenizer>,
    /// The answer length of rows that hold neither a length nor an answer, tokens.
    pub output_len: Option<u32>,
}

/// What a file holds.
#[derive(Debug, Clone, PartialEq)]
pub struct DatasetFile {
    /// Its form.
    pub kind: DatasetKind,
    /// Its requests, in the file's order; a trace's in the order of their starts.
    pub rows: DatasetRows,
    /// Rows that ask nothing, such as a conversation without an answer, and why they were left out.
    pub skipped: Vec<SkippedRow>,
    /// Rows whose answer length is an estimate.
    pub estimated_outputs: u32,
}

/// The requests of a file.
#[derive(Debug, Clone, PartialEq)]
pub enum DatasetRows {
    /// With their prompts.
    Requests(Vec<CanonicalRequest>),
    /// With lengths; the prompts are drawn.
    Trace(Vec<TraceRow>),
}

impl DatasetRows {
    /// How many there are.
    pub fn len(&self) -> usize {
        match self {
            DatasetRows::Requests(rows) => rows.len(),
            DatasetRows::Trace(rows) => rows.len(),
        }
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// A row that was left out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SkippedRow {
    /// Counted from 1; a line's number where rows are lines.
    pub row: usize,
    /// Why.
    pub reason: String,
}

/// Reads a request file; its form is told by its content.
///
/// # Errors
/// When it cannot be read, is of no known form, holds no request, or holds one that not every framework can answer
/// (images, audio, tools).
pub fn read_dataset(path: &Path, options: &ReadOptions<'_>) -> Result<DatasetFile, Error> {
    let text = std::fs::read_to_string(path).map_err(|source| Error::ReadFile { path: path.to_owned(), source })?;
    parse_dataset(&text, options)
}

/// Reads a request file from its text; see [`read_dataset`].
///
/// # Errors
/// As [`read_dataset`].
pub fn parse_dataset(text: &str, options: &ReadOptions<'_>) -> Result<DatasetFile, Error> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let file = match detect(text)? {
        DatasetKind::Jsonl => DatasetFile {
            kind: DatasetKind::Jsonl,
            rows: DatasetRows::Requests(parse_rows(text)?),
            skipped: Vec::new(),
            estimated_outputs: 0,
        },
        DatasetKind::ShareGpt => sharegpt::parse(text, options)?,
        DatasetKind::OpenAiBatch => openai_batch::parse(text, options)?,
        DatasetKind::Mooncake => mooncake::parse(text)?,
    };
    match (file.rows.is_empty(), file.skipped.first()) {
        (false, _) => Ok(file),
        (true, Some(skipped)) => Err(Error::BadDatasetRow {
            row: skipped.row,
            detail: format!("{}, and no other asks anything", skipped.reason),
        }),
        (true, None) => Err(Error::NoRows),
    }
}

/// The form of a file, by its first row.
fn detect(text: &str) -> Result<DatasetKind, Error> {
    let unknown = |detail: &str| Error::UnknownDataset { detail: detail.to_owned() };
    let start = text.trim_start();
    if start.is_empty() {
        return Err(Error::NoRows);
    }
    if start.starts_with('[') {
        return Ok(DatasetKind::ShareGpt);
    }
    let line = start.lines().next().unwrap_or_default();
    let Ok(row) = serde_json::from_str::<Map<String, Value>>(line) else {
        return Err(unknown("its first line is no JSON object"));
    };
    let has = |key: &str| row.contains_key(key);
    if has("input_length") && has("output_length") {
        Ok(DatasetKind::Mooncake)
    } else if has("body") {
        Ok(DatasetKind::OpenAiBatch)
    } else if sharegpt::KEYS.into_iter().any(has) {
        Ok(DatasetKind::ShareGpt)
    } else if has("prompt") || has("output_len") {
        // One of the two may be what a user forgot; the row's own error says so.
        Ok(DatasetKind::Jsonl)
    } else {
        let keys: Vec<_> = row.keys().take(8).map(|key| format!("`{key}`")).collect();
        Err(unknown(&format!("its first line has the keys {}", keys.join(", "))))
    }
}

/// The JSON objects of a file with one on each line, with their line numbers.
fn objects(text: &str) -> impl Iterator<Item = Result<(usize, Map<String, Value>), Error>> {
    text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()).map(|(index, line)| {
        let row = index + 1;
        serde_json::from_str(line)
            .map(|object| (row, object))
            .map_err(|error| refuse(row, format!("is no JSON object: {error}")))
    })
}

fn refuse(row: usize, detail: impl Into<String>) -> Error {
    Error::BadDatasetRow { row, detail: detail.into() }
}

/// The tokens of an answer, and whether that is an estimate.
fn answer_len(answer: &str, options: &ReadOptions<'_>) -> Result<(u32, bool), Error> {
    match options.tokenizer {
        Some(tokenizer) => Ok((tokenizer.count_inside(answer)?.max(1), false)),
        None => Ok((estimated_tokens(answer.chars().count()), true)),
    }
}

/// About how many tokens so many characters are, in English text; at least one.
pub(crate) fn estimated_tokens(chars: usize) -> u32 {
    u32::try_from(chars.div_ceil(4)).unwrap_or(u32::MAX).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(super) fn read(text: &str) -> Result<DatasetFile, Error> {
        parse_dataset(text, &ReadOptions::default())
    }

    #[test]
    fn forms_are_told_by_their_first_row() {
        for (text, kind) in [
            (r#"{"prompt": "a", "output_len": 1}"#, DatasetKind::Jsonl),
            ("\u{feff}[{\"conversations\": []}]", DatasetKind::ShareGpt),
            (r#"{"messages": []}"#, DatasetKind::ShareGpt),
            (r#"{"custom_id": "a", "body": {}}"#, DatasetKind::OpenAiBatch),
            (r#"{"timestamp": 0, "input_length": 3, "output_length": 1}"#, DatasetKind::Mooncake),
        ] {
            assert_eq!(detect(text.trim_start_matches('\u{feff}')).unwrap(), kind, "{text}");
        }
        let error = detect(r#"{"question": "?", "answer": "!"}"#).unwrap_err().to_string();
        assert!(error.contains("`question`") && error.contains("ShareGPT"), "{error}");
        assert!(matches!(detect("hello"), Err(Error::UnknownDataset { .. })));
        assert!(matches!(detect(" \n"), Err(Error::NoRows)));
    }

    #[test]
    fn a_forgotten_length_is_named_by_its_line() {
        assert!(matches!(read(r#"{"prompt": "a"}"#), Err(Error::BadRow { line: 1, .. })));
    }
}
