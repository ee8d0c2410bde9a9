//! What an engine and its GPUs said of themselves while a measurement ran.
//!
//! Everything is optional: engines differ in what they count, and a figure that was not read is absent, never 0.

use serde::{Deserialize, Serialize};

use crate::report::figure;

/// A mean over counted values, as a histogram's sum and count give it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct MeanOf {
    /// The mean, ms.
    pub mean_ms: f64,
    /// Over how many values.
    pub n: u64,
}

/// The mean and the largest of what was read during a measurement.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Level {
    /// Mean of the readings.
    pub mean: f64,
    /// Largest reading.
    pub max: f64,
}

impl Level {
    /// The level of some readings; `None` where there are none.
    pub fn of(readings: impl IntoIterator<Item = f64>) -> Option<Self> {
        let (mut n, mut sum, mut max) = (0u32, 0.0, f64::NEG_INFINITY);
        for reading in readings {
            (n, sum, max) = (n + 1, sum + reading, f64::max(max, reading));
        }
        (n > 0).then(|| Level { mean: sum / f64::from(n), max })
    }
}

/// The GPUs of the machine while a measurement ran, all of them together.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct GpuTelemetry {
    /// GPUs that were read.
    pub count: u32,
    /// Power of all of them, W.
    pub power_w: Option<Level>,
    /// Memory in use on all of them, GB (10^9 bytes).
    pub memory_used_gb: Option<Level>,
    /// Mean utilisation over them, in [0, 1].
    pub utilization: Option<Level>,
    /// Energy from the first to the last reading, J.
    pub energy_j: Option<f64>,
    /// Output tokens for each joule.
    pub tokens_per_joule: Option<f64>,
}

/// One reading, for drawing.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct TelemetryPoint {
    /// Seconds since the first reading.
    pub t_s: f64,
    /// Requests that the engine works on.
    pub running: Option<f64>,
    /// Requests that wait in the engine.
    pub waiting: Option<f64>,
    /// Share of the KV cache in use, in [0, 1].
    pub kv_usage: Option<f64>,
    /// Power of all GPUs, W.
    pub gpu_power_w: Option<f64>,
    /// Mean utilisation of the GPUs, in [0, 1].
    pub gpu_utilization: Option<f64>,
}

/// What was read from an engine's counters and from its GPUs: before the first request, every few seconds, and after the
/// last answer. Counts are of the measurement alone.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct TelemetrySummary {
    /// Readings of the engine's counters that succeeded.
    pub readings: u32,
    /// Readings that failed.
    pub failed_readings: u32,
    /// The first thing that went wrong, for people.
    pub problem: Option<String>,
    /// Time to first token by the engine's own clock.
    pub engine_ttft: Option<MeanOf>,
    /// Time in the engine's queue.
    pub queue: Option<MeanOf>,
    /// Time in the engine before its queue.
    pub pre_scheduler: Option<MeanOf>,
    /// Requests that the engine worked on, by the readings while the load was on.
    pub running: Option<Level>,
    /// Requests that waited, by the same readings.
    pub waiting: Option<Level>,
    /// Share of the KV cache in use, in [0, 1], by the same readings.
    pub kv_usage: Option<Level>,
    /// Tokens that the KV cache holds.
    pub kv_cache_tokens: Option<f64>,
    /// Prompt tokens by the engine's count, cached ones included.
    pub prompt_tokens: Option<f64>,
    /// Those of them that came from the prefix cache.
    pub cached_tokens: Option<f64>,
    /// Requests that lost their place and were computed again.
    pub preemptions: Option<u64>,
    /// Mean tokens for each verification of speculative decoding, the model's own included.
    pub accept_length: Option<f64>,
    /// Share of draft tokens that were accepted, in [0, 1].
    pub acceptance_rate: Option<f64>,
    /// Draft steps of speculative decoding.
    pub draft_steps: Option<f64>,
    /// Draft tokens for each verification.
    pub draft_tokens: Option<f64>,
    /// Weights on a GPU, GB.
    pub weight_memory_gb: Option<f64>,
    /// The GPUs; `None` where there are none or none were asked for.
    pub gpu: Option<GpuTelemetry>,
    /// Every reading, in order.
    pub series: Vec<TelemetryPoint>,
}

