//! The input file of OpenAI's batch API: `{"custom_id", "method", "url", "body"}` on each line.

use serde_json::{Map, Value, json};

use super::canonical::{CanonicalRequest, Prompt};
use super::message::{chat, message, refuse_payloads, take_answer};
use super::{DatasetFile, DatasetKind, DatasetRows, ReadOptions, SkippedRow, answer_len, objects, refuse};
use crate::error::Error;

/// What a measurement sets itself.
const OWN_KEYS: [&str; 7] =
    ["model", "messages", "prompt", "max_tokens", "max_completion_tokens", "stream", "stream_options"];

pub(super) fn parse(text: &str, options: &ReadOptions<'_>) -> Result<DatasetFile, Error> {
    let mut file = DatasetFile {
        kind: DatasetKind::OpenAiBatch,
        rows: DatasetRows::Requests(Vec::new()),
        skipped: Vec::new(),
        estimated_outputs: 0,
    };
    let mut requests = Vec::new();
    for object in objects(text) {
        let (row, fields) = object?;
        match request(&fields, options).map_err(|problem| problem.at(row))? {
            Read::Request { request, estimated } => {
                file.estimated_outputs += u32::from(estimated);
                requests.push(request);
            }
            Read::Skip(reason) => file.skipped.push(SkippedRow { row, reason }),
        }
    }
    file.rows = DatasetRows::Requests(requests);
    Ok(file)
}

enum Read {
    Request { request: CanonicalRequest, estimated: bool },
    Skip(String),
}

/// A refusal that does not know its row yet, or another error.
enum Problem {
    Refused(String),
    Other(Error),
}

impl Problem {
    fn at(self, row: usize) -> Error {
        match self {
            Problem::Refused(detail) => refuse(row, detail),
            Problem::Other(error) => error,
        }
    }
}

impl From<String> for Problem {
    fn from(detail: String) -> Self {
        Problem::Refused(detail)
    }
}

fn request(fields: &Map<String, Value>, options: &ReadOptions<'_>) -> Result<Read, Problem> {
    let Some(body) = fields.get("body").and_then(Value::as_object) else {
        return Err("has no `body`".to_owned().into());
    };
    if let Some(url) = fields.get("url").and_then(Value::as_str)
        && !(url.ends_with("/chat/completions") || url.ends_with("/completions"))
    {
        return Err(format!("asks `{url}`, which is not measured: leave the row out").into());
    }
    refuse_payloads(body)?;
    let (prompt, answer) = match (body.get("messages"), body.get("prompt")) {
        (Some(Value::Array(items)), _) => {
            let mut messages = Vec::new();
            for item in items {
                if let Some(fields) = item.as_object() {
                    refuse_payloads(fields)?;
                }
                messages.push(message(item.get("role"), item.get("content"))?);
            }
            let answer = take_answer(&mut messages);
            if messages.is_empty() {
                return Ok(Read::Skip("holds no message to answer".to_owned()));
            }
            (Prompt::Chat(chat(&messages)), answer)
        }
        (_, Some(Value::String(text))) if text.is_empty() => return Ok(Read::Skip("has an empty prompt".to_owned())),
        (_, Some(Value::String(text))) => (Prompt::Text(text.clone()), None),
        _ => return Err("has neither `messages` nor a `prompt` of text".to_owned().into()),
    };
    let asked = ["max_completion_tokens", "max_tokens"].iter().find_map(|key| body.get(*key)).filter(|v| !v.is_null());
    let (output_len, estimated) = match (asked, answer, options.output_len) {
        (Some(asked), _, _) => match asked.as_u64().and_then(|tokens| u32::try_from(tokens).ok()) {
            Some(tokens) if tokens > 0 => (tokens, false),
            _ => return Err(format!("asks for {asked} tokens: give `max_tokens` a whole number above 0").into()),
        },
        (None, Some(answer), _) => answer_len(&answer, options).map_err(Problem::Other)?,
        (None, None, Some(output_len)) => (output_len, false),
        (None, None, None) => {
            let detail = "says no answer length: give it `max_tokens`, or one for all rows with --output-len";
            return Err(detail.to_owned().into());
        }
    };
    let extra: Map<String, Value> = body
        .iter()
        .filter(|(key, value)| !OWN_KEYS.contains(&key.as_str()) && !value.is_null())
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect();
    let metadata = fields.get("custom_id").map(|id| Map::from_iter([("custom_id".to_owned(), json!(id))]));
    let extra_request_body = (!extra.is_empty()).then_some(extra);
    Ok(Read::Request { request: CanonicalRequest { prompt, output_len, extra_request_body, metadata }, estimated })
}

#[cfg(test)]
mod tests {
    use super::super::tests::read;
    use super::*;
    use crate::dataset::parse_dataset;

    const FILE: &str = include_str!("../../fixtures/openai_batch.jsonl");

    fn requests(file: DatasetFile) -> Vec<CanonicalRequest> {
        match file.rows {
            DatasetRows::Requests(rows) => rows,
            DatasetRows::Trace(_) => panic!("a batch file is no trace"),
        }
    }

    #[test]
    fn requests_keep_their_sampling_options_and_lose_their_model() {
        let file = read(FILE).unwrap();
        assert_eq!((file.kind, file.estimated_outputs), (DatasetKind::OpenAiBatch, 1));
        let rows = requests(file);
        assert_eq!(rows.iter().map(|row| row.output_len).collect::<Vec<_>>(), [40, 16, 3]);
        let extra = rows[0].extra_request_body.as_ref().unwrap();
        assert_eq!(serde_json::to_string(extra).unwrap(), r#"{"temperature":0.2,"top_p":0.9,"seed":7}"#);
        assert_eq!(rows[0].metadata.as_ref().unwrap()["custom_id"], "r-1");
        assert_eq!(rows[1].prompt, Prompt::Text("Once upon a time".to_owned()));
        let Prompt::Chat(messages) = &rows[2].prompt else { panic!("chat") };
        assert_eq!(messages.len(), 1, "the final answer is left out");
    }

    #[test]
    fn what_not_every_framework_answers_is_refused_by_row() {
        let good = FILE.lines().next().unwrap();
        for bad in [
            r#"{"custom_id": "x"}"#,
            r#"{"url": "/v1/embeddings", "body": {"input": "a"}}"#,
            r#"{"body": {"prompt": "a", "max_tokens": 3, "tools": [{"type": "function"}]}}"#,
            r#"{"body": {"messages": [{"role": "user", "content": [{"type": "input_audio"}]}], "max_tokens": 3}}"#,
            r#"{"body": {"messages": [{"role": "tool", "content": "4"}], "max_tokens": 3}}"#,
            r#"{"body": {"prompt": ["a", "b"], "max_tokens": 3}}"#,
            r#"{"body": {"prompt": "a", "max_tokens": 0}}"#,
            r#"{"body": {"prompt": "a"}}"#,
            "[]",
        ] {
            let error = read(&format!("{good}\n{bad}\n")).unwrap_err();
            assert!(matches!(error, Error::BadDatasetRow { row: 2, .. }), "{bad}: {error}");
        }
    }

    #[test]
    fn one_length_may_serve_all_rows_without_one() {
        let options = ReadOptions { output_len: Some(9), ..ReadOptions::default() };
        let file = parse_dataset(r#"{"body": {"prompt": "a"}}"#, &options).unwrap();
        assert_eq!(requests(file)[0].output_len, 9);
    }
}
