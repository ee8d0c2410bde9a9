//! Changes of one place of a YAML text that leave every other byte alone.
//!
//! Each change is made on the text and on its value; the new text counts only if it reads back as the new value.
//! So a way of writing that is not foreseen here ends in a refusal, never in a broken plan.

use serde_json::{Map, Value};

use super::problem::Problem;
use super::tree::{self, Content, Entry, Node};

/// One step of a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Step {
    Key(String),
    Index(usize),
}

/// `a.b[0].c` as steps; `None` for anything else.
pub(super) fn steps(path: &str) -> Option<Vec<Step>> {
    let mut steps = Vec::new();
    for part in path.split('.') {
        let (key, indices) = part.split_at(part.find('[').unwrap_or(part.len()));
        if key.is_empty() {
            return None;
        }
        steps.push(Step::Key(key.to_owned()));
        let mut rest = indices;
        while !rest.is_empty() {
            let (index, after) = rest.strip_prefix('[')?.split_once(']')?;
            steps.push(Step::Index(index.parse().ok()?));
            rest = after;
        }
    }
    Some(steps)
}

/// The path as people read it.
pub(super) fn display(path: &[Step]) -> String {
    let mut text = String::new();
    for step in path {
        match step {
            Step::Key(key) if text.is_empty() => text.push_str(key),
            Step::Key(key) => text.push_str(&format!(".{key}")),
            Step::Index(index) => text.push_str(&format!("[{index}]")),
        }
    }
    text
}

/// What is put at a place: YAML on one line, or the lines of a block mapping without indentation.
#[derive(Debug, Clone)]
pub(super) struct Fragment {
    pub lines: Vec<String>,
    pub is_block: bool,
    pub value: Value,
}

impl Fragment {
    pub fn inline((text, value): (String, Value)) -> Self {
        Fragment { lines: vec![text], is_block: false, value }
    }

    pub fn block(lines: Vec<String>, value: Value) -> Self {
        Fragment { lines, is_block: true, value }
    }

    /// The entry `key: …` at an indentation.
    fn entry(&self, key: &str, indent: usize) -> String {
        let pad = " ".repeat(indent);
        if self.is_block {
            let lines: Vec<_> = self.lines.iter().map(|line| format!("{pad}  {line}")).collect();
            format!("{pad}{key}:\n{}", lines.join("\n"))
        } else {
            format!("{pad}{key}: {}", self.lines.join(" "))
        }
    }
}

/// Sets the value at `path`, making missing parents.
pub(super) fn set(text: &str, path: &[Step], fragment: &Fragment) -> Result<String, Problem> {
    let document = Document::open(text)?;
    let mut expected = document.root.to_value();
    set_value(&mut expected, path, fragment.value.clone()).ok_or_else(|| document.refuse(path))?;
    let changed = document.set(path, fragment).ok_or_else(|| document.refuse(path))?;
    document.accept(path, changed, &expected)
}

/// Removes what is at `path`; nothing there is no mistake.
pub(super) fn remove(text: &str, path: &[Step]) -> Result<String, Problem> {
    let document = Document::open(text)?;
    let mut expected = document.root.to_value();
    if !remove_value(&mut expected, path) {
        return Ok(text.to_owned());
    }
    let changed = document.remove(path).ok_or_else(|| document.refuse(path))?;
    document.accept(path, changed, &expected)
}

fn set_value(value: &mut Value, path: &[Step], new: Value) -> Option<()> {
    let Some((step, rest)) = path.split_first() else {
        *value = new;
        return Some(());
    };
    match (step, value) {
        (Step::Key(key), Value::Object(map)) => set_value(map.entry(key.clone()).or_insert(Value::Null), rest, new),
        (Step::Key(key), value @ Value::Null) => {
            let mut map = Map::new();
            set_value(map.entry(key.clone()).or_insert(Value::Null), rest, new)?;
            *value = Value::Object(map);
            Some(())
        }
        (Step::Index(index), Value::Array(items)) if *index < items.len() => set_value(&mut items[*index], rest, new),
        (Step::Index(index), Value::Array(items)) if *index == items.len() && rest.is_empty() => {
            items.push(new);
            Some(())
        }
        _ => None,
    }
}

