use super::Family::*;
use super::Knob;
use super::KnobKind::*;

/// The knobs of TokenSpeed, as far as published plans use them; not checked against a release.
pub const TOKENSPEED: &[Knob] = &[
    Knob::new("trust_remote_code", Model, Bool, "Run model code that comes with the weights"),
    Knob::new("tensor_parallel_size", Parallelism, Int, "GPUs that share every layer"),
    Knob::new("gpu_memory_utilization", Memory, Float, "Share of GPU memory for weights and KV cache").pinned(),
    Knob::new("max_model_len", Memory, Int, "Longest prompt plus output, in tokens"),
    Knob::new("kv_cache_dtype", Memory, Text, "Number format of the KV cache"),
    Knob::new("max_num_seqs", Batching, Int, "Sequences in one step at most"),
    Knob::new("chunked_prefill_size", Batching, Int, "Tokens in one chunk of a prompt"),
    Knob::new("enable_prefix_caching", PrefixAndSpeculative, Bool, "Keep the KV cache of shared prompt beginnings"),
    Knob::new("dtype", Dtype, Text, "Number format of weights and activations"),
];
