//! Serving a list of arrivals on the virtual clock.

use std::time::Duration;

use super::config::EngineConfig;
use super::memory::{self, LaunchFailure};
use super::random::Random;
use super::schedule::{Crash, Engine};
use super::sequence::{NewRequest, RequestId};
use super::stats::Stats;
use crate::openai::Prompt;

/// One request of a replay.
#[derive(Debug, Clone, Default)]
pub struct Arrival {
    /// When it arrives.
    pub at: Duration,
    /// What it asks.
    pub request: NewRequest,
}

/// What became of one request.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Outcome {
    /// When it arrived.
    pub arrived: Duration,
    /// When its first token came; `None` when it was refused or the engine died before.
    pub first_token: Option<Duration>,
    /// When its last token came.
    pub done: Option<Duration>,
    /// Output tokens.
    pub tokens: u32,
}

impl Outcome {
    /// Time to first token, in milliseconds.
    pub fn ttft_ms(&self) -> Option<f64> {
        self.first_token.map(|at| (at - self.arrived).as_secs_f64() * 1e3)
    }

    /// Time per output token after the first, in milliseconds; only of finished answers of more than one token.
    pub fn tpot_ms(&self) -> Option<f64> {
        match (self.first_token, self.done) {
            (Some(first), Some(done)) if self.tokens > 1 => {
                Some((done - first).as_secs_f64() * 1e3 / f64::from(self.tokens - 1))
            }
            _ => None,
        }
    }
}

/// What became of all of them.
#[derive(Debug, Clone, PartialEq)]
pub struct Replay {
    /// One for each arrival, in their order.
    pub outcomes: Vec<Outcome>,
    /// The engine's counters at the end.
    pub stats: Stats,
    /// Set when the engine died under the load.
    pub crash: Option<Crash>,
    /// When the last token came.
    pub ended: Duration,
}

impl Replay {
    /// Finished requests per second, from 0 to the last token.
    pub fn request_rate_rps(&self) -> f64 {
        self.goodput_rps(f64::INFINITY, f64::INFINITY)
    }

    /// Finished requests per second that kept both limits.
    pub fn goodput_rps(&self, max_ttft_ms: f64, max_tpot_ms: f64) -> f64 {
        let good = self.outcomes.iter().filter(|outcome| {
            outcome.done.is_some()
                && outcome.ttft_ms().is_some_and(|ttft| ttft <= max_ttft_ms)
                && outcome.tpot_ms().is_none_or(|tpot| tpot <= max_tpot_ms)
        });
        let seconds = self.ended.as_secs_f64();
        if seconds > 0.0 { good.count() as f64 / seconds } else { 0.0 }
    }

    /// Mean time per output token, in milliseconds.
    pub fn mean_tpot_ms(&self) -> f64 {
        let values: Vec<_> = self.outcomes.iter().filter_map(Outcome::tpot_ms).collect();
        values.iter().sum::<f64>() / values.len().max(1) as f64
    }

    /// Mean time to first token, in milliseconds.
    pub fn mean_ttft_ms(&self) -> f64 {
        let values: Vec<_> = self.outcomes.iter().filter_map(Outcome::ttft_ms).collect();
        values.iter().sum::<f64>() / values.len().max(1) as f64
    }
}

/// Requests of equal size whose prompts share nothing, at random times of a fixed mean rate (or all at 0 when the rate
/// is infinite).
pub fn steady_arrivals(count: u32, rate_rps: f64, prompt_tokens: u32, output_tokens: u32, seed: u64) -> Vec<Arrival> {
    let mut random = Random::new(seed);
    let mut at = 0.0;
    (0..count)
        .map(|index| {
            if rate_rps.is_finite() {
                at += -(1.0 - random.unit()).ln() / rate_rps;
            }
            Arrival {
                at: Duration::from_secs_f64(at),
                request: NewRequest {
                    prompt: Prompt { ids: (0..prompt_tokens).map(|n| index.wrapping_mul(1_000_003) ^ n).collect() },
                    max_tokens: Some(output_tokens),
                    ignore_eos: true,
                    ..NewRequest::default()
                },
            }
        })
        .collect()
}

/// Launches an engine and serves the arrivals, which are in order of time. Requests that the engine refuses have no
/// tokens in their outcome.
///
/// # Errors
/// When the engine would not come up.
pub fn replay(config: &EngineConfig, arrivals: &[Arrival]) -> Result<Replay, LaunchFailure> {
    let mut engine = Engine::new(config.clone(), memory::plan(config)?);
    let mut outcomes: Vec<_> = arrivals
        .iter()
        .map(|arrival| Outcome { arrived: arrival.at, first_token: None, done: None, tokens: 0 })
        .collect();
    // Ids are given in order to the accepted ones, so this maps them back.
    let mut index_of: Vec<usize> = Vec::with_capacity(arrivals.len());
    let (mut now, mut next, mut crash) = (Duration::ZERO, 0, None);
    loop {
        while let Some(arrival) = arrivals.get(next).filter(|arrival| arrival.at <= now) {
            if engine.submit(arrival.at, &arrival.request).is_ok() {
                index_of.push(next);
            }
            next += 1;
        }
        match engine.start_step(now) {
            Ok(Some(ends_at)) => now = ends_at,
            Ok(None) => match arrivals.get(next) {
                Some(arrival) => {
                    now = arrival.at;
                    continue;
                }
                None => break,
            },
            Err(died) => {
                crash = Some(died);
                break;
            }
        }
        for emission in engine.finish_step() {
            let RequestId(id) = emission.id;
            let Some(outcome) = index_of.get(id as usize).and_then(|index| outcomes.get_mut(*index)) else { continue };
            outcome.first_token.get_or_insert(now);
            outcome.tokens += emission.tokens;
            if emission.finish.is_some() {
                outcome.done = Some(now);
            }
        }
    }
    Ok(Replay { outcomes, stats: engine.stats(), crash, ended: now })
}
