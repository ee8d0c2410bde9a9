//! Whether a value suits its knob. As lenient as the servers' own command lines are, and no more.

use podium_domain::flags::word;
use podium_domain::framework::Framework;
use podium_domain::knobs::{Knob, KnobKind};
use serde_json::Value;

use super::problem::suggestion;
use crate::help::{HelpFlags, Takes};

/// Checks one value; null leaves the flag out and suits every knob.
pub(super) fn check_value(framework: Framework, knob: &Knob, value: &Value) -> Result<(), String> {
    if value.is_null() {
        return Ok(());
    }
    match knob.kind {
        KnobKind::Int => match value {
            Value::Number(number) if number.is_i64() || number.is_u64() => Ok(()),
            Value::String(text) if whole_number(framework, text).is_some() => Ok(()),
            other => Err(wrong(other, "a whole number")),
        },
        KnobKind::Float => match value {
            Value::Number(_) => Ok(()),
            Value::String(text) if text.parse::<f64>().is_ok_and(f64::is_finite) => Ok(()),
            other => Err(wrong(other, "a number")),
        },
        KnobKind::Bool => match value {
            Value::Bool(_) => Ok(()),
            other => Err(wrong(other, "true or false: the flag is a switch")),
        },
        KnobKind::Choice(words) => match value {
            Value::String(text) if words.contains(&text.as_str()) => Ok(()),
            Value::String(text) => {
                let near = suggestion(text, words.iter().copied());
                Err(format!("`{text}` is not one of {}{near}", words.join(", ")))
            }
            // YAML reads a bare `on` as text and other YAML tools as true; the quotes make it one thing.
            other => Err(wrong(other, &format!("one of {}", words.join(", ")))),
        },
        // A missing switch is the same as no flag.
        KnobKind::Text => match value {
            Value::Bool(true) => Err("needs a value: `true` would put the bare flag on the command line".to_owned()),
            Value::Object(_) => Err(wrong(value, "text")),
            _ => Ok(()),
        },
        KnobKind::Json => match value {
            Value::Object(_) | Value::Array(_) | Value::Number(_) => Ok(()),
            Value::String(text) if serde_json::from_str::<Value>(text).is_ok() => Ok(()),
            other => Err(wrong(other, "a mapping, or JSON in quotes")),
        },
    }
}

/// Checks one value against what a help text says about its flag; null leaves the flag out and suits every flag. The
/// words that the text lists count always; what it shows of types counts where the knob table does not know better.
pub(crate) fn check_against_help(
    framework: Framework,
    help: &HelpFlags,
    name: &str,
    types_too: bool,
    value: &Value,
) -> Result<(), String> {
    let source = || format!("the captured help of {} ({})", framework.name(), help.source());
    let single = std::slice::from_ref(value);
    let words = match value {
        Value::Null => return Ok(()),
        Value::Array(items) => items.as_slice(),
        _ => single,
    };
    if let Some(choices) = help.choices(name)
        && let Some(unlisted) = words.iter().map(word).find(|word| !choices.contains(word))
    {
        let near = suggestion(&unlisted, choices.iter().map(String::as_str));
        return Err(format!("{} does not list `{unlisted}`: it lists {}{near}", source(), choices.join(", ")));
    }
    if !types_too {
        return Ok(());
    }
    let is_number = |value: &Value| match value {
        Value::Number(_) => true,
        Value::String(text) => text.parse::<f64>().is_ok() || whole_number(framework, text).is_some(),
        _ => false,
    };
    let expected = match help.takes(name) {
        Takes::Nothing if !value.is_boolean() => "true or false: it takes no value",
        Takes::Number if !words.iter().all(is_number) => "a number: its default is one",
        Takes::Whole if words.iter().any(|word| as_whole_number(framework, word).is_none()) => "a whole number",
        Takes::Value if *value == Value::Bool(true) => "a value: it is no switch",
        _ => return Ok(()),
    };
    Err(format!("{}, by {}", wrong(value, expected), source()))
}

fn wrong(value: &Value, expected: &str) -> String {
    let found = match value {
        Value::Null => "nothing".to_owned(),
        Value::Bool(switch) => switch.to_string(),
        Value::Number(number) => format!("the number {number}"),
        Value::String(text) => format!("the text `{text}`"),
        Value::Array(_) => "a list".to_owned(),
        Value::Object(_) => "a mapping".to_owned(),
    };
    format!("expected {expected}, found {found}")
}

/// A whole number as the framework's command line reads it: SGLang and vLLM take suffixes such as `8k`.
pub(super) fn whole_number(framework: Framework, text: &str) -> Option<i64> {
    if let Ok(number) = text.parse() {
        return Some(number);
    }
    let factor = |suffix: &str| match (framework, suffix) {
        (Framework::Vllm | Framework::Sglang, "k") => Some(1e3),
        (Framework::Vllm | Framework::Sglang, "m") => (framework == Framework::Vllm).then_some(1e6),
        (Framework::Vllm, "K") | (Framework::Sglang, "Ki") => Some(1024.0),
        (Framework::Vllm, "M") | (Framework::Sglang, "Mi") => Some(1024.0 * 1024.0),
        (Framework::Sglang, "M") => Some(1e6),
        _ => None,
    };
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let number: f64 = digits.parse().ok()?;
    let product = number * factor(&text[digits.len()..])?;
    (product.fract() == 0.0 && product.abs() < 9e15).then_some(product as i64)
}

