//! Typed access to a tree that collects every problem instead of stopping at the first.

use std::fmt::Display;
use std::ops::RangeInclusive;

use serde_json::Value;

use super::problem::{Filled, Problem, suggestion};
use super::tree::{Content, Entry, Node};

/// What is found while a plan is read.
#[derive(Debug, Default)]
pub(super) struct Findings {
    pub problems: Vec<Problem>,
    pub warnings: Vec<Problem>,
    pub filled: Vec<Filled>,
    /// What was filled in although the full schema demands it.
    pub incomplete: Vec<Problem>,
}

/// A value with its path.
#[derive(Debug, Clone)]
pub(super) struct At<'a> {
    pub node: &'a Node,
    pub path: String,
}

impl<'a> At<'a> {
    /// The items of a list, each with its path; `None` for anything else.
    pub fn items(&self) -> Option<Vec<At<'a>>> {
        let items = self.node.items()?;
        let at = |(index, node)| At { node, path: format!("{}[{index}]", self.path) };
        Some(items.iter().enumerate().map(at).collect())
    }
}

/// A mapping that is being read; the keys that were asked for are the known ones.
#[derive(Debug)]
pub(super) struct Section<'a> {
    pub path: String,
    pub line: u32,
    pub entries: &'a [Entry],
    known: Vec<&'static str>,
}

