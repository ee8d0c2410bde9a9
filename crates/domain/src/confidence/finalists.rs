//! Which candidates the second pass measures again.

use std::collections::BTreeSet;

use crate::load::LoadMode;
use crate::ranking::{Preference, in_mode, rank};
use crate::row::ResultRow;

/// How many of the best of each framework are measured again, besides its baseline.
pub const FINALISTS: usize = 2;

/// The rows of the first pass whose measurements are repeated, in the order in which they came: in every scenario the
/// best [`FINALISTS`] of each framework that may be selected, and its baseline where it was measured. A framework that
/// has none to select in a scenario is not measured again there, and neither is a flow check.
pub fn finalists(rows: &[ResultRow], mode: LoadMode) -> Vec<usize> {
    let eligible = |row: &ResultRow| in_mode(row, Some(mode)) && row.is_sound() && row.is_measured();
    let competing: Vec<usize> = rank(rows, Preference::default())
        .into_iter()
        .filter(|&i| eligible(&rows[i]) && !rows[i].is_flow_check())
        .collect();
    let places: BTreeSet<_> = competing
        .iter()
        .filter(|&&i| rows[i].is_selectable())
        .map(|&i| (rows[i].framework.as_str(), rows[i].scenario()))
        .collect();
    let mut chosen = BTreeSet::new();
    for (framework, scenario) in places {
        let here = || competing.iter().filter(|&&i| rows[i].framework == framework && rows[i].scenario() == scenario);
        chosen.extend(here().filter(|&&i| rows[i].is_selectable()).take(FINALISTS));
        chosen.extend(here().filter(|&&i| rows[i].is_baseline()));
    }
    chosen.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn row(framework: &str, id: &str, scenario: &str, rps: f64, ttft_ms: f64) -> ResultRow {
        serde_json::from_value(json!({
            "framework": framework, "candidate_id": format!("{framework}-{id}"), "status": "ok",
            "workload": {"scenario": scenario, "num_prompts": 80},
            "sla": {"max_p50_ttft_ms": 500},
            "metrics": {"request_throughput": rps, "p50_ttft_ms": ttft_ms},
            "podium": {"baseline": id == "base", "load_mode": "concurrency", "validity": {"verdict": "valid"}},
        }))
        .unwrap()
    }

    #[test]
    fn the_baseline_and_the_best_two_of_each_framework_are_measured_again() {
        let rows = [
            row("sglang", "base", "chat", 1.0, 100.0),
            row("sglang", "a", "chat", 3.0, 100.0),
            row("sglang", "b", "chat", 4.0, 100.0),
            row("sglang", "c", "chat", 2.0, 100.0),
            row("vllm", "base", "chat", 9.0, 100.0),
            row("vllm", "a", "chat", 8.0, 100.0),
            row("vllm", "b", "chat", 99.0, 900.0),
        ];
        assert_eq!(finalists(&rows, LoadMode::Concurrency), [0, 1, 2, 4, 5]);
        assert_eq!(finalists(&rows, LoadMode::Burst), Vec::<usize>::new());
    }

    #[test]
    fn a_baseline_that_misses_the_limits_is_repeated_where_another_candidate_holds_them() {
        let mut rows = [row("vllm", "base", "chat", 9.0, 900.0), row("vllm", "a", "chat", 8.0, 100.0)];
        assert_eq!(finalists(&rows, LoadMode::Concurrency), [0, 1]);
        rows[1].metrics.p50_ttft_ms = Some(900.0);
        assert_eq!(finalists(&rows, LoadMode::Concurrency), Vec::<usize>::new());
    }

    #[test]
    fn flow_checks_and_failures_are_not_repeated() {
        let mut rows = [row("vllm", "base", "chat", 9.0, 100.0), row("vllm", "a", "chat", 8.0, 100.0)];
        rows[0].status = crate::row::RowStatus::Oom;
        assert_eq!(finalists(&rows, LoadMode::Concurrency), [1]);
        rows[1].podium.as_mut().unwrap().flow_check = true;
        assert_eq!(finalists(&rows, LoadMode::Concurrency), Vec::<usize>::new());
    }
}
