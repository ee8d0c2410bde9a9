//! What a load run says while it works and when it is done.

use std::path::PathBuf;

use podium_domain::measure::{SeriesPoint, Summary};
use podium_domain::telemetry::TelemetrySummary;
use podium_domain::validity::Reason;
use serde::{Deserialize, Serialize};

/// One line that `podium-agent load` writes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum AgentMessage {
    /// Warm-up requests are being sent; they are not measured.
    WarmingUp {
        /// [`PROTOCOL_VERSION`](crate::PROTOCOL_VERSION) of the writer.
        version: u32,
        /// How many.
        requests: u32,
    },
    /// The clock has started.
    Started {
        /// [`PROTOCOL_VERSION`](crate::PROTOCOL_VERSION) of the writer.
        version: u32,
        /// Requests that the schedule holds.
        planned: u64,
        /// See [`LoadReport::prompt_set_hash`].
        prompt_set_hash: String,
    },
    /// One second is over.
    Tick {
        /// That second; equal to its point in the final series.
        point: SeriesPoint,
        /// Totals so far.
        counters: Counters,
    },
    /// The run ended, early or not.
    Done {
        /// Everything that was measured.
        report: Box<LoadReport>,
    },
    /// The run could not take place.
    Error {
        /// What happened and what to do.
        message: String,
    },
}

/// What happened to the requests so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counters {
    /// Requests that the schedule holds.
    pub planned: u64,
    /// Requests sent.
    pub sent: u64,
    /// Requests answered to their end.
    pub completed: u64,
    /// Requests that failed.
    pub failed: u64,
    /// Requests in flight now.
    pub in_flight: u64,
    /// Output tokens received, as in [`SeriesPoint::output_tokens`].
    pub output_tokens: u64,
}

/// What one load run measured.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LoadReport {
    /// [`PROTOCOL_VERSION`](crate::PROTOCOL_VERSION) of the writer.
    pub version: u32,
    /// The figures.
    pub summary: Summary,
    /// One point for each second.
    pub series: Vec<SeriesPoint>,
    /// Remarks that are no doubts, for example that a percentile has few samples.
    pub notes: Vec<Reason>,
    /// SHA-256 of the measured prompts in order; equal for every framework that was asked the same.
    pub prompt_set_hash: String,
    /// Where the samples were written, where the job asked for it.
    pub samples_path: Option<PathBuf>,
    /// What the engine and its GPUs said meanwhile, where the job asked for it.
    #[serde(default)]
    pub telemetry: Option<TelemetrySummary>,
}
