//! What is wrong with a plan, and where.

use std::fmt;

use serde::{Deserialize, Serialize};

/// One thing that is wrong, or worth a warning, with its place in the plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// Where, for example `frameworks.vllm.search_space.max_num_seqs[1]`; empty for the plan as a whole.
    pub path: String,
    /// The line of the text, from 1; for something that is missing, the line of what it is missing from.
    pub line: Option<u32>,
    /// What is wrong and what to write instead.
    pub message: String,
}

impl Problem {
    /// A problem at a place.
    pub fn new(path: impl Into<String>, line: Option<u32>, message: impl Into<String>) -> Self {
        Problem { path: path.into(), line, message: message.into() }
    }
}

impl fmt::Display for Problem {
    /// `path: message (line n)`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.path.is_empty() {
            write!(f, "{}: ", self.path)?;
        }
        f.write_str(&self.message)?;
        if let Some(line) = self.line {
            write!(f, " (line {line})")?;
        }
        Ok(())
    }
}

/// A default that the plan left to Podium.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Filled {
    /// Where it would stand.
    pub path: String,
    /// The value, as YAML on one line.
    pub value: String,
}

/// The word of `candidates` that `word` was probably meant to be.
pub(crate) fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    const CLOSE_ENOUGH: f64 = 0.88;
    // Comparing takes time with the square of the length, and no name is this long.
    if word.len() > 100 {
        return None;
    }
    let word = word.to_ascii_lowercase();
    candidates
        .into_iter()
        .map(|candidate| (strsim::jaro_winkler(&word, &candidate.to_ascii_lowercase()), candidate))
        .filter(|(likeness, _)| *likeness >= CLOSE_ENOUGH)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, candidate)| candidate)
}

/// `; did you mean \`x\`?`, or nothing.
pub(crate) fn suggestion<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> String {
    nearest(word, candidates).map(|near| format!("; did you mean `{near}`?")).unwrap_or_default()
}
