//! Result files of other tools, as result rows.
//!
//! Each tool means something of its own by TTFT, TPOT and ITL, so a row carries the tool's name and its meanings, and
//! what the file's per-request data allow is computed again by our definitions.

mod aiperf;
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

pub use detect::Tool;

/// What the files do not say.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ImportOptions {
    /// The id of the framework that was measured.
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

/// The rows of one file, each with the tool that wrote it. The tool is recognised by the file's keys; a file may be one
/// JSON value, a list of results, or one result a line.
///
/// # Errors
/// Where the text is no JSON, or holds what no known tool writes: the message says what was expected.
pub fn import(text: &[u8], options: &ImportOptions) -> Result<Vec<ResultRow>, ImportError> {
    let mut rows = Vec::new();
    for (place, value) in document::split(text)? {
        let at = |message: String| ImportError { place: place.clone(), message };
        let Value::Object(document) = value else {
            return Err(at(format!("a result is one JSON object. {}", detect::EXPECTED)));
        };
        let tool = Tool::of(&document).map_err(at)?;
        let found = rows_of(tool, &document, options);
        if found.is_empty() {
            return Err(at(format!("it looks like a result of {}, but no benchmark is in it", tool.name())));
        }
        rows.extend(found);
    }
    if rows.is_empty() {
        return Err(ImportError::whole(format!("the file is empty. {}", detect::EXPECTED)));
    }
    Ok(rows)
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
