//! Whole plans: reading, the cookbook's shapes, and edits that keep everything else.

use podium_domain::candidate::generate_all;
use podium_domain::form::{PlanEdit, ScenarioRow};
use podium_domain::framework::Framework;
use podium_domain::plan::Endpoint;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::help::{HelpSet, parse as parse_help};

const PLAN: &str = r#"# A plan of the full schema.
schema_version: 1
source: {kind: podium}
model:
  name: org/model   # the hub name
  precision: auto
hardware: {gpu_model: H100, gpu_count: 2}
dataset:
  kind: random
  num_prompts: 80
  scenario_names: [chat, summarization]
  input_len: [1000, 8000]
  output_len:
    - 1000  # chat
    - 1000
benchmark:
  endpoint: /v1/completions
  max_concurrency: [null, 8]
  qps: {lower: 0.25, upper: 4.0, tolerance: 0.1}
sla: {max_p50_ttft_ms: 1500, min_success_rate: 0.99}
search: {tier: 2, max_candidates_per_framework: 8}
frameworks:
  vllm:
    enabled: true
    server_command: vllm serve
    base_server_flags:
      tensor_parallel_size: 2
      max_model_len: 12288  # longest scenario plus room
      enable_prefix_caching: true
    search_space:
      max_num_seqs: [32, 64]
      # What the scheduler may take at a time.
      enable_prefix_caching: [true, false]
  tensorrt_llm:
    server_command: trtllm-serve serve
    backend_policy: fixed_pytorch
    base_server_flags: {backend: pytorch, tp_size: 2, max_seq_len: 12288}
    search_space: {}
"#;

fn found(problems: &[Problem]) -> Vec<(&str, Option<u32>)> {
    problems.iter().map(|problem| (problem.path.as_str(), problem.line)).collect()
}

/// The one problem of a plan in which `from` is replaced by `to`.
#[track_caller]
fn problem(from: &str, to: &str) -> Problem {
    assert!(PLAN.contains(from), "{from}");
    let reading = read(&PLAN.replace(from, to));
    let [problem] = reading.problems.as_slice() else { panic!("{from} → {to}: {:?}", reading.problems) };
    assert!(reading.plan.is_none());
    problem.clone()
}

#[test]
fn a_plan_of_the_full_schema_reads() {
    let reading = read(PLAN);
    assert_eq!(reading.problems, []);
    assert_eq!(reading.warnings, []);
    assert_eq!(found_filled(&reading), [("benchmark.qps.max_rounds", "5")]);
    let plan = reading.plan.unwrap();
    assert_eq!(plan.model.name, "org/model");
    assert_eq!(plan.longest_sequence(), Some(9000));
    assert_eq!(plan.benchmark.max_concurrency, [None, Some(8)]);
    assert_eq!(plan.benchmark.qps.unwrap().max_rounds, 5);
    let names: Vec<_> = plan.frameworks.keys().copied().collect();
    assert_eq!(names, [Framework::Vllm, Framework::TensorrtLlm]);
    assert_eq!(plan.frameworks[&Framework::Vllm].search_space["max_num_seqs"], [json!(32), json!(64)]);
}

fn found_filled(reading: &PlanReading) -> Vec<(&str, &str)> {
    reading.filled.iter().map(|filled| (filled.path.as_str(), filled.value.as_str())).collect()
}

#[test]
fn a_run_plan_reads_and_says_what_was_filled_in() {
    let reading = read(
        "model: {name: org/model}\n\
         dataset: {input_len: [64], output_len: [16]}\n\
         benchmark: {framework_set: [vllm], request_rates: [1, 2.5], tokenizer: org/tokenizer}\n\
         search: {output_dir: out}\n\
         sla: {max_p50_ttft_ms: 500}\n\
         frameworks:\n  vllm: {base_server_flags: {max_model_len: 2048}, search_space: {max_num_seqs: 8}}\n",
    );
    assert_eq!(reading.problems, []);
    assert_eq!(reading.warnings, []);
    assert_eq!(
        found_filled(&reading),
        [
            ("schema_version", "1"),
            ("source.kind", "podium"),
            ("hardware.gpu_count", "1"),
            ("dataset.kind", "random"),
            ("dataset.num_prompts", "80"),
            ("dataset.scenario_names", "[in64-out16]"),
            ("benchmark.endpoint", "/v1/completions"),
            ("benchmark.max_concurrency", "[null]"),
            ("search.tier", "2"),
            ("search.max_candidates_per_framework", "10"),
            ("frameworks.vllm.server_command", "vllm serve"),
        ]
    );
    let plan = reading.plan.unwrap();
    assert_eq!(plan.model.tokenizer.as_deref(), Some("org/tokenizer"));
    assert_eq!(plan.benchmark.endpoint, Endpoint::Completions);
    assert_eq!(plan.benchmark.request_rates, [1.0, 2.5]);
    assert_eq!(plan.frameworks[&Framework::Vllm].search_space["max_num_seqs"], [json!(8)]);
}

