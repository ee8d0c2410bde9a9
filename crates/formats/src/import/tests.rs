use std::fs;

use podium_domain::load::LoadMode;
use podium_domain::row::RowStatus;
use podium_domain::validity::Validity;
use serde_json::json;

use super::*;
use crate::rows;
use crate::test_support::shared_dir;

fn options() -> ImportOptions {
    ImportOptions { framework: "vllm".to_owned(), ..ImportOptions::default() }
}

fn one(document: &Value) -> ResultRow {
    let mut rows = import(document.to_string().as_bytes(), &options()).unwrap();
    assert_eq!(rows.len(), 1);
    rows.remove(0)
}

fn near(value: Option<f64>, expected: f64) {
    let value = value.unwrap_or(f64::NAN);
    assert!((value - expected).abs() < 1e-6 * expected.abs().max(1.0), "{value} is not {expected}");
}

fn imported(row: &ResultRow) -> podium_domain::row::Imported {
    row.podium.as_ref().unwrap().imported.clone().unwrap()
}

/// Four requests of vLLM's client, one of which failed. Seconds.
fn vllm_detailed() -> Value {
    json!({
        "date": "20260101-000000", "endpoint_type": "openai", "backend": "openai", "label": null, "model_id": "org/m",
        "num_prompts": 4, "request_rate": 2.0, "max_concurrency": 8, "duration": 2.0, "completed": 3, "failed": 1,
        "request_throughput": 1.5, "output_throughput": 4.0, "total_token_throughput": 40.0,
        "mean_ttft_ms": 1.0, "median_ttft_ms": 1.0, "p99_ttft_ms": 1.0, "mean_tpot_ms": 1.0, "median_tpot_ms": 1.0,
        "input_lens": [10, 10, 10, 10], "output_lens": [3, 3, 1, 0],
        "ttfts": [0.1, 0.2, 0.3, 0.0], "itls": [[0.02, 0.04], [0.06], [], []],
        "latencies": [0.16, 0.26, 0.3, 0.0], "queue_times": [0.0, 0.5, 0.0, 0.0], "errors": ["", "", "", "refused"],
    })
}

#[test]
fn per_request_data_are_computed_again_by_our_definitions() {
    let row = one(&vllm_detailed());
    assert_eq!((row.status.clone(), row.model.as_deref()), (RowStatus::Ok, Some("org/m")));
    assert_eq!((row.scenario(), row.candidate_id.as_str()), ("default", "vllm-imported"));
    let metrics = &row.metrics;
    near(metrics.p50_ttft_ms, 200.0);
    near(metrics.mean_ttft_ms, 200.0);
    near(metrics.p99_ttft_ms, 298.0);
    // 60 ms over two tokens twice, however many events they came in; one token has no TPOT.
    near(metrics.p50_tpot_ms, 30.0);
    near(metrics.p99_tpot_ms, 30.0);
    near(metrics.p50_e2e_ms, 260.0);
    near(metrics.success_rate, 0.75);
    near(metrics.request_throughput, 1.5);
    near(metrics.output_token_throughput, 3.5);
    near(metrics.total_token_throughput, 18.5);
    let podium = row.podium.as_ref().unwrap();
    near(podium.p50_user_ttft_ms, 300.0);
    assert_eq!(podium.load_mode, Some(LoadMode::Rate));
    assert_eq!(
        (row.workload.input_len, row.workload.output_len, row.workload.output_len_p50),
        (Some(10), None, Some(3.0))
    );
    let origin = imported(&row);
    assert_eq!((origin.tool.as_str(), origin.samples), ("vllm bench serve", 4));
    assert_eq!(origin.recomputed, ["ttft", "tpot", "e2e", "success rate", "throughput", "user ttft"]);
    assert!(origin.definitions.iter().any(|(figure, _)| figure == "ttft clock"));
    assert!(podium.flow_check, "four requests");
}

#[test]
fn without_per_request_data_the_tools_own_figures_stand() {
    let mut document = vllm_detailed();
    for key in ["input_lens", "output_lens", "ttfts", "itls", "latencies", "queue_times", "errors"] {
        document.as_object_mut().unwrap().remove(key);
    }
    document["request_rate"] = json!("inf");
    let row = one(&document);
    near(row.metrics.p50_ttft_ms, 1.0);
    near(row.metrics.success_rate, 0.75);
    assert_eq!(row.metrics.p50_e2e_ms, None, "not measured is absent");
    assert_eq!(imported(&row).recomputed, [""; 0]);
    assert_eq!(row.load_mode(), Some(LoadMode::Concurrency));
    assert!(row.sla_verdict().passed && !row.sla_verdict().recomputed);
}

