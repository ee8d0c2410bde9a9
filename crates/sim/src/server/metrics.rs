//! `/metrics` in the Prometheus text format, under each framework's names.

use std::fmt::Write;

use podium_domain::framework::Framework;

use crate::engine::stats::TIME_BOUNDS_S;
use crate::engine::{Histogram, Stats};

enum Value<'a> {
    Gauge(f64),
    Counter(f64),
    Times(&'a Histogram),
}

use Value::{Counter, Gauge, Times};

type Metric<'a> = (&'static str, &'static str, Value<'a>);

/// The text of `/metrics`.
pub(super) fn render(framework: Framework, model: &str, stats: &Stats) -> String {
    let (prefix, metrics) = match framework {
        Framework::Vllm => ("vllm:", vllm(stats)),
        Framework::Tokenspeed => ("tokenspeed:", vllm(stats)),
        Framework::Sglang => ("sglang:", sglang(stats)),
        Framework::TensorrtLlm => ("trtllm_", tensorrt_llm(stats)),
        Framework::LlamaCpp => ("llamacpp:", llama_cpp(stats)),
    };
    let model = model.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
    let labels = match framework {
        Framework::LlamaCpp => String::new(),
        Framework::Vllm | Framework::Tokenspeed => format!("engine=\"0\",model_name=\"{model}\""),
        Framework::Sglang | Framework::TensorrtLlm => format!("model_name=\"{model}\""),
    };
    let mut text = String::new();
    for (name, help, value) in metrics {
        push(&mut text, &format!("{prefix}{name}"), help, &labels, &value);
    }
    if framework == Framework::Sglang {
        let labels = format!("{labels},stage=\"request_process\"");
        let name = "sglang:per_stage_req_latency_seconds";
        push(&mut text, name, "Time in a stage", &labels, &Times(&stats.pre_scheduler));
    }
    if framework == Framework::Vllm {
        let labels =
            format!("block_size=\"{}\",engine=\"0\",num_gpu_blocks=\"{}\"", stats.block_tokens, stats.kv_total_blocks);
        push(&mut text, "vllm:cache_config_info", "What the cache was set up with", &labels, &Gauge(1.0));
    }
    text
}

fn push(text: &mut String, name: &str, help: &str, labels: &str, value: &Value<'_>) {
    let kind = match value {
        Gauge(_) => "gauge",
        Counter(_) => "counter",
        Times(_) => "histogram",
    };
    let braced = if labels.is_empty() { String::new() } else { format!("{{{labels}}}") };
    let separator = if labels.is_empty() { "" } else { "," };
    let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} {kind}");
    match value {
        Gauge(number) | Counter(number) => {
            let _ = writeln!(text, "{name}{braced} {number}");
        }
        Times(times) => {
            let mut below = 0;
            for (bound, count) in TIME_BOUNDS_S.iter().zip(times.buckets) {
                below += count;
                let _ = writeln!(text, "{name}_bucket{{{labels}{separator}le=\"{bound}\"}} {below}");
            }
            let _ = writeln!(text, "{name}_bucket{{{labels}{separator}le=\"+Inf\"}} {}", times.count);
            let _ = writeln!(text, "{name}_count{braced} {}\n{name}_sum{braced} {}", times.count, times.sum_s);
        }
    }
}

fn vllm(stats: &Stats) -> Vec<Metric<'_>> {
    let mut metrics = vec![
        ("num_requests_running", "Requests in progress", Gauge(stats.running as f64)),
        ("num_requests_waiting", "Requests that wait", Gauge(stats.waiting as f64)),
        ("prompt_tokens_cached_total", "Prompt tokens found", Counter(stats.prefix_hit_tokens as f64)),
        ("kv_cache_usage_perc", "Part of the KV cache in use, 1 is all", Gauge(stats.kv_usage())),
        ("num_preemptions_total", "Preempted requests", Counter(stats.preemptions as f64)),
        ("prefix_cache_queries_total", "Prompt tokens looked up", Counter(stats.prefix_query_tokens as f64)),
        ("prefix_cache_hits_total", "Prompt tokens found", Counter(stats.prefix_hit_tokens as f64)),
        ("prompt_tokens_total", "Prompt tokens", Counter(stats.prompt_tokens as f64)),
        ("generation_tokens_total", "Output tokens", Counter(stats.generation_tokens as f64)),
        ("request_success_total", "Finished requests", Counter(finished(stats))),
        ("time_to_first_token_seconds", "Time to first token", Times(&stats.ttft)),
        ("request_time_per_output_token_seconds", "Time per output token", Times(&stats.tpot)),
        ("request_queue_time_seconds", "Time in the queue", Times(&stats.queue)),
        ("e2e_request_latency_seconds", "Time to the last token", Times(&stats.e2e)),
    ];
    if stats.draft_passes > 0 {
        metrics.extend([
            ("spec_decode_num_drafts_total", "Draft passes", Counter(stats.draft_passes as f64)),
            ("spec_decode_num_draft_tokens_total", "Draft tokens", Counter(stats.draft_tokens as f64)),
            ("spec_decode_num_accepted_tokens_total", "Accepted draft tokens", Counter(stats.accepted_tokens as f64)),
        ]);
    }
    metrics
}