fn remove_value(value: &mut Value, path: &[Step]) -> bool {
    match (path, value) {
        ([Step::Key(key)], Value::Object(map)) => map.shift_remove(key).is_some(),
        ([Step::Index(index)], Value::Array(items)) if *index < items.len() => {
            items.remove(*index);
            true
        }
        ([Step::Key(key), rest @ ..], Value::Object(map)) => {
            map.get_mut(key).is_some_and(|child| remove_value(child, rest))
        }
        ([Step::Index(index), rest @ ..], Value::Array(items)) => {
            items.get_mut(*index).is_some_and(|child| remove_value(child, rest))
        }
        _ => false,
    }
}

struct Document<'t> {
    text: &'t str,
    root: Node,
}

/// Where a value hangs.
#[derive(Clone, Copy)]
enum Parent<'n> {
    Root,
    Entry { mapping: &'n Node, entry: &'n Entry },
    Item { list: &'n Node, index: usize },
}

impl<'t> Document<'t> {
    fn open(text: &'t str) -> Result<Self, Problem> {
        let tree = tree::parse(text)?;
        match tree.problems.into_iter().next() {
            Some(problem) => Err(problem),
            None => Ok(Document { text, root: tree.root }),
        }
    }

    fn refuse(&self, path: &[Step]) -> Problem {
        let message = "this place is written in a way that the form cannot change: change it in the YAML";
        Problem::new(display(path), None, message)
    }

    fn accept(&self, path: &[Step], changed: String, expected: &Value) -> Result<String, Problem> {
        match tree::parse(&changed) {
            Ok(tree) if tree.problems.is_empty() && tree.root.to_value() == *expected => Ok(changed),
            _ => Err(self.refuse(path)),
        }
    }

    fn set(&self, path: &[Step], fragment: &Fragment) -> Option<String> {
        let mut node = &self.root;
        let mut parent = Parent::Root;
        for (depth, step) in path.iter().enumerate() {
            if node.alias {
                return None;
            }
            match (step, &node.content) {
                (Step::Key(key), Content::Mapping(entries)) => {
                    match entries.iter().find(|entry| entry.key == *key && !entry.merged) {
                        Some(entry) => {
                            parent = Parent::Entry { mapping: node, entry };
                            node = &entry.value;
                        }
                        None => return self.insert(node, parent, &path[depth..], fragment),
                    }
                }
                (Step::Key(_), Content::Scalar(Value::Null)) => {
                    return self.insert(node, parent, &path[depth..], fragment);
                }
                (Step::Index(index), Content::List(items)) => match items.get(*index) {
                    Some(item) => {
                        parent = Parent::Item { list: node, index: *index };
                        node = item;
                    }
                    None => return self.append(node, parent, fragment),
                },
                _ => return None,
            }
        }
        self.replace(node, parent, &fragment.lines.join(" ")).filter(|_| !fragment.is_block)
    }

    /// Puts `new` in the place of a value.
    fn replace(&self, node: &Node, parent: Parent<'_>, new: &str) -> Option<String> {
        let Parent::Entry { entry, .. } = parent else {
            return (node.start < node.end).then(|| self.splice(node.start, node.end, new));
        };
        let colon = self.colon_end(entry)?;
        if node.start == node.end {
            return Some(self.splice(colon, colon, &format!(" {new}")));
        }
        if !self.text[colon..node.start.max(colon)].contains('\n') && !self.is_block(node) {
            return Some(self.splice(node.start, node.end, new));
        }
        // A block below its key: the value moves up to the key, in front of the key's own comment.
        let key_line_end = self.line_end(colon);
        let behind_colon = &self.text[colon..key_line_end];
        let comment = if is_blank_or_comment(behind_colon) { behind_colon.trim_end() } else { "" };
        let end = self.line_end(node.end);
        is_blank_or_comment(&self.text[node.end..end]).then(|| self.splice(colon, end, &format!(" {new}{comment}")))
    }

    fn is_block(&self, node: &Node) -> bool {
        !node.flow && !matches!(node.content, Content::Scalar(_)) && !node.alias
    }

