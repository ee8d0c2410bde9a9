//! How each line is found.

use std::collections::{BTreeMap, BTreeSet};

use super::{Check, Conditions, Finding, Line, PromptSet};
use crate::row::{ResultRow, framework_name};

/// Largest share of answers with a wrong length that still counts as verified: the same as for a valid measurement.
const WRONG_ANSWER_SHARE: f64 = 0.01;

/// Two means of prompt tokens count as equal within one token (a start token) or this share.
const PROMPT_TOKEN_SHARE: f64 = 0.005;

/// A larger share of cached prompt tokens shows that a cache was warm.
const WARM_SHARE: f64 = 0.05;

/// Different values that evidence names; the rest is a count.
const NAMED_VALUES: usize = 4;

/// What a check of one fact found, with the evidence.
type Found = (Finding, String);

pub(super) fn line(check: Check, rows: &[&ResultRow]) -> Line {
    let (finding, evidence) = match rows.is_empty() {
        true => (Finding::Unknown, "nothing was measured".to_owned()),
        false => find(check, rows),
    };
    Line { check, finding, evidence }
}

fn find(check: Check, rows: &[&ResultRow]) -> Found {
    match check {
        Check::PromptSet => prompt_sets(rows),
        Check::PromptTokens => prompt_tokens(rows),
        Check::OutputLengths => output_lengths(rows),
        Check::Endpoint => {
            let found = equal(rows, |row| row.workload.endpoint.clone());
            or_own_word(rows, found, |row| row.normalization.same_endpoint)
        }
        Check::Hardware => hardware(rows),
        Check::Precision => precision(rows),
        Check::Weights => weights(rows),
        Check::Tokenizer => {
            let found = equal(rows, |row| {
                let known = conditions(row)?;
                let own = || Some(format!("that of {}", last_part(known.weights.as_deref()?)));
                known.tokenizer.as_deref().map(last_part).or_else(own)
            });
            or_own_word(rows, found, |row| row.normalization.same_tokenizer)
        }
        Check::Versions => per_framework(rows, |row| row.framework_version.clone()),
        Check::Images => per_framework(rows, |row| conditions(row)?.image.clone()),
        Check::ColdCache => cold_cache(rows),
        Check::Sampling => equal(rows, |row| conditions(row)?.sampling.clone()),
    }
}

fn conditions(row: &ResultRow) -> Option<&Conditions> {
    row.podium.as_ref()?.conditions.as_ref()
}

fn prompt_set(row: &ResultRow) -> Option<&PromptSet> {
    conditions(row)?.prompt_set.as_ref()
}

/// Frameworks by the value of a fact.
struct Values {
    by_value: BTreeMap<String, BTreeSet<String>>,
    missing: BTreeSet<String>,
}

fn values(rows: &[&ResultRow], fact: impl Fn(&ResultRow) -> Option<String>) -> Values {
    let mut values = Values { by_value: BTreeMap::new(), missing: BTreeSet::new() };
    for row in rows {
        let name = row.framework_name().to_owned();
        match fact(row) {
            Some(value) => values.by_value.entry(value).or_default().insert(name),
            None => values.missing.insert(name),
        };
    }
    values
}

/// A fact that has to be the same for all rows.
fn equal(rows: &[&ResultRow], fact: impl Fn(&ResultRow) -> Option<String>) -> Found {
    let Values { by_value, missing } = values(rows, fact);
    match by_value.len() {
        0 => (Finding::Unknown, "no row says it".to_owned()),
        1 => {
            let value = by_value.keys().next().cloned().unwrap_or_default();
            match missing.is_empty() {
                true => (Finding::Pass, value),
                false => (Finding::Unknown, format!("{value}; not known of every row of {}", join(&missing))),
            }
        }
        _ => (Finding::Fail, format!("differs: {}", listed(&by_value))),
    }
}

