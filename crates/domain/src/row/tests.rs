use serde_json::json;

use super::*;
use crate::candidate::Candidate;
use crate::measure::{ClientHealth, Summary};
use crate::plan::*;
use crate::sla::Sla;
use crate::stats::Distribution;
use crate::telemetry::{MeanOf, TelemetrySummary};
use crate::validity::Reason;

fn read(value: Value) -> ResultRow {
    serde_json::from_value(value).unwrap()
}

#[test]
fn unknown_keys_survive_at_every_level() {
    let text = json!({
        "framework": "vllm", "candidate_id": "a", "status": "ok", "x_top": {"deep": [1, null]},
        "hardware": {"gpu_count": 2, "visible_devices": "0,1", "x": 1},
        "workload": {"scenario": "chat", "x": "y"},
        "sla": {"max_p50_ttft_ms": 500.0, "passed": true, "x": false},
        "metrics": {"request_throughput": 4.5, "median_itl_ms": 3},
        "cache": {"x": {}},
        "normalization": {"notes": ["a", "b"]},
        "validated_cli_flags": {"server": ["--a"], "x": 1},
        "artifacts": {"server_log": "a.log", "x": "b"},
        "podium": {"simulated": true, "baseline": false, "flow_check": false, "validity": {"verdict": "valid"}, "x": 2},
    });
    let row = read(text.clone());
    assert_eq!(serde_json::to_value(&row).unwrap(), text);
    assert_eq!(row.metrics.extra["median_itl_ms"], 3);
}

#[test]
fn foreign_rows_are_read_loosely() {
    let row = read(json!({
        "framework": "sglang", "candidate_id": 7, "status": " OK ",
        "launch_command": "python -m sglang.launch_server",
        "hardware": null, "cache": {},
        "workload": {"dataset_name": "sharegpt", "kind": "custom", "num_prompts": "80", "request_rate": "inf"},
        "sla": {"passed": "Yes", "max_p50_ttft_ms": ""},
        "metrics": {"request_throughput": "4.5", "p50_ttft_ms": null, "p99_ttft_ms": "n/a", "success_rate": 1},
    }));
    assert_eq!(row.candidate_id, "7");
    assert_eq!(row.status, RowStatus::Ok);
    assert_eq!(row.scenario(), "sharegpt");
    assert_eq!(row.launch_command(), Some("python -m sglang.launch_server"));
    assert_eq!(row.workload.num_prompts, Some(80));
    assert_eq!(row.workload.request_rate, None);
    assert_eq!(row.metrics.request_throughput, Some(4.5));
    assert_eq!((row.metrics.p50_ttft_ms, row.metrics.p99_ttft_ms), (None, None));
    assert_eq!(row.sla.passed, Some(true));
    let written = serde_json::to_value(&row).unwrap();
    assert!(written["metrics"].get("p50_ttft_ms").is_none(), "never 0: {written}");
    for (passed, expected) in [(json!("1"), true), (json!("TRUE"), true), (json!("no"), false), (json!(0), false)] {
        let row = read(json!({"framework": "f", "candidate_id": "c", "sla": {"passed": passed}}));
        assert_eq!(row.sla.passed, Some(expected), "{passed}");
    }
}

#[test]
fn the_scenario_is_the_first_set_place() {
    let cases = [
        (json!({"scenario": "a", "scenario_name": "b"}), "a"),
        (json!({"scenario": " ", "scenario_name": "b", "kind": "k"}), "b"),
        (json!({"dataset_scenario": "c", "dataset_name": "d"}), "c"),
        (json!({"kind": "k"}), "k"),
        (json!({}), "top"),
    ];
    for (workload, expected) in cases {
        let row = read(json!({"framework": "f", "candidate_id": "c", "workload": workload, "scenario": "top"}));
        assert_eq!(row.scenario(), expected);
    }
    assert_eq!(read(json!({"framework": "f", "candidate_id": "c"})).scenario(), "default");
}

#[test]
fn wrong_values_are_refused() {
    let wrong = [
        json!({"candidate_id": "c"}),
        json!({"framework": "", "candidate_id": "c"}),
        json!({"framework": "f", "candidate_id": "c", "metrics": {"request_throughput": "fast"}}),
        json!({"framework": "f", "candidate_id": "c", "hardware": {"gpu_count": -1}}),
        json!({"framework": "f", "candidate_id": "c", "hardware": {"gpu_count": 1.5}}),
        json!({"framework": "f", "candidate_id": "c", "metrics": [1]}),
    ];
    for value in wrong {
        assert!(serde_json::from_value::<ResultRow>(value.clone()).is_err(), "{value}");
    }
}

