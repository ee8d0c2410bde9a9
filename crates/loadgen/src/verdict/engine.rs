//! What the engine's own counters say about a measurement.

use podium_domain::telemetry::{MeanOf, TelemetrySummary};

use super::{Evidence, Findings, shortest_latency_ms};
use crate::sample::RequestSample;

/// Cached share of fresh prompts from which on the cache is doubted, and from which on it decides.
const CACHED_SHARE: (f64, f64) = (0.10, 0.50);
/// Preempted requests, as a share of the answers, from which on they shape the figures.
const PREEMPTED_SHARE: f64 = 0.05;
/// A difference between the client's and the engine's mean TTFT has to be this large to be doubted, in ms and as a share
/// of the client's. Parsing a request takes some milliseconds in any engine.
const TTFT_DIFFERENCE: (f64, f64) = (10.0, 0.25);
/// Share of a difference that requests on new connections have to explain to be its cause.
const EXPLAINED_SHARE: f64 = 0.8;
/// Median time to connect from which on a server is slow to accept, ms, and as a share of the latency.
const SLOW_CONNECT: (f64, f64) = (10.0, 0.2);
/// Share of the requests that have to open a connection for that to matter.
const CONNECTING_SHARE: f64 = 0.1;
/// Counts of requests may differ by this share between client and engine (a request of someone else, a late count).
const SAME_REQUESTS_SHARE: f64 = 0.02;

/// What the engine said, and every request that it was asked.
#[derive(Debug, Clone, Copy)]
pub(crate) struct EngineView<'a> {
    pub telemetry: &'a TelemetrySummary,
    /// All requests of the measurement: the engine counts those at its ends, too.
    pub samples: &'a [RequestSample],
}

/// Everything that the engine may have done otherwise than asked.
pub(super) fn judge(evidence: &Evidence<'_>, findings: &mut Findings) {
    cache(evidence, findings);
    let slow_to_connect = slow_connect(evidence, findings);
    let Some(engine) = evidence.engine else { return };
    preemptions(evidence, engine.telemetry, findings);
    if !slow_to_connect {
        ttft(engine, findings);
    }
}

/// Whether a prefix cache answered instead of the model.
fn cache(evidence: &Evidence<'_>, findings: &mut Findings) {
    let summary = evidence.summary;
    let by_usage = match (summary.cached_input_tokens, summary.input_tokens.filter(|tokens| *tokens > 0)) {
        (Some(cached), Some(input)) => Some(cached as f64 / input as f64),
        _ => None,
    };
    let by_engine = || evidence.engine?.telemetry.prefix_cache_hit_rate();
    let Some(share) = by_usage.or_else(by_engine) else { return };
    let text = format!("{:.0} % of the prompt tokens came from the server's prefix cache", share * 100.0);
    if !evidence.asked.fresh_prompts {
        if share > CACHED_SHARE.0 {
            findings.note("cached_prefix", text);
        }
    } else if share > CACHED_SHARE.1 {
        findings.invalid("cached_prefix", text + ", though every prompt is new");
    } else if share > CACHED_SHARE.0 {
        findings.doubtful("cached_prefix", text + ", though every prompt is new");
    }
}

/// Whether connections took long to come about; the TTFT, which begins on an established connection, hides that.
fn slow_connect(evidence: &Evidence<'_>, findings: &mut Findings) -> bool {
    let mut connects_ms: Vec<f64> =
        evidence.samples.iter().filter(|s| s.connect_ns > 0).map(|s| s.connect_ns as f64 / 1e6).collect();
    connects_ms.sort_by(f64::total_cmp);
    let (Some(p50_ms), Some(latency_ms)) =
        (podium_domain::stats::percentile(&connects_ms, 50.0), shortest_latency_ms(evidence.summary))
    else {
        return false;
    };
    let many = connects_ms.len() as f64 >= CONNECTING_SHARE * evidence.samples.len() as f64;
    let slow = many && p50_ms > SLOW_CONNECT.0 && p50_ms > SLOW_CONNECT.1 * latency_ms;
    if slow {
        findings.doubtful(
            "slow_accept",
            format!(
                "{} requests waited {p50_ms:.0} ms (median) for a connection, against {latency_ms:.0} ms to the first token",
                connects_ms.len()
            ),
        );
    }
    slow
}

/// Whether requests lost their place in the engine.
fn preemptions(evidence: &Evidence<'_>, telemetry: &TelemetrySummary, findings: &mut Findings) {
    let Some(count) = telemetry.preemptions.filter(|count| *count > 0) else { return };
    let completed = evidence.summary.completed;
    let text = format!("the engine preempted requests {count} times for {completed} answers: its KV cache was full");
    if count as f64 > PREEMPTED_SHARE * completed as f64 {
        findings.doubtful("preemptions", text);
    } else {
        findings.note("preemptions", text);
    }
}

/// The client's TTFT against the engine's own, over the same requests.
fn ttft(engine: EngineView<'_>, findings: &mut Findings) {
    let Some(own) = engine.telemetry.engine_ttft else { return };
    let seen = |samples: &mut dyn Iterator<Item = &RequestSample>| -> Option<MeanOf> {
        let (mut n, mut sum_ms) = (0u64, 0.0);
        for ttft_ns in samples.filter_map(RequestSample::ttft_ns) {
            (n, sum_ms) = (n + 1, sum_ms + ttft_ns as f64 / 1e6);
        }
        (n > 0).then(|| MeanOf { mean_ms: sum_ms / n as f64, n })
    };
    let Some(client) = seen(&mut engine.samples.iter()) else { return };
    if client.n.abs_diff(own.n) as f64 > SAME_REQUESTS_SHARE * client.n as f64 {
        return;
    }
    let difference_ms = client.mean_ms - own.mean_ms;
    if difference_ms.abs() <= TTFT_DIFFERENCE.0 || difference_ms.abs() <= TTFT_DIFFERENCE.1 * client.mean_ms {
        return;
    }
    let figures = format!(
        "the first token took {:.1} ms on average by the client's clock and {:.1} ms by the engine's",
        client.mean_ms, own.mean_ms
    );
    if difference_ms < 0.0 {
        findings.doubtful("engine_ttft", format!("{figures}, over {} requests", own.n));
        return;
    }
    let connecting = seen(&mut engine.samples.iter().filter(|sample| sample.connect_ns > 0));
    let total_ms = difference_ms * client.n as f64;
    let explained =
        connecting.is_some_and(|new| (new.mean_ms - own.mean_ms) * new.n as f64 > EXPLAINED_SHARE * total_ms);
    if explained {
        let text = format!("{figures}; requests on new connections waited: the server is slow to accept them");
        findings.doubtful("slow_accept", text);
    } else {
        let text = format!("{figures}: requests or answers waited outside the engine, in a proxy or its front end");
        findings.doubtful("engine_ttft", text);
    }
}
