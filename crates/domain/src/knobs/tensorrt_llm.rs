use super::Family::*;
use super::Knob;
use super::KnobKind::*;

/// The knobs of `trtllm-serve serve`, which has few; the others go into the file that `extra_llm_api_options` names.
pub const TENSORRT_LLM: &[Knob] = &[
    Knob::new("tokenizer", Model, Text, "Tokenizer name or folder, where it is not the model's own"),
    Knob::new("trust_remote_code", Model, Bool, "Run model code that comes with the weights"),
    Knob::new(
        "backend",
        Model,
        Choice(&["pytorch", "tensorrt", "trt", "_autodeploy"]),
        "The engine; Podium serves with pytorch only",
    ),
    Knob::new("tp_size", Parallelism, Int, "GPUs that share every layer"),
    Knob::new("pp_size", Parallelism, Int, "Stages that the layers are divided into"),
    Knob::new("ep_size", Parallelism, Int, "GPUs that the experts are spread over"),
    Knob::new("cp_size", Parallelism, Int, "GPUs that share one sequence"),
    Knob::new("cluster_size", Parallelism, Int, "GPUs in one expert cluster"),
    Knob::new("gpus_per_node", Parallelism, Int, "GPUs of one machine"),
    Knob::new(
        "kv_cache_free_gpu_memory_fraction",
        Memory,
        Float,
        "Share of the GPU memory left after loading that the KV cache takes",
    )
    .pinned(),
    Knob::new(
        "free_gpu_memory_fraction",
        Memory,
        Float,
        "The same as kv_cache_free_gpu_memory_fraction, the only name that 1.0 takes; seen in the source, November 2026",
    ),
    Knob::new("max_seq_len", Memory, Int, "Longest prompt plus output, in tokens"),
    Knob::new("max_batch_size", Batching, Int, "Requests in one step at most"),
    Knob::new("max_num_tokens", Batching, Int, "Tokens in one step at most"),
    Knob::new("max_beam_width", Batching, Int, "Beams of a beam search"),
    Knob::new("enable_chunked_prefill", Batching, Bool, "Split long prompts over several steps"),
    Knob::new("num_postprocess_workers", Batching, Int, "Processes that turn tokens into text"),
    Knob::new("extra_llm_api_options", Other, Text, "YAML file with options that have no flag"),
    Knob::new("reasoning_parser", Other, Text, "How reasoning is cut out of the output"),
    Knob::new("tool_parser", Other, Text, "How tool calls are cut out of the output"),
    Knob::new("log_level", Other, Text, "How much is logged"),
];
