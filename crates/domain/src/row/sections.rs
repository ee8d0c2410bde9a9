//! The sections of a row.

use serde::Serialize;
use serde_json::{Map, Value};

use super::loose;

/// Declares a section of a row: every field is optional, read loosely, and left out where it is `None`.
macro_rules! section {
    ($(#[$meta:meta])* $name:ident { $($(#[$fmeta:meta])* $field:ident: $type:ty,)* }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Default, PartialEq, Serialize)]
        pub struct $name {
            $(
                $(#[$fmeta])*
                #[serde(skip_serializing_if = "Option::is_none")]
                pub $field: Option<$type>,
            )*
            /// Keys that are not part of the schema, as they came.
            #[serde(flatten)]
            pub extra: Map<String, Value>,
        }

        loose::read_keeping_unknown! { $name { $($field: loose::Read<$type>,)* } after Ok }
    };
}

section! {
    /// What a candidate ran on.
    RowHardware {
        /// For example `H100`.
        gpu_model: String,
        /// GPUs of the server; 0 for a server on the CPU.
        gpu_count: u64,
        /// The GPUs that the server saw: a list of ids, or the text of the environment variable.
        visible_devices: Value,
    }
}

section! {
    /// What a candidate was asked.
    RowWorkload {
        /// `random`, or a file kind.
        kind: String,
        /// The scenario's name. See [`ResultRow::scenario`].
        scenario: String,
        /// The dataset's file.
        dataset_path: String,
        /// Prompt tokens of every request.
        input_len: u64,
        /// Output tokens of every request.
        output_len: u64,
        /// Median prompt tokens.
        input_len_p50: f64,
        /// 95th percentile of prompt tokens.
        input_len_p95: f64,
        /// Median output tokens.
        output_len_p50: f64,
        /// 95th percentile of output tokens.
        output_len_p95: f64,
        /// Requests of the measurement.
        num_prompts: u64,
        /// Requests per second that were asked for; absent for closed loops and bursts.
        request_rate: f64,
        /// Largest number of requests in flight.
        max_concurrency: u64,
        /// The request path.
        endpoint: String,
    }
}

section! {
    /// The limits of a row, and whether they were held.
    RowSla {
        /// Largest median time to first token, ms.
        max_p50_ttft_ms: f64,
        /// Largest median time per output token, ms.
        max_p50_tpot_ms: f64,
        /// Largest median end-to-end latency, ms.
        max_p50_e2e_ms: f64,
        /// Smallest share of requests that succeed, in [0, 1].
        min_success_rate: f64,
        /// What the row says. [`ResultRow::sla_verdict`] recomputes it.
        passed: bool,
    }
}

section! {
    /// The figures of a row: throughputs per second over the whole duration, latencies in ms, rates in [0, 1].
    RowMetrics {
        /// Completed requests per second.
        request_throughput: f64,
        /// Output tokens per second.
        output_token_throughput: f64,
        /// Input and output tokens per second.
        total_token_throughput: f64,
        /// Median TTFT from the sending of the request.
        p50_ttft_ms: f64,
        /// Mean TTFT.
        mean_ttft_ms: f64,
        /// 99th percentile of TTFT.
        p99_ttft_ms: f64,
        /// Median TPOT.
        p50_tpot_ms: f64,
        /// Mean TPOT.
        mean_tpot_ms: f64,
        /// 99th percentile of TPOT.
        p99_tpot_ms: f64,
        /// Median end-to-end latency.
        p50_e2e_ms: f64,
        /// Mean end-to-end latency.
        mean_e2e_ms: f64,
        /// 99th percentile of end-to-end latency.
        p99_e2e_ms: f64,
        /// Share of requests that succeeded.
        success_rate: f64,
    }
}

section! {
    /// Speculative decoding.
    RowSpecDecode {
        /// Whether it was on.
        enabled: bool,
        /// For example `EAGLE`.
        algorithm: String,
        /// Draft steps.
        num_steps: u64,
        /// Draft tokens per step.
        num_draft_tokens: u64,
        /// Mean accepted tokens per step.
        mean_accept_length: f64,
        /// Share of draft tokens that were accepted.
        acceptance_rate: f64,
    }
}

section! {
    /// Where requests spent their time inside the server, ms.
    RowPhases {
        /// Before the scheduler saw the request.
        pre_scheduler_ms: f64,
        /// In the scheduler.
        scheduler_ms: f64,
        /// In the tokenizer.
        tokenizer_ms: f64,
        /// In the detokenizer.
        detokenizer_ms: f64,
        /// Waiting in the queue.
        queue_ms: f64,
    }
}

section! {
    /// The prefix and KV caches.
    RowCache {
        /// Whether the prefix cache was on.
        prefix_cache_enabled: bool,
        /// Share of input tokens that came from the prefix cache.
        prefix_cache_hit_rate: f64,
        /// Tokens that the KV cache holds.
        kv_cache_tokens: f64,
        /// Share of the KV cache in use.
        kv_cache_utilization: f64,
    }
}

section! {
    /// GPU memory.
    RowMemory {
        /// Share of GPU memory that the server may take.
        gpu_memory_utilization: f64,
        /// For example `fp8`.
        kv_cache_dtype: String,
        /// Weights kept in main memory, GB.
        cpu_offload_gb: f64,
        /// Weights on the GPU, GB.
        gpu_resident_weight_gb: f64,
    }
}

section! {
    /// What was held equal between the frameworks of a comparison.
    RowNormalization {
        /// The same number of GPUs.
        same_gpu_count: bool,
        /// The same weights.
        same_model_weights: bool,
        /// The same tokenizer.
        same_tokenizer: bool,
        /// The same request path.
        same_endpoint: bool,
        /// Remarks: text, or a list of texts.
        notes: Value,
    }
}

section! {
    /// Flags that were checked against the tools' own help.
    RowCliFlags {
        /// Of the server.
        server: Vec<String>,
        /// Of the benchmark tool.
        benchmark: Vec<String>,
    }
}

section! {
    /// Where the files of a row are: paths or links.
    RowArtifacts {
        /// The server's log.
        server_log: String,
        /// The benchmark's raw result.
        raw_result: String,
        /// The server's help text.
        server_help: String,
        /// The benchmark tool's help text.
        benchmark_help: String,
    }
}

impl RowArtifacts {
    /// The files that are known, as (what, where).
    pub fn named(&self) -> impl Iterator<Item = (&'static str, &str)> {
        [
            ("server log", &self.server_log),
            ("raw result", &self.raw_result),
            ("server help", &self.server_help),
            ("benchmark help", &self.benchmark_help),
        ]
        .into_iter()
        .filter_map(|(name, place)| Some((name, place.as_deref()?)))
    }
}
