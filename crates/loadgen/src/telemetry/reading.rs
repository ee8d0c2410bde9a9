//! One reading of an engine's metrics, and what two of them say together.

use podium_domain::telemetry::MeanOf;

use super::names::{Cached, Fold, KvTokens, Metric, Names, Places};
use super::prometheus::Sample;

/// A histogram's sum, in seconds, and count.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct Times {
    pub sum_s: f64,
    pub count: f64,
}

/// The figures of one scrape; counters since the engine's start.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Reading {
    pub running: Option<f64>,
    pub waiting: Option<f64>,
    pub kv_usage: Option<f64>,
    pub kv_tokens: Option<f64>,
    pub preemptions: Option<f64>,
    /// Cached ones included.
    pub prompt_tokens: Option<f64>,
    pub cached_tokens: Option<f64>,
    pub drafts: Option<f64>,
    pub draft_tokens: Option<f64>,
    pub accepted_tokens: Option<f64>,
    pub accept_length: Option<f64>,
    pub accept_rate: Option<f64>,
    pub draft_steps: Option<f64>,
    pub draft_width: Option<f64>,
    pub weight_gb: Option<f64>,
    pub ttft: Option<Times>,
    pub queue: Option<Times>,
    pub pre_scheduler: Option<Times>,
}

impl Reading {
    /// Takes what `names` knows out of an exposition.
    pub fn of(samples: &[Sample], names: &Names) -> Self {
        let value = |places: Places| places.iter().find_map(|metric| fold(samples, metric, ""));
        let times = |places: Places| {
            places.iter().find_map(|metric| {
                Some(Times { sum_s: fold(samples, metric, "_sum")?, count: fold(samples, metric, "_count")? })
            })
        };
        let cached_tokens = names.cached_tokens.iter().find_map(|cached| match cached {
            Cached::Counter(metric) => fold(samples, metric, ""),
            Cached::Difference(all, computed) => Some(fold(samples, all, "")? - fold(samples, computed, "")?),
        });
        let prompt_tokens = match (value(names.prompt_tokens), names.prompt_tokens_are_uncached) {
            (Some(computed), true) => cached_tokens.map(|cached| computed + cached),
            (all, _) => all,
        };
        Reading {
            running: value(names.running),
            waiting: value(names.waiting),
            kv_usage: value(names.kv_usage),
            kv_tokens: kv_tokens(samples, names.kv_tokens),
            preemptions: value(names.preemptions),
            prompt_tokens,
            cached_tokens,
            drafts: value(names.drafts),
            draft_tokens: value(names.draft_tokens),
            accepted_tokens: value(names.accepted_tokens),
            accept_length: value(names.accept_length),
            accept_rate: value(names.accept_rate),
            draft_steps: value(names.draft_steps),
            draft_width: value(names.draft_width),
            weight_gb: value(names.weight_gb),
            ttft: times(names.ttft),
            queue: times(names.queue),
            pre_scheduler: times(names.pre_scheduler),
        }
    }
}

/// The series of one metric as one figure; `None` where there is no series or none with a finite value.
fn fold(samples: &[Sample], metric: &Metric, suffix: &str) -> Option<f64> {
    let is_it = |sample: &&Sample| {
        sample.name.strip_prefix(metric.name) == Some(suffix)
            && metric.only.is_none_or(|(label, value)| sample.label(label) == Some(value))
            && sample.value.is_finite()
    };
    let values = samples.iter().filter(is_it).map(|sample| sample.value);
    match metric.fold {
        Fold::Sum => values.reduce(|a, b| a + b),
        Fold::Max => values.reduce(f64::max),
    }
}

fn kv_tokens(samples: &[Sample], kv: KvTokens) -> Option<f64> {
    let tokens = match kv {
        KvTokens::Gauge(metric) => fold(samples, &metric, ""),
        KvTokens::Product(blocks, block_tokens) => {
            Some(fold(samples, &blocks, "")? * fold(samples, &block_tokens, "")?)
        }
        KvTokens::Labels { name, blocks, block_tokens } => samples
            .iter()
            .filter(|sample| sample.name == name)
            .filter_map(|sample| {
                let number = |label| sample.label(label)?.parse::<f64>().ok();
                Some(number(blocks)? * number(block_tokens)?)
            })
            .reduce(|a, b| a + b),
        KvTokens::Unknown => None,
    };
    tokens.filter(|tokens| *tokens > 0.0)
}

