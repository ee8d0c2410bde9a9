//! Result rows: one JSON object per candidate and scenario, the form in which results are exchanged with other tools.
//!
//! Reading is loose, since rows are written by many tools: numbers and booleans may be strings, sections may be absent
//! or `null`, and unknown keys are kept at every level and written back. What was not measured is absent, never 0.

mod blocks;
mod build;
mod imported;
mod loose;
mod sections;
mod verdict;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::confidence::Repeats;
use crate::fairness::Conditions;
use crate::framework::Framework;
use crate::load::{LoadMode, LoadPoint};
use crate::plan::FLOW_CHECK_MAX_PROMPTS;
use crate::sla::SlaCheck;
use crate::status::CandidateStatus;
use crate::validity::Validity;

pub use build::{RowContext, Taken};
pub use imported::Imported;
pub use sections::*;
pub use verdict::{SlaVerdict, best_measurement};

/// One result row.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct ResultRow {
    /// The framework's id; rows of other tools may name one that is not in our table.
    pub framework: String,
    /// As the framework reports it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub framework_version: Option<String>,
    /// The commit it was built from.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub framework_commit: Option<String>,
    /// The candidate's id.
    pub candidate_id: String,
    /// The model served.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// How the candidate ended.
    pub status: RowStatus,
    /// Why, where it is not `ok`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure_reason: Option<String>,
    /// What it ran on.
    #[serde(skip_serializing_if = "loose::is_empty")]
    pub hardware: RowHardware,
    /// What it was asked.
    #[serde(skip_serializing_if = "loose::is_empty")]
    pub workload: RowWorkload,
    /// The limits, and whether they were held.
    #[serde(skip_serializing_if = "loose::is_empty")]
    pub sla: RowSla,
    /// What was measured.
    #[serde(skip_serializing_if = "loose::is_empty")]
    pub metrics: RowMetrics,
    /// Speculative decoding.
    #[serde(skip_serializing_if = "loose::is_empty")]
    pub spec_decode: RowSpecDecode,
    /// Where requests spent their time inside the server.
    #[serde(skip_serializing_if = "loose::is_empty")]
    pub phase_metrics: RowPhases,
    /// The prefix and KV caches.
    #[serde(skip_serializing_if = "loose::is_empty")]
    pub cache: RowCache,
    /// GPU memory.
    #[serde(skip_serializing_if = "loose::is_empty")]
    pub memory: RowMemory,
    /// What was held equal between frameworks.
    #[serde(skip_serializing_if = "loose::is_empty")]
    pub normalization: RowNormalization,
    /// The command that starts this server. See [`ResultRow::launch_command`].
    #[serde(skip_serializing_if = "Option::is_none")]
    pub server_command: Option<String>,
    /// The command that measures it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub benchmark_command: Option<String>,
    /// Flags that were checked against the tools' own help.
    #[serde(skip_serializing_if = "loose::is_empty")]
    pub validated_cli_flags: RowCliFlags,
    /// Where its files are.
    #[serde(skip_serializing_if = "loose::is_empty")]
    pub artifacts: RowArtifacts,
    /// What Podium knows beyond the common schema; absent in rows of other tools.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub podium: Option<RowExtension>,
    /// Keys that are not part of the schema, as they came.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

loose::read_keeping_unknown! {
    ResultRow {
        framework: loose::Text,
        framework_version: loose::Read<String>,
        framework_commit: loose::Read<String>,
        candidate_id: loose::Text,
        model: loose::Read<String>,
        status: loose::Plain<RowStatus>,
        failure_reason: loose::Read<String>,
        hardware: loose::Section<RowHardware>,
        workload: loose::Section<RowWorkload>,
        sla: loose::Section<RowSla>,
        metrics: loose::Section<RowMetrics>,
        spec_decode: loose::Section<RowSpecDecode>,
        phase_metrics: loose::Section<RowPhases>,
        cache: loose::Section<RowCache>,
        memory: loose::Section<RowMemory>,
        normalization: loose::Section<RowNormalization>,
        server_command: loose::Read<String>,
        benchmark_command: loose::Read<String>,
        validated_cli_flags: loose::Section<RowCliFlags>,
        artifacts: loose::Section<RowArtifacts>,
        podium: loose::Plain<Option<RowExtension>>,
    } after |row| match (row.framework.is_empty(), row.candidate_id.is_empty()) {
        (true, _) => Err(serde::de::Error::missing_field("framework")),
        (_, true) => Err(serde::de::Error::missing_field("candidate_id")),
        (false, false) => Ok(row),
    }
}

