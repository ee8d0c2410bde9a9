use podium_domain::framework::Framework;
use podium_domain::plan::{ConcurrencyRange, Endpoint};
use serde_json::json;

use super::*;
use crate::help::{HelpSet, parse as parse_help};

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
fn nodes_at_once_are_one_unless_the_plan_says_otherwise() {
    let with = |more: &str| read(&PLAN.replace("{tier: 2,", &format!("{{{more}tier: 2,"))).plan;
    assert_eq!(with("").unwrap().search.parallelism, 1);
    assert_eq!(with("parallelism: 4, ").unwrap().search.parallelism, 4);
    for wrong in ["0", "65", "many"] {
        let told = problem("{tier: 2,", &format!("{{parallelism: {wrong}, tier: 2,"));
        assert_eq!(told.path, "search.parallelism", "{wrong}");
    }
}

#[test]
fn a_plan_of_the_full_schema_reads() {
    let reading = read(PLAN);
    assert_eq!(reading.problems, []);
    assert_eq!(reading.warnings, []);
    assert_eq!(found_filled(&reading), [("benchmark.qps.max_rounds", "5"), ("search.repeats", "3")]);
    let plan = reading.plan.unwrap();
    assert_eq!(plan.model.name, "org/model");
    assert_eq!(plan.longest_sequence(), Some(9000));
    assert_eq!(plan.benchmark.max_concurrency, [None, Some(8)]);
    assert_eq!(plan.benchmark.qps.unwrap().max_rounds, 5);
    let names: Vec<_> = plan.frameworks.keys().copied().collect();
    assert_eq!(names, [Framework::Vllm, Framework::TensorrtLlm]);
    assert_eq!(plan.frameworks[&Framework::Vllm].search_space["max_num_seqs"], [json!(32), json!(64)]);
}

#[test]
fn a_concurrency_search_reads_beside_or_instead_of_a_rate_search() {
    let qps = "qps: {lower: 0.25, upper: 4.0, tolerance: 0.1}";
    let reading = read(&PLAN.replace(qps, "concurrency_search: {lower: 1, upper: 64}"));
    assert_eq!(reading.problems, []);
    let warned: Vec<_> = reading.warnings.iter().map(|problem| problem.path.as_str()).collect();
    assert_eq!(warned, ["benchmark.max_concurrency"], "its 8 is no load of its own any more");
    let filled = found_filled(&reading);
    assert_eq!(
        filled[..2],
        [("benchmark.concurrency_search.tolerance", "1"), ("benchmark.concurrency_search.max_rounds", "5")]
    );
    let benchmark = reading.plan.unwrap().benchmark;
    let range = ConcurrencyRange { lower: 1, upper: 64, tolerance: 1, max_rounds: 5 };
    assert_eq!((benchmark.concurrency_search, benchmark.qps), (Some(range), None));

    for (range, path, text) in [
        ("{lower: 1, upper: 81}", "benchmark.concurrency_search.upper", "the 80 requests of `dataset.num_prompts`"),
        ("{lower: 8, upper: 8}", "benchmark.concurrency_search", "must be below `upper`"),
        ("{lower: 0.5, upper: 8}", "benchmark.concurrency_search.lower", "expected a whole number"),
        ("{lower: 1}", "benchmark.concurrency_search.upper", "requests in flight"),
    ] {
        let problem = problem(qps, &format!("concurrency_search: {range}"));
        assert_eq!(problem.path, path);
        assert!(problem.message.contains(text), "{}", problem.message);
    }
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
            ("search.repeats", "3"),
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
        ("kind: random", "kind: sharegtp", "dataset.kind", "did you mean `sharegpt`?"),
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

    let mut trtllm = HelpSet::default();
    let names = ["backend", "tp_size", "max_seq_len", "free_gpu_memory_fraction", "a", "b", "c", "d", "e", "f"];
    trtllm.add(Framework::TensorrtLlm, parse_help(&names.map(|name| format!("--{name} X\n")).concat()));
    let older = PLAN.replace("tp_size: 2,", "kv_cache_free_gpu_memory_fraction: 0.8,");
    let problems = read_with_help(&older, Some(&trtllm)).problems;
    assert_eq!(problems.len(), 1);
    assert!(problems[0].message.ends_with("write `free_gpu_memory_fraction`, which means the same"), "{}", problems[0]);
}

