//! Help texts as argparse, click and llama.cpp print them.

use std::collections::BTreeSet;

use super::{HelpFlags, Takes};

/// Widest indentation of a line that defines flags; deeper lines explain them.
const MAX_INDENT: usize = 8;

/// Reads the flags of a help text as argparse, click and llama.cpp print them.
pub fn parse(text: &str) -> HelpFlags {
    let head: String = text.chars().take(600).collect::<String>().to_ascii_lowercase();
    let mut reader = Reader {
        help: HelpFlags {
            // Such a listing says about itself that it was not captured.
            from_source: head.contains("from source") || head.contains("not --help output"),
            ..HelpFlags::default()
        },
        simulated: head.contains("a simulated "),
        entry: Entry::default(),
    };
    for line in text.lines() {
        let trimmed = line.trim_start();
        let indent = line.len() - trimmed.len();
        if trimmed.starts_with('-') && indent <= MAX_INDENT {
            reader.finish();
            let (definition, about) = split(trimmed);
            reader.entry = Entry { definition: definition.to_owned(), about: about.to_owned() };
        } else {
            reader.entry.about.push(' ');
            reader.entry.about.push_str(trimmed);
            // llama.cpp puts the words on a line of their own.
            if let Some(words) = trimmed.strip_prefix("allowed values:") {
                let words: Vec<_> = words.split(',').map(str::trim).collect();
                reader.entry.definition.push_str(&format!(" {{{}}}", words.join(",")));
            }
        }
    }
    reader.finish();
    let mut help = reader.help;
    let negated: BTreeSet<String> =
        help.flags.keys().filter_map(|name| Some(name.strip_prefix("no_")?.to_owned())).collect();
    for (name, flag) in &mut help.flags {
        flag.negatable = negated.contains(name);
    }
    // A bare list of names shows of no flag what it takes.
    if help.flags.values().all(|flag| flag.takes == Takes::Nothing) {
        help.flags.values_mut().for_each(|flag| flag.takes = Takes::Unknown);
    }
    help
}

struct Reader {
    help: HelpFlags,
    /// A simulator lists the flags that it ignores without their values.
    simulated: bool,
    entry: Entry,
}

/// The flags that one line defines, and the text that explains them.
#[derive(Default)]
struct Entry {
    definition: String,
    about: String,
}

impl Reader {
    fn finish(&mut self) {
        let entry = std::mem::take(&mut self.entry);
        let choices = choices(&entry.definition);
        let takes = match takes(&entry, self.help.from_source) {
            Takes::Nothing if self.simulated => Takes::Unknown,
            takes => takes,
        };
        for name in names(&entry.definition) {
            let flag = self.help.flags.entry(name).or_default();
            flag.choices.clone_from(&choices);
            flag.takes = takes;
        }
    }
}

/// What follows the flags of an entry. A listing from source names the type first; argparse and llama.cpp name none,
/// and a default that is a number tells a number from a text.
fn takes(entry: &Entry, from_source: bool) -> Takes {
    if from_source {
        return match entry.about.split_whitespace().next() {
            Some("int") => Takes::Whole,
            Some("float") => Takes::Number,
            Some("flag") => Takes::Nothing,
            Some("str" | "path" | "choice") => Takes::Value,
            _ => Takes::Unknown,
        };
    }
    let value = value_name(&entry.definition);
    let one_of = ["{", "[", "<"].iter().any(|open| value.starts_with(open)) && value.contains(['|', ',']);
    match value.split([' ', ',']).next().unwrap_or_default() {
        "" => Takes::Nothing,
        "INTEGER" => Takes::Whole,
        "FLOAT" => Takes::Number,
        _ if one_of => Takes::Value,
        // In brackets it may be left out.
        optional if optional.starts_with('[') => Takes::Unknown,
        // A list of numbers is no number.
        _ if value.contains("...") => Takes::Value,
        _ if default(&entry.about).is_some_and(|default| default.parse::<f64>().is_ok_and(f64::is_finite)) => {
            Takes::Number
        }
        _ => Takes::Value,
    }
}

/// The placeholder of the value: what is left of a definition without the flags.
fn value_name(definition: &str) -> String {
    let words = definition.split_whitespace().filter_map(|word| {
        let bare = word.trim_start_matches(['[', '/']);
        match bare.split_once('=') {
            Some((flag, value)) if flag.starts_with('-') => Some(value),
            _ if bare.is_empty() || bare.starts_with('-') => None,
            _ => Some(word),
        }
    });
    words.collect::<Vec<_>>().join(" ")
}

/// The default that an explanation ends with, `(default: X)` or `(default: X, …)`.
fn default(about: &str) -> Option<&str> {
    let (_, rest) = about.rsplit_once("(default:")?;
    Some(rest.split([',', ')']).next()?.trim())
}

/// A line's definition and its explanation: words that are set off by two spaces end the definition, unless a comma
/// comes before them or they are flags or aliases in brackets.
fn split(line: &str) -> (&str, &str) {
    let mut from = 0;
    while let Some(gap) = line[from..].find("  ") {
        let end = from + gap;
        let rest = line[end..].trim_start();
        let goes_on = line[..end].ends_with(',') || rest.starts_with("--") || rest.starts_with("[--");
        if !goes_on {
            return (&line[..end], rest);
        }
        from = line.len() - rest.len();
    }
    (line, "")
}

/// The long names of a definition, with underscores.
fn names(definition: &str) -> Vec<String> {
    let mut names = Vec::new();
    for word in definition.split([' ', ',', '[', ']', '|', '=']) {
        let Some(name) = word.strip_prefix("--") else { continue };
        let is_name = name.starts_with(|c: char| c.is_ascii_alphanumeric())
            && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_'));
        if is_name {
            names.push(name.replace('-', "_"));
        }
    }
    names
}

/// The words in `{a,b}`, `[a|b]` or `<a|b>`.
fn choices(definition: &str) -> Vec<String> {
    let inside = |open: char, close: char, separator: char| {
        let start = definition.find(open)? + 1;
        let end = start + definition[start..].find(close)?;
        let inner = &definition[start..end];
        let plain = inner.contains(separator) && !inner.contains("--") && !inner.contains("..");
        plain.then(|| inner.split(separator).map(|word| word.trim().to_owned()).collect())
    };
    inside('{', '}', ',').or_else(|| inside('[', ']', '|')).or_else(|| inside('<', '>', '|')).unwrap_or_default()
}
