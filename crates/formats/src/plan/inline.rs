//! Values as YAML on one line, and what people type into a field as a value.

use serde_json::Value;

use super::scalar;
use super::tree::{self, Content, Node};

/// Text as a scalar that reads back as this text: plain where that is safe in every place, else in double quotes.
pub(crate) fn quote(text: &str) -> String {
    let is_plain = !text.is_empty()
        && text.trim() == text
        && !text.starts_with(|c: char| "-?:,[]{}#&*!|>'\"%@`".contains(c))
        && !text.ends_with(':')
        && !text.ends_with(" -")
        && !text.contains(|c: char| c.is_control() || ",[]{}\u{2028}\u{2029}\u{feff}".contains(c))
        && !text.contains(": ")
        && !text.contains(" #")
        && matches!(scalar::resolve(text), Value::String(_));
    if is_plain { text.to_owned() } else { Value::String(text.to_owned()).to_string() }
}

/// A value on one line, numbers and switches as they are written.
pub(crate) fn inline(node: &Node, source: &str) -> String {
    match &node.content {
        Content::Scalar(Value::Null) => "null".to_owned(),
        Content::Scalar(Value::String(text)) => quote(text),
        Content::Scalar(value) => {
            let written = source.get(node.start..node.end).unwrap_or_default();
            if scalar::resolve(written) == *value { written.to_owned() } else { value.to_string() }
        }
        Content::List(_) => format!("[{}]", items(node, source)),
        Content::Mapping(entries) => {
            let entries: Vec<_> =
                entries.iter().map(|e| format!("{}: {}", quote(&e.key), inline(&e.value, source))).collect();
            format!("{{{}}}", entries.join(", "))
        }
    }
}

/// The items of a list separated by commas; a scalar is its own only item, and nothing is empty.
pub(crate) fn items(node: &Node, source: &str) -> String {
    match &node.content {
        Content::List(items) => items.iter().map(|item| inline(item, source)).collect::<Vec<_>>().join(", "),
        Content::Scalar(Value::Null) => String::new(),
        _ => inline(node, source),
    }
}

/// A value as a field of the form shows it: text without the quotes that it does not need to be typed back.
pub(crate) fn field(node: &Node, source: &str) -> String {
    match &node.content {
        Content::Scalar(Value::Null) => String::new(),
        Content::Scalar(Value::String(text)) if typed(text).1 == Value::String(text.clone()) => text.clone(),
        _ => inline(node, source),
    }
}

/// What somebody typed, as YAML for any place of a plan, and the value that it is. Text that is no YAML is quoted.
pub(crate) fn typed(input: &str) -> (String, Value) {
    let input = input.trim();
    match anywhere(input) {
        Some(value) => (input.to_owned(), value),
        None => (quote(input), Value::String(input.to_owned())),
    }
}

/// Items separated by commas, with or without brackets around them, as a flow list; `None` where it is none.
pub(crate) fn typed_list(input: &str) -> Option<(String, Value)> {
    let input = input.trim();
    let bracketed = |list: &str| {
        let value = anywhere(list)?;
        value.is_array().then(|| (list.to_owned(), value))
    };
    let already = if input.starts_with('[') { bracketed(input) } else { None };
    already.or_else(|| bracketed(&format!("[{}]", input.trim_end_matches(','))))
}

/// The value of text that reads as the same value below a block key and inside braces, last there or followed by another
/// entry, so in every place of a plan.
fn anywhere(written: &str) -> Option<Value> {
    let in_block = single(&format!("v: {written}"), 3, written)?;
    let in_flow = |framed: String| single(&framed, 4, written).is_some_and(|value| value == in_block);
    (in_flow(format!("{{v: {written}}}")) && in_flow(format!("{{v: {written}, w: 1}}"))).then_some(in_block)
}

/// The value of the first key of `framed`, `v`, if it is exactly `written` from `start` on: no comment, no anchor, one line.
fn single(framed: &str, start: usize, written: &str) -> Option<Value> {
    if written.is_empty() || written.contains(['\n', '\r', '\t', '&', '*', '!', '#']) {
        return None;
    }
    let tree = tree::parse(framed).ok().filter(|tree| tree.problems.is_empty())?;
    let entry = tree.root.entries()?.first()?;
    let node = &entry.value;
    (entry.key == "v" && node.start == start && node.end == start + written.len()).then(|| node.to_value())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_typed_is_read_as_yaml_or_quoted() {
        let cases = [
            ("64", "64", json!(64)),
            (" auto ", "auto", json!("auto")),
            ("true", "true", json!(true)),
            ("[1, 2]", "[1, 2]", json!([1, 2])),
            ("{a: 1}", "{a: 1}", json!({"a": 1})),
            ("\"64\"", "\"64\"", json!("64")),
            ("a: b", "\"a: b\"", json!("a: b")),
            ("[1, 2", "\"[1, 2\"", json!("[1, 2")),
            ("a # b", "\"a # b\"", json!("a # b")),
            ("a, b", "\"a, b\"", json!("a, b")),
            ("*x", "\"*x\"", json!("*x")),
            ("python -m x.y --z", "python -m x.y --z", json!("python -m x.y --z")),
            ("a\nb", "\"a\\nb\"", json!("a\nb")),
            ("}", "\"}\"", json!("}")),
            (">", "\">\"", json!(">")),
        ];
        for (input, text, value) in cases {
            assert_eq!(typed(input), (text.to_owned(), value), "{input}");
        }
    }

    #[test]
    fn short_texts_of_signs_read_back_in_every_place() {
        let signs: Vec<char> = (' '..='~').filter(|sign| !sign.is_ascii_alphanumeric()).chain(['a']).collect();
        let pairs = signs.iter().flat_map(|first| signs.iter().map(move |second| (first, second)));
        for text in pairs.flat_map(|(a, b)| [format!("{a}{b}"), format!("a{a}{b}"), format!("{a}{b}a")]) {
            let (written, value) = typed(&text);
            if written.is_empty() {
                continue;
            }
            for framed in [format!("v: {written}\n"), format!("{{v: {written}}}"), format!("{{v: {written}, w: 1}}")] {
                let tree = tree::parse(&framed).unwrap_or_else(|problem| panic!("{text:?} as {framed:?}: {problem:?}"));
                let read = tree.root.get("v").map(Node::to_value);
                assert!(tree.problems.is_empty() && read.as_ref() == Some(&value), "{text:?} as {framed:?}: {read:?}");
            }
        }
    }

    #[test]
    fn lists_are_typed_with_or_without_brackets() {
        let list = |text: &str, value: Value| Some((text.to_owned(), value));
        assert_eq!(typed_list("32, 48"), list("[32, 48]", json!([32, 48])));
        assert_eq!(typed_list("[null, 4]"), list("[null, 4]", json!([null, 4])));
        assert_eq!(typed_list("[1], [2, 3]"), list("[[1], [2, 3]]", json!([[1], [2, 3]])));
        assert_eq!(typed_list("auto,"), list("[auto]", json!(["auto"])));
        assert_eq!(typed_list("1], x: [2"), None);
        assert_eq!(typed_list("[1"), None);
    }
}
