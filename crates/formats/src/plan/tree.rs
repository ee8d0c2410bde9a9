//! YAML text as a tree of values that know where they stand in the text.

use std::collections::{HashMap, HashSet};

use saphyr_parser::{Event, Marker, Parser, ScalarStyle, Span, Tag};
use serde_json::{Map, Value};

use super::problem::Problem;
use super::scalar;

/// Longest text that is read, bytes.
pub(crate) const MAX_TEXT: usize = 1 << 20;
/// Deepest nesting.
const MAX_DEPTH: usize = 32;
/// Longest key, bytes.
const MAX_KEY: usize = 200;
/// The key that brings in another mapping's keys.
const MERGE: &str = "<<";
/// Values at most, with everything that aliases stand for.
const MAX_NODES: usize = 50_000;

/// A value and its place.
#[derive(Debug, Clone)]
pub(crate) struct Node {
    pub content: Content,
    /// From 1.
    pub line: u32,
    /// Bytes of the text; a block list or mapping ends with its last item.
    pub start: usize,
    pub end: usize,
    /// Written with brackets or braces.
    pub flow: bool,
    /// An alias: the span is the alias, the content stands elsewhere.
    pub alias: bool,
}

#[derive(Debug, Clone)]
pub(crate) enum Content {
    Scalar(Value),
    List(Vec<Node>),
    Mapping(Vec<Entry>),
}

/// One key of a mapping.
#[derive(Debug, Clone)]
pub(crate) struct Entry {
    pub key: String,
    pub line: u32,
    pub key_start: usize,
    pub key_end: usize,
    pub value: Node,
    /// Comes in by `<<`, so it stands elsewhere.
    pub merged: bool,
}

impl Node {
    pub fn is_null(&self) -> bool {
        matches!(self.content, Content::Scalar(Value::Null))
    }

    pub fn entries(&self) -> Option<&[Entry]> {
        match &self.content {
            Content::Mapping(entries) => Some(entries),
            _ => None,
        }
    }

    pub fn items(&self) -> Option<&[Node]> {
        match &self.content {
            Content::List(items) => Some(items),
            _ => None,
        }
    }

    pub fn entry(&self, key: &str) -> Option<&Entry> {
        self.entries()?.iter().find(|entry| entry.key == key)
    }

    pub fn get(&self, key: &str) -> Option<&Node> {
        self.entry(key).map(|entry| &entry.value)
    }

    pub fn to_value(&self) -> Value {
        match &self.content {
            Content::Scalar(value) => value.clone(),
            Content::List(items) => Value::Array(items.iter().map(Node::to_value).collect()),
            Content::Mapping(entries) => {
                Value::Object(entries.iter().map(|e| (e.key.clone(), e.value.to_value())).collect::<Map<_, _>>())
            }
        }
    }
}

/// What a text holds.
#[derive(Debug)]
pub(crate) struct Tree {
    pub root: Node,
    /// Keys that are given twice, tags, keys that are no scalars: none of them stops the reading.
    pub problems: Vec<Problem>,
}

/// Reads one YAML document. The error is for text that is no YAML, or more of it than a plan can be.
pub(crate) fn parse(text: &str) -> Result<Tree, Problem> {
    if text.len() > MAX_TEXT {
        return Err(Problem::new("", None, format!("the text is {} bytes long: a plan is at most 1 MiB", text.len())));
    }
    let mut builder = Builder::new(text);
    for event in Parser::new_from_str(text) {
        let (event, span) = event.map_err(|error| {
            Problem::new("", Some(line(*error.marker())), format!("this is not valid YAML: {}", error.info()))
        })?;
        builder.event(event, span)?;
    }
    let root = builder.root.ok_or_else(|| Problem::new("", None, "the plan is empty"))?;
    Ok(Tree { root, problems: builder.problems })
}

