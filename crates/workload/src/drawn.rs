//! Drawn requests: of spread lengths, with shared beginnings, in conversations.

use std::collections::HashSet;

use podium_domain::lengths::{Conversation, SharedPrefix};
use podium_domain::plan::Endpoint;
use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};

use crate::body::{SentPrompt, body};
use crate::build::{PreparedRequest, SessionStep, Workload, add};
use crate::draft::{Draft, ExactWriter, Writer};
use crate::error::Error;
use crate::lengths::Lengths;
use crate::random::{TextCalibration, token_id_range};
use crate::rng::Rng;
use crate::spec::{PromptForm, Protocol, WorkloadSpec};
use crate::tokenizer::PromptTokenizer;

/// What random prompts are like, beside the workload's shape.
#[derive(Default)]
pub(crate) struct RandomPrompts {
    pub input_len: u32,
    pub output_len: u32,
    pub vocab_size: Option<u32>,
    pub form: Option<PromptForm>,
    pub calibration: TextCalibration,
}

/// Whether prompts go to the chat endpoint.
pub(crate) fn is_chat(spec: &WorkloadSpec) -> bool {
    spec.protocol == Protocol::OpenAi && spec.endpoint == Endpoint::ChatCompletions
}

/// How the prompts of a workload are written: text of exact length where there is a tokenizer, token ids where there is
/// none and the endpoint takes them, else words.
pub(crate) fn writer<'a>(
    spec: &WorkloadSpec,
    prompts: &RandomPrompts,
    tokenizer: Option<&'a PromptTokenizer>,
) -> Result<Writer<'a>, Error> {
    let chat = is_chat(spec);
    let default = if chat || tokenizer.is_some() { PromptForm::Text } else { PromptForm::TokenIds };
    match (prompts.form.unwrap_or(default), tokenizer) {
        (PromptForm::TokenIds, _) if chat => Err(Error::TokenIdsOnChat),
        (PromptForm::TokenIds, tokenizer) => {
            let vocab_size = prompts.vocab_size.or(tokenizer.map(PromptTokenizer::vocab_size));
            Ok(Writer::Ids(token_id_range(vocab_size)))
        }
        (PromptForm::Text, Some(tokenizer)) => {
            let template = prompts.calibration.base_tokens.round().max(0.0) as u32;
            Ok(Writer::Exact(ExactWriter::new(tokenizer, !chat, template)?))
        }
        (PromptForm::Text, None) => Ok(Writer::Words(prompts.calibration)),
    }
}

/// Whether the prompt lengths of `writer` are the server's own: chat templates add tokens that are not known here.
pub(crate) fn is_exact(spec: &WorkloadSpec, writer: &Writer<'_>) -> bool {
    match writer {
        Writer::Ids(_) => true,
        Writer::Words(_) => false,
        Writer::Exact(_) => !is_chat(spec),
    }
}

/// Builds the requests of a drawn workload.
pub(crate) fn drawn_workload(
    spec: &WorkloadSpec,
    prompts: &RandomPrompts,
    tokenizer: Option<&PromptTokenizer>,
) -> Result<Workload, Error> {
    let shape = &spec.shape;
    check(spec, prompts.input_len)?;
    let mut drawer = Drawer {
        spec,
        writer: writer(spec, prompts, tokenizer)?,
        input: Lengths::new(&shape.input_len, "input_len", prompts.input_len)?,
        output: Lengths::new(&shape.output_len, "output_len", prompts.output_len)?,
        prefixes: Vec::new(),
        seen: HashSet::new(),
    };
    if let Some(shared) = shape.shared_prefix {
        drawer.prefixes = drawer.prefixes(shared)?;
    }
    let mut hash = Sha256::new();
    let mut measured = Vec::with_capacity(spec.num_prompts as usize);
    let mut streams = Streams::new(spec, "prompts");
    let turns = shape.conversation.map_or(1, |conversation| conversation.turns);
    let mut talk = None;
    for index in 0..spec.num_prompts {
        let (session, turn) = (index / turns, index % turns);
        let so_far = if turn == 0 { None } else { talk.take() };
        let (request, canonical, next) = drawer.request(&mut streams, so_far, turn + 1 < turns)?;
        talk = next;
        add(&mut hash, &canonical);
        let session = shape.conversation.map(|conversation| step(conversation, session, turn));
        measured.push(PreparedRequest { session, ..request });
    }
    // Drawn after the measured ones and from streams of their own, so that the number of warm-up requests does not
    // change what is measured.
    let mut streams = Streams::new(spec, "warm-up");
    let warmup = (0..spec.warmup_requests)
        .map(|_| Ok(drawer.request(&mut streams, None, false)?.0))
        .collect::<Result<_, Error>>()?;
    Ok(Workload {
        warmup,
        measured,
        prompt_set_hash: hex::encode(hash.finalize()),
        repeated_prompts: 0,
        fresh_prompts: shape.shared_prefix.is_none() && shape.conversation.is_none(),
    })
}

