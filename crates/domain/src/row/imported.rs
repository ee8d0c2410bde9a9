//! What a row tells of the tool that measured it.

use serde::{Deserialize, Serialize};

/// Where a row was imported from. Tools mean different things by the same word, so their meanings travel with the row.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Imported {
    /// The tool that measured, for example `vllm bench serve`.
    pub tool: String,
    /// What the tool means by a figure, as (figure, meaning), where that is not our own meaning.
    pub definitions: Vec<(String, String)>,
    /// The figures that were computed again from the file's per-request data, by our definitions.
    pub recomputed: Vec<String>,
    /// Requests with per-request data in the file; 0 where it has only summaries.
    pub samples: u64,
}
