//! What each framework calls its metrics.
//!
//! Read off running servers (vLLM 0.32, SGLang 0.5.23, llama.cpp) and, for TensorRT-LLM, off its
//! `tensorrt_llm/metrics/collector.py`. Where a name has changed, the newer one comes first.

use podium_domain::framework::Framework;

use super::prometheus::Sample;

/// How the series of one name (engines, ranks, label values) become one figure.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Fold {
    Sum,
    Max,
}

/// One metric.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Metric {
    pub name: &'static str,
    pub fold: Fold,
    /// Only series with this label value count.
    pub only: Option<(&'static str, &'static str)>,
}

/// Where a figure may be found; the first that is there counts.
pub(crate) type Places = &'static [Metric];

const fn sum(name: &'static str) -> Metric {
    Metric { name, fold: Fold::Sum, only: None }
}

const fn max(name: &'static str) -> Metric {
    Metric { name, fold: Fold::Max, only: None }
}

/// How many tokens the KV cache holds.
#[derive(Debug, Clone, Copy)]
pub(crate) enum KvTokens {
    /// It is a gauge.
    Gauge(Metric),
    /// Blocks times tokens in a block.
    Product(Metric, Metric),
    /// The same from two labels of an info metric.
    Labels { name: &'static str, blocks: &'static str, block_tokens: &'static str },
    /// The framework does not say.
    Unknown,
}

/// How many prompt tokens came from the prefix cache.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Cached {
    /// It is a counter.
    Counter(Metric),
    /// The first, less those that had to be computed.
    Difference(Metric, Metric),
}

/// The names of one framework. Names of histograms are without `_sum` and `_count`; their values are seconds.
#[derive(Debug)]
pub(crate) struct Names {
    pub path: &'static str,
    /// What all of the framework's names begin with; empty where none is known.
    pub prefix: &'static str,
    pub running: Places,
    pub waiting: Places,
    pub kv_usage: Places,
    pub kv_tokens: KvTokens,
    pub preemptions: Places,
    pub prompt_tokens: Places,
    /// Whether `prompt_tokens` leaves cached ones out.
    pub prompt_tokens_are_uncached: bool,
    pub cached_tokens: &'static [Cached],
    /// Verifications of speculative decoding.
    pub drafts: Places,
    pub draft_tokens: Places,
    pub accepted_tokens: Places,
    pub accept_length: Places,
    pub accept_rate: Places,
    pub draft_steps: Places,
    pub draft_width: Places,
    pub weight_gb: Places,
    pub ttft: Places,
    pub queue: Places,
    pub pre_scheduler: Places,
}

/// A framework of which nothing but the path is known.
const NOTHING: Names = Names {
    path: "/metrics",
    prefix: "",
    running: &[],
    waiting: &[],
    kv_usage: &[],
    kv_tokens: KvTokens::Unknown,
    preemptions: &[],
    prompt_tokens: &[],
    prompt_tokens_are_uncached: false,
    cached_tokens: &[],
    drafts: &[],
    draft_tokens: &[],
    accepted_tokens: &[],
    accept_length: &[],
    accept_rate: &[],
    draft_steps: &[],
    draft_width: &[],
    weight_gb: &[],
    ttft: &[],
    queue: &[],
    pre_scheduler: &[],
};

const VLLM: Names = Names {
    prefix: "vllm:",
    running: &[sum("vllm:num_requests_running")],
    waiting: &[sum("vllm:num_requests_waiting")],
    kv_usage: &[max("vllm:kv_cache_usage_perc"), max("vllm:gpu_cache_usage_perc")],
    kv_tokens: KvTokens::Labels {
        name: "vllm:cache_config_info",
        blocks: "num_gpu_blocks",
        block_tokens: "block_size",
    },
    preemptions: &[sum("vllm:num_preemptions_total")],
    prompt_tokens: &[sum("vllm:prompt_tokens_total")],
    cached_tokens: &[
        Cached::Counter(sum("vllm:prompt_tokens_cached_total")),
        Cached::Counter(sum("vllm:prefix_cache_hits_total")),
    ],
    drafts: &[sum("vllm:spec_decode_num_drafts_total")],
    draft_tokens: &[sum("vllm:spec_decode_num_draft_tokens_total")],
    accepted_tokens: &[sum("vllm:spec_decode_num_accepted_tokens_total")],
    ttft: &[sum("vllm:time_to_first_token_seconds")],
    queue: &[sum("vllm:request_queue_time_seconds")],
    ..NOTHING
};