#[test]
fn limits_of_the_user_judge_the_rows() {
    let mut options = options();
    options.limits.max_p50_ttft_ms = Some(250.0);
    let text = vllm_detailed().to_string();
    let row = &import(text.as_bytes(), &options).unwrap()[0];
    assert!(!row.sla_verdict().passed, "the user's TTFT of an open loop counts: 300 ms");
    options.limits.max_p50_ttft_ms = Some(350.0);
    assert!(import(text.as_bytes(), &options).unwrap()[0].is_selectable());
}

/// Every answer came at once, after the whole time had passed.
#[test]
fn a_starved_client_is_recognised_with_and_without_requests() {
    let mut document = vllm_detailed();
    document["output_lens"] = json!([8, 8, 8, 8]);
    document["itls"] = json!([[3e-6, 3e-6, 3e-6], [3e-6], [4e-6], [3e-6]]);
    document["errors"] = json!(["", "", "", ""]);
    document["ttfts"] = json!([0.4, 0.4, 0.4, 0.4]);
    let row = one(&document);
    assert!(matches!(row.validity(), Some(Validity::Invalid(_))), "{:?}", row.validity());
    assert_eq!(row.status, RowStatus::Failed);
    let reason = row.failure_reason.unwrap();
    assert!(reason.contains("client-limited: in 4 of 4 requests"), "{reason}");

    for key in ["ttfts", "itls"] {
        document.as_object_mut().unwrap().remove(key);
    }
    for (key, value) in
        [("median_tpot_ms", 0.003), ("median_ttft_ms", 450.0), ("total_output_tokens", 320.0), ("completed", 20.0)]
    {
        document[key] = json!(value);
    }
    assert!(matches!(one(&document).validity(), Some(Validity::Invalid(_))));
    document["median_tpot_ms"] = json!(3.0);
    assert_eq!(one(&document).validity(), None, "an honest summary stays unjudged");
}

#[test]
fn sglang_rows_know_version_lengths_and_accept_length() {
    let text = r#"{"tag": "chat", "backend": "sglang-oai", "dataset_name": "random", "request_rate": Infinity,
        "max_concurrency": 4, "server_info": {"version": "0.5.9", "served_model_name": "m"}, "duration": 1.0,
        "completed": 100, "request_throughput": 100.0, "output_throughput": 1600.0, "total_throughput": 8000.0,
        "median_ttft_ms": 20.0, "mean_ttft_ms": NaN, "median_e2e_latency_ms": 80.0, "accept_length": 2.5}"#;
    let rows = import(text.replace('\n', " ").as_bytes(), &options()).unwrap();
    let row = &rows[0];
    assert_eq!(row.framework_version.as_deref(), Some("0.5.9"));
    assert_eq!((row.scenario(), row.workload.endpoint.as_deref()), ("chat", Some("/v1/completions")));
    near(row.metrics.p50_e2e_ms, 80.0);
    near(row.metrics.total_token_throughput, 8000.0);
    assert_eq!((row.metrics.mean_ttft_ms, row.metrics.success_rate), (None, None));
    near(row.spec_decode.mean_accept_length, 2.5);
    assert_eq!(row.workload.max_concurrency, Some(4));
    let two = format!("{0}\n{0}\n", text.replace('\n', " "));
    assert_eq!(import(two.as_bytes(), &options()).unwrap().len(), 2, "one result a line");
}

#[test]
fn tensorrt_llm_counts_its_failures_only_with_requests() {
    let mut document = vllm_detailed();
    document["user_throughput"] = json!(12.0);
    document["completed"] = json!(4);
    document["avg_decoded_tokens_per_iter"] = json!({"mean": 0.0});
    let row = one(&document);
    assert_eq!(imported(&row).tool, "tensorrt_llm benchmark_serving");
    near(row.metrics.success_rate, 0.75);
    assert_eq!(row.spec_decode.mean_accept_length, None, "0 is no acceptance length");
    document.as_object_mut().unwrap().remove("ttfts");
    assert_eq!(one(&document).metrics.success_rate, None, "its own count includes failures");
}

