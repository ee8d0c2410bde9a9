//! The optional blocks of a row: from the candidate's flags, and from what the engine said while it was measured.

use serde_json::Value;

use super::*;
use crate::candidate::Candidate;
use crate::flags::FlagMap;
use crate::telemetry::TelemetrySummary;

/// Blocks that the candidate's flags decide.
#[derive(Debug, Default)]
pub(super) struct Configured {
    pub spec_decode: RowSpecDecode,
    pub cache: RowCache,
    pub memory: RowMemory,
}

/// What the flags of a candidate say. A flag that is not given leaves its field absent: the engine's default is its own.
pub(super) fn configured(candidate: &Candidate) -> Configured {
    let flags = &candidate.flags;
    let mut blocks = Configured::default();
    let memory = &mut blocks.memory;
    memory.kv_cache_dtype = text(flags, &["kv_cache_dtype", "cache_type_k"]);
    memory.cpu_offload_gb = number(flags, &["cpu_offload_gb"]);
    memory.gpu_memory_utilization = number(flags, MEMORY_SHARE);
    blocks.cache.prefix_cache_enabled = prefix_cache(flags);
    spec_decode(candidate.framework, flags, &mut blocks.spec_decode);
    blocks
}

/// How the frameworks call the share of GPU memory that they may take.
const MEMORY_SHARE: &[&str] =
    &["gpu_memory_utilization", "mem_fraction_static", "kv_cache_free_gpu_memory_fraction", "free_gpu_memory_fraction"];

/// Whether flags switch the prefix cache on or off.
fn prefix_cache(flags: &FlagMap) -> Option<bool> {
    let switch = |names: &[&str]| value(flags, names)?.as_bool();
    let off = switch(&["disable_radix_cache", "no_enable_prefix_caching", "no_cache_prompt"]);
    off.map(|off| !off).or_else(|| switch(&["enable_prefix_caching", "cache_prompt"]))
}

fn spec_decode(framework: Framework, flags: &FlagMap, block: &mut RowSpecDecode) {
    match framework {
        Framework::Sglang => {
            block.algorithm = text(flags, &["speculative_algorithm"]);
            block.num_steps = count(flags, &["speculative_num_steps"]);
            block.num_draft_tokens = count(flags, &["speculative_num_draft_tokens"]);
        }
        Framework::Vllm | Framework::Tokenspeed => {
            let config = value(flags, &["speculative_config"]);
            // Written as a mapping, or as its JSON in one word.
            let parsed = config.and_then(Value::as_str).and_then(|text| serde_json::from_str(text).ok());
            let config: Option<&Value> = parsed.as_ref().or(config);
            let at = |key: &str| config?.get(key);
            block.algorithm = at("method").and_then(Value::as_str).map(str::to_owned);
            block.num_draft_tokens = at("num_speculative_tokens").and_then(Value::as_u64);
        }
        Framework::LlamaCpp => {
            block.algorithm = text(flags, &["model_draft", "md"]).map(|_| "draft model".to_owned());
            block.num_draft_tokens = count(flags, &["draft_max", "draft"]);
        }
        Framework::TensorrtLlm => {}
    }
    if block.algorithm.is_some() || block.num_draft_tokens.is_some() {
        block.enabled = Some(true);
    }
}

/// Fills in what was read while the row's measurement was taken.
pub(super) fn measured(telemetry: &TelemetrySummary, row: &mut ResultRow) {
    let whole = |value: Option<f64>| value.map(|value| value.round() as u64);
    let spec = &mut row.spec_decode;
    spec.mean_accept_length = telemetry.accept_length;
    spec.acceptance_rate = telemetry.acceptance_rate;
    if telemetry.accept_length.is_some() {
        // Drafts were verified.
        spec.enabled = Some(true);
        spec.num_steps = spec.num_steps.or(whole(telemetry.draft_steps));
        spec.num_draft_tokens = spec.num_draft_tokens.or(whole(telemetry.draft_tokens));
    }
    row.phase_metrics.queue_ms = telemetry.queue.map(|queue| queue.mean_ms);
    row.phase_metrics.pre_scheduler_ms = telemetry.pre_scheduler.map(|phase| phase.mean_ms);
    row.cache.prefix_cache_hit_rate = telemetry.prefix_cache_hit_rate();
    row.cache.kv_cache_tokens = telemetry.kv_cache_tokens;
    row.cache.kv_cache_utilization = telemetry.kv_usage.map(|usage| usage.max);
    row.memory.gpu_resident_weight_gb = telemetry.weight_memory_gb;
}

/// The value of the first of these flags that is set, in either spelling.
fn value<'a>(flags: &'a FlagMap, names: &[&str]) -> Option<&'a Value> {
    let found = |name: &&str| flags.get(*name).or_else(|| flags.get(&name.replace('_', "-")));
    names.iter().find_map(found).filter(|value| !value.is_null())
}

fn text(flags: &FlagMap, names: &[&str]) -> Option<String> {
    value(flags, names)?.as_str().map(str::to_owned)
}

fn number(flags: &FlagMap, names: &[&str]) -> Option<f64> {
    let value = value(flags, names)?;
    value.as_f64().or_else(|| value.as_str()?.parse().ok())
}

fn count(flags: &FlagMap, names: &[&str]) -> Option<u64> {
    let value = value(flags, names)?;
    value.as_u64().or_else(|| value.as_str()?.parse().ok())
}
