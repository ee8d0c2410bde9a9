use podium_domain::form::{PlanEdit, ScenarioRow};
use podium_domain::framework::Framework;
use serde_json::json;

use super::*;

#[test]
fn the_form_shows_what_the_text_says() {
    let form = project(PLAN).unwrap();
    assert_eq!(form.model_name, "org/model");
    assert_eq!(form.max_concurrency, "null, 8");
    assert_eq!((form.qps.upper.as_str(), form.concurrency_search.upper.as_str()), ("4.0", ""));
    let searched = project("benchmark: {concurrency_search: {upper: 64}}").unwrap();
    assert_eq!(searched.concurrency_search.upper, "64");
    assert_eq!(form.sla.min_success_rate, "0.99");
    assert_eq!(form.scenarios[1].name, "summarization");
    assert_eq!(form.scenarios[1].output_len, "1000");
    let names: Vec<_> = form.frameworks.iter().map(|f| (f.framework.id(), f.present, f.enabled)).collect();
    assert_eq!(names[0], ("vllm", true, true));
    assert_eq!(names[2], ("sglang", false, false));
    assert_eq!(names.len(), 5);
    assert_eq!(form.frameworks[0].base_flags[1].value, "12288");
    assert_eq!(form.frameworks[0].search[0].values, "32, 64");
    let odd = project("dataset: {num_prompts: \"80\", kind: [x]}\nmodel: {name: \"null\"}\n").unwrap();
    assert_eq!(odd.num_prompts, "\"80\"", "quotes stay where the value would change without them");
    assert_eq!((odd.dataset_kind.as_str(), odd.model_name.as_str()), ("[x]", "\"null\""));
    assert!(project("a: [").is_err());
    assert!(project("[1]").is_err());
}

fn edited(edit: PlanEdit) -> (Vec<String>, Vec<String>) {
    let after = apply(PLAN, &edit).unwrap();
    assert_eq!(read(&after).problems, [], "{after}");
    changed(PLAN, &after)
}

fn lines(lines: &[&str]) -> Vec<String> {
    lines.iter().map(|line| (*line).to_owned()).collect()
}

#[test]
fn edits_change_their_own_lines_only() {
    let vllm = Framework::Vllm;
    let set = |path: &str, value: &str| PlanEdit::SetScalar { path: path.into(), value: value.into() };
    assert_eq!(
        edited(set("model.name", "org/other")),
        (lines(&["  name: org/model   # the hub name"]), lines(&["  name: org/other   # the hub name"]))
    );
    assert_eq!(edited(set("benchmark.warmup_requests", "2")), (vec![], lines(&["  warmup_requests: 2"])));
    assert_eq!(
        edited(PlanEdit::SetList { path: "benchmark.request_rates".into(), values: "1, 2".into() }),
        (vec![], lines(&["  request_rates: [1, 2]"]))
    );
    assert_eq!(
        edited(PlanEdit::SetSla { key: "max_p50_tpot_ms".into(), value: "30".into() }).1,
        lines(&["sla: {max_p50_ttft_ms: 1500, min_success_rate: 0.99, max_p50_tpot_ms: 30}"])
    );
    assert_eq!(
        edited(PlanEdit::SetFlag { framework: vllm, flag: "--max-model-len".into(), value: "16384".into() }).1,
        lines(&["      max_model_len: 16384  # longest scenario plus room"])
    );
    assert_eq!(
        edited(PlanEdit::SetFlag { framework: vllm, flag: "dtype".into(), value: "bfloat16".into() }),
        (vec![], lines(&["      dtype: bfloat16"]))
    );
    assert_eq!(
        edited(PlanEdit::RemoveFlag { framework: vllm, flag: "tensor_parallel_size".into() }),
        (lines(&["      tensor_parallel_size: 2"]), vec![])
    );
    assert_eq!(
        edited(PlanEdit::SetSearch { framework: vllm, flag: "max_num_seqs".into(), values: "1, 2, 3".into() }).1,
        lines(&["      max_num_seqs: [1, 2, 3]"])
    );
    assert_eq!(
        edited(PlanEdit::SetSearch {
            framework: Framework::TensorrtLlm,
            flag: "max_batch_size".into(),
            values: "8".into()
        })
        .1,
        lines(&["    search_space:", "      max_batch_size: [8]"])[1..]
    );
    assert_eq!(
        edited(PlanEdit::RemoveSearch { framework: vllm, flag: "max_num_seqs".into() }),
        (lines(&["      max_num_seqs: [32, 64]"]), vec![])
    );
    assert_eq!(
        edited(PlanEdit::EnableFramework { framework: vllm, enabled: false }),
        (lines(&["    enabled: true"]), lines(&["    enabled: false"]))
    );
    assert_eq!(edited(PlanEdit::EnableFramework { framework: vllm, enabled: true }), (vec![], vec![]));
    let added = edited(PlanEdit::EnableFramework { framework: Framework::LlamaCpp, enabled: true });
    assert!(added.0.is_empty() && added.1[0] == "  llama_cpp:", "{added:?}");
}

