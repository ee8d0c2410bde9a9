use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

fn row(value: Value) -> ResultRow {
    let mut full = json!({"framework": "f", "candidate_id": "c", "status": "ok", "sla": {"passed": true}});
    for (key, item) in value.as_object().unwrap() {
        full[key] = item.clone();
    }
    serde_json::from_value(full).unwrap()
}

fn metrics(value: Value) -> ResultRow {
    row(json!({ "metrics": value }))
}

/// Each pair: the better one first, by the step that is named.
#[test]
fn every_step_decides_in_its_turn() {
    let pairs = [
        ("status", metrics(json!({})), row(json!({"status": "oom", "metrics": {"request_throughput": 9}}))),
        ("sla", metrics(json!({})), row(json!({"sla": {"passed": false}, "metrics": {"request_throughput": 9}}))),
        (
            "request throughput",
            metrics(json!({"request_throughput": 2, "output_token_throughput": 1})),
            metrics(json!({"request_throughput": 1, "output_token_throughput": 9})),
        ),
        (
            "token throughput",
            metrics(json!({"output_token_throughput": 2, "p50_ttft_ms": 9})),
            metrics(json!({"output_token_throughput": 1, "p50_ttft_ms": 1})),
        ),
        (
            "ttft",
            metrics(json!({"p50_ttft_ms": 1, "p50_tpot_ms": 9})),
            metrics(json!({"p50_ttft_ms": 2, "p50_tpot_ms": 1})),
        ),
        ("mean ttft stands in", metrics(json!({"mean_ttft_ms": 1})), metrics(json!({"p50_ttft_ms": 2}))),
        ("no ttft is worst", metrics(json!({"p50_ttft_ms": 1e9})), metrics(json!({}))),
        ("tpot", metrics(json!({"p50_tpot_ms": 1})), metrics(json!({"mean_tpot_ms": 2}))),
        ("gpus", row(json!({"hardware": {"gpu_count": 4}})), row(json!({"hardware": {"gpu_count": 8}}))),
        ("unknown gpus are most", row(json!({"hardware": {"gpu_count": 64}})), row(json!({}))),
        ("a missing throughput is 0", metrics(json!({"request_throughput": 0.1})), metrics(json!({}))),
        (
            "invalid is not ok",
            metrics(json!({})),
            row(
                json!({"podium": {"validity": {"verdict": "invalid", "reasons": []}}, "metrics": {"request_throughput": 9}}),
            ),
        ),
    ];
    for (step, better, worse) in pairs {
        let rows = [worse, better];
        assert_eq!(rank(&rows, Preference::Requests), [1, 0], "{step}");
    }
}

#[test]
fn the_preference_swaps_the_throughputs() {
    let rows = [
        metrics(json!({"request_throughput": 2, "output_token_throughput": 1})),
        metrics(json!({"request_throughput": 1, "output_token_throughput": 2})),
    ];
    assert_eq!(rank(&rows, Preference::Requests), [0, 1]);
    assert_eq!(rank(&rows, Preference::Tokens), [1, 0]);
}

#[test]
fn only_sound_rows_within_the_sla_are_selected() {
    let of = |framework: &str, scenario: &str, status: &str, passed: bool, rps: f64| {
        row(json!({
            "framework": framework, "status": status, "sla": {"passed": passed},
            "workload": {"scenario": scenario}, "metrics": {"request_throughput": rps},
        }))
    };
    let rows = [
        of("vllm", "chat", "ok", false, 9.0),
        of("vllm", "chat", "ok", true, 2.0),
        of("vllm", "chat", "ok", true, 1.0),
        of("sglang", "chat", "ok", true, 3.0),
        of("sglang", "sum", "failed", true, 8.0),
        of("vllm", "sum", "ok", true, 1.0),
    ];
    let order = rank(&rows, Preference::Requests);
    let best: Vec<_> = best_by_framework(&rows, &order).into_iter().map(|b| (b.framework, b.scenario, b.row)).collect();
    let expected = [("sglang", "chat", 3), ("vllm", "chat", 1), ("vllm", "sum", 5)];
    assert_eq!(best, expected.map(|(f, s, i)| (f.to_owned(), s.to_owned(), i)));
    let cross = cross_framework(&rows, &order);
    assert_eq!(cross["chat"], [3, 1]);
    assert_eq!(cross["sum"], [5]);
}

#[test]
fn rows_compete_within_one_load_mode() {
    let rate =
        row(json!({"workload": {"request_rate": 4, "max_concurrency": 8}, "metrics": {"request_throughput": 1}}));
    let closed = row(json!({"workload": {"max_concurrency": 8}, "metrics": {"request_throughput": 9}}));
    let silent = row(json!({"metrics": {"request_throughput": 1}}));
    let rows = [closed, rate, silent];
    let mode = primary_mode(&rows);
    assert_eq!(mode, Some(LoadMode::Rate));
    assert_eq!(rows.iter().map(|row| in_mode(row, mode)).collect::<Vec<_>>(), [false, true, true]);
}

