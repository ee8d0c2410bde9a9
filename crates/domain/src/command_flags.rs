//! The flags of a command line as a map, so that commands can be compared: rows of any tool have a command, and nothing
//! else that says how the server was set up.

use std::collections::BTreeMap;

use crate::flags::shell_split;
use crate::row::ResultRow;

/// Flags that differ between launches without changing what is measured.
const INCIDENTAL: [&str; 5] = ["host", "port", "served-model-name", "api-key", "alias"];

/// What a switch without a value is set to.
const ON: &str = "on";

/// A flag in which two commands differ; `None` where a command does not give it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct FlagChange {
    /// The flag's name, with dashes and without those in front.
    pub name: String,
    /// What the first command gives it.
    pub from: Option<String>,
    /// What the second one gives it.
    pub to: Option<String>,
}

impl FlagChange {
    /// For example `max-num-seqs: 64 to 128`.
    pub fn text(&self) -> String {
        let shown = |value: &Option<String>| value.clone().unwrap_or_else(|| "default".to_owned());
        format!("{}: {} to {}", self.name, shown(&self.from), shown(&self.to))
    }
}

/// The flags of a command, by name, without those that only say where a server listens. Several words of one flag are one
/// value; a command that no shell could read has none.
pub fn flags_of(command: &str) -> BTreeMap<String, String> {
    let mut flags: BTreeMap<String, String> = BTreeMap::new();
    let mut open: Option<String> = None;
    for word in shell_split(command).unwrap_or_default() {
        match (flag_name(&word), &open) {
            (Some(name), _) => {
                let (name, value) = name.split_once('=').map_or((name, None), |(name, value)| (name, Some(value)));
                let name = name.replace('_', "-");
                flags.insert(name.clone(), value.unwrap_or(ON).to_owned());
                open = value.is_none().then_some(name);
            }
            (None, Some(name)) => {
                let value = flags.entry(name.clone()).or_default();
                if value == ON { value.clone_from(&word) } else { *value = format!("{value} {word}") }
            }
            // The program and what it serves.
            (None, None) => {}
        }
    }
    flags.retain(|name, _| !INCIDENTAL.contains(&name.as_str()));
    flags
}

/// The name in `--name`, `--name=value` or `-n`; a negative number is a value.
fn flag_name(word: &str) -> Option<&str> {
    let name = word.strip_prefix("--").or_else(|| word.strip_prefix('-'))?;
    name.starts_with(|c: char| c.is_ascii_alphabetic()).then_some(name)
}

/// The flags in which two commands differ, in name order.
pub fn changes(from: &BTreeMap<String, String>, to: &BTreeMap<String, String>) -> Vec<FlagChange> {
    let names: std::collections::BTreeSet<&String> = from.keys().chain(to.keys()).collect();
    let change =
        |name: &String| FlagChange { name: name.clone(), from: from.get(name).cloned(), to: to.get(name).cloned() };
    names.into_iter().map(change).filter(|change| change.from != change.to).collect()
}

/// What one flag did, everything else equal.
#[derive(Debug, Clone, PartialEq)]
pub struct KnobEffect<'a> {
    /// The flag and its two values.
    pub change: FlagChange,
    /// The row with the first value.
    pub from: &'a ResultRow,
    /// The row with the second one.
    pub to: &'a ResultRow,
    /// By how much the figure changed, as a share of the first: 0.1 is a tenth more.
    pub share: f64,
}

/// Every pair of rows of one framework and scenario whose commands differ in one flag alone, with what that did to
/// `figure`. Of each pair the row without the flag, or with the smaller value, comes first.
pub fn knob_effects<'a>(rows: &[&'a ResultRow], figure: impl Fn(&ResultRow) -> Option<f64>) -> Vec<KnobEffect<'a>> {
    let known: Vec<_> = rows
        .iter()
        .filter_map(|row| Some((*row, flags_of(row.launch_command()?), figure(row).filter(|figure| *figure > 0.0)?)))
        .collect();
    let mut effects = Vec::new();
    for (index, (first, first_flags, first_figure)) in known.iter().enumerate() {
        for (second, second_flags, second_figure) in &known[index + 1..] {
            if first.framework != second.framework || first.scenario() != second.scenario() {
                continue;
            }
            let mut found = changes(first_flags, second_flags);
            let Some(change) = found.pop().filter(|_| found.is_empty()) else { continue };
            let (from, to) = ((*first, *first_figure), (*second, *second_figure));
            let (change, from, to) = if is_rising(&change) {
                (change, from, to)
            } else {
                (FlagChange { from: change.to, to: change.from, ..change }, to, from)
            };
            effects.push(KnobEffect { change, from: from.0, to: to.0, share: to.1 / from.1 - 1.0 });
        }
    }
    effects.sort_by(|a, b| b.share.abs().total_cmp(&a.share.abs()).then_with(|| a.change.cmp(&b.change)));
    effects
}

fn is_rising(change: &FlagChange) -> bool {
    match (&change.from, &change.to) {
        (Some(from), Some(to)) => match (from.parse::<f64>(), to.parse::<f64>()) {
            (Ok(from), Ok(to)) => from <= to,
            _ => from <= to,
        },
        (from, _) => from.is_none(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_command_becomes_its_flags() {
        let flags = flags_of("vllm serve m --port 8000 --max_num_seqs=64 --enforce-eager --seed -1 -tp 2 --lora a b");
        let found: Vec<_> = flags.iter().map(|(name, value)| format!("{name}={value}")).collect();
        assert_eq!(found, ["enforce-eager=on", "lora=a b", "max-num-seqs=64", "seed=-1", "tp=2"]);
        assert_eq!(flags_of("it's open"), BTreeMap::new());
    }

    fn row(framework: &str, id: &str, flags: &str, rps: f64) -> ResultRow {
        serde_json::from_value(json!({
            "framework": framework, "candidate_id": id, "status": "ok", "workload": {"scenario": "chat"},
            "metrics": {"request_throughput": rps}, "server_command": format!("serve m {flags}"),
        }))
        .unwrap()
    }

    #[test]
    fn an_effect_is_what_one_flag_alone_did() {
        let rows = [
            row("vllm", "base", "--host h1", 4.0),
            row("vllm", "seqs-128", "--max-num-seqs 128 --host h2", 5.0),
            row("vllm", "seqs-64", "--max-num-seqs 64", 4.4),
            row("vllm", "two", "--max-num-seqs 64 --eager", 2.0),
            row("sglang", "base", "", 9.0),
        ];
        let effects = knob_effects(&rows.iter().collect::<Vec<_>>(), |row| row.metrics.request_throughput);
        let texts: Vec<_> =
            effects.iter().map(|effect| format!("{}: {:+.1}", effect.change.text(), effect.share * 100.0)).collect();
        assert_eq!(
            texts,
            [
                "eager: default to on: -54.5",
                "max-num-seqs: default to 128: +25.0",
                "max-num-seqs: 64 to 128: +13.6",
                "max-num-seqs: default to 64: +10.0",
            ]
        );
        assert_eq!((effects[0].from.candidate_id.as_str(), effects[0].to.candidate_id.as_str()), ("seqs-64", "two"));
    }
}