    /// Inserts `path` into a mapping that does not have its first key.
    fn insert(&self, node: &Node, parent: Parent<'_>, path: &[Step], fragment: &Fragment) -> Option<String> {
        let mut keys = Vec::with_capacity(path.len());
        for step in path {
            match step {
                Step::Key(key) => keys.push(super::inline::quote(key)),
                Step::Index(_) => return None,
            }
        }
        let own = |entries: &[Entry]| entries.iter().filter(|entry| !entry.merged).cloned().collect::<Vec<_>>();
        let entries = own(node.entries().unwrap_or_default());
        if let (Some(first), Some(last), false) = (entries.first(), entries.last(), node.flow) {
            let indent = first.key_start - self.line_start(first.key_start);
            let at = self.line_end(self.entry_end(last)?);
            return Some(self.splice(at, at, &format!("\n{}", nested(&keys, fragment, indent))));
        }
        if let (Some(last), true) = (entries.last(), node.flow) {
            let at = self.entry_end(last)?;
            return (!fragment.is_block).then(|| self.splice(at, at, &format!(", {}", flow_nested(&keys, fragment))));
        }
        // An empty mapping or nothing at all: the entries go below the key.
        let Parent::Entry { entry, .. } = parent else { return None };
        let colon = self.colon_end(entry)?;
        let line_start = self.line_start(entry.key_start);
        if !self.text[line_start..entry.key_start].trim().is_empty() {
            let flow = format!("{{{}}}", flow_nested(&keys, fragment));
            return if fragment.is_block { None } else { self.replace(node, parent, &flow) };
        }
        let indent = entry.key_start - line_start + 2;
        let line_end = self.line_end(colon);
        let behind = self.text.get(node.end.max(colon)..line_end)?;
        let written = self.text.get(colon..node.start.max(colon))?;
        let fits = is_blank_or_comment(behind) && written.trim().is_empty();
        let lines = nested(&keys, fragment, indent);
        fits.then(|| self.splice(colon, line_end, &format!("{}\n{lines}", behind.trim_end())))
    }

    /// Adds an item at the end of a list.
    fn append(&self, list: &Node, parent: Parent<'_>, fragment: &Fragment) -> Option<String> {
        let new = fragment.lines.join(" ");
        match list.items()?.last() {
            None => self.replace(list, parent, &format!("[{new}]")),
            Some(last) if list.flow => Some(self.splice(last.end, last.end, &format!(", {new}"))),
            Some(last) => {
                let prefix = &self.text[self.line_start(last.start)..last.start];
                let at = self.line_end(last.end);
                (prefix.trim() == "-").then(|| self.splice(at, at, &format!("\n{prefix}{new}")))
            }
        }
    }

    fn remove(&self, path: &[Step]) -> Option<String> {
        let mut node = &self.root;
        let mut parents = vec![Parent::Root];
        for step in path {
            if node.alias {
                return None;
            }
            let (parent, child) = match (step, &node.content) {
                (Step::Key(key), Content::Mapping(entries)) => {
                    let entry = entries.iter().find(|entry| entry.key == *key && !entry.merged)?;
                    (Parent::Entry { mapping: node, entry }, &entry.value)
                }
                (Step::Index(index), Content::List(items)) => {
                    (Parent::Item { list: node, index: *index }, items.get(*index)?)
                }
                _ => return None,
            };
            parents.push(parent);
            node = child;
        }
        let parent = parents.pop()?;
        let above = parents.pop()?;
        match parent {
            Parent::Root => None,
            Parent::Entry { mapping, entry } => {
                let own: Vec<&Entry> = mapping.entries()?.iter().filter(|entry| !entry.merged).collect();
                let (start, end) = (entry.key_start, self.entry_end(entry)?);
                if let [_] = own.as_slice() {
                    return self.replace(mapping, above, "{}");
                }
                if mapping.flow { self.cut_from_flow(start, end) } else { self.cut_lines(start, end, "") }
            }
            Parent::Item { list, index } => {
                let items = list.items()?;
                let item = items.get(index)?;
                if items.len() == 1 {
                    return self.replace(list, above, "[]");
                }
                if list.flow {
                    self.cut_from_flow(item.start, item.end)
                } else {
                    self.cut_lines(item.start, item.end, "-")
                }
            }
        }
    }

    /// Cuts whole lines; in front of the value there may only be `dash`, behind it only a comment.
    fn cut_lines(&self, start: usize, end: usize, dash: &str) -> Option<String> {
        let line_start = self.line_start(start);
        let line_end = self.line_end(end);
        let alone = self.text[line_start..start].trim() == dash && is_blank_or_comment(&self.text[end..line_end]);
        let (from, to) = if line_end < self.text.len() {
            (line_start, line_end + 1)
        } else {
            (line_start.saturating_sub(1), line_end)
        };
        alone.then(|| self.splice(from, to, ""))
    }

