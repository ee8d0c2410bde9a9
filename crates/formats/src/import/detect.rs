//! Which tool wrote a result, told by its keys.

use std::fmt;

use podium_domain::framework::Framework;
use serde_json::{Map, Value};

/// A tool whose results can be imported.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Tool {
    /// `vllm bench serve --save-result`, also with `--save-detailed`.
    VllmBench,
    /// `vllm bench sweep serve`: its `summary.json` and single runs.
    VllmSweep,
    /// `python -m sglang.bench_serving --output-file`.
    SglangBench,
    /// `python -m sglang.auto_benchmark`: its `results.jsonl`.
    SglangAutoBenchmark,
    /// `python -m tensorrt_llm.serve.scripts.benchmark_serving --save-result`.
    TrtllmBench,
    /// GuideLLM's `benchmarks.json`.
    Guidellm,
    /// AIPerf's `profile_export_aiperf.json` and `profile_export.jsonl`.
    Aiperf,
}

/// What can be imported, as a sentence.
pub(super) const EXPECTED: &str = "Expected is the JSON of vllm bench serve --save-result, vllm bench sweep serve \
    (summary.json), sglang.bench_serving --output-file, sglang.auto_benchmark (JSONL), TensorRT-LLM's benchmark_serving \
    --save-result, GuideLLM (benchmarks.json) or AIPerf (profile_export_aiperf.json, profile_export.jsonl).";

impl Tool {
    /// The tool's name as its users write it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Tool::VllmBench => "vllm bench serve",
            Tool::VllmSweep => "vllm bench sweep serve",
            Tool::SglangBench => "sglang.bench_serving",
            Tool::SglangAutoBenchmark => "sglang.auto_benchmark",
            Tool::TrtllmBench => "tensorrt_llm benchmark_serving",
            Tool::Guidellm => "guidellm",
            Tool::Aiperf => "aiperf",
        }
    }

    /// The framework whose own tool it is; `None` for a tool that measures any.
    #[must_use]
    pub fn framework(self) -> Option<Framework> {
        match self {
            Tool::VllmBench | Tool::VllmSweep => Some(Framework::Vllm),
            Tool::SglangBench | Tool::SglangAutoBenchmark => Some(Framework::Sglang),
            Tool::TrtllmBench => Some(Framework::TensorrtLlm),
            Tool::Guidellm | Tool::Aiperf => None,
        }
    }

    /// The tool that wrote `document`; the error says what the document is instead, or what was expected.
    pub(super) fn of(document: &Map<String, Value>) -> Result<Tool, String> {
        let has = |key: &str| document.contains_key(key);
        let is_number = |key: &str| document.get(key).is_some_and(Value::is_number);
        if document.get("benchmarks").is_some_and(Value::is_array) {
            return Ok(Tool::Guidellm);
        }
        if has("server_flags") && (has("requested_qps") || has("sla_passed")) {
            return Ok(Tool::SglangAutoBenchmark);
        }
        if is_result_row(document) {
            return Err("these are result rows already: give the file to `podium compare`".to_owned());
        }
        let records = document.get("records").and_then(Value::as_object).unwrap_or(document);
        let is_metric = |key: &str| records.get(key).is_some_and(|metric| metric.get("avg").is_some());
        if is_metric("request_throughput") || is_metric("request_latency") {
            return Ok(Tool::Aiperf);
        }
        if is_aiperf_request(document) {
            return Err("this is a single request of AIPerf; a file of them holds nothing else".to_owned());
        }
        if is_number("request_throughput") && is_number("completed") {
            if has("run_number") {
                return Ok(Tool::VllmSweep);
            }
            if has("server_info") || has("total_throughput") || has("median_e2e_latency_ms") {
                return Ok(Tool::SglangBench);
            }
            // Its own key is misspelt, with a colon.
            if has("user_throughput") || has("request_goodput:") || has("avg_decoded_tokens_per_iter") {
                return Ok(Tool::TrtllmBench);
            }
            if has("output_throughput") {
                return Ok(Tool::VllmBench);
            }
        }
        if has("run_number") && has("error") && has("serve_overrides") {
            return Ok(Tool::VllmSweep);
        }
        let keys: Vec<_> = document.keys().take(6).map(|key| format!("`{key}`")).collect();
        let found =
            if keys.is_empty() { "an empty object".to_owned() } else { format!("the keys {}", keys.join(", ")) };
        Err(format!("no known tool writes {found}. {EXPECTED}"))
    }
}

/// Whether it is a result row of Podium or of the tools that share its schema.
pub(super) fn is_result_row(document: &Map<String, Value>) -> bool {
    document.contains_key("framework") && document.contains_key("candidate_id")
}

/// Whether it is a line of AIPerf's `profile_export.jsonl`.
pub(super) fn is_aiperf_request(document: &Map<String, Value>) -> bool {
    document.get("metadata").is_some_and(|metadata| metadata.get("x_request_id").is_some())
}

impl fmt::Display for Tool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
