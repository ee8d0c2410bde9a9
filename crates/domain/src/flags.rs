//! Flag maps: the values that a plan gives to a server's command line, and how they are rendered.

use indexmap::IndexMap;
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::framework::Spelling;

/// Flag name (as in the plan, with underscores) → value, in the order of the plan.
pub type FlagMap = IndexMap<String, Value>;

/// The command-line words of one flag. `null` and `false` give none, `true` the bare flag, a list several words,
/// a mapping one word of JSON, anything else the flag and its value.
pub fn render_flag(name: &str, value: &Value, spelling: Spelling) -> Vec<String> {
    let flag = spell(name, spelling);
    match value {
        Value::Null | Value::Bool(false) => Vec::new(),
        Value::Bool(true) => vec![flag],
        Value::Array(items) => std::iter::once(flag).chain(items.iter().map(word)).collect(),
        other => vec![flag, word(other)],
    }
}

/// The command-line words of a flag map, in its order.
pub fn render_flags(flags: &FlagMap, spelling: Spelling) -> Vec<String> {
    flags.iter().flat_map(|(name, value)| render_flag(name, value, spelling)).collect()
}

/// `--a-b` or `--a_b`.
pub fn spell(name: &str, spelling: Spelling) -> String {
    match spelling {
        Spelling::Kebab => format!("--{}", name.replace('_', "-")),
        Spelling::Snake => format!("--{}", name.replace('-', "_")),
    }
}

/// The negative form of a switch, `--no-a-b`.
pub fn spell_negated(name: &str, spelling: Spelling) -> String {
    match spelling {
        Spelling::Kebab => format!("--no-{}", name.replace('_', "-")),
        Spelling::Snake => format!("--no_{}", name.replace('-', "_")),
    }
}

/// A value as one word: text as it is, everything else as compact JSON.
pub fn word(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// The display form of an argument list: every word quoted for a POSIX shell where it has to be.
///
/// The executed form is always the list; this text is for people to copy.
pub fn shell_join(argv: &[String]) -> String {
    argv.iter().map(|word| shell_quote(word)).collect::<Vec<_>>().join(" ")
}

fn shell_quote(word: &str) -> String {
    match shlex::try_quote(word) {
        Ok(quoted) => quoted.into_owned(),
        // A NUL byte cannot be part of an argument at all; it is shown as the escape that people know.
        Err(_) => format!("'{}'", word.replace('\0', "\\0").replace('\'', r"'\''")),
    }
}

/// The words of a command as a shell would split it; `None` where a quote is left open.
pub fn shell_split(command: &str) -> Option<Vec<String>> {
    shlex::split(command)
}

/// The first 8 hexadecimal digits of the SHA-256 of the canonical form of `flags`: compact JSON with sorted keys at
/// every depth. It depends on the flags alone, so it is the same on every machine and in every version.
pub fn fingerprint(flags: &FlagMap) -> String {
    let mut keys: Vec<_> = flags.iter().collect();
    keys.sort_by(|a, b| a.0.cmp(b.0));
    let mut hasher = Sha256::new();
    for (name, value) in keys {
        hasher.update(Value::String(name.clone()).to_string());
        hasher.update(":");
        hasher.update(canonical(value));
        hasher.update("\n");
    }
    hasher.finalize().iter().take(4).map(|byte| format!("{byte:02x}")).collect()
}

fn canonical(value: &Value) -> String {
    match value {
        Value::Object(map) => {
            let mut entries: Vec<_> = map.iter().collect();
            entries.sort_by(|a, b| a.0.cmp(b.0));
            let body: Vec<_> =
                entries.iter().map(|(k, v)| format!("{}:{}", Value::String((*k).clone()), canonical(v))).collect();
            format!("{{{}}}", body.join(","))
        }
        Value::Array(items) => format!("[{}]", items.iter().map(canonical).collect::<Vec<_>>().join(",")),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn values_become_words() {
        let cases = [
            (json!(null), vec![]),
            (json!(false), vec![]),
            (json!(true), vec!["--max-num-seqs"]),
            (json!(64), vec!["--max-num-seqs", "64"]),
            (json!(0.9), vec!["--max-num-seqs", "0.9"]),
            (json!("a b"), vec!["--max-num-seqs", "a b"]),
            (json!([1, 2]), vec!["--max-num-seqs", "1", "2"]),
            (json!({"k": 1}), vec!["--max-num-seqs", "{\"k\":1}"]),
        ];
        for (value, words) in cases {
            assert_eq!(render_flag("max_num_seqs", &value, Spelling::Kebab), words, "{value}");
        }
        assert_eq!(render_flag("a-b", &json!(1), Spelling::Snake), ["--a_b", "1"]);
    }

    #[test]
    fn the_fingerprint_ignores_order_and_sees_every_value() {
        let one: FlagMap = [("a".into(), json!({"x": 1, "y": [1]})), ("b".into(), json!(2))].into_iter().collect();
        let same: FlagMap = [("b".into(), json!(2)), ("a".into(), json!({"y": [1], "x": 1}))].into_iter().collect();
        let other: FlagMap = [("b".into(), json!("2")), ("a".into(), json!({"y": [1], "x": 1}))].into_iter().collect();
        assert_eq!(fingerprint(&one), fingerprint(&same));
        assert_ne!(fingerprint(&one), fingerprint(&other));
        assert_eq!(fingerprint(&one).len(), 8);
    }

    #[test]
    fn the_display_form_splits_back_into_the_same_words() {
        let argv = ["a b", "it's", "$HOME", "", "\"q\"", "x=1;rm"].map(String::from).to_vec();
        assert_eq!(shlex::split(&shell_join(&argv)).unwrap(), argv);
    }
}