fn check(spec: &WorkloadSpec, input_len: u32) -> Result<(), Error> {
    let refused = |field, value: String, expected| Err(Error::OutOfRange { field, value, expected });
    if let Some(SharedPrefix { groups, prefix_len }) = spec.shape.shared_prefix {
        if groups == 0 {
            return refused("groups", "0".to_owned(), "at least 1");
        }
        if prefix_len == 0 || prefix_len >= input_len {
            return refused("prefix_len", prefix_len.to_string(), "at least 1 and less than the prompt's tokens");
        }
    }
    match spec.shape.conversation {
        Some(Conversation { turns: 0, .. }) => refused("turns", "0".to_owned(), "at least 1"),
        Some(Conversation { think_time_s, .. }) if !(0.0..=MAX_THINK_TIME_S).contains(&think_time_s) => {
            refused("think_time_s", think_time_s.to_string(), "a number of seconds from 0 to a day")
        }
        _ => Ok(()),
    }
}

/// A day.
const MAX_THINK_TIME_S: f64 = 86_400.0;

/// How often a prompt is drawn until it equals no other.
const MAX_ATTEMPTS: u32 = 32;

fn step(conversation: Conversation, session: u32, turn: u32) -> SessionStep {
    let think_time_s = if turn == 0 { 0.0 } else { conversation.think_time_s };
    SessionStep { session, turn, think_time_ns: (think_time_s * 1e9).round() as u64 }
}

/// The generators of one phase; lengths and groups have their own, so that they do not change the prompts' words.
struct Streams {
    words: Rng,
    lengths: Rng,
    groups: Rng,
}

impl Streams {
    fn new(spec: &WorkloadSpec, phase: &str) -> Self {
        let of = |purpose: &str| Rng::new(spec.seed, &spec.measurement_key, purpose);
        Streams { words: of(phase), lengths: of(&format!("{phase}: lengths")), groups: of(&format!("{phase}: groups")) }
    }
}

/// What was said in a conversation: one draft on the completions endpoint, one for each message on the chat endpoint.
struct Talk {
    said: Vec<Draft>,
    /// Prompt tokens of the whole.
    tokens: u32,
}

struct Drawer<'a> {
    spec: &'a WorkloadSpec,
    writer: Writer<'a>,
    input: Lengths,
    output: Lengths,
    prefixes: Vec<Draft>,
    seen: HashSet<Vec<u8>>,
}

type Drawn = (PreparedRequest, Vec<u8>, Option<Talk>);

