//! From samples to the figures of a measurement.

use std::collections::BTreeMap;
use std::time::Duration;

use podium_domain::load::LoadPoint;
use podium_domain::measure::{ClientHealth, FailureCount, Summary};
use podium_domain::sla::Sla;
use podium_domain::stats::Distribution;
use podium_domain::validity::{Reason, Validity};
use podium_workload::Schedule;

use crate::health::DelaySummary;
use crate::sample::{FailureClass, RequestSample};
use crate::verdict::{Asked, EngineView, Evidence, judge};

/// A steady window with fewer ended requests than this says nothing.
const MIN_STEADY_ENDS: usize = 10;
const NS_PER_S: f64 = 1e9;
const NS_PER_MS: f64 = 1e6;

/// Everything that was measured.
pub(crate) struct Measured<'a> {
    pub samples: &'a [RequestSample],
    pub asked: &'a Asked<'a>,
    pub schedule: &'a Schedule,
    pub load: &'a LoadPoint,
    pub sla: &'a Sla,
    pub failure_examples: &'a BTreeMap<FailureClass, String>,
    /// CPU time of the load thread.
    pub cpu: Duration,
    /// When the last task had ended.
    pub ended_ns: u64,
    /// How late the event loop was.
    pub loop_delays_ms: DelaySummary,
    /// What the engine said, where it was asked.
    pub engine: Option<EngineView<'a>>,
    pub stopped_early: bool,
}

/// The figures and the verdict, and remarks that are no doubts.
pub(crate) fn summarise(measured: &Measured<'_>) -> (Summary, Vec<Reason>) {
    let samples = measured.samples;
    let complete: Vec<&RequestSample> = samples.iter().filter(|sample| sample.is_complete()).collect();
    let duration_s = duration_s(measured);
    let per_second = |count: f64| (duration_s > 0.0 && !complete.is_empty()).then(|| count / duration_s);
    let sum = |get: fn(&RequestSample) -> Option<u32>| -> Option<u64> {
        let counted: Vec<u64> = complete.iter().filter_map(|s| get(s)).map(u64::from).collect();
        (!counted.is_empty()).then(|| counted.iter().sum())
    };
    let (input_tokens, output_tokens) = (sum(|s| s.input_tokens), sum(|s| s.output_tokens));
    let steady = steady(measured);
    let (itl_ms, chunk_gap_ms) = gaps_ms(&complete);
    let sent = samples.iter().filter(|s| s.sent_at_ns.is_some()).count();
    let unsent = |s: &&RequestSample| s.sent_at_ns.is_none() && s.failure == Some(FailureClass::Cancelled);
    let client = ClientHealth {
        cpu_share: (measured.ended_ns > 0).then(|| measured.cpu.as_secs_f64() * NS_PER_S / measured.ended_ns as f64),
        loop_delay_p50_ms: measured.loop_delays_ms.p50_ms,
        loop_delay_p99_ms: measured.loop_delays_ms.p99_ms,
        loop_delay_max_ms: measured.loop_delays_ms.max_ms,
        coalesced_event_share: coalesced_share(samples),
    };
    let mut summary = Summary {
        planned: samples.len() as u64,
        sent: sent as u64,
        completed: complete.len() as u64,
        failed: (samples.len() - complete.len()) as u64,
        never_sent: samples.iter().filter(unsent).count() as u64,
        duration_s,
        request_throughput: per_second(complete.len() as f64),
        output_token_throughput: output_tokens.and_then(|tokens| per_second(tokens as f64)),
        total_token_throughput: output_tokens.zip(input_tokens).and_then(|(o, i)| per_second((o + i) as f64)),
        steady_window_s: steady.as_ref().map(|steady| steady.window_s),
        steady_request_throughput: steady.as_ref().map(|steady| steady.request_throughput),
        steady_output_token_throughput: steady.as_ref().and_then(|steady| steady.output_token_throughput),
        goodput_rps: goodput_rps(measured, &complete, duration_s),
        success_rate: (!samples.is_empty()).then(|| complete.len() as f64 / samples.len() as f64),
        input_tokens,
        output_tokens,
        cached_input_tokens: sum(|s| s.cached_tokens),
        input_len: distribution(&complete, |s| s.input_tokens.map(f64::from)),
        output_len: distribution(&complete, |s| s.output_tokens.map(f64::from)),
        ttft_ms: distribution(&complete, |s| s.ttft_ns().map(ms)),
        user_ttft_ms: distribution(&complete, |s| s.user_ttft_ns().map(ms)),
        tpot_ms: distribution(&complete, |s| s.tpot_ms()),
        itl_ms,
        chunk_gap_ms,
        e2e_ms: distribution(&complete, |s| s.e2e_ns().map(ms)),
        schedule_lag_ms: distribution(samples.iter(), |s| s.schedule_lag_ns().map(ms)),
        failures: failures(measured),
        client,
        client_limited: false,
        validity: Validity::Valid,
        prompt_set: None,
    };
    let verdict = judge(&Evidence {
        summary: &summary,
        samples,
        asked: measured.asked,
        schedule: measured.schedule,
        load: measured.load,
        stopped_early: measured.stopped_early,
        engine: measured.engine,
    });
    summary.client_limited = verdict.client_limited;
    summary.validity = verdict.validity;
    (summary, verdict.notes)
}

