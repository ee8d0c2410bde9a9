//! Values of YAML, written so that no parser takes them for anything else.

/// A text as a double-quoted scalar.
pub(super) fn text(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            // Line ends of Unicode, the byte order mark, and what YAML does not count as printable.
            '\u{85}' | '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}' => {
                out.push_str(&format!("\\u{:04x}", u32::from(c)));
            }
            c if c.is_control() => out.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

/// A list of texts on lines of their own, each at `indent` blanks.
pub(super) fn list<'a>(items: impl IntoIterator<Item = &'a str>, indent: usize) -> String {
    items.into_iter().map(|item| format!("{:indent$}- {}\n", "", text(item))).collect()
}