impl Drawer<'_> {
    fn prefixes(&self, shared: SharedPrefix) -> Result<Vec<Draft>, Error> {
        let prefix = |group: u32| {
            let mut rng = Rng::new(self.spec.seed, &self.spec.measurement_key, &format!("prefix {group}"));
            let mut draft = self.writer.blank();
            self.writer.extend_to(&mut draft, shared.prefix_len, &mut rng)?;
            Ok(draft)
        };
        (0..shared.groups).map(prefix).collect()
    }

    /// The next request: the first of a conversation, or the one that follows `so_far`. With `goes_on` it comes with
    /// what the next turn follows.
    fn request(&mut self, streams: &mut Streams, so_far: Option<Talk>, goes_on: bool) -> Result<Drawn, Error> {
        let input_len = self.input.draw(&mut streams.lengths);
        let output_len = self.output.draw(&mut streams.lengths);
        let mut talk = match so_far {
            None => self.opening(streams, input_len)?,
            Some(mut talk) => {
                self.add(streams, &mut talk, input_len)?;
                talk
            }
        };
        let body = body(self.spec, self.sent(&talk), output_len, None)?;
        let request = PreparedRequest {
            body: body.bytes,
            input_len: Some(talk.tokens),
            exact_input: is_exact(self.spec, &self.writer),
            output_len,
            exact_output: body.exact_output,
            session: None,
        };
        let next = if goes_on {
            self.add(streams, &mut talk, output_len)?;
            Some(talk)
        } else {
            None
        };
        Ok((request, body.canonical, next))
    }

    /// A first prompt that no other equals. A space too small for that (prompts of one token) gives a repeat.
    fn opening(&mut self, streams: &mut Streams, input_len: u32) -> Result<Talk, Error> {
        let begun = match self.prefixes.len() {
            0 => self.writer.blank(),
            groups => self.prefixes[streams.groups.below(groups as u64) as usize].clone(),
        };
        let shortest = self.spec.shape.shared_prefix.map_or(1, |shared| shared.prefix_len + 1);
        let tokens = input_len.max(shortest);
        let mut attempts = 1;
        loop {
            let mut draft = begun.clone();
            self.writer.extend_to(&mut draft, tokens, &mut streams.words)?;
            if self.seen.insert(fingerprint(&draft)) || attempts == MAX_ATTEMPTS {
                return Ok(Talk { said: vec![draft], tokens });
            }
            attempts += 1;
        }
    }

    /// Says so many tokens more.
    fn add(&self, streams: &mut Streams, talk: &mut Talk, tokens: u32) -> Result<(), Error> {
        let before = talk.tokens;
        talk.tokens += tokens;
        if is_chat(self.spec) {
            let mut draft = self.writer.blank();
            // The template's tokens around a later message are not known; those of the first stand for them.
            let around = self.writer.around();
            self.writer.extend_to(&mut draft, around + tokens, &mut streams.words)?;
            talk.said.push(draft);
            return Ok(());
        }
        match talk.said.last_mut() {
            Some(draft) => self.writer.extend_to(draft, before + tokens, &mut streams.words),
            None => Ok(()),
        }
    }

    fn sent(&self, talk: &Talk) -> SentPrompt {
        match talk.said.as_slice() {
            [only] => sent(only),
            said => SentPrompt::Messages(said.iter().enumerate().map(|(index, draft)| message(index, draft)).collect()),
        }
    }
}

pub(crate) fn sent(draft: &Draft) -> SentPrompt {
    match draft {
        Draft::Ids(ids) => SentPrompt::TokenIds(ids.clone()),
        Draft::Text(draft) => SentPrompt::Text(draft.text.clone()),
    }
}

fn message(index: usize, draft: &Draft) -> Map<String, Value> {
    let role = if index.is_multiple_of(2) { "user" } else { "assistant" };
    let content = match draft {
        Draft::Text(draft) => json!(draft.text),
        Draft::Ids(ids) => json!(ids),
    };
    Map::from_iter([("role".to_owned(), json!(role)), ("content".to_owned(), content)])
}

fn fingerprint(draft: &Draft) -> Vec<u8> {
    let mut hash = Sha256::new();
    match draft {
        Draft::Ids(ids) => ids.iter().for_each(|id| hash.update(id.to_le_bytes())),
        Draft::Text(draft) => hash.update(&draft.text),
    }
    hash.finalize().to_vec()
}

#[cfg(test)]
mod tests {
    use podium_domain::lengths::{LengthSpread, PromptShape};
    use serde_json::Value;

    use super::*;
    use crate::build::build;
    use crate::spec::DatasetSpec;
    use crate::tokenizer::tests::fixture;

