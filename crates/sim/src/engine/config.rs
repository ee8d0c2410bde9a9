//! The settings of a simulated engine, after a framework's flags have been read.

use podium_domain::framework::Framework;

use super::hardware::{Gpu, Model};

/// Bytes of one number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NumberFormat {
    /// 32 bits.
    F32,
    /// 16 bits, either kind.
    F16,
    /// 8 bits.
    F8,
    /// 4 bits with scales.
    Int4,
}

impl NumberFormat {
    /// Bytes per element, scales included.
    pub fn bytes(self) -> f64 {
        match self {
            NumberFormat::F32 => 4.0,
            NumberFormat::F16 => 2.0,
            NumberFormat::F8 => 1.0,
            NumberFormat::Int4 => 0.56,
        }
    }

    /// The format that a flag's value names; `None` for `auto` and for names that say nothing about the width.
    pub fn from_name(name: &str) -> Option<NumberFormat> {
        let name = name.to_ascii_lowercase();
        let has = |parts: &[&str]| parts.iter().any(|part| name.contains(part));
        if has(&["float32", "fp32", "f32"]) || name == "float" {
            Some(NumberFormat::F32)
        } else if has(&["awq", "gptq", "int4", "fp4", "q4", "w4"]) {
            Some(NumberFormat::Int4)
        } else if has(&["fp8", "int8", "w8", "q8"]) {
            Some(NumberFormat::F8)
        } else if has(&["16", "half"]) {
            Some(NumberFormat::F16)
        } else {
            None
        }
    }
}

/// How a framework decides how much memory the KV cache gets.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum MemoryRule {
    /// Weights, KV cache and the largest activations share this part of the accelerator's memory (vLLM, TokenSpeed).
    PartOfTotal(f64),
    /// Weights and KV cache share this part; activations take what is left (SGLang).
    StaticPart(f64),
    /// The KV cache takes this part of what weights and the largest activations leave free (TensorRT-LLM).
    PartOfFree(f64),
    /// The KV cache holds this many tokens, whatever the memory (llama.cpp).
    Tokens(u64),
}

/// How prompts and running answers share steps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PrefillMode {
    /// A step holds running answers and pieces of prompts together.
    Mixed,
    /// While there are prompts that can be taken, steps hold prompts only.
    First,
}

/// Everything that the engine's behaviour depends on.
#[derive(Debug, Clone, PartialEq)]
pub struct EngineConfig {
    /// Whose manners and constants apply.
    pub framework: Framework,
    /// The accelerator.
    pub gpu: Gpu,
    /// The model.
    pub model: Model,
    /// Accelerators that share each layer.
    pub tensor_parallel: u32,
    /// Accelerators that share the layers between them.
    pub pipeline_parallel: u32,
    /// Replicas that run in step with each other, with evenly spread work.
    pub data_parallel: u32,
    /// The most sequences in progress.
    pub max_running: u32,
    /// The most tokens in one step.
    pub token_budget: u32,
    /// Whether a prompt may be spread over several steps.
    pub chunked_prefill: bool,
    /// Tokens in one KV block.
    pub block_tokens: u32,
    /// The longest sequence, prompt and answer together, in tokens.
    pub max_seq_tokens: u32,
    /// How the KV cache is sized.
    pub memory: MemoryRule,
    /// An upper limit for the KV cache, in tokens.
    pub max_kv_tokens: Option<u64>,
    /// Number format of the weights.
    pub weights: NumberFormat,
    /// Number format of the KV cache.
    pub kv: NumberFormat,
    /// Whether prompts with the same beginning share KV blocks.
    pub prefix_cache: bool,
    /// The largest batch that has a CUDA graph; `None` is eager mode.
    pub graph_batch: Option<u32>,
    /// Whether scheduling on the host runs beside the accelerator.
    pub overlap: bool,
    /// Tokens that a draft model proposes for each step; 0 is no speculative decoding.
    pub draft_tokens: u32,
    /// How prompts and answers share steps.
    pub prefill: PrefillMode,
    /// The part of a request's outstanding answer for which KV room must be free before it is taken: 0 is optimistic
    /// and may preempt later, 1 never preempts.
    pub reserve: f64,
    /// Whether waiting requests with the longest cached prefix go first.
    pub longest_prefix_first: bool,
    /// Seed of everything random: accepted drafts, natural answer lengths, jitter.
    pub seed: u64,
}

impl EngineConfig {
    /// What the framework does when no flag is given.
    pub fn new(framework: Framework, model: Model, gpu: Gpu) -> EngineConfig {
        let base = EngineConfig {
            framework,
            gpu,
            model,
            tensor_parallel: 1,
            pipeline_parallel: 1,
            data_parallel: 1,
            max_running: 256,
            token_budget: 8_192,
            chunked_prefill: true,
            block_tokens: 16,
            max_seq_tokens: model.spec().max_seq_tokens,
            memory: MemoryRule::PartOfTotal(0.9),
            max_kv_tokens: None,
            weights: NumberFormat::F16,
            kv: NumberFormat::F16,
            prefix_cache: true,
            graph_batch: Some(512),
            overlap: true,
            draft_tokens: 0,
            prefill: PrefillMode::Mixed,
            reserve: 0.0,
            longest_prefix_first: false,
            seed: 0,
        };
        match framework {
            Framework::Vllm => EngineConfig { overlap: false, ..base },
            Framework::Sglang => EngineConfig {
                block_tokens: 1,
                memory: MemoryRule::StaticPart(0.87),
                graph_batch: Some(256),
                prefill: PrefillMode::First,
                reserve: 0.3,
                ..base
            },
            Framework::TensorrtLlm => EngineConfig {
                block_tokens: 32,
                memory: MemoryRule::PartOfFree(0.9),
                chunked_prefill: false,
                graph_batch: Some(128),
                reserve: 1.0,
                ..base
            },
            Framework::Tokenspeed => EngineConfig { block_tokens: 64, reserve: 0.1, ..base },
            Framework::LlamaCpp => EngineConfig {
                max_running: 4,
                token_budget: 512,
                block_tokens: 1,
                max_seq_tokens: 4_096,
                memory: MemoryRule::Tokens(16_384),
                graph_batch: Some(64),
                overlap: false,
                reserve: 0.0,
                ..base
            },
        }
    }

    /// Accelerators in use.
    pub fn gpu_count(&self) -> u32 {
        self.tensor_parallel.saturating_mul(self.pipeline_parallel).saturating_mul(self.data_parallel)
    }

    /// Bytes that one token takes in the KV cache, over all accelerators of a replica.
    pub fn kv_bytes_per_token(&self) -> f64 {
        let model = self.model.spec();
        2.0 * model.layers * model.kv_heads * model.head_dim * self.kv.bytes()
    }

    /// Bytes of the weights, over all accelerators of a replica.
    pub fn weight_bytes(&self) -> f64 {
        // A draft model adds its own, small weights.
        let draft = if self.draft_tokens > 0 { 1.0 + super::cost::DRAFT_SHARE } else { 1.0 };
        self.model.spec().parameters * self.weights.bytes() * draft
    }
}