/// How the candidate of a row ended. Words that are not ours are kept; such a row never wins.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub enum RowStatus {
    /// Launched and measured.
    Ok,
    /// Failed for a known reason that is not memory or time.
    Failed,
    /// Ran out of memory.
    Oom,
    /// Missed its health or benchmark deadline.
    Timeout,
    /// Not tried, with a reason.
    Skipped,
    /// A word of another tool.
    Other(String),
}

impl RowStatus {
    /// The status as its word.
    pub fn word(&self) -> &str {
        match self {
            RowStatus::Ok => "ok",
            RowStatus::Failed => "failed",
            RowStatus::Oom => "oom",
            RowStatus::Timeout => "timeout",
            RowStatus::Skipped => "skipped",
            RowStatus::Other(word) => word,
        }
    }
}

/// A row without a status says nothing about how its candidate ended.
impl Default for RowStatus {
    fn default() -> Self {
        RowStatus::Other("unknown".to_owned())
    }
}

impl From<String> for RowStatus {
    fn from(word: String) -> Self {
        let known = [RowStatus::Ok, RowStatus::Failed, RowStatus::Oom, RowStatus::Timeout, RowStatus::Skipped];
        let found = known.into_iter().find(|status| status.word().eq_ignore_ascii_case(word.trim()));
        found.unwrap_or(RowStatus::Other(word))
    }
}

impl From<RowStatus> for String {
    fn from(status: RowStatus) -> Self {
        status.word().to_owned()
    }
}

impl From<CandidateStatus> for RowStatus {
    fn from(status: CandidateStatus) -> Self {
        RowStatus::from(status.word().to_owned())
    }
}

/// What Podium adds to a row.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct RowExtension {
    /// Whether a simulated engine made the figures.
    pub simulated: bool,
    /// Whether the candidate is the base flags alone.
    pub baseline: bool,
    /// Whether the run only showed that everything works; such a row never wins.
    pub flow_check: bool,
    /// The verdict on the measurement; absent where nothing was measured.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub validity: Option<Validity>,
    /// The kind of load.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub load_mode: Option<LoadMode>,
    /// The load of the measurement that stands for the row.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub load_point: Option<LoadPoint>,
    /// Median TTFT from the scheduled start, ms: what an open loop's SLA reads.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub p50_user_ttft_ms: Option<f64>,
    /// Completed requests per second in the steady window.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub steady_request_throughput: Option<f64>,
    /// Output tokens per second in the steady window.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub steady_output_token_throughput: Option<f64>,
    /// Requests per second that met every limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub goodput_rps: Option<f64>,
    /// How many measurements of this load stand behind the figures; with one there is no interval.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub measured_times: Option<u32>,
    /// Which of them the figures belong to: 0 is the first pass, from 1 on the repeats of the second.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub repeat: Option<u32>,
    /// The measurements of both passes; absent where the candidate was not measured again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub repeats: Option<Repeats>,
    /// Every limit, with what was measured against it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub sla_checks: Vec<SlaCheck>,
    /// What is known of the conditions, for the proof of fairness.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub conditions: Option<Conditions>,
    /// Where the row was imported from; absent where we measured.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub imported: Option<Imported>,
    /// The run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub run_id: Option<String>,
    /// The measurement that stands for the row.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub measurement_id: Option<String>,
    /// The node of a cluster that it was taken on; absent on a host that is one machine.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub node: Option<String>,
    /// Keys of other versions, as they came.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}

loose::read_keeping_unknown! {
    RowExtension {
        simulated: loose::Plain<bool>,
        baseline: loose::Plain<bool>,
        flow_check: loose::Plain<bool>,
        validity: loose::Plain<Option<Validity>>,
        load_mode: loose::Plain<Option<LoadMode>>,
        load_point: loose::Plain<Option<LoadPoint>>,
        p50_user_ttft_ms: loose::Plain<Option<f64>>,
        steady_request_throughput: loose::Plain<Option<f64>>,
        steady_output_token_throughput: loose::Plain<Option<f64>>,
        goodput_rps: loose::Plain<Option<f64>>,
        measured_times: loose::Plain<Option<u32>>,
        repeat: loose::Plain<Option<u32>>,
        repeats: loose::Plain<Option<Repeats>>,
        sla_checks: loose::Plain<Vec<SlaCheck>>,
        conditions: loose::Plain<Option<Conditions>>,
        imported: loose::Plain<Option<Imported>>,
        run_id: loose::Plain<Option<String>>,
        measurement_id: loose::Plain<Option<String>>,
        node: loose::Plain<Option<String>>,
    } after Ok
}

