//! What a reader has to keep in mind.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::candidate::UntriedValue;
use crate::flags;
use crate::plan::FLOW_CHECK_MAX_PROMPTS;
use crate::ranking::Preference;
use crate::row::framework_name;

/// A flag of the plan that the server did not know.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Substitution {
    /// The framework's id.
    pub framework: String,
    /// The flag of the plan.
    pub flag: String,
    /// The flag that was passed instead; `None` where it was removed.
    pub substitute: Option<String>,
    /// Why.
    pub reason: String,
}

/// One caveat; its `Display` is the sentence for people.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Caveat {
    /// Simulated engines made figures.
    Simulated {
        /// The frameworks' ids.
        frameworks: Vec<String>,
    },
    /// The run is a flow check.
    FlowCheck {
        /// Requests per measurement, where that is the reason.
        num_prompts: Option<u64>,
        /// The flags that took CUDA graphs away from rows, where the plan does not ask for that.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        eager_flags: Vec<String>,
    },
    /// The workload is synthetic.
    SyntheticWorkload,
    /// The run ended before its end.
    Interrupted {
        /// Why.
        reason: String,
    },
    /// Candidates were measured on different nodes of a cluster.
    SeveralNodes {
        /// Each node with the ids of the candidates whose rows it measured.
        nodes: Vec<(String, Vec<String>)>,
    },
    /// Frameworks of which only the baseline was tried.
    BaselineOnly {
        /// The frameworks' ids.
        frameworks: Vec<String>,
    },
    /// A framework of which nothing beyond the baseline was measured, for a known reason.
    NotSearched {
        /// The framework's id.
        framework: String,
        /// Why.
        reason: String,
    },
    /// Searched values that no candidate held.
    Untried {
        /// The framework's id.
        framework: String,
        /// The values.
        values: Vec<UntriedValue>,
    },
    /// A flag was replaced or removed.
    Substituted(Substitution),
    /// Frameworks of the plan that the user left out.
    Excluded {
        /// The frameworks' ids.
        frameworks: Vec<String>,
    },
    /// Figures come from one measurement.
    MeasuredOnce {
        /// The scenarios whose leading figures do, where others were measured again; empty for all.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        scenarios: Vec<String>,
    },
    /// Repeats of one candidate disagree on whether it holds the SLA, or some gave no figures.
    RepeatsDisagree {
        /// The candidate's id.
        candidate_id: String,
        /// In which scenario.
        scenario: String,
        /// How, in words.
        how: String,
    },
    /// A baseline was not the same at the end of the run as at its beginning.
    MachineChanged {
        /// The baselines, each with its scenario and what it measured.
        baselines: Vec<String>,
    },
    /// Token throughput decides first.
    Preference(Preference),
    /// Measurements that are not above doubt.
    Doubtful {
        /// How many rows.
        rows: u64,
    },
    /// Measurements that cannot be trusted and were left out of the ranking.
    Invalid {
        /// How many rows.
        rows: u64,
    },
    /// Rows whose SLA verdict is their own word, since they lack limits or figures.
    NotRecomputed {
        /// How many rows.
        rows: u64,
    },
    /// Rows of other tools, whose measurements' validity is unknown.
    UnknownValidity {
        /// How many rows.
        rows: u64,
    },
    /// Rows were measured by another tool, which means something else by some figures.
    Definitions {
        /// The tool.
        tool: String,
        /// Its meanings, as (figure, meaning).
        definitions: Vec<(String, String)>,
    },
    /// The rows differ in something that has to be equal in a fair comparison.
    Unequal {
        /// What, for example `model`.
        what: String,
        /// The different values.
        values: Vec<String>,
    },
    /// There were too many rows for a report.
    LeftOut {
        /// How many were left out.
        rows: u64,
        /// How many are in the report.
        shown: u64,
    },
    /// Anything else, in words.
    Note {
        /// The words.
        text: String,
    },
}

impl Caveat {
    /// Whether it counts rows and there are none.
    pub(super) fn counts_nothing(&self) -> bool {
        matches!(
            self,
            Caveat::Doubtful { rows: 0 }
                | Caveat::Invalid { rows: 0 }
                | Caveat::NotRecomputed { rows: 0 }
                | Caveat::UnknownValidity { rows: 0 }
        )
    }
}

