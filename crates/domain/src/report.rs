//! The report: the frozen view of a run, or of a comparison of rows from anywhere.
//!
//! Every writer, page and chart draws from this model alone, so a stored report shows the same for ever. It holds facts;
//! sentences are made from them when they are shown ([`Answer::sentence`], [`Caveat`]'s `Display`).

mod answer;
mod build;
mod caveat;
mod confidence;
mod facts;
mod redact;

use serde::{Deserialize, Serialize};

use crate::candidate::UntriedValue;
use crate::fairness::{self, Finding};
use crate::load::LoadMode;
use crate::profile::Profile;
use crate::ranking::Preference;
use crate::row::ResultRow;
use crate::search_curve::SearchCurve;
use crate::sla::Sla;

pub use answer::{Answer, AnswerState, Margin};
pub use build::ReportInput;
pub use caveat::{Caveat, Substitution};
pub use confidence::{Confidence, RepeatedLine, RepeatedRow};
pub use facts::limit_texts;
pub use redact::THIS_MACHINE;

/// The version of [`Report`]'s JSON form.
pub const REPORT_SCHEMA_VERSION: u32 = 1;

/// A report. Tables name their rows by index into [`Report::rows`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// [`REPORT_SCHEMA_VERSION`].
    pub schema_version: u32,
    /// The model first, for example `Qwen3-32B · 4×H100 · chat, summarization`.
    pub title: String,
    /// The runs that it was made from.
    pub run_ids: Vec<String>,
    /// The ids of the frameworks of which any row is simulated.
    pub simulated: Vec<String>,
    /// Whether the run only showed that everything works: there is then no winner.
    pub flow_check: bool,
    /// What was asked.
    pub workload: Workload,
    /// What counts as good enough.
    pub sla: Sla,
    /// Which throughput decides first.
    pub preference: Preference,
    /// What it ran on.
    pub hardware: HardwareFacts,
    /// Which versions ran.
    pub versions: Vec<FrameworkVersion>,
    /// The load mode in which rows are ranked; `None` where no row says its mode.
    pub primary_mode: Option<LoadMode>,
    /// Candidates in all, over all frameworks.
    pub candidates: u64,
    /// How far each framework was searched.
    pub searches: Vec<FrameworkSearch>,
    /// Every row, in the order in which it came.
    pub rows: Vec<ResultRow>,
    /// All rows, best first.
    pub order: Vec<usize>,
    /// Best commands by framework, in the primary mode.
    pub best_by_framework: Vec<FrameworkTable>,
    /// The frameworks' best rows against each other, in the primary mode.
    pub comparisons: Vec<ScenarioComparison>,
    /// Rows of the other load modes, best first within each.
    pub other_modes: Vec<ModeTable>,
    /// What the second pass says of the order; `None` where nothing was measured again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confidence: Option<Confidence>,
    /// What each candidate gave at each rate, and where the SLA stops holding; empty in reports from before it was kept.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub search_curves: Vec<SearchCurve>,
    /// How the measurements of the frameworks' best rows went; empty in reports from before it was kept.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub profiles: Vec<Profile>,
    /// Every row that is not `ok` or does not hold the SLA, in the order in which it came.
    pub not_selected: Vec<NotSelected>,
    /// Whether the comparison was fair, line by line; empty in reports from before it was computed.
    #[serde(default)]
    pub fairness: Vec<fairness::Line>,
    /// What the report does not hold, where there were too many rows for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub left_out: Option<LeftOut>,
    /// What to keep in mind.
    pub caveats: Vec<Caveat>,
    /// What to profile where SGLang is not the winner.
    pub profiler_handoffs: Vec<ProfilerHandoff>,
}

