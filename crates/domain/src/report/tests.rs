use serde_json::{Value, json};

use super::*;

/// Two frameworks with two candidates each in two scenarios.
fn rows() -> Vec<ResultRow> {
    let of = |framework: &str, id: &str, baseline: bool, scenario: &str, rps: f64, ttft: f64| {
        json!({
            "framework": framework, "candidate_id": format!("{framework}-{id}"), "status": "ok", "model": "org/model",
            "framework_version": "1.0",
            "hardware": {"gpu_model": "H100", "gpu_count": 4},
            "workload": {"kind": "random", "scenario": scenario, "input_len": 1000, "output_len": 200,
                         "num_prompts": 80, "request_rate": 8, "endpoint": "/v1/completions"},
            "sla": {"max_p50_ttft_ms": 500},
            "metrics": {"request_throughput": rps, "p50_ttft_ms": ttft},
            "server_command": "/opt/bin/serve --model /srv/m", "benchmark_command": "podium load",
            "artifacts": {"server_log": "/var/log/x.log"},
            "podium": {"baseline": baseline, "load_mode": "rate", "validity": {"verdict": "valid"}, "measured_times": 1},
        })
    };
    [
        of("sglang", "base", true, "chat", 3.0, 100.0),
        of("sglang", "a", false, "chat", 4.0, 100.0),
        of("vllm", "base", true, "chat", 3.5, 100.0),
        of("vllm", "b", false, "chat", 9.0, 900.0),
        of("sglang", "a", false, "sum", 1.0, 100.0),
        of("vllm", "b", false, "sum", 2.0, 100.0),
    ]
    .map(row)
    .to_vec()
}

fn row(value: Value) -> ResultRow {
    serde_json::from_value(value).unwrap()
}

fn build(rows: Vec<ResultRow>) -> Report {
    Report::build(ReportInput { rows, ..ReportInput::default() })
}

#[test]
fn the_best_rows_are_compared_and_the_rest_is_listed() {
    let report = build(rows());
    let answers = report.answers();
    assert_eq!(answers[0], "SGLang wins chat by 14.3 % over vLLM (measured once: no interval).");
    assert_eq!(answers[1], "vLLM wins sum by 100 % over SGLang (measured once: no interval).");
    assert_eq!(report.comparison("chat").unwrap().ranked, [1, 2]);
    assert_eq!(report.best_by_framework[0].rows, [1, 4]);
    let [missed] = &report.not_selected[..] else { panic!("{:?}", report.not_selected) };
    assert_eq!((missed.row, missed.reason.as_str()), (3, "misses the SLA: p50 TTFT 900 ms, limit 500 ms"));
    assert!(report.has_winner());
    assert_eq!(report.candidates, 4);
}

#[test]
fn imported_rows_say_by_whose_definitions_they_were_measured() {
    let mut rows = rows();
    for row in &mut rows {
        let imported = json!({"tool": "vllm bench serve", "definitions": [["ttft", "to the first event"]]});
        row.podium.as_mut().unwrap().imported = Some(serde_json::from_value(imported).unwrap());
        row.podium.as_mut().unwrap().validity = None;
        row.sla = serde_json::from_value(json!({"passed": true})).unwrap();
    }
    let report = build(rows);
    let texts: Vec<_> = report.caveats.iter().map(ToString::to_string).collect();
    let expected = "Measured by vllm bench serve, which means by ttft: to the first event.";
    assert!(texts.iter().any(|text| text == expected), "{texts:?}");
    assert!(report.caveats.contains(&Caveat::NotRecomputed { rows: 6 }), "their SLA verdict is not ours: {texts:?}");
    assert!(report.caveats.contains(&Caveat::UnknownValidity { rows: 6 }), "{texts:?}");
}

#[test]
fn sglang_gets_a_hand_off_where_it_does_not_win() {
    let report = build(rows());
    let expected = ProfilerHandoff {
        scenario: "sum".into(),
        row: Some(4),
        input: Lengths::Exact { tokens: 1000 },
        output: Lengths::Exact { tokens: 200 },
    };
    assert_eq!(report.profiler_handoffs, [expected]);
}

