//! Result files of other tools, as result rows.
//!
//! Each tool means something of its own by TTFT, TPOT and ITL, so a row carries the tool's name and its meanings, and
//! what the file's per-request data allow is computed again by our definitions.

mod aiperf;
mod aiperf_requests;
mod auto_benchmark;
mod client;
mod definitions;
mod detect;
mod document;
mod guidellm;
mod python_json;
mod samples;

use std::fmt;

use podium_domain::row::ResultRow;
use podium_domain::sla::Sla;
use serde_json::{Map, Value};

use crate::rows;

pub use detect::Tool;

/// What the files do not say.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ImportOptions {
    /// The id of the framework that was measured; empty where the tool's own is meant ([`Tool::framework`]).
    pub framework: String,
    /// The candidate's id; where it is absent, what the file says, else `<framework>-imported`.
    pub candidate_id: Option<String>,
    /// The scenario's name; where it is absent, what the file says, else `default`.
    pub scenario: Option<String>,
    /// Limits that the rows are judged by. Without any, every measurement that completed something holds them.
    pub limits: Sla,
}

/// Why a file gives no rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImportError {
    /// Where, for example `line 3`; empty for the file as a whole.
    pub place: String,
    /// What is wrong and what was expected.
    pub message: String,
}

impl ImportError {
    fn whole(message: impl Into<String>) -> Self {
        ImportError { place: String::new(), message: message.into() }
    }
}

impl fmt::Display for ImportError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.place.is_empty() {
            write!(f, "{}: ", self.place)?;
        }
        f.write_str(&self.message)
    }
}

impl std::error::Error for ImportError {}

/// A row of a file with the text that it was read from.
#[derive(Debug, Clone, PartialEq)]
pub struct ImportedRow {
    /// The row.
    pub row: ResultRow,
    /// The text: the line, or the whole of a file that holds one result. Of results within a larger document it is their
    /// JSON, of one row made from many lines it is absent, and so it is where it is larger than [`MAX_ORIGINAL_BYTES`]:
    /// the file itself has it then.
    pub original: Option<String>,
}

/// Largest text that is kept beside a row.
pub const MAX_ORIGINAL_BYTES: usize = 1 << 20;

/// The rows of one file: of a tool, or result rows as `podium compare` takes them. See [`import`].
///
/// # Errors
/// Every line of a file of result rows that is none; of another tool's file the first thing that is wrong.
pub fn import_file(text: &[u8], options: &ImportOptions) -> Result<Vec<ImportedRow>, Vec<ImportError>> {
    if holds_result_rows(text) { result_rows(text) } else { of_tool(text, options).map_err(|error| vec![error]) }
}

/// The rows of one file, each with the tool that wrote it. The tool is recognised by the file's keys; a file may be one
/// JSON value, a list of results, or one result a line.
///
/// # Errors
/// Where the text is no JSON, or holds what no known tool writes: the message says what was expected.
pub fn import(text: &[u8], options: &ImportOptions) -> Result<Vec<ResultRow>, ImportError> {
    Ok(of_tool(text, options)?.into_iter().map(|imported| imported.row).collect())
}

/// Whether the first line that is not empty is a result row.
fn holds_result_rows(text: &[u8]) -> bool {
    let text = text.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(text);
    let first = text.split(|&byte| byte == b'\n').find(|line| !line.trim_ascii().is_empty());
    first.is_some_and(|line| serde_json::from_slice(line).is_ok_and(|row| detect::is_result_row(&row)))
}

fn result_rows(text: &[u8]) -> Result<Vec<ImportedRow>, Vec<ImportError>> {
    let mut found = Vec::new();
    let mut wrong = Vec::new();
    for (line, number) in text.split(|&byte| byte == b'\n').zip(1_u64..) {
        // A line is read from memory, which does not fail.
        let Ok(read) = rows::read(line) else { continue };
        let original = original(line);
        found.extend(read.rows.into_iter().map(|row| ImportedRow { row, original: original.clone() }));
        let at = |problem: rows::RowProblem| ImportError { place: format!("line {number}"), message: problem.message };
        wrong.extend(read.problems.into_iter().map(at));
    }
    if wrong.is_empty() { Ok(found) } else { Err(wrong) }
}

/// A text as it is kept.
fn original(text: &[u8]) -> Option<String> {
    let text = text.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(text).trim_ascii();
    let text = (text.len() <= MAX_ORIGINAL_BYTES).then_some(text)?;
    String::from_utf8(text.to_vec()).ok()
}

fn of_tool(text: &[u8], options: &ImportOptions) -> Result<Vec<ImportedRow>, ImportError> {
    let documents = document::split(text)?;
    let objects: Vec<_> = documents.iter().filter_map(|document| document.value.as_object()).collect();
    if !documents.is_empty() && objects.len() == documents.len() && objects.iter().all(|o| detect::is_aiperf_request(o))
    {
        let options = with_framework(Tool::Aiperf, options).map_err(ImportError::whole)?;
        return Ok(vec![ImportedRow { row: aiperf_requests::row(&objects, &options), original: None }]);
    }
    let mut found = Vec::new();
    for document in documents {
        let at = |message: String| ImportError { place: document.place.clone(), message };
        let Value::Object(object) = &document.value else {
            return Err(at(format!("a result is one JSON object. {}", detect::EXPECTED)));
        };
        let tool = Tool::of(object).map_err(at)?;
        let options = with_framework(tool, options).map_err(at)?;
        let rows = rows_of(tool, object, &options);
        let is_one = rows.len() == 1;
        if rows.is_empty() {
            return Err(at(format!("it looks like a result of {}, but no benchmark is in it", tool.name())));
        }
        let original = document.original.filter(|_| is_one);
        found.extend(rows.into_iter().map(|row| ImportedRow { row, original: original.clone() }));
    }
    if found.is_empty() {
        return Err(ImportError::whole(format!("the file is empty. {}", detect::EXPECTED)));
    }
    Ok(found)
}

/// The options with a framework: the tool's own where none is given.
fn with_framework(tool: Tool, options: &ImportOptions) -> Result<ImportOptions, String> {
    if !options.framework.is_empty() {
        return Ok(options.clone());
    }
    match tool.framework() {
        Some(framework) => Ok(ImportOptions { framework: framework.id().to_owned(), ..options.clone() }),
        None => Err(format!("{} measures any framework: say which one was measured", tool.name())),
    }
}

fn rows_of(tool: Tool, document: &Map<String, Value>, options: &ImportOptions) -> Vec<ResultRow> {
    match tool {
        Tool::VllmBench | Tool::VllmSweep | Tool::TrtllmBench | Tool::SglangBench => {
            vec![client::row(tool, document, options)]
        }
        Tool::SglangAutoBenchmark => vec![auto_benchmark::row(document, options)],
        Tool::Guidellm => guidellm::rows(document, options),
        Tool::Aiperf => vec![aiperf::row(document, options)],
    }
}

#[cfg(test)]
mod tests;