#[test]
fn a_framework_counts_as_searched_beyond_its_baseline_or_with_a_reason() {
    let of = |framework: &str, id: &str, podium: Value| {
        row(json!({"framework": framework, "candidate_id": id, "podium": podium, "metrics": {"request_throughput": 1}}))
    };
    let rows = [
        of("a", "base", json!({"baseline": true})),
        of("a", "x", json!({"baseline": false})),
        of("b", "base", json!({"baseline": true})),
        of("c", "base", json!(null)),
        of("c", "other", json!(null)),
        of("d", "base", json!(null)),
        row(json!({"framework": "e", "candidate_id": "x", "status": "oom", "failure_reason": "CUDA out of memory",
            "podium": {"baseline": false}})),
    ];
    let requested = ["a", "b", "c", "d", "e", "missing", "known"];
    assert_eq!(baseline_only(&rows, requested, |id| id == "known"), ["b", "d", "missing"]);
}

/// Small domains, so that ties are common.
fn any_row() -> impl Strategy<Value = ResultRow> {
    let value = || prop::option::of(prop::sample::select(vec![0.0, 1.0, 2.0]));
    let status = prop::sample::select(vec!["ok", "ok", "ok", "failed", "strange"]);
    (status, prop::option::of(any::<bool>()), value(), value(), value(), value(), value(), prop::option::of(0..3u64))
        .prop_map(|(status, passed, rps, tps, ttft, mean, tpot, gpus)| {
            row(json!({
                "status": status, "sla": {"passed": passed}, "hardware": {"gpu_count": gpus},
                "metrics": {"request_throughput": rps, "output_token_throughput": tps, "p50_ttft_ms": ttft,
                            "mean_ttft_ms": mean, "p50_tpot_ms": tpot},
            }))
        })
}

proptest! {
    #[test]
    fn the_order_is_a_total_preorder(a in any_row(), b in any_row(), c in any_row()) {
        let key = |row| RankKey::of(row, Preference::Requests);
        let (a, b, c) = (key(&a), key(&b), key(&c));
        prop_assert!(a.cmp(&a).is_eq());
        prop_assert_eq!(a.cmp(&b), b.cmp(&a).reverse());
        if a <= b && b <= c {
            prop_assert!(a <= c);
        }
    }

    #[test]
    fn standings_decide_as_their_rows_do(rows in prop::collection::vec(any_row(), 0..30)) {
        let standings: Vec<_> =
            rows.iter().map(|row| Standing::of(row, Preference::Requests, |name| name.into())).collect();
        let keys: Vec<_> = standings.iter().map(|standing| standing.key).collect();
        let order = rank(&rows, Preference::Requests);
        prop_assert_eq!(order_of(&keys), order.clone());
        prop_assert_eq!(best_by_framework(&standings, &order), best_by_framework(&rows, &order));
        prop_assert_eq!(cross_framework(&standings, &order), cross_framework(&rows, &order));
        for (row, standing) in rows.iter().zip(&standings) {
            prop_assert_eq!(row.is_selectable(), standing.is_selectable());
        }
    }

    #[test]
    fn ties_keep_their_order_and_nothing_is_lost(rows in prop::collection::vec(any_row(), 0..30)) {
        let order = rank(&rows, Preference::Requests);
        let mut sorted = order.clone();
        sorted.sort_unstable();
        prop_assert_eq!(sorted, (0..rows.len()).collect::<Vec<_>>());
        for pair in order.windows(2) {
            let [a, b] = [pair[0], pair[1]].map(|i| RankKey::of(&rows[i], Preference::Requests));
            prop_assert!(a < b || (a == b && pair[0] < pair[1]));
        }
    }

    #[test]
    fn a_permutation_changes_nothing_but_the_order_of_ties(
        (rows, shuffled) in prop::collection::vec(any_row(), 0..20)
            .prop_flat_map(|rows| (Just(rows.clone()), Just((0..rows.len()).collect::<Vec<_>>()).prop_shuffle())),
    ) {
        let permuted: Vec<_> = shuffled.iter().map(|&i| rows[i].clone()).collect();
        let keys = |rows: &[ResultRow]| -> Vec<RankKey> {
            rank(rows, Preference::Requests).into_iter().map(|i| RankKey::of(&rows[i], Preference::Requests)).collect()
        };
        prop_assert_eq!(keys(&rows), keys(&permuted));
        // Rows that tie with no other one are in the same places.
        let places = |rows: &[ResultRow], original: &dyn Fn(usize) -> usize| -> Vec<Option<usize>> {
            let key: Vec<_> = rows.iter().map(|row| RankKey::of(row, Preference::Requests)).collect();
            let unique = |i: usize| key.iter().filter(|other| **other == key[i]).count() == 1;
            rank(rows, Preference::Requests).into_iter().map(|i| unique(i).then(|| original(i))).collect()
        };
        prop_assert_eq!(places(&rows, &|i| i), places(&permuted, &|i| shuffled[i]));
    }
}