/// A fact that has to be known of every row, and the same for the rows of one framework.
fn per_framework(rows: &[&ResultRow], fact: impl Fn(&ResultRow) -> Option<String>) -> Found {
    let mut known: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    let mut missing = BTreeSet::new();
    for row in rows {
        match fact(row) {
            Some(value) => known.entry(row.framework_name()).or_default().insert(value),
            None => missing.insert(row.framework_name().to_owned()),
        };
    }
    let several: BTreeMap<_, _> = known.iter().filter(|(_, values)| values.len() > 1).collect();
    if !several.is_empty() {
        let texts: Vec<_> = several.iter().map(|(name, values)| format!("{name} ran as {}", join(values))).collect();
        return (Finding::Fail, texts.join("; "));
    }
    if !missing.is_empty() {
        return (Finding::Unknown, format!("not known of every row of {}", join(&missing)));
    }
    let texts: Vec<_> = known.iter().map(|(name, values)| format!("{name} {}", join(values))).collect();
    (Finding::Pass, texts.join("; "))
}

/// A row's own word counts against it, never for it: nobody has seen what it rests on.
fn or_own_word(rows: &[&ResultRow], found: Found, stated: impl Fn(&ResultRow) -> Option<bool>) -> Found {
    let count = |word: bool| rows.iter().filter(|row| stated(row) == Some(word)).count();
    match (found.0, count(false), count(true)) {
        (Finding::Fail, _, _) | (_, 0, 0) => found,
        (_, denied @ 1.., _) => (Finding::Fail, format!("{denied} of {} rows say that it is not", rows.len())),
        (Finding::Unknown, _, stated) => {
            let text = format!("{}; {stated} of {} rows say so without evidence", found.1, rows.len());
            (Finding::Unknown, text)
        }
        (Finding::Pass, _, _) => found,
    }
}

fn prompt_sets(rows: &[&ResultRow]) -> Found {
    let frameworks: BTreeSet<&str> = rows.iter().map(|row| row.framework.as_str()).collect();
    let mut sets: BTreeMap<&str, BTreeMap<&str, BTreeSet<&str>>> = BTreeMap::new();
    let mut without = 0;
    for row in rows {
        match prompt_set(row) {
            Some(set) => {
                sets.entry(&set.key).or_default().entry(&set.sha256).or_default().insert(&row.framework);
            }
            None => without += 1,
        }
    }
    if let Some((key, different)) = sets.iter().find(|(_, hashes)| hashes.len() > 1) {
        let texts: Vec<_> = different
            .iter()
            .map(|(hash, frameworks)| {
                let names: Vec<_> = frameworks.iter().map(|id| framework_name(id)).collect();
                format!("{} {}", names.join(", "), short(hash))
            })
            .collect();
        return (Finding::Fail, format!("different prompts in {key}: {}", texts.join("; ")));
    }
    if without > 0 {
        return (Finding::Unknown, format!("{without} of {} measurements have no hash of their prompts", rows.len()));
    }
    // Only frameworks that met under one key are known to have been asked the same.
    let met: BTreeSet<&str> =
        sets.values().flat_map(BTreeMap::values).filter(|who| who.len() > 1).flatten().copied().collect();
    let alone: Vec<_> = frameworks.difference(&met).map(|id| framework_name(id)).collect();
    if frameworks.len() > 1 && !alone.is_empty() {
        let text = format!("no load was measured on {} and on another framework as well", alone.join(", "));
        return (Finding::Unknown, text);
    }
    let hash = sets.values().next().and_then(|hashes| hashes.keys().next()).copied().unwrap_or_default();
    let text = match sets.len() {
        1 => format!("one set in {} measurements, SHA-256 {}", rows.len(), short(hash)),
        n => format!("{n} loads in {} measurements, one set for each, the first {}", rows.len(), short(hash)),
    };
    (Finding::Pass, text)
}

