//! From a specification to requests that only need sending.

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::body::{SentPrompt, body};
use crate::dataset::{CanonicalRequest, DatasetRows, Prompt, ReadOptions, read_dataset};
use crate::drawn::{RandomPrompts, drawn_workload, is_chat};
use crate::error::Error;
use crate::random::text;
use crate::rng::Rng;
use crate::spec::{DatasetSpec, WorkloadSpec};
use crate::tokenizer::PromptTokenizer;
use crate::trace::trace_workload;

/// One request, serialised.
#[derive(Debug, Clone, PartialEq)]
pub struct PreparedRequest {
    /// The JSON body.
    pub body: Bytes,
    /// Prompt tokens as asked, where the dataset sets them.
    pub input_len: Option<u32>,
    /// Whether `input_len` is exact (token ids) or an estimate (text).
    pub exact_input: bool,
    /// Output tokens as asked.
    pub output_len: u32,
    /// Whether the answer must have exactly `output_len` tokens (`ignore_eos` is set and nothing overrides the length).
    pub exact_output: bool,
    /// Its place in a conversation; `None` for a request that stands alone.
    pub session: Option<SessionStep>,
}

/// The place of a request in a conversation.
///
/// The requests of a session follow each other in the workload, in the order of their turns. The first turn starts when
/// the schedule says. A later one starts no earlier than `think_time_ns` after the turn before it has ended; the
/// schedule's own start of that request does not count. A session whose turn failed goes no further. The body of a later
/// turn holds the whole conversation up to it, with drawn answers in place of the server's own, so that every server is
/// asked the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionStep {
    /// Which session, from 0, in the order of the workload.
    pub session: u32,
    /// Which turn of it, from 0.
    pub turn: u32,
    /// Nanoseconds between the end of the turn before and this one; 0 for the first turn.
    pub think_time_ns: u64,
}

/// The requests of one measurement.
#[derive(Debug, Clone, PartialEq)]
pub struct Workload {
    /// Sent before the clock starts.
    pub warmup: Vec<PreparedRequest>,
    /// Measured, in sending order.
    pub measured: Vec<PreparedRequest>,
    /// SHA-256 over the measured bodies in order (without the served model's name), in hexadecimal. Equal hashes mean
    /// that two servers were asked the same.
    pub prompt_set_hash: String,
    /// Measured requests that repeat an earlier one because the request file has fewer rows than the measurement.
    pub repeated_prompts: u32,
    /// Whether prompts were drawn for this measurement alone, so that a prefix cache cannot hold them.
    pub fresh_prompts: bool,
}

/// Builds every request of a measurement. The same specification gives the same bytes.
///
/// # Errors
/// When a file that the specification names cannot be used, or a number in it makes no sense.
pub fn build(spec: &WorkloadSpec) -> Result<Workload, Error> {
    if spec.num_prompts == 0 {
        return Err(Error::OutOfRange { field: "num_prompts", value: "0".to_owned(), expected: "at least 1" });
    }
    let tokenizer = spec.tokenizer.as_deref().map(PromptTokenizer::load).transpose()?;
    match &spec.dataset {
        DatasetSpec::Random { input_len, output_len, vocab_size, prompt_form, text_calibration } => {
            let prompts = RandomPrompts {
                input_len: *input_len,
                output_len: *output_len,
                vocab_size: *vocab_size,
                form: *prompt_form,
                calibration: *text_calibration,
            };
            drawn_workload(spec, &prompts, tokenizer.as_ref())
        }
        DatasetSpec::File { path } => {
            let options = ReadOptions { tokenizer: tokenizer.as_ref(), output_len: None };
            match read_dataset(path, &options)?.rows {
                DatasetRows::Requests(rows) => file_workload(spec, &rows, tokenizer.as_ref()),
                DatasetRows::Trace(rows) => trace_workload(spec, &rows, tokenizer.as_ref()),
            }
        }
        DatasetSpec::Rows { rows } => file_workload(spec, rows, tokenizer.as_ref()),
    }
}

