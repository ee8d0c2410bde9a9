//! Help texts of servers: which flags a release takes, and with which values.

mod fit;
mod parse;

use std::collections::BTreeMap;
use std::path::Path;

use podium_domain::framework::Framework;
use serde::{Deserialize, Serialize};

pub use fit::{Fit, FlagChange, fit, fit_gpu};
pub use parse::parse;

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
    /// What follows it on a command line, as far as the text shows it.
    #[serde(default)]
    pub takes: Takes,
}

/// What follows a flag on a command line.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Takes {
    /// The text does not show it, or a value may be left out.
    #[default]
    Unknown,
    /// Nothing: it is a switch.
    Nothing,
    /// Some value.
    Value,
    /// A number. Argparse prints no types, so this is also told from a default that is a number.
    Number,
    /// A whole number, where the text names the type.
    Whole,
}

impl HelpFlags {
    /// Whether the help has this flag; `-` and `_` count as the same.
    pub fn knows(&self, name: &str) -> bool {
        self.flags.contains_key(&name.replace('-', "_"))
    }

    /// Another name of this flag that the help has, where it has one.
    pub fn alias_of(&self, framework: Framework, name: &str) -> Option<&'static str> {
        framework.aliases(name).find(|alias| self.knows(alias))
    }

    /// The words that the flag takes, where the help lists them.
    pub fn choices(&self, name: &str) -> Option<&[String]> {
        let flag = self.flags.get(&name.replace('-', "_"))?;
        (!flag.choices.is_empty()).then_some(flag.choices.as_slice())
    }

    /// What follows the flag on a command line.
    pub fn takes(&self, name: &str) -> Takes {
        self.flags.get(&name.replace('-', "_")).map_or(Takes::Unknown, |flag| flag.takes)
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
            mine.takes = match (mine.takes, flag.takes) {
                (Takes::Unknown, takes) | (takes, Takes::Unknown) => takes,
                (one, other) if one == other => one,
                // Releases that disagree prove nothing.
                _ => Takes::Unknown,
            };
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

#[cfg(test)]
mod tests;