#[test]
fn guidellm_gives_a_row_per_benchmark() {
    let figures = |mean: f64, p50: f64| json!({"successful": {"mean": mean, "percentiles": {"p50": p50, "p99": 9.0}}});
    let benchmark = |strategy: Value| {
        json!({
            "config": {"strategy": strategy, "backend": {"model": "m"}}, "duration": 10.0,
            "metrics": {
                "request_totals": {"successful": 90, "errored": 10, "incomplete": 4, "total": 104},
                "requests_per_second": figures(9.0, 8.0), "output_tokens_per_second": figures(900.0, 800.0),
                "tokens_per_second": figures(1000.0, 1.0), "time_to_first_token_ms": figures(50.0, 40.0),
                "inter_token_latency_ms": figures(5.0, 4.0), "time_per_output_token_ms": figures(77.0, 77.0),
                "request_latency": figures(1.5, 1.25),
            },
            "requests": {"successful": [{"prompt_tokens": 10, "output_tokens": 5, "time_to_first_token_ms": 40.0,
                                         "inter_token_latency_ms": 4.0}]},
        })
    };
    let document = json!({"benchmarks": [
        benchmark(json!({"type_": "constant", "rate": 9.0})),
        benchmark(json!({"type_": "concurrent", "streams": 16})),
        benchmark(json!({"type_": "throughput", "max_concurrency": null})),
    ]});
    let rows = import(document.to_string().as_bytes(), &options()).unwrap();
    let modes: Vec<_> = rows.iter().map(|row| row.load_mode().unwrap()).collect();
    assert_eq!(modes, [LoadMode::Rate, LoadMode::Concurrency, LoadMode::Burst]);
    let metrics = &rows[0].metrics;
    near(metrics.p50_tpot_ms, 4.0);
    near(metrics.p50_e2e_ms, 1250.0);
    near(metrics.success_rate, 0.9);
    assert_eq!((rows[0].workload.input_len, rows[0].model.as_deref()), (Some(10), Some("m")));
    let none = import(br#"{"benchmarks": []}"#, &options()).unwrap_err();
    assert!(none.to_string().contains("guidellm"), "{none}");
}

#[test]
fn aiperf_units_are_read() {
    let row = one(&json!({
        "request_throughput": {"unit": "requests/sec", "avg": 13.0},
        "request_latency": {"unit": "sec", "avg": 6.5, "p50": 5.8, "p99": 9.4},
        "time_to_first_token": {"unit": "ms", "avg": 1588.8, "p50": 787.5, "p99": 4119.0},
        "inter_token_latency": {"unit": "ms", "avg": 51.8, "p50": 52.0, "p99": 55.9},
        "output_sequence_length": {"unit": "tokens", "avg": 97, "min": 97, "max": 97, "p50": 97},
        "request_count": {"unit": "requests", "avg": 180.0}, "error_request_count": {"unit": "requests", "avg": 20.0},
        "was_cancelled": true,
        "input_config": {"endpoint": {"model_names": ["org/m"], "type": "chat"}, "loadgen": {"concurrency": 100},
                         "cli_command": "aiperf profile -m org/m"},
    }));
    near(row.metrics.p50_e2e_ms, 5800.0);
    near(row.metrics.p50_tpot_ms, 52.0);
    near(row.metrics.success_rate, 0.9);
    assert_eq!((row.workload.output_len, row.workload.max_concurrency), (Some(97), Some(100)));
    assert_eq!(row.workload.endpoint.as_deref(), Some("/v1/chat/completions"));
    assert!(matches!(row.validity(), Some(Validity::Doubtful(_))));
}

#[test]
fn trials_of_an_auto_benchmark_keep_flags_and_failures() {
    let metrics = json!({"completed": 100, "request_throughput": 4.0, "total_throughput": 1.0, "median_ttft_ms": 9.0});
    let trial = json!({"stage": "base", "candidate_id": 3, "requested_qps": 4.5, "max_concurrency": null,
        "server_flags": {"model_path": "m", "tp_size": 2, "enable_mixed_chunk": true}, "sla_passed": false,
        "metrics": metrics});
    let row = one(&trial);
    assert_eq!(row.candidate_id, "vllm-base-3");
    let command = "python -m sglang.launch_server --model-path m --tp-size 2 --enable-mixed-chunk";
    assert_eq!(row.server_command.as_deref(), Some(command));
    assert_eq!((row.workload.request_rate, row.sla_verdict().passed), (Some(4.5), false));
    let failed = json!({"stage": "base", "candidate_id": 4, "requested_qps": 1, "server_flags": {}, "sla_passed": false,
        "error": "RuntimeError('x')", "diagnosis": "CUDA out of memory"});
    assert_eq!(one(&failed).status, RowStatus::Oom);
}

#[test]
fn runs_of_a_sweep_are_told_apart_by_their_server_flags() {
    let mut first = vllm_detailed();
    first["run_number"] = json!(0);
    first["max_num_seqs"] = json!(64);
    let failure = json!({"run_number": 1, "error_type": "ValueError", "error": "server died",
        "serve_overrides": {"max_num_seqs": 128}, "bench_overrides": {}});
    let rows = import(json!([first, failure]).to_string().as_bytes(), &options()).unwrap();
    let ids: Vec<_> = rows.iter().map(|row| row.candidate_id.as_str()).collect();
    assert_eq!(ids, ["vllm-max-num-seqs-64", "vllm-max-num-seqs-128"]);
    assert_eq!(rows[1].failure_reason.as_deref(), Some("server died"));
    assert_eq!(rows.iter().map(|row| row.run_number()).collect::<Vec<_>>(), [Some(1), Some(2)]);
}

#[test]
fn wrong_files_are_told_what_was_expected() {
    let cases = [
        ("", "the file is empty"),
        ("{\"a\": 1", "this is not JSON"),
        ("[1]", "result 1: a result is one JSON object"),
        ("{\"a\": 1}", "no known tool writes the keys `a`"),
        ("{\"framework\": \"vllm\", \"candidate_id\": \"a\"}", "podium compare"),
        ("{\"metadata\": {\"x_request_id\": \"1\"}}\n{\"a\": 1}", "line 1: this is a single request of AIPerf"),
        ("{}\n{\"b\": ]}", "line 2: this is not JSON"),
    ];
    for (text, expected) in cases {
        let error = import(text.as_bytes(), &options()).unwrap_err().to_string();
        assert!(error.contains(expected), "{text}: {error}");
    }
}

/// A request of AIPerf: milliseconds, of `tokens` tokens.
fn aiperf_request(start_ns: u64, ttft: f64, latency: f64, tokens: u64) -> Value {
    let of = |value: Value, unit: &str| json!({ "value": value, "unit": unit });
    json!({
        "metadata": { "x_request_id": "r", "benchmark_phase": "profiling", "was_cancelled": false,
            "request_start_ns": start_ns, "request_end_ns": start_ns + (latency * 1e6) as u64 },
        "metrics": { "time_to_first_token": of(json!(ttft), "ms"), "request_latency": of(json!(latency), "ms"),
            "input_sequence_length": of(json!(10), "tokens"), "output_sequence_length": of(json!(tokens), "tokens"),
            "inter_chunk_latency": of(json!([20.0, 40.0]), "ms") },
        "error": null,
    })
}

#[test]
fn single_requests_of_aiperf_are_one_measurement() {
    let mut warm_up = aiperf_request(0, 9_000.0, 9_000.0, 1);
    warm_up["metadata"]["benchmark_phase"] = json!("warmup");
    let mut failed = aiperf_request(1_500_000_000, 1.0, 1.0, 1);
    failed["error"] = json!({ "code": 500, "message": "no" });
    let first = aiperf_request(1_000_000_000, 100.0, 160.0, 3);
    // In a unit of its own, and the last to end: at 3 s.
    let mut second = aiperf_request(2_000_000_000, 0.0, 1_000.0, 1);
    second["metrics"]["time_to_first_token"] = json!({ "value": 0.3, "unit": "s" });
    let text = [warm_up, first, second, failed].map(|line| line.to_string()).join("\n");
    let rows = import_file(text.as_bytes(), &options()).unwrap();
    assert_eq!((rows.len(), &rows[0].original), (1, &None));
    let row = &rows[0].row;
    near(row.metrics.p50_ttft_ms, 200.0);
    near(row.metrics.p50_tpot_ms, 30.0);
    near(row.metrics.p50_e2e_ms, 580.0);
    near(row.metrics.success_rate, 2.0 / 3.0);
    near(row.metrics.request_throughput, 1.0);
    near(row.metrics.output_token_throughput, 2.0);
    assert_eq!(row.metrics.extra["p50_chunk_gap_ms"], json!(30.0));
    let origin = imported(row);
    assert_eq!((origin.tool.as_str(), origin.samples), ("aiperf", 3));
    assert!(origin.recomputed.contains(&"tpot".to_owned()), "{origin:?}");
}

#[test]
fn a_file_keeps_the_text_of_each_row() {
    let pretty = serde_json::to_string_pretty(&vllm_detailed()).unwrap().replace("2.0,", "NaN,");
    let rows = import_file(format!("\n{pretty}\n").as_bytes(), &options()).unwrap();
    assert_eq!(rows[0].original.as_deref(), Some(pretty.as_str()));

    let line = r#"{"framework": "vllm",   "candidate_id": "a", "status": "ok"}"#;
    let rows = import_file(format!("\u{feff}{line}\n\n{line}\r\n").as_bytes(), &ImportOptions::default()).unwrap();
    assert_eq!(rows.iter().map(|row| row.original.as_deref()).collect::<Vec<_>>(), [Some(line); 2]);
    assert!(!rows[0].row.is_imported());

    let large = line.replace("ok", &"x".repeat(MAX_ORIGINAL_BYTES));
    assert_eq!(import_file(large.as_bytes(), &options()).unwrap()[0].original, None);
}

#[test]
fn every_wrong_line_of_result_rows_is_told() {
    let good = r#"{"framework": "vllm", "candidate_id": "a"}"#;
    let text = format!("{good}\nnonsense\n{good}\n{{\"framework\": \"vllm\"}}\n");
    let errors = import_file(text.as_bytes(), &options()).unwrap_err();
    let texts: Vec<_> = errors.iter().map(ToString::to_string).collect();
    assert!(texts.len() == 2 && texts[0].starts_with("line 2: ") && texts[1].starts_with("line 4: "), "{texts:?}");
    assert!(texts[1].contains("candidate_id"), "{texts:?}");
}

#[test]
fn a_tool_of_one_framework_says_which_it_is() {
    let text = vllm_detailed().to_string();
    let rows = import_file(text.as_bytes(), &ImportOptions::default()).unwrap();
    assert_eq!((rows[0].row.framework.as_str(), rows[0].row.candidate_id.as_str()), ("vllm", "vllm-imported"));
    let request = aiperf_request(1, 1.0, 2.0, 3).to_string();
    let errors = import_file(request.as_bytes(), &ImportOptions::default()).unwrap_err();
    assert!(errors[0].to_string().contains("say which one was measured"), "{errors:?}");
}

#[test]
fn imported_rows_survive_being_written_and_read() {
    let row = one(&vllm_detailed());
    let mut text = Vec::new();
    rows::write(&mut text, [&row]).unwrap();
    assert_eq!(rows::read(&text[..]).unwrap().rows, [row]);
}

/// Files that real tools wrote, where this machine has them.
#[test]
fn real_files_are_read() {
    let Some(samples) = shared_dir("engines/samples") else { return };
    let read = |path: &str| import(&fs::read(samples.join(path)).unwrap(), &options()).unwrap().remove(0);
    let burst = read("vllm/bench-serve-idle-1.json");
    assert_eq!((imported(&burst).tool.as_str(), burst.load_mode()), ("vllm bench serve", Some(LoadMode::Burst)));
    // The tool's own median agrees: its percentiles interpolate as ours do.
    near(burst.metrics.p50_ttft_ms, 87.996_636_500_065_5);
    near(burst.metrics.p99_ttft_ms, 91.159_513_090_333_35);
    near(burst.metrics.mean_tpot_ms, 4.173_836_140_004_520_5);
    near(burst.metrics.p50_e2e_ms, 151.954_039_999_964_15);
    near(burst.metrics.output_token_throughput, 2_049.270_915_205_526_3);
    assert!(burst.is_sound(), "{:?}", burst.validity());
    let single = read("vllm/bench-serve-idle-c1.json");
    assert_eq!((single.load_mode(), single.validity()), (Some(LoadMode::Concurrency), None));
    near(single.metrics.p50_tpot_ms, 1.845_113_900_011_104_5);

    let starved = read("vllm/bench-serve-starved-client.json");
    assert_eq!(starved.status, RowStatus::Failed);
    assert!(starved.failure_reason.as_ref().unwrap().contains("client-limited: in 20 of 20"), "{starved:?}");

    let sglang = read("sglang/bench_serving-sglang-oai.jsonl");
    assert_eq!(sglang.framework_version.as_deref(), Some("0.5.23"));
    near(sglang.metrics.p50_ttft_ms, 22.232_729_500_046_844);
    near(sglang.metrics.p50_e2e_ms, 82.280_849_000_198_94);
    assert!(sglang.is_sound() && sglang.is_flow_check());
}
