//! Building response objects.

use serde_json::{Value, json};

use super::Endpoint;

/// Why an answer ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FinishReason {
    /// The model's end-of-sequence token.
    Stop,
    /// The token limit of the request or of the sequence.
    Length,
}

impl FinishReason {
    /// The word that the protocol uses.
    pub fn as_str(self) -> &'static str {
        match self {
            FinishReason::Stop => "stop",
            FinishReason::Length => "length",
        }
    }
}

/// Token counts of one finished request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Usage {
    /// Tokens of the prompt, cached ones included.
    pub prompt_tokens: u32,
    /// Tokens of the answer.
    pub completion_tokens: u32,
    /// Prompt tokens that the prefix cache already held.
    pub cached_tokens: u32,
}

impl Usage {
    /// The `usage` object.
    pub fn to_json(self) -> Value {
        json!({
            "prompt_tokens": self.prompt_tokens,
            "total_tokens": u64::from(self.prompt_tokens) + u64::from(self.completion_tokens),
            "completion_tokens": self.completion_tokens,
            "prompt_tokens_details": { "cached_tokens": self.cached_tokens },
        })
    }
}

/// What is the same in every object of one answer.
#[derive(Debug, Clone)]
pub struct ResponseStyle {
    /// The endpoint, which decides the shape.
    pub endpoint: Endpoint,
    /// The answer's id.
    pub id: String,
    /// The model's served name.
    pub model: String,
    /// Unix time in seconds.
    pub created: u64,
}

impl ResponseStyle {
    fn chunk(&self, choices: Value) -> Value {
        let object = match self.endpoint {
            Endpoint::Completions => "text_completion",
            Endpoint::Chat => "chat.completion.chunk",
        };
        json!({
            "id": self.id, "object": object, "created": self.created, "model": self.model, "choices": choices,
        })
    }

    /// The first event of a streamed chat: a role and no content.
    pub fn role_event(&self) -> Value {
        self.chunk(json!([{
            "index": 0, "delta": { "role": "assistant", "content": "" }, "logprobs": null, "finish_reason": null,
        }]))
    }

    /// An event that carries text.
    pub fn text_event(&self, text: &str) -> Value {
        match self.endpoint {
            Endpoint::Completions => {
                self.chunk(json!([{ "index": 0, "text": text, "logprobs": null, "finish_reason": null }]))
            }
            Endpoint::Chat => self.chunk(json!([{
                "index": 0, "delta": { "content": text }, "logprobs": null, "finish_reason": null,
            }])),
        }
    }

    /// An event that carries reasoning text (chat only; a completion gets plain text).
    pub fn reasoning_event(&self, text: &str) -> Value {
        match self.endpoint {
            Endpoint::Completions => self.text_event(text),
            Endpoint::Chat => self.chunk(json!([{
                "index": 0, "delta": { "reasoning_content": text }, "logprobs": null, "finish_reason": null,
            }])),
        }
    }

    /// The event that says why the answer ended; it carries no content.
    pub fn finish_event(&self, reason: FinishReason) -> Value {
        match self.endpoint {
            Endpoint::Completions => {
                self.chunk(json!([{ "index": 0, "text": "", "logprobs": null, "finish_reason": reason.as_str() }]))
            }
            Endpoint::Chat => self.chunk(json!([{
                "index": 0, "delta": {}, "logprobs": null, "finish_reason": reason.as_str(),
            }])),
        }
    }

    /// The last event before `[DONE]`: token counts and no choices.
    pub fn usage_event(&self, usage: Usage) -> Value {
        let mut event = self.chunk(json!([]));
        event["usage"] = usage.to_json();
        event
    }

    /// The whole answer in one object, for requests that are not streamed.
    pub fn whole(&self, text: &str, reason: FinishReason, usage: Usage) -> Value {
        let (object, choice) = match self.endpoint {
            Endpoint::Completions => (
                "text_completion",
                json!({ "index": 0, "text": text, "logprobs": null, "finish_reason": reason.as_str() }),
            ),
            Endpoint::Chat => (
                "chat.completion",
                json!({
                    "index": 0, "message": { "role": "assistant", "content": text }, "logprobs": null,
                    "finish_reason": reason.as_str(),
                }),
            ),
        };
        json!({
            "id": self.id, "object": object, "created": self.created, "model": self.model, "choices": [choice],
            "usage": usage.to_json(),
        })
    }
}

/// An error in the protocol's shape.
pub fn error_body(status: u16, kind: &str, message: &str) -> Value {
    json!({ "error": { "message": message, "type": kind, "param": null, "code": status } })
}
