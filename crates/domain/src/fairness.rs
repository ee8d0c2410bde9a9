//! Whether a comparison was fair: computed from what every measured row knows of its conditions, line by line, each
//! with the evidence. A fact that is missing is *unknown*; it is never taken for granted.

mod conditions;
mod lines;

use serde::{Deserialize, Serialize};

use crate::row::ResultRow;

pub use conditions::{Conditions, PromptSet};

/// What has to be equal or known in a fair comparison, in the order in which it is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Check {
    /// Every framework was sent the same requests.
    PromptSet,
    /// The servers counted the same number of prompt tokens.
    PromptTokens,
    /// Answers had the length that was asked for.
    OutputLengths,
    /// One request path.
    Endpoint,
    /// GPU type and count.
    Hardware,
    /// Number format, quantization and KV-cache format.
    Precision,
    /// The weights that were loaded.
    Weights,
    /// The tokenizer.
    Tokenizer,
    /// One known version of each framework.
    Versions,
    /// One known image of each framework.
    Images,
    /// Nothing was in a cache before a measurement.
    ColdCache,
    /// Sampling options of the requests.
    Sampling,
}

impl Check {
    /// Every check, in order.
    pub const ALL: [Check; 12] = [
        Check::PromptSet,
        Check::PromptTokens,
        Check::OutputLengths,
        Check::Endpoint,
        Check::Hardware,
        Check::Precision,
        Check::Weights,
        Check::Tokenizer,
        Check::Versions,
        Check::Images,
        Check::ColdCache,
        Check::Sampling,
    ];

    /// What it is called.
    pub const fn name(self) -> &'static str {
        match self {
            Check::PromptSet => "Same prompts",
            Check::PromptTokens => "Equal prompt tokens",
            Check::OutputLengths => "Verified output lengths",
            Check::Endpoint => "Same endpoint",
            Check::Hardware => "Same GPU type and count",
            Check::Precision => "Same precision and quantization",
            Check::Weights => "Same model weights",
            Check::Tokenizer => "Same tokenizer",
            Check::Versions => "Versions known",
            Check::Images => "Image digests known",
            Check::ColdCache => "Cold cache",
            Check::Sampling => "Same sampling options",
        }
    }
}

/// What a check found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Finding {
    /// The fact was seen to hold for every measured row.
    Pass,
    /// The fact was seen not to hold.
    Fail,
    /// The fact is missing for some or all rows.
    Unknown,
}

impl Finding {
    /// The finding as a word.
    pub const fn word(self) -> &'static str {
        match self {
            Finding::Pass => "pass",
            Finding::Fail => "fail",
            Finding::Unknown => "unknown",
        }
    }
}

/// One line of the proof.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    /// What was checked.
    pub check: Check,
    /// What was found.
    pub finding: Finding,
    /// From what, in words.
    pub evidence: String,
}

/// The proof for these rows: one line for each of [`Check::ALL`]. Rows without figures are left out, since nothing is
/// compared by them.
pub fn prove<'a>(rows: impl IntoIterator<Item = &'a ResultRow>) -> Vec<Line> {
    let rows: Vec<&ResultRow> = rows.into_iter().filter(|row| row.is_measured()).collect();
    Check::ALL.into_iter().map(|check| lines::line(check, &rows)).collect()
}

/// Writes what was proved into a row's `normalization`, where the row does not say otherwise itself.
pub fn fill_normalization(lines: &[Line], row: &mut ResultRow) {
    let found = |check: Check| match lines.iter().find(|line| line.check == check)?.finding {
        Finding::Pass => Some(true),
        Finding::Fail => Some(false),
        Finding::Unknown => None,
    };
    let normalization = &mut row.normalization;
    let fill = |slot: &mut Option<bool>, check| *slot = slot.or_else(|| found(check));
    fill(&mut normalization.same_gpu_count, Check::Hardware);
    fill(&mut normalization.same_model_weights, Check::Weights);
    fill(&mut normalization.same_tokenizer, Check::Tokenizer);
    fill(&mut normalization.same_endpoint, Check::Endpoint);
}

#[cfg(test)]
mod tests;
