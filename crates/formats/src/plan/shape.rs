//! The parts of `dataset` that say how drawn requests spread and what they share.

use podium_domain::lengths::{Conversation, LengthSpread, PromptShape, SharedPrefix};
use serde_json::Value;

use super::context::{At, Findings, Section, describe};
use super::problem::suggestion;
use super::tree::Content;

/// The keys of a shape.
const SHAPE_KEYS: [&str; 5] =
    ["input_len_distribution", "output_len_distribution", "shared_prefix", "turns", "think_time_s"];

/// Spreads by name.
const SPREADS: [&str; 5] = ["fixed", "uniform", "normal", "log_normal", "empirical"];

/// Groups of a shared prefix at most.
const MAX_GROUPS: u32 = 1_000_000;
/// Tokens of one prefix or length at most.
const MAX_TOKENS: u32 = 10_000_000;
/// Turns of one conversation at most.
const MAX_TURNS: u32 = 1000;
/// The longest think time: a day, seconds.
const MAX_THINK_TIME_S: f64 = 86_400.0;
/// The widest deviation, of the length or of its logarithm.
const MAX_DEVIATION: f64 = 10.0;

/// Reads the shape of drawn requests.
pub(super) fn shape(findings: &mut Findings, section: &mut Section<'_>) -> PromptShape {
    let mut spread = |key| section.get(key).and_then(|at| self::spread(findings, &at)).unwrap_or_default();
    let (input_len, output_len) = (spread("input_len_distribution"), spread("output_len_distribution"));
    let shared_prefix = section.get("shared_prefix").and_then(|at| shared_prefix(findings, &at));
    let turns = section.get("turns").and_then(|at| findings.whole(&at, 1..=MAX_TURNS));
    let think_time_s = match section.get("think_time_s") {
        Some(at) => {
            if turns.is_none_or(|turns| turns == 1) {
                findings
                    .warning(&at, "has no effect without `turns` of 2 or more: one request has nothing to wait for");
            }
            zero_or_more(findings, &at, MAX_THINK_TIME_S)
        }
        None => None,
    };
    let conversation =
        turns.filter(|turns| *turns > 1).map(|turns| Conversation { turns, think_time_s: think_time_s.unwrap_or(0.0) });
    PromptShape { input_len, output_len, shared_prefix, conversation }
}

/// Warns about a shape that a file dataset has no use for.
pub(super) fn ignored(findings: &mut Findings, section: &mut Section<'_>) {
    for key in SHAPE_KEYS {
        if let Some(at) = section.get(key) {
            findings.warning(&at, "is ignored: the requests of a file dataset are as the file has them");
        }
    }
}

/// A spread: its name alone, or a mapping of `kind` and its numbers.
fn spread(findings: &mut Findings, at: &At<'_>) -> Option<LengthSpread> {
    if let Content::Scalar(Value::String(name)) = &at.node.content {
        if name == "fixed" {
            return Some(LengthSpread::Fixed);
        }
        findings.problem(at, format!("`{name}` alone is no distribution: {}", example(name)));
        return None;
    }
    let mut section = findings.section(at)?;
    let Some(kind_at) = section.get("kind") else {
        findings.missing(&section, "kind", format!("is missing: use one of {}", SPREADS.join(", ")));
        return None;
    };
    let kind = findings.text(&kind_at)?;
    let mut number = |findings: &mut Findings, key: &'static str, limit: f64| match section.get(key) {
        Some(at) => findings.positive(&at, limit),
        None => {
            findings.missing(&section, key, format!("is missing: {}", example(&kind)));
            None
        }
    };
    let spread = match kind.as_str() {
        "fixed" => Some(LengthSpread::Fixed),
        "uniform" => number(findings, "ratio", 1.0).map(|ratio| LengthSpread::Uniform { ratio }),
        "normal" => {
            let deviation = number(findings, "deviation", MAX_DEVIATION);
            let max = max_of(findings, &mut section);
            deviation.map(|deviation| LengthSpread::Normal { deviation, max })
        }
        "log_normal" => {
            let sigma = number(findings, "sigma", MAX_DEVIATION);
            let max = max_of(findings, &mut section);
            sigma.map(|sigma| LengthSpread::LogNormal { sigma, max })
        }
        "empirical" => match section.get("path") {
            Some(at) => findings.text(&at).map(|path| LengthSpread::Empirical { path }),
            None => {
                findings.missing(&section, "path", format!("is missing: {}", example("empirical")));
                None
            }
        },
        other => {
            let near = suggestion(other, SPREADS);
            findings
                .problem(&kind_at, format!("`{other}` is no distribution: use one of {}{near}", SPREADS.join(", ")));
            return None;
        }
    };
    findings.finish(section);
    spread
}

fn max_of(findings: &mut Findings, section: &mut Section<'_>) -> Option<u32> {
    section.get("max").and_then(|at| findings.whole(&at, 1..=MAX_TOKENS))
}

/// How a distribution is written.
fn example(kind: &str) -> &'static str {
    match kind {
        "normal" => "write {kind: normal, deviation: 0.2}, a share of the scenario's length",
        "log_normal" => "write {kind: log_normal, sigma: 0.5} around the scenario's length as the median",
        "empirical" => "write {kind: empirical, path: lengths.txt}, a file with one length a line",
        _ => "write {kind: uniform, ratio: 0.2}, a share of the scenario's length to both sides",
    }
}

fn shared_prefix(findings: &mut Findings, at: &At<'_>) -> Option<SharedPrefix> {
    let mut section = findings.section(at)?;
    let groups = match section.get("groups") {
        Some(at) => findings.whole(&at, 1..=MAX_GROUPS),
        None => {
            findings.fill("dataset.shared_prefix.groups", 1);
            Some(1)
        }
    };
    let prefix_len = match section.get("prefix_len") {
        Some(at) => findings.whole(&at, 1..=MAX_TOKENS),
        None => {
            findings.missing(&section, "prefix_len", "is missing: how many tokens at the beginning are shared");
            None
        }
    };
    findings.finish(section);
    Some(SharedPrefix { groups: groups?, prefix_len: prefix_len? })
}

fn zero_or_more(findings: &mut Findings, at: &At<'_>, limit: f64) -> Option<f64> {
    let Content::Scalar(Value::Number(number)) = &at.node.content else {
        return findings.wrong_type(at, "a number");
    };
    let number = number.as_f64().filter(|number| (0.0..=limit).contains(number));
    if number.is_none() {
        findings.problem(at, format!("must be from 0 to {limit} seconds, found {}", describe(at.node)));
    }
    number
}