#[test]
fn the_sla_verdict_is_recomputed_from_the_figures() {
    let row = |sla: Value, metrics: Value| {
        read(json!({"framework": "f", "candidate_id": "c", "status": "ok", "sla": sla, "metrics": metrics}))
    };
    let cases = [
        (json!({"max_p50_ttft_ms": 500, "passed": true}), json!({"p50_ttft_ms": 501}), false, true),
        (json!({"max_p50_ttft_ms": 500, "passed": false}), json!({"p50_ttft_ms": 500}), true, true),
        (json!({"min_success_rate": 0.99}), json!({"success_rate": 0.98}), false, true),
        (json!({"max_p50_ttft_ms": 500, "passed": true}), json!({}), true, false),
        (json!({"max_p50_ttft_ms": 500}), json!({}), false, false),
        (json!({"passed": true}), json!({"p50_ttft_ms": 1}), true, false),
        (json!({}), json!({"p50_ttft_ms": 1}), false, false),
        (json!({"max_p50_ttft_ms": 9, "max_p50_e2e_ms": 9, "passed": true}), json!({"p50_ttft_ms": 10}), false, true),
    ];
    for (sla, metrics, passed, recomputed) in cases {
        assert_eq!(row(sla.clone(), metrics).sla_verdict(), SlaVerdict { passed, recomputed }, "{sla}");
    }
    let missed = row(
        json!({"max_p50_ttft_ms": 500, "min_success_rate": 0.99}),
        json!({"p50_ttft_ms": 812.4, "success_rate": 0.9}),
    );
    assert_eq!(missed.missed_limits().unwrap(), "p50 TTFT 812 ms, limit 500 ms; success rate 90.0 %, at least 99.0 %");
}

fn plan() -> Plan {
    Plan {
        source_kind: "podium".into(),
        model: Model { name: "org/model".into(), tokenizer: None, precision: None, quantization: None },
        hardware: Hardware { gpu_model: Some("H100".into()), gpu_count: 4, multi_node: false },
        dataset: Dataset {
            kind: "random".into(),
            path: None,
            num_prompts: 80,
            seed: 1,
            scenarios: ["chat", "sum"]
                .map(|name| Scenario { name: name.into(), input_len: Some(1000), output_len: Some(200) })
                .to_vec(),
            shape: Default::default(),
            trace_path: None,
        },
        benchmark: Benchmark {
            endpoint: Endpoint::Completions,
            max_concurrency: vec![Some(32)],
            request_rates: vec![4.0],
            qps: None,
            concurrency_search: None,
            load_matrix: LoadMatrix::FirstCap,
            extra_request_body: Map::new(),
            warmup_requests: 1,
            request_timeout_s: 60.0,
            startup_timeout_s: 60.0,
        },
        sla: Sla { max_p50_ttft_ms: Some(500.0), ..Sla::default() },
        search: Search { tier: 2, max_candidates_per_framework: 4, eager_serving: false, repeats: 1, parallelism: 1 },
        frameworks: Default::default(),
    }
}

fn candidate() -> Candidate {
    Candidate {
        framework: Framework::Vllm,
        candidate_id: "vllm-baseline-00000000".into(),
        flags: Default::default(),
        argv: vec!["vllm".into()],
        command: "vllm serve org/model".into(),
        baseline: true,
    }
}

pub(crate) fn summary(request_throughput: f64, ttft_ms: f64, user_ttft_ms: f64) -> Summary {
    let one = |value: f64| Distribution::of(&mut [value]);
    Summary {
        planned: 80,
        sent: 80,
        completed: 80,
        failed: 0,
        never_sent: 0,
        duration_s: 20.0,
        request_throughput: Some(request_throughput),
        output_token_throughput: Some(request_throughput * 200.0),
        total_token_throughput: None,
        steady_window_s: None,
        steady_request_throughput: Some(4.2),
        steady_output_token_throughput: None,
        goodput_rps: Some(3.9),
        success_rate: Some(1.0),
        input_tokens: Some(80_000),
        output_tokens: Some(16_000),
        cached_input_tokens: Some(20_000),
        input_len: one(1000.0),
        output_len: one(200.0),
        ttft_ms: one(ttft_ms),
        user_ttft_ms: one(user_ttft_ms),
        tpot_ms: None,
        itl_ms: None,
        chunk_gap_ms: None,
        e2e_ms: one(2000.0),
        schedule_lag_ms: None,
        failures: vec![],
        client: ClientHealth::default(),
        client_limited: false,
        validity: Validity::Valid,
        prompt_set: None,
    }
}

