//! Reading a completion or chat request.

use serde_json::Value;

/// How many bytes of UTF-8 text make one token. Real tokenizers are near this for English; the simulator only needs a
/// rule that everybody can recompute.
pub const TEXT_BYTES_PER_TOKEN: usize = 4;

/// Tokens that the chat template adds for each message (role and separators).
const CHAT_TOKENS_PER_MESSAGE: u32 = 4;
/// Tokens that the chat template adds once, to open the answer.
const CHAT_TOKENS_FOR_ANSWER: u32 = 3;
/// Output tokens of a completion that asks for no limit, as the real servers do.
const COMPLETION_DEFAULT_MAX_TOKENS: u32 = 16;

/// Which of the two generation endpoints a request came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Endpoint {
    /// `/v1/completions`
    Completions,
    /// `/v1/chat/completions`
    Chat,
}

/// A prompt as the engine sees it: token ids. A text token's id is its four bytes, so equal text has equal ids and the
/// prefix cache needs nothing else.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Prompt {
    /// Token ids, in order.
    pub ids: Vec<u32>,
}

impl Prompt {
    /// The number of tokens.
    pub fn len(&self) -> u32 {
        u32::try_from(self.ids.len()).unwrap_or(u32::MAX)
    }

    /// Whether there are no tokens.
    pub fn is_empty(&self) -> bool {
        self.ids.is_empty()
    }

    /// A prompt of plain text: one token for each started group of [`TEXT_BYTES_PER_TOKEN`] bytes.
    pub fn from_text(text: &str) -> Prompt {
        let mut prompt = Prompt::default();
        prompt.push_text(text);
        prompt
    }

    fn push_text(&mut self, text: &str) {
        for piece in text.as_bytes().chunks(TEXT_BYTES_PER_TOKEN) {
            let mut word = [0u8; TEXT_BYTES_PER_TOKEN];
            word[..piece.len()].copy_from_slice(piece);
            self.ids.push(u32::from_le_bytes(word));
        }
    }

    fn push_template(&mut self, tokens: u32) {
        // Above every id that text can give with four ASCII bytes, so that a template token never equals a text token.
        self.ids.extend((0..tokens).map(|n| u32::MAX - n));
    }
}

/// A request that passed its syntax checks.
#[derive(Debug, Clone)]
pub struct GenerationRequest {
    /// Where it came in.
    pub endpoint: Endpoint,
    /// The model asked for; empty when the request named none.
    pub model: String,
    /// The prompt, after templating.
    pub prompt: Prompt,
    /// The most output tokens wanted; `None` means up to the sequence limit (chat only).
    pub max_tokens: Option<u32>,
    /// The fewest output tokens wanted.
    pub min_tokens: u32,
    /// Whether the end-of-sequence token is ignored, so that exactly `max_tokens` are made.
    pub ignore_eos: bool,
    /// Whether the answer is streamed.
    pub stream: bool,
    /// Whether a streamed answer ends with a usage event.
    pub include_usage: bool,
}

/// Why a request body was refused; always the client's mistake.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RequestError {
    /// The body is not JSON.
    #[error("the request body is not valid JSON: {0}")]
    NotJson(String),
    /// A field is missing or has the wrong type.
    #[error("`{field}` {problem}")]
    Field {
        /// The name of the field.
        field: &'static str,
        /// What is wrong with it.
        problem: &'static str,
    },
}

impl GenerationRequest {
    /// Reads a request body.
    ///
    /// # Errors
    /// When the body is not JSON, has no usable prompt, or a field has the wrong type.
    pub fn parse(endpoint: Endpoint, body: &[u8]) -> Result<Self, RequestError> {
        let body: Value = serde_json::from_slice(body).map_err(|error| RequestError::NotJson(error.to_string()))?;
        let prompt = match endpoint {
            Endpoint::Completions => completion_prompt(&body)?,
            Endpoint::Chat => chat_prompt(&body)?,
        };
        if prompt.is_empty() {
            let field = if endpoint == Endpoint::Chat { "messages" } else { "prompt" };
            return Err(RequestError::Field { field, problem: "must not be empty" });
        }
        let max_tokens = match count(&body, "max_completion_tokens")? {
            Some(value) => Some(value),
            None => count(&body, "max_tokens")?,
        };
        if max_tokens == Some(0) {
            return Err(RequestError::Field { field: "max_tokens", problem: "must be at least 1" });
        }
        let max_tokens = match endpoint {
            Endpoint::Completions => Some(max_tokens.unwrap_or(COMPLETION_DEFAULT_MAX_TOKENS)),
            Endpoint::Chat => max_tokens,
        };
        Ok(GenerationRequest {
            endpoint,
            model: body.get("model").and_then(Value::as_str).unwrap_or_default().to_owned(),
            prompt,
            max_tokens,
            min_tokens: count(&body, "min_tokens")?.unwrap_or(0),
            ignore_eos: switch(&body, "ignore_eos")?,
            stream: switch(&body, "stream")?,
            include_usage: body.pointer("/stream_options/include_usage").and_then(Value::as_bool).unwrap_or(false),
        })
    }
}