#[test]
fn an_incomplete_search_and_a_flow_check_have_no_winner() {
    let only_base: Vec<_> = rows().into_iter().filter(|row| row.candidate_id != "vllm-b").collect();
    let leading = build(only_base.clone());
    assert!(!leading.has_winner());
    assert_eq!(
        leading.answers()[0],
        "SGLang is leading in chat by 14.3 % over vLLM (search incomplete: no winner yet; measured once: no interval)."
    );
    assert!(leading.caveats.contains(&Caveat::BaselineOnly { frameworks: vec!["vllm".into()] }));

    let reason = FrameworkSearch {
        framework: "vllm".into(),
        reason: Some("its CLI is not on this host".into()),
        ..FrameworkSearch::default()
    };
    let sglang = FrameworkSearch { framework: "sglang".into(), ..FrameworkSearch::default() };
    let with_reason =
        Report::build(ReportInput { rows: only_base, searches: vec![sglang, reason], ..ReportInput::default() });
    assert!(with_reason.has_winner());

    let interrupted =
        Report::build(ReportInput { rows: rows(), interrupted: Some("cancelled".into()), ..ReportInput::default() });
    assert!(!interrupted.has_winner());

    let mut smoke = rows();
    smoke.iter_mut().for_each(|row| row.workload.num_prompts = Some(20));
    let smoke = build(smoke);
    assert!(smoke.flow_check && !smoke.has_winner());
    assert_eq!(smoke.comparisons[0].answer.state, AnswerState::FlowCheck);
}

#[test]
fn an_invalid_row_never_wins_even_if_it_says_ok() {
    let mut rows = rows();
    rows[5].podium.as_mut().unwrap().validity = Some(crate::validity::Validity::Invalid(vec![]));
    let report = build(rows);
    assert_eq!(report.comparison("sum").unwrap().answer.framework.as_deref(), Some("sglang"));
    assert!(report.not_selected.iter().any(|n| n.row == 5));
    assert!(report.caveats.contains(&Caveat::Invalid { rows: 1 }));
}

#[test]
fn nothing_to_select_is_said() {
    let mut rows = rows();
    rows.iter_mut().for_each(|row| row.sla.max_p50_ttft_ms = Some(1.0));
    let report = build(rows);
    assert_eq!(report.answers()[0], "No candidate holds the SLA in chat with a valid measurement.");
    assert_eq!(report.not_selected.len(), 6);
    assert_eq!(report.best_by_framework[0].without, ["chat", "sum"]);
    assert_eq!(build(vec![]).comparisons, []);
}

#[test]
fn simulated_is_said_in_every_part() {
    let mut rows = rows();
    rows[5].podium.as_mut().unwrap().simulated = true;
    let report = build(rows);
    assert_eq!(report.simulated, ["vllm"]);
    assert!(report.answers()[1].starts_with("Partly simulated: vLLM wins sum"), "{:?}", report.answers());
    assert!(report.answers()[0].starts_with("SGLang wins chat"), "nothing there is simulated");
    assert!(report.versions.iter().any(|v| v.simulated));
    assert!(matches!(&report.caveats[0], Caveat::Simulated { frameworks } if frameworks == &["vllm"]));
}

#[test]
fn other_load_modes_get_tables_of_their_own() {
    let mut rows = rows();
    let mut closed = rows[1].clone();
    closed.metrics.request_throughput = Some(99.0);
    closed.podium.as_mut().unwrap().load_mode = Some(LoadMode::Concurrency);
    rows.push(closed);
    let report = build(rows);
    assert_eq!(report.other_modes, [ModeTable { mode: LoadMode::Concurrency, rows: vec![6] }]);
    assert_eq!(report.comparison("chat").unwrap().ranked, [1, 2], "the primary mode decides");
    assert_eq!(report.order[0], 6, "the order is over all rows");
}

#[test]
fn a_shared_report_holds_no_paths_hosts_or_artifacts() {
    let mut report = build(rows());
    report.hardware.host = Some(HostFacts { name: "gpu-box".into(), facts: vec![("CPU".into(), "x".into())] });
    report.rows[0].failure_reason = Some("gpu-box: cannot open /srv/m".into());
    report.workload.model = Some("/srv/my models/x".into());
    report.rows[0].extra.insert("note".into(), json!({"deep": ["see /home/u/x"]}));
    let redacted = report.redacted().unwrap();
    let text = serde_json::to_string(&redacted).unwrap();
    for secret in ["gpu-box", "/srv", "models/x", "/opt", "/home", "/var"] {
        assert!(!text.contains(secret), "{secret} in {text}");
    }
    assert_eq!(redacted.rows[0].server_command.as_deref(), Some("<path> --model <path>"));
    assert_eq!(redacted.rows[0].workload.endpoint.as_deref(), Some("/v1/completions"));
    assert_eq!(redacted.comparisons, report.comparisons);
}