#[test]
fn five_mistakes_give_five_problems_with_path_and_line() {
    let text = PLAN
        .replace("num_prompts: 80", "num_prompts: eighty")
        .replace("input_len: [1000, 8000]", "input_len: [1000, 8000, 9]")
        .replace("max_p50_ttft_ms: 1500", "max_p99_ttft_ms: 1500")
        .replace("max_num_seqs: [32, 64]", "max_num_sequences: [32, 64]")
        .replace("max_seq_len: 12288}", "max_seq_len: 12288, bakend: x}");
    let reading = read(&text);
    assert_eq!(
        found(&reading.problems),
        [
            ("dataset.num_prompts", Some(10)),
            ("dataset.scenario_names", Some(11)),
            ("sla.max_p99_ttft_ms", Some(20)),
            ("frameworks.vllm.search_space.max_num_sequences", Some(31)),
            ("frameworks.tensorrt_llm.base_server_flags.bakend", Some(37)),
        ]
    );
    let messages: Vec<_> = reading.problems.iter().map(|problem| problem.message.as_str()).collect();
    assert_eq!(messages[0], "expected a whole number, found the text `eighty`");
    assert!(messages[1].contains("2 `scenario_names`, 3 `input_len` and 2 `output_len`"));
    assert_eq!(messages[2], "`max_p99_ttft_ms` is deprecated: use `max_p50_ttft_ms`");
    assert_eq!(messages[3], "`max_num_sequences` is not a flag of vLLM; did you mean `max_num_seqs`?");
    assert!(messages[4].ends_with("did you mean `backend`?"));
    assert_eq!(reading.plan, None);
}

