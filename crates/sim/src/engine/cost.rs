//! How long a step takes: a roofline with overheads.
//!
//! The accelerator reads the weights once a step and does arithmetic for every token; whichever takes longer counts.
//! Attention reads the KV cache of every running sequence. Tensor parallelism divides both and adds two all-reduces a
//! layer. The host schedules, handles block tables and samples, beside the accelerator or after it.
//!
//! The efficiency constants of the frameworks are **fiction**: they are near enough to each other and to reality to
//! make an instructive demonstration, and they say nothing about the real frameworks.

use podium_domain::framework::Framework;

use super::config::EngineConfig;

/// A draft model's size as a part of the model's; each proposed token reads it once.
pub const DRAFT_SHARE: f64 = 0.06;
/// Fixed time of one pass of the draft model, in seconds.
const DRAFT_PASS_S: f64 = 0.25e-3;
/// Tokens at which a matrix multiplication reaches half of its best efficiency beyond the first.
const GEMM_HALF_TOKENS: f64 = 48.0;
/// What each doubling of the split costs in efficiency of the now smaller matrices.
const SPLIT_LOSS: f64 = 0.05;
/// Tokens per block at which reading the KV cache has half of its best efficiency.
const BLOCK_HALF_TOKENS: f64 = 0.9;
/// Host time for each KV block of the batch, in seconds: block tables are rebuilt every step.
const HOST_S_PER_BLOCK: f64 = 6e-9;
/// With graphs for decoding, the rest of a step still launches kernels, but fused ones.
const FUSED_LAUNCH_PART: f64 = 0.25;
/// What stays visible of the shorter of host and accelerator when they overlap.
const OVERLAP_LEAK: f64 = 0.08;

/// A framework's fictional constants.
#[derive(Debug, Clone, Copy)]
pub struct Efficiency {
    /// Part of the data-sheet arithmetic that large matrix multiplications reach.
    pub arithmetic: f64,
    /// Part of the data-sheet bandwidth that reads reach.
    pub bandwidth: f64,
    /// Host time of a step, in seconds.
    pub host_s: f64,
    /// Host time of each sequence in a step, in seconds.
    pub host_s_per_sequence: f64,
    /// Host time to launch one layer's kernels without a graph, in seconds.
    pub launch_s_per_layer: f64,
}

/// The constants of a framework.
pub fn efficiency(framework: Framework) -> Efficiency {
    let (arithmetic, bandwidth, host_ms, host_us_per_sequence, launch_us_per_layer) = match framework {
        Framework::Sglang => (0.55, 0.79, 1.0, 9.0, 240.0),
        Framework::Vllm => (0.54, 0.78, 1.2, 10.0, 260.0),
        Framework::TensorrtLlm => (0.60, 0.83, 1.6, 11.0, 300.0),
        Framework::Tokenspeed => (0.56, 0.80, 0.9, 8.0, 240.0),
        Framework::LlamaCpp => (0.35, 0.70, 0.4, 30.0, 60.0),
    };
    Efficiency {
        arithmetic,
        bandwidth,
        host_s: host_ms * 1e-3,
        host_s_per_sequence: host_us_per_sequence * 1e-6,
        launch_s_per_layer: launch_us_per_layer * 1e-6,
    }
}

/// What one step has to do, over all replicas.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct StepWork {
    /// Prompt tokens computed.
    pub prefill_tokens: f64,
    /// Tokens of running answers computed, proposed drafts included.
    pub decode_tokens: f64,
    /// Sequences in the step.
    pub sequences: f64,
    /// Tokens in the KV cache that running answers attend to.
    pub decode_context_tokens: f64,
    /// Pairs of prompt tokens and the tokens that they attend to.
    pub prefill_pairs: f64,
    /// KV blocks of all sequences in the step.
    pub blocks: f64,
}