/// A list or mapping whose end has not come yet.
struct Open {
    anchor: usize,
    line: u32,
    start: usize,
    flow: bool,
    kind: OpenKind,
}

enum OpenKind {
    List(Vec<Node>),
    /// `lines` holds where each key is first given, `key` the one whose value has not come yet.
    Mapping {
        entries: Vec<Entry>,
        lines: HashMap<String, u32>,
        key: Option<Key>,
    },
}

struct Key {
    text: String,
    line: u32,
    start: usize,
    end: usize,
}

struct Builder<'a> {
    text: &'a str,
    /// Byte offset of every character; `None` for ASCII, where the two are the same.
    offsets: Option<Vec<usize>>,
    stack: Vec<Open>,
    anchors: HashMap<usize, (Node, usize)>,
    nodes: usize,
    documents: usize,
    root: Option<Node>,
    problems: Vec<Problem>,
}

impl<'a> Builder<'a> {
    fn new(text: &'a str) -> Self {
        let offsets = (!text.is_ascii()).then(|| text.char_indices().map(|(offset, _)| offset).collect());
        Builder {
            text,
            offsets,
            stack: Vec::new(),
            anchors: HashMap::new(),
            nodes: 0,
            documents: 0,
            root: None,
            problems: Vec::new(),
        }
    }

