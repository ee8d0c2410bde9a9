//! Accelerators and models that can be simulated. The figures are public data-sheet values, rounded.

use std::fmt;
use std::str::FromStr;

/// A simulated accelerator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gpu {
    /// 80 GB, NVLink.
    H100,
    /// 80 GB, NVLink.
    A100,
    /// 48 GB, PCIe only.
    L40s,
    /// A small machine without an accelerator, 16 GB.
    CpuSmall,
}

/// What the cost model has to know of an accelerator.
#[derive(Debug, Clone, Copy)]
pub struct GpuSpec {
    /// The option's word, for example `h100`.
    pub id: &'static str,
    /// The name that logs and pages show.
    pub name: &'static str,
    /// Memory in bytes.
    pub memory_bytes: f64,
    /// Dense 16-bit arithmetic, in operations per second.
    pub flops: f64,
    /// Memory bandwidth in bytes per second.
    pub bandwidth: f64,
    /// Bandwidth of an all-reduce per accelerator, in bytes per second.
    pub link_bandwidth: f64,
    /// Fixed time of one hop of an all-reduce, in seconds; a ring of n accelerators has n − 1.
    pub link_latency_s: f64,
    /// Memory that the driver and the framework's context take before anything is loaded, in bytes.
    pub context_bytes: f64,
}

const SPECS: [(Gpu, GpuSpec); 4] = [
    (
        Gpu::H100,
        GpuSpec {
            id: "h100",
            name: "Simulated H100-80G",
            memory_bytes: 85.9e9,
            flops: 989e12,
            bandwidth: 3.35e12,
            link_bandwidth: 300e9,
            link_latency_s: 3e-6,
            context_bytes: 1.9e9,
        },
    ),
    (
        Gpu::A100,
        GpuSpec {
            id: "a100",
            name: "Simulated A100-80G",
            memory_bytes: 85.9e9,
            flops: 312e12,
            bandwidth: 2.04e12,
            link_bandwidth: 200e9,
            link_latency_s: 4e-6,
            context_bytes: 1.9e9,
        },
    ),
    (
        Gpu::L40s,
        GpuSpec {
            id: "l40s",
            name: "Simulated L40S-48G",
            memory_bytes: 51.5e9,
            flops: 362e12,
            bandwidth: 0.864e12,
            link_bandwidth: 20e9,
            link_latency_s: 14e-6,
            context_bytes: 1.5e9,
        },
    ),
    (
        Gpu::CpuSmall,
        GpuSpec {
            id: "cpu-small",
            name: "Simulated small CPU",
            memory_bytes: 17.2e9,
            flops: 0.6e12,
            bandwidth: 40e9,
            link_bandwidth: 5e9,
            link_latency_s: 50e-6,
            context_bytes: 0.4e9,
        },
    ),
];

impl Gpu {
    /// The figures of this accelerator.
    pub fn spec(self) -> &'static GpuSpec {
        match self {
            Gpu::H100 => &SPECS[0].1,
            Gpu::A100 => &SPECS[1].1,
            Gpu::L40s => &SPECS[2].1,
            Gpu::CpuSmall => &SPECS[3].1,
        }
    }
}

/// A word that names no simulated accelerator or model.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("invalid choice: '{given}' (choose from {choices})")]
pub struct UnknownChoice {
    given: String,
    choices: &'static str,
}

impl FromStr for Gpu {
    type Err = UnknownChoice;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        SPECS
            .iter()
            .find(|(_, spec)| spec.id == text)
            .map(|(gpu, _)| *gpu)
            .ok_or_else(|| UnknownChoice { given: text.to_owned(), choices: "'h100', 'a100', 'l40s', 'cpu-small'" })
    }
}

impl fmt::Display for Gpu {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.spec().name)
    }
}

/// A simulated dense decoder-only model.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Model {
    /// A half-billion-parameter model, for the small machine.
    B05,
    /// An 8B model.
    B8,
    /// A 32B model.
    B32,
    /// A 70B model.
    B70,
}

/// What the cost model has to know of a model.
#[derive(Debug, Clone, Copy)]
pub struct ModelSpec {
    /// The option's word, for example `8b`.
    pub id: &'static str,
    /// Number of parameters.
    pub parameters: f64,
    /// Transformer layers.
    pub layers: f64,
    /// Width of the residual stream.
    pub hidden: f64,
    /// Width of the feed-forward part.
    pub intermediate: f64,
    /// Key/value heads (they limit how far attention can be split).
    pub kv_heads: f64,
    /// Elements in one head.
    pub head_dim: f64,
    /// Size of the vocabulary.
    pub vocabulary: f64,
    /// The longest sequence in tokens where no flag says otherwise.
    pub max_seq_tokens: u32,
}