    fn spec(endpoint: Endpoint, shape: PromptShape, tokenizer: bool) -> WorkloadSpec {
        let dataset = DatasetSpec::Random {
            input_len: 60,
            output_len: 10,
            vocab_size: None,
            prompt_form: None,
            text_calibration: TextCalibration::default(),
        };
        let tokenizer = tokenizer.then(fixture);
        WorkloadSpec { shape, tokenizer, warmup_requests: 2, seed: 9, ..WorkloadSpec::new(dataset, endpoint, "m", 12) }
    }

    fn talks() -> PromptShape {
        let conversation = Some(Conversation { turns: 3, think_time_s: 1.5 });
        PromptShape { conversation, ..PromptShape::default() }
    }

    fn value(request: &PreparedRequest) -> Value {
        serde_json::from_slice(&request.body).unwrap()
    }

    fn ids(request: &PreparedRequest) -> Vec<u64> {
        value(request)["prompt"].as_array().unwrap().iter().map(|id| id.as_u64().unwrap()).collect()
    }

    #[test]
    fn with_a_tokenizer_text_prompts_are_exact() {
        let workload = build(&spec(Endpoint::Completions, PromptShape::default(), true)).unwrap();
        let tokenizer = PromptTokenizer::load(&fixture()).unwrap();
        for request in workload.measured.iter().chain(&workload.warmup) {
            let body = value(request);
            assert_eq!(tokenizer.count(body["prompt"].as_str().unwrap()).unwrap(), 60);
            assert!(request.exact_input && request.input_len == Some(60));
        }
        let chat = build(&spec(Endpoint::ChatCompletions, PromptShape::default(), true)).unwrap();
        let body = value(&chat.measured[0]);
        assert_eq!(tokenizer.count_inside(body["messages"][0]["content"].as_str().unwrap()).unwrap(), 60);
        assert!(!chat.measured[0].exact_input, "the server's template adds tokens");
    }

    #[test]
    fn lengths_spread_and_are_told() {
        let shape = PromptShape {
            input_len: LengthSpread::Uniform { ratio: 0.5 },
            output_len: LengthSpread::Normal { deviation: 0.3, max: None },
            ..PromptShape::default()
        };
        let workload = build(&spec(Endpoint::Completions, shape, false)).unwrap();
        let inputs: HashSet<_> = workload.measured.iter().map(|r| r.input_len.unwrap()).collect();
        assert!(inputs.len() > 4 && inputs.iter().all(|len| (30..=90).contains(len)), "{inputs:?}");
        assert!(workload.measured.iter().all(|r| ids(r).len() == r.input_len.unwrap() as usize));
        assert!(workload.measured.iter().any(|r| r.output_len != 10));
        assert!(workload.measured.iter().all(|r| value(r)["max_tokens"] == r.output_len));
    }

    #[test]
    fn groups_share_their_beginning_and_nothing_else() {
        let shared_prefix = Some(SharedPrefix { groups: 3, prefix_len: 40 });
        for tokenizer in [false, true] {
            let shape = PromptShape { shared_prefix, ..PromptShape::default() };
            let workload = build(&spec(Endpoint::Completions, shape, tokenizer)).unwrap();
            assert!(!workload.fresh_prompts, "a prefix cache is meant to help");
            let prompts: Vec<String> = workload.measured.iter().map(|r| value(r)["prompt"].to_string()).collect();
            assert_eq!(prompts.iter().collect::<HashSet<_>>().len(), 12, "whole prompts differ");
            // 40 tokens are far more than 30 bytes, and the ends of the prompts are drawn.
            let beginnings: HashSet<_> = prompts.iter().map(|prompt| &prompt[..30]).collect();
            assert!((2..=3).contains(&beginnings.len()), "{beginnings:?}");
        }
    }

