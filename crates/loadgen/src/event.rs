//! What one event of an answer means.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

/// Why an answer ended, by the server's word.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FinishReason {
    /// The server did not say.
    #[default]
    Unknown,
    /// An end-of-sequence token or a stop word.
    Stop,
    /// The asked number of tokens.
    Length,
    /// Another word.
    Other,
}

/// The token counts of one answer, by the server.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Usage {
    pub prompt_tokens: Option<u32>,
    pub completion_tokens: Option<u32>,
    pub cached_tokens: Option<u32>,
}

/// What was found in one event.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Meaning {
    /// It carries generated content: text, reasoning or a tool call.
    pub content: bool,
    /// The content is visible output, no reasoning.
    pub visible: bool,
    /// The answer is finished.
    pub finish: Option<FinishReason>,
    /// The server's token counts.
    pub usage: Option<Usage>,
    /// The server's error, as JSON text.
    pub error: Option<String>,
}

/// Reads events of one answer.
///
/// Almost all events of an answer differ in their text alone. Once a plain content event was parsed, its bytes before
/// and after the text are remembered; an event with the same bytes around another, non-empty JSON string means the
/// same and is not parsed. Whatever differs in any other way is parsed in full.
#[derive(Debug, Default)]
pub(crate) struct EventReader {
    template: Option<Template>,
    /// Tokens that the answer had with its latest event, where events tell (SGLang's own protocol).
    tokens_before: u32,
}

/// The bytes around the text of a plain content event.
#[derive(Debug)]
struct Template {
    /// Up to and including the text's opening quote.
    before: Vec<u8>,
    /// From the text's closing quote.
    after: Vec<u8>,
    visible: bool,
}

impl Template {
    fn matches(&self, event: &[u8]) -> bool {
        event
            .strip_prefix(self.before.as_slice())
            .and_then(|rest| rest.strip_suffix(self.after.as_slice()))
            .is_some_and(is_string_inside)
    }
}

/// Whether `text` could stand between the quotes of a JSON string that is not empty: every quote is escaped and the
/// last backslash escapes something.
fn is_string_inside(text: &[u8]) -> bool {
    let mut rest = text;
    while let Some(at) = memchr::memchr2(b'"', b'\\', rest) {
        if rest[at] == b'"' || at + 1 == rest.len() {
            return false;
        }
        rest = &rest[at + 2..];
    }
    !text.is_empty()
}

impl EventReader {
    /// What the data of one event of a stream means; an error for what is no JSON object of the expected form.
    pub fn read(&mut self, event: &[u8]) -> Result<Meaning, serde_json::Error> {
        if let Some(template) = &self.template
            && template.matches(event)
        {
            return Ok(Meaning { content: true, visible: template.visible, ..Meaning::default() });
        }
        let chunk: Chunk<'_> = serde_json::from_slice(event)?;
        let mut meaning = chunk.meaning();
        if let Some(tokens) = chunk.meta_info.as_ref().and_then(|meta| meta.completion_tokens) {
            // These events repeat what came before: only one with further tokens carries content.
            meaning.content &= tokens > self.tokens_before;
            meaning.visible &= meaning.content;
            self.tokens_before = self.tokens_before.max(tokens);
        }
        if meaning.content && meaning.finish.is_none() && meaning.usage.is_none() && meaning.error.is_none() {
            self.template = chunk.template(event, meaning.visible).or(self.template.take());
        }
        Ok(meaning)
    }
}