    fn event(&mut self, event: Event<'_>, span: Span) -> Result<(), Problem> {
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                let value = self.scalar(&text, style, tag.as_deref(), span);
                let (start, mut end) = (self.byte(span.start), self.byte(span.end));
                // The parser's spans of quoted and block scalars run over the white space and comments behind them.
                end = match style {
                    ScalarStyle::SingleQuoted | ScalarStyle::DoubleQuoted => {
                        quoted_end(self.text, start).unwrap_or(end)
                    }
                    _ => start + self.slice(start, end).trim_end().len(),
                };
                let node = Node {
                    content: Content::Scalar(value),
                    line: line(span.start),
                    start,
                    end,
                    flow: false,
                    alias: false,
                };
                self.place(node, &text, anchor)
            }
            Event::SequenceStart(anchor, tag) => {
                self.reject_tag(tag.as_deref(), &["seq"], span);
                self.open(anchor, span, '[', OpenKind::List(Vec::new()))
            }
            Event::MappingStart(anchor, tag) => {
                self.reject_tag(tag.as_deref(), &["map"], span);
                self.open(
                    anchor,
                    span,
                    '{',
                    OpenKind::Mapping { entries: Vec::new(), lines: HashMap::new(), key: None },
                )
            }
            Event::SequenceEnd | Event::MappingEnd => self.close(span),
            Event::Alias(anchor) => self.alias(anchor, span),
            Event::DocumentStart(_) => {
                self.documents += 1;
                if self.documents > 1 {
                    let message = "a second document begins here: a file holds one plan";
                    return Err(Problem::new("", Some(line(span.start)), message));
                }
                Ok(())
            }
            Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentEnd => Ok(()),
        }
    }

    fn scalar(&mut self, text: &str, style: ScalarStyle, tag: Option<&Tag>, span: Span) -> Value {
        self.reject_tag(tag, &["str", "int", "float", "bool", "null"], span);
        let is_text = tag.is_some_and(|tag| tag.is_yaml_core_schema() && tag.suffix == "str");
        if style == ScalarStyle::Plain && !is_text { scalar::resolve(text) } else { Value::String(text.to_owned()) }
    }

    fn reject_tag(&mut self, tag: Option<&Tag>, allowed: &[&str], span: Span) {
        if let Some(tag) = tag
            && !(tag.is_yaml_core_schema() && allowed.contains(&tag.suffix.as_str()))
        {
            let message = format!("the tag `{tag}` has no meaning in a plan: remove it");
            self.problems.push(Problem::new(self.path(), Some(line(span.start)), message));
        }
    }

    fn open(&mut self, anchor: usize, span: Span, bracket: char, kind: OpenKind) -> Result<(), Problem> {
        if self.stack.len() >= MAX_DEPTH {
            let message = format!("this is nested deeper than {MAX_DEPTH} levels: no plan is");
            return Err(Problem::new(self.path(), Some(line(span.start)), message));
        }
        let start = self.byte(span.start);
        let flow = without_properties(self.slice(start, self.text.len())).starts_with(bracket);
        self.stack.push(Open { anchor, line: line(span.start), start, flow, kind });
        Ok(())
    }

    fn close(&mut self, span: Span) -> Result<(), Problem> {
        let Some(open) = self.stack.pop() else { return Ok(()) };
        let (content, last) = match open.kind {
            OpenKind::List(items) => {
                let last = items.last().map(|item| item.end);
                (Content::List(items), last)
            }
            OpenKind::Mapping { entries, .. } => {
                let last = entries.iter().rfind(|e| !e.merged).map(|entry| entry.value.end.max(entry.key_end));
                (Content::Mapping(merge(entries)), last)
            }
        };
        // The parser ends a block at the next token, behind comments that no longer belong to it; the end of a flow
        // collection begins at its bracket and may run over what follows.
        let end = if open.flow { self.byte(span.start) + 1 } else { last.unwrap_or(open.start) };
        let node = Node { content, line: open.line, start: open.start, end, flow: open.flow, alias: false };
        self.place(node, "", open.anchor)
    }

    fn alias(&mut self, anchor: usize, span: Span) -> Result<(), Problem> {
        let Some((node, size)) = self.anchors.get(&anchor) else {
            let message = "this alias refers to the value that it is part of";
            return Err(Problem::new(self.path(), Some(line(span.start)), message));
        };
        self.nodes += size;
        if self.nodes > MAX_NODES {
            return Err(too_many(line(span.start)));
        }
        let node = node.clone();
        let node = Node { start: self.byte(span.start), end: self.byte(span.end), alias: true, ..node };
        let text = match &node.content {
            Content::Scalar(value) => podium_domain::flags::word(value),
            _ => String::new(),
        };
        self.place(node, &text, 0)
    }

    /// Puts a finished value where it belongs. `text` is the value as written, should it turn out to be a key.
    fn place(&mut self, node: Node, text: &str, anchor: usize) -> Result<(), Problem> {
        self.nodes += 1;
        if self.nodes > MAX_NODES {
            return Err(too_many(node.line));
        }
        if anchor != 0 {
            self.anchors.insert(anchor, (node.clone(), size(&node)));
        }
        let is_empty = node.start == node.end;
        let Some(open) = self.stack.last_mut() else {
            self.root = Some(node);
            return Ok(());
        };
        let mut trouble = None;
        match &mut open.kind {
            OpenKind::List(items) => items.push(node),
            OpenKind::Mapping { entries, lines, key } => match key.take() {
                None => {
                    if text.len() > MAX_KEY {
                        let message = format!("this key is longer than {MAX_KEY} bytes: no key of a plan is");
                        return Err(Problem::new("", Some(node.line), message));
                    }
                    if !matches!(node.content, Content::Scalar(_)) {
                        trouble = Some((node.line, "a key must be a word, not a collection".to_owned()));
                    } else if let Some(first) = lines.get(text).filter(|_| text != MERGE) {
                        trouble =
                            Some((node.line, format!("`{text}` is given twice, first on line {first}: keep one")));
                    }
                    lines.entry(text.to_owned()).or_insert(node.line);
                    *key = Some(Key { text: text.to_owned(), line: node.line, start: node.start, end: node.end });
                }
                Some(Key { text, line, start, end }) => {
                    // The parser puts a value that is not written at the next token; here it is with its key.
                    let node = if is_empty { Node { start: end, end, line, ..node } } else { node };
                    entries.push(Entry { key: text, line, key_start: start, key_end: end, value: node, merged: false });
                }
            },
        }
        if let Some((line, message)) = trouble {
            let mut path = self.path();
            push_key(&mut path, text);
            self.problems.push(Problem::new(path, Some(line), message));
        }
        Ok(())
    }

    /// The path of the innermost open collection.
    fn path(&self) -> String {
        let mut path = String::new();
        for (depth, open) in self.stack.iter().enumerate() {
            let is_last = depth + 1 == self.stack.len();
            match &open.kind {
                OpenKind::List(items) if !is_last => path.push_str(&format!("[{}]", items.len())),
                OpenKind::Mapping { key: Some(key), .. } if !is_last => push_key(&mut path, &key.text),
                _ => {}
            }
        }
        path
    }

    fn byte(&self, marker: Marker) -> usize {
        match &self.offsets {
            None => marker.index().min(self.text.len()),
            Some(offsets) => offsets.get(marker.index()).copied().unwrap_or(self.text.len()),
        }
    }

    fn slice(&self, start: usize, end: usize) -> &'a str {
        self.text.get(start..end).unwrap_or_default()
    }
}

