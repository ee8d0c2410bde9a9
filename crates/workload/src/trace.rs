//! The requests of a trace: prompts of recorded lengths that share recorded blocks.

use std::collections::HashMap;

use podium_domain::plan::Endpoint;
use sha2::{Digest as _, Sha256};

use crate::body::body;
use crate::build::{PreparedRequest, Workload, add};
use crate::dataset::{BLOCK_TOKENS, CanonicalRequest, Prompt, TraceRow};
use crate::draft::{Draft, Writer};
use crate::drawn::{RandomPrompts, is_exact, sent, writer};
use crate::error::Error;
use crate::rng::Rng;
use crate::spec::{DatasetSpec, PromptForm, WorkloadSpec};
use crate::tokenizer::PromptTokenizer;

/// Draws the prompts of a trace. Blocks are the same wherever their ids are, and different in every measurement.
struct TracePrompts<'a> {
    writer: Writer<'a>,
    seed: u64,
    key: &'a str,
    /// The prompt up to and with the block of this id. Mooncake's ids stand for a block and all before it, so this only
    /// saves the writing: of text, for blocks that come again.
    begun: HashMap<u64, Option<Draft>>,
}

impl<'a> TracePrompts<'a> {
    fn new(writer: Writer<'a>, seed: u64, key: &'a str, rows: &[TraceRow]) -> Self {
        let mut times: HashMap<u64, u32> = HashMap::new();
        if !matches!(writer, Writer::Ids(_)) {
            rows.iter().flat_map(|row| &row.hash_ids).for_each(|id| *times.entry(*id).or_default() += 1);
        }
        let again = times.into_iter().filter(|(_, times)| *times > 1);
        TracePrompts { writer, seed, key, begun: again.map(|(id, _)| (id, None)).collect() }
    }

    fn draw(&mut self, index: usize, row: &TraceRow) -> Result<Draft, Error> {
        let mut draft = self.writer.blank();
        let mut tokens = 0;
        for id in &row.hash_ids {
            // The last block of a prompt may be shorter than a block; such a piece is not kept for others.
            let end = (tokens + BLOCK_TOKENS).min(row.input_length);
            let full = end == tokens + BLOCK_TOKENS;
            let mut kept = self.begun.get_mut(id).filter(|_| full);
            if let Some(Some(known)) = &kept {
                draft = known.clone();
            } else {
                let mut rng = Rng::new(self.seed, self.key, &format!("block {id}"));
                self.writer.extend_to(&mut draft, end, &mut rng)?;
                if let Some(kept) = &mut kept {
                    **kept = Some(draft.clone());
                }
            }
            tokens = end;
        }
        if tokens < row.input_length {
            let mut rng = Rng::new(self.seed, self.key, &format!("row {index}"));
            self.writer.extend_to(&mut draft, row.input_length, &mut rng)?;
        }
        Ok(draft)
    }
}

/// Builds the requests of a trace in the order of their starts.
pub(crate) fn trace_workload(
    spec: &WorkloadSpec,
    rows: &[TraceRow],
    tokenizer: Option<&PromptTokenizer>,
) -> Result<Workload, Error> {
    if rows.is_empty() {
        return Err(Error::NoRows);
    }
    let writer = writer(spec, &RandomPrompts::default(), tokenizer)?;
    let exact_input = is_exact(spec, &writer);
    let used = &rows[..rows.len().min(spec.num_prompts as usize)];
    let mut prompts = TracePrompts::new(writer, spec.seed, &spec.measurement_key, used);
    let prepare = |prompts: &mut TracePrompts<'_>, index: usize, row: &TraceRow| -> Result<_, Error> {
        let body = body(spec, sent(&prompts.draw(index, row)?), row.output_length, None)?;
        let request = PreparedRequest {
            body: body.bytes,
            input_len: Some(row.input_length),
            exact_input,
            output_len: row.output_length,
            exact_output: body.exact_output,
            session: None,
        };
        Ok((request, body.canonical))
    };
    let num_prompts = spec.num_prompts as usize;
    let mut hash = Sha256::new();
    let mut measured = Vec::with_capacity(num_prompts);
    for index in 0..num_prompts {
        let (request, canonical) = prepare(&mut prompts, index, &rows[index % rows.len()])?;
        add(&mut hash, &canonical);
        measured.push(request);
    }
    // Warm-up prompts have the lengths of the trace and none of its blocks, so that they warm no cache.
    let warm = |index: usize| TraceRow { hash_ids: Vec::new(), ..rows[index % rows.len()].clone() };
    let warm_key = format!("{}: warm-up", spec.measurement_key);
    let mut warm_prompts = TracePrompts { key: &warm_key, ..prompts };
    let warmup = (0..spec.warmup_requests as usize)
        .map(|index| Ok(prepare(&mut warm_prompts, index, &warm(index))?.0))
        .collect::<Result<_, Error>>()?;
    Ok(Workload {
        warmup,
        measured,
        prompt_set_hash: hex::encode(hash.finalize()),
        repeated_prompts: num_prompts.saturating_sub(rows.len()) as u32,
        fresh_prompts: false,
    })
}

