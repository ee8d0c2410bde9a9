//! Which flags a framework has, and how many values each takes.

use podium_domain::framework::{Framework, ModelArgument};
use podium_domain::knobs::{Knob, KnobKind};

/// What follows a flag.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Arity {
    /// Nothing; the flag means this value.
    Switch(bool),
    /// One value of this kind.
    One(KnobKind),
    /// One or more words.
    Many,
    /// The flag is known by name only: a value follows if the next word is not a flag.
    Unknown,
}

/// A flag of the simulated command line that is not a knob.
pub(super) struct ExtraFlag {
    pub name: &'static str,
    pub kind: KnobKind,
    pub help: &'static str,
}

const fn extra(name: &'static str, kind: KnobKind, help: &'static str) -> ExtraFlag {
    ExtraFlag { name, kind, help }
}

/// Flags that every simulated server has.
pub(super) const COMMON: &[ExtraFlag] = &[
    extra("host", KnobKind::Text, "Address to listen on"),
    extra("port", KnobKind::Int, "Port to listen on"),
    extra("api_key", KnobKind::Text, "Accepted and ignored: the simulator asks for no key"),
];

/// What only the simulator has.
pub(super) const SIMULATOR: &[ExtraFlag] = &[
    extra("sim_gpu", KnobKind::Text, "Accelerator to simulate: h100, a100, l40s or cpu-small (h100)"),
    extra(
        "sim_gpu_count",
        KnobKind::Int,
        "Accelerators in the simulated machine (8, or those of CUDA_VISIBLE_DEVICES)",
    ),
    extra(
        "sim_model",
        KnobKind::Text,
        "Model to simulate: 0.5b, 8b, 32b or 70b (guessed from the model's name, else 8b)",
    ),
    extra("sim_startup_s", KnobKind::Float, "Seconds that loading takes (1)"),
    extra(
        "sim_pre_scheduler_ms",
        KnobKind::Float,
        "Milliseconds that the front end holds a request before the engine has it (0)",
    ),
    extra("sim_seed", KnobKind::Int, "Seed of everything random (0)"),
    extra(
        "sim_fault",
        KnobKind::Text,
        "Fault on purpose: exit, exit=CODE, hang, http500, crash-after=REQUESTS or ignore-term",
    ),
    extra(
        "sim_lacks",
        KnobKind::Text,
        "Flags that this release does not know, separated by commas: for tests of what asks for help first",
    ),
];

/// The flags that a command line (or the environment) says the release lacks, as plans write them.
pub(super) fn lacked(words: &[String], environment: &dyn Fn(&str) -> Option<String>) -> Vec<String> {
    let given = words.iter().enumerate().find_map(|(index, word)| match word.strip_prefix("--sim-lacks")? {
        "" => words.get(index + 1).cloned(),
        rest => rest.strip_prefix('=').map(str::to_owned),
    });
    let list = given.or_else(|| environment("PODIUM_SIM_LACKS")).unwrap_or_default();
    list.split(',').map(|name| name.trim().replace('-', "_")).filter(|name| !name.is_empty()).collect()
}

/// Other spellings → the name that the tables use. Short ones are written without their dash.
fn aliases(framework: Framework) -> &'static [(&'static str, &'static str)] {
    match framework {
        Framework::Sglang => &[
            ("model", "model_path"),
            ("tensor_parallel_size", "tp_size"),
            ("tp", "tp_size"),
            ("pipeline_parallel_size", "pp_size"),
            ("data_parallel_size", "dp_size"),
            ("dp", "dp_size"),
            ("expert_parallel_size", "ep_size"),
        ],
        Framework::Vllm | Framework::Tokenspeed => &[
            ("tp", "tensor_parallel_size"),
            ("pp", "pipeline_parallel_size"),
            ("dp", "data_parallel_size"),
            ("q", "quantization"),
            ("sc", "speculative_config"),
            ("device_memory_utilization", "gpu_memory_utilization"),
        ],
        Framework::TensorrtLlm => &[
            ("tensor_parallel_size", "tp_size"),
            ("pipeline_parallel_size", "pp_size"),
            ("moe_expert_parallel_size", "ep_size"),
            ("config", "extra_llm_api_options"),
        ],
        Framework::LlamaCpp => &[
            ("m", "model"),
            ("a", "alias"),
            ("c", "ctx_size"),
            ("b", "batch_size"),
            ("ub", "ubatch_size"),
            ("np", "parallel"),
            ("t", "threads"),
            ("tb", "threads_batch"),
            ("ngl", "n_gpu_layers"),
            ("gpu_layers", "n_gpu_layers"),
            ("sm", "split_mode"),
            ("ts", "tensor_split"),
            ("mg", "main_gpu"),
            ("fa", "flash_attn"),
            ("ctk", "cache_type_k"),
            ("ctv", "cache_type_v"),
            ("cb", "cont_batching"),
            ("nocb", "no_cont_batching"),
            ("kvu", "kv_unified"),
            ("md", "model_draft"),
            ("cram", "cache_ram"),
            ("s", "seed"),
        ],
    }
}

/// Knobs that take several words although their table says text.
const LISTS: &[&str] = &["served_model_name", "cudagraph_capture_sizes", "cuda_graph_bs", "cuda_graph_bs_decode"];

/// The table's name of a flag.
pub(super) fn canonical(framework: Framework, name: &str) -> String {
    let name = name.replace('-', "_");
    aliases(framework).iter().find(|(alias, _)| *alias == name).map_or(name, |(_, known)| (*known).to_owned())
}

/// What follows the flag of this (canonical) name; `None` when the framework has no such flag. The name in the answer
/// is the positive one.
pub(super) fn look_up(framework: Framework, name: &str) -> Option<(String, Arity)> {
    if LISTS.contains(&name) && (framework.knows_flag(name) || name == "served_model_name") {
        return Some((name.to_owned(), Arity::Many));
    }
    if let Some(flag) = COMMON.iter().chain(SIMULATOR).find(|flag| flag.name == name) {
        return Some((name.to_owned(), arity(flag.kind)));
    }
    if let Some(Knob { kind, .. }) = framework.knob(name) {
        return Some((name.to_owned(), arity(*kind)));
    }
    if let ModelArgument::Flag(flag) = framework.spec().model_argument
        && flag == name
    {
        return Some((name.to_owned(), Arity::One(KnobKind::Text)));
    }
    if let Some(positive) = name.strip_prefix("no_")
        && (framework.knob(positive).is_some_and(|knob| knob.negatable) || framework.knows_flag(name))
    {
        return Some((positive.to_owned(), Arity::Switch(false)));
    }
    framework.knows_flag(name).then(|| (name.to_owned(), Arity::Unknown))
}

fn arity(kind: KnobKind) -> Arity {
    match kind {
        KnobKind::Bool => Arity::Switch(true),
        kind => Arity::One(kind),
    }
}