#[test]
fn every_rule_has_its_message() {
    let cases = [
        ("schema_version: 1", "schema_version: 2", "schema_version", "use 1"),
        ("{kind: podium}", "{kind: podum}", "source.kind", "did you mean `podium`?"),
        ("name: org/model", "name: 7", "model.name", "put it in quotes"),
        ("gpu_count: 2", "gpu_count: two", "hardware.gpu_count", "expected a whole number"),
        ("kind: random", "kind: sharegpt", "dataset.kind", "convert the file"),
        ("num_prompts: 80", "num_prompts: 0", "dataset.num_prompts", "at least 1"),
        ("[chat, summarization]", "chat", "dataset.scenario_names", "write [chat]"),
        ("[chat, summarization]", "[chat, chat]", "dataset.scenario_names[1]", "given twice"),
        ("input_len: [1000, 8000]", "input_len: []", "dataset.input_len", "empty"),
        ("input_len: [1000, 8000]", "input_len: [1000, 0]", "dataset.input_len[1]", "at least 1"),
        ("endpoint: /v1/completions", "endpoint: /v1/chat", "benchmark.endpoint", "/v1/chat/completions"),
        ("[null, 8]", "[null, 0]", "benchmark.max_concurrency[1]", "at least 1"),
        ("lower: 0.25", "lower: 5", "benchmark.qps", "must be below `upper`"),
        ("lower: 0.25", "lower: -1", "benchmark.qps.lower", "greater than 0"),
        ("min_success_rate: 0.99", "min_success_rate: 99", "sla.min_success_rate", "between 0 and 1"),
        ("max_p50_ttft_ms: 1500", "max_p50_tft_ms: 1", "sla.max_p50_tft_ms", "did you mean `max_p50_ttft_ms`?"),
        ("tier: 2", "tier: 4", "search.tier", "at most 3"),
        (
            "max_candidates_per_framework: 8",
            "max_candidates_per_framework: 0",
            "search.max_candidates_per_framework",
            "at least 1",
        ),
        ("enabled: true", "enabled: yes", "frameworks.vllm.enabled", "write true"),
        (
            "server_command: vllm serve",
            "server_command: \"vllm 'serve\"",
            "frameworks.vllm.server_command",
            "unclosed quote",
        ),
        (
            "max_model_len: 12288",
            "max_model_len: 8192",
            "frameworks.vllm.base_server_flags.max_model_len",
            "needs 9000",
        ),
        (
            "max_num_seqs: [32, 64]",
            "max_model_len: [12288, 8192]",
            "frameworks.vllm.search_space.max_model_len[1]",
            "needs 9000",
        ),
        ("max_num_seqs: [32, 64]", "max_num_seqs: []", "frameworks.vllm.search_space.max_num_seqs", "empty"),
        (
            "max_num_seqs: [32, 64]",
            "max_num_seqs: [32, many]",
            "frameworks.vllm.search_space.max_num_seqs[1]",
            "whole number",
        ),
        ("max_num_seqs: [32, 64]", "dtype: [bf16]", "frameworks.vllm.search_space.dtype[0]", "bfloat16"),
        ("max_num_seqs: [32, 64]", "port: [1, 2]", "frameworks.vllm.search_space.port", "cannot be searched"),
        (
            "max_num_seqs: [32, 64]",
            "disable_log_stats: [true, false]",
            "frameworks.vllm.search_space.disable_log_stats[1]",
            "has no effect",
        ),
        ("tensor_parallel_size: 2", "api_key: abc", "frameworks.vllm.base_server_flags.api_key", "secret"),
        (
            "{backend: pytorch, tp_size: 2",
            "{tp_size: 2",
            "frameworks.tensorrt_llm.base_server_flags.backend",
            "backend: pytorch",
        ),
        ("{backend: pytorch,", "{backend: trt,", "frameworks.tensorrt_llm.base_server_flags.backend", "PyTorch"),
        ("fixed_pytorch", "any", "frameworks.tensorrt_llm.backend_policy", "fixed_pytorch"),
        ("trtllm-serve serve", "trtllm-serve serve --backend trt", "frameworks.tensorrt_llm.server_command", "PyTorch"),
        (
            "search_space: {}",
            "search_space: {backend: [pytorch]}",
            "frameworks.tensorrt_llm.search_space.backend",
            "may not be searched",
        ),
        ("search_space: {}", "search_space: ", "frameworks.tensorrt_llm.search_space", "write {}"),
        (
            "max_seq_len: 12288}",
            "max_num_tokens: 8192}",
            "frameworks.tensorrt_llm.base_server_flags.max_seq_len",
            "is missing",
        ),
        ("tensorrt_llm:", "trtllm:", "frameworks.trtllm", "unknown framework"),
        ("precision: auto", "name: other", "model.name", "given twice"),
        ("search: {tier", "sla: {}\nsearch: {tier", "sla", "given twice"),
    ];
    for (from, to, path, part) in cases {
        let problem = problem(from, to);
        assert_eq!(problem.path, path, "{problem}");
        assert!(problem.message.contains(part), "{problem}");
        assert!(problem.line.is_some(), "{problem}");
    }
}

#[test]
fn what_is_odd_is_a_warning() {
    let warned = |from: &str, to: &str| {
        assert!(PLAN.contains(from), "{from}");
        let reading = read(&PLAN.replace(from, to));
        assert_eq!(reading.problems, []);
        reading.warnings
    };
    let unknown = warned("  precision: auto", "  precison: auto");
    assert_eq!(found(&unknown), [("model.precison", Some(6))]);
    assert!(unknown[0].message.ends_with("did you mean `precision`?"));
    let pinned = warned("max_num_seqs: [32, 64]", "gpu_memory_utilization: [0.8, 0.9]");
    assert_eq!(found(&pinned), [("frameworks.vllm.search_space.gpu_memory_utilization", Some(31))]);
    let port = warned("tensor_parallel_size: 2", "port: 80");
    assert_eq!(found(&port), [("frameworks.vllm.base_server_flags.port", Some(27))]);
    assert_eq!(warned("sla: {max_p50_ttft_ms: 1500, min_success_rate: 0.99}", "sla: {}").len(), 1);
}

#[test]
fn broken_yaml_is_one_problem_with_its_line() {
    let reading = read("model:\n  name: [a\ndataset: x\n");
    assert_eq!(found(&reading.problems), [("", Some(3))]);
    assert_eq!(read("").problems[0].message, "the plan is empty");
    assert_eq!(read("# only a comment\n").problems.len(), 1);
    assert!(read("[1, 2]").problems[0].message.contains("expected a mapping"));
}