    #[test]
    fn each_turn_holds_what_was_said_before() {
        let workload = build(&spec(Endpoint::Completions, talks(), false)).unwrap();
        let steps: Vec<_> = workload.measured.iter().map(|r| r.session.unwrap()).collect();
        assert_eq!(steps[0], SessionStep { session: 0, turn: 0, think_time_ns: 0 });
        assert_eq!(steps[4], SessionStep { session: 1, turn: 1, think_time_ns: 1_500_000_000 });
        for session in workload.measured.chunks(3) {
            assert_eq!(session.iter().map(|r| r.input_len.unwrap()).collect::<Vec<_>>(), [60, 130, 200]);
            assert!(ids(&session[1]).starts_with(&ids(&session[0])) && ids(&session[2]).starts_with(&ids(&session[1])));
        }
        assert!(workload.warmup.iter().all(|r| r.session.is_none() && r.input_len == Some(60)));
    }

    #[test]
    fn chat_turns_alternate_between_user_and_assistant() {
        let workload = build(&spec(Endpoint::ChatCompletions, talks(), true)).unwrap();
        let messages = value(&workload.measured[2])["messages"].clone();
        let roles: Vec<_> = messages.as_array().unwrap().iter().map(|m| m["role"].as_str().unwrap()).collect();
        assert_eq!(roles, ["user", "assistant", "user", "assistant", "user"]);
        assert_eq!(messages[0], value(&workload.measured[0])["messages"][0]);
        let tokenizer = PromptTokenizer::load(&fixture()).unwrap();
        let lengths: Vec<_> = messages
            .as_array()
            .unwrap()
            .iter()
            .map(|m| tokenizer.count_inside(m["content"].as_str().unwrap()).unwrap())
            .collect();
        assert_eq!(lengths, [60, 10, 60, 10, 60]);
    }

    #[test]
    fn a_seed_makes_every_shape_byte_identical() {
        let shape = PromptShape {
            input_len: LengthSpread::LogNormal { sigma: 0.4, max: Some(200) },
            shared_prefix: Some(SharedPrefix { groups: 2, prefix_len: 16 }),
            ..talks()
        };
        for (endpoint, tokenizer) in
            [(Endpoint::Completions, false), (Endpoint::Completions, true), (Endpoint::ChatCompletions, true)]
        {
            let spec = spec(endpoint, shape.clone(), tokenizer);
            let first = build(&spec).unwrap();
            assert_eq!(first, build(&spec).unwrap());
            let reseeded = build(&WorkloadSpec { seed: 10, ..spec.clone() }).unwrap();
            assert_ne!(first.prompt_set_hash, reseeded.prompt_set_hash);
            let warmer = build(&WorkloadSpec { warmup_requests: 7, ..spec }).unwrap();
            assert_eq!(first.measured, warmer.measured);
        }
    }

    #[test]
    fn only_prompts_that_share_nothing_are_fresh() {
        let is_fresh = |shape| build(&spec(Endpoint::Completions, shape, false)).unwrap().fresh_prompts;
        let shared_prefix = Some(SharedPrefix { groups: 2, prefix_len: 8 });
        let conversation = Some(Conversation { turns: 2, think_time_s: 0.0 });
        assert!(is_fresh(PromptShape::default()));
        assert!(!is_fresh(PromptShape { shared_prefix, ..PromptShape::default() }));
        assert!(!is_fresh(PromptShape { conversation, ..PromptShape::default() }));
    }

    #[test]
    fn senseless_shapes_are_refused() {
        let shared = |groups, prefix_len| {
            let shared_prefix = Some(SharedPrefix { groups, prefix_len });
            PromptShape { shared_prefix, ..PromptShape::default() }
        };
        let talking = |turns, think_time_s| {
            let conversation = Some(Conversation { turns, think_time_s });
            PromptShape { conversation, ..PromptShape::default() }
        };
        for shape in [shared(0, 5), shared(2, 60), shared(2, 0), talking(0, 1.0), talking(2, -1.0)] {
            let error = build(&spec(Endpoint::Completions, shape.clone(), false)).unwrap_err();
            assert!(matches!(error, Error::OutOfRange { .. }), "{shape:?}: {error}");
        }
    }
}
