use serde_json::{Value, json};

use super::*;

/// Two frameworks under conditions of which everything is known and equal.
fn fair() -> Vec<Value> {
    let of = |framework: &str, version: &str, image: &str| {
        json!({
            "framework": framework, "candidate_id": format!("{framework}-base"), "status": "ok", "model": "org/model",
            "framework_version": version,
            "hardware": {"gpu_model": "H100", "gpu_count": 4},
            "workload": {"kind": "random", "scenario": "chat", "endpoint": "/v1/completions"},
            "metrics": {"request_throughput": 2.0},
            "cache": {"prefix_cache_hit_rate": 0.01},
            "podium": {"conditions": {
                "prompt_set": {"key": "chat/rate-8/0", "sha256": "ab".repeat(32), "fresh": true,
                               "checked_answers": 80, "wrong_answers": 0},
                "prompt_tokens_mean": 1000.0, "dtype": "bf16", "weights": "/srv/models/org-model",
                "image": image, "own_server": true, "sampling": "defaults: temperature=0",
            }},
        })
    };
    vec![of("sglang", "0.5.6", "sha256:11"), of("sglang", "0.5.6", "sha256:11"), of("vllm", "0.19.0", "sha256:22")]
}

fn proved(rows: &[Value]) -> Vec<Line> {
    let rows: Vec<ResultRow> = rows.iter().map(|row| serde_json::from_value(row.clone()).unwrap()).collect();
    prove(&rows)
}

fn line(rows: &[Value], check: Check) -> Line {
    proved(rows).into_iter().find(|line| line.check == check).unwrap()
}

/// For each check, the place of its fact and a value that makes it false in the second row.
fn fact(check: Check) -> (&'static str, Value) {
    match check {
        Check::PromptSet => ("/podium/conditions/prompt_set/sha256", json!("cd".repeat(32))),
        Check::PromptTokens => ("/podium/conditions/prompt_tokens_mean", json!(1040.0)),
        Check::OutputLengths => ("/podium/conditions/prompt_set/wrong_answers", json!(4)),
        Check::Endpoint => ("/workload/endpoint", json!("/v1/chat/completions")),
        Check::Hardware => ("/hardware/gpu_count", json!(8)),
        Check::Precision => ("/podium/conditions/dtype", json!("fp8")),
        Check::Weights => ("/podium/conditions/weights", json!("/srv/models/other")),
        Check::Tokenizer => ("/podium/conditions/tokenizer", json!("org/other-tokenizer")),
        Check::Versions => ("/framework_version", json!("0.4.0")),
        Check::Images => ("/podium/conditions/image", json!("sha256:33")),
        Check::ColdCache => ("/cache/prefix_cache_hit_rate", json!(0.6)),
        Check::Sampling => ("/podium/conditions/sampling", json!("temperature=1")),
    }
}

/// The places that hold a check's fact: without them it is missing.
fn places(check: Check) -> &'static [&'static str] {
    match check {
        Check::PromptSet | Check::OutputLengths => &["/podium/conditions/prompt_set"],
        Check::PromptTokens => &["/podium/conditions/prompt_tokens_mean"],
        Check::Endpoint => &["/workload/endpoint"],
        Check::Hardware => &["/hardware/gpu_model"],
        Check::Precision => &["/podium/conditions/dtype"],
        Check::Weights | Check::Tokenizer => &["/podium/conditions/weights"],
        Check::Versions => &["/framework_version"],
        Check::Images => &["/podium/conditions/image"],
        Check::ColdCache => &["/cache/prefix_cache_hit_rate", "/podium/conditions/own_server"],
        Check::Sampling => &["/podium/conditions/sampling"],
    }
}

fn remove(row: &mut Value, place: &str) {
    let (parent, key) = place.rsplit_once('/').unwrap();
    row.pointer_mut(parent).unwrap().as_object_mut().unwrap().remove(key).unwrap();
}

#[test]
fn the_list_of_checks_is_complete_and_every_line_is_told_once() {
    // A new check does not compile in `fact` and `places` without a case, nor here without a place in `ALL`.
    let told: Vec<_> = proved(&fair()).into_iter().map(|line| line.check).collect();
    assert_eq!(told, Check::ALL);
    let mut sorted = Check::ALL;
    sorted.sort();
    assert_eq!(sorted, Check::ALL, "in the order of the enum");
    assert_eq!(Check::ALL.last().map(|last| *last as usize + 1), Some(Check::ALL.len()), "the last one is in it");
}

#[test]
fn what_is_known_and_equal_passes() {
    for line in proved(&fair()) {
        assert_eq!(line.finding, Finding::Pass, "{line:?}");
        assert!(!line.evidence.is_empty(), "{line:?}");
    }
}

#[test]
fn a_fact_that_is_false_fails_its_line() {
    for check in Check::ALL {
        let (place, value) = fact(check);
        let mut rows = fair();
        let (parent, key) = place.rsplit_once('/').unwrap();
        rows[1].pointer_mut(parent).unwrap()[key] = value;
        let line = line(&rows, check);
        assert_eq!(line.finding, Finding::Fail, "{line:?}");
        assert!(!line.evidence.is_empty());
    }
}