#[test]
fn captured_help_knows_the_values_of_its_release() {
    let mut text: String = ('a'..='i').map(|name| format!("  --{name} X\n")).collect();
    text.push_str(
        "  --tensor-parallel-size N  GPUs. (default: 1)\n  --max-model-len N  (default: None)\n\
         \x20 --max-num-seqs N  Sequences. (default: 256)\n  --enable-prefix-caching, --no-enable-prefix-caching\n\
         \x20 --dtype {auto,half,brand_new}  Format\n  --fresh-switch\n  --fresh-number N  (default: 4)\n\
         \x20 --fresh-text TEXT  (default: None)\n",
    );
    let with = |from_source: bool, flag: &str| {
        let mut help = HelpSet::default();
        help.add(Framework::Vllm, crate::help::HelpFlags { from_source, ..parse_help(&text) });
        read_with_help(
            &PLAN.replace("max_model_len: 12288", &format!("max_model_len: 12288\n      {flag}")),
            Some(&help),
        )
    };
    let cases = [
        ("dtype: brand_new", None),
        ("dtype: bfloat16", Some("does not list `bfloat16`")),
        ("dtype: brand_nu", Some("did you mean `brand_new`?")),
        ("fresh_switch: true", None),
        ("fresh_switch: 3", Some("true or false")),
        ("fresh_number: 3", None),
        ("fresh_number: 8k", None),
        ("fresh_number: three", Some("a number")),
        ("fresh_number: true", Some("a number")),
        ("fresh_text: three", None),
        ("fresh_text: true", Some("a value")),
        ("fresh_text: null", None),
    ];
    for (flag, part) in cases {
        let problems = with(false, flag).problems;
        match part {
            None => assert_eq!(problems, [], "{flag}"),
            Some(part) => {
                let path = format!("frameworks.vllm.base_server_flags.{}", flag.split(':').next().unwrap());
                assert_eq!(found(&problems), [(path.as_str(), Some(29))], "{flag}");
                assert!(problems[0].message.contains(part), "{}", problems[0]);
            }
        }
    }
    let unsure = with(true, "fresh_number: three");
    let warned = [("frameworks.vllm.base_server_flags.fresh_number", Some(29)), ("frameworks.tensorrt_llm", Some(36))];
    assert_eq!(unsure.problems, [], "a listing from source only warns");
    assert_eq!(found(&unsure.warnings), warned);
    assert!(unsure.warnings[1].message.starts_with("no help text of TensorRT-LLM was found"));
}

#[test]
fn a_flag_of_another_framework_is_translated() {
    let foreign = problem("max_num_seqs: [32, 64]", "max_running_requests: [32, 64]");
    assert!(foreign.message.ends_with("it is SGLang's name for what is `max_num_seqs` here"), "{foreign}");
    let careful = problem("max_num_seqs: [32, 64]", "disable_radix_cache: [true]");
    assert!(careful.message.contains("`enable_prefix_caching` here (SGLang's switch turns it off"), "{careful}");
    let misspelt = problem("max_num_seqs: [32, 64]", "Max-Num-Sequences: [32]");
    assert!(misspelt.message.ends_with("did you mean `max_num_seqs`?"), "{misspelt}");
}

