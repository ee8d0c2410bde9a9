//! Help texts of servers: which flags a release takes, and with which values.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use podium_domain::framework::Framework;
use serde::{Deserialize, Serialize};

/// A help text with fewer flags than this, `--help` aside, counts as missing, not as "nothing is supported".
pub const MIN_FLAGS: usize = 10;

/// The flags of one framework's server, from one or several help texts.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HelpFlags {
    /// By name, with underscores and without leading dashes; every alias is a name of its own.
    pub flags: BTreeMap<String, HelpFlag>,
    /// Listed from source code instead of captured from a running program: such a text warns and never rejects.
    pub from_source: bool,
    /// The files' names, where they came from files.
    pub files: Vec<String>,
}

/// One flag of a help text.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HelpFlag {
    /// The words that it takes, where the text lists them.
    pub choices: Vec<String>,
    /// Whether the text has a `--no-` form of it.
    pub negatable: bool,
}

impl HelpFlags {
    /// Whether the help has this flag; `-` and `_` count as the same.
    pub fn knows(&self, name: &str) -> bool {
        self.flags.contains_key(&name.replace('-', "_"))
    }

    /// The words that the flag takes, where the help lists them.
    pub fn choices(&self, name: &str) -> Option<&[String]> {
        let flag = self.flags.get(&name.replace('-', "_"))?;
        (!flag.choices.is_empty()).then_some(flag.choices.as_slice())
    }

    /// Where the help comes from, for messages.
    pub fn source(&self) -> String {
        if self.files.is_empty() { "from the host".to_owned() } else { self.files.join(", ") }
    }

    /// Whether it has enough flags to be a help text at all.
    pub fn is_usable(&self) -> bool {
        self.flags.keys().filter(|name| *name != "help").count() >= MIN_FLAGS
    }

    fn merge(&mut self, other: HelpFlags) {
        for (name, flag) in other.flags {
            let mine = self.flags.entry(name).or_default();
            mine.negatable |= flag.negatable;
            for choice in flag.choices {
                if !mine.choices.contains(&choice) {
                    mine.choices.push(choice);
                }
            }
        }
        self.from_source |= other.from_source;
        self.files.extend(other.files);
    }
}

/// The captured help texts of a host or a folder, by framework.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HelpSet(BTreeMap<Framework, HelpFlags>);

impl HelpSet {
    /// The usable help of a framework.
    pub fn get(&self, framework: Framework) -> Option<&HelpFlags> {
        self.0.get(&framework).filter(|help| help.is_usable())
    }

    /// Adds a help text; several of one framework are merged.
    pub fn add(&mut self, framework: Framework, help: HelpFlags) {
        self.0.entry(framework).or_default().merge(help);
    }
}

/// Reads every text file in `dir` and its folders, two deep, whose name belongs to a framework's server.
pub fn folder(dir: &Path) -> std::io::Result<HelpSet> {
    let mut set = HelpSet::default();
    let mut files = Vec::new();
    collect(dir, 2, &mut files)?;
    files.sort();
    for path in files {
        let Some(name) = path.file_name().and_then(|name| name.to_str()) else { continue };
        let Some(framework) = framework_of(name) else { continue };
        let text = String::from_utf8_lossy(&std::fs::read(&path)?).into_owned();
        let mut help = parse(&text);
        help.files.push(name.to_owned());
        set.add(framework, help);
    }
    Ok(set)
}

fn collect(dir: &Path, depth: usize, files: &mut Vec<std::path::PathBuf>) -> std::io::Result<()> {
    for entry in std::fs::read_dir(dir)? {
        let entry = entry?;
        let kind = entry.file_type()?;
        if kind.is_dir() && depth > 0 {
            collect(&entry.path(), depth - 1, files)?;
        } else if kind.is_file() {
            files.push(entry.path());
        }
    }
    Ok(())
}

/// The framework whose server a file of this name describes; client help (`bench` in the name) describes none.
pub fn framework_of(file_name: &str) -> Option<Framework> {
    let name = file_name.to_ascii_lowercase();
    if name.contains("bench") {
        return None;
    }
    let both = |a: &str, b: &str| name.contains(a) && name.contains(b);
    if both("sglang", "launch") {
        Some(Framework::Sglang)
    } else if both("trtllm", "serve") {
        Some(Framework::TensorrtLlm)
    } else if both("tokenspeed", "serve") {
        Some(Framework::Tokenspeed)
    } else if both("vllm", "serve") {
        Some(Framework::Vllm)
    } else if both("llama", "server") {
        Some(Framework::LlamaCpp)
    } else {
        None
    }
}

/// Widest indentation of a line that defines flags; deeper lines explain them.
const MAX_INDENT: usize = 8;

