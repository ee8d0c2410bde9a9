//! What a row knows of the conditions under which it was measured.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::candidate::Candidate;
use crate::flags::word;
use crate::framework::{Framework, ModelArgument};
use crate::plan::Plan;

/// The requests of one measurement, as the load process built and saw them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PromptSet {
    /// What the measurement is: scenario, load and repeat. Sets of one key have to be equal; those of different keys
    /// are drawn apart, so that no cache can hold them.
    pub key: String,
    /// SHA-256 of the measured bodies in order, without the served model's name, in hexadecimal.
    pub sha256: String,
    /// Whether the prompts were drawn for this measurement alone.
    pub fresh: bool,
    /// Answers whose length was fixed by the request and counted by the server.
    pub checked_answers: u64,
    /// Those of them that had another length.
    pub wrong_answers: u64,
}

/// Conditions beyond the common schema; absent where they are not known.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Conditions {
    /// The requests.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prompt_set: Option<PromptSet>,
    /// Prompt tokens per answered request by the server's `usage`, mean.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub prompt_tokens_mean: Option<f64>,
    /// Number format of weights and activations, for example `bf16`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dtype: Option<String>,
    /// Quantization that the server was told to use; absent where the weights alone decide.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub quantization: Option<String>,
    /// Number format of the KV cache, where it was set.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kv_cache_dtype: Option<String>,
    /// The weights as the server was given them: a path, a repository or a hash.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub weights: Option<String>,
    /// The tokenizer as the server was given it; absent where it takes the one of the weights.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tokenizer: Option<String>,
    /// The digest of the container image that the server ran in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image: Option<String>,
    /// Whether the server was started for this candidate alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub own_server: Option<bool>,
    /// Options of every request, as JSON.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sampling: Option<String>,
}

impl Conditions {
    /// What the plan and the candidate's flags say: everything but what only a launch or a measurement can tell.
    pub fn planned(plan: &Plan, candidate: &Candidate) -> Self {
        let framework = candidate.framework;
        let flag = |names: &[&str]| names.iter().find_map(|name| set(candidate.flags.get(*name)?));
        let weights = match framework.spec().model_argument {
            ModelArgument::Flag(name) => set(candidate.flags.get(name).unwrap_or(&Value::Null)),
            ModelArgument::Positional => None,
        };
        let located = || plan.frameworks.get(&framework).map(|part| plan.model_location(framework, part).to_owned());
        let tokenizer = match framework {
            // Its tokenizer is part of the weights' file.
            Framework::LlamaCpp => None,
            _ => flag(&["tokenizer_path", "tokenizer"]).or_else(|| plan.model.tokenizer.clone()),
        };
        Conditions {
            dtype: flag(&["dtype"]).or_else(|| plan.model.precision.clone()).map(|name| dtype(&name)),
            quantization: flag(&["quantization"]).or_else(|| plan.model.quantization.clone()),
            kv_cache_dtype: flag(&["kv_cache_dtype", "cache_type_k"]),
            weights: weights.or_else(located),
            tokenizer,
            sampling: Some(sampling(&plan.benchmark.extra_request_body)),
            ..Conditions::default()
        }
    }
}

/// The value of a flag as text; `None` where it is not set or leaves the choice to the server.
fn set(value: &Value) -> Option<String> {
    match value {
        Value::Null | Value::Bool(false) => None,
        value => Some(word(value)).filter(|text| !matches!(text.as_str(), "" | "auto" | "none")),
    }
}

/// One name for each number format.
fn dtype(name: &str) -> String {
    let lower = name.to_ascii_lowercase();
    match lower.as_str() {
        "bfloat16" => "bf16",
        "float16" | "half" => "fp16",
        "float32" | "float" => "fp32",
        other => other,
    }
    .to_owned()
}

/// The options that the plan lays over every request, in name order.
fn sampling(body: &Map<String, Value>) -> String {
    let mut named: Vec<_> = body.iter().collect();
    named.sort_by_key(|(name, _)| name.as_str());
    let options: Vec<_> = named.into_iter().map(|(name, value)| format!("{name}={value}")).collect();
    if options.is_empty() { "defaults: temperature=0".to_owned() } else { options.join(", ") }
}