#[test]
fn strict_demands_what_a_run_plan_may_leave_out() {
    assert_eq!(strict_problems(&read(PLAN)), []);
    let run_plan = "\
model: {name: org/model}
dataset: {input_len: [64], output_len: [16]}
sla: {max_p50_ttft_ms: 500}
frameworks:
  vllm: {base_server_flags: {max_model_len: 2048}, search_space: {}}
  tensorrt_llm: {base_server_flags: {backend: pytorch, max_seq_len: 2048}, search_space: {}}
";
    let reading = read(run_plan);
    assert!(reading.plan.is_some());
    let demanded = [
        ("schema_version", Some(1)),
        ("source.kind", Some(1)),
        ("hardware.gpu_count", Some(1)),
        ("benchmark.endpoint", Some(1)),
        ("search.max_candidates_per_framework", Some(1)),
        ("dataset.kind", Some(2)),
        ("dataset.scenario_names", Some(2)),
        ("frameworks.vllm.server_command", Some(5)),
        ("frameworks.tensorrt_llm.server_command", Some(6)),
    ];
    assert_eq!(found(&strict_problems(&reading)), demanded);
    assert!(strict_problems(&reading)[0].message.ends_with("for example `schema_version: 1`"));
    let file = PLAN.replace("kind: random", "kind: jsonl\n  path: requests.jsonl");
    let names = "  scenario_names: [chat, summarization]\n";
    assert!(file.contains(names));
    let of_file = strict_problems(&read(&file.replace(names, "")));
    assert_eq!(of_file, [], "a file names its scenario");
    let wrong = read(&PLAN.replace("schema_version: 1", "schema_version: 2"));
    assert_eq!(found(&strict_problems(&wrong)), [("schema_version", Some(2))]);
}

#[test]
fn cautions_name_what_the_hardware_or_the_model_may_lack() {
    let sglang = "  sglang:\n    base_server_flags: {attention_backend: fa3}\n    \
                  search_space: {decode_attention_backend: [fa3, flashinfer]}\n";
    let with = |gpu: &str| read(&format!("{}{sglang}", PLAN.replace("H100", gpu)));
    assert_eq!(with("NVIDIA H200").warnings, []);
    let warned = with("A100").warnings;
    let places = [
        ("frameworks.sglang.base_server_flags.attention_backend", Some(40)),
        ("frameworks.sglang.search_space.decode_attention_backend[0]", Some(41)),
    ];
    assert_eq!(found(&warned), places);
    assert!(warned[0].message.contains("hardware.gpu_model is A100"), "{}", warned[0]);
    let partial = read(&PLAN.replace("max_num_seqs: [32, 64]", "max_num_partial_prefills: [1, 4]")).warnings;
    assert_eq!(found(&partial), [("frameworks.vllm.search_space.max_num_partial_prefills[1]", Some(31))]);
    let overlap = read(&PLAN.replace("max_num_seqs: [32, 64]", "enable_dbo: [true]")).warnings;
    assert_eq!(overlap.len(), 1);
}

#[test]
fn lengths_are_paired_with_each_other_only_on_request() {
    let product = PLAN
        .replace("[chat, summarization]", "null")
        .replace("input_len: [1000, 8000]", "input_len: [100, 200]\n  scenario_product: true");
    let product = product.replace("    - 1000  # chat\n    - 1000\n", "    - 10\n    - 20\n    - 30\n");
    let reading = read(&product.replace("  scenario_names: null\n", ""));
    assert_eq!((reading.problems.as_slice(), reading.warnings.as_slice()), (&[][..], &[][..]));
    let scenarios = reading.plan.unwrap().dataset.scenarios;
    let names: Vec<_> = scenarios.iter().map(|scenario| scenario.name.as_str()).collect();
    let all = ["in100-out10", "in100-out20", "in100-out30", "in200-out10", "in200-out20", "in200-out30"];
    assert_eq!(names, all);
    assert_eq!((scenarios[4].input_len, scenarios[4].output_len), (Some(200), Some(20)));

    let named = |names: &str| read(&product.replace("scenario_names: null", &format!("scenario_names: {names}")));
    assert_eq!(named("[a, b, c, d, e, f]").plan.unwrap().dataset.scenarios[5].name, "f");
    let [problem] = &named("[a, b]").problems[..] else { panic!() };
    assert!(problem.message.starts_with("2 scenario names do not fit 6 pairs"), "{problem}");

    let lengths = |count: u32| (1..=count).map(|n| n.to_string()).collect::<Vec<_>>().join(", ");
    let many = format!("dataset: {{scenario_product: true, input_len: [{0}], output_len: [{0}]}}", lengths(40));
    let problems = read(&format!("model: {{name: m}}\n{many}\nframeworks: {{}}\n")).problems;
    assert!(problems.iter().any(|problem| problem.message.contains("1600 scenarios are too many")), "{problems:?}");
}