fn count(body: &Value, field: &'static str) -> Result<Option<u32>, RequestError> {
    match body.get(field) {
        None | Some(Value::Null) => Ok(None),
        Some(value) => match value.as_u64().map(u32::try_from) {
            Some(Ok(number)) => Ok(Some(number)),
            _ => Err(RequestError::Field { field, problem: "must be a whole number of tokens, 0 or more" }),
        },
    }
}

fn switch(body: &Value, field: &'static str) -> Result<bool, RequestError> {
    match body.get(field) {
        None | Some(Value::Null) => Ok(false),
        Some(Value::Bool(value)) => Ok(*value),
        Some(_) => Err(RequestError::Field { field, problem: "must be true or false" }),
    }
}

fn completion_prompt(body: &Value) -> Result<Prompt, RequestError> {
    const FIELD: &str = "prompt";
    const KINDS: &str = "must be a text, a list with one text, or a list of token ids";
    let wrong = || RequestError::Field { field: FIELD, problem: KINDS };
    match body.get(FIELD) {
        None => Err(RequestError::Field { field: FIELD, problem: "is missing" }),
        Some(Value::String(text)) => Ok(Prompt::from_text(text)),
        Some(Value::Array(items)) => match items.as_slice() {
            [Value::String(text)] => Ok(Prompt::from_text(text)),
            [Value::Array(ids)] => token_ids(ids).ok_or_else(wrong),
            ids => token_ids(ids).ok_or_else(wrong),
        },
        Some(_) => Err(wrong()),
    }
}

fn token_ids(items: &[Value]) -> Option<Prompt> {
    let ids = items.iter().map(|item| item.as_u64().and_then(|id| u32::try_from(id).ok())).collect::<Option<_>>()?;
    Some(Prompt { ids })
}

fn chat_prompt(body: &Value) -> Result<Prompt, RequestError> {
    const FIELD: &str = "messages";
    let Some(messages) = body.get(FIELD).and_then(Value::as_array) else {
        return Err(RequestError::Field { field: FIELD, problem: "must be a list of messages" });
    };
    let mut prompt = Prompt::default();
    for message in messages {
        prompt.push_template(CHAT_TOKENS_PER_MESSAGE);
        match message.get("content") {
            Some(Value::String(text)) => prompt.push_text(text),
            Some(Value::Array(parts)) => {
                for part in parts {
                    let Some(text) = part.get("text").and_then(Value::as_str) else {
                        return Err(RequestError::Field { field: FIELD, problem: "may hold text parts only" });
                    };
                    prompt.push_text(text);
                }
            }
            None | Some(Value::Null) => {}
            Some(_) => {
                return Err(RequestError::Field { field: FIELD, problem: "needs text in every `content`" });
            }
        }
    }
    if !messages.is_empty() {
        prompt.push_template(CHAT_TOKENS_FOR_ANSWER);
    }
    Ok(prompt)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(endpoint: Endpoint, body: &str) -> Result<GenerationRequest, RequestError> {
        GenerationRequest::parse(endpoint, body.as_bytes())
    }

    #[test]
    fn tokens_are_ids_or_groups_of_four_bytes() {
        let lengths = [
            (r#"{"prompt":"12345678"}"#, 2),
            (r#"{"prompt":"123456789"}"#, 3),
            (r#"{"prompt":["1234"]}"#, 1),
            (r#"{"prompt":[7,8,9]}"#, 3),
            (r#"{"prompt":[[7,8]]}"#, 2),
        ];
        for (body, tokens) in lengths {
            assert_eq!(parse(Endpoint::Completions, body).unwrap().prompt.len(), tokens, "{body}");
        }
        let chat = r#"{"messages":[{"role":"user","content":"12345678"}],"max_tokens":5}"#;
        let chat = parse(Endpoint::Chat, chat).unwrap();
        assert_eq!((chat.prompt.len(), chat.max_tokens), (2 + 4 + 3, Some(5)));
    }

    #[test]
    fn mistakes_name_their_field() {
        let cases = [
            (Endpoint::Completions, "{", "not valid JSON"),
            (Endpoint::Completions, "{}", "`prompt` is missing"),
            (Endpoint::Completions, r#"{"prompt":""}"#, "`prompt` must not be empty"),
            (Endpoint::Completions, r#"{"prompt":[1,"a"]}"#, "`prompt` must be a text"),
            (Endpoint::Completions, r#"{"prompt":"a","max_tokens":-1}"#, "`max_tokens` must be"),
            (Endpoint::Completions, r#"{"prompt":"a","max_tokens":0}"#, "`max_tokens` must be at least 1"),
            (Endpoint::Completions, r#"{"prompt":"a","stream":"yes"}"#, "`stream` must be true or false"),
            (Endpoint::Chat, r#"{"messages":"hi"}"#, "`messages` must be a list"),
            (Endpoint::Chat, r#"{"messages":[{"content":[{"image_url":"x"}]}]}"#, "text parts only"),
        ];
        for (endpoint, body, part) in cases {
            let message = parse(endpoint, body).unwrap_err().to_string();
            assert!(message.contains(part), "{body}: {message}");
        }
    }
}
