//! Chat messages from other tools' files.

use serde_json::{Map, Value, json};

/// A message whose content is text alone.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Message {
    /// `system`, `user` or `assistant`.
    pub role: &'static str,
    pub content: String,
}

/// Why a message cannot be asked of every framework, as the rest of a sentence about its row.
pub(super) fn message(role: Option<&Value>, content: Option<&Value>) -> Result<Message, String> {
    let role = match role.and_then(Value::as_str).unwrap_or_default() {
        "system" | "developer" => "system",
        "user" | "human" => "user",
        "assistant" | "gpt" | "chatgpt" | "bing" | "bard" => "assistant",
        "tool" | "function" | "function_call" | "observation" => {
            return Err("holds a tool's message, which not every framework answers: leave the row out".to_owned());
        }
        "" => return Err("holds a message without a role".to_owned()),
        other => return Err(format!("holds a message of the role `{other}`, which is not known")),
    };
    let content = match content {
        Some(Value::String(text)) => text.clone(),
        Some(Value::Array(parts)) => text_of(parts)?,
        _ => return Err(format!("holds a message of the role `{role}` without text")),
    };
    Ok(Message { role, content })
}

fn text_of(parts: &[Value]) -> Result<String, String> {
    let text = |part: &Value| match (part.get("type").and_then(Value::as_str), part.get("text")) {
        (Some("text" | "input_text"), Some(Value::String(text))) => Ok(text.clone()),
        (kind, _) => Err(format!(
            "holds a message with a part of the type `{}`: only text can be asked of every framework",
            kind.unwrap_or("unknown")
        )),
    };
    Ok(parts.iter().map(text).collect::<Result<Vec<_>, _>>()?.join("\n"))
}

/// Refuses a row, a request body or a message that uses tools or carries images, sound or video.
pub(super) fn refuse_payloads(fields: &Map<String, Value>) -> Result<(), String> {
    let present = |value: &Value| match value {
        Value::Null => false,
        Value::Array(items) => !items.is_empty(),
        Value::String(text) => !text.trim().is_empty(),
        _ => true,
    };
    let found = |keys: &[&'static str]| keys.iter().copied().find(|key| fields.get(*key).is_some_and(present));
    if let Some(key) = found(&["tools", "tool_choice", "tool_calls", "functions", "function_call"]) {
        return Err(format!("uses tools (`{key}`), which not every framework supports: leave the row out"));
    }
    match found(&["image", "images", "audio", "audios", "video", "videos", "modalities"]) {
        Some(key) => Err(format!("is multimodal (`{key}`): only text can be asked of every framework")),
        None => Ok(()),
    }
}

/// The messages as chat messages of a request.
pub(super) fn chat(messages: &[Message]) -> Vec<Map<String, Value>> {
    let object = |message: &Message| {
        Map::from_iter([("role".to_owned(), json!(message.role)), ("content".to_owned(), json!(message.content))])
    };
    messages.iter().map(object).collect()
}

/// Takes the final answer off, where there is one: it is what the server is to write.
pub(super) fn take_answer(messages: &mut Vec<Message>) -> Option<String> {
    match messages.last() {
        Some(last) if last.role == "assistant" => messages.pop().map(|message| message.content),
        _ => None,
    }
}