/// What a whole answer (not streamed) means.
pub(crate) fn read_whole(body: &[u8]) -> Result<Meaning, serde_json::Error> {
    Ok(serde_json::from_slice::<Chunk<'_>>(body)?.meaning())
}

#[derive(Debug, Deserialize)]
struct Chunk<'a> {
    #[serde(borrow, default)]
    choices: Option<Vec<Choice<'a>>>,
    #[serde(default)]
    usage: Option<UsageFields>,
    #[serde(borrow, default)]
    error: Option<&'a RawValue>,
    /// `error` in the error events of some vLLM releases, which have no `error` object.
    #[serde(borrow, default)]
    object: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    message: Option<&'a RawValue>,
    /// The text so far, or the new part of it, in SGLang's own protocol.
    #[serde(borrow, default)]
    text: Option<&'a RawValue>,
    /// The same as token ids, where the server does not detokenise.
    #[serde(borrow, default)]
    output_ids: Option<&'a RawValue>,
    #[serde(borrow, default)]
    meta_info: Option<MetaInfo<'a>>,
}

/// What SGLang's own protocol tells with each event.
#[derive(Debug, Deserialize)]
struct MetaInfo<'a> {
    #[serde(default)]
    prompt_tokens: Option<u32>,
    #[serde(default)]
    completion_tokens: Option<u32>,
    #[serde(default)]
    cached_tokens: Option<u32>,
    #[serde(borrow, default)]
    finish_reason: Option<SglangFinish<'a>>,
}

/// A word, or an object with one.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum SglangFinish<'a> {
    Object {
        #[serde(borrow, rename = "type")]
        word: Cow<'a, str>,
    },
    Word(#[serde(borrow)] Cow<'a, str>),
}

impl SglangFinish<'_> {
    fn word(&self) -> &str {
        match self {
            SglangFinish::Object { word } | SglangFinish::Word(word) => word,
        }
    }
}

#[derive(Debug, Deserialize)]
struct Choice<'a> {
    #[serde(borrow, default)]
    text: Option<&'a RawValue>,
    #[serde(borrow, default)]
    delta: Option<Delta<'a>>,
    #[serde(borrow, default)]
    message: Option<Delta<'a>>,
    #[serde(borrow, default)]
    finish_reason: Option<Cow<'a, str>>,
}

#[derive(Debug, Deserialize)]
struct Delta<'a> {
    #[serde(borrow, default)]
    content: Option<&'a RawValue>,
    #[serde(borrow, default)]
    tool_calls: Option<&'a RawValue>,
    #[serde(borrow, default)]
    reasoning_content: Option<&'a RawValue>,
    #[serde(borrow, default)]
    reasoning: Option<&'a RawValue>,
}

#[derive(Debug, Deserialize)]
struct UsageFields {
    #[serde(default)]
    prompt_tokens: Option<u32>,
    #[serde(default)]
    completion_tokens: Option<u32>,
    #[serde(default)]
    prompt_tokens_details: Option<PromptDetails>,
}

#[derive(Debug, Deserialize)]
struct PromptDetails {
    #[serde(default)]
    cached_tokens: Option<u32>,
}

impl<'a> Choice<'a> {
    /// Non-empty visible output.
    fn visible(&self) -> Option<&'a RawValue> {
        let delta = self.delta.as_ref().or(self.message.as_ref());
        [self.text, delta.and_then(|d| d.content), delta.and_then(|d| d.tool_calls)].into_iter().find_map(present)
    }

    /// Non-empty reasoning.
    fn reasoning(&self) -> Option<&'a RawValue> {
        let delta = self.delta.as_ref().or(self.message.as_ref())?;
        [delta.reasoning_content, delta.reasoning].into_iter().find_map(present)
    }
}

fn present(value: Option<&RawValue>) -> Option<&RawValue> {
    value.filter(|value| !matches!(value.get(), "\"\"" | "[]" | "null"))
}