#[test]
fn a_fact_that_is_missing_makes_its_line_unknown() {
    for check in Check::ALL {
        for everywhere in [false, true] {
            let mut rows = fair();
            let until = if everywhere { rows.len() } else { 1 };
            for row in &mut rows[..until] {
                places(check).iter().for_each(|place| remove(row, place));
            }
            let line = line(&rows, check);
            assert_eq!(line.finding, Finding::Unknown, "{line:?}");
        }
    }
}

#[test]
fn rows_of_other_tools_are_unknown_and_nothing_measured_proves_nothing() {
    let foreign = |framework: &str| {
        json!({"framework": framework, "candidate_id": framework, "status": "ok", "model": "org/m",
               "metrics": {"request_throughput": 1.0}, "normalization": {"same_tokenizer": true}})
    };
    let lines = proved(&[foreign("vllm"), foreign("sglang")]);
    assert!(lines.iter().all(|line| line.finding == Finding::Unknown), "{lines:?}");
    let tokenizer = lines.iter().find(|line| line.check == Check::Tokenizer).unwrap();
    assert!(tokenizer.evidence.ends_with("2 of 2 rows say so without evidence"), "{tokenizer:?}");
    assert!(proved(&[]).iter().all(|line| line.finding == Finding::Unknown));
}

#[test]
fn a_row_that_denies_it_is_believed() {
    let denials = [
        (Check::Hardware, "same_gpu_count"),
        (Check::Weights, "same_model_weights"),
        (Check::Tokenizer, "same_tokenizer"),
        (Check::Endpoint, "same_endpoint"),
    ];
    for (check, key) in denials {
        let mut rows = fair();
        rows[2]["normalization"] = json!({ key: false });
        assert_eq!(line(&rows, check).finding, Finding::Fail, "{key}");
    }
}

#[test]
fn prompts_of_different_loads_prove_nothing_about_each_other() {
    let mut rows = fair();
    rows[2]["podium"]["conditions"]["prompt_set"]["key"] = json!("chat/rate-4/0");
    rows[2]["podium"]["conditions"]["prompt_set"]["sha256"] = json!("cd".repeat(32));
    let line = line(&rows, Check::PromptSet);
    assert_eq!(line.finding, Finding::Unknown, "{line:?}");
}

#[test]
fn a_server_that_served_another_candidate_is_warm_for_prompts_that_come_again() {
    let mut rows = fair();
    rows[0]["podium"]["conditions"]["own_server"] = json!(false);
    assert_eq!(line(&rows, Check::ColdCache).finding, Finding::Pass, "nothing was cached and no prompt came twice");
    rows[0]["podium"]["conditions"]["prompt_set"]["fresh"] = json!(false);
    rows[0]["workload"]["kind"] = json!("jsonl");
    assert_eq!(line(&rows, Check::ColdCache).finding, Finding::Fail);
}

#[test]
fn a_cache_that_the_plan_means_to_fill_is_no_failure() {
    let mut rows = fair();
    for row in &mut rows {
        row["cache"]["prefix_cache_hit_rate"] = json!(0.6);
        row["podium"]["conditions"]["prompt_set"]["fresh"] = json!(false);
    }
    assert_eq!(line(&rows, Check::ColdCache).finding, Finding::Unknown, "shared beginnings are cached, as asked");
    rows[1]["podium"]["conditions"]["prompt_set"]["fresh"] = json!(true);
    assert_eq!(line(&rows, Check::ColdCache).finding, Finding::Fail);
}

#[test]
fn evidence_names_weights_and_not_where_they_are() {
    let mut rows = fair();
    rows[0]["podium"]["conditions"]["weights"] = json!("/home/somebody/my models/org-model");
    for line in proved(&rows) {
        assert!(!line.evidence.contains("/srv") && !line.evidence.contains("somebody"), "{line:?}");
    }
    let weights = line(&rows, Check::Weights);
    assert_eq!(weights.finding, Finding::Fail);
    assert_eq!(weights.evidence, "org-model (SGLang, vLLM), from different places");
}

#[test]
fn normalization_says_what_was_proved_and_keeps_what_a_row_says() {
    let mut rows: Vec<ResultRow> = fair().into_iter().map(|row| serde_json::from_value(row).unwrap()).collect();
    rows[1].hardware.gpu_count = Some(8);
    rows[2].normalization.same_gpu_count = Some(true);
    rows[2].podium = None;
    let lines = prove(&rows);
    rows.iter_mut().for_each(|row| fill_normalization(&lines, row));
    assert_eq!(rows[0].normalization.same_gpu_count, Some(false));
    assert_eq!(rows[2].normalization.same_gpu_count, Some(true), "its own word stays");
    assert_eq!(rows[0].normalization.same_endpoint, Some(true));
    assert_eq!(rows[0].normalization.same_model_weights, None, "one row does not say which");
}