impl<'a> Section<'a> {
    /// The value of `key`, unless it is absent or null.
    pub fn get(&mut self, key: &'static str) -> Option<At<'a>> {
        self.get_or_null(key).filter(|at| !at.node.is_null())
    }

    /// The value of `key`, null included.
    pub fn get_or_null(&mut self, key: &'static str) -> Option<At<'a>> {
        self.known.push(key);
        let entry = self.entries.iter().find(|entry| entry.key == key)?;
        Some(At { node: &entry.value, path: self.child(key) })
    }

    /// Keys that are kept and not read.
    pub fn ignore(&mut self, keys: &[&'static str]) {
        self.known.extend(keys);
    }

    pub fn child(&self, key: &str) -> String {
        if self.path.is_empty() { key.to_owned() } else { format!("{}.{key}", self.path) }
    }
}

impl Findings {
    pub fn problem(&mut self, at: &At<'_>, message: impl Into<String>) {
        self.problems.push(Problem::new(at.path.clone(), Some(at.node.line), message));
    }

    pub fn warning(&mut self, at: &At<'_>, message: impl Into<String>) {
        self.warnings.push(Problem::new(at.path.clone(), Some(at.node.line), message));
    }

    /// Something that `section` has to have.
    pub fn missing(&mut self, section: &Section<'_>, key: &str, message: impl Into<String>) {
        self.problems.push(Problem::new(section.child(key), Some(section.line), message));
    }

    pub fn fill(&mut self, path: impl Into<String>, value: impl Display) {
        self.filled.push(Filled { path: path.into(), value: value.to_string() });
    }

    /// Like [`Findings::fill`], for what the full schema demands of `section`.
    pub fn fill_demanded(&mut self, section: &Section<'_>, key: &str, value: impl Display) {
        let path = section.child(key);
        let last = key.rsplit('.').next().unwrap_or(key);
        let message = format!("is missing: the full schema demands it, for example `{last}: {value}`");
        self.incomplete.push(Problem::new(path.clone(), Some(section.line), message));
        self.fill(path, value);
    }

    pub fn section<'a>(&mut self, at: &At<'a>) -> Option<Section<'a>> {
        match at.node.entries() {
            Some(entries) => Some(Section { path: at.path.clone(), line: at.node.line, entries, known: Vec::new() }),
            None => self.wrong_type(at, "a mapping"),
        }
    }

    /// Warns about the keys that nobody asked for.
    pub fn finish(&mut self, section: Section<'_>) {
        for entry in section.entries.iter().filter(|entry| !section.known.contains(&entry.key.as_str())) {
            let near = suggestion(&entry.key, section.known.iter().copied());
            let message = format!("`{}` is not a key that Podium reads here; it is kept and ignored{near}", entry.key);
            self.warnings.push(Problem::new(section.child(&entry.key), Some(entry.line), message));
        }
    }

    pub fn text(&mut self, at: &At<'_>) -> Option<String> {
        match &at.node.content {
            Content::Scalar(Value::String(text)) if text.trim().is_empty() => {
                self.problem(at, "expected text, found an empty one");
                None
            }
            Content::Scalar(Value::String(text)) => Some(text.clone()),
            Content::Scalar(Value::Number(_) | Value::Bool(_)) => {
                let message = format!("expected text, found {}: put it in quotes if it is meant", describe(at.node));
                self.problem(at, message);
                None
            }
            _ => self.wrong_type(at, "text"),
        }
    }

    pub fn switch(&mut self, at: &At<'_>) -> Option<bool> {
        match at.node.content {
            Content::Scalar(Value::Bool(value)) => Some(value),
            _ => self.wrong_type(at, "true or false"),
        }
    }

    /// A whole number within `range`.
    pub fn whole(&mut self, at: &At<'_>, range: RangeInclusive<u32>) -> Option<u32> {
        let Content::Scalar(Value::Number(number)) = &at.node.content else {
            return self.wrong_type(at, "a whole number");
        };
        let Some(number) = number.as_i64().or_else(|| number.as_u64().map(|_| i64::MAX)) else {
            return self.wrong_type(at, "a whole number");
        };
        let (low, high) = (*range.start(), *range.end());
        match u32::try_from(number).ok().filter(|number| range.contains(number)) {
            Some(number) => Some(number),
            None if number < i64::from(low) => {
                self.problem(at, format!("must be at least {low}, found {number}"));
                None
            }
            None => {
                self.problem(at, format!("must be at most {high}, found {}", describe(at.node)));
                None
            }
        }
    }

    /// A number greater than 0.
    pub fn positive(&mut self, at: &At<'_>, limit: f64) -> Option<f64> {
        let Content::Scalar(Value::Number(number)) = &at.node.content else {
            return self.wrong_type(at, "a number");
        };
        match number.as_f64().filter(|number| *number > 0.0 && *number <= limit) {
            Some(number) => Some(number),
            None => {
                self.problem(at, format!("must be greater than 0 and at most {limit}, found {number}"));
                None
            }
        }
    }

    /// A list that has items; a single value is refused with the way to write it.
    pub fn list<'a>(&mut self, at: &At<'a>) -> Option<Vec<At<'a>>> {
        match at.items() {
            Some(items) if items.is_empty() => {
                self.problem(at, "the list is empty: give it an item");
                None
            }
            Some(items) => Some(items),
            None => self.wrong_type(at, "a list"),
        }
    }

    /// Reports the wrong type; the answer is always `None`.
    pub fn wrong_type<T>(&mut self, at: &At<'_>, expected: &str) -> Option<T> {
        let hint = match &at.node.content {
            Content::Scalar(value) if expected == "a list" && !value.is_null() => {
                format!(": write [{}]", podium_domain::flags::word(value))
            }
            Content::Scalar(Value::String(text)) => match (expected, text.as_str()) {
                ("true or false", "yes" | "Yes" | "on" | "On" | "y") => ": write true".to_owned(),
                ("true or false", "no" | "No" | "off" | "Off" | "n") => ": write false".to_owned(),
                ("a number" | "a whole number", text) if looks_numeric(text) => {
                    format!(": write {} without quotes", text.replace('_', ""))
                }
                _ => String::new(),
            },
            _ => String::new(),
        };
        self.problem(at, format!("expected {expected}, found {}{hint}", describe(at.node)));
        None
    }
}

fn looks_numeric(text: &str) -> bool {
    text.replace('_', "").parse::<f64>().is_ok_and(f64::is_finite)
}

/// A value in words, short.
pub(super) fn describe(node: &Node) -> String {
    match &node.content {
        Content::Scalar(Value::Null) => "nothing".to_owned(),
        Content::Scalar(Value::Bool(value)) => value.to_string(),
        Content::Scalar(Value::Number(number)) => format!("the number {number}"),
        Content::Scalar(value) => {
            let text = podium_domain::flags::word(value);
            let shown: String = text.chars().take(60).collect();
            let more = if shown.len() < text.len() { "…" } else { "" };
            format!("the text `{shown}{more}`")
        }
        Content::List(_) => "a list".to_owned(),
        Content::Mapping(_) => "a mapping".to_owned(),
    }
}
