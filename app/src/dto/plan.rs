//! The plan editor's values.

use podium_domain::form::PlanForm;
use serde::{Deserialize, Serialize};

/// One problem or warning of a plan.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlanProblem {
    /// Where in the plan, for example `frameworks.vllm.search_space.max_num_seqs[1]`; empty for the text as a whole.
    pub path: String,
    /// The line of the YAML text, from 1, where it is known.
    pub line: Option<u32>,
    /// What is wrong and what to do about it.
    pub message: String,
}

/// One candidate that a run would try.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CandidateLine {
    /// The framework's id, for example `tensorrt_llm`.
    pub framework: String,
    /// The candidate's id.
    pub candidate_id: String,
    /// The command line, quoted for a shell.
    pub command: String,
}

/// A plan's text and everything that follows from it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct PlanState {
    /// The text that was checked.
    pub yaml: String,
    /// What the form shows; `None` while the text is not YAML.
    pub form: Option<PlanForm>,
    /// What prevents a start.
    pub problems: Vec<PlanProblem>,
    /// What does not.
    pub warnings: Vec<PlanProblem>,
    /// Defaults that were filled in, `path: value` each.
    pub filled: Vec<String>,
    /// The candidates, in the order in which they would be tried.
    pub candidates: Vec<CandidateLine>,
    /// Searched values that the limit leaves untried, in words.
    pub untried: Vec<String>,
    /// Measurements that a run takes.
    pub measurements: u64,
    /// The plan's title, once it is valid.
    pub title: Option<String>,
    /// Whether a run of it is a flow check, which yields no winner.
    pub flow_check: bool,
}

/// A host that a plan can be started on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostChoice {
    /// Its id.
    pub id: String,
    /// Its name and what it has, on one line.
    pub label: String,
}
