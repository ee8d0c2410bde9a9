//! The scheduler: which sequences take part in a step, with how many tokens, and who gives way when blocks run out.

use std::collections::VecDeque;
use std::time::Duration;

use super::config::{EngineConfig, PrefillMode};
use super::cost::{self, StepWork};
use super::kv::{Holding, KvPool};
use super::memory::{self, MemoryPlan};
use super::random::Random;
use super::sequence::{self, NewRequest, Rejection, RequestId, Sequence};
use super::stats::Stats;
use crate::openai::{FinishReason, Usage};

/// Steps vary by this part in either direction.
const JITTER: f64 = 0.015;
/// Chance that a proposed draft token is accepted when the one before it was.
const DRAFT_ACCEPTANCE: f64 = 0.72;
/// Of the cache, the part that must stay free when another sequence is taken beside running ones.
const ADMISSION_MARGIN: f64 = 0.01;
/// How deep the queue is searched for the longest cached prefix.
const PREFIX_SEARCH_DEPTH: usize = 64;

/// Tokens of one sequence at the end of a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Emission {
    /// Whose.
    pub id: RequestId,
    /// How many; at least 1.
    pub tokens: u32,
    /// Set with the last tokens.
    pub finish: Option<Finish>,
}

/// How a request ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Finish {
    /// Why.
    pub reason: FinishReason,
    /// Its token counts.
    pub usage: Usage,
}

/// An allocation failed in the middle of serving. The engine is dead.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Crash {
    /// The allocation, in bytes.
    pub tried_bytes: f64,
    /// What was free, in bytes.
    pub free_bytes: f64,
    /// The accelerator's memory, in bytes.
    pub total_bytes: f64,
}

#[derive(Debug)]
struct Scheduled {
    id: RequestId,
    /// Tokens that enter the cache if no draft is accepted.
    tokens: u32,
    drafts: u32,
}

#[derive(Debug)]
struct Batch {
    ends_at: Duration,
    items: Vec<Scheduled>,
}

/// A simulated engine.
#[derive(Debug)]
pub struct Engine {
    config: EngineConfig,
    plan: MemoryPlan,
    pool: KvPool,
    waiting: VecDeque<Sequence>,
    /// In the order in which they were taken; the last gives way first.
    running: Vec<Sequence>,
    batch: Option<Batch>,
    next_id: u64,
    random: Random,
    stats: Stats,
}

impl Engine {
    /// An idle engine with this division of memory.
    pub fn new(config: EngineConfig, plan: MemoryPlan) -> Engine {
        let pool = KvPool::new(plan.kv_blocks, config.block_tokens, config.prefix_cache);
        let random = Random::new(config.seed);
        Engine {
            config,
            plan,
            pool,
            waiting: VecDeque::new(),
            running: Vec::new(),
            batch: None,
            next_id: 0,
            random,
            stats: Stats::default(),
        }
    }

    /// The engine's settings.
    pub fn config(&self) -> &EngineConfig {
        &self.config
    }

    /// Puts a request into the queue.
    ///
    /// # Errors
    /// When it could never be served.
    pub fn submit(&mut self, now: Duration, request: &NewRequest) -> Result<RequestId, Rejection> {
        let id = RequestId(self.next_id);
        let (target_tokens, reason) = sequence::target(&self.config, request, id)?;
        self.next_id += 1;
        self.waiting.push_back(Sequence {
            id,
            prompt_tokens: request.prompt.len(),
            pieces: self.pool.hash_pieces(&request.prompt.ids),
            target_tokens,
            reason,
            arrived: now,
            first_token: None,
            started: false,
            produced: 0,
            computed: 0,
            holding: Holding::default(),
            cached_tokens: 0,
            cancelled: false,
        });
        Ok(id)
    }

