//! The report's part on repeats: what was measured again, how sure the order is, and whether the machine stayed the same.

use serde::{Deserialize, Serialize};

use super::{Caveat, Report, figure};
use crate::bootstrap::Interval;
use crate::confidence::{Difference, Repeats, Steadiness};
use crate::fairness::Finding;
use crate::ranking::Preference;
use crate::row::ResultRow;

/// What the second pass says.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Confidence {
    /// The rows that were measured again, best first within each scenario.
    pub rows: Vec<RepeatedRow>,
    /// The baselines over time.
    pub steadiness: Vec<Steadiness>,
}

/// A row that was measured again.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RepeatedRow {
    /// The row.
    pub row: usize,
    /// Its neighbour in the ranking of the scenario: the next row that was measured again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<usize>,
    /// How much better it is than that one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub difference: Option<Difference>,
}

/// A repeated row as tables show it.
#[derive(Debug, Clone, PartialEq)]
pub struct RepeatedLine<'a> {
    /// The row.
    pub row: &'a ResultRow,
    /// The request throughputs of its repeats in order of time; one that does not count is in brackets.
    pub repeats: String,
    /// Where the request throughput lies, for example `7.10 to 7.52`.
    pub interval: Option<String>,
    /// Against the next, for example `+4.1 % (95 % interval 2.9 to 5.2 %)`.
    pub difference: Option<String>,
    /// `ahead`, `tie` or `behind`.
    pub verdict: Option<&'static str>,
}

impl Confidence {
    /// `competing` are the rows of the primary load mode, best first. `None` where nothing was measured again.
    pub(super) fn of(
        rows: &[ResultRow],
        scenarios: &[String],
        competing: &[usize],
        preference: Preference,
    ) -> Option<Self> {
        let mut confidence = Confidence::default();
        for scenario in scenarios {
            let repeated = |&i: &usize| rows[i].scenario() == *scenario && rows[i].repeats().is_some();
            let here: Vec<usize> = competing.iter().copied().filter(repeated).collect();
            confidence.rows.extend(here.iter().enumerate().map(|(place, &row)| {
                let next = here.get(place + 1).copied();
                let difference = next.and_then(|next| Difference::between(&rows[row], &rows[next], preference));
                RepeatedRow { row, next, difference }
            }));
            confidence.steadiness.extend(here.iter().filter_map(|&row| Steadiness::of(&rows[row], row)));
        }
        (!confidence.rows.is_empty()).then_some(confidence)
    }

    /// Whether a baseline changed.
    pub fn machine_changed(&self) -> bool {
        self.steadiness.iter().any(|baseline| baseline.finding == Finding::Fail)
    }

    /// What a reader has to know of the repeats.
    pub(super) fn caveats(&self, rows: &[ResultRow]) -> Vec<Caveat> {
        let disagreement = |repeated: &RepeatedRow| {
            let row = rows.get(repeated.row)?;
            Some(Caveat::RepeatsDisagree {
                candidate_id: row.candidate_id.clone(),
                scenario: row.scenario().to_owned(),
                how: row.repeats().and_then(Repeats::disagreement)?,
            })
        };
        let changed: Vec<String> = self
            .steadiness
            .iter()
            .filter(|baseline| baseline.finding == Finding::Fail)
            .filter_map(|baseline| {
                let row = rows.get(baseline.row)?;
                Some(format!("{} baseline in {}: {}", row.framework_name(), row.scenario(), baseline.evidence()))
            })
            .collect();
        let machine = (!changed.is_empty()).then_some(Caveat::MachineChanged { baselines: changed });
        machine.into_iter().chain(self.rows.iter().filter_map(disagreement)).collect()
    }
}

impl Report {
    /// The rows that were measured again, as tables show them.
    pub fn repeated_lines(&self) -> impl Iterator<Item = RepeatedLine<'_>> {
        let rows = self.confidence.iter().flat_map(|confidence| &confidence.rows);
        rows.filter_map(|repeated| {
            let row = self.row(repeated.row)?;
            let repeats = row.repeats()?;
            Some(RepeatedLine {
                row,
                repeats: throughputs(repeats),
                interval: repeats
                    .request_throughput_interval
                    .map(|Interval { low, high }| format!("{} to {}", figure(low), figure(high))),
                difference: repeated
                    .difference
                    .map(|found| format!("{:+.1} % ({})", found.share * 100.0, found.interval_text())),
                verdict: repeated.difference.map(|found| found.verdict.word()),
            })
        })
    }

    /// The baselines over time, each with its row.
    pub fn steadiness(&self) -> impl Iterator<Item = (&ResultRow, &Steadiness)> {
        let baselines = self.confidence.iter().flat_map(|confidence| &confidence.steadiness);
        baselines.filter_map(|baseline| Some((self.row(baseline.row)?, baseline)))
    }
}