/// The time of a step, in seconds.
pub fn step_s(config: &EngineConfig, work: &StepWork) -> f64 {
    let (model, gpu, efficiency) = (config.model.spec(), config.gpu.spec(), efficiency(config.framework));
    let (tp, pp) = (f64::from(config.tensor_parallel), f64::from(config.pipeline_parallel));
    // Replicas run in step, so each has its even part; a pipeline of `pp` stages works on `pp` parts of the batch.
    let share = 1.0 / f64::from(config.data_parallel) / pp;
    let tokens = (work.prefill_tokens + work.decode_tokens) * share;
    let split_efficiency = 1.0 / (1.0 + SPLIT_LOSS * tp.log2());
    let flops = gpu.flops * tp * efficiency.arithmetic * split_efficiency * (tokens / (tokens + GEMM_HALF_TOKENS));
    // 8-bit weights run on hardware of twice the arithmetic; 4-bit ones are expanded first.
    let flops = if config.weights.bytes() == 1.0 { flops * 1.7 } else { flops };
    let bandwidth = gpu.bandwidth * tp * efficiency.bandwidth;
    let parameters = model.parameters / pp;

    let read_s = config.weight_bytes() / pp / bandwidth;
    let multiply_s = 2.0 * parameters * tokens / flops.max(1.0);
    let kv_ways = tp.min(model.kv_heads);
    let block_efficiency = f64::from(config.block_tokens) / (f64::from(config.block_tokens) + BLOCK_HALF_TOKENS);
    let kv_bandwidth = gpu.bandwidth * kv_ways * efficiency.bandwidth * block_efficiency;
    let kv_read_s = work.decode_context_tokens * share * config.kv_bytes_per_token() / pp / kv_bandwidth;
    let attention_s = 4.0 * model.layers / pp * model.hidden * work.prefill_pairs * share
        / (gpu.flops * tp * efficiency.arithmetic * 0.6);
    let reduce_s = if config.tensor_parallel > 1 {
        let bytes = tokens * model.hidden * 2.0 * 2.0 * (tp - 1.0) / tp;
        2.0 * model.layers / pp * (gpu.link_latency_s * (tp - 1.0) + bytes / gpu.link_bandwidth)
    } else {
        0.0
    };
    let draft_pass_s = DRAFT_SHARE * read_s + DRAFT_PASS_S;
    let draft_s = if work.decode_tokens > 0.0 { f64::from(config.draft_tokens) * draft_pass_s } else { 0.0 };
    let stage_s = smooth_max(read_s, multiply_s) + kv_read_s + attention_s + reduce_s + draft_s;
    // Filling and draining a pipeline of equal stages with as many parts.
    let device_s = stage_s * (2.0 * pp - 1.0);

    let in_graph =
        work.prefill_tokens == 0.0 && config.graph_batch.is_some_and(|batch| work.sequences <= f64::from(batch));
    let launch_part = match (in_graph, config.graph_batch) {
        (true, _) => 0.0,
        (false, Some(_)) => FUSED_LAUNCH_PART,
        (false, None) => 1.0,
    };
    let device_s = device_s.max(model.layers * efficiency.launch_s_per_layer * launch_part);
    let host_s = efficiency.host_s + efficiency.host_s_per_sequence * work.sequences + HOST_S_PER_BLOCK * work.blocks;
    if config.overlap { device_s.max(host_s) + OVERLAP_LEAK * device_s.min(host_s) } else { device_s + host_s }
}

/// The larger of two times, rounded where they meet: neither limit is reached sharply.
fn smooth_max(a: f64, b: f64) -> f64 {
    (a.powi(4) + b.powi(4)).powf(0.25)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::hardware::{Gpu, Model};

    fn decode(sequences: f64, context: f64) -> StepWork {
        StepWork {
            decode_tokens: sequences,
            sequences,
            decode_context_tokens: sequences * context,
            blocks: sequences * context / 16.0,
            ..StepWork::default()
        }
    }

    #[test]
    fn a_decode_step_is_near_what_the_bandwidth_allows() {
        let config = EngineConfig::new(Framework::Vllm, Model::B8, Gpu::H100);
        let step_ms = step_s(&config, &decode(1.0, 1_000.0)) * 1e3;
        assert!((5.0..12.0).contains(&step_ms), "{step_ms}");
    }

    #[test]
    fn more_work_never_takes_less_time() {
        for framework in Framework::ALL {
            let config = EngineConfig::new(framework, Model::B8, Gpu::A100);
            let mut last = 0.0;
            for sequences in 1..400 {
                let now = step_s(&config, &decode(f64::from(sequences), 500.0));
                assert!(now >= last, "{framework}: {sequences}");
                last = now;
            }
        }
    }

    #[test]
    fn eager_mode_costs_most_when_the_batch_is_small() {
        let graphs = EngineConfig::new(Framework::Vllm, Model::B8, Gpu::H100);
        let eager = EngineConfig { graph_batch: None, ..graphs.clone() };
        let ratio =
            |sequences| step_s(&eager, &decode(sequences, 1_000.0)) / step_s(&graphs, &decode(sequences, 1_000.0));
        assert!(ratio(1.0) > 1.15 && ratio(1.0) > ratio(256.0), "{} {}", ratio(1.0), ratio(256.0));
    }
}