#[test]
fn scenarios_are_edited_in_all_three_lists() {
    let row = |name: &str, input: &str, output: &str| ScenarioRow {
        name: name.into(),
        input_len: input.into(),
        output_len: output.into(),
    };
    let after = apply(PLAN, &PlanEdit::AddScenario { scenario: row("code", "500", "250") }).unwrap();
    assert!(after.contains("[chat, summarization, code]") && after.contains("    - 1000\n    - 250\n"), "{after}");
    let after = apply(&after, &PlanEdit::SetScenario { index: 0, scenario: row("talk", "1000", "900") }).unwrap();
    assert!(after.contains("[talk, summarization, code]") && after.contains("    - 900  # chat\n"), "{after}");
    let after = apply(&after, &PlanEdit::RemoveScenario { index: 1 }).unwrap();
    let plan = read(&after).plan.unwrap();
    let scenarios: Vec<_> =
        plan.dataset.scenarios.iter().map(|s| (s.name.as_str(), s.input_len, s.output_len)).collect();
    assert_eq!(scenarios, [("talk", Some(1000), Some(900)), ("code", Some(500), Some(250))]);
    assert!(apply(&after, &PlanEdit::RemoveScenario { index: 9 }).is_err());
    let unaligned = "dataset: {input_len: [1, 2]}\n";
    let after = apply(unaligned, &PlanEdit::SetScenario { index: 1, scenario: row("b", "3", "4") }).unwrap();
    assert_eq!(project(&after).unwrap().scenarios[1], row("b", "3", "4"));
}

#[test]
fn edits_that_make_no_sense_are_refused_with_a_reason() {
    let refused = |edit: PlanEdit| apply(PLAN, &edit).unwrap_err().message;
    let set = |path: &str, value: &str| PlanEdit::SetScalar { path: path.into(), value: value.into() };
    assert!(refused(set("", "1")).contains("not a path"));
    assert!(refused(set("schema_version.x", "1")).contains("change it in the YAML"));
    assert!(
        refused(PlanEdit::SetList { path: "dataset.input_len".into(), values: "[1".into() }).contains("not a list")
    );
    let flag = |framework, flag: &str| PlanEdit::SetFlag { framework, flag: flag.into(), value: "1".into() };
    assert!(refused(flag(Framework::Sglang, "tp_size")).contains("enable it first"));
    assert!(refused(flag(Framework::Vllm, "a: b")).contains("not the name of a flag"));
    assert!(apply("a: [", &set("b", "1")).is_err());
}

#[test]
fn pairs_of_lengths_become_plain_scenarios_when_one_is_edited() {
    let text = "model: {name: m}\ndataset:\n  scenario_product: true\n  input_len: [1, 2]\n  output_len: [8, 9]\n";
    let rows = |text: &str| {
        let rows = project(text).unwrap().scenarios;
        rows.iter().map(|row| format!("{} {} {}", row.name, row.input_len, row.output_len)).collect::<Vec<_>>()
    };
    assert_eq!(rows(text), [" 1 8", " 1 9", " 2 8", " 2 9"]);
    let removed = apply(text, &PlanEdit::RemoveScenario { index: 1 }).unwrap();
    assert_eq!(rows(&removed), [" 1 8", " 2 8", " 2 9"]);
    assert!(!removed.contains("scenario_product"), "{removed}");
    let scenario = ScenarioRow { name: "long".into(), input_len: "70".into(), output_len: "9".into() };
    let changed = apply(text, &PlanEdit::SetScenario { index: 3, scenario }).unwrap();
    assert_eq!(rows(&changed)[2..], [" 2 8", "long 70 9"]);
}

#[test]
fn an_option_of_a_file_is_searched_by_its_dotted_name() {
    let edit = PlanEdit::SetSearch {
        framework: Framework::TensorrtLlm,
        flag: "kv_cache_config.dtype".into(),
        values: "auto, fp8".into(),
    };
    let plan = read(&apply(PLAN, &edit).unwrap()).plan.unwrap();
    let part = &plan.frameworks[&Framework::TensorrtLlm];
    assert_eq!(part.search_space["kv_cache_config.dtype"], [json!("auto"), json!("fp8")]);
}

/// What is proposed fits its own limit, and nothing of it is left untried.
#[test]
fn a_depth_proposes_a_search_that_its_limit_holds() {
    let starter = Starter {
        model_name: "org/model".into(),
        frameworks: Framework::ALL.to_vec(),
        gpu_model: Some("H100".into()),
        gpu_count: 2,
    };
    let mut sizes = Vec::new();
    for tier in 1..=3u8 {
        let text = apply(&blank(&starter), &PlanEdit::ProposeSearch { tier: tier.to_string() }).unwrap();
        let reading = read(&text);
        assert_eq!((reading.problems.as_slice(), reading.warnings.as_slice()), (&[][..], &[][..]), "{text}");
        let plan = reading.plan.unwrap();
        assert_eq!(plan.search.tier, tier);
        let sets = podium_domain::candidate::generate_all(&plan).unwrap();
        assert_eq!(sets.len(), 5);
        for set in &sets {
            assert!(set.without_limit.unwrap() == set.candidates.len() as u64 && set.untried.is_empty(), "{set:?}");
        }
        sizes.push(sets.iter().map(|set| set.candidates.len()).sum::<usize>());
    }
    assert!(sizes.is_sorted() && sizes[0] < sizes[2], "{sizes:?}");
    let added = apply("search: {tier: 1}\n", &PlanEdit::EnableFramework { framework: Framework::Vllm, enabled: true });
    let added = added.unwrap();
    assert!(added.contains("max_num_batched_tokens") && !added.contains("max_num_seqs"), "{added}");
}