fn ms(ns: u64) -> f64 {
    ns as f64 / NS_PER_MS
}

fn distribution<'a, S: std::borrow::Borrow<RequestSample> + 'a>(
    samples: impl IntoIterator<Item = &'a S>,
    get: impl Fn(&RequestSample) -> Option<f64>,
) -> Option<Distribution> {
    Distribution::of(&mut samples.into_iter().filter_map(|sample| get(sample.borrow())).collect::<Vec<_>>())
}

/// From the first intended start to the last answer.
fn duration_s(measured: &Measured<'_>) -> f64 {
    let begun = measured.samples.iter().filter(|s| s.done_at_ns.is_some()).map(|s| s.scheduled_at_ns).min();
    let ended = measured.samples.iter().filter_map(|s| s.last_token_at_ns.or(s.done_at_ns)).max();
    begun.zip(ended).map_or(0.0, |(begun, ended)| ended.saturating_sub(begun) as f64 / NS_PER_S)
}

/// Inter-token latencies and raw gaps between content events, pooled over all requests.
///
/// Where an answer has as many content events as tokens, each gap is one token's. Where the counts differ the tokens of
/// each event are unknown, and the later tokens are spread evenly over the gaps. Without a count there is no ITL.
fn gaps_ms(complete: &[&RequestSample]) -> (Option<Distribution>, Option<Distribution>) {
    let tokens_per_gap = |sample: &RequestSample| {
        let later_tokens = f64::from(sample.output_tokens?.saturating_sub(1));
        Some(later_tokens / f64::from(sample.gaps.len().max(1)))
    };
    let events: usize = complete.iter().map(|sample| sample.gaps.len() as usize).sum();
    // Millions of gaps: one list of them at a time, and of the right size.
    let mut pooled = Vec::with_capacity(events);
    complete.iter().for_each(|sample| pooled.extend(sample.gaps.iter().map(ms)));
    let chunk_gap_ms = Distribution::of(&mut pooled);
    if complete.iter().all(|sample| sample.gaps.is_empty() || tokens_per_gap(sample) == Some(1.0)) {
        return (chunk_gap_ms.clone(), chunk_gap_ms);
    }
    pooled.clear();
    for sample in complete {
        if let Some(tokens) = tokens_per_gap(sample).filter(|tokens| *tokens > 0.0) {
            pooled.extend(sample.gaps.iter().map(|gap| ms(gap) / tokens));
        }
    }
    (Distribution::of(&mut pooled), chunk_gap_ms)
}

/// The share of content events that came in the same read as the event before them.
fn coalesced_share(samples: &[RequestSample]) -> Option<f64> {
    let events: u64 = samples.iter().map(|s| u64::from(s.content_events())).sum();
    let coalesced: u64 = samples.iter().map(|s| u64::from(s.gaps.coalesced())).sum();
    (events > 0).then(|| coalesced as f64 / events as f64)
}

