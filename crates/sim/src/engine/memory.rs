//! Where the accelerator's memory goes, and why a launch fails for want of it.

use super::config::{EngineConfig, MemoryRule};

/// The driver keeps this part of the nominal memory for itself.
const UNUSABLE_PART: f64 = 0.015;
/// Buffers of the collective library, when there is more than one accelerator, in bytes.
const COLLECTIVE_BYTES: f64 = 0.5e9;
/// CUDA graphs: a fixed part and one for each sequence of the largest captured batch, in bytes.
const GRAPH_BASE_BYTES: f64 = 0.25e9;
const GRAPH_BYTES_PER_SEQUENCE: f64 = 1.5e6;
/// Workspaces of the attention and matrix kernels, in bytes.
const WORKSPACE_BYTES: f64 = 0.3e9;
/// What an allocator loses between tensors of changing shapes, on top of their sizes.
const FRAGMENTATION: f64 = 1.10;

/// How the memory of one accelerator is divided.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MemoryPlan {
    /// Weights on one accelerator, in bytes.
    pub weight_bytes: f64,
    /// KV cache on one accelerator, in bytes.
    pub kv_bytes: f64,
    /// KV blocks over all replicas.
    pub kv_blocks: u64,
    /// What is left for activations while serving, in bytes.
    pub left_bytes: f64,
}

/// Why the engine does not come up.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum LaunchFailure {
    /// An allocation failed.
    OutOfMemory {
        /// The allocation, in bytes.
        tried_bytes: f64,
        /// What was free, in bytes.
        free_bytes: f64,
        /// The accelerator's memory, in bytes.
        total_bytes: f64,
    },
    /// The KV cache would not hold one sequence of the longest length.
    KvTooSmall {
        /// Tokens of the longest sequence.
        needed_tokens: u64,
        /// Tokens that the KV cache would hold; 0 when there is no room for one at all.
        available_tokens: u64,
    },
}

/// The most activation memory of a step with this many tokens and sequences, on one accelerator, in bytes.
pub fn activation_bytes(config: &EngineConfig, tokens: f64, sequences: f64) -> f64 {
    let model = config.model.spec();
    let (split, replicas) = (f64::from(config.tensor_parallel), f64::from(config.data_parallel));
    // Two live copies of the feed-forward part and four of the residual stream, in 16 bits, twice for temporaries.
    let per_token = (2.0 * model.intermediate / split + 4.0 * model.hidden) * 2.0 * 2.0;
    // Logits and their softmax in 32 bits; drafts are sampled too.
    let per_sequence = model.vocabulary * 4.0 * 2.0 / split * f64::from(1 + config.draft_tokens);
    (tokens * per_token + sequences * per_sequence) / replicas * FRAGMENTATION + WORKSPACE_BYTES
}

