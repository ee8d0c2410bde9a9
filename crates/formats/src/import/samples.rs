//! Per-request data of a file: what can be computed again from them, and what they say about the client.

use podium_domain::row::ResultRow;
use podium_domain::validity::{Reason, Validity};
use serde_json::{Map, Value};

use super::document::{lengths, number, numbers_at, p50_mean_p99};

/// One request.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Sample {
    pub(super) failed: bool,
    pub(super) input_tokens: Option<f64>,
    pub(super) output_tokens: Option<f64>,
    /// From the sending to the first event, seconds.
    pub(super) ttft_s: Option<f64>,
    /// From the first event to the last one, seconds.
    pub(super) decode_s: Option<f64>,
    /// Gaps between events, seconds.
    pub(super) gaps_s: Vec<f64>,
    /// How long the request waited in the client before it was sent, seconds.
    pub(super) queued_s: Option<f64>,
}

impl Sample {
    /// Time per output token after the first, ms; undefined for one token.
    pub(super) fn tpot_ms(&self) -> Option<f64> {
        let after_first = self.output_tokens? - 1.0;
        (after_first > 0.0).then_some(self.decode_s? / after_first * 1e3)
    }

    fn e2e_s(&self) -> Option<f64> {
        Some(self.ttft_s? + self.decode_s.unwrap_or(0.0))
    }

    /// Whether all tokens were read at once: the first one late, the others with no time between them.
    fn came_at_once(&self) -> Option<bool> {
        let tokens = self.output_tokens.filter(|tokens| *tokens >= AT_ONCE_MIN_TOKENS)?;
        Some(at_once(self.ttft_s? * 1e3, self.decode_s? * 1e3, tokens))
    }
}

/// Fewer tokens than this say nothing about the time between them.
const AT_ONCE_MIN_TOKENS: f64 = 4.0;
/// No engine decodes a token of one stream faster than this, ms.
const AT_ONCE_TPOT_MS: f64 = 0.1;
/// Tokens that come within this share of the TTFT came with the first one.
const AT_ONCE_SHARE: f64 = 0.05;
/// From this share of requests on the measurement says nothing.
const INVALID_SHARE: f64 = 0.5;
/// From this share on it is doubtful.
const DOUBTFUL_SHARE: f64 = 0.1;

fn at_once(ttft_ms: f64, decode_ms: f64, tokens: f64) -> bool {
    decode_ms / (tokens - 1.0) < AT_ONCE_TPOT_MS && decode_ms < AT_ONCE_SHARE * ttft_ms
}

/// The requests of a client of vLLM's family; empty where the file has only summaries.
pub(super) fn of_client(document: &Map<String, Value>) -> Vec<Sample> {
    let Some(ttfts) = numbers_at(document, "ttfts") else { return Vec::new() };
    let list = |key: &str| numbers_at(document, key).unwrap_or_default();
    let at = |list: &[Option<f64>], index: usize| list.get(index).copied().flatten();
    let (inputs, outputs, queued) = (list("input_lens"), list("output_lens"), list("queue_times"));
    let ends = [list("latencies"), list("e2els")].concat();
    let itls = document.get("itls").and_then(Value::as_array);
    let errors = document.get("errors").and_then(Value::as_array);
    let sample = |(index, ttft_s): (usize, &Option<f64>)| {
        let gaps: Option<Vec<f64>> =
            itls.and_then(|itls| itls.get(index)?.as_array().map(|gaps| gaps.iter().filter_map(number).collect()));
        let gaps_s = gaps.unwrap_or_default();
        let decode_s = match (gaps_s.is_empty(), at(&ends, index), ttft_s) {
            (false, _, _) => Some(gaps_s.iter().sum()),
            (true, Some(end), Some(ttft)) if end >= *ttft => Some(end - ttft),
            _ => None,
        };
        let error = errors.and_then(|errors| errors.get(index));
        Sample {
            failed: error.is_some_and(|error| error.as_str().is_none_or(|text| !text.is_empty()) && !error.is_null()),
            input_tokens: at(&inputs, index),
            output_tokens: at(&outputs, index),
            ttft_s: *ttft_s,
            decode_s,
            gaps_s,
            queued_s: at(&queued, index),
        }
    };
    ttfts.iter().enumerate().map(sample).collect()
}