impl TelemetrySummary {
    /// Share of the prompt tokens that came from the prefix cache, in [0, 1].
    pub fn prefix_cache_hit_rate(&self) -> Option<f64> {
        let (cached, all) = (self.cached_tokens?, self.prompt_tokens.filter(|tokens| *tokens > 0.0)?);
        Some((cached / all).clamp(0.0, 1.0))
    }

    /// Every figure under its name with its unit, for people; `None` for what was not measured.
    pub fn facts(&self) -> Vec<(&'static str, Option<String>)> {
        let mean = |of: Option<MeanOf>| of.map(|of| format!("{} ms (n = {})", figure(of.mean_ms), of.n));
        let number = |value: Option<f64>| value.map(figure);
        let percent = |share: Option<f64>| share.map(|share| format!("{} %", figure(share * 100.0)));
        let level = |level: Option<Level>, factor: f64| {
            let level = level?;
            let (mean, max) = (figure(level.mean * factor), figure(level.max * factor));
            Some(format!("{mean} on average, {max} at most"))
        };
        let gpu = self.gpu.clone().unwrap_or_default();
        vec![
            ("TTFT by the engine's clock", mean(self.engine_ttft)),
            ("Queue time", mean(self.queue)),
            ("Before the scheduler", mean(self.pre_scheduler)),
            ("Running requests", level(self.running, 1.0)),
            ("Waiting requests", level(self.waiting, 1.0)),
            ("KV cache in use, %", level(self.kv_usage, 100.0)),
            ("KV cache, tokens", number(self.kv_cache_tokens)),
            ("Prefix-cache hits", percent(self.prefix_cache_hit_rate())),
            ("Preemptions", number(self.preemptions.map(|count| count as f64))),
            ("Accept length, tokens", number(self.accept_length)),
            ("Draft tokens accepted", percent(self.acceptance_rate)),
            ("GPU power, W", level(gpu.power_w, 1.0)),
            ("GPU memory, GB", level(gpu.memory_used_gb, 1.0)),
            ("GPU utilisation, %", level(gpu.utilization, 100.0)),
            ("Output tokens per joule", number(gpu.tokens_per_joule)),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_read_is_nothing_and_not_zero() {
        assert_eq!(Level::of([]), None);
        assert_eq!(Level::of([1.0, 4.0]), Some(Level { mean: 2.5, max: 4.0 }));
        let mut summary = TelemetrySummary::default();
        assert_eq!(summary.prefix_cache_hit_rate(), None);
        (summary.prompt_tokens, summary.cached_tokens) = (Some(0.0), Some(0.0));
        assert_eq!(summary.prefix_cache_hit_rate(), None);
        (summary.prompt_tokens, summary.cached_tokens) = (Some(200.0), Some(50.0));
        assert_eq!(summary.prefix_cache_hit_rate(), Some(0.25));
    }

    #[test]
    fn facts_have_units_and_what_is_absent_is_said() {
        let summary = TelemetrySummary {
            queue: Some(MeanOf { mean_ms: 12.5, n: 80 }),
            kv_usage: Level::of([0.25, 0.75]),
            preemptions: Some(0),
            gpu: Some(GpuTelemetry { power_w: Level::of([400.0]), ..GpuTelemetry::default() }),
            ..TelemetrySummary::default()
        };
        let of = |name: &str| summary.facts().into_iter().find(|fact| fact.0 == name).unwrap().1;
        assert_eq!(of("Queue time").as_deref(), Some("12.5 ms (n = 80)"));
        assert_eq!(of("KV cache in use, %").as_deref(), Some("50.0 on average, 75.0 at most"));
        assert_eq!(of("GPU power, W").as_deref(), Some("400 on average, 400 at most"));
        assert_eq!(of("Preemptions").as_deref(), Some("0"));
        assert_eq!(of("Accept length, tokens"), None);
        assert!(TelemetrySummary::default().facts().iter().all(|fact| fact.1.is_none()));
    }

    #[test]
    fn a_summary_of_another_version_can_be_read() {
        let read: TelemetrySummary = serde_json::from_str(r#"{"readings": 2, "newer": {"a": 1}}"#).unwrap();
        assert_eq!(read, TelemetrySummary { readings: 2, ..TelemetrySummary::default() });
    }
}
