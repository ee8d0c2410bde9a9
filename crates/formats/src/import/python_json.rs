//! JSON as Python writes it: with `NaN`, `Infinity` and `-Infinity` as values.

/// `text` with those words as something that JSON knows: `NaN` as `null`, the infinities as the texts `inf` and `-inf`.
pub(super) fn to_json(text: &[u8]) -> Vec<u8> {
    const WORDS: [(&[u8], &[u8]); 3] = [(b"NaN", b"null"), (b"Infinity", b"\"inf\""), (b"-Infinity", b"\"-inf\"")];
    let mut out = Vec::with_capacity(text.len());
    let mut in_string = false;
    let mut rest = text;
    while let Some((&byte, after)) = rest.split_first() {
        if in_string {
            out.push(byte);
            rest = after;
            match (byte, after.split_first()) {
                // The next byte is escaped, a quote too.
                (b'\\', Some((&escaped, behind))) => {
                    out.push(escaped);
                    rest = behind;
                }
                (b'"', _) => in_string = false,
                _ => {}
            }
        } else if let Some((word, json)) = WORDS.iter().find(|(word, _)| rest.starts_with(word)) {
            out.extend_from_slice(json);
            rest = &rest[word.len()..];
        } else {
            in_string = byte == b'"';
            out.push(byte);
            rest = after;
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_python_are_replaced_outside_of_texts_alone() {
        let cases = [
            (r#"{"a": NaN, "b": [Infinity, -Infinity]}"#, r#"{"a": null, "b": ["inf", "-inf"]}"#),
            (r#"{"NaN": "Infinity \" NaN", "x\\": NaN}"#, r#"{"NaN": "Infinity \" NaN", "x\\": null}"#),
            (r#"{"a": -1, "b": "#, r#"{"a": -1, "b": "#),
            (r#""open \"#, r#""open \"#),
        ];
        for (text, expected) in cases {
            assert_eq!(String::from_utf8(to_json(text.as_bytes())).unwrap(), expected);
        }
    }
}
