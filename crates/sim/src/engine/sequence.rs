//! Requests, from the queue to their last token.

use std::time::Duration;

use podium_domain::framework::Framework;

use super::config::EngineConfig;
use super::kv::Holding;
use super::random::mix;
use crate::openai::{FinishReason, Prompt};

/// The bounds of answers that end by themselves, in tokens.
const NATURAL_OUTPUT_TOKENS: std::ops::Range<u64> = 32..512;

/// Names a request within one engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestId(pub u64);

/// A request to the engine.
#[derive(Debug, Clone, Default)]
pub struct NewRequest {
    /// The prompt.
    pub prompt: Prompt,
    /// The most output tokens; `None` is as many as the sequence limit allows.
    pub max_tokens: Option<u32>,
    /// The fewest output tokens.
    pub min_tokens: u32,
    /// Whether the answer goes on to `max_tokens` in any case.
    pub ignore_eos: bool,
}

/// Why a request can never be served.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    /// Prompt and answer exceed the longest sequence.
    #[error(
        "This model's maximum context length is {limit} tokens. However, you requested {requested} tokens ({prompt} in the prompt, {output} in the completion). Please shorten the prompt or the completion."
    )]
    TooLong {
        /// The longest sequence.
        limit: u32,
        /// Prompt and answer.
        requested: u64,
        /// The prompt.
        prompt: u32,
        /// The answer.
        output: u32,
    },
    /// Without chunked prefill, a prompt has to fit into one step.
    #[error(
        "The prompt has {prompt} tokens, which is more than the {budget} tokens of one step. Enable chunked prefill or raise the token limit of a step."
    )]
    PromptExceedsStep {
        /// The prompt.
        prompt: u32,
        /// Tokens of a step.
        budget: u32,
    },
}

/// A request inside the engine.
#[derive(Debug)]
pub(super) struct Sequence {
    pub id: RequestId,
    pub prompt_tokens: u32,
    /// One hash for each full piece of the prompt.
    pub pieces: Vec<u64>,
    /// Output tokens after which the answer ends.
    pub target_tokens: u32,
    pub reason: FinishReason,
    pub arrived: Duration,
    pub first_token: Option<Duration>,
    pub started: bool,
    /// Output tokens so far.
    pub produced: u32,
    /// Tokens whose keys and values are in the cache.
    pub computed: u32,
    pub holding: Holding,
    /// Prompt tokens found in the prefix cache when it was first taken.
    pub cached_tokens: u32,
    pub cancelled: bool,
}

impl Sequence {
    /// Tokens that exist but are not in the cache yet; more than one means a prompt (or a preempted sequence) to compute.
    pub(super) fn pending(&self) -> u32 {
        self.prompt_tokens + self.produced - self.computed
    }

    /// Whether its next step makes the next token of an answer that is under way.
    pub(super) fn decodes(&self) -> bool {
        self.produced > 0 && self.pending() == 1
    }

    pub(super) fn remaining(&self) -> u32 {
        self.target_tokens - self.produced
    }
}

/// How many output tokens a request gets, and why it ends there.
///
/// # Errors
/// When it cannot be served at all.
pub(super) fn target(
    config: &EngineConfig,
    request: &NewRequest,
    id: RequestId,
) -> Result<(u32, FinishReason), Rejection> {
    let (prompt, limit) = (request.prompt.len(), config.max_seq_tokens);
    if !config.chunked_prefill && prompt > config.token_budget {
        return Err(Rejection::PromptExceedsStep { prompt, budget: config.token_budget });
    }
    let room = limit.saturating_sub(prompt);
    let wanted = request.max_tokens.unwrap_or(room);
    // llama.cpp cuts the answer short; the others refuse at once.
    let may_cut = config.framework == Framework::LlamaCpp;
    if room == 0 || (wanted > room && !may_cut) {
        let requested = u64::from(prompt) + u64::from(wanted.max(1));
        return Err(Rejection::TooLong { limit, requested, prompt, output: wanted.max(1) });
    }
    let most = wanted.min(room).max(1);
    if request.ignore_eos {
        return Ok((most, FinishReason::Length));
    }
    let draw = request.prompt.ids.iter().fold(mix(config.seed ^ id.0), |hash, token| mix(hash ^ u64::from(*token)));
    let span = NATURAL_OUTPUT_TOKENS.end - NATURAL_OUTPUT_TOKENS.start;
    let natural = (NATURAL_OUTPUT_TOKENS.start + draw % span) as u32;
    let natural = natural.max(request.min_tokens);
    Ok(if natural < most { (natural, FinishReason::Stop) } else { (most, FinishReason::Length) })
}
