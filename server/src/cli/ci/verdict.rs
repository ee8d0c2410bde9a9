//! Whether a run is slower than an earlier one.

use podium_domain::report::Report;
use podium_domain::row::ResultRow;

/// The comparison of two runs.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Verdict {
    /// The share of throughput that may be lost, from 0 to 1.
    pub(super) max_regression: f64,
    /// One line for each scenario and framework of the earlier run.
    pub(super) lines: Vec<Line>,
}

/// The best candidate of one framework in one scenario, then and now.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Line {
    pub(super) scenario: String,
    /// The framework's name for people.
    pub(super) framework: String,
    /// Requests per second of the earlier run.
    pub(super) before_rps: f64,
    /// Requests per second of this run; `None` where nothing was measured.
    pub(super) now_rps: Option<f64>,
    /// The candidate of this run.
    pub(super) candidate_id: Option<String>,
    /// What is wrong, in words; `None` where the line passes.
    pub(super) failure: Option<String>,
}

impl Line {
    /// The change of throughput as a share: negative where it was lost.
    pub(super) fn change(&self) -> Option<f64> {
        self.now_rps.map(|now| now / self.before_rps - 1.0)
    }
}

impl Verdict {
    /// Compares the best candidates. A framework of the earlier run that has no throughput there is left out: there is
    /// nothing to compare with.
    pub(super) fn of(baseline: &Report, run: &Report, max_regression: f64) -> Self {
        let mut lines = Vec::new();
        for comparison in &baseline.comparisons {
            let mut seen: Vec<&str> = Vec::new();
            for row in baseline.rows_of(&comparison.ranked) {
                if seen.contains(&row.framework.as_str()) {
                    continue;
                }
                let Some(before_rps) = throughput(row) else { continue };
                seen.push(&row.framework);
                lines.push(line(&comparison.scenario, row, before_rps, run, max_regression));
            }
        }
        Self { max_regression, lines }
    }

    /// Whether something was compared, and nothing of it is wrong.
    pub(super) fn passed(&self) -> bool {
        !self.lines.is_empty() && self.lines.iter().all(|line| line.failure.is_none())
    }
}

fn throughput(row: &ResultRow) -> Option<f64> {
    row.metrics.request_throughput.filter(|rps| rps.is_finite() && *rps > 0.0)
}

fn line(scenario: &str, before: &ResultRow, before_rps: f64, run: &Report, max_regression: f64) -> Line {
    let ranked = run.comparison(scenario).map(|comparison| comparison.ranked.as_slice()).unwrap_or_default();
    // The ranking's first is the best.
    let now = run.rows_of(ranked).find(|row| row.framework == before.framework && throughput(row).is_some());
    let now_rps = now.and_then(throughput);
    let failure = match (now, now_rps) {
        (Some(now), Some(rps)) => {
            let lost = 1.0 - rps / before_rps;
            if before.sla.passed == Some(true) && now.sla.passed == Some(false) {
                Some("the latency targets are missed, which the baseline held".to_owned())
            } else if lost > max_regression {
                let limit = max_regression * 100.0;
                Some(format!("{:.1} % of the throughput is lost, and {limit:.1} % may be", lost * 100.0))
            } else {
                None
            }
        }
        _ => Some("nothing was measured in this run".to_owned()),
    };
    Line {
        scenario: scenario.to_owned(),
        framework: before.framework_name().to_owned(),
        before_rps,
        now_rps,
        candidate_id: now.map(|row| row.candidate_id.clone()),
        failure,
    }
}

#[cfg(test)]
pub(super) mod tests {
    use podium_domain::report::ReportInput;
    use serde_json::json;

    use super::*;

    /// A report of rows: framework, requests per second, whether the targets were held.
    pub(in super::super) fn report(rows: &[(&str, f64, bool)]) -> Report {
        let row = |(framework, rps, passed): &(&str, f64, bool)| {
            serde_json::from_value(json!({
                "framework": framework, "candidate_id": format!("{framework}-{rps}"), "status": "ok",
                "workload": {"scenario": "chat"}, "sla": {"passed": passed, "max_p50_ttft_ms": 1000.0},
                "metrics": {"request_throughput": rps, "p50_ttft_ms": if *passed { 100.0 } else { 2000.0 }},
            }))
            .unwrap()
        };
        Report::build(ReportInput { rows: rows.iter().map(row).collect(), ..ReportInput::default() })
    }

    #[test]
    fn the_best_of_each_framework_is_compared_with_its_limit() {
        let baseline = report(&[("vllm", 10.0, true), ("vllm", 8.0, true), ("sglang", 20.0, true)]);
        let run = report(&[("vllm", 9.8, true), ("vllm", 1.0, true), ("sglang", 19.0, true)]);
        let verdict = Verdict::of(&baseline, &run, 0.03);
        let found: Vec<_> =
            verdict.lines.iter().map(|line| (line.framework.as_str(), line.failure.is_some())).collect();
        assert_eq!(found, [("SGLang", true), ("vLLM", false)]);
        assert!(verdict.lines[0].failure.as_deref().unwrap().starts_with("5.0 %"), "{verdict:?}");
        assert!(!verdict.passed());
        assert!(Verdict::of(&baseline, &run, 0.06).passed());
        assert!(Verdict::of(&baseline, &baseline, 0.0).passed());
    }

    #[test]
    fn missed_targets_and_missing_frameworks_fail_whatever_the_limit() {
        let baseline = report(&[("vllm", 10.0, true), ("sglang", 20.0, true)]);
        let run = report(&[("vllm", 30.0, false)]);
        let verdict = Verdict::of(&baseline, &run, 0.99);
        let failures: Vec<_> = verdict.lines.iter().filter_map(|line| line.failure.as_deref()).collect();
        assert_eq!(failures.len(), 2, "{verdict:?}");
        assert!(!Verdict::of(&report(&[]), &run, 0.99).passed(), "nothing was compared");
    }
}