    /// Cuts an item of a flow collection with the comma behind it, or before it where it is the last.
    fn cut_from_flow(&self, start: usize, end: usize) -> Option<String> {
        let behind = &self.text[end..];
        let after = behind.trim_start();
        if let Some(rest) = after.strip_prefix(',') {
            let to = self.text.len() - rest.trim_start().len();
            return Some(self.splice(start, to, ""));
        }
        let before = self.text[..start].trim_end().strip_suffix(',')?;
        Some(self.splice(before.len(), end, ""))
    }

    fn splice(&self, start: usize, end: usize, new: &str) -> String {
        format!("{}{new}{}", &self.text[..start], &self.text[end..])
    }

    /// Behind the colon of an entry.
    fn colon_end(&self, entry: &Entry) -> Option<usize> {
        let behind = self.text.get(entry.key_end..)?;
        let spaces = behind.len() - behind.trim_start_matches([' ', '\t']).len();
        behind[spaces..].starts_with(':').then_some(entry.key_end + spaces + 1)
    }

    fn entry_end(&self, entry: &Entry) -> Option<usize> {
        Some(self.colon_end(entry)?.max(entry.value.end))
    }

    fn line_start(&self, at: usize) -> usize {
        self.text[..at].rfind('\n').map_or(0, |newline| newline + 1)
    }

    /// The end of the line without its line break.
    fn line_end(&self, at: usize) -> usize {
        self.text[at..].find('\n').map_or(self.text.len(), |newline| at + newline)
    }
}

fn is_blank_or_comment(text: &str) -> bool {
    let text = text.trim();
    text.is_empty() || text.starts_with('#')
}

/// `a:` over `b:` over the fragment, each two deeper.
fn nested(keys: &[String], fragment: &Fragment, indent: usize) -> String {
    let Some((last, parents)) = keys.split_last() else { return String::new() };
    let mut text = String::new();
    for (depth, key) in parents.iter().enumerate() {
        text.push_str(&format!("{}{key}:\n", " ".repeat(indent + 2 * depth)));
    }
    text + &fragment.entry(last, indent + 2 * parents.len())
}

