//! What each framework's flags do to the engine: one table a framework. A known flag without a line has no effect.

use podium_domain::framework::Framework;
use serde_json::Value;

use crate::engine::{EngineConfig, MemoryRule, NumberFormat, PrefillMode};

/// How a flag's value changes the engine.
#[derive(Clone, Copy)]
pub(super) enum Effect {
    /// A whole number of at least 1.
    Count(fn(&mut EngineConfig, u32)),
    /// A whole number; what is below 1 means what the framework says it means.
    Signed(fn(&mut EngineConfig, i64)),
    /// A part above 0 and up to 1.
    Part(fn(&mut EngineConfig, f64)),
    /// A factor above 0.
    Factor(fn(&mut EngineConfig, f64)),
    /// On or off.
    Switch(fn(&mut EngineConfig, bool)),
    /// A number format; names without a width change nothing.
    Format(fn(&mut EngineConfig, NumberFormat)),
    /// A word.
    Word(fn(&mut EngineConfig, &str)),
    /// Several numbers: the largest counts.
    Largest(fn(&mut EngineConfig, u32)),
    /// A JSON object.
    Json(fn(&mut EngineConfig, &Value)),
}

use Effect::{Count, Factor, Format, Json, Largest, Part, Signed, Switch, Word};

type Line = (&'static str, Effect);

const SGLANG: &[Line] = &[
    ("tp_size", Count(|e, n| e.tensor_parallel = n)),
    ("pp_size", Count(|e, n| e.pipeline_parallel = n)),
    ("dp_size", Count(|e, n| e.data_parallel = n)),
    ("context_length", Count(|e, n| e.max_seq_tokens = n)),
    ("mem_fraction_static", Part(|e, part| e.memory = MemoryRule::StaticPart(part))),
    ("max_total_tokens", Count(|e, n| e.max_kv_tokens = Some(n.into()))),
    ("max_running_requests", Count(|e, n| e.max_running = n)),
    ("chunked_prefill_size", Signed(chunked_prefill_size)),
    ("page_size", Count(|e, n| e.block_tokens = n)),
    ("schedule_policy", Word(|e, word| e.longest_prefix_first = word == "lpm")),
    ("schedule_conservativeness", Factor(|e, factor| e.reserve = (e.reserve * factor).clamp(0.0, 1.0))),
    ("enable_mixed_chunk", Switch(|e, on| e.prefill = if on { PrefillMode::Mixed } else { PrefillMode::First })),
    ("disable_radix_cache", Switch(|e, on| e.prefix_cache = !on)),
    ("disable_overlap_schedule", Switch(|e, on| e.overlap = !on)),
    ("disable_cuda_graph", Switch(no_graphs)),
    ("cuda_graph_backend_decode", Word(|e, word| no_graphs(e, word == "disabled"))),
    ("cuda_graph_max_bs", Count(largest_graph)),
    ("cuda_graph_max_bs_decode", Count(largest_graph)),
    ("cuda_graph_bs", Largest(largest_graph)),
    ("cuda_graph_bs_decode", Largest(largest_graph)),
    ("speculative_num_draft_tokens", Count(|e, n| e.draft_tokens = n)),
    ("quantization", Format(|e, format| e.weights = format)),
    ("dtype", Format(dtype)),
    ("kv_cache_dtype", Format(|e, format| e.kv = format)),
];

const VLLM: &[Line] = &[
    ("tensor_parallel_size", Count(|e, n| e.tensor_parallel = n)),
    ("pipeline_parallel_size", Count(|e, n| e.pipeline_parallel = n)),
    ("data_parallel_size", Count(|e, n| e.data_parallel = n)),
    ("max_model_len", Signed(|e, n| e.max_seq_tokens = positive(n).unwrap_or(e.max_seq_tokens))),
    ("gpu_memory_utilization", Part(|e, part| e.memory = MemoryRule::PartOfTotal(part))),
    ("block_size", Count(|e, n| e.block_tokens = n)),
    ("max_num_seqs", Count(|e, n| e.max_running = n)),
    ("max_num_batched_tokens", Count(|e, n| e.token_budget = n)),
    ("enable_chunked_prefill", Switch(|e, on| e.chunked_prefill = on)),
    ("enable_prefix_caching", Switch(|e, on| e.prefix_cache = on)),
    ("async_scheduling", Switch(|e, on| e.overlap = on)),
    ("enforce_eager", Switch(no_graphs)),
    ("max_cudagraph_capture_size", Count(largest_graph)),
    ("cudagraph_capture_sizes", Largest(largest_graph)),
    ("compilation_config", Json(compilation_config)),
    ("speculative_config", Json(|e, value| e.draft_tokens = member(value, "num_speculative_tokens").unwrap_or(3))),
    ("spec_tokens", Count(|e, n| e.draft_tokens = n)),
    ("quantization", Format(|e, format| e.weights = format)),
    ("dtype", Format(dtype)),
    ("kv_cache_dtype", Format(|e, format| e.kv = format)),
];

const TENSORRT_LLM: &[Line] = &[
    ("tp_size", Count(|e, n| e.tensor_parallel = n)),
    ("pp_size", Count(|e, n| e.pipeline_parallel = n)),
    ("max_seq_len", Count(|e, n| e.max_seq_tokens = n)),
    ("max_batch_size", Count(|e, n| e.max_running = n)),
    ("max_num_tokens", Count(|e, n| e.token_budget = n)),
    ("kv_cache_free_gpu_memory_fraction", Part(|e, part| e.memory = MemoryRule::PartOfFree(part))),
    ("free_gpu_memory_fraction", Part(|e, part| e.memory = MemoryRule::PartOfFree(part))),
    ("enable_chunked_prefill", Switch(|e, on| e.chunked_prefill = on)),
];

/// Members of TensorRT-LLM's options file, with dots between levels.
const TENSORRT_LLM_FILE: &[Line] = &[
    ("tensor_parallel_size", Count(|e, n| e.tensor_parallel = n)),
    ("pipeline_parallel_size", Count(|e, n| e.pipeline_parallel = n)),
    ("max_seq_len", Count(|e, n| e.max_seq_tokens = n)),
    ("max_batch_size", Count(|e, n| e.max_running = n)),
    ("max_num_tokens", Count(|e, n| e.token_budget = n)),
    ("enable_chunked_prefill", Switch(|e, on| e.chunked_prefill = on)),
    ("disable_overlap_scheduler", Switch(|e, on| e.overlap = !on)),
    ("kv_cache_config.free_gpu_memory_fraction", Part(|e, part| e.memory = MemoryRule::PartOfFree(part))),
    ("kv_cache_config.max_tokens", Count(|e, n| e.max_kv_tokens = Some(n.into()))),
    ("kv_cache_config.tokens_per_block", Count(|e, n| e.block_tokens = n)),
    ("kv_cache_config.enable_block_reuse", Switch(|e, on| e.prefix_cache = on)),
    ("kv_cache_config.dtype", Format(|e, format| e.kv = format)),
    ("cuda_graph_config.max_batch_size", Count(largest_graph)),
    ("scheduler_config.capacity_scheduler_policy", Word(capacity_policy)),
    ("speculative_config.max_draft_len", Count(|e, n| e.draft_tokens = n)),
    ("speculative_config.num_nextn_predict_layers", Count(|e, n| e.draft_tokens = n)),
];

const TOKENSPEED: &[Line] = &[
    ("tensor_parallel_size", Count(|e, n| e.tensor_parallel = n)),
    ("pipeline_parallel_size", Count(|e, n| e.pipeline_parallel = n)),
    ("data_parallel_size", Count(|e, n| e.data_parallel = n)),
    ("max_model_len", Count(|e, n| e.max_seq_tokens = n)),
    ("gpu_memory_utilization", Part(|e, part| e.memory = MemoryRule::PartOfTotal(part))),
    ("max_num_seqs", Count(|e, n| e.max_running = n)),
    ("chunked_prefill_size", Signed(chunked_prefill_size)),
    ("enable_prefix_caching", Switch(|e, on| e.prefix_cache = on)),
    ("block_size", Count(|e, n| e.block_tokens = n)),
    ("enforce_eager", Switch(no_graphs)),
    ("dtype", Format(dtype)),
    ("kv_cache_dtype", Format(|e, format| e.kv = format)),
];

const LLAMA_CPP: &[Line] = &[
    ("parallel", Signed(|e, n| e.max_running = positive(n).unwrap_or(e.max_running))),
    ("ctx_size", Signed(|e, n| e.memory = MemoryRule::Tokens(positive(n).unwrap_or(0).into()))),
    // The logical batch is cut into physical ones; the step is the physical one.
    ("ubatch_size", Count(|e, n| e.token_budget = n)),
    ("cache_prompt", Switch(|e, on| e.prefix_cache = on)),
    ("cont_batching", Switch(|e, on| e.prefill = if on { PrefillMode::Mixed } else { PrefillMode::First })),
    ("cache_type_k", Format(|e, format| e.kv = format)),
    ("spec_draft_n_max", Count(|e, n| e.draft_tokens = n)),
];

/// The table of a framework's flags.
pub(super) fn of_flag(framework: Framework, name: &str) -> Option<Effect> {
    let table = match framework {
        Framework::Sglang => SGLANG,
        Framework::Vllm => VLLM,
        Framework::TensorrtLlm => TENSORRT_LLM,
        Framework::Tokenspeed => TOKENSPEED,
        Framework::LlamaCpp => LLAMA_CPP,
    };
    find(table, name)
}

/// The effect of a member of TensorRT-LLM's options file.
pub(super) fn of_file_member(path: &str) -> Option<Effect> {
    find(TENSORRT_LLM_FILE, path)
}

fn find(table: &[Line], name: &str) -> Option<Effect> {
    table.iter().find(|(known, _)| *known == name).map(|(_, effect)| *effect)
}

fn positive(number: i64) -> Option<u32> {
    u32::try_from(number).ok().filter(|number| *number > 0)
}

fn chunked_prefill_size(engine: &mut EngineConfig, tokens: i64) {
    match positive(tokens) {
        Some(tokens) => engine.token_budget = tokens,
        None => {
            engine.chunked_prefill = false;
            engine.token_budget = engine.token_budget.max(16_384);
        }
    }
}

fn no_graphs(engine: &mut EngineConfig, eager: bool) {
    if eager {
        engine.graph_batch = None;
    }
}

fn largest_graph(engine: &mut EngineConfig, batch: u32) {
    // Eager mode wins over a size, in whichever order they come.
    engine.graph_batch = engine.graph_batch.map(|_| batch);
}

fn compilation_config(engine: &mut EngineConfig, value: &Value) {
    if value.get("cudagraph_mode").and_then(Value::as_str).is_some_and(|mode| mode.eq_ignore_ascii_case("none")) {
        no_graphs(engine, true);
    }
    if let Some(batch) = member(value, "max_cudagraph_capture_size") {
        largest_graph(engine, batch);
    }
}

fn capacity_policy(engine: &mut EngineConfig, word: &str) {
    engine.reserve = if word.eq_ignore_ascii_case("max_utilization") { 0.0 } else { 1.0 };
}

/// 16-bit words name the width of unquantized weights; a quantization that was given before stays.
fn dtype(engine: &mut EngineConfig, format: NumberFormat) {
    if matches!(engine.weights, NumberFormat::F16 | NumberFormat::F32) {
        engine.weights = format;
    }
    if engine.kv == NumberFormat::F16 && format == NumberFormat::F32 {
        engine.kv = format;
    }
}

fn member(value: &Value, name: &str) -> Option<u32> {
    value.get(name).and_then(Value::as_u64).and_then(|number| u32::try_from(number).ok())
}