fn context<'a>(plan: &'a Plan, candidate: &'a Candidate) -> RowContext<'a> {
    RowContext {
        plan,
        candidate,
        framework_version: Some("0.19.0".into()),
        framework_commit: None,
        hardware: RowHardware::default(),
        simulated: true,
        flow_check: false,
        run_id: Some("run".into()),
        server_command: candidate.command.clone(),
        validated_cli_flags: RowCliFlags::default(),
        artifacts: RowArtifacts::default(),
    }
}

fn taken<'a>(plan: &'a Plan, summary: &'a Summary) -> Taken<'a> {
    Taken {
        scenario: &plan.dataset.scenarios[0],
        load_mode: LoadMode::Rate,
        load_point: LoadPoint::Rate { rate_rps: 4.0, max_concurrency: Some(32) },
        summary,
        measurement_id: Some("m".into()),
        benchmark_command: Some("podium load".into()),
        repeat: 0,
        repeats: None,
        telemetry: None,
    }
}

#[test]
fn telemetry_and_flags_fill_the_optional_blocks() {
    let (plan, mut candidate) = (plan(), candidate());
    candidate.framework = Framework::Vllm;
    candidate.flags = serde_json::from_value(json!({
        "gpu_memory_utilization": 0.9,
        "no_enable_prefix_caching": true,
        "speculative_config": {"method": "ngram", "num_speculative_tokens": 3},
    }))
    .unwrap();
    let summary = Summary { cached_input_tokens: None, ..summary(3.9, 400.0, 480.0) };
    let telemetry = TelemetrySummary {
        prompt_tokens: Some(100.0),
        cached_tokens: Some(40.0),
        kv_cache_tokens: Some(8192.0),
        accept_length: Some(2.5),
        queue: Some(MeanOf { mean_ms: 1.5, n: 80 }),
        ..TelemetrySummary::default()
    };
    let taken = Taken { telemetry: Some(&telemetry), ..taken(&plan, &summary) };
    let row = context(&plan, &candidate).measured(&taken);
    assert_eq!((row.spec_decode.enabled, row.spec_decode.algorithm.as_deref()), (Some(true), Some("ngram")));
    assert_eq!((row.spec_decode.num_draft_tokens, row.spec_decode.mean_accept_length), (Some(3), Some(2.5)));
    assert_eq!(row.spec_decode.acceptance_rate, None, "not read, never 0");
    assert_eq!((row.phase_metrics.queue_ms, row.phase_metrics.pre_scheduler_ms), (Some(1.5), None));
    assert_eq!((row.cache.prefix_cache_enabled, row.cache.prefix_cache_hit_rate), (Some(false), Some(0.4)));
    assert_eq!((row.cache.kv_cache_tokens, row.cache.kv_cache_utilization), (Some(8192.0), None));
    assert_eq!((row.memory.gpu_memory_utilization, row.memory.kv_cache_dtype.as_deref()), (Some(0.9), None));
}

#[test]
fn a_measurement_becomes_a_row() {
    let (plan, candidate) = (plan(), candidate());
    let summary = summary(3.9, 400.0, 480.0);
    let row = context(&plan, &candidate).measured(&taken(&plan, &summary));
    assert_eq!(row.status, RowStatus::Ok);
    assert_eq!(row.hardware.gpu_count, Some(4));
    assert_eq!(row.hardware.gpu_model.as_deref(), Some("H100"));
    assert_eq!(row.metrics.p50_ttft_ms, Some(400.0), "from the sending, as peers write it");
    assert_eq!(row.metrics.p50_tpot_ms, None, "not measured, never 0");
    assert_eq!(row.cache.prefix_cache_hit_rate, Some(0.25));
    assert_eq!(row.workload.request_rate, Some(4.0));
    assert_eq!(row.sla.passed, Some(true));
    assert!(row.is_selectable() && row.is_simulated());
    assert_eq!(row.load_text().unwrap(), "4 req/s, at most 32 in flight");
    let back: ResultRow = serde_json::from_str(&serde_json::to_string(&row).unwrap()).unwrap();
    assert_eq!(back, row);
}