/// How far a counter went between two readings. A series that appeared meanwhile began at 0; one that went down belongs
/// to an engine that was started again, and says nothing.
pub(crate) fn increase(before: Option<f64>, after: Option<f64>) -> Option<f64> {
    let grown = after? - before.unwrap_or(0.0);
    (grown >= 0.0).then_some(grown)
}

/// The mean of what a histogram counted between two readings.
pub(crate) fn mean_between(before: Option<Times>, after: Option<Times>) -> Option<MeanOf> {
    let count = increase(before.map(|times| times.count), after.map(|times| times.count))?;
    let sum_s = increase(before.map(|times| times.sum_s), after.map(|times| times.sum_s))?;
    (count >= 1.0).then(|| MeanOf { mean_ms: sum_s * 1e3 / count, n: count as u64 })
}

#[cfg(test)]
mod tests {
    use podium_domain::framework::Framework;

    use super::super::names::names;
    use super::super::prometheus::parse;
    use super::*;

    fn reading(framework: Framework, text: &str) -> Reading {
        Reading::of(&parse(text).unwrap(), names(framework))
    }

    #[test]
    fn series_of_several_engines_are_one_figure() {
        let text = "vllm:num_requests_running{engine=\"0\"} 3\nvllm:num_requests_running{engine=\"1\"} 4\n\
                    vllm:kv_cache_usage_perc{engine=\"0\"} 0.25\nvllm:kv_cache_usage_perc{engine=\"1\"} 0.5\n\
                    vllm:cache_config_info{block_size=\"16\",num_gpu_blocks=\"100\",engine=\"0\"} 1\n\
                    vllm:prompt_tokens_total 78.0\nvllm:prompt_tokens_cached_total 6\nvllm:prefix_cache_hits_total 7\n\
                    vllm:time_to_first_token_seconds_sum 0.5\nvllm:time_to_first_token_seconds_count 10\n\
                    vllm:time_to_first_token_seconds_bucket{le=\"+Inf\"} 10\n";
        let read = reading(Framework::Vllm, text);
        assert_eq!((read.running, read.waiting), (Some(7.0), None));
        assert_eq!((read.kv_usage, read.kv_tokens), (Some(0.5), Some(1600.0)));
        assert_eq!((read.prompt_tokens, read.cached_tokens), (Some(78.0), Some(6.0)));
        assert_eq!(read.ttft, Some(Times { sum_s: 0.5, count: 10.0 }));
    }

    #[test]
    fn cached_tokens_are_told_each_framework_s_way() {
        let sglang = "sglang:prompt_tokens_total 100\nsglang:prompt_tokens_histogram_sum 100\n\
                      sglang:uncached_prompt_tokens_histogram_sum 60\n\
                      sglang:per_stage_req_latency_seconds_sum{stage=\"request_process\"} 0.02\n\
                      sglang:per_stage_req_latency_seconds_count{stage=\"request_process\"} 10\n\
                      sglang:per_stage_req_latency_seconds_sum{stage=\"prefill_forward\"} 9\n\
                      sglang:per_stage_req_latency_seconds_count{stage=\"prefill_forward\"} 10\n";
        let read = reading(Framework::Sglang, sglang);
        assert_eq!((read.prompt_tokens, read.cached_tokens), (Some(100.0), Some(40.0)));
        assert_eq!(read.pre_scheduler, Some(Times { sum_s: 0.02, count: 10.0 }));
        let llama = "llamacpp:prompt_tokens_total 60\nllamacpp:prompt_tokens_cached_total 40\n";
        assert_eq!(reading(Framework::LlamaCpp, llama).prompt_tokens, Some(100.0));
        let trtllm = "trtllm_kv_cache_max_blocks 10\ntrtllm_kv_cache_tokens_per_block 32\n";
        assert_eq!(reading(Framework::TensorrtLlm, trtllm).kv_tokens, Some(320.0));
    }

    #[test]
    fn counters_count_from_the_first_reading() {
        assert_eq!(increase(Some(3.0), Some(5.0)), Some(2.0));
        assert_eq!(increase(None, Some(5.0)), Some(5.0));
        assert_eq!(increase(Some(5.0), Some(1.0)), None, "the engine was started again");
        assert_eq!(increase(Some(5.0), None), None);
        let times = |sum_s, count| Some(Times { sum_s, count });
        assert_eq!(mean_between(times(1.0, 10.0), times(2.0, 30.0)), Some(MeanOf { mean_ms: 50.0, n: 20 }));
        assert_eq!(mean_between(times(1.0, 10.0), times(1.0, 10.0)), None);
    }
}
