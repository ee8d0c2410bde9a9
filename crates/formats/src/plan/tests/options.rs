//! Options of TensorRT-LLM that a plan gives beside its flags.

use podium_domain::candidate::generate_all;

use super::*;

fn plan(base: &str, search: &str) -> PlanReading {
    read(&format!(
        "model: {{name: org/model}}\nsla: {{max_p50_ttft_ms: 500}}\ndataset: {{input_len: [64], output_len: [16]}}\nframeworks:\n  \
         tensorrt_llm:\n    base_server_flags: {{backend: pytorch, max_seq_len: 2048{base}}}\n    search_space: {{{search}}}\n"
    ))
}

fn paths(problems: &[Problem]) -> Vec<&str> {
    problems.iter().map(|problem| problem.path.as_str()).collect()
}

#[test]
fn options_are_searched_by_their_dotted_names() {
    let reading = plan(
        ", stream_interval: 4, extra_llm_api_options: {cuda_graph_config: null, newer_option: 1}",
        "kv_cache_config.enable_block_reuse: [true, false], max_batch_size: [8]",
    );
    assert_eq!((reading.problems.as_slice(), reading.warnings.as_slice()), (&[][..], &[][..]));
    let sets = generate_all(&reading.plan.unwrap()).unwrap();
    let files: Vec<_> = sets[0].candidates.iter().map(|c| c.options_file().unwrap().text).collect();
    let base = "cuda_graph_config: null\n";
    let rest = "newer_option: 1\nstream_interval: 4\n";
    let with = |reuse: &str| format!("{base}kv_cache_config:\n  enable_block_reuse: {reuse}\n{rest}");
    assert_eq!(files, [format!("{base}{rest}"), with("true"), with("false")]);
}

#[test]
fn wrong_options_are_problems_with_their_place() {
    let reading = plan(
        ", stream_interval: many, extra_llm_api_options: {backend: trt, kv_cache_config: {max_tokens: x}}",
        "kv_cache_config.dtyp: [fp8], kv_cache_config.free_gpu_memory_fraction: [0.8, 0.9]",
    );
    let base = "frameworks.tensorrt_llm.base_server_flags";
    let wrong = [
        format!("{base}.stream_interval"),
        format!("{base}.extra_llm_api_options.backend"),
        format!("{base}.extra_llm_api_options.kv_cache_config.max_tokens"),
        "frameworks.tensorrt_llm.search_space.kv_cache_config.dtyp".to_owned(),
    ];
    let mut found = paths(&reading.problems);
    found.sort_unstable();
    let mut wrong: Vec<_> = wrong.iter().map(String::as_str).collect();
    wrong.sort_unstable();
    assert_eq!(found, wrong);
    let near = reading.problems.iter().find(|problem| problem.path.ends_with("dtyp")).unwrap();
    assert!(near.message.ends_with("did you mean `kv_cache_config.dtype`?"), "{near}");
    assert_eq!(
        paths(&reading.warnings),
        ["frameworks.tensorrt_llm.search_space.kv_cache_config.free_gpu_memory_fraction"]
    );
}

#[test]
fn options_of_the_plan_and_a_file_of_the_users_own_exclude_each_other() {
    let reading = plan(", extra_llm_api_options: mine.yaml", "stream_interval: [1, 2]");
    assert_eq!(paths(&reading.problems), ["frameworks.tensorrt_llm.search_space.stream_interval"]);
    assert!(reading.problems[0].message.contains("`mine.yaml`"), "{}", reading.problems[0]);
    assert_eq!(plan(", extra_llm_api_options: mine.yaml", "max_batch_size: [8]").problems, []);
    let other = "model: {name: m}\ndataset: {input_len: [64], output_len: [16]}\nframeworks: {vllm: {base_server_flags: \
                 {max_model_len: 2048}, search_space: {stream_interval: [1]}}}\n";
    let others = read(other).problems;
    assert!(others.iter().all(|problem| !problem.message.contains("file")), "{others:?}");
}
