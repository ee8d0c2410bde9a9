//! The answer of one scenario: who wins, by how much, and how sure that is.

use serde::{Deserialize, Serialize};

use crate::confidence::{Difference, Verdict};
use crate::ranking::Preference;
use crate::row::framework_name;

/// How far the answer goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AnswerState {
    /// The search is complete and one row is the best.
    Winner,
    /// One row is the best so far; the search is incomplete.
    Leading,
    /// One row is the best of a flow check, which has no winner.
    FlowCheck,
    /// No row may be selected.
    None,
}

/// The answer of one scenario.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Answer {
    /// How far it goes.
    pub state: AnswerState,
    /// The row that wins or leads.
    pub row: Option<usize>,
    /// Its framework's id.
    pub framework: Option<String>,
    /// The distance to the next framework's best row; `None` where no other framework has one.
    pub margin: Option<Margin>,
    /// Which throughput the margin compares.
    pub preference: Preference,
    /// Whether the figures come from single measurements, so that there is no interval.
    pub measured_once: bool,
    /// Whether any row of the scenario is simulated.
    pub simulated: bool,
    /// Whether some are simulated and some are not.
    pub partly_simulated: bool,
    /// Whether the leading row's measurement is doubtful.
    pub doubtful: bool,
    /// Whether the comparison is unfair by the report's own proof.
    #[serde(default)]
    pub unfair: bool,
    /// Whether the machine changed while it measured, by the repeats of the baselines.
    #[serde(default)]
    pub machine_changed: bool,
    /// Whether any row was measured in this scenario at all.
    pub anything_measured: bool,
}

/// How far ahead the best row is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Margin {
    /// How much more throughput it has than the runner-up, percent; `None` where the runner-up has none.
    pub percent: Option<f64>,
    /// The runner-up's framework id.
    pub runner_up: String,
    /// The runner-up's row.
    pub row: usize,
    /// How sure that is, where both were measured again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub difference: Option<Difference>,
}

impl Margin {
    /// Whether the distance is inside the noise.
    pub fn is_tie(&self) -> bool {
        self.difference.is_some_and(|difference| difference.verdict == Verdict::Tie)
    }
}

impl Answer {
    /// The answer as a sentence, for example `vLLM wins chat by 5.7 % (95 % interval 4.6 to 6.9 %) over SGLang.`
    pub fn sentence(&self, scenario: &str) -> String {
        let mut sentence = match (self.simulated, self.partly_simulated) {
            (true, true) => "Partly simulated: ".to_owned(),
            (true, false) => "Simulated: ".to_owned(),
            (false, _) => String::new(),
        };
        let Some(framework) = &self.framework else {
            sentence += &match self.anything_measured {
                true => format!("no candidate holds the SLA in {scenario} with a valid measurement."),
                false => format!("nothing could be measured in {scenario}."),
            };
            return capitalised(sentence);
        };
        let name = framework_name(framework);
        sentence += &match self.state {
            AnswerState::Winner if self.margin.as_ref().is_some_and(Margin::is_tie) => {
                format!("{name} is first in {scenario}")
            }
            AnswerState::Winner => format!("{name} wins {scenario}"),
            _ => format!("{name} is leading in {scenario}"),
        };
        sentence += &self.margin_text();
        let mut remarks = Vec::new();
        match self.state {
            AnswerState::Leading => remarks.push("search incomplete: no winner yet"),
            AnswerState::FlowCheck => remarks.push("flow check: no winner"),
            AnswerState::Winner | AnswerState::None => {}
        }
        if self.unfair {
            remarks.push("unfair comparison");
        }
        if self.doubtful {
            remarks.push("doubtful measurement");
        }
        if self.machine_changed {
            remarks.push("the machine changed meanwhile");
        }
        if self.measured_once {
            remarks.push("measured once: no interval");
        } else if self.margin.as_ref().is_some_and(|margin| margin.difference.is_none()) {
            remarks.push("too few repeats in common: no interval");
        }
        if !remarks.is_empty() {
            sentence += &format!(" ({})", remarks.join("; "));
        }
        sentence.push('.');
        sentence
    }

    fn margin_text(&self) -> String {
        let Some(margin) = &self.margin else {
            return ", the only framework with a selectable candidate".to_owned();
        };
        let other = framework_name(&margin.runner_up);
        let unit = match self.preference {
            Preference::Requests => "",
            Preference::Tokens => " in output tokens per second",
        };
        let interval = margin.difference.map(|difference| difference.interval_text());
        // Only where both throughputs are equal does a later step decide, so a margin is never negative.
        let size = match margin.percent {
            Some(percent) if percent < 99.95 => format!("{percent:.1} %{unit}"),
            Some(percent) => format!("{percent:.0} %{unit}"),
            None => return format!(" ahead of {other}"),
        };
        match (&margin.difference, interval) {
            (Some(Difference { verdict: Verdict::Tie, .. }), Some(interval)) => {
                format!(", a tie with {other}: {size} ahead, inside the noise ({interval})")
            }
            (_, _) if margin.percent.is_some_and(|percent| percent.abs() < 0.05) => {
                format!(" at the same throughput as {other}")
            }
            (_, Some(interval)) => format!(" by {size} ({interval}) over {other}"),
            (_, None) => format!(" by {size} over {other}"),
        }
    }
}

fn capitalised(text: String) -> String {
    let mut chars = text.chars();
    match chars.next() {
        Some(first) => first.to_uppercase().chain(chars).collect(),
        None => text,
    }
}
