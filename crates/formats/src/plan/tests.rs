//! Whole plans: reading, the cookbook's shapes, and edits that keep everything else.

mod dataset;
mod editing;
mod options;
mod properties;
mod reading;
mod shipped;

use super::*;

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

/// Lines of `before` that are not in `after`, and the other way round.
fn changed(before: &str, after: &str) -> (Vec<String>, Vec<String>) {
    let only =
        |a: &str, b: &str| a.lines().filter(|line| !b.lines().any(|other| other == *line)).map(str::to_owned).collect();
    (only(before, after), only(after, before))
}