fn prompt_tokens(rows: &[&ResultRow]) -> Found {
    // Under one key the prompts are the same; without a key, those of the same scenario are compared.
    let mut ranges: BTreeMap<&str, (f64, f64)> = BTreeMap::new();
    let mut missing = BTreeSet::new();
    for row in rows {
        let Some(mean) = conditions(row).and_then(|known| known.prompt_tokens_mean) else {
            missing.insert(row.framework_name().to_owned());
            continue;
        };
        let key = prompt_set(row).map_or_else(|| row.scenario(), |set| set.key.as_str());
        let range = ranges.entry(key).or_insert((mean, mean));
        *range = (range.0.min(mean), range.1.max(mean));
    }
    let apart = |(low, high): &(f64, f64)| high - low > f64::max(1.0, PROMPT_TOKEN_SHARE * high);
    if let Some((key, (low, high))) = ranges.iter().find(|(_, range)| apart(range)) {
        return (Finding::Fail, format!("in {key} between {low:.1} and {high:.1} tokens per prompt"));
    }
    if !missing.is_empty() {
        let text = format!("the server's count is not known of every row of {}", join(&missing));
        return (Finding::Unknown, text);
    }
    let text = match (ranges.len(), ranges.iter().next()) {
        (1, Some((key, (low, _)))) => format!("{key}: {low:.1} tokens per prompt by the servers' own counts"),
        (n, _) => format!("equal by the servers' own counts in each of {n} loads"),
    };
    (Finding::Pass, text)
}

fn output_lengths(rows: &[&ResultRow]) -> Found {
    let wrong = |set: &&PromptSet| set.wrong_answers as f64 > WRONG_ANSWER_SHARE * set.checked_answers as f64;
    let bad: Vec<_> = rows.iter().filter_map(|row| Some((row, prompt_set(row).filter(wrong)?))).collect();
    if let Some((row, set)) = bad.first() {
        let more = if bad.len() > 1 { format!(", and {} rows more", bad.len() - 1) } else { String::new() };
        let (wrong, checked) = (set.wrong_answers, set.checked_answers);
        let text = format!("{wrong} of {checked} answers of {} had another length than asked{more}", row.candidate_id);
        return (Finding::Fail, text);
    }
    let unchecked = rows.iter().filter(|row| prompt_set(row).is_none_or(|set| set.checked_answers == 0)).count();
    if unchecked > 0 {
        let text = format!("for {unchecked} of {} rows no answer's length was fixed and counted", rows.len());
        return (Finding::Unknown, text);
    }
    let checked: u64 = rows.iter().filter_map(|row| prompt_set(row)).map(|set| set.checked_answers).sum();
    (Finding::Pass, format!("{checked} answers had the length that was asked for"))
}

fn hardware(rows: &[&ResultRow]) -> Found {
    let counts = equal(rows, |row| match row.hardware.gpu_count? {
        1 => Some("1 GPU".to_owned()),
        count => Some(format!("{count} GPUs")),
    });
    let models = equal(rows, |row| match (row.hardware.gpu_count, &row.hardware.gpu_model) {
        // Which GPU a server does not use makes no difference.
        (Some(0), _) => Some("no GPU".to_owned()),
        (_, model) => model.clone(),
    });
    let found = match (counts.0, models.0) {
        (Finding::Fail, _) => counts,
        (_, Finding::Fail) => models,
        (Finding::Unknown, _) => (Finding::Unknown, format!("count: {}", counts.1)),
        (_, Finding::Unknown) => (Finding::Unknown, format!("type: {}", models.1)),
        (Finding::Pass, Finding::Pass) if counts.1 == "0 GPUs" => (Finding::Pass, "servers on the CPU".to_owned()),
        (Finding::Pass, Finding::Pass) => (Finding::Pass, format!("{}, {}", counts.1, models.1)),
    };
    or_own_word(rows, found, |row| row.normalization.same_gpu_count)
}

fn precision(rows: &[&ResultRow]) -> Found {
    let weights = equal(rows, |row| conditions(row)?.dtype.clone());
    let set_or = |value: &Option<String>, else_: &str| Some(value.clone().unwrap_or_else(|| else_.to_owned()));
    let quantization = equal(rows, |row| set_or(&conditions(row)?.quantization, "as in the weights"));
    let cache = equal(rows, |row| match conditions(row) {
        Some(known) => set_or(&known.kv_cache_dtype, "the server's default"),
        None => row.memory.kv_cache_dtype.clone(),
    });
    let parts = [("number format", weights), ("quantization", quantization), ("KV cache", cache)];
    let text = |wanted: Finding| -> Vec<String> {
        let matching = parts.iter().filter(|(_, (finding, _))| *finding == wanted);
        matching.map(|(what, (_, text))| format!("{what}: {text}")).collect()
    };
    for finding in [Finding::Fail, Finding::Unknown] {
        let texts = text(finding);
        if !texts.is_empty() {
            return (finding, texts.join("; "));
        }
    }
    (Finding::Pass, text(Finding::Pass).join("; "))
}