/// A value as a whole number, where it is one.
pub(super) fn as_whole_number(framework: Framework, value: &Value) -> Option<i64> {
    match value {
        Value::Number(number) => number.as_i64(),
        Value::String(text) => whole_number(framework, text),
        _ => None,
    }
}

/// Flags whose value is a secret by itself.
const SECRET_FLAGS: [&str; 5] = ["api_key", "admin_api_key", "hf_token", "ssl_keyfile_password", "token"];

/// Why a value may not stand in a plan, where it looks like a secret: commands, reports and shares would show it.
pub(super) fn secret_reason(name: &str, value: &Value) -> Option<String> {
    let named = SECRET_FLAGS.contains(&name) && matches!(value, Value::String(_) | Value::Number(_) | Value::Array(_));
    let shaped = ["hf_", "sk-"].iter().any(|prefix| {
        word(value).split(['"', '\'', ' ', '=', ':', ',']).any(|part| {
            part.strip_prefix(prefix).is_some_and(|rest| {
                rest.len() >= 16 && rest.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'))
            })
        })
    });
    (named || shaped).then(|| {
        "would show a secret in commands and reports: give it to the server through its environment (HF_TOKEN, …)"
            .to_owned()
    })
}

/// Whether a command holds a secret: by the shape of a word, by a variable that it sets (`HF_TOKEN=…`), or by a flag
/// whose value is one.
pub(super) fn holds_secret(words: &[String]) -> bool {
    let secret_variable = |name: &str| {
        let name = name.to_uppercase();
        ["TOKEN", "API_KEY", "PASSWORD", "SECRET"].iter().any(|end| name.ends_with(end))
    };
    let secret_flag = |word: &str| SECRET_FLAGS.contains(&word.trim_start_matches('-').replace('-', "_").as_str());
    words.iter().enumerate().any(|(index, word)| {
        let named = match word.split_once('=') {
            Some((_, "")) => false,
            Some((name, _)) if name.starts_with('-') => secret_flag(name),
            Some((name, _)) => secret_variable(name),
            None => word.starts_with("--") && secret_flag(word) && words.len() > index + 1,
        };
        named || secret_reason("", &Value::String(word.clone())).is_some()
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn values_are_checked_by_kind() {
        let ok = |framework: Framework, name: &str, value: Value| {
            check_value(framework, framework.knob(name).unwrap(), &value)
        };
        use Framework::*;
        let cases = [
            (Vllm, "max_num_seqs", json!(64), true),
            (Vllm, "max_num_seqs", json!("64"), true),
            (Vllm, "max_model_len", json!("8k"), true),
            (Sglang, "max_prefill_tokens", json!("16Ki"), true),
            (LlamaCpp, "ctx_size", json!("8k"), false),
            (Vllm, "max_num_seqs", json!(64.5), false),
            (Vllm, "max_num_seqs", json!(true), false),
            (Vllm, "max_num_seqs", json!([1, 2]), false),
            (Vllm, "max_num_seqs", json!(null), true),
            (Vllm, "gpu_memory_utilization", json!(1), true),
            (Vllm, "gpu_memory_utilization", json!("most"), false),
            (Vllm, "enforce_eager", json!(false), true),
            (Vllm, "enforce_eager", json!("yes"), false),
            (Vllm, "dtype", json!("bfloat16"), true),
            (Vllm, "dtype", json!("bf16"), false),
            (LlamaCpp, "flash_attn", json!("on"), true),
            (LlamaCpp, "flash_attn", json!(true), false),
            (LlamaCpp, "n_gpu_layers", json!(99), true),
            (Vllm, "cudagraph_capture_sizes", json!([1, 2]), true),
            (Vllm, "quantization", json!(true), false),
            (Vllm, "speculative_config", json!({"method": "ngram"}), true),
            (Vllm, "speculative_config", json!("{\"method\": 1}"), true),
            (Vllm, "speculative_config", json!("ngram"), false),
        ];
        for (framework, name, value, fits) in cases {
            assert_eq!(ok(framework, name, value.clone()).is_ok(), fits, "{name}: {value}");
        }
        let message = ok(Vllm, "dtype", json!("bfloat61")).unwrap_err();
        assert!(message.ends_with("did you mean `bfloat16`?"), "{message}");
    }

    #[test]
    fn suffixes_are_those_of_the_framework() {
        assert_eq!(whole_number(Framework::Vllm, "1K"), Some(1024));
        assert_eq!(whole_number(Framework::Vllm, "25.6k"), Some(25_600));
        assert_eq!(whole_number(Framework::Sglang, "1K"), None);
        assert_eq!(whole_number(Framework::Sglang, "1Ki"), Some(1024));
        assert_eq!(whole_number(Framework::Vllm, "k"), None);
    }

    #[test]
    fn secrets_are_recognised() {
        let holds = |command: &str| holds_secret(&command.split(' ').map(str::to_owned).collect::<Vec<_>>());
        for command in
            ["env HF_TOKEN=abc x", "OPENAI_API_KEY=x", "x hf_0123456789abcdefgh", "x --api-key k", "x --api-key=k"]
        {
            assert!(holds(command), "{command}");
        }
        for command in ["CUDA_VISIBLE_DEVICES=0 x", "HF_TOKEN= x", "x --max-num-batched-tokens=4", "vllm serve"] {
            assert!(!holds(command), "{command}");
        }
        assert!(secret_reason("api_key", &json!("x")).is_some());
        assert!(secret_reason("chat_template", &json!("a hf_abcdefghijklmnopqrst b")).is_some());
        assert!(secret_reason("model", &json!("org/hf_model")).is_none());
    }
}