    /// Drops a request whose client went away. One that takes part in the current step leaves after it.
    pub fn cancel(&mut self, id: RequestId) {
        if let Some(at) = self.waiting.iter().position(|sequence| sequence.id == id) {
            self.waiting.remove(at);
            self.stats.aborted += 1;
        } else if let Some(sequence) = self.running.iter_mut().find(|sequence| sequence.id == id) {
            sequence.cancelled = true;
            if self.batch.is_none() {
                self.drop_cancelled();
            }
        }
    }

    /// Starts the next step; when it will end, or `None` when there is nothing to do. A step that already runs is
    /// reported again.
    ///
    /// # Errors
    /// When the step needs more activation memory than is left: the engine dies.
    pub fn start_step(&mut self, now: Duration) -> Result<Option<Duration>, Crash> {
        if let Some(batch) = &self.batch {
            return Ok(Some(batch.ends_at));
        }
        let items = self.schedule(now);
        if items.is_empty() {
            return Ok(None);
        }
        let work = self.work(&items);
        let tokens = work.prefill_tokens + work.decode_tokens;
        let tried_bytes = memory::activation_bytes(&self.config, tokens, work.sequences);
        if tried_bytes > self.plan.left_bytes {
            return Err(Crash {
                tried_bytes,
                free_bytes: self.plan.left_bytes,
                total_bytes: self.config.gpu.spec().memory_bytes,
            });
        }
        let jitter = 1.0 + JITTER * (2.0 * self.random.unit() - 1.0);
        let seconds = cost::step_s(&self.config, &work) * jitter;
        self.stats.steps += 1;
        self.stats.busy_s += seconds;
        let ends_at = now + Duration::from_secs_f64(seconds);
        self.batch = Some(Batch { ends_at, items });
        Ok(Some(ends_at))
    }

    /// Ends the current step and returns what it made; nothing when no step runs.
    pub fn finish_step(&mut self) -> Vec<Emission> {
        let Some(Batch { ends_at, items }) = self.batch.take() else { return Vec::new() };
        let mut emissions = Vec::with_capacity(items.len());
        let mut sequences = self.running.iter_mut();
        for item in &items {
            // Items are in the order of the running sequences, so one pass over both is enough.
            let Some(sequence) = sequences.find(|sequence| sequence.id == item.id) else { continue };
            sequence.computed += item.tokens;
            if sequence.pending() > 0 {
                continue;
            }
            if sequence.produced == 0 {
                self.pool.share_prefix(&mut sequence.holding, &sequence.pieces);
                sequence.first_token = Some(ends_at);
                self.stats.ttft.record(ends_at.saturating_sub(sequence.arrived));
            }
            let mut tokens = 1;
            if item.drafts > 0 {
                let accepted = accepted_drafts(&mut self.random, item.drafts);
                self.stats.draft_passes += 1;
                self.stats.draft_tokens += u64::from(item.drafts);
                self.stats.accepted_tokens += u64::from(accepted);
                tokens = (accepted + 1).min(sequence.remaining());
                sequence.computed += tokens - 1;
            }
            sequence.produced += tokens;
            self.stats.generation_tokens += u64::from(tokens);
            let finish = (sequence.remaining() == 0).then_some(Finish {
                reason: sequence.reason,
                usage: Usage {
                    prompt_tokens: sequence.prompt_tokens,
                    completion_tokens: sequence.produced,
                    cached_tokens: sequence.cached_tokens,
                },
            });
            emissions.push(Emission { id: item.id, tokens, finish });
        }
        self.drop_finished(ends_at);
        self.drop_cancelled();
        emissions
    }

    /// Counters and state.
    pub fn stats(&self) -> Stats {
        Stats {
            running: self.running.len(),
            waiting: self.waiting.len(),
            kv_used_blocks: self.pool.used_blocks(),
            kv_total_blocks: self.pool.total_blocks(),
            block_tokens: self.config.block_tokens,
            ..self.stats.clone()
        }
    }

