//! The values of a run that is being watched.

use serde::{Deserialize, Serialize};

/// The measurement that is being taken.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Measured {
    /// Its id.
    pub measurement_id: String,
    /// What is measured, in words: `chat at 8 req/s`.
    pub load: String,
    /// Whose server it is.
    pub candidate_id: String,
}

/// One second of the measurement that is being taken: the data of an SSE event named `tick`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LiveTick {
    /// The measurement.
    pub measurement_id: String,
    /// Requests that ended so far.
    pub ended: u64,
    /// Requests in all.
    pub planned: u64,
    /// Start of the second, seconds since the measurement's start.
    pub t_s: u32,
    /// Requests that completed in this second.
    pub completed: u32,
    /// Requests that failed in this second.
    pub failed: u32,
    /// Requests in flight at its end.
    pub in_flight: u32,
    /// Output tokens received in it.
    pub output_tokens: u64,
    /// Median TTFT of the requests whose first token came in it, ms.
    pub ttft_p50_ms: Option<f64>,
}

/// Something else happened in the run: the data of an SSE event named `change`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LiveChange {
    /// What happened, in words.
    pub text: String,
    /// The measurement that began with this event, if one did.
    pub began: Option<Measured>,
    /// The measurement that ended with this event, if one did.
    pub ended: Option<String>,
    /// Whether the run will not change any more.
    pub is_final: bool,
}

/// The parts of the run's page that change while it runs, rendered on the server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunState {
    /// The head: status, activity, progress, actions.
    pub head_html: String,
    /// The matrix of candidates and scenarios.
    pub matrix_html: String,
    /// The picker of launches.
    pub launches_html: String,
}

/// A part of a log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogPart {
    /// The text.
    pub text: String,
    /// Where to go on, bytes from the log's start.
    pub next_offset: u64,
}

/// A link to a report that was just made. Its secret is shown once.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewLink {
    /// The path on this server, `/r/<token>`.
    pub path: String,
}