const SGLANG: Names = Names {
    prefix: "sglang:",
    running: &[sum("sglang:num_running_reqs")],
    waiting: &[sum("sglang:num_queue_reqs")],
    kv_usage: &[max("sglang:token_usage")],
    kv_tokens: KvTokens::Gauge(sum("sglang:max_total_num_tokens")),
    preemptions: &[sum("sglang:num_retracted_requests_total")],
    prompt_tokens: &[sum("sglang:prompt_tokens_total")],
    // The counter has no series before the first hit, so that its absence says nothing.
    cached_tokens: &[
        Cached::Difference(
            sum("sglang:prompt_tokens_histogram_sum"),
            sum("sglang:uncached_prompt_tokens_histogram_sum"),
        ),
        Cached::Counter(sum("sglang:cached_tokens_total")),
    ],
    accept_length: &[max("sglang:spec_accept_length")],
    accept_rate: &[max("sglang:spec_accept_rate")],
    draft_steps: &[max("sglang:spec_num_steps")],
    draft_width: &[max("sglang:spec_num_draft_tokens")],
    weight_gb: &[max("sglang:weight_memory_usage_gb")],
    ttft: &[sum("sglang:time_to_first_token_seconds")],
    queue: &[sum("sglang:queue_time_seconds")],
    pre_scheduler: &[Metric {
        only: Some(("stage", "request_process")),
        ..sum("sglang:per_stage_req_latency_seconds")
    }],
    ..NOTHING
};

const TENSORRT_LLM: Names = Names {
    // Its `/metrics` is a list of iterations in JSON.
    path: "/prometheus/metrics",
    prefix: "trtllm_",
    running: &[sum("trtllm_num_requests_running")],
    waiting: &[sum("trtllm_num_requests_waiting")],
    kv_usage: &[max("trtllm_kv_cache_utilization")],
    kv_tokens: KvTokens::Product(max("trtllm_kv_cache_max_blocks"), max("trtllm_kv_cache_tokens_per_block")),
    prompt_tokens: &[sum("trtllm_prompt_tokens_total")],
    cached_tokens: &[Cached::Counter(sum("trtllm_prompt_cached_tokens_total"))],
    draft_tokens: &[sum("trtllm_spec_decode_num_draft_tokens_total")],
    accepted_tokens: &[sum("trtllm_spec_decode_num_accepted_tokens_total")],
    accept_length: &[max("trtllm_spec_decode_acceptance_length")],
    ttft: &[sum("trtllm_time_to_first_token_seconds")],
    queue: &[sum("trtllm_request_queue_time_seconds")],
    ..NOTHING
};

const LLAMA_CPP: Names = Names {
    prefix: "llamacpp:",
    running: &[sum("llamacpp:requests_processing")],
    waiting: &[sum("llamacpp:requests_deferred")],
    kv_usage: &[max("llamacpp:kv_cache_usage_ratio")],
    prompt_tokens: &[sum("llamacpp:prompt_tokens_total")],
    prompt_tokens_are_uncached: true,
    cached_tokens: &[Cached::Counter(sum("llamacpp:prompt_tokens_cached_total"))],
    drafts: &[sum("llamacpp:spec_decode_num_drafts_total")],
    draft_tokens: &[sum("llamacpp:spec_decode_num_draft_tokens_total")],
    accepted_tokens: &[sum("llamacpp:spec_decode_num_accepted_tokens_total")],
    ..NOTHING
};

/// The names of a framework. Nobody has written TokenSpeed's down.
pub(crate) fn names(framework: Framework) -> &'static Names {
    match framework {
        Framework::Vllm => &VLLM,
        Framework::Sglang => &SGLANG,
        Framework::TensorrtLlm => &TENSORRT_LLM,
        Framework::LlamaCpp => &LLAMA_CPP,
        Framework::Tokenspeed => &NOTHING,
    }
}

/// The paths at which the known frameworks have their metrics.
pub(crate) const PATHS: [&str; 2] = [NOTHING.path, TENSORRT_LLM.path];

/// Whose metrics these are; `None` where they are of no known framework.
pub(crate) fn recognise(samples: &[Sample]) -> Option<&'static Names> {
    let known: [&'static Names; 4] = [&VLLM, &SGLANG, &TENSORRT_LLM, &LLAMA_CPP];
    known.into_iter().find(|names| samples.iter().any(|sample| sample.name.starts_with(names.prefix)))
}