#[test]
fn llama_cpp_divides_its_context() {
    let text = |ctx: &str, parallel: &str, space: &str| {
        format!(
            "model: {{name: tiny}}\ndataset: {{input_len: [256], output_len: [32]}}\nsla: {{max_p50_ttft_ms: 1}}\n\
             frameworks:\n  llama_cpp:\n    base_server_flags: {{ctx_size: {ctx}, parallel: {parallel}}}\n    \
             search_space: {space}\n"
        )
    };
    assert_eq!(read(&text("2048", "4", "{}")).problems, []);
    let too_many = read(&text("2048", "4", "{parallel: [4, 8]}")).problems;
    assert_eq!(found(&too_many), [("frameworks.llama_cpp.base_server_flags.ctx_size", Some(6))]);
    assert!(too_many[0].message.contains("at least 2304"), "{}", too_many[0]);
    let searched = read(&text("4096", "4", "{ctx_size: [1024, 4096], parallel: [4, 8]}")).problems;
    assert_eq!(found(&searched), [("frameworks.llama_cpp.search_space.ctx_size[0]", Some(7))]);
}

#[test]
fn captured_help_rejects_what_it_lacks_and_admits_what_it_adds() {
    let options =
        ["tensor-parallel-size", "max-model-len", "enable-prefix-caching", "brand-new", "a", "b", "c", "d", "e"];
    let mut lines: Vec<_> = options.iter().map(|name| format!("  --{name} X")).collect();
    let text = PLAN.replace("tensor_parallel_size: 2", "brand_new: 1");
    let with = |lines: &[String]| {
        let mut help = HelpSet::default();
        help.add(Framework::Vllm, parse_help(&lines.join("\n")));
        read_with_help(&text, Some(&help)).problems
    };
    let unknown = [("frameworks.vllm.base_server_flags.brand_new", Some(27))];
    assert_eq!(found(&with(&lines)), unknown, "nine flags are no help text");
    lines.push("  --dtype {auto,half}".to_owned());
    let problems = with(&lines);
    assert_eq!(found(&problems), [("frameworks.vllm.search_space.max_num_seqs", Some(31))]);
    assert!(problems[0].message.contains("has no `max_num_seqs`"));
}

#[test]
fn the_cookbook_reads_and_the_newest_vllm_rejects_what_it_dropped() {
    let Some(file) = crate::test_support::shared_dir("cookbook/facts.json") else { return };
    let entries: Vec<Value> = serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap();
    assert_eq!(entries.len(), 39);
    let help = crate::test_support::shared_dir("engines/help").map(|dir| crate::help::folder(&dir).unwrap());
    for mut entry in entries {
        let slug = entry.as_object_mut().unwrap().remove("slug").unwrap();
        entry["schema_version"] = 1.into();
        entry["source"] = json!({"kind": "llm_serving_cookbook"});
        // JSON is YAML.
        let text = serde_json::to_string_pretty(&entry).unwrap();
        let reading = read(&text);
        assert_eq!(reading.problems, [], "{slug}");
        assert_eq!(reading.warnings, [], "{slug}");
        let sets = generate_all(&reading.plan.unwrap()).unwrap();
        assert_eq!(sets.len(), entry["frameworks"].as_object().unwrap().len(), "{slug}");
        let Some(help) = &help else { continue };
        let rejected = read_with_help(&text, Some(help)).problems;
        let dropped: Vec<_> = found(&rejected).into_iter().map(|(path, _)| path).collect();
        let gone = ["max_num_partial_prefills", "max_long_partial_prefills"];
        assert_eq!(dropped, gone.map(|flag| format!("frameworks.vllm.search_space.{flag}")), "{slug}");
    }
}

#[test]
fn blank_plans_validate() {
    for gpu_count in [0, 1, 8] {
        let starter = Starter {
            model_name: "it's: a #model".into(),
            frameworks: Framework::ALL.to_vec(),
            gpu_model: Some("H100".into()),
            gpu_count,
        };
        let reading = read(&blank(&starter));
        assert_eq!(reading.problems, []);
        assert_eq!(reading.warnings, []);
        assert_eq!(reading.plan.as_ref().unwrap().model.name, "it's: a #model");
        assert_eq!(reading.plan.unwrap().frameworks.len(), 5);
    }
}

#[test]
fn the_shipped_demo_plans_validate() {
    let configs = concat!(env!("CARGO_MANIFEST_DIR"), "/../../configs/");
    let counts = |name: &str| {
        let reading = read(&std::fs::read_to_string(format!("{configs}{name}")).unwrap());
        assert_eq!(reading.problems, [], "{name}");
        assert_eq!(reading.warnings, [], "{name}");
        let plan = reading.plan.unwrap();
        assert!(!plan.is_flow_check(), "{name}");
        let sets = generate_all(&plan).unwrap();
        let ids: Vec<_> = plan.frameworks.keys().map(|framework| framework.id()).collect();
        ids.into_iter().zip(sets.iter().map(|set| set.candidates.len())).collect::<Vec<_>>()
    };
    assert_eq!(counts("demo-simulated.yaml"), [("sglang", 3), ("vllm", 3), ("tensorrt_llm", 3)]);
    assert_eq!(counts("demo-cpu.yaml"), [("llama_cpp", 4), ("vllm", 3), ("sglang", 3)]);
}