impl fmt::Display for Caveat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Caveat::Simulated { frameworks } => write!(
                f,
                "Simulated: the figures of {} come from simulated engines and say nothing about real ones.",
                names(frameworks)
            ),
            Caveat::FlowCheck { num_prompts, eager_flags } => flow_check(f, *num_prompts, eager_flags),
            Caveat::SyntheticWorkload => f.write_str(
                "Synthetic workload: good for bring-up and a first comparison, not enough for a production choice; \
                 measure the real request distribution before you deploy.",
            ),
            Caveat::Interrupted { reason } => write!(f, "Search incomplete: the run ended early ({reason})."),
            Caveat::SeveralNodes { nodes } => {
                let shown: Vec<_> = nodes
                    .iter()
                    .map(|(node, candidates)| format!("{node} measured {}", candidates.join(", ")))
                    .collect();
                write!(
                    f,
                    "Measured on {} nodes of a cluster with GPUs of the same kind: {}. Small differences between \
                     candidates of different nodes can be the nodes' own.",
                    nodes.len(),
                    shown.join("; ")
                )
            }
            Caveat::BaselineOnly { frameworks } => write!(
                f,
                "Search incomplete: of {} only the baseline was tried, so there is no winner yet.",
                names(frameworks)
            ),
            Caveat::NotSearched { framework, reason } => {
                write!(f, "{}: nothing beyond the baseline was measured: {reason}", framework_name(framework))
            }
            Caveat::Untried { framework, values } => {
                let values: Vec<_> = values.iter().map(|v| format!("{}={}", v.knob, flags::word(&v.value))).collect();
                write!(
                    f,
                    "{}: searched values that were never tried: {}.",
                    framework_name(framework),
                    values.join(", ")
                )
            }
            Caveat::Substituted(Substitution { framework, flag, substitute, reason }) => {
                let name = framework_name(framework);
                match substitute {
                    Some(substitute) => write!(f, "{name}: `{flag}` was passed as `{substitute}`: {reason}"),
                    None => write!(f, "{name}: `{flag}` was removed: {reason}"),
                }
            }
            Caveat::Excluded { frameworks } => write!(f, "Left out by the user: {}.", names(frameworks)),
            Caveat::MeasuredOnce { scenarios } if scenarios.is_empty() => {
                f.write_str("Measured once: every figure is one measurement, so there are no intervals.")
            }
            Caveat::MeasuredOnce { scenarios } => write!(
                f,
                "Measured once in {}: a leading figure there is one measurement, so there is no interval.",
                scenarios.join(", ")
            ),
            Caveat::RepeatsDisagree { candidate_id, scenario, how } => {
                write!(f, "Repeats disagree: {candidate_id} in {scenario} {how}.")
            }
            Caveat::MachineChanged { baselines } => write!(
                f,
                "The machine changed while it measured: {}. Differences of that size may be the machine's.",
                baselines.join("; ")
            ),
            Caveat::Preference(Preference::Tokens) => {
                f.write_str("Output-token throughput decides before request throughput.")
            }
            Caveat::Preference(Preference::Requests) => {
                f.write_str("Request throughput decides before output-token throughput.")
            }
            Caveat::Doubtful { rows } => {
                write!(f, "{}: the reasons are in the rows.", count(*rows, "doubtful measurement"))
            }
            Caveat::Invalid { rows } => {
                write!(f, "{}: shown, and never a winner.", count(*rows, "invalid measurement"))
            }
            Caveat::NotRecomputed { rows } => write!(
                f,
                "{} without the limits or figures to check: the SLA verdict is their own, not recomputed.",
                count(*rows, "row")
            ),
            Caveat::UnknownValidity { rows } => write!(
                f,
                "{} from other tools: whether the measurement can be trusted is unknown, and metric definitions may \
                 differ.",
                count(*rows, "row")
            ),
            Caveat::Definitions { tool, definitions } => {
                let meanings: Vec<_> =
                    definitions.iter().map(|(figure, meaning)| format!("{figure}: {meaning}")).collect();
                write!(f, "Measured by {tool}, which means by {}.", meanings.join("; by "))
            }
            Caveat::Unequal { what, values } => {
                write!(f, "Not equal over the rows: {what} ({}).", values.join(", "))
            }
            Caveat::LeftOut { rows, shown } => write!(
                f,
                "{} rows were ranked; tables, charts, counts in caveats and the proof of fairness are made from {shown} of \
                 them, the best and the first ones. The CSV holds all.",
                rows + shown
            ),
            Caveat::Note { text } => f.write_str(text),
        }
    }
}

fn names(frameworks: &[String]) -> String {
    frameworks.iter().map(|id| framework_name(id)).collect::<Vec<_>>().join(", ")
}

fn count(n: u64, what: &str) -> String {
    if n == 1 { format!("1 {what}") } else { format!("{n} {what}s") }
}

fn flow_check(f: &mut fmt::Formatter<'_>, num_prompts: Option<u64>, eager_flags: &[String]) -> fmt::Result {
    match num_prompts.filter(|n| *n <= u64::from(FLOW_CHECK_MAX_PROMPTS)) {
        Some(n) => write!(
            f,
            "Flow check: {n} requests per measurement show that everything works, not which candidate is best; there is \
             no winner."
        )?,
        None => f.write_str(
            "Flow check: the run shows that everything works, not which candidate is best; there is no winner.",
        )?,
    }
    if eager_flags.is_empty() {
        return Ok(());
    }
    write!(
        f,
        " Servers ran without CUDA graphs ({}); where that is how they will be deployed, set search.eager_serving.",
        eager_flags.join(", ")
    )
}