fn file_workload(
    spec: &WorkloadSpec,
    rows: &[CanonicalRequest],
    tokenizer: Option<&PromptTokenizer>,
) -> Result<Workload, Error> {
    if rows.is_empty() {
        return Err(Error::NoRows);
    }
    let mut order: Vec<usize> = (0..rows.len()).collect();
    Rng::new(spec.seed, &spec.measurement_key, "rows").shuffle(&mut order);
    let prepare = |row: usize| -> Result<_, Error> {
        let request = &rows[row];
        let prompt = match &request.prompt {
            Prompt::Text(text) => SentPrompt::Text(text.clone()),
            Prompt::Chat(messages) => SentPrompt::Messages(messages.clone()),
        };
        let body =
            body(spec, prompt, request.output_len, request.extra_request_body.as_ref()).map_err(
                |error| match error {
                    Error::ChatOnCompletions { .. } => Error::ChatOnCompletions { row: row + 1 },
                    other => other,
                },
            )?;
        // A chat template adds tokens that are not known here.
        let input_len = match (&request.prompt, tokenizer) {
            (Prompt::Text(text), Some(tokenizer)) if !is_chat(spec) => Some(tokenizer.count(text)?),
            _ => None,
        };
        let prepared = PreparedRequest {
            body: body.bytes,
            input_len,
            exact_input: input_len.is_some(),
            output_len: request.output_len,
            exact_output: body.exact_output,
            session: None,
        };
        Ok((prepared, body.canonical))
    };
    let num_prompts = spec.num_prompts as usize;
    let mut hash = Sha256::new();
    let mut measured = Vec::with_capacity(num_prompts);
    for position in 0..num_prompts {
        let (request, canonical) = prepare(order[position % order.len()])?;
        add(&mut hash, &canonical);
        measured.push(request);
    }
    // Rows that are not measured warm up first; where they run out, random text does.
    let mut warmup = Vec::new();
    let mut rng = Rng::new(spec.seed, &spec.measurement_key, "warm-up");
    for index in 0..spec.warmup_requests as usize {
        let request = match order.get(num_prompts + index) {
            Some(&row) => prepare(row)?.0,
            None => {
                let body = body(spec, SentPrompt::Text(text(&mut rng, 64)), 16, None)?;
                PreparedRequest {
                    body: body.bytes,
                    input_len: None,
                    exact_input: false,
                    output_len: 16,
                    exact_output: body.exact_output,
                    session: None,
                }
            }
        };
        warmup.push(request);
    }
    Ok(Workload {
        warmup,
        measured,
        prompt_set_hash: hex::encode(hash.finalize()),
        repeated_prompts: num_prompts.saturating_sub(order.len()) as u32,
        fresh_prompts: false,
    })
}

