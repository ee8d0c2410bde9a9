//! The knobs of every framework: one table that makes the form, the validation, the simulator's
//! command line and the documentation.

pub mod concepts;

mod aliases;
mod eager;
mod evidence;
mod known;
mod llama_cpp;
mod sglang;
mod tensorrt_llm;
mod tensorrt_options;
mod tokenspeed;
mod vllm;

pub use evidence::Evidence;
pub use llama_cpp::LLAMA_CPP;
pub use sglang::SGLANG;
pub use tensorrt_llm::TENSORRT_LLM;
pub use tensorrt_options::TENSORRT_LLM_OPTIONS;
pub use tokenspeed::TOKENSPEED;
pub use vllm::VLLM;

/// What part of serving a knob acts on; the form groups by it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Family {
    /// Where the model and its tokenizer come from, and how the server names them.
    Model,
    /// How the model is spread over GPUs.
    Parallelism,
    /// GPU memory and the KV cache.
    Memory,
    /// Batch sizes, token budgets and scheduling.
    Batching,
    /// Attention and sampling kernels.
    Attention,
    /// CUDA graphs and compilation.
    Graphs,
    /// Prefix caching and speculative decoding.
    PrefixAndSpeculative,
    /// Number formats.
    Dtype,
    /// Everything else.
    Other,
}

/// The type of a knob's value.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum KnobKind {
    /// A whole number.
    Int,
    /// A number with a fraction.
    Float,
    /// A switch: present or absent.
    Bool,
    /// Free text.
    Text,
    /// One of these words.
    Choice(&'static [&'static str]),
    /// A JSON object or array, given as one word.
    Json,
}

/// One command-line knob of a framework.
#[derive(Debug, Clone, Copy)]
pub struct Knob {
    /// The name in plans, with underscores.
    pub name: &'static str,
    /// What it acts on.
    pub family: Family,
    /// The type of its value.
    pub kind: KnobKind,
    /// One line of help, without a full stop. What it says about releases names one and a date: it is evidence from one
    /// image, see [`Framework::seen`](crate::framework::Framework::seen).
    pub help: &'static str,
    /// Whether a plan keeps it fixed by default: searching it is allowed and warned about.
    pub pinned: bool,
    /// Whether the server also takes `--no-<name>`.
    pub negatable: bool,
}

impl Knob {
    /// A knob that is searched freely and has no negative form.
    pub const fn new(name: &'static str, family: Family, kind: KnobKind, help: &'static str) -> Self {
        Knob { name, family, kind, help, pinned: false, negatable: false }
    }

    /// The same knob, kept fixed by default.
    pub const fn pinned(mut self) -> Self {
        self.pinned = true;
        self
    }

    /// The same knob, with a `--no-<name>` form.
    pub const fn negatable(mut self) -> Self {
        self.negatable = true;
        self
    }
}
