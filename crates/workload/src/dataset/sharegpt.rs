//! Conversations in the form of ShareGPT: `{"conversations": [{"from": "human", "value": "…"}, …]}`, or with
//! `messages` of `role` and `content`.

use serde_json::{Map, Value};

use super::canonical::{CanonicalRequest, Prompt};
use super::message::{Message, chat, message, refuse_payloads, take_answer};
use super::{DatasetFile, DatasetKind, DatasetRows, ReadOptions, SkippedRow, answer_len, objects, refuse};
use crate::error::Error;

/// Under these keys a row has its messages.
pub(super) const KEYS: [&str; 4] = ["conversations", "conversation", "messages", "items"];

/// Reads every conversation up to its last answer: that answer's length is the request's output length, and what was
/// said before is its prompt.
pub(super) fn parse(text: &str, options: &ReadOptions<'_>) -> Result<DatasetFile, Error> {
    let mut reader = Reader { options, rows: Vec::new(), skipped: Vec::new(), estimated_outputs: 0 };
    if text.trim_start().starts_with('[') {
        let rows: Vec<Map<String, Value>> = serde_json::from_str(text).map_err(|error| Error::UnknownDataset {
            detail: format!("it begins like a JSON array of objects and is none: {error}"),
        })?;
        for (index, row) in rows.iter().enumerate() {
            reader.row(index + 1, row)?;
        }
    } else {
        for object in objects(text) {
            let (line, row) = object?;
            reader.row(line, &row)?;
        }
    }
    Ok(DatasetFile {
        kind: DatasetKind::ShareGpt,
        rows: DatasetRows::Requests(reader.rows),
        skipped: reader.skipped,
        estimated_outputs: reader.estimated_outputs,
    })
}

struct Reader<'a> {
    options: &'a ReadOptions<'a>,
    rows: Vec<CanonicalRequest>,
    skipped: Vec<SkippedRow>,
    estimated_outputs: u32,
}

impl Reader<'_> {
    fn row(&mut self, row: usize, fields: &Map<String, Value>) -> Result<(), Error> {
        refuse_payloads(fields).map_err(|detail| refuse(row, detail))?;
        let said = KEYS.iter().find_map(|key| fields.get(*key)).and_then(Value::as_array);
        let mut messages = Vec::new();
        for item in said.into_iter().flatten() {
            messages.push(turn(item).map_err(|detail| refuse(row, detail))?);
        }
        // What follows the last answer has none, so there is no length to ask for.
        while messages.last().is_some_and(|message| message.role != "assistant") {
            messages.pop();
        }
        let answer = take_answer(&mut messages);
        let skip = |reason: &str| SkippedRow { row, reason: reason.to_owned() };
        let Some(answer) = answer.filter(|answer| !answer.is_empty()) else {
            self.skipped.push(skip("holds no answer"));
            return Ok(());
        };
        if !messages.iter().any(|message| message.role == "user" && !message.content.is_empty()) {
            self.skipped.push(skip("holds no question before its answer"));
            return Ok(());
        }
        let (output_len, estimated) = answer_len(&answer, self.options)?;
        self.estimated_outputs += u32::from(estimated);
        let metadata = fields.get("id").map(|id| Map::from_iter([("id".to_owned(), id.clone())]));
        self.rows.push(CanonicalRequest { prompt: prompt(messages), output_len, extra_request_body: None, metadata });
        Ok(())
    }
}

fn turn(item: &Value) -> Result<Message, String> {
    let Some(fields) = item.as_object() else { return Err("holds something that is no message".to_owned()) };
    refuse_payloads(fields)?;
    let either = |a: &str, b: &str| fields.get(a).or_else(|| fields.get(b));
    message(either("from", "role"), either("value", "content"))
}

/// A single question is plain text, which both endpoints take.
fn prompt(messages: Vec<Message>) -> Prompt {
    match messages.as_slice() {
        [only] if only.role == "user" => Prompt::Text(only.content.clone()),
        said => Prompt::Chat(chat(said)),
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::read;
    use super::*;
    use crate::dataset::parse_dataset;
    use crate::tokenizer::PromptTokenizer;
    use crate::tokenizer::tests::fixture;

    const FILE: &str = include_str!("../../fixtures/sharegpt.json");

    fn requests(file: DatasetFile) -> Vec<CanonicalRequest> {
        match file.rows {
            DatasetRows::Requests(rows) => rows,
            DatasetRows::Trace(_) => panic!("a ShareGPT file is no trace"),
        }
    }

    #[test]
    fn the_last_answer_is_asked_for_and_not_sent() {
        let file = read(FILE).unwrap();
        assert_eq!(file.kind, DatasetKind::ShareGpt);
        assert_eq!(file.skipped.iter().map(|s| s.row).collect::<Vec<_>>(), [3, 4], "{:?}", file.skipped);
        assert_eq!(file.estimated_outputs, 2);
        let rows = requests(file);
        assert_eq!(rows[0].prompt, Prompt::Text("What is a tide?".to_owned()));
        assert_eq!(rows[0].metadata.as_ref().unwrap()["id"], "one");
        let Prompt::Chat(messages) = &rows[1].prompt else { panic!("a conversation") };
        let roles: Vec<_> = messages.iter().map(|m| m["role"].as_str().unwrap()).collect();
        assert_eq!(roles, ["system", "user", "assistant", "user"]);
        assert_eq!(rows[1].output_len, "Because it is nearer.".len().div_ceil(4) as u32);
    }

    #[test]
    fn a_tokenizer_counts_the_answers() {
        let tokenizer = PromptTokenizer::load(&fixture()).unwrap();
        let options = ReadOptions { tokenizer: Some(&tokenizer), ..ReadOptions::default() };
        let file = parse_dataset(FILE, &options).unwrap();
        assert_eq!(file.estimated_outputs, 0);
        assert_eq!(requests(file)[1].output_len, tokenizer.count_inside("Because it is nearer.").unwrap());
    }

    #[test]
    fn lines_are_read_too() {
        let line = r#"{"messages": [{"role": "user", "content": "hi"}, {"role": "assistant", "content": "hello"}]}"#;
        assert_eq!(requests(read(&format!("{line}\n\n{line}\n")).unwrap()).len(), 2);
    }

    #[test]
    fn images_and_tools_are_refused_by_row() {
        let good = r#"{"conversations": [{"from": "human", "value": "a"}, {"from": "gpt", "value": "b"}]}"#;
        for bad in [
            r#"{"image": "cat.png", "conversations": []}"#,
            r#"{"tools": [{}], "conversations": []}"#,
            r#"{"conversations": [{"from": "function_call", "value": "f()"}]}"#,
            r#"{"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {}}]}]}"#,
            r#"{"messages": [{"role": "assistant", "content": null, "tool_calls": [{}]}]}"#,
            r#"{"messages": [{"role": "wizard", "content": "x"}]}"#,
            r#"{"messages": [7]}"#,
        ] {
            for text in [format!("[{good},\n{bad}]"), format!("{good}\n{bad}")] {
                let error = read(&text).unwrap_err();
                assert!(matches!(error, Error::BadDatasetRow { row: 2, .. }), "{bad}: {error}");
            }
        }
    }

    #[test]
    fn a_file_without_a_question_says_why() {
        let error = read(r#"[{"conversations": [{"from": "human", "value": "a"}]}]"#).unwrap_err().to_string();
        assert!(error.contains("row 1") && error.contains("no answer"), "{error}");
        assert!(read("[{").is_err());
    }
}