impl Chunk<'_> {
    fn meaning(&self) -> Meaning {
        let choices = self.choices.as_deref().unwrap_or_default();
        let sglang = self.meta_info.as_ref();
        let own_text = sglang.and_then(|_| present(self.text).or(present(self.output_ids)));
        let visible = own_text.is_some() || choices.iter().any(|choice| choice.visible().is_some());
        let content = visible || choices.iter().any(|choice| choice.reasoning().is_some());
        let finish = choices.iter().find_map(|choice| choice.finish_reason.as_deref());
        let finish = finish.or(sglang.and_then(|meta| meta.finish_reason.as_ref()).map(SglangFinish::word));
        let finish = finish.map(|word| match word {
            "stop" => FinishReason::Stop,
            "length" => FinishReason::Length,
            _ => FinishReason::Other,
        });
        let usage = self.usage.as_ref().map(|usage| Usage {
            prompt_tokens: usage.prompt_tokens,
            completion_tokens: usage.completion_tokens,
            cached_tokens: usage.prompt_tokens_details.as_ref().and_then(|details| details.cached_tokens),
        });
        let usage = usage.or(sglang.map(|meta| Usage {
            prompt_tokens: meta.prompt_tokens,
            completion_tokens: meta.completion_tokens,
            cached_tokens: meta.cached_tokens,
        }));
        let error = match (self.error, self.object.as_deref()) {
            (Some(error), _) => Some(error.get().to_owned()),
            (None, Some("error")) => Some(self.message.map_or("no message", RawValue::get).to_owned()),
            _ => None,
        };
        Meaning { content, visible, finish, usage, error }
    }

    /// The template of this plain content event, parsed from `event`: one choice with one text in it.
    fn template(&self, event: &[u8], visible: bool) -> Option<Template> {
        let [choice] = self.choices.as_deref()? else { return None };
        let (text, other) = match (choice.visible(), choice.reasoning()) {
            (Some(text), other) => (text, other),
            (None, reasoning) => (reasoning?, None),
        };
        if other.is_some() || !text.get().starts_with('"') {
            return None;
        }
        // `text` was borrowed from `event`, so its place in memory gives its place in the event.
        let start = (text.get().as_ptr() as usize).checked_sub(event.as_ptr() as usize)?;
        let end = start + text.get().len();
        let (before, after) = (event.get(..start + 1)?, event.get(end - 1..)?);
        Some(Template { before: before.to_vec(), after: after.to_vec(), visible })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn read(event: &str) -> Meaning {
        EventReader::default().read(event.as_bytes()).unwrap()
    }

    #[test]
    fn content_is_told_from_what_carries_none() {
        let cases = [
            (r#"{"choices":[{"text":" a","finish_reason":null}]}"#, true, true),
            (r#"{"choices":[{"text":"","finish_reason":null}]}"#, false, false),
            (r#"{"choices":[{"delta":{"role":"assistant","content":null}}]}"#, false, false),
            (r#"{"choices":[{"delta":{"role":"assistant","content":""}}]}"#, false, false),
            (r#"{"choices":[{"delta":{"content":"a","reasoning_content":null}}]}"#, true, true),
            (r#"{"choices":[{"delta":{"reasoning_content":"a"}}]}"#, true, false),
            (r#"{"choices":[{"delta":{"reasoning":"a","content":null}}]}"#, true, false),
            (r#"{"choices":[{"delta":{"tool_calls":[{"index":0}]}}]}"#, true, true),
            (r#"{"choices":[{"delta":{"tool_calls":[]}}]}"#, false, false),
            (r#"{"choices":[],"usage":{"prompt_tokens":3,"completion_tokens":2}}"#, false, false),
            (r#"{}"#, false, false),
        ];
        for (event, content, visible) in cases {
            let meaning = read(event);
            assert_eq!((meaning.content, meaning.visible), (content, visible), "{event}");
        }
    }

    #[test]
    fn usage_finish_and_errors_are_read() {
        let meaning = read(
            r#"{"choices":[{"text":"a","finish_reason":"length"}],
                "usage":{"prompt_tokens":3,"completion_tokens":2,"prompt_tokens_details":{"cached_tokens":1}}}"#,
        );
        assert_eq!(meaning.finish, Some(FinishReason::Length));
        let usage = Usage { prompt_tokens: Some(3), completion_tokens: Some(2), cached_tokens: Some(1) };
        assert_eq!(meaning.usage, Some(usage));
        assert_eq!(read(r#"{"usage":{"prompt_tokens_details":null}}"#).usage, Some(Usage::default()));
        assert!(read(r#"{"error":{"message":"no memory"}}"#).error.unwrap().contains("no memory"));
        assert!(read(r#"{"object":"error","message":"no memory"}"#).error.unwrap().contains("no memory"));
        assert!(EventReader::default().read(b"{\"choices\": [").is_err());
    }

    #[test]
    fn sglangs_own_events_are_content_when_tokens_were_added() {
        let mut reader = EventReader::default();
        let mut read = |event: &str| reader.read(event.as_bytes()).unwrap();
        let meta = r#""prompt_tokens":3,"cached_tokens":1"#;
        let first =
            read(&format!(r#"{{"text":" a","meta_info":{{"completion_tokens":1,"finish_reason":null,{meta}}}}}"#));
        assert!(first.content && first.visible && first.finish.is_none());
        let usage = Usage { prompt_tokens: Some(3), completion_tokens: Some(1), cached_tokens: Some(1) };
        assert_eq!(first.usage, Some(usage));
        let repeated = read(r#"{"text":" a","meta_info":{"completion_tokens":1}}"#);
        assert!(!repeated.content && !repeated.visible);
        // The new part alone, as `--incremental-streaming-output` gives it.
        assert!(read(r#"{"text":"b","meta_info":{"completion_tokens":3}}"#).content);
        let last =
            read(r#"{"text":" abc","meta_info":{"completion_tokens":4,"finish_reason":{"type":"length","length":4}}}"#);
        assert_eq!((last.content, last.finish), (true, Some(FinishReason::Length)));
        let whole =
            read_whole(br#"{"output_ids":[5],"meta_info":{"completion_tokens":1,"finish_reason":"stop"}}"#).unwrap();
        assert_eq!((whole.content, whole.finish), (true, Some(FinishReason::Stop)));
    }

    #[test]
    fn a_template_takes_only_events_that_differ_in_their_text() {
        let mut reader = EventReader::default();
        let event =
            |text: &str, rest: &str| format!(r#"{{"id":"x","choices":[{{"text":"{text}","finish_reason":{rest}}}]}}"#);
        assert!(reader.read(event(" a", "null").as_bytes()).unwrap().content);
        let template = reader.template.as_ref().unwrap();
        for taken in ["b", "\\\"", "\\n", "\\\\", "é", "\\u00e9"] {
            assert!(template.matches(event(taken, "null").as_bytes()), "{taken}");
        }
        for parsed in [event("", "null"), event("b", "\"stop\""), event("b\\", "null"), event("b\",\"x\":\"", "null")] {
            assert!(!template.matches(parsed.as_bytes()), "{parsed}");
        }
    }

    proptest! {
        #[test]
        fn the_shortcut_means_what_the_parser_means(
            texts in prop::collection::vec("[a-z\"\\\\\n\u{e9}]{0,4}", 1..12),
            kinds in prop::collection::vec(0..4usize, 12),
        ) {
            let mut reader = EventReader::default();
            for (text, kind) in texts.iter().zip(kinds) {
                let event = match kind {
                    0 => json!({"choices": [{"index": 0, "delta": {"content": text}, "finish_reason": null}]}),
                    1 => json!({"choices": [{"index": 0, "delta": {"reasoning": text}, "finish_reason": null}]}),
                    2 => json!({"choices": [{"index": 0, "delta": {"content": text}, "finish_reason": "stop"}]}),
                    _ => json!({"choices": [{"index": 0, "text": text}], "usage": {"completion_tokens": 1}}),
                }
                .to_string();
                let fresh = EventReader::default().read(event.as_bytes()).unwrap();
                prop_assert_eq!(reader.read(event.as_bytes()).unwrap(), fresh);
            }
        }
    }
}
