use super::Family::*;
use super::Knob;
use super::KnobKind::*;

/// Number formats of the KV cache.
const CACHE_TYPES: &[&str] = &["f32", "f16", "bf16", "q8_0", "q4_0", "q4_1", "iq4_nl", "q5_0", "q5_1"];

/// The knobs of llama.cpp's `llama-server`.
pub const LLAMA_CPP: &[Knob] = &[
    Knob::new("model", Model, Text, "The GGUF file"),
    Knob::new("alias", Model, Text, "The model's name in the API"),
    Knob::new("lora", Model, Text, "Adapter files, separated by commas"),
    Knob::new("load_mode", Model, Text, "How the file is brought into memory"),
    Knob::new("n_gpu_layers", Parallelism, Text, "Layers on the GPU: a number, auto or all"),
    Knob::new(
        "split_mode",
        Parallelism,
        Choice(&["none", "layer", "row", "tensor"]),
        "How the model is divided between GPUs",
    ),
    Knob::new("tensor_split", Parallelism, Text, "Share of each GPU, separated by commas"),
    Knob::new("main_gpu", Parallelism, Int, "The GPU that is used alone, or for intermediate results"),
    Knob::new("cpu_moe", Parallelism, Bool, "Keep all expert weights in CPU memory"),
    Knob::new("n_cpu_moe", Parallelism, Int, "First layers whose expert weights stay in CPU memory"),
    Knob::new("threads", Parallelism, Int, "CPU threads of decoding"),
    Knob::new("threads_batch", Parallelism, Int, "CPU threads of prefill"),
    Knob::new("threads_http", Parallelism, Int, "Threads that answer HTTP requests"),
    Knob::new("numa", Parallelism, Text, "How threads are placed on NUMA nodes"),
    Knob::new("ctx_size", Memory, Int, "Tokens of context for all slots together"),
    Knob::new("cache_type_k", Memory, Choice(CACHE_TYPES), "Number format of the keys in the KV cache"),
    Knob::new("cache_type_v", Memory, Choice(CACHE_TYPES), "Number format of the values in the KV cache"),
    Knob::new("kv_offload", Memory, Bool, "Keep the KV cache on the GPU").negatable(),
    Knob::new("kv_unified", Memory, Bool, "One KV buffer that all slots share").negatable(),
    Knob::new("cache_ram", Memory, Int, "CPU memory for the caches of earlier prompts, MiB"),
    Knob::new("parallel", Batching, Int, "Slots: requests that are served at the same time"),
    Knob::new("batch_size", Batching, Int, "Tokens in one logical batch at most"),
    Knob::new("ubatch_size", Batching, Int, "Tokens in one physical batch at most"),
    Knob::new("cont_batching", Batching, Bool, "Start new requests while others decode").negatable(),
    Knob::new("flash_attn", Attention, Choice(&["on", "off", "auto"]), "Flash attention"),
    Knob::new("swa_full", Attention, Bool, "Full-size cache for sliding-window layers"),
    Knob::new("repack", Attention, Bool, "Rearrange weights for the CPU's instructions").negatable(),
    Knob::new("op_offload", Attention, Bool, "Run operations on CPU tensors on the GPU").negatable(),
    Knob::new("cache_prompt", PrefixAndSpeculative, Bool, "Keep the KV cache of shared prompt beginnings").negatable(),
    Knob::new(
        "cache_reuse",
        PrefixAndSpeculative,
        Int,
        "Shortest piece of a prompt that is reused by shifting, in tokens",
    ),
    Knob::new("model_draft", PrefixAndSpeculative, Text, "Draft model"),
    Knob::new("spec_draft_n_max", PrefixAndSpeculative, Int, "Tokens that are drafted at a time at most"),
    Knob::new("spec_draft_n_min", PrefixAndSpeculative, Int, "Tokens that are drafted at a time at least"),
    Knob::new("metrics", Other, Bool, "Serve metrics"),
    Knob::new("slots", Other, Bool, "Serve the state of the slots").negatable(),
    Knob::new("jinja", Other, Bool, "Use the model's own chat template").negatable(),
    Knob::new("seed", Other, Int, "Seed of the sampler"),
];
