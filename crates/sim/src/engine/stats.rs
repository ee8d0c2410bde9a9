//! Counters that the servers show under `/metrics`.

use std::time::Duration;

/// Upper bounds of the buckets of every time histogram, in seconds.
pub const TIME_BOUNDS_S: [f64; 18] =
    [0.001, 0.002, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 10.0, 20.0, 40.0];

/// A histogram of times.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Histogram {
    /// Values in each bucket of [`TIME_BOUNDS_S`] (not cumulative); larger ones are in `count` only.
    pub buckets: [u64; TIME_BOUNDS_S.len()],
    /// All values.
    pub count: u64,
    /// Their sum, in seconds.
    pub sum_s: f64,
}

impl Histogram {
    /// Adds a value.
    pub fn record(&mut self, value: Duration) {
        let seconds = value.as_secs_f64();
        if let Some(bucket) = TIME_BOUNDS_S.iter().position(|bound| seconds <= *bound) {
            self.buckets[bucket] += 1;
        }
        self.count += 1;
        self.sum_s += seconds;
    }
}

/// What an engine counted since it started, and its state now.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Stats {
    /// Sequences in progress.
    pub running: usize,
    /// Requests that wait.
    pub waiting: usize,
    /// KV blocks held by sequences.
    pub kv_used_blocks: u64,
    /// All KV blocks.
    pub kv_total_blocks: u64,
    /// Tokens in a block.
    pub block_tokens: u32,
    /// Sequences that lost their blocks and were computed again.
    pub preemptions: u64,
    /// Prompt tokens looked up in the prefix cache.
    pub prefix_query_tokens: u64,
    /// Prompt tokens found there.
    pub prefix_hit_tokens: u64,
    /// Prompt tokens of the requests that were taken.
    pub prompt_tokens: u64,
    /// Output tokens.
    pub generation_tokens: u64,
    /// Requests that ended with a stop.
    pub finished_stop: u64,
    /// Requests that ended at a limit.
    pub finished_length: u64,
    /// Requests whose client went away.
    pub aborted: u64,
    /// Steps run.
    pub steps: u64,
    /// Time spent in steps, in seconds.
    pub busy_s: f64,
    /// Drafts proposed.
    pub draft_tokens: u64,
    /// Drafts accepted.
    pub accepted_tokens: u64,
    /// Verification passes of speculative decoding.
    pub draft_passes: u64,
    /// From arrival to first token.
    pub ttft: Histogram,
    /// From arrival at the front end to that in the engine; empty where there is no front end.
    pub pre_scheduler: Histogram,
    /// From arrival to the first step.
    pub queue: Histogram,
    /// Time per output token after the first, one value a request.
    pub tpot: Histogram,
    /// From arrival to the end.
    pub e2e: Histogram,
}

impl Stats {
    /// The part of the KV cache that is in use.
    pub fn kv_usage(&self) -> f64 {
        if self.kv_total_blocks == 0 { 0.0 } else { self.kv_used_blocks as f64 / self.kv_total_blocks as f64 }
    }

    /// The part of the looked-up prompt tokens that was cached; `None` before the first look.
    pub fn prefix_hit_rate(&self) -> Option<f64> {
        (self.prefix_query_tokens > 0).then(|| self.prefix_hit_tokens as f64 / self.prefix_query_tokens as f64)
    }
}