    fn schedule(&mut self, now: Duration) -> Vec<Scheduled> {
        match self.config.prefill {
            PrefillMode::Mixed => {
                let mut budget = self.config.token_budget;
                let (mut items, preempted) = self.schedule_running(&mut budget, |_| true);
                if !preempted {
                    self.admit(now, &mut budget, &mut items);
                }
                items
            }
            PrefillMode::First => {
                let mut budget = self.config.token_budget;
                let (mut items, preempted) = self.schedule_running(&mut budget, |sequence| !sequence.decodes());
                if !preempted {
                    self.admit(now, &mut budget, &mut items);
                }
                if items.is_empty() {
                    // The budget is for prompts; a decode step holds everything that runs.
                    (items, _) = self.schedule_running(&mut { u32::MAX }, Sequence::decodes);
                }
                items
            }
        }
    }

    /// Schedules running sequences that `wanted` selects; also says whether one had to give way.
    fn schedule_running(&mut self, budget: &mut u32, wanted: impl Fn(&Sequence) -> bool) -> (Vec<Scheduled>, bool) {
        let mut items = Vec::new();
        let mut preempted = false;
        let mut at = 0;
        while at < self.running.len() && *budget > 0 {
            let sequence = &self.running[at];
            if !wanted(sequence) {
                at += 1;
                continue;
            }
            let tokens = sequence.pending().min(*budget);
            let drafts = if sequence.decodes() {
                self.config.draft_tokens.min(*budget - tokens).min(sequence.remaining().saturating_sub(1))
            } else {
                0
            };
            let covered = sequence.computed + tokens + drafts;
            while at < self.running.len() && !self.pool.grow(&mut self.running[at].holding, covered) {
                self.preempt_last();
                preempted = true;
            }
            let Some(sequence) = self.running.get(at) else { break };
            items.push(Scheduled { id: sequence.id, tokens, drafts });
            *budget -= tokens + drafts;
            at += 1;
        }
        (items, preempted)
    }

    /// The sequence that was taken last loses its blocks and starts again, ahead of everybody who waits.
    fn preempt_last(&mut self) {
        let Some(mut sequence) = self.running.pop() else { return };
        self.pool.release(std::mem::take(&mut sequence.holding));
        sequence.computed = 0;
        self.stats.preemptions += 1;
        self.waiting.push_front(sequence);
    }

    fn admit(&mut self, now: Duration, budget: &mut u32, items: &mut Vec<Scheduled>) {
        while *budget > 0 && self.running.len() < self.config.max_running as usize && !self.waiting.is_empty() {
            self.put_longest_prefix_first();
            let Some(mut sequence) = self.waiting.pop_front() else { return };
            let total = sequence.prompt_tokens + sequence.produced;
            // At least one token has to be computed for there to be a next one.
            let most_cached = (total.saturating_sub(1) / self.pool.piece_tokens()) as usize;
            let cached = self.pool.cached_pieces(&sequence.pieces).min(most_cached);
            let cached_tokens = cached as u32 * self.pool.piece_tokens();
            let mut tokens = total - cached_tokens;
            if tokens > *budget {
                if !self.config.chunked_prefill && !items.is_empty() {
                    self.waiting.push_front(sequence);
                    return;
                }
                if self.config.chunked_prefill {
                    tokens = *budget;
                }
            }
            let mut holding = self.pool.hold_prefix(&sequence.pieces, cached);
            let fits = self.running.is_empty() || self.leaves_room(&sequence, &holding);
            if !fits || !self.pool.grow(&mut holding, cached_tokens + tokens) {
                self.pool.release(holding);
                self.waiting.push_front(sequence);
                return;
            }
            sequence.holding = holding;
            sequence.computed = cached_tokens;
            if !sequence.started {
                sequence.started = true;
                sequence.cached_tokens = cached_tokens;
                self.stats.queue.record(now.saturating_sub(sequence.arrived));
                self.stats.prompt_tokens += u64::from(sequence.prompt_tokens);
                if self.config.prefix_cache {
                    self.stats.prefix_query_tokens += u64::from(sequence.prompt_tokens);
                    self.stats.prefix_hit_tokens += u64::from(cached_tokens);
                }
            }
            *budget = budget.saturating_sub(tokens);
            items.push(Scheduled { id: sequence.id, tokens, drafts: 0 });
            self.running.push(sequence);
        }
    }