/// `a: {b: fragment}` without the outermost braces.
fn flow_nested(keys: &[String], fragment: &Fragment) -> String {
    let value = fragment.lines.join(" ");
    let mut keys = keys.iter().rev();
    let Some(last) = keys.next() else { return value };
    keys.fold(format!("{last}: {value}"), |inner, key| format!("{key}: {{{inner}}}"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::plan::inline::typed;

    fn put(text: &str, path: &str, value: &str) -> Result<String, Problem> {
        set(text, &steps(path).unwrap(), &Fragment::inline(typed(value)))
    }

    fn cut(text: &str, path: &str) -> Result<String, Problem> {
        remove(text, &steps(path).unwrap())
    }

    #[test]
    fn values_are_replaced_in_place() {
        let cases = [
            ("a: 1  # one\nb: 2\n", "a", "3", "a: 3  # one\nb: 2\n"),
            ("a:\nb: 2\n", "a", "3", "a: 3\nb: 2\n"),
            ("a: # why\nb: 2\n", "a", "3", "a: 3 # why\nb: 2\n"),
            ("a: 'q'\r\nb: 2\r\n", "a", "x", "a: x\r\nb: 2\r\n"),
            ("a: {b: 1, c: 2} # x\n", "a.c", "3", "a: {b: 1, c: 3} # x\n"),
            ("a:  # list\n  - 1  # one\n  - 2\nb: 2\n", "a[1]", "3", "a:  # list\n  - 1  # one\n  - 3\nb: 2\n"),
            ("a:  # list\n  - 1\n  - 2  # two\nb: 2\n", "a", "[3]", "a: [3]  # list\nb: 2\n"),
            ("a:\n- 1\n- 2\nb: 2\n", "a", "[3]", "a: [3]\nb: 2\n"),
            ("a: |\n  x\n  y\nb: 2\n", "a", "z", "a: z\nb: 2\n"),
            ("é: ü # ö\nb: 2\n", "b", "ä", "é: ü # ö\nb: ä\n"),
            ("a: [1, 2]\n", "a[2]", "3", "a: [1, 2, 3]\n"),
            ("a: []\n", "a[0]", "3", "a: [3]\n"),
            ("a:\n  - 1\nb: 2\n", "a[1]", "3", "a:\n  - 1\n  - 3\nb: 2\n"),
            ("a: &x 1\nb: *x\n", "b", "2", "a: &x 1\nb: 2\n"),
        ];
        for (text, path, value, expected) in cases {
            assert_eq!(put(text, path, value).as_deref(), Ok(expected), "{text:?} {path}");
        }
    }

    #[test]
    fn missing_keys_are_inserted_behind_their_siblings() {
        let cases = [
            ("a:\n  b: 1\n  # tail\nc: 2\n", "a.d", "3", "a:\n  b: 1\n  d: 3\n  # tail\nc: 2\n"),
            ("a:\n    b: [1,\n      2] # x\nc: 2", "a.d", "3", "a:\n    b: [1,\n      2] # x\n    d: 3\nc: 2"),
            ("c: 2", "a.b.d", "3", "c: 2\na:\n  b:\n    d: 3"),
            ("a: {}  # none\nc: 2\n", "a.d", "3", "a:  # none\n  d: 3\nc: 2\n"),
            ("a:\nc: 2\n", "a.d", "3", "a:\n  d: 3\nc: 2\n"),
            ("a: null # x\nc: 2\n", "a.d", "3", "a: # x\n  d: 3\nc: 2\n"),
            ("a: {b: 1}\n", "a.d.e", "3", "a: {b: 1, d: {e: 3}}\n"),
            ("x: &x {b: 1}\na:\n  <<: *x\n  c: 2\n", "a.b", "3", "x: &x {b: 1}\na:\n  <<: *x\n  c: 2\n  b: 3\n"),
        ];
        for (text, path, value, expected) in cases {
            assert_eq!(put(text, path, value).as_deref(), Ok(expected), "{text:?} {path}");
        }
        let block = Fragment::block(vec!["x: 1".into(), "y: {}".into()], json!({"x": 1, "y": {}}));
        let path = steps("a.n").unwrap();
        assert_eq!(set("a:\n  b: 1\n", &path, &block).as_deref(), Ok("a:\n  b: 1\n  n:\n    x: 1\n    y: {}\n"));
    }

    #[test]
    fn removing_takes_the_whole_line_and_nothing_else() {
        let cases = [
            ("a: 1\n# note\nb: 2  # x\nc: 3\n", "b", "a: 1\n# note\nc: 3\n"),
            ("a: 1\nb:\n  - 1\n  - 2\n", "b", "a: 1\n"),
            ("a: 1\nb: 2", "b", "a: 1"),
            ("a:\n  b: 1\nc: 2\n", "a.b", "a: {}\nc: 2\n"),
            ("a: {b: 1, c: 2}\n", "a.b", "a: {c: 2}\n"),
            ("a: {b: 1, c: 2}\n", "a.c", "a: {b: 1}\n"),
            ("a: {b: 1}\n", "a.b", "a: {}\n"),
            ("a: [1, 2, 3]\n", "a[1]", "a: [1, 3]\n"),
            ("a:\n  - 1\n  - 2\nb: 1\n", "a[0]", "a:\n  - 2\nb: 1\n"),
            ("a:\n  - 1\nb: 1\n", "a[0]", "a: []\nb: 1\n"),
            ("a: 1\n", "z.y", "a: 1\n"),
        ];
        for (text, path, expected) in cases {
            assert_eq!(cut(text, path).as_deref(), Ok(expected), "{text:?} {path}");
        }
    }

    #[test]
    fn what_cannot_be_changed_in_place_is_refused() {
        assert!(put("x: &x {b: 1}\na: *x\n", "a.b", "2").is_err(), "would change x as well");
        assert!(put("a: 1\n", "a.b", "2").is_err());
        assert!(put("a: [1]\n", "a[5]", "2").is_err());
        assert!(put("a: 1\na: 2\n", "a", "3").is_err());
        assert!(cut("a: &x 1\nb: *x\n", "a").is_err(), "the alias would lose its anchor");
        assert!(cut("- a: 1\n  b: 2\n", "x").is_ok());
    }
}