#[test]
fn an_open_loop_is_judged_by_the_users_ttft() {
    let (plan, candidate) = (plan(), candidate());
    let summary = summary(3.9, 400.0, 900.0);
    let mut row = context(&plan, &candidate).measured(&taken(&plan, &summary));
    assert_eq!(row.sla.passed, Some(false));
    row.recompute_sla();
    assert_eq!(row.sla.passed, Some(false), "recomputing reads the same figure");
    let mut closed = taken(&plan, &summary);
    (closed.load_mode, closed.load_point) = (LoadMode::Concurrency, LoadPoint::Concurrency { concurrency: 8 });
    let row = context(&plan, &candidate).measured(&closed);
    assert_eq!((row.sla.passed, row.sla_verdict().passed), (Some(true), true));
}

#[test]
fn an_invalid_measurement_is_exported_as_failed() {
    let (plan, candidate) = (plan(), candidate());
    let mut summary = summary(3.9, 400.0, 400.0);
    let reason = Reason { code: "client_limited".into(), text: "the client used 98 % of its core".into() };
    summary.validity = Validity::Invalid(vec![reason]);
    let row = context(&plan, &candidate).measured(&taken(&plan, &summary));
    assert_eq!(row.status, RowStatus::Failed);
    assert_eq!(row.failure_reason.as_deref(), Some("the measurement is invalid: the client used 98 % of its core"));
    assert!(!row.is_selectable());
}

#[test]
fn a_candidate_that_never_launched_has_a_row_per_scenario() {
    let (plan, candidate) = (plan(), candidate());
    let rows = context(&plan, &candidate).never_launched(CandidateStatus::Oom, "CUDA out of memory");
    assert_eq!(rows.iter().map(ResultRow::scenario).collect::<Vec<_>>(), ["chat", "sum"]);
    for row in &rows {
        assert_eq!(row.status, RowStatus::Oom);
        assert_eq!(row.metrics, RowMetrics::default());
        assert_eq!(row.load_mode(), Some(LoadMode::Rate));
        assert!(!row.is_measured() && !row.is_selectable());
    }
}

#[test]
fn the_best_measurement_is_valid_and_within_the_sla_first() {
    let slow = summary(3.0, 300.0, 300.0);
    let fast = summary(4.0, 300.0, 300.0);
    let quick = summary(4.0, 200.0, 200.0);
    let mut invalid = summary(9.0, 100.0, 100.0);
    invalid.validity = Validity::Invalid(vec![]);
    assert_eq!(best_measurement(&[]), None);
    assert_eq!(best_measurement(&[(&slow, true), (&fast, true), (&quick, true), (&invalid, true)]), Some(2));
    assert_eq!(best_measurement(&[(&slow, true), (&fast, false)]), Some(0));
    assert_eq!(best_measurement(&[(&slow, false), (&fast, false), (&quick, false)]), Some(1), "the first of equals");
    assert_eq!(best_measurement(&[(&invalid, true), (&slow, false)]), Some(1));
    assert_eq!(best_measurement(&[(&invalid, true)]), Some(0));
}

#[test]
fn a_candidate_without_cuda_graphs_is_a_flow_check_unless_the_plan_asks_for_it() {
    let mut plan = plan();
    let mut candidate = candidate();
    let flow_check = |plan: &Plan, candidate: &Candidate| {
        let row = context(plan, candidate).measured(&taken(plan, &summary(1.0, 100.0, 100.0)));
        (row.is_flow_check(), row.podium.unwrap().extra.get("eager_flag").cloned())
    };
    plan.hardware.gpu_count = 1;
    assert_eq!(flow_check(&plan, &candidate), (false, None));
    candidate.flags.insert("enforce_eager".to_owned(), true.into());
    assert_eq!(flow_check(&plan, &candidate), (true, Some("enforce_eager".into())));
    plan.search.eager_serving = true;
    assert_eq!(flow_check(&plan, &candidate), (false, None));
    plan.search.eager_serving = false;
    plan.hardware.gpu_count = 0;
    assert_eq!(flow_check(&plan, &candidate), (false, None), "a processor has no graphs to switch off");
}
