//! The file of options that TensorRT-LLM's command line has no flags for.
//!
//! A plan gives such options beside the flags, by their dotted names, or as a mapping under `extra_llm_api_options`. They
//! become one YAML file, whose name holds a hash of its text: the command line, and with it the candidate, is another
//! one wherever an option is. A path under `extra_llm_api_options` names a file of the user's own.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use crate::flags::FlagMap;
use crate::framework::Framework;
use crate::knobs::{Knob, KnobKind, TENSORRT_LLM_OPTIONS};

/// The names that the flag has in one release or another, the usual one first.
pub const FILE_FLAGS: [&str; 2] = ["extra_llm_api_options", "config"];

/// The key of a row's own section under which the file of its command stands, as [`OptionsFile`].
pub const ROW_KEY: &str = "options_file";

/// A file that a candidate's command names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OptionsFile {
    /// The word that stands for it on the command line, without a folder.
    pub name: String,
    /// YAML, keys in alphabetical order at every depth.
    pub text: String,
}

impl Framework {
    /// The option of this name that goes into a file, where the framework has such options.
    pub fn option(self, name: &str) -> Option<&'static Knob> {
        let options = if self == Framework::TensorrtLlm { TENSORRT_LLM_OPTIONS } else { &[] };
        options.iter().find(|option| option.name == name)
    }

    /// Whether this flag names the file of options.
    pub fn names_options_file(self, flag: &str) -> bool {
        self == Framework::TensorrtLlm && FILE_FLAGS.contains(&flag)
    }
}

/// Whether a flag of a plan is part of the file, and no flag of the command line.
pub fn is_inside(framework: Framework, name: &str, value: &Value) -> bool {
    framework.option(name).is_some() || (framework.names_options_file(name) && value.is_object())
}

/// The file that these flags ask for; `None` where they hold no such option, or name a file of the user's own. Null
/// leaves an option out, a null inside a mapping is written.
pub fn options_file(framework: Framework, flags: &FlagMap) -> Option<OptionsFile> {
    if own_file(framework, flags).is_some() {
        return None;
    }
    let mut root = Map::new();
    for (name, value) in flags {
        if framework.names_options_file(name)
            && let Value::Object(options) = value
        {
            merge(&mut root, options);
        }
    }
    for (name, value) in flags {
        if let Some(option) = framework.option(name).filter(|_| !value.is_null()) {
            set(&mut root, name, typed(option, value));
        }
    }
    if root.is_empty() {
        return None;
    }
    let mut text = String::new();
    write(&mut text, &root, 0);
    let digest: String = Sha256::digest(&text).iter().take(4).map(|byte| format!("{byte:02x}")).collect();
    Some(OptionsFile { name: format!("podium-options-{digest}.yaml"), text })
}

/// The path of the user's own file, where the flags name one.
pub fn own_file(framework: Framework, flags: &FlagMap) -> Option<&str> {
    let named = flags.iter().filter(|(name, _)| framework.names_options_file(name));
    named.filter_map(|(_, value)| value.as_str()).next()
}

fn merge(into: &mut Map<String, Value>, options: &Map<String, Value>) {
    for (key, value) in options {
        match (into.get_mut(key), value) {
            (Some(Value::Object(inner)), Value::Object(more)) => merge(inner, more),
            _ => drop(into.insert(key.clone(), value.clone())),
        }
    }
}

/// Sets a dotted name; what stands in its way is replaced.
fn set(into: &mut Map<String, Value>, name: &str, value: Value) {
    let Some((key, rest)) = name.split_once('.') else {
        into.insert(name.to_owned(), value);
        return;
    };
    let inner = into.entry(key).or_insert_with(|| Value::Object(Map::new()));
    if !inner.is_object() {
        *inner = Value::Object(Map::new());
    }
    if let Value::Object(inner) = inner {
        set(inner, rest, value);
    }
}

/// A number or a mapping that the plan holds as text is written as what it is.
fn typed(option: &Knob, value: &Value) -> Value {
    match (option.kind, value) {
        (KnobKind::Int | KnobKind::Float | KnobKind::Json, Value::String(text)) => {
            serde_json::from_str(text).unwrap_or_else(|_| value.clone())
        }
        _ => value.clone(),
    }
}

/// Mappings one key a line; everything else as JSON, which is YAML too.
fn write(out: &mut String, options: &Map<String, Value>, depth: usize) {
    let sorted: BTreeMap<_, _> = options.iter().collect();
    for (key, value) in sorted {
        let plain = key.starts_with(|c: char| c.is_ascii_alphabetic())
            && key.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
            && !["true", "false", "null", "yes", "no", "on", "off", "y", "n"]
                .contains(&key.to_ascii_lowercase().as_str());
        let key = if plain { key.clone() } else { Value::String(key.clone()).to_string() };
        out.push_str(&"  ".repeat(depth));
        match value {
            Value::Object(inner) if !inner.is_empty() => {
                out.push_str(&format!("{key}:\n"));
                write(out, inner, depth + 1);
            }
            other => out.push_str(&format!("{key}: {other}\n")),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn file(flags: Value) -> Option<OptionsFile> {
        options_file(Framework::TensorrtLlm, &serde_json::from_value(flags).unwrap())
    }

    #[test]
    fn dotted_names_and_mappings_become_one_file() {
        let flags = json!({
            "max_batch_size": 8, "stream_interval": "4", "kv_cache_config.dtype": "fp8",
            "extra_llm_api_options": {"kv_cache_config": {"dtype": "auto", "max_tokens": 9}, "cuda_graph_config": null},
            "kv_cache_config.enable_block_reuse": false, "attn_backend": null,
        });
        let made = file(flags).unwrap();
        assert_eq!(
            made.text,
            "cuda_graph_config: null\nkv_cache_config:\n  dtype: \"fp8\"\n  enable_block_reuse: false\n  \
             max_tokens: 9\nstream_interval: 4\n"
        );
        assert_eq!(made.name, "podium-options-12a820ca.yaml");
    }

    #[test]
    fn the_order_of_a_plan_makes_no_other_file() {
        let one = file(json!({"stream_interval": 2, "kv_cache_config.max_tokens": 5}));
        assert_eq!(one, file(json!({"kv_cache_config.max_tokens": 5, "stream_interval": 2})));
        assert_ne!(one, file(json!({"kv_cache_config.max_tokens": 6, "stream_interval": 2})));
    }

    #[test]
    fn nothing_to_write_is_no_file() {
        assert_eq!(file(json!({"max_batch_size": 8, "stream_interval": null, "extra_llm_api_options": {}})), None);
        assert_eq!(file(json!({"extra_llm_api_options": "mine.yaml"})), None);
        let flags: FlagMap = serde_json::from_value(json!({"stream_interval": 3})).unwrap();
        assert_eq!(options_file(Framework::Vllm, &flags), None);
        let flags: FlagMap = serde_json::from_value(json!({"config": "mine.yaml"})).unwrap();
        assert_eq!(own_file(Framework::TensorrtLlm, &flags), Some("mine.yaml"));
        assert_eq!(own_file(Framework::Vllm, &flags), None, "another framework's flag of that name is another thing");
    }
}