/// What follows the anchor and the tag of a value.
fn without_properties(mut text: &str) -> &str {
    while text.starts_with(['&', '!']) {
        text = text.trim_start_matches(|c: char| !c.is_whitespace()).trim_start();
    }
    text
}

/// Behind the closing quote of the scalar that begins at `start`.
fn quoted_end(text: &str, start: usize) -> Option<usize> {
    let scalar = without_properties(text.get(start..)?);
    let opening = text.len() - scalar.len();
    let quote = *scalar.as_bytes().first().filter(|byte| matches!(byte, b'\'' | b'"'))?;
    let bytes = text.as_bytes();
    let mut at = opening + 1;
    while let Some(&byte) = bytes.get(at) {
        let next_is_quote = bytes.get(at + 1) == Some(&quote);
        match byte {
            b'\\' if quote == b'"' => at += 2,
            b'\'' if quote == b'\'' && next_is_quote => at += 2,
            _ if byte == quote => return Some(at + 1),
            _ => at += 1,
        }
    }
    None
}

fn push_key(path: &mut String, key: &str) {
    if !path.is_empty() {
        path.push('.');
    }
    path.push_str(key);
}

fn too_many(line: u32) -> Problem {
    Problem::new("", Some(line), format!("this holds more than {MAX_NODES} values, aliases included: no plan does"))
}

fn line(marker: Marker) -> u32 {
    u32::try_from(marker.line()).unwrap_or(u32::MAX)
}

fn size(node: &Node) -> usize {
    1 + match &node.content {
        Content::Scalar(_) => 0,
        Content::List(items) => items.iter().map(size).sum(),
        Content::Mapping(entries) => entries.iter().map(|entry| size(&entry.value)).sum(),
    }
}

/// Replaces `<<: *base` by the keys of the base that the mapping does not have itself, as other YAML tools do.
fn merge(entries: Vec<Entry>) -> Vec<Entry> {
    if entries.iter().all(|entry| entry.key != MERGE) {
        return entries;
    }
    let mut merged: Vec<Entry> = Vec::with_capacity(entries.len());
    // The mapping's own keys win over inherited ones, wherever `<<` stands.
    let mut taken: HashSet<String> = entries.iter().map(|entry| entry.key.clone()).collect();
    for entry in entries {
        if entry.key != MERGE {
            merged.push(entry);
            continue;
        }
        let bases = match entry.value.content {
            Content::List(items) => items,
            content => vec![Node { content, ..entry.value }],
        };
        for base in bases {
            let Content::Mapping(base) = base.content else { continue };
            for inherited in base {
                if taken.insert(inherited.key.clone()) {
                    merged.push(Entry { merged: true, ..inherited });
                }
            }
        }
    }
    merged
}

#[cfg(test)]
mod tests;