#[test]
fn the_form_shows_what_the_text_says() {
    let form = project(PLAN).unwrap();
    assert_eq!(form.model_name, "org/model");
    assert_eq!(form.max_concurrency, "null, 8");
    assert_eq!(form.qps.upper, "4.0");
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

/// Lines of `before` that are not in `after`, and the other way round.
fn changed(before: &str, after: &str) -> (Vec<String>, Vec<String>) {
    let only =
        |a: &str, b: &str| a.lines().filter(|line| !b.lines().any(|other| other == *line)).map(str::to_owned).collect();
    (only(before, after), only(after, before))
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

proptest! {
    #[test]
    fn reading_and_editing_never_panic(text in "\\PC*", path in "[a-c.\\[\\]0-9]{0,8}", value in "\\PC{0,12}") {
        let _ = read(&text);
        let _ = project(&text);
        let _ = apply(&text, &PlanEdit::SetScalar { path, value });
    }

    #[test]
    fn yaml_like_text_never_panics(parts in prop::collection::vec(
        prop::sample::select(vec![
            "model", "name", "dataset", "frameworks", "vllm", "sla", ":", ": ", " ", "\n", "\n  ", "\n    ", "- ", "[", "]",
            "{", "}", ",", "&a ", "*a", "'", "\"", "|", ">", "#", "!t", "?", "<<", "1", "é", "\t", "\r\n", "---\n", "%",
        ]), 0..40)) {
        let text = parts.concat();
        let _ = read(&text);
        let _ = project(&text);
        for path in ["model.name", "dataset.input_len[0]", "frameworks.vllm"] {
            let _ = apply(&text, &PlanEdit::SetScalar { path: path.into(), value: "x".into() });
            let _ = apply(&text, &PlanEdit::Remove { path: path.into() });
        }
    }

    #[test]
    fn mutated_plans_never_panic(at in 0..PLAN.len(), length in 0..40usize, with in "[\\PC\n]{0,6}") {
        let end = (at + length).min(PLAN.len());
        if let (Some(head), Some(tail)) = (PLAN.get(..at), PLAN.get(end..)) {
            let text = format!("{head}{with}{tail}");
            let reading = read(&text);
            prop_assert_eq!(reading.plan.is_some(), reading.problems.is_empty());
            let _ = apply(&text, &PlanEdit::AddScenario { scenario: ScenarioRow::default() });
        }
    }

    #[test]
    fn an_edited_value_reads_back_and_other_lines_stay(
        path in prop::sample::select(vec![
            "model.name", "model.tokenizer", "hardware.gpu_model", "dataset.num_prompts", "benchmark.backend",
            "benchmark.qps.upper", "search.tier", "frameworks.vllm.server_command", "new.key", "frameworks.vllm.notes",
        ]),
        value in "\\PC{1,16}",
    ) {
        prop_assume!(!value.trim().is_empty());
        let edit = PlanEdit::SetScalar { path: path.into(), value: value.clone() };
        let after = apply(PLAN, &edit).unwrap();
        let root = tree::parse(&after).unwrap().root;
        let node = path.split('.').try_fold(&root, |node, key| node.get(key)).unwrap();
        prop_assert_eq!(node.to_value(), inline::typed(&value).1);
        let (gone, new) = changed(PLAN, &after);
        prop_assert!(gone.len() <= 1 && new.len() <= 2, "{:?} {:?}", gone, new);
        prop_assert_eq!(apply(&after, &edit).unwrap(), after);
    }

    #[test]
    fn what_the_form_shows_can_be_typed_back(value in "\\PC{1,16}") {
        prop_assume!(!value.trim().is_empty());
        let edit = |value: &str| PlanEdit::SetScalar { path: "model.name".into(), value: value.into() };
        let after = apply(PLAN, &edit(&value)).unwrap();
        let shown = project(&after).unwrap().model_name;
        let again = if shown.is_empty() { after.clone() } else { apply(&after, &edit(&shown)).unwrap() };
        prop_assert_eq!(project(&again).unwrap().model_name, shown);
    }
}
