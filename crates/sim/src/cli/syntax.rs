//! Splitting argument words into flags and values.

use podium_domain::framework::{Framework, ModelArgument};
use podium_domain::knobs::KnobKind;
use serde_json::{Value, json};

use super::flags::{self, Arity};

/// One flag as it was given.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Given {
    /// The name that the tables use, with underscores.
    pub name: String,
    pub value: GivenValue,
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum GivenValue {
    Switch(bool),
    Words(Vec<String>),
}

/// What the words say.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Words {
    Flags { model: Option<String>, given: Vec<Given> },
    Help,
    Version,
}

/// What is wrong with the words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum SyntaxError {
    /// Words that nobody knows, in order.
    Unrecognized(Vec<String>),
    /// A flag without its value.
    MissingValue(String),
    /// A value that is none of its kind: the flag as written, and the complaint.
    Invalid(String, String),
}

/// Reads the words after the server command. Flags that this release lacks are as unknown as any other.
pub(super) fn read(framework: Framework, words: &[String], lacks: &[String]) -> Result<Words, SyntaxError> {
    let mut given = Vec::new();
    let mut unrecognized = Vec::new();
    let mut model = None;
    let mut words = words.iter().peekable();
    while let Some(word) = words.next() {
        let Some(flag) = as_flag(word) else {
            let positional = framework.spec().model_argument == ModelArgument::Positional;
            if positional && model.is_none() {
                model = Some(word.clone());
            } else {
                unrecognized.push(word.clone());
            }
            continue;
        };
        let (written, inline) = match flag.split_once('=') {
            Some((name, value)) => (name, Some(value.to_owned())),
            None => (flag, None),
        };
        match written {
            "help" | "h" => return Ok(Words::Help),
            "version" | "v" => return Ok(Words::Version),
            _ => {}
        }
        let (base, path) = written.split_once('.').map_or((written, None), |(base, path)| (base, Some(path)));
        let canonical = flags::canonical(framework, base);
        let lacked = lacks.contains(&base.replace('-', "_"));
        let Some((name, arity)) = flags::look_up(framework, &canonical).filter(|_| !lacked) else {
            unrecognized.push(word.clone());
            // What follows may be its value: it is as unknown as the flag.
            if inline.is_none()
                && let Some(value) = words.next_if(|next| as_flag(next).is_none())
                && (model.is_some() || framework.spec().model_argument != ModelArgument::Positional)
            {
                unrecognized.push(value.clone());
            }
            continue;
        };
        let shown = word.split('=').next().unwrap_or(word).to_owned();
        let mut take = || match &inline {
            Some(value) => Ok(value.clone()),
            None => words.next_if(|next| as_flag(next).is_none()).cloned().ok_or_else(|| shown.clone()),
        };
        if let Some(path) = path {
            let value = take().map_err(SyntaxError::MissingValue)?;
            let value = serde_json::from_str(&value).unwrap_or(Value::String(value));
            let nested = path.rsplit('.').fold(value, |inner, key| json!({ key: inner }));
            given.push(Given { name, value: GivenValue::Words(vec![nested.to_string()]) });
            continue;
        }
        let value = match arity {
            Arity::Switch(value) => match &inline {
                None => GivenValue::Switch(value),
                Some(text) => GivenValue::Switch(value == switch_word(&shown, text)?),
            },
            Arity::One(kind) => {
                let value = take().map_err(SyntaxError::MissingValue)?;
                check(framework, kind, &value).map_err(|complaint| SyntaxError::Invalid(shown.clone(), complaint))?;
                GivenValue::Words(vec![value])
            }
            Arity::Many => {
                let mut values = vec![take().map_err(SyntaxError::MissingValue)?];
                if inline.is_none() {
                    while let Some(next) = words.next_if(|next| as_flag(next).is_none()) {
                        values.push(next.clone());
                    }
                }
                GivenValue::Words(values)
            }
            Arity::Unknown => match take() {
                Ok(value) => GivenValue::Words(vec![value]),
                Err(_) => GivenValue::Switch(true),
            },
        };
        given.push(Given { name, value });
    }
    if unrecognized.is_empty() {
        Ok(Words::Flags { model, given })
    } else {
        Err(SyntaxError::Unrecognized(unrecognized))
    }
}

/// The word without its dashes, when it is a flag. A negative number is a value.
fn as_flag(word: &str) -> Option<&str> {
    let name = word.strip_prefix("--").or_else(|| word.strip_prefix('-'))?;
    name.starts_with(|first: char| first.is_ascii_alphabetic()).then_some(name)
}

fn switch_word(shown: &str, text: &str) -> Result<bool, SyntaxError> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "1" | "yes" => Ok(true),
        "false" | "0" | "no" => Ok(false),
        _ => Err(SyntaxError::Invalid(shown.to_owned(), format!("invalid bool value: '{text}'"))),
    }
}

fn check(framework: Framework, kind: KnobKind, value: &str) -> Result<(), String> {
    match kind {
        KnobKind::Int if whole_number(framework, value).is_none() => Err(format!("invalid int value: '{value}'")),
        KnobKind::Float if value.parse::<f64>().ok().is_none_or(|number| !number.is_finite()) => {
            Err(format!("invalid float value: '{value}'"))
        }
        KnobKind::Choice(choices) if !choices.contains(&value) => {
            let choices: Vec<_> = choices.iter().map(|choice| format!("'{choice}'")).collect();
            Err(format!("invalid choice: '{value}' (choose from {})", choices.join(", ")))
        }
        KnobKind::Json if serde_json::from_str::<Value>(value).is_err() => {
            Err(format!("invalid json value: '{value}'"))
        }
        _ => Ok(()),
    }
}

/// A whole number; vLLM also takes `8k` (8,000) and `8K` (8,192), and the same for m/M.
pub(super) fn whole_number(framework: Framework, text: &str) -> Option<i64> {
    if let Ok(number) = text.parse() {
        return Some(number);
    }
    let unit: i64 = match (framework, text.chars().last()?) {
        (Framework::Vllm, 'k') => 1_000,
        (Framework::Vllm, 'K') => 1 << 10,
        (Framework::Vllm, 'm') => 1_000_000,
        (Framework::Vllm, 'M') => 1 << 20,
        _ => return None,
    };
    let number: f64 = text.get(..text.len() - 1)?.parse().ok()?;
    number.is_finite().then_some((number * unit as f64) as i64)
}