impl ResultRow {
    /// The scenario: the first set one of the places where tools write it, else `default`.
    pub fn scenario(&self) -> &str {
        let in_workload = |key| self.workload.extra.get(key).and_then(Value::as_str);
        [
            self.workload.scenario.as_deref(),
            in_workload("scenario_name"),
            in_workload("dataset_scenario"),
            in_workload("dataset_name"),
            self.workload.kind.as_deref(),
            self.extra.get("scenario").and_then(Value::as_str),
        ]
        .into_iter()
        .flatten()
        .find(|name| !name.trim().is_empty())
        .unwrap_or("default")
    }

    /// The command that starts the server, under either of its two names.
    pub fn launch_command(&self) -> Option<&str> {
        self.server_command.as_deref().or_else(|| self.extra.get("launch_command").and_then(Value::as_str))
    }

    /// The framework's name for people; the id where it is not one of ours.
    pub fn framework_name(&self) -> &str {
        framework_name(&self.framework)
    }

    /// The kind of load, as stated or as the rate and the cap tell; `None` where neither does.
    pub fn load_mode(&self) -> Option<LoadMode> {
        let stated = self.podium.as_ref().and_then(|podium| podium.load_mode);
        stated.or(match (self.workload.request_rate, self.workload.max_concurrency) {
            (Some(_), _) => Some(LoadMode::Rate),
            (None, Some(_)) => Some(LoadMode::Concurrency),
            (None, None) => None,
        })
    }

    /// The load in words, for example `4 req/s, at most 32 in flight`; `None` where the row does not say.
    pub fn load_text(&self) -> Option<String> {
        if let Some(point) = self.podium.as_ref().and_then(|podium| podium.load_point) {
            return Some(point.to_string());
        }
        let cap = self.workload.max_concurrency.and_then(|cap| u32::try_from(cap).ok());
        match (self.workload.request_rate, cap) {
            (Some(rate_rps), max_concurrency) => Some(LoadPoint::Rate { rate_rps, max_concurrency }.to_string()),
            (None, Some(concurrency)) => Some(LoadPoint::Concurrency { concurrency }.to_string()),
            (None, None) => None,
        }
    }

    /// Whether another tool measured it and we read its file.
    pub fn is_imported(&self) -> bool {
        self.podium.as_ref().is_some_and(|podium| podium.imported.is_some())
    }

    /// Whether a simulated engine made the figures.
    pub fn is_simulated(&self) -> bool {
        self.podium.as_ref().is_some_and(|podium| podium.simulated)
    }

    /// Whether the candidate is the base flags alone.
    pub fn is_baseline(&self) -> bool {
        self.podium.as_ref().is_some_and(|podium| podium.baseline)
    }

    /// The measurements of both passes, where the candidate was measured again.
    pub fn repeats(&self) -> Option<&Repeats> {
        self.podium.as_ref()?.repeats.as_ref()
    }

    /// Which measurement of its load it says it is: see [`RowExtension::repeat`].
    pub fn run_number(&self) -> Option<u32> {
        self.podium.as_ref()?.repeat
    }

    /// Whether its figures are those of a single measurement, as far as the row says.
    pub fn is_measured_once(&self) -> bool {
        self.podium.as_ref().and_then(|podium| podium.measured_times).is_none_or(|times| times <= 1)
    }

    /// The verdict on the measurement; `None` where it is unknown (rows of other tools, nothing measured).
    pub fn validity(&self) -> Option<&Validity> {
        self.podium.as_ref()?.validity.as_ref()
    }

    /// The flag that took CUDA graphs away from the server, where the plan does not ask for that; such a row is a flow
    /// check.
    pub fn eager_flag(&self) -> Option<&str> {
        self.podium.as_ref()?.extra.get(build::EAGER_KEY)?.as_str()
    }

    /// Whether the row comes from a flow check, by its mark or by its number of prompts.
    pub fn is_flow_check(&self) -> bool {
        self.podium.as_ref().is_some_and(|podium| podium.flow_check)
            || self.workload.num_prompts.is_some_and(|n| n <= u64::from(FLOW_CHECK_MAX_PROMPTS))
    }

    /// Whether there is any throughput figure.
    pub fn is_measured(&self) -> bool {
        self.metrics.request_throughput.is_some() || self.metrics.output_token_throughput.is_some()
    }

    /// Whether the candidate ran to its end and its measurement can be trusted.
    pub fn is_sound(&self) -> bool {
        self.status == RowStatus::Ok && self.validity().is_none_or(Validity::may_win)
    }

    /// Whether the row may be selected: sound, and within the SLA.
    pub fn is_selectable(&self) -> bool {
        self.is_sound() && self.sla_verdict().passed
    }
}

/// The name of a framework for people; the id itself where it is not one of ours.
pub fn framework_name(id: &str) -> &str {
    match id.parse::<Framework>() {
        Ok(framework) => framework.name(),
        Err(_) => id,
    }
}

#[cfg(test)]
pub(crate) mod tests;