/// The requests of a trace as canonical rows of drawn text, with their starts in the metadata. With a tokenizer, their
/// prompts have exactly the trace's tokens on `/v1/completions`.
///
/// # Errors
/// When no text of a length is found.
pub fn trace_requests(
    rows: &[TraceRow],
    seed: u64,
    tokenizer: Option<&PromptTokenizer>,
) -> Result<Vec<CanonicalRequest>, Error> {
    let spec = WorkloadSpec::new(DatasetSpec::Rows { rows: Vec::new() }, Endpoint::Completions, "", 1);
    let text = RandomPrompts { form: Some(PromptForm::Text), ..RandomPrompts::default() };
    let writer = writer(&spec, &text, tokenizer)?;
    let mut prompts = TracePrompts::new(writer, seed, "trace", rows);
    let mut requests = Vec::with_capacity(rows.len());
    for (index, row) in rows.iter().enumerate() {
        let Draft::Text(draft) = prompts.draw(index, row)? else { continue };
        let start = ("timestamp".to_owned(), serde_json::json!(row.timestamp));
        requests.push(CanonicalRequest {
            prompt: Prompt::Text(draft.text),
            output_len: row.output_length,
            extra_request_body: None,
            metadata: Some(serde_json::Map::from_iter([start])),
        });
    }
    Ok(requests)
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::build::build;
    use crate::tokenizer::tests::fixture;

    fn spec(num_prompts: u32, tokenizer: bool) -> WorkloadSpec {
        let path = fixture().with_file_name("mooncake.jsonl");
        let tokenizer = tokenizer.then(fixture);
        WorkloadSpec {
            tokenizer,
            warmup_requests: 1,
            ..WorkloadSpec::new(DatasetSpec::File { path }, Endpoint::Completions, "m", num_prompts)
        }
    }

    fn ids(request: &PreparedRequest) -> Vec<u64> {
        let body: Value = serde_json::from_slice(&request.body).unwrap();
        body["prompt"].as_array().unwrap().iter().map(|id| id.as_u64().unwrap()).collect()
    }

    #[test]
    fn equal_ids_are_equal_blocks() {
        let workload = build(&spec(4, false)).unwrap();
        let prompts: Vec<_> = workload.measured.iter().map(ids).collect();
        assert_eq!(prompts.iter().map(Vec::len).collect::<Vec<_>>(), [1300, 100, 1400, 700]);
        assert_eq!(workload.measured.iter().map(|r| r.output_len).collect::<Vec<_>>(), [20, 5, 30, 8]);
        assert_eq!(prompts[0][..1024], prompts[2][..1024]);
        assert_ne!(prompts[0][1024..], prompts[2][1024..1300]);
        assert_eq!(prompts[3][..512], prompts[0][..512]);
        assert!(!prompts[0].starts_with(&prompts[1][..10]));
        assert!(!workload.fresh_prompts && workload.measured[0].exact_input);
        let other = build(&WorkloadSpec { measurement_key: "other".to_owned(), ..spec(4, false) }).unwrap();
        assert_ne!(ids(&other.measured[0])[..512], prompts[0][..512], "measurements share no block");
    }

    #[test]
    fn texts_of_a_trace_are_exact_and_share_their_beginning() {
        let tokenizer = PromptTokenizer::load(&fixture()).unwrap();
        let workload = build(&spec(4, true)).unwrap();
        assert_eq!(workload, build(&spec(4, true)).unwrap());
        let texts: Vec<String> = workload
            .measured
            .iter()
            .map(|r| serde_json::from_slice::<Value>(&r.body).unwrap()["prompt"].as_str().unwrap().to_owned())
            .collect();
        let lengths: Vec<_> = texts.iter().map(|text| tokenizer.count(text).unwrap()).collect();
        assert_eq!(lengths, [1300, 100, 1400, 700]);
        assert_eq!(texts[0][..1000], texts[2][..1000]);
    }

    #[test]
    fn a_short_trace_is_repeated_and_told() {
        let workload = build(&spec(6, false)).unwrap();
        assert_eq!((workload.measured.len(), workload.repeated_prompts), (6, 2));
    }

    #[test]
    fn a_trace_becomes_canonical_rows() {
        let file =
            crate::dataset::read_dataset(&fixture().with_file_name("mooncake.jsonl"), &Default::default()).unwrap();
        let crate::dataset::DatasetRows::Trace(rows) = file.rows else { panic!("a trace") };
        let tokenizer = PromptTokenizer::load(&fixture()).unwrap();
        let requests = trace_requests(&rows, 3, Some(&tokenizer)).unwrap();
        assert_eq!(requests, trace_requests(&rows, 3, Some(&tokenizer)).unwrap());
        assert_ne!(requests, trace_requests(&rows, 4, Some(&tokenizer)).unwrap());
        assert_eq!(requests[2].metadata.as_ref().unwrap()["timestamp"], 1500.0);
        let Prompt::Text(text) = &requests[2].prompt else { panic!("text") };
        assert_eq!(tokenizer.count(text).unwrap(), 1400);
    }
}