/// What was asked of every candidate.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Workload {
    /// The model served.
    pub model: Option<String>,
    /// The tokenizer, where it is not the model's own.
    pub tokenizer: Option<String>,
    /// The number format of the weights.
    pub precision: Option<String>,
    /// The quantization of the weights.
    pub quantization: Option<String>,
    /// `random`, or a file kind.
    pub dataset_kind: Option<String>,
    /// The dataset's file.
    pub dataset_path: Option<String>,
    /// Requests per measurement.
    pub num_prompts: Option<u64>,
    /// Fixes prompts and arrivals.
    pub seed: Option<u64>,
    /// The request path.
    pub endpoint: Option<String>,
    /// The loads, in words.
    pub loads: Vec<String>,
    /// The scenarios, in the order of the plan.
    pub scenarios: Vec<ScenarioFacts>,
}

/// One scenario and its lengths, tokens.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ScenarioFacts {
    /// Its name.
    pub name: String,
    /// Prompt lengths.
    pub input: Lengths,
    /// Output lengths.
    pub output: Lengths,
}

/// How long prompts or outputs are, tokens.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Lengths {
    /// All of this length.
    Exact {
        /// Tokens.
        tokens: u64,
    },
    /// Spread; the median and the 95th percentile.
    Spread {
        /// Median, tokens.
        p50: f64,
        /// 95th percentile, tokens.
        p95: Option<f64>,
    },
    /// Not known.
    Unknown,
}

/// What the candidates ran on.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct HardwareFacts {
    /// For example `H100`.
    pub gpu_model: Option<String>,
    /// GPUs per server; 0 for servers on the CPU. `None` where rows differ or do not say.
    pub gpu_count: Option<u64>,
    /// The host.
    pub host: Option<HostFacts>,
}

/// The fact of [`HostFacts::facts`] that holds the name which the machine gives itself.
pub const MACHINE_FACT: &str = "Machine";

/// What is known of the host. The name and the facts are left out of shared reports.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct HostFacts {
    /// Its name.
    pub name: String,
    /// Facts as (what, value), for example (`CPU`, `2 cores`).
    pub facts: Vec<(String, String)>,
}

/// A framework's version in this report; several where rows differ.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FrameworkVersion {
    /// The framework's id.
    pub framework: String,
    /// As it reports it.
    pub version: Option<String>,
    /// The commit it was built from.
    pub commit: Option<String>,
    /// Whether it is simulated.
    pub simulated: bool,
}

/// How far one framework was searched.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct FrameworkSearch {
    /// The framework's id.
    pub framework: String,
    /// Candidates that were generated.
    pub candidates: u64,
    /// Candidates that there would be without the plan's limit; `None` where they were not counted.
    pub without_limit: Option<u64>,
    /// Searched values that no candidate held.
    pub untried: Vec<UntriedValue>,
    /// Why nothing beyond the baseline was measured, where that is known (not on this host, unsupported, …).
    pub reason: Option<String>,
}

/// The best rows of one framework, one per scenario.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FrameworkTable {
    /// The framework's id.
    pub framework: String,
    /// Rows, in the order of the scenarios; scenarios without a selectable row are absent.
    pub rows: Vec<usize>,
    /// Scenarios in which no candidate of the framework can be selected.
    pub without: Vec<String>,
}

/// The comparison of one scenario.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ScenarioComparison {
    /// The scenario's name.
    pub scenario: String,
    /// The frameworks' best rows, best first.
    pub ranked: Vec<usize>,
    /// The answer.
    pub answer: Answer,
}

/// The rows of one load mode that is not the primary one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ModeTable {
    /// The mode.
    pub mode: LoadMode,
    /// Its rows, best first.
    pub rows: Vec<usize>,
}

/// A row that was tried and not selected.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NotSelected {
    /// The row.
    pub row: usize,
    /// Why, in words: it failed, was skipped, is invalid, or which limits it misses.
    pub reason: String,
}

/// How much more was compared than a report of very many rows holds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeftOut {
    /// Rows that were compared and are not in [`Report::rows`].
    pub rows: u64,
    /// Those of them that were not selected.
    pub not_selected: u64,
    /// Candidates in all, those in the report included.
    pub candidates: u64,
}