    /// Whether a sequence can be taken beside the running ones: its prompt, the reserved part of its answer and of
    /// theirs, and a margin have to fit.
    fn leaves_room(&self, sequence: &Sequence, holding: &Holding) -> bool {
        let reserve = self.config.reserve;
        let eventual = |sequence: &Sequence| {
            sequence.prompt_tokens + sequence.produced + (f64::from(sequence.remaining()) * reserve).ceil() as u32
        };
        let theirs: u64 =
            self.running.iter().map(|running| self.pool.blocks_missing(&running.holding, eventual(running))).sum();
        let margin = (self.pool.total_blocks() as f64 * ADMISSION_MARGIN) as u64;
        theirs + self.pool.blocks_missing(holding, eventual(sequence)) + margin <= self.pool.obtainable_blocks()
    }

    fn put_longest_prefix_first(&mut self) {
        if !self.config.longest_prefix_first {
            return;
        }
        let depth = self.waiting.len().min(PREFIX_SEARCH_DEPTH);
        // The first of equals, so that without any cached prefix the order of arrival stays.
        let best =
            (0..depth).max_by_key(|at| (self.pool.cached_pieces(&self.waiting[*at].pieces), std::cmp::Reverse(*at)));
        if let Some(sequence) = best.filter(|at| *at > 0).and_then(|at| self.waiting.remove(at)) {
            self.waiting.push_front(sequence);
        }
    }

    fn work(&self, items: &[Scheduled]) -> StepWork {
        let mut work = StepWork::default();
        let mut sequences = self.running.iter();
        for item in items {
            // Items are in the order of the running sequences, so one pass over both is enough.
            let Some(sequence) = sequences.find(|sequence| sequence.id == item.id) else { continue };
            let (tokens, context) = (f64::from(item.tokens + item.drafts), f64::from(sequence.computed));
            work.sequences += 1.0;
            work.blocks += self.pool.blocks_of(&sequence.holding) as f64;
            if sequence.decodes() {
                work.decode_tokens += tokens;
                // What is read from memory is whole blocks, filled or not.
                let block = f64::from(self.config.block_tokens);
                work.decode_context_tokens += ((context + 1.0) / block).ceil() * block;
            } else {
                work.prefill_tokens += tokens;
                work.prefill_pairs += tokens * (context + tokens / 2.0);
            }
        }
        work
    }

    fn drop_finished(&mut self, now: Duration) {
        let (pool, stats) = (&mut self.pool, &mut self.stats);
        for sequence in self.running.extract_if(.., |sequence| sequence.remaining() == 0) {
            pool.release(sequence.holding);
            match sequence.reason {
                FinishReason::Stop => stats.finished_stop += 1,
                FinishReason::Length => stats.finished_length += 1,
            }
            stats.e2e.record(now.saturating_sub(sequence.arrived));
            if let (Some(first), true) = (sequence.first_token, sequence.produced > 1) {
                stats.tpot.record(now.saturating_sub(first) / (sequence.produced - 1));
            }
        }
    }

    fn drop_cancelled(&mut self) {
        for sequence in self.running.extract_if(.., |sequence| sequence.cancelled) {
            self.pool.release(sequence.holding);
            self.stats.aborted += 1;
        }
    }
}

fn accepted_drafts(random: &mut Random, drafts: u32) -> u32 {
    (0..drafts).take_while(|_| random.unit() < DRAFT_ACCEPTANCE).count() as u32
}