/// Adds one body to the hash of a prompt set, framed by its length.
pub(crate) fn add(hash: &mut Sha256, canonical: &[u8]) {
    hash.update((canonical.len() as u64).to_le_bytes());
    hash.update(canonical);
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;
    use std::io::Write;

    use podium_domain::plan::Endpoint;
    use serde_json::{Value, json};

    use super::*;
    use crate::random::TextCalibration;
    use crate::spec::{PromptForm, Protocol, measurement_key};

    fn random(endpoint: Endpoint) -> WorkloadSpec {
        let dataset = DatasetSpec::Random {
            input_len: 50,
            output_len: 7,
            vocab_size: Some(2048),
            prompt_form: None,
            text_calibration: TextCalibration::default(),
        };
        WorkloadSpec { warmup_requests: 5, seed: 3, ..WorkloadSpec::new(dataset, endpoint, "tiny", 20) }
    }

    fn fields(request: &PreparedRequest) -> Value {
        serde_json::from_slice(&request.body).unwrap()
    }

    #[test]
    fn token_prompts_are_exact_and_inside_the_vocabulary() {
        let workload = build(&random(Endpoint::Completions)).unwrap();
        assert_eq!((workload.measured.len(), workload.warmup.len()), (20, 5));
        for request in workload.measured.iter().chain(&workload.warmup) {
            let body = fields(request);
            let ids = body["prompt"].as_array().unwrap();
            assert_eq!(ids.len(), 50);
            assert!(ids.iter().all(|id| (1000..2008).contains(&id.as_u64().unwrap())));
            assert_eq!(body["model"], "tiny");
            assert_eq!(body["max_tokens"], 7);
            assert_eq!(body["ignore_eos"], true);
            assert_eq!(body["stream_options"]["include_usage"], true);
            assert!(request.exact_output && request.exact_input);
        }
    }

    #[test]
    fn no_prompt_is_shared_within_or_between_measurements() {
        let mut spec = random(Endpoint::Completions);
        let mut prompts = Vec::new();
        for key in ["a", "b"] {
            spec.measurement_key = key.to_owned();
            let workload = build(&spec).unwrap();
            prompts.extend(workload.measured.iter().chain(&workload.warmup).map(|r| r.body.clone()));
        }
        assert_eq!(prompts.iter().collect::<HashSet<_>>().len(), prompts.len());
    }

    #[test]
    fn the_same_specification_gives_the_same_requests_whatever_the_model_is_called() {
        let spec = random(Endpoint::Completions);
        let first = build(&spec).unwrap();
        assert_eq!(first, build(&spec).unwrap());
        let renamed = build(&WorkloadSpec { model: "other".to_owned(), ..spec.clone() }).unwrap();
        assert_eq!(first.prompt_set_hash, renamed.prompt_set_hash);
        let more_warmup = build(&WorkloadSpec { warmup_requests: 9, ..spec.clone() }).unwrap();
        assert_eq!(first.measured, more_warmup.measured);
        let reseeded = build(&WorkloadSpec { seed: 4, ..spec }).unwrap();
        assert_ne!(first.prompt_set_hash, reseeded.prompt_set_hash);
    }

    #[test]
    fn chat_prompts_are_text_and_extra_fields_win_except_over_the_stream() {
        let mut spec = random(Endpoint::ChatCompletions);
        spec.extra_request_body = json!({"temperature": 0.7, "ignore_eos": false, "stream": false, "top_p": 0.9})
            .as_object()
            .unwrap()
            .clone();
        let workload = build(&spec).unwrap();
        let body = fields(&workload.measured[0]);
        let text = body["messages"][0]["content"].as_str().unwrap();
        assert_eq!(text.split(' ').count(), 50);
        assert_eq!((&body["temperature"], &body["top_p"], &body["stream"]), (&json!(0.7), &json!(0.9), &json!(true)));
        assert!(!workload.measured[0].exact_output, "without ignore_eos an answer may be shorter");
    }

    #[test]
    fn sglang_gets_its_own_body() {
        let mut spec = WorkloadSpec { protocol: Protocol::SglangGenerate, ..random(Endpoint::ChatCompletions) };
        spec.extra_request_body =
            json!({"sampling_params": {"top_p": 0.9}, "return_logprob": false}).as_object().unwrap().clone();
        assert_eq!(spec.path(), "/generate");
        let request = build(&spec).unwrap().measured.remove(0);
        let body = fields(&request);
        assert_eq!(body["input_ids"].as_array().unwrap().len(), 50);
        let sampling = &body["sampling_params"];
        assert_eq!(sampling["max_new_tokens"], request.output_len);
        assert_eq!((&sampling["ignore_eos"], &sampling["top_p"]), (&json!(true), &json!(0.9)));
        assert_eq!((&body["stream"], &body["return_logprob"]), (&json!(true), &json!(false)));
        assert!(request.exact_output && body.get("model").is_none());
    }

    #[test]
    fn token_ids_on_chat_are_refused() {
        let mut spec = random(Endpoint::ChatCompletions);
        let DatasetSpec::Random { prompt_form, .. } = &mut spec.dataset else { unreachable!() };
        *prompt_form = Some(PromptForm::TokenIds);
        assert!(matches!(build(&spec), Err(Error::TokenIdsOnChat)));
    }

    #[test]
    fn file_rows_are_drawn_without_warm_up_reusing_measured_ones() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        for index in 0..6 {
            writeln!(file, r#"{{"prompt": "row {index}", "output_len": {}}}"#, index + 1).unwrap();
        }
        let dataset = DatasetSpec::File { path: file.path().to_owned() };
        let spec = WorkloadSpec { warmup_requests: 4, ..WorkloadSpec::new(dataset, Endpoint::Completions, "m", 4) };
        let workload = build(&spec).unwrap();
        let measured: HashSet<_> = workload.measured.iter().map(|r| r.body.clone()).collect();
        assert_eq!((measured.len(), workload.repeated_prompts), (4, 0));
        assert!(workload.warmup.iter().all(|r| !measured.contains(&r.body)));
        let more = build(&WorkloadSpec { num_prompts: 10, ..spec }).unwrap();
        assert_eq!((more.measured.len(), more.repeated_prompts), (10, 4));
    }

    #[test]
    fn chat_rows_on_completions_are_refused_by_row() {
        let rows =
            crate::dataset::parse_rows(r#"{"prompt": [{"role": "user", "content": "hi"}], "output_len": 1}"#).unwrap();
        let spec = WorkloadSpec::new(DatasetSpec::Rows { rows }, Endpoint::Completions, "m", 1);
        assert!(matches!(build(&spec), Err(Error::ChatOnCompletions { row: 1 })));
    }

    #[test]
    fn a_specification_survives_its_json_and_refuses_unknown_fields() {
        let spec = random(Endpoint::Completions);
        let mut value = serde_json::to_value(&spec).unwrap();
        assert_eq!(serde_json::from_value::<WorkloadSpec>(value.clone()).unwrap(), spec);
        value["dataset"]["input_length"] = json!(3);
        assert!(serde_json::from_value::<WorkloadSpec>(value).is_err());
    }

    #[test]
    fn keys_name_scenario_load_and_repeat() {
        use podium_domain::load::LoadPoint;
        let load = LoadPoint::Rate { rate_rps: 4.0, max_concurrency: Some(8) };
        assert_eq!(measurement_key("chat", &load, 2), "chat/rate=4,cap=8/2");
    }
}
