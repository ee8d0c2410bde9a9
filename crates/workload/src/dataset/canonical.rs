//! The canonical request file: one JSON object a line.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::error::Error;

/// One request of a canonical request file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CanonicalRequest {
    /// What is asked.
    pub prompt: Prompt,
    /// Tokens of the answer.
    pub output_len: u32,
    /// Laid over this request's body.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub extra_request_body: Option<Map<String, Value>>,
    /// Carried along, never sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metadata: Option<Map<String, Value>>,
}

/// The prompt of a canonical request.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Prompt {
    /// Plain text.
    Text(String),
    /// Chat messages in the form of `/v1/chat/completions`.
    Chat(Vec<Map<String, Value>>),
}

/// Reads the rows of a canonical request file from its text. Empty lines are skipped.
pub fn parse_rows(text: &str) -> Result<Vec<CanonicalRequest>, Error> {
    let mut rows = Vec::new();
    for (index, line) in text.lines().enumerate() {
        if line.trim().is_empty() {
            continue;
        }
        let bad = |detail: String| Error::BadRow { line: index + 1, detail };
        let row: CanonicalRequest = serde_json::from_str(line).map_err(|error| bad(error.to_string()))?;
        check(&row).map_err(bad)?;
        rows.push(row);
    }
    if rows.is_empty() { Err(Error::NoRows) } else { Ok(rows) }
}

/// Refuses what not every framework can answer.
fn check(row: &CanonicalRequest) -> Result<(), String> {
    if row.output_len == 0 {
        return Err("`output_len` is 0, it must be at least 1".to_owned());
    }
    if row.extra_request_body.as_ref().is_some_and(|extra| extra.contains_key("tools")) {
        return Err("tool calls are not supported by every framework; remove `tools`".to_owned());
    }
    match &row.prompt {
        Prompt::Text(text) if text.is_empty() => Err("`prompt` is empty".to_owned()),
        Prompt::Text(_) => Ok(()),
        Prompt::Chat(messages) if messages.is_empty() => Err("`prompt` holds no message".to_owned()),
        Prompt::Chat(messages) => messages.iter().try_for_each(check_message),
    }
}

fn check_message(message: &Map<String, Value>) -> Result<(), String> {
    if !message.get("role").is_some_and(Value::is_string) {
        return Err("a chat message has no `role`".to_owned());
    }
    let only_text = match message.get("content") {
        Some(Value::String(_)) => true,
        Some(Value::Array(parts)) => parts.iter().all(|part| part.get("type").and_then(Value::as_str) == Some("text")),
        _ => false,
    };
    if only_text { Ok(()) } else { Err("a chat message's `content` must be text; images and tools are not".to_owned()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_read_and_keep_their_options() {
        let rows = parse_rows(concat!(
            r#"{"prompt": "hello", "output_len": 3, "extra_request_body": {"temperature": 0.5}}"#,
            "\n\n",
            r#"{"prompt": [{"role": "user", "content": "hi"}], "output_len": 4, "metadata": {"id": 7}}"#,
        ))
        .unwrap();
        assert_eq!(rows.len(), 2);
        assert_eq!(rows[0].extra_request_body.as_ref().unwrap()["temperature"], 0.5);
        assert!(matches!(rows[1].prompt, Prompt::Chat(_)));
    }

    #[test]
    fn a_bad_row_is_named_by_its_line() {
        let good = r#"{"prompt": "hello", "output_len": 3}"#;
        for bad in [
            "not json",
            r#"{"prompt": "hello"}"#,
            r#"{"prompt": "hello", "output_len": 0}"#,
            r#"{"prompt": "hello", "output_len": 1, "outptu_len": 2}"#,
            r#"{"prompt": [{"role": "user", "content": [{"type": "image_url"}]}], "output_len": 1}"#,
            r#"{"prompt": "x", "output_len": 1, "extra_request_body": {"tools": []}}"#,
            r#"{"prompt": [], "output_len": 1}"#,
        ] {
            let error = parse_rows(&format!("{good}\n{bad}\n")).unwrap_err();
            assert!(matches!(error, Error::BadRow { line: 2, .. }), "{bad}: {error}");
        }
        assert!(matches!(parse_rows("\n"), Err(Error::NoRows)));
    }
}