fn throughputs(repeats: &Repeats) -> String {
    let second = repeats.figures.iter().filter(|figures| figures.repeat > 0);
    let shown = second.map(|figures| match (figures.request_throughput, figures.counts) {
        (Some(rps), true) => figure(rps),
        (Some(rps), false) => format!("({})", figure(rps)),
        (None, _) => "(failed)".to_owned(),
    });
    shown.collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::confidence::Verdict;
    use crate::report::ReportInput;

    fn row(framework: &str, id: &str, rps: &[f64], tpots_ms: &[f64]) -> ResultRow {
        let figures: Vec<Value> = rps
            .iter()
            .zip(tpots_ms)
            .enumerate()
            .map(|(repeat, (rps, tpot))| {
                json!({"repeat": repeat, "counts": repeat > 0, "sla_passed": true, "request_throughput": rps,
                       "p50_tpot_ms": tpot})
            })
            .collect();
        let mut second = rps[1..].to_vec();
        second.sort_by(f64::total_cmp);
        serde_json::from_value(json!({
            "framework": framework, "candidate_id": format!("{framework}-{id}"), "status": "ok",
            "workload": {"scenario": "chat", "num_prompts": 80},
            "sla": {"max_p50_ttft_ms": 500},
            "metrics": {"request_throughput": second[(second.len() - 1) / 2], "p50_ttft_ms": 100.0},
            "podium": {"baseline": id == "base", "load_mode": "concurrency", "validity": {"verdict": "valid"},
                       "measured_times": second.len(), "repeat": 1, "repeats": {"figures": figures}},
        }))
        .unwrap()
    }

    fn build(rows: Vec<ResultRow>) -> Report {
        Report::build(ReportInput { rows, ..ReportInput::default() })
    }

    const STEADY: [f64; 4] = [10.0, 10.1, 9.9, 10.0];

    #[test]
    fn a_clear_margin_has_its_interval_and_a_small_one_is_a_tie_that_keeps_the_order() {
        let clear = build(vec![
            row("vllm", "base", &[9.0, 9.0, 9.1, 8.9], &STEADY),
            row("vllm", "a", &[12.5, 12.0, 12.1, 11.9], &STEADY),
            row("sglang", "base", &[10.0, 10.0, 10.1, 10.0], &STEADY),
            row("sglang", "a", &[9.0, 9.5, 9.5, 9.5], &STEADY),
        ]);
        let sentence = clear.answers().remove(0);
        assert!(sentence.starts_with("vLLM wins chat by 20.0 % (95 % interval 1"), "{sentence}");
        assert!(sentence.ends_with(" %) over SGLang."), "{sentence}");
        let confidence = clear.confidence.as_ref().unwrap();
        assert_eq!(
            confidence.rows.iter().map(|r| (r.row, r.next)).collect::<Vec<_>>(),
            [(1, Some(2)), (2, Some(3)), (3, Some(0)), (0, None)]
        );
        assert!(!confidence.machine_changed() && confidence.steadiness.len() == 2);
        assert!(clear.caveats.iter().all(|caveat| !matches!(caveat, Caveat::MeasuredOnce { .. })));

        let close = build(vec![
            row("vllm", "base", &[9.0, 10.1, 9.7, 10.2], &STEADY),
            row("sglang", "base", &[9.0, 10.0, 10.4, 9.8], &STEADY),
        ]);
        let margin = close.comparisons[0].answer.margin.clone().unwrap();
        assert!(margin.is_tie() && close.comparisons[0].ranked == [0, 1], "{margin:?}");
        let sentence = close.comparisons[0].answer.sentence("chat");
        assert!(sentence.contains(", a tie with SGLang: 1.0 % ahead, inside the noise (95 % interval -"), "{sentence}");
        let lines: Vec<_> = close.repeated_lines().collect();
        assert_eq!(lines[0].repeats, "10.1, 9.70, 10.2");
        assert_eq!((lines[0].verdict, lines[1].verdict), (Some(Verdict::Tie.word()), None));
    }

    #[test]
    fn a_machine_that_changed_and_repeats_that_disagree_are_told() {
        let mut rows = vec![
            row("vllm", "base", &[9.0, 9.0, 9.0, 9.0], &[10.0, 10.0, 10.0, 13.0]),
            row("sglang", "a", &[8.0, 8.0, 8.0, 8.0], &STEADY),
        ];
        let repeats = rows[1].podium.as_mut().unwrap().repeats.as_mut().unwrap();
        (repeats.figures[2].sla_passed, repeats.figures[2].counts) = (Some(false), false);
        let report = build(rows);
        let texts: Vec<_> = report.caveats.iter().map(ToString::to_string).collect();
        let starts = |start: &str| texts.iter().any(|text| text.starts_with(start));
        assert!(
            starts(
                "The machine changed while it measured: vLLM baseline in chat: p50 TPOT 10.0, 10.0, 10.0, 13.0 ms: +30.0 %."
            ),
            "{texts:#?}"
        );
        assert!(starts("Repeats disagree: sglang-a in chat held the SLA in 2 of 3 repeats."), "{texts:#?}");
        assert!(report.answers()[0].contains("the machine changed meanwhile"), "{:?}", report.answers());
        assert_eq!(report.repeated_lines().nth(1).unwrap().repeats, "8.00, (8.00), 8.00");
    }

    #[test]
    fn a_row_that_was_measured_once_has_no_interval_and_says_so() {
        let mut rows =
            vec![row("vllm", "base", &[9.0, 9.0, 9.0, 9.0], &STEADY), row("sglang", "a", &[8.0, 8.0], &STEADY)];
        rows[1].podium.as_mut().unwrap().repeats = None;
        rows[1].podium.as_mut().unwrap().measured_times = Some(1);
        let report = build(rows);
        let margin = report.comparisons[0].answer.margin.clone().unwrap();
        assert_eq!(margin.difference, None);
        assert!(report.answers()[0].contains("measured once: no interval"), "{:?}", report.answers());
        assert!(report.caveats.contains(&Caveat::MeasuredOnce { scenarios: vec!["chat".into()] }));
    }
}