fn weights(rows: &[&ResultRow]) -> Found {
    let loaded = equal(rows, |row| conditions(row)?.weights.clone());
    let found = match loaded.0 {
        Finding::Pass => (Finding::Pass, format!("every server loaded {}", last_part(&loaded.1))),
        Finding::Fail => {
            let shown = values(rows, |row| conditions(row)?.weights.as_deref().map(last_part)).by_value;
            let text = match shown.len() {
                1 => format!("{}, from different places", listed(&shown)),
                _ => format!("differs: {}", listed(&shown)),
            };
            (Finding::Fail, text)
        }
        // The name of the model can tell that weights differ, but not that they are the same files.
        Finding::Unknown => match equal(rows, |row| row.model.as_deref().map(last_part)) {
            (Finding::Pass, name) => {
                (Finding::Unknown, format!("by name {name}; which files were loaded is not known"))
            }
            other => other,
        },
    };
    or_own_word(rows, found, |row| row.normalization.same_model_weights)
}

fn cold_cache(rows: &[&ResultRow]) -> Found {
    let mut unknown = 0;
    let mut own_servers = 0;
    let mut largest: f64 = 0.0;
    for row in rows {
        // Other tools give random prompts a common beginning: only our own word on it counts.
        let fresh = prompt_set(row).is_some_and(|set| set.fresh);
        let own_server = conditions(row).and_then(|known| known.own_server);
        let share = row.cache.prefix_cache_hit_rate;
        own_servers += usize::from(own_server == Some(true));
        largest = largest.max(share.unwrap_or(0.0));
        match (share, own_server) {
            (Some(share), _) if share > WARM_SHARE && fresh => {
                let text = format!(
                    "{:.0} % of the prompt tokens of {} came from a cache, although no prompt was sent before",
                    share * 100.0,
                    row.candidate_id
                );
                return (Finding::Fail, text);
            }
            (share, Some(false)) if !fresh || share.is_none_or(|share| share > WARM_SHARE) => {
                return (
                    Finding::Fail,
                    format!("the server of {} had served another candidate before", row.candidate_id),
                );
            }
            (Some(share), _) if share <= WARM_SHARE => {}
            (None, Some(true)) if fresh => {}
            // Requests of a file can share their beginnings, and one server can meet them again at the next load.
            _ => unknown += 1,
        }
    }
    if unknown > 0 {
        let text = format!("what the cache held is not known for {unknown} of {} rows", rows.len());
        return (Finding::Unknown, text);
    }
    let servers = match own_servers == rows.len() {
        true => "every candidate had a server of its own; ",
        false => "",
    };
    (
        Finding::Pass,
        format!("{servers}at most {:.1} % of prompt tokens came from a cache where that is told", largest * 100.0),
    )
}

/// The first digits of a hash.
fn short(hash: &str) -> String {
    hash.chars().take(12).collect()
}

/// What names the weights without saying where they are: the last part of a local path, a repository's name as it is.
fn last_part(place: &str) -> String {
    let is_local = place.starts_with(['/', '~', '.']) || place.matches('/').count() > 1 || place.contains('\\');
    let last = place.trim_end_matches(['/', '\\']).rsplit(['/', '\\']).next().filter(|last| !last.is_empty());
    if is_local { last.unwrap_or(place).to_owned() } else { place.to_owned() }
}

fn join(names: &BTreeSet<String>) -> String {
    let shown: Vec<_> = names.iter().take(NAMED_VALUES).map(String::as_str).collect();
    let more = names.len().saturating_sub(NAMED_VALUES);
    if more > 0 { format!("{} and {more} more", shown.join(", ")) } else { shown.join(", ") }
}

/// Values with the frameworks that have them.
fn listed(by_value: &BTreeMap<String, BTreeSet<String>>) -> String {
    let mut texts: Vec<_> =
        by_value.iter().take(NAMED_VALUES).map(|(value, names)| format!("{value} ({})", join(names))).collect();
    let more = by_value.len().saturating_sub(NAMED_VALUES);
    if more > 0 {
        texts.push(format!("{more} more values"));
    }
    texts.join(", ")
}