const MODELS: [ModelSpec; 4] = [
    ModelSpec {
        id: "0.5b",
        parameters: 0.5e9,
        layers: 24.0,
        hidden: 896.0,
        intermediate: 4_864.0,
        kv_heads: 2.0,
        head_dim: 64.0,
        vocabulary: 152_000.0,
        max_seq_tokens: 32_768,
    },
    ModelSpec {
        id: "8b",
        parameters: 8.0e9,
        layers: 32.0,
        hidden: 4_096.0,
        intermediate: 14_336.0,
        kv_heads: 8.0,
        head_dim: 128.0,
        vocabulary: 128_256.0,
        max_seq_tokens: 40_960,
    },
    ModelSpec {
        id: "32b",
        parameters: 32.8e9,
        layers: 64.0,
        hidden: 5_120.0,
        intermediate: 25_600.0,
        kv_heads: 8.0,
        head_dim: 128.0,
        vocabulary: 152_000.0,
        max_seq_tokens: 40_960,
    },
    ModelSpec {
        id: "70b",
        parameters: 70.6e9,
        layers: 80.0,
        hidden: 8_192.0,
        intermediate: 28_672.0,
        kv_heads: 8.0,
        head_dim: 128.0,
        vocabulary: 128_256.0,
        max_seq_tokens: 131_072,
    },
];

impl Model {
    /// The figures of this model.
    pub fn spec(self) -> &'static ModelSpec {
        match self {
            Model::B05 => &MODELS[0],
            Model::B8 => &MODELS[1],
            Model::B32 => &MODELS[2],
            Model::B70 => &MODELS[3],
        }
    }

    /// The model whose size the name tells (`…-70B-Instruct`, `qwen3-32b`, `…-0.5B`): the nearest of the known sizes;
    /// 8B where the name tells none.
    pub fn guess(name: &str) -> Model {
        let Some(billions) = size_in_name(name) else { return Model::B8 };
        match billions {
            size if size < 2.0 => Model::B05,
            size if size < 20.0 => Model::B8,
            size if size < 50.0 => Model::B32,
            _ => Model::B70,
        }
    }
}

/// The number before a `b` that ends a word, in the last path component.
fn size_in_name(name: &str) -> Option<f64> {
    let last = name.trim_end_matches('/').rsplit('/').next().unwrap_or(name).to_ascii_lowercase();
    last.split(['-', '_', ' ', ':'])
        .filter_map(|word| word.strip_suffix('b').or_else(|| word.strip_suffix("b.gguf")))
        .find_map(|digits| digits.parse::<f64>().ok().filter(|size| *size > 0.0))
}

impl FromStr for Model {
    type Err = UnknownChoice;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.to_ascii_lowercase().as_str() {
            "0.5b" => Ok(Model::B05),
            "8b" => Ok(Model::B8),
            "32b" => Ok(Model::B32),
            "70b" => Ok(Model::B70),
            _ => Err(UnknownChoice { given: text.to_owned(), choices: "'0.5b', '8b', '32b', '70b'" }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_models_size_is_read_from_its_name() {
        let cases = [
            ("meta-llama/Llama-3.1-8B-Instruct", Model::B8),
            ("/models/llama-3.3-70b-instruct/", Model::B70),
            ("Qwen/Qwen3-32B", Model::B32),
            ("qwen2.5-0.5b.gguf", Model::B05),
            ("some-model", Model::B8),
            ("tiny-b", Model::B8),
        ];
        for (name, model) in cases {
            assert_eq!(Model::guess(name), model, "{name}");
        }
    }

    #[test]
    fn the_tables_match_their_enums() {
        for (gpu, spec) in SPECS {
            assert_eq!(spec.id.parse(), Ok(gpu));
            assert_eq!(gpu.spec().id, spec.id);
        }
        for spec in MODELS {
            assert_eq!(spec.id.parse::<Model>().unwrap().spec().id, spec.id);
        }
        assert!("h200".parse::<Gpu>().unwrap_err().to_string().contains("invalid choice: 'h200'"));
    }
}