/// Computes the figures of `row` again from `samples`, by our definitions, and judges the client. `duration_s` is the
/// measurement's. Gives back the names of what was computed.
pub(super) fn recompute(row: &mut ResultRow, samples: &[Sample], duration_s: Option<f64>) -> Vec<String> {
    if samples.is_empty() {
        return Vec::new();
    }
    let mut done = Vec::new();
    let ok: Vec<&Sample> = samples.iter().filter(|sample| !sample.failed).collect();
    let ms = |seconds: f64| seconds * 1e3;
    let metrics = &mut row.metrics;
    let mut set = |name: &str, [p50, mean, p99]: [Option<f64>; 3], places: [&mut Option<f64>; 3]| {
        if p50.is_some() {
            for (place, value) in places.into_iter().zip([p50, mean, p99]) {
                *place = value;
            }
            done.push(name.to_owned());
        }
    };
    set(
        "ttft",
        p50_mean_p99(ok.iter().filter_map(|sample| sample.ttft_s).map(ms)),
        [&mut metrics.p50_ttft_ms, &mut metrics.mean_ttft_ms, &mut metrics.p99_ttft_ms],
    );
    set(
        "tpot",
        p50_mean_p99(ok.iter().filter_map(|sample| sample.tpot_ms())),
        [&mut metrics.p50_tpot_ms, &mut metrics.mean_tpot_ms, &mut metrics.p99_tpot_ms],
    );
    set(
        "e2e",
        p50_mean_p99(ok.iter().filter_map(|sample| sample.e2e_s()).map(ms)),
        [&mut metrics.p50_e2e_ms, &mut metrics.mean_e2e_ms, &mut metrics.p99_e2e_ms],
    );
    metrics.success_rate = Some(ok.len() as f64 / samples.len() as f64);
    done.push("success rate".to_owned());
    if let Some(duration_s) = duration_s.filter(|seconds| *seconds > 0.0) {
        let total = |tokens: fn(&Sample) -> Option<f64>| ok.iter().map(|sample| tokens(sample)).sum::<Option<f64>>();
        metrics.request_throughput = Some(ok.len() as f64 / duration_s);
        let output = total(|sample| sample.output_tokens);
        let input = total(|sample| sample.input_tokens);
        metrics.output_token_throughput = output.map(|n| n / duration_s).or(metrics.output_token_throughput);
        let both = output.zip(input).map(|(output, input)| (output + input) / duration_s);
        metrics.total_token_throughput = both.or(metrics.total_token_throughput);
        done.push("throughput".to_owned());
    }
    let [p50, mean, p99] = p50_mean_p99(ok.iter().flat_map(|sample| &sample.gaps_s).copied().map(ms));
    for (key, value) in [("p50_chunk_gap_ms", p50), ("mean_chunk_gap_ms", mean), ("p99_chunk_gap_ms", p99)] {
        metrics.extra.extend(value.map(|value| (key.to_owned(), value.into())));
    }
    let workload = &mut row.workload;
    workload.num_prompts = Some(samples.len() as u64);
    (workload.input_len, workload.input_len_p50, workload.input_len_p95) =
        lengths(ok.iter().filter_map(|sample| sample.input_tokens));
    (workload.output_len, workload.output_len_p50, workload.output_len_p95) =
        lengths(ok.iter().filter_map(|sample| sample.output_tokens));
    let user_ttft = ok.iter().filter_map(|sample| Some((sample.ttft_s? + sample.queued_s?) * 1e3));
    let [p50_user_ttft_ms, ..] = p50_mean_p99(user_ttft);
    if let Some(podium) = &mut row.podium {
        podium.p50_user_ttft_ms = p50_user_ttft_ms;
        done.extend(p50_user_ttft_ms.map(|_| "user ttft".to_owned()));
    }
    done
}

/// What the requests say about the client; `None` where they cannot say anything.
pub(super) fn verdict(samples: &[Sample]) -> Option<Validity> {
    let known: Vec<bool> = samples.iter().filter(|s| !s.failed).filter_map(Sample::came_at_once).collect();
    let hit = known.iter().filter(|at_once| **at_once).count();
    let share = hit as f64 / known.len().max(1) as f64;
    let [gap_ms, ..] = p50_mean_p99(samples.iter().flat_map(|sample| &sample.gaps_s).map(|gap| gap * 1e3));
    let gap = gap_ms.map(|gap| format!(" (median gap {gap:.3} ms, TTFT equal to E2E)")).unwrap_or_default();
    let seen = format!("in {hit} of {} requests all tokens were read at once{gap}", known.len());
    judge(share, &seen)
}

/// The same from summaries alone: medians in ms, and mean output tokens.
pub(super) fn verdict_of_summary(ttft_ms: Option<f64>, tpot_ms: Option<f64>, tokens: Option<f64>) -> Option<Validity> {
    let (ttft_ms, tpot_ms) = (ttft_ms?, tpot_ms?);
    let tokens = tokens.filter(|tokens| *tokens >= AT_ONCE_MIN_TOKENS)?;
    let hit = at_once(ttft_ms, tpot_ms * (tokens - 1.0), tokens);
    let seen = format!("all tokens were read at once (median TPOT {tpot_ms:.3} ms after a TTFT of {ttft_ms:.1} ms)");
    judge(if hit { 1.0 } else { 0.0 }, &seen)
}

fn judge(share: f64, seen: &str) -> Option<Validity> {
    let reason = || {
        let text = format!(
            "client-limited: {seen}: the client was not scheduled while the server answered, or the answer was not \
             streamed"
        );
        vec![Reason { code: "client_limited".to_owned(), text }]
    };
    if share >= INVALID_SHARE {
        Some(Validity::Invalid(reason()))
    } else if share >= DOUBTFUL_SHARE {
        Some(Validity::Doubtful(reason()))
    } else {
        None
    }
}