/// Reads the flags of a help text as argparse, click and llama.cpp print them.
pub fn parse(text: &str) -> HelpFlags {
    let mut help = HelpFlags { from_source: is_from_source(text), ..HelpFlags::default() };
    let mut negated = BTreeSet::new();
    let mut current: Vec<String> = Vec::new();
    for line in text.lines() {
        let trimmed = line.trim_start();
        let indent = line.len() - trimmed.len();
        if let Some(words) = trimmed.strip_prefix("allowed values:") {
            for name in &current {
                if let Some(flag) = help.flags.get_mut(name) {
                    flag.choices = words.split(',').map(|word| word.trim().to_owned()).collect();
                }
            }
        }
        if !trimmed.starts_with('-') || indent > MAX_INDENT {
            continue;
        }
        let definition = definition(trimmed);
        let choices = choices(definition);
        current.clear();
        for name in names(definition) {
            if let Some(positive) = name.strip_prefix("no_") {
                negated.insert(positive.to_owned());
            }
            help.flags.entry(name.clone()).or_default().choices.clone_from(&choices);
            current.push(name);
        }
    }
    for (name, flag) in &mut help.flags {
        flag.negatable = negated.contains(name);
    }
    help
}

/// Such a listing says about itself that it was not captured.
fn is_from_source(text: &str) -> bool {
    let head: String = text.chars().take(600).collect::<String>().to_ascii_lowercase();
    head.contains("from source") || head.contains("not --help output")
}

/// The part of a line before its explanation: words that are set off by two spaces end it, unless a comma comes before
/// them or they are flags or aliases in brackets.
fn definition(line: &str) -> &str {
    let mut from = 0;
    while let Some(gap) = line[from..].find("  ") {
        let end = from + gap;
        let rest = line[end..].trim_start();
        let goes_on = line[..end].ends_with(',') || rest.starts_with("--") || rest.starts_with("[--");
        if !goes_on {
            return &line[..end];
        }
        from = line.len() - rest.len();
    }
    line
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

#[cfg(test)]
mod tests {
    use super::*;

    const ARGPARSE: &str = "\
usage: tool serve [--usage-only X]

options:
  -h, --help            show this help message and exit
  --dtype {auto,half}   Number format, see --not-a-flag
  --tensor-parallel-size N, -tp N, --tp N
                        --neither-is-this a flag
  --enable-prefix-caching, --no-enable-prefix-caching
                        Keep prefixes. (default: None)
";

    #[test]
    fn argparse_flags_with_aliases_choices_and_negations() {
        let help = parse(ARGPARSE);
        let names: Vec<_> = help.flags.keys().map(String::as_str).collect();
        assert_eq!(
            names,
            ["dtype", "enable_prefix_caching", "help", "no_enable_prefix_caching", "tensor_parallel_size", "tp"]
        );
        assert_eq!(help.choices("dtype").unwrap(), ["auto", "half"]);
        assert!(help.flags["enable_prefix_caching"].negatable);
        assert!(!help.flags["tp"].negatable);
        assert!(help.knows("tensor-parallel-size"));
        assert!(!help.is_usable(), "five flags are no help text");
    }

    #[test]
    fn llama_cpp_and_click_forms() {
        let help = parse(
            "-t,    --threads N                      number of threads --x\n\
             -kvo,  --kv-offload, -nkvo, --no-kv-offload\n                                        offload\n\
             -fa,   --flash-attn [on|off|auto]       set Flash Attention\n\
             -ctk,  --cache-type-k TYPE              KV cache data type for K\n\
             \x20                                       allowed values: f32, f16\n\
             --backend [pytorch|tensorrt]            the backend\n\
             --tp_size [--tensor_parallel_size]      int   1\n",
        );
        assert!(help.flags["kv_offload"].negatable);
        assert!(!help.knows("x"));
        assert_eq!(help.choices("flash_attn").unwrap(), ["on", "off", "auto"]);
        assert_eq!(help.choices("cache_type_k").unwrap(), ["f32", "f16"]);
        assert_eq!(help.choices("backend").unwrap(), ["pytorch", "tensorrt"]);
        assert!(help.knows("tensor_parallel_size") && help.choices("tp_size").is_none());
    }

    #[test]
    fn files_are_matched_by_name() {
        let cases = [
            ("python-m-sglang.launch_server.txt", Some(Framework::Sglang)),
            ("vllm-serve.txt", Some(Framework::Vllm)),
            ("vllm-bench-serve.txt", None),
            ("trtllm-serve-serve.OPTIONS-FROM-SOURCE.txt", Some(Framework::TensorrtLlm)),
            ("tokenspeed_serve.log", Some(Framework::Tokenspeed)),
            ("llama-server.txt", Some(Framework::LlamaCpp)),
            ("notes.txt", None),
        ];
        for (name, framework) in cases {
            assert_eq!(framework_of(name), framework, "{name}");
        }
    }

    #[test]
    fn texts_of_real_releases_hold_the_listed_flags() {
        let Some(dir) = crate::test_support::shared_dir("engines/help") else { return };
        let set = folder(&dir).unwrap();
        for framework in [Framework::Sglang, Framework::Vllm, Framework::TensorrtLlm, Framework::LlamaCpp] {
            let help = set.get(framework).unwrap();
            let missing: Vec<_> = framework.released_flags().filter(|name| !help.knows(name)).collect();
            assert!(missing.is_empty(), "{framework}: {missing:?}");
        }
        assert!(set.get(Framework::TensorrtLlm).unwrap().from_source);
        assert!(!set.get(Framework::Vllm).unwrap().knows("max_num_partial_prefills"));
        assert!(set.get(Framework::Vllm).unwrap().flags["enable_prefix_caching"].negatable);
    }
}
