//! The body of one request.

use bytes::Bytes;
use podium_domain::plan::Endpoint;
use serde_json::{Map, Value, json};

use crate::error::Error;
use crate::spec::{Protocol, WorkloadSpec};

/// A prompt in the form that is sent, before the rest of its body.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum SentPrompt {
    /// `"prompt": [ids]`
    TokenIds(Vec<u32>),
    /// `"prompt": "text"`, or one user message on the chat endpoint.
    Text(String),
    /// `"messages": […]`
    Messages(Vec<Map<String, Value>>),
}

/// Everything of a body that is the same for every framework: what the prompt-set hash covers, and whether the answer
/// must have exactly the asked length.
pub(crate) struct Body {
    /// The serialised body.
    pub bytes: Bytes,
    /// The body without the served model's name, which may differ between frameworks.
    pub canonical: Vec<u8>,
    /// Whether the server is told to generate past an end-of-sequence token.
    pub exact_output: bool,
}

/// Lays a body together: our defaults, under the plan's extra fields, under the request's own, under what the
/// measurement itself needs (`stream` and the usage report).
pub(crate) fn body(
    spec: &WorkloadSpec,
    prompt: SentPrompt,
    output_len: u32,
    own: Option<&Map<String, Value>>,
) -> Result<Body, Error> {
    match spec.protocol {
        Protocol::OpenAi => open_ai(spec, prompt, output_len, own),
        Protocol::SglangGenerate => sglang_generate(spec, prompt, output_len, own),
    }
}

/// The body of SGLang's own endpoint. Extra `sampling_params` are laid over ours one by one.
fn sglang_generate(
    spec: &WorkloadSpec,
    prompt: SentPrompt,
    output_len: u32,
    own: Option<&Map<String, Value>>,
) -> Result<Body, Error> {
    let mut fields = Map::new();
    match prompt {
        SentPrompt::TokenIds(ids) => fields.insert("input_ids".to_owned(), json!(ids)),
        SentPrompt::Text(text) => fields.insert("text".to_owned(), json!(text)),
        SentPrompt::Messages(_) => return Err(Error::ChatOnGenerate),
    };
    let mut sampling = Map::new();
    sampling.insert("max_new_tokens".to_owned(), json!(output_len));
    sampling.insert("temperature".to_owned(), json!(0.0));
    sampling.insert("ignore_eos".to_owned(), json!(true));
    for (key, value) in [Some(&spec.extra_request_body), own].into_iter().flatten().flatten() {
        match (key.as_str(), value) {
            ("sampling_params", Value::Object(extra)) => sampling.extend(extra.clone()),
            _ => {
                fields.insert(key.clone(), value.clone());
            }
        }
    }
    let exact_output = sampling.get("ignore_eos") == Some(&Value::Bool(true))
        && sampling.get("max_new_tokens").and_then(Value::as_u64) == Some(u64::from(output_len));
    fields.insert("sampling_params".to_owned(), Value::Object(sampling));
    fields.insert("stream".to_owned(), json!(spec.stream));
    let canonical = serde_json::to_vec(&fields).map_err(Error::Body)?;
    Ok(Body { bytes: canonical.clone().into(), canonical, exact_output })
}

fn open_ai(
    spec: &WorkloadSpec,
    prompt: SentPrompt,
    output_len: u32,
    own: Option<&Map<String, Value>>,
) -> Result<Body, Error> {
    let mut fields = Map::new();
    match (spec.endpoint, prompt) {
        (Endpoint::Completions, SentPrompt::TokenIds(ids)) => fields.insert("prompt".to_owned(), json!(ids)),
        (Endpoint::Completions, SentPrompt::Text(text)) => fields.insert("prompt".to_owned(), json!(text)),
        (Endpoint::ChatCompletions, SentPrompt::Text(text)) => {
            fields.insert("messages".to_owned(), json!([{"role": "user", "content": text}]))
        }
        (Endpoint::ChatCompletions, SentPrompt::Messages(messages)) => {
            fields.insert("messages".to_owned(), json!(messages))
        }
        (Endpoint::ChatCompletions, SentPrompt::TokenIds(_)) => return Err(Error::TokenIdsOnChat),
        (Endpoint::Completions, SentPrompt::Messages(_)) => return Err(Error::ChatOnCompletions { row: 0 }),
    };
    fields.insert("max_tokens".to_owned(), json!(output_len));
    fields.insert("temperature".to_owned(), json!(0.0));
    fields.insert("ignore_eos".to_owned(), json!(true));
    for extra in [Some(&spec.extra_request_body), own].into_iter().flatten() {
        for (key, value) in extra {
            fields.insert(key.clone(), value.clone());
        }
    }
    fields.insert("stream".to_owned(), json!(spec.stream));
    if spec.stream {
        let mut options = match fields.remove("stream_options") {
            Some(Value::Object(options)) => options,
            _ => Map::new(),
        };
        options.insert("include_usage".to_owned(), json!(true));
        fields.insert("stream_options".to_owned(), Value::Object(options));
    }
    let exact_output = fields.get("ignore_eos") == Some(&Value::Bool(true))
        && fields.get("max_tokens").and_then(Value::as_u64) == Some(u64::from(output_len));
    let canonical = serde_json::to_vec(&fields).map_err(Error::Body)?;
    if !fields.contains_key("model") {
        fields.shift_insert(0, "model".to_owned(), json!(spec.model));
    }
    let bytes = serde_json::to_vec(&fields).map_err(Error::Body)?.into();
    Ok(Body { bytes, canonical, exact_output })
}