/// What to profile in SGLang: prefill with the scenario's input and 1 output token, decode with 1 input token and the
/// scenario's output.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ProfilerHandoff {
    /// The scenario in which SGLang is behind.
    pub scenario: String,
    /// SGLang's best row, where it has one.
    pub row: Option<usize>,
    /// The slow scenario's prompt lengths.
    pub input: Lengths,
    /// The slow scenario's output lengths.
    pub output: Lengths,
}

impl Report {
    /// The row of an index of one of the tables; `None` where a foreign report's index is wrong.
    pub fn row(&self, index: usize) -> Option<&ResultRow> {
        self.rows.get(index)
    }

    /// The rows of a table, in its order.
    pub fn rows_of<'a>(&'a self, indices: &'a [usize]) -> impl Iterator<Item = &'a ResultRow> {
        indices.iter().filter_map(|&index| self.rows.get(index))
    }

    /// The curves of the candidates that are the best of their framework in a scenario.
    pub fn shown_curves(&self) -> impl Iterator<Item = &SearchCurve> {
        self.search_curves.iter().filter(|curve| self.row_of_curve(curve).is_some())
    }

    /// The row of the best candidate of a framework in a scenario, where the curve is that candidate's.
    pub fn row_of_curve(&self, curve: &SearchCurve) -> Option<&ResultRow> {
        let mut best = self.best_by_framework.iter().flat_map(|table| self.rows_of(&table.rows));
        best.find(|row| {
            row.framework == curve.framework
                && row.candidate_id == curve.candidate_id
                && row.scenario() == curve.scenario
        })
    }

    /// The comparison of a scenario.
    pub fn comparison(&self, scenario: &str) -> Option<&ScenarioComparison> {
        self.comparisons.iter().find(|comparison| comparison.scenario == scenario)
    }

    /// The rows that win or lead, one per scenario that has one.
    pub fn leaders(&self) -> impl Iterator<Item = (&ScenarioComparison, &ResultRow)> {
        self.comparisons.iter().filter_map(|comparison| Some((comparison, self.row(comparison.answer.row?)?)))
    }

    /// Whether any scenario has a winner.
    pub fn has_winner(&self) -> bool {
        self.comparisons.iter().any(|comparison| comparison.answer.state == AnswerState::Winner)
    }

    /// One sentence per scenario.
    pub fn answers(&self) -> Vec<String> {
        self.comparisons.iter().map(|comparison| comparison.answer.sentence(&comparison.scenario)).collect()
    }

    /// The lines of the proof of fairness that fail.
    pub fn unfair(&self) -> impl Iterator<Item = &fairness::Line> {
        self.fairness.iter().filter(|line| line.finding == Finding::Fail)
    }

    /// What stands next to a winner of an unfair comparison; `None` where no line fails.
    pub fn unfair_text(&self) -> Option<String> {
        let texts: Vec<_> =
            self.unfair().map(|line| format!("{}: fails ({})", line.check.name(), line.evidence)).collect();
        (!texts.is_empty()).then(|| format!("{}.", texts.join("; ")))
    }

    /// Whether anything in it is simulated.
    pub fn is_simulated(&self) -> bool {
        !self.simulated.is_empty()
    }
}

/// A figure with three significant digits, without decimals from 100 up.
pub fn figure(value: f64) -> String {
    if value == 0.0 || !value.is_finite() {
        return if value == 0.0 { "0".to_owned() } else { "–".to_owned() };
    }
    let decimals = |value: f64| (2 - value.abs().log10().floor() as i32).clamp(0, 12);
    let places = decimals(value) as usize;
    let rounded: f64 = format!("{value:.places$}").parse().unwrap_or(value);
    // Rounding can add a digit (9.999 becomes 10.0).
    let places = if rounded == 0.0 { places } else { decimals(rounded) as usize };
    format!("{rounded:.places$}")
}

#[cfg(test)]
mod tests;