#[test]
fn a_report_survives_being_stored() {
    let report = build(rows());
    let text = serde_json::to_string(&report).unwrap();
    assert_eq!(serde_json::from_str::<Report>(&text).unwrap(), report);
}

#[test]
fn figures_have_three_significant_digits() {
    let cases = [
        (0.0, "0"),
        (1.0, "1.00"),
        (9.999, "10.0"),
        (99.96, "100"),
        (12.34, "12.3"),
        (0.012345, "0.0123"),
        (123.6, "124"),
        (12345.6, "12346"),
        (-5.678, "-5.68"),
        (999.6, "1000"),
        (f64::NAN, "–"),
    ];
    for (value, expected) in cases {
        assert_eq!(figure(value), expected, "{value}");
    }
}

#[test]
fn where_tokens_matter_more_they_decide_and_the_report_says_so() {
    let mut rows = rows();
    rows[0].metrics.output_token_throughput = Some(300.0);
    rows[2].metrics.output_token_throughput = Some(200.0);
    let report = Report::build(ReportInput { rows, preference: Preference::Tokens, ..ReportInput::default() });
    assert_eq!(report.comparison("chat").unwrap().ranked, [0, 2]);
    assert_eq!(
        report.answers()[0],
        "SGLang wins chat by 50.0 % in output tokens per second over vLLM (measured once: no interval)."
    );
    assert!(report.caveats.contains(&Caveat::Preference(Preference::Tokens)));
}

#[test]
fn what_is_known_around_the_rows_becomes_caveats() {
    let untried =
        UntriedValue { framework: crate::framework::Framework::Vllm, knob: "max_num_seqs".into(), value: json!(512) };
    let search = FrameworkSearch {
        framework: "vllm".into(),
        candidates: 9,
        untried: vec![untried],
        ..FrameworkSearch::default()
    };
    let removed = Substitution {
        framework: "vllm".into(),
        flag: "enable_dbo".into(),
        substitute: None,
        reason: "vLLM 0.19.0 does not know it".into(),
    };
    let mut rows = rows();
    rows[0].hardware.gpu_count = Some(8);
    let report = Report::build(ReportInput {
        rows,
        searches: vec![search],
        excluded: vec!["tokenspeed".into()],
        substitutions: vec![removed],
        notes: vec!["A note.".into()],
        ..ReportInput::default()
    });
    let texts: Vec<_> = report.caveats.iter().map(ToString::to_string).collect();
    for expected in [
        "vLLM: searched values that were never tried: max_num_seqs=512.",
        "vLLM: `enable_dbo` was removed: vLLM 0.19.0 does not know it",
        "Left out by the user: TokenSpeed.",
        "Not equal over the rows: GPU count (4, 8).",
        "A note.",
    ] {
        assert!(texts.iter().any(|text| text == expected), "{expected} in {texts:#?}");
    }
    assert!(texts.iter().any(|text| text.starts_with("Synthetic workload")));
    assert_eq!(report.hardware.gpu_count, None, "the rows differ");
    assert!(report.has_winner(), "values beyond the limit are listed and do not withhold the winner");
}

#[test]
fn a_plan_gives_the_order_the_limits_and_the_flow_check() {
    let mut plan: crate::plan::Plan = serde_json::from_value(json!({
        "source_kind": "podium",
        "model": {"name": "org/model", "tokenizer": "org/tokenizer", "precision": null, "quantization": null},
        "hardware": {"gpu_model": "H100", "gpu_count": 4, "multi_node": false},
        "dataset": {"kind": "random", "path": null, "num_prompts": 80, "seed": 7, "scenarios": [
            {"name": "sum", "input_len": 8000, "output_len": 500},
            {"name": "chat", "input_len": 1000, "output_len": 200},
            {"name": "never-run", "input_len": 10, "output_len": 10},
        ]},
        "benchmark": {"endpoint": "/v1/completions", "max_concurrency": [64], "request_rates": [8.0], "qps": null,
                      "load_matrix": "first_cap", "extra_request_body": {}, "warmup_requests": 1,
                      "request_timeout_s": 60.0, "startup_timeout_s": 60.0},
        "sla": {"max_p50_ttft_ms": 500.0},
        "search": {"tier": 2, "max_candidates_per_framework": 4},
        "frameworks": {},
    }))
    .unwrap();
    let report = Report::build(ReportInput { plan: Some(&plan), rows: rows(), ..ReportInput::default() });
    assert_eq!(
        report.comparisons.iter().map(|c| c.scenario.as_str()).collect::<Vec<_>>(),
        ["sum", "chat", "never-run"]
    );
    assert_eq!(report.workload.loads, ["8 req/s, at most 64 in flight", "64 in flight"]);
    assert_eq!(report.workload.scenarios[0].input, Lengths::Exact { tokens: 8000 });
    assert_eq!(report.sla.max_p50_ttft_ms, Some(500.0));
    assert_eq!(report.primary_mode, Some(LoadMode::Rate));
    assert_eq!(report.answers()[2], "Nothing could be measured in never-run.");
    assert!(report.has_winner() && report.title.starts_with("model · 4×H100"));

    plan.dataset.num_prompts = 20;
    let smoke = Report::build(ReportInput { plan: Some(&plan), rows: rows(), ..ReportInput::default() });
    assert!(smoke.flow_check && !smoke.has_winner());
    assert!(smoke.caveats.contains(&Caveat::FlowCheck { num_prompts: Some(20), eager_flags: vec![] }));
}

