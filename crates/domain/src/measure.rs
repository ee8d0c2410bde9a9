//! What one measurement yields: its summary, its series and the client's own health.

use serde::{Deserialize, Serialize};

use crate::fairness::PromptSet;
use crate::stats::Distribution;
use crate::validity::Validity;

/// One second of a measurement.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SeriesPoint {
    /// Start of the second, seconds since the measurement's start.
    pub t_s: u32,
    /// Requests sent in this second.
    pub sent: u32,
    /// Requests that completed in this second.
    pub completed: u32,
    /// Requests that failed in this second.
    pub failed: u32,
    /// Requests in flight at the end of the second.
    pub in_flight: u32,
    /// Output tokens received in this second (content events times the tokens per event where known).
    pub output_tokens: u64,
    /// Median TTFT of the requests whose first token came in this second, ms.
    pub ttft_p50_ms: Option<f64>,
}

/// How many requests failed in one way.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FailureCount {
    /// `connect`, `tls`, `http_status`, `protocol`, `idle`, `deadline` or `cancelled`.
    pub class: String,
    /// How many.
    pub count: u64,
    /// One of them in the words of the server or the system.
    pub example: String,
}

/// What the load process saw of itself.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct ClientHealth {
    /// CPU seconds used by the load process while it measured, divided by the duration: 1.0 is one full core.
    pub cpu_share: Option<f64>,
    /// Median of how late the load process's own timer woke up, ms.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub loop_delay_p50_ms: Option<f64>,
    /// 99th percentile of how late the load process's own timer woke up, ms.
    pub loop_delay_p99_ms: Option<f64>,
    /// Largest such delay, ms.
    pub loop_delay_max_ms: Option<f64>,
    /// Share of content events that were not the first of their socket read, in [0, 1].
    pub coalesced_event_share: Option<f64>,
}

/// The figures of one measurement. Latencies in ms, throughputs per second, shares in [0, 1]. What was not measured is
/// `None`, never 0.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// Requests that the schedule held.
    pub planned: u64,
    /// Requests that were sent.
    pub sent: u64,
    /// Requests that were answered to their end.
    pub completed: u64,
    /// Requests that failed, the ones that were never sent included.
    pub failed: u64,
    /// Requests that could not be sent before the measurement ended.
    pub never_sent: u64,
    /// From the first scheduled start to the last answer, seconds.
    pub duration_s: f64,
    /// Completed requests per second over the whole duration.
    pub request_throughput: Option<f64>,
    /// Output tokens per second over the whole duration.
    pub output_token_throughput: Option<f64>,
    /// Input and output tokens per second over the whole duration.
    pub total_token_throughput: Option<f64>,
    /// The steady window (ramp-up and drain cut off), seconds from the start.
    pub steady_window_s: Option<(f64, f64)>,
    /// Completed requests per second in the steady window.
    pub steady_request_throughput: Option<f64>,
    /// Output tokens per second in the steady window.
    pub steady_output_token_throughput: Option<f64>,
    /// Requests per second that met every SLA limit; `None` without an SLA.
    pub goodput_rps: Option<f64>,
    /// `completed / planned`.
    pub success_rate: Option<f64>,
    /// Input tokens of completed requests, by the server's `usage`.
    pub input_tokens: Option<u64>,
    /// Output tokens of completed requests, by the server's `usage`.
    pub output_tokens: Option<u64>,
    /// Input tokens that the server took from its prefix cache, where it says so.
    pub cached_input_tokens: Option<u64>,
    /// Input tokens per completed request.
    pub input_len: Option<Distribution>,
    /// Output tokens per completed request.
    pub output_len: Option<Distribution>,
    /// TTFT from `sent_at`, ms.
    pub ttft_ms: Option<Distribution>,
    /// The user's TTFT, from `scheduled_at`, ms.
    pub user_ttft_ms: Option<Distribution>,
    /// Time per output token after the first, one value per request, ms.
    pub tpot_ms: Option<Distribution>,
    /// Gaps between content events divided by their tokens, pooled, ms.
    pub itl_ms: Option<Distribution>,
    /// Raw gaps between content events, pooled, ms.
    pub chunk_gap_ms: Option<Distribution>,
    /// End-to-end latency from `sent_at` to the last token, ms.
    pub e2e_ms: Option<Distribution>,
    /// `sent_at − scheduled_at`, ms.
    pub schedule_lag_ms: Option<Distribution>,
    /// Failures by class.
    pub failures: Vec<FailureCount>,
    /// The client's own health.
    pub client: ClientHealth,
    /// Whether the client, not the server, set the figures.
    pub client_limited: bool,
    /// The verdict on this measurement.
    pub validity: Validity,
    /// What was sent, for the proof of fairness; absent in measurements from before it was kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prompt_set: Option<PromptSet>,
}
