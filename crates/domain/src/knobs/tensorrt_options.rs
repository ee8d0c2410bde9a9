use super::Family::*;
use super::Knob;
use super::KnobKind::*;

/// What TensorRT-LLM takes in the YAML file that `extra_llm_api_options` names and has no flag for. A dot steps into a
/// mapping of the file. From published documentation up to 1.4.0rc1, November 2026, and no running server was asked:
/// a key that is not here may well exist, so it is no error.
pub const TENSORRT_LLM_OPTIONS: &[Knob] = &[
    Knob::new("kv_cache_config.dtype", Memory, Text, "Number format of the KV cache"),
    Knob::new(
        "kv_cache_config.free_gpu_memory_fraction",
        Memory,
        Float,
        "Share of the GPU memory left after loading that the KV cache takes",
    )
    .pinned(),
    Knob::new("kv_cache_config.max_tokens", Memory, Int, "Tokens that the KV cache holds, instead of what fits"),
    Knob::new("kv_cache_config.tokens_per_block", Memory, Int, "Tokens in one block of the KV cache"),
    Knob::new("kv_cache_config.host_cache_size", Memory, Int, "CPU memory for the KV cache, bytes"),
    Knob::new(
        "kv_cache_config.enable_block_reuse",
        PrefixAndSpeculative,
        Bool,
        "Keep the KV cache of shared prompt beginnings",
    ),
    Knob::new(
        "scheduler_config.capacity_scheduler_policy",
        Batching,
        Choice(&["GUARANTEED_NO_EVICT", "MAX_UTILIZATION", "STATIC_BATCH"]),
        "Whether a request that has started may be paused for the sake of others",
    ),
    Knob::new(
        "scheduler_config.context_chunking_policy",
        Batching,
        Choice(&["FIRST_COME_FIRST_SERVED", "EQUAL_PROGRESS"]),
        "Which prompts get the next chunks",
    ),
    Knob::new("disable_overlap_scheduler", Batching, Bool, "Schedule after each step instead of during it"),
    Knob::new("stream_interval", Batching, Int, "Tokens between two events of a stream"),
    Knob::new("enable_attention_dp", Parallelism, Bool, "Data-parallel attention beside tensor-parallel experts"),
    Knob::new("moe_config.backend", Attention, Text, "Kernels of the expert layers"),
    Knob::new("attn_backend", Attention, Text, "Kernels of the attention layers"),
    Knob::new("cuda_graph_config.max_batch_size", Graphs, Int, "Largest batch with a CUDA graph"),
    Knob::new("cuda_graph_config.batch_sizes", Graphs, Json, "Batch sizes with a CUDA graph, as a list"),
    Knob::new("cuda_graph_config.enable_padding", Graphs, Bool, "Pad a batch up to the next size with a CUDA graph"),
    Knob::new("speculative_config", PrefixAndSpeculative, Json, "Draft model or method and its settings"),
];