#[test]
fn a_flow_check_without_cuda_graphs_names_the_flags() {
    let mut rows = rows();
    for row in &mut rows {
        let podium = row.podium.get_or_insert_default();
        podium.flow_check = true;
        podium.extra.insert("eager_flag".to_owned(), json!("enforce_eager"));
    }
    let report = build(rows);
    let texts: Vec<_> = report.caveats.iter().map(ToString::to_string).collect();
    let named = texts.iter().filter(|text| text.starts_with("Flow check") && text.contains("(enforce_eager)"));
    assert_eq!(named.count(), 1, "{texts:?}");
    let stored: Caveat = serde_json::from_value(json!({"kind": "flow_check", "num_prompts": 20})).unwrap();
    assert!(!stored.to_string().contains("CUDA"), "reports from before name no flags");
}

#[test]
fn the_curves_of_the_best_candidates_are_shown() {
    let mut report = build(rows());
    let best = report.rows_of(&report.best_by_framework[0].rows).next().unwrap().clone();
    let curve = |candidate_id: &str| crate::search_curve::SearchCurve {
        framework: best.framework.clone(),
        candidate_id: candidate_id.to_owned(),
        scenario: best.scenario().to_owned(),
        points: Vec::new(),
        axis: Default::default(),
        sla_point: None,
    };
    report.search_curves = vec![curve("another"), curve(&best.candidate_id)];
    let shown: Vec<_> = report.shown_curves().map(|curve| curve.candidate_id.as_str()).collect();
    assert_eq!(shown, [best.candidate_id.as_str()]);
}

#[test]
fn an_unfair_comparison_is_told_next_to_the_winner_and_rows_say_what_was_held_equal() {
    let report = build(rows());
    assert_eq!(report.fairness.iter().map(|line| line.check).collect::<Vec<_>>(), fairness::Check::ALL);
    assert_eq!(report.unfair_text(), None);
    assert_eq!(report.rows[0].normalization.same_gpu_count, Some(true));
    assert_eq!(report.rows[0].normalization.same_tokenizer, None, "nothing is known of it");

    let mut unequal = rows();
    unequal[2].hardware.gpu_count = Some(8);
    let report = build(unequal);
    assert!(report.answers()[0].contains("(unfair comparison; "), "{:?}", report.answers());
    let text = report.unfair_text().unwrap();
    assert_eq!(text, "Same GPU type and count: fails (differs: 4 GPUs (SGLang, vLLM), 8 GPUs (vLLM)).");
    assert_eq!(report.rows[0].normalization.same_gpu_count, Some(false));
}

#[test]
fn measurements_that_are_not_listed_count_for_the_proof() {
    let mut met = rows()[5].clone();
    met.workload.endpoint = Some("/v1/chat/completions".into());
    let input = ReportInput { rows: rows(), also_measured: vec![met], ..ReportInput::default() };
    let report = Report::build(input);
    assert_eq!(report.unfair().map(|line| line.check).collect::<Vec<_>>(), [fairness::Check::Endpoint]);
    assert_eq!(report.rows.len(), 6);
}

#[test]
fn a_report_from_before_the_proof_reads_back() {
    let mut value = serde_json::to_value(build(rows())).unwrap();
    value.as_object_mut().unwrap().shift_remove("fairness");
    value["comparisons"][0]["answer"].as_object_mut().unwrap().shift_remove("unfair");
    let report: Report = serde_json::from_value(value).unwrap();
    assert!(report.fairness.is_empty() && report.unfair_text().is_none());
}