/// Requests per second that met every limit. A limit that does not apply (time per token of a one-token answer) is
/// neither met nor missed.
fn goodput_rps(measured: &Measured<'_>, complete: &[&RequestSample], duration_s: f64) -> Option<f64> {
    let sla = measured.sla;
    if sla.is_empty() || duration_s <= 0.0 {
        return None;
    }
    let holds = |value: Option<f64>, limit: Option<f64>| value.zip(limit).is_none_or(|(value, limit)| value <= limit);
    let good = complete
        .iter()
        .filter(|s| {
            let ttft_ns = if measured.schedule.closed_loop { s.ttft_ns() } else { s.user_ttft_ns() };
            holds(ttft_ns.map(ms), sla.max_p50_ttft_ms)
                && holds(s.tpot_ms(), sla.max_p50_tpot_ms)
                && holds(s.e2e_ns().map(ms), sla.max_p50_e2e_ms)
        })
        .count();
    Some(good as f64 / duration_s)
}

fn failures(measured: &Measured<'_>) -> Vec<FailureCount> {
    let mut counts: BTreeMap<FailureClass, u64> = BTreeMap::new();
    for class in measured.samples.iter().filter_map(|s| s.failure) {
        *counts.entry(class).or_default() += 1;
    }
    let example = |class| measured.failure_examples.get(class).cloned().unwrap_or_default();
    counts
        .iter()
        .map(|(class, count)| FailureCount { class: class.word().to_owned(), count: *count, example: example(class) })
        .collect()
}

/// Throughput while the load was even.
struct Steady {
    window_s: (f64, f64),
    request_throughput: f64,
    output_token_throughput: Option<f64>,
}

/// The steady window ends with the last sending, after which the load only drains. It begins when the load has built
/// up: in a closed loop when each slot has seen its first answer (that many requests are complete), at a rate with the
/// first answer. A burst has none.
fn steady(measured: &Measured<'_>) -> Option<Steady> {
    if matches!(measured.load, LoadPoint::Burst { .. }) {
        return None;
    }
    let complete = || measured.samples.iter().filter(|s| s.is_complete());
    let mut ends: Vec<u64> = complete().filter_map(|s| s.last_token_at_ns).collect();
    ends.sort_unstable();
    let first_round = match measured.load {
        LoadPoint::Concurrency { concurrency } => *concurrency as usize,
        LoadPoint::Rate { .. } | LoadPoint::Burst { .. } => 1,
    };
    let start = *ends.get(first_round.checked_sub(1)?)?;
    let end = measured.samples.iter().filter_map(|s| s.sent_at_ns).max()?;
    let inside = |at: u64| at > start && at <= end;
    let complete =
        measured.samples.iter().filter(|s| s.is_complete() && s.last_token_at_ns.is_some_and(inside)).count();
    if complete < MIN_STEADY_ENDS {
        return None;
    }
    let seconds = (end - start) as f64 / NS_PER_S;
    Some(Steady {
        window_s: (start as f64 / NS_PER_S, end as f64 / NS_PER_S),
        request_throughput: complete as f64 / seconds,
        output_token_throughput: tokens_within(measured.samples, inside).map(|tokens| tokens / seconds),
    })
}

/// Output tokens whose events were read within a window; `None` where the server counted none.
fn tokens_within(samples: &[RequestSample], inside: impl Fn(u64) -> bool) -> Option<f64> {
    let mut total = None;
    for sample in samples.iter().filter(|s| s.is_complete()) {
        let (Some(tokens), Some(last)) = (sample.output_tokens, sample.last_token_at_ns) else { continue };
        let Some(first) = sample.first_token_at_ns else {
            // Not streamed: everything came at the end.
            *total.get_or_insert(0.0) += if inside(last) { f64::from(tokens) } else { 0.0 };
            continue;
        };
        let mut at = first;
        let mut events = u32::from(inside(at));
        for gap in sample.gaps.iter() {
            at = at.saturating_add(gap);
            events += u32::from(inside(at));
        }
        *total.get_or_insert(0.0) += f64::from(tokens) * f64::from(events) / f64::from(sample.content_events());
    }
    total
}

#[cfg(test)]
mod tests;