fn sglang(stats: &Stats) -> Vec<Metric<'_>> {
    let tokens = |blocks: u64| blocks as f64 * f64::from(stats.block_tokens);
    let mut metrics = vec![
        ("num_running_reqs", "Requests in progress", Gauge(stats.running as f64)),
        ("num_queue_reqs", "Requests that wait", Gauge(stats.waiting as f64)),
        ("token_usage", "Part of the KV cache in use, 1 is all", Gauge(stats.kv_usage())),
        ("num_used_tokens", "Tokens in the KV cache", Gauge(tokens(stats.kv_used_blocks))),
        ("max_total_num_tokens", "Tokens that the KV cache holds", Gauge(tokens(stats.kv_total_blocks))),
        ("cache_hit_rate", "Part of the prompt tokens that was cached", Gauge(stats.prefix_hit_rate().unwrap_or(0.0))),
        ("num_retracted_requests_total", "Retracted requests", Counter(stats.preemptions as f64)),
        ("cached_tokens_total", "Prompt tokens that were cached", Counter(stats.prefix_hit_tokens as f64)),
        ("prompt_tokens_total", "Prompt tokens", Counter(stats.prompt_tokens as f64)),
        ("generation_tokens_total", "Output tokens", Counter(stats.generation_tokens as f64)),
        ("num_requests_total", "Finished requests", Counter(finished(stats))),
        ("time_to_first_token_seconds", "Time to first token", Times(&stats.ttft)),
        ("request_time_per_output_token_seconds", "Time per output token", Times(&stats.tpot)),
        ("queue_time_seconds", "Time in the queue", Times(&stats.queue)),
        ("e2e_request_latency_seconds", "Time to the last token", Times(&stats.e2e)),
    ];
    if stats.draft_passes > 0 {
        let length = 1.0 + stats.accepted_tokens as f64 / stats.draft_passes as f64;
        metrics.push(("spec_accept_length", "Tokens per verification", Gauge(length)));
        let rate = stats.accepted_tokens as f64 / stats.draft_tokens.max(1) as f64;
        metrics.push(("spec_accept_rate", "Part of the drafts that was accepted", Gauge(rate)));
        metrics.push(("spec_verify_calls_total", "Verification passes", Counter(stats.draft_passes as f64)));
    }
    metrics
}

fn tensorrt_llm(stats: &Stats) -> Vec<Metric<'_>> {
    let mut metrics = vec![
        ("num_requests_running", "Requests in progress", Gauge(stats.running as f64)),
        ("num_requests_waiting", "Requests that wait", Gauge(stats.waiting as f64)),
        ("kv_cache_utilization", "Part of the KV cache in use, 1 is all", Gauge(stats.kv_usage())),
        (
            "kv_cache_hit_rate",
            "Part of the prompt tokens that was cached",
            Gauge(stats.prefix_hit_rate().unwrap_or(0.0)),
        ),
        ("kv_cache_max_blocks", "Blocks of the KV cache", Gauge(stats.kv_total_blocks as f64)),
        ("kv_cache_tokens_per_block", "Tokens in a block", Gauge(f64::from(stats.block_tokens))),
        ("prompt_tokens_total", "Prompt tokens", Counter(stats.prompt_tokens as f64)),
        ("prompt_cached_tokens_total", "Prompt tokens found", Counter(stats.prefix_hit_tokens as f64)),
        ("generation_tokens_total", "Output tokens", Counter(stats.generation_tokens as f64)),
        ("request_success_total", "Finished requests", Counter(finished(stats))),
        ("time_to_first_token_seconds", "Time to first token", Times(&stats.ttft)),
        ("time_per_output_token_seconds", "Time per output token", Times(&stats.tpot)),
        ("request_queue_time_seconds", "Time in the queue", Times(&stats.queue)),
        ("e2e_request_latency_seconds", "Time to the last token", Times(&stats.e2e)),
    ];
    if stats.draft_passes > 0 {
        let length = 1.0 + stats.accepted_tokens as f64 / stats.draft_passes as f64;
        metrics.extend([
            ("spec_decode_num_draft_tokens_total", "Draft tokens", Counter(stats.draft_tokens as f64)),
            ("spec_decode_num_accepted_tokens_total", "Accepted draft tokens", Counter(stats.accepted_tokens as f64)),
            ("spec_decode_acceptance_length", "Tokens per verification", Gauge(length)),
        ]);
    }
    metrics
}

fn llama_cpp(stats: &Stats) -> Vec<Metric<'_>> {
    let computed = stats.prompt_tokens.saturating_sub(stats.prefix_hit_tokens);
    vec![
        ("prompt_tokens_total", "Prompt tokens processed, without cached ones", Counter(computed as f64)),
        ("prompt_tokens_cached_total", "Prompt tokens from the cache", Counter(stats.prefix_hit_tokens as f64)),
        ("tokens_predicted_total", "Output tokens", Counter(stats.generation_tokens as f64)),
        ("n_decode_total", "Steps", Counter(stats.steps as f64)),
        ("tokens_predicted_seconds_total", "Time in steps", Counter(stats.busy_s)),
        ("spec_decode_num_drafts_total", "Verification passes", Counter(stats.draft_passes as f64)),
        ("spec_decode_num_draft_tokens_total", "Draft tokens", Counter(stats.draft_tokens as f64)),
        ("spec_decode_num_accepted_tokens_total", "Accepted draft tokens", Counter(stats.accepted_tokens as f64)),
        ("requests_processing", "Requests in progress", Gauge(stats.running as f64)),
        ("requests_deferred", "Requests that wait", Gauge(stats.waiting as f64)),
    ]
}

fn finished(stats: &Stats) -> f64 {
    (stats.finished_stop + stats.finished_length) as f64
}
