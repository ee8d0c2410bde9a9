//! The second pass: which candidates are measured again, what stands for a candidate that was, how sure the difference
//! between two of them is, and whether the machine stayed the same meanwhile.
//!
//! The first pass measures every candidate once, and the best of many single measurements is among other things the
//! luckiest. The second pass launches the baseline and the best two of each framework again, several times in
//! alternating order; its figures are never mixed with those by which the candidates were chosen.

mod choice;
mod difference;
mod finalists;
mod runs;
mod steadiness;

use serde::{Deserialize, Serialize};

use crate::bootstrap::Interval;

pub use choice::{Choice, EndedMeasurement, choose};
pub use difference::{Difference, Verdict};
pub use finalists::{FINALISTS, finalists};
pub use runs::fold_runs;
pub use steadiness::Steadiness;

/// Seeds every bootstrap here, so that stored figures give the same interval for ever.
const SEED: u64 = 0;

/// Which measurement of one load it is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Repeat {
    /// 0 in the first pass, from 1 on in the second.
    pub number: u32,
    /// Repeats of the second pass; 0 where the run has none.
    pub of: u32,
}

impl Repeat {
    /// The pass and the repeat, for example `pass 2, repeat 1 of 3`; `None` in a run that has no second pass.
    pub fn words(self) -> Option<String> {
        match self {
            Repeat { of: 0, .. } => None,
            Repeat { number: 0, .. } => Some("pass 1".to_owned()),
            Repeat { number, of } => Some(format!("pass 2, repeat {number} of {of}")),
        }
    }

    /// What is measured, with the pass where there are two: `chat at 4 req/s (pass 2, repeat 1 of 3)`.
    pub fn appended_to(self, what: &str) -> String {
        self.words().map_or_else(|| what.to_owned(), |words| format!("{what} ({words})"))
    }
}

/// The measurements of one candidate, scenario and load in both passes.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Repeats {
    /// All of them by [`RepeatFigures::repeat`], which is their order in time.
    pub figures: Vec<RepeatFigures>,
    /// Where the request throughput would lie if as many repeats were measured again, requests per second.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request_throughput_interval: Option<Interval>,
}

/// What one of the measurements gave. Times are ms, throughputs per second; what was not measured is absent.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct RepeatFigures {
    /// 0 in the first pass, from 1 on in the second.
    pub repeat: u32,
    /// Whether it is one of those in whose middle the row's figures are.
    pub counts: bool,
    /// The measurement.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub measurement_id: Option<String>,
    /// Whether it held the SLA; absent where nothing was measured.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sla_passed: Option<bool>,
    /// Why it does not say anything of the candidate (it is invalid), or why nothing was measured.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure_reason: Option<String>,
    /// Completed requests per second.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub request_throughput: Option<f64>,
    /// Output tokens per second.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output_token_throughput: Option<f64>,
    /// Median TTFT from the sending of the request.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub p50_ttft_ms: Option<f64>,
    /// Median TPOT.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub p50_tpot_ms: Option<f64>,
    /// Median end-to-end latency.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub p50_e2e_ms: Option<f64>,
}

impl Repeats {
    /// The repeats that stand behind the row's figures.
    pub fn counted(&self) -> impl Iterator<Item = &RepeatFigures> {
        self.figures.iter().filter(|figures| figures.repeat > 0 && figures.counts)
    }

    /// Why the repeats do not agree about the candidate, in words; `None` where they do.
    pub fn disagreement(&self) -> Option<String> {
        let second: Vec<_> = self.figures.iter().filter(|figures| figures.repeat > 0).collect();
        let count = |matches: fn(&RepeatFigures) -> bool| second.iter().filter(|figures| matches(figures)).count();
        let held = count(|figures| figures.sla_passed == Some(true) && figures.failure_reason.is_none());
        let failed = count(|figures| figures.failure_reason.is_some());
        if second.is_empty() || held == second.len() || held == 0 && failed == 0 {
            return None;
        }
        let mut text = format!("held the SLA in {held} of {} repeats", second.len());
        if let Some(reason) = second.iter().find_map(|figures| figures.failure_reason.as_deref()) {
            text += &format!(", and {failed} gave no figures ({reason})");
        }
        Some(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn repeat(repeat: u32, sla_passed: Option<bool>, failure_reason: Option<&str>) -> RepeatFigures {
        let failure_reason = failure_reason.map(str::to_owned);
        RepeatFigures { repeat, sla_passed, failure_reason, ..RepeatFigures::default() }
    }

    #[test]
    fn repeats_that_do_not_agree_say_so() {
        let said = |figures: Vec<RepeatFigures>| Repeats { figures, ..Repeats::default() }.disagreement();
        let (held, missed) = (Some(true), Some(false));
        assert_eq!(said(vec![repeat(0, missed, None), repeat(1, held, None), repeat(2, held, None)]), None);
        assert_eq!(said(vec![repeat(1, missed, None), repeat(2, missed, None)]), None, "they agree");
        assert_eq!(
            said(vec![repeat(1, held, None), repeat(2, missed, None)]).as_deref(),
            Some("held the SLA in 1 of 2 repeats")
        );
        let failed = said(vec![repeat(1, held, None), repeat(2, held, None), repeat(3, None, Some("out of memory"))]);
        assert_eq!(failed.as_deref(), Some("held the SLA in 2 of 3 repeats, and 1 gave no figures (out of memory)"));
        assert_eq!(said(vec![repeat(0, held, None)]), None, "there was no second pass");
    }

    #[test]
    fn a_run_without_a_second_pass_says_nothing_of_passes() {
        assert_eq!(Repeat { number: 0, of: 0 }.appended_to("chat"), "chat");
        assert_eq!(Repeat { number: 0, of: 3 }.appended_to("chat"), "chat (pass 1)");
        assert_eq!(Repeat { number: 2, of: 3 }.appended_to("chat"), "chat (pass 2, repeat 2 of 3)");
    }
}
