//! The serving frameworks that Podium knows, and how each one is started.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::knobs::{self, Knob};

/// A serving framework. The order is the order of the knob tables and has no other meaning.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Framework {
    /// SGLang.
    Sglang,
    /// vLLM.
    Vllm,
    /// TensorRT-LLM, always with its PyTorch backend.
    TensorrtLlm,
    /// TokenSpeed.
    Tokenspeed,
    /// llama.cpp's `llama-server`, for CPUs and edge machines.
    LlamaCpp,
}

/// How the model's location reaches the server's command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ModelArgument {
    /// The first positional argument after the server command.
    Positional,
    /// A flag of this name; where the base flags do not hold it, it is put before all other flags.
    Flag(&'static str),
}

/// How a flag named `a_b` is spelled on the command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Spelling {
    /// `--a-b`
    Kebab,
    /// `--a_b`
    Snake,
}

/// One line of the framework table.
#[derive(Debug)]
pub struct FrameworkSpec {
    /// The framework that this line describes.
    pub framework: Framework,
    /// Its id in plans and result rows.
    pub id: &'static str,
    /// Its name as its makers write it.
    pub name: &'static str,
    /// The server command of a plan that names none.
    pub server_command: &'static str,
    /// Where the model goes.
    pub model_argument: ModelArgument,
    /// How flags are spelled.
    pub spelling: Spelling,
    /// The flag that limits prompt plus output, in tokens.
    pub sequence_limit_flag: &'static str,
    /// Whether a plan may leave the sequence limit out (the server then takes it from the model).
    pub sequence_limit_optional: bool,
    /// The knobs that the form, the validation and the simulator know.
    pub knobs: &'static [Knob],
}

static SPECS: [FrameworkSpec; 5] = [
    FrameworkSpec {
        framework: Framework::Sglang,
        id: "sglang",
        name: "SGLang",
        server_command: "python -m sglang.launch_server",
        model_argument: ModelArgument::Flag("model_path"),
        spelling: Spelling::Kebab,
        sequence_limit_flag: "context_length",
        sequence_limit_optional: true,
        knobs: knobs::SGLANG,
    },
    FrameworkSpec {
        framework: Framework::Vllm,
        id: "vllm",
        name: "vLLM",
        server_command: "vllm serve",
        model_argument: ModelArgument::Positional,
        spelling: Spelling::Kebab,
        sequence_limit_flag: "max_model_len",
        sequence_limit_optional: false,
        knobs: knobs::VLLM,
    },
    FrameworkSpec {
        framework: Framework::TensorrtLlm,
        id: "tensorrt_llm",
        name: "TensorRT-LLM",
        server_command: "trtllm-serve serve",
        model_argument: ModelArgument::Positional,
        spelling: Spelling::Snake,
        sequence_limit_flag: "max_seq_len",
        sequence_limit_optional: false,
        knobs: knobs::TENSORRT_LLM,
    },
    FrameworkSpec {
        framework: Framework::Tokenspeed,
        id: "tokenspeed",
        name: "TokenSpeed",
        server_command: "tokenspeed serve",
        model_argument: ModelArgument::Positional,
        spelling: Spelling::Kebab,
        sequence_limit_flag: "max_model_len",
        sequence_limit_optional: false,
        knobs: knobs::TOKENSPEED,
    },
    FrameworkSpec {
        framework: Framework::LlamaCpp,
        id: "llama_cpp",
        name: "llama.cpp",
        server_command: "llama-server",
        model_argument: ModelArgument::Flag("model"),
        spelling: Spelling::Kebab,
        sequence_limit_flag: "ctx_size",
        sequence_limit_optional: false,
        knobs: knobs::LLAMA_CPP,
    },
];

impl Framework {
    /// Every framework, in table order.
    pub const ALL: [Framework; 5] =
        [Framework::Sglang, Framework::Vllm, Framework::TensorrtLlm, Framework::Tokenspeed, Framework::LlamaCpp];

    /// This framework's line of the table.
    pub fn spec(self) -> &'static FrameworkSpec {
        match self {
            Framework::Sglang => &SPECS[0],
            Framework::Vllm => &SPECS[1],
            Framework::TensorrtLlm => &SPECS[2],
            Framework::Tokenspeed => &SPECS[3],
            Framework::LlamaCpp => &SPECS[4],
        }
    }

    /// The id used in plans, rows and candidate ids, for example `tensorrt_llm`.
    pub fn id(self) -> &'static str {
        self.spec().id
    }

    /// The name for people, for example `TensorRT-LLM`.
    pub fn name(self) -> &'static str {
        self.spec().name
    }

    /// The knob of this name (`-` and `_` count as the same), if the table has it.
    pub fn knob(self, name: &str) -> Option<&'static Knob> {
        let name = name.replace('-', "_");
        self.spec().knobs.iter().find(|knob| knob.name == name)
    }
}

impl fmt::Display for Framework {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.id())
    }
}

/// A framework id that is none of [`Framework::ALL`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown framework `{0}`: use sglang, vllm, tensorrt_llm, tokenspeed or llama_cpp")]
pub struct UnknownFramework(pub String);

impl FromStr for Framework {
    type Err = UnknownFramework;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Framework::ALL.into_iter().find(|f| f.id() == text).ok_or_else(|| UnknownFramework(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_in_the_order_of_the_enum() {
        for framework in Framework::ALL {
            assert_eq!(framework.spec().framework, framework);
            assert_eq!(framework.id().parse(), Ok(framework));
            assert_eq!(serde_json::to_value(framework).unwrap(), framework.id());
        }
    }
}