/// Divides the memory.
///
/// # Errors
/// When the weights do not fit, the warm-up of the largest batch does not, or the KV cache would be too small.
pub fn plan(config: &EngineConfig) -> Result<MemoryPlan, LaunchFailure> {
    let gpu = config.gpu.spec();
    let ways = f64::from(config.tensor_parallel) * f64::from(config.pipeline_parallel);
    let usable = gpu.memory_bytes * (1.0 - UNUSABLE_PART);
    let context = gpu.context_bytes + if config.gpu_count() > 1 { COLLECTIVE_BYTES } else { 0.0 };
    let weight_bytes = config.weight_bytes() / ways;
    let out_of_memory = |tried_bytes: f64, free_bytes: f64| LaunchFailure::OutOfMemory {
        tried_bytes,
        free_bytes: free_bytes.max(0.0),
        total_bytes: gpu.memory_bytes,
    };
    if weight_bytes + context > usable {
        // Weights load layer by layer: the one that no longer fits is what the message is about.
        let layer = weight_bytes / config.model.spec().layers;
        return Err(out_of_memory(layer, (usable - context).rem_euclid(layer)));
    }
    let (budget, running) = (f64::from(config.token_budget), f64::from(config.max_running));
    let profiled = activation_bytes(config, budget, running);
    let per_token = config.kv_bytes_per_token() / ways;
    let mut kv_bytes = match config.memory {
        MemoryRule::PartOfTotal(part) => part * gpu.memory_bytes - weight_bytes - context - profiled,
        MemoryRule::StaticPart(part) => part * gpu.memory_bytes - weight_bytes,
        MemoryRule::PartOfFree(part) => part * (usable - weight_bytes - context - profiled),
        MemoryRule::Tokens(tokens) => tokens as f64 * per_token,
    };
    if let Some(limit) = config.max_kv_tokens {
        kv_bytes = kv_bytes.min(limit as f64 * per_token);
    }
    // Whole blocks only: a sequence cannot use the rest.
    let block_bytes = per_token * f64::from(config.block_tokens);
    let blocks = (kv_bytes / block_bytes).max(0.0) as u64;
    let available_tokens = blocks * u64::from(config.block_tokens);
    let needed_tokens = match config.memory {
        // There the context is divided among the slots, so one slot's part is what a sequence needs.
        MemoryRule::Tokens(_) => 1,
        _ => u64::from(config.max_seq_tokens),
    };
    if available_tokens < needed_tokens {
        return Err(LaunchFailure::KvTooSmall { needed_tokens, available_tokens });
    }
    let free = usable - weight_bytes - context - kv_bytes;
    if free < 0.0 {
        return Err(out_of_memory(kv_bytes, usable - weight_bytes - context));
    }
    let graphs = config
        .graph_batch
        .map_or(0.0, |batch| GRAPH_BASE_BYTES + GRAPH_BYTES_PER_SEQUENCE * f64::from(batch.min(config.max_running)));
    let left_bytes = free - graphs;
    // Every framework runs the largest decode batch once before it is ready.
    let warm_up = activation_bytes(config, running, running);
    if left_bytes < warm_up {
        return Err(out_of_memory(warm_up, left_bytes));
    }
    let kv_blocks = blocks * u64::from(config.data_parallel);
    Ok(MemoryPlan { weight_bytes, kv_bytes, kv_blocks, left_bytes })
}

#[cfg(test)]
mod tests {
    use podium_domain::framework::Framework;

    use super::*;
    use crate::engine::hardware::{Gpu, Model};

    fn config(framework: Framework, model: Model) -> EngineConfig {
        EngineConfig::new(framework, model, Gpu::H100)
    }

    #[test]
    fn every_framework_starts_an_8b_model_by_default() {
        for framework in Framework::ALL {
            let plan = plan(&config(framework, Model::B8)).unwrap();
            assert!(plan.left_bytes > 0.0 && plan.kv_blocks > 0, "{framework}: {plan:?}");
        }
    }

    #[test]
    fn a_70b_model_needs_more_than_one_accelerator() {
        let one = config(Framework::Vllm, Model::B70);
        assert!(matches!(plan(&one), Err(LaunchFailure::OutOfMemory { .. })));
        assert!(plan(&EngineConfig { tensor_parallel: 4, ..one }).is_ok());
    }

    #[test]
    fn too_small_and_too_large_memory_parts_fail_differently() {
        let with = |part| EngineConfig { memory: MemoryRule::PartOfTotal(part), ..config(Framework::Vllm, Model::B8) };
        assert!(matches!(plan(&with(0.25)), Err(LaunchFailure::KvTooSmall { .. })));
        assert!(plan(&with(0.9)).is_ok());
        assert!(matches!(plan(&with(0.999)), Err(LaunchFailure::OutOfMemory { .. })));
    }

    #[test]
    fn larger_steps_leave_less_for_the_kv_cache() {
        let blocks = |budget| {
            plan(&EngineConfig { token_budget: budget, ..config(Framework::Vllm, Model::B8) }).unwrap().kv_blocks
        };
        assert!(blocks(2_048) > blocks(32_768));
    }
}
