//! Whether the client, not the server, set the figures.

use super::{COALESCED_SHARE, Evidence, Findings, shortest_latency_ms};
use crate::sample::RequestSample;

/// A load thread this busy (share of one core) queues what it reads.
const SATURATED_CPU_SHARE: f64 = 0.9;
/// Lateness of the event loop from which on tokens read together are its own doing, ms.
const LATE_LOOP_MS: f64 = 5.0;
/// Time per token from which on tokens came one by one, ms.
const MIN_SPACING_MS: f64 = 1.0;
/// An answer whose tokens all came within this share of its latency came at once.
const AT_ONCE_SHARE: f64 = 0.05;
/// Answers with fewer content events say nothing about the gaps between them.
const MIN_EVENTS_FOR_GAPS: u32 = 4;
/// Median lateness of the event loop from which on medians are not the server's any more, ms.
const LATE_MEDIAN_MS: f64 = 3.0;

/// Everything that the client may have done wrong itself.
pub(super) fn judge(evidence: &Evidence<'_>, findings: &mut Findings) {
    busy_or_late(evidence, findings);
    read_in_batches(evidence, findings);
    events_at_once(evidence, findings);
}

/// The client's own CPU and event loop.
fn busy_or_late(evidence: &Evidence<'_>, findings: &mut Findings) {
    let health = &evidence.summary.client;
    if let Some(share) = health.cpu_share.filter(|share| *share >= SATURATED_CPU_SHARE) {
        let text =
            format!("the load process used {:.0} % of its core, so that answers waited to be read", share * 100.0);
        findings.client_limited(text);
    }
    let (Some(p99_ms), Some(latency_ms)) = (health.loop_delay_p99_ms, shortest_latency_ms(evidence.summary)) else {
        return;
    };
    // What is read late half of the time moves the medians.
    if let Some(p50_ms) = health.loop_delay_p50_ms.filter(|p50| *p50 > LATE_MEDIAN_MS && *p50 > 0.1 * latency_ms) {
        findings.client_limited(format!(
            "the load process was {p50_ms:.1} ms late half of the time, against {latency_ms:.1} ms measured"
        ));
        return;
    }
    let text = || {
        format!(
            "the load process woke up to {p99_ms:.1} ms late (99th percentile), against {latency_ms:.1} ms measured"
        )
    };
    if p99_ms > 20.0 && p99_ms > 0.5 * latency_ms {
        findings.client_limited(text());
    } else if p99_ms > 10.0 && p99_ms > 0.2 * latency_ms {
        findings.doubtful("event_loop_delay", text());
    }
}

/// Tokens that came one by one and were read in batches, by a client that was late by about the time between them.
fn read_in_batches(evidence: &Evidence<'_>, findings: &mut Findings) {
    let summary = evidence.summary;
    let (Some(coalesced), Some(late_ms), Some(tpot)) =
        (summary.client.coalesced_event_share, summary.client.loop_delay_p99_ms, summary.tpot_ms.as_ref())
    else {
        return;
    };
    // A server or a proxy that sends several tokens at once is no fault of a client that was awake, and answers whose
    // tokens all came at once are judged below.
    let late = late_ms > LATE_LOOP_MS && late_ms > 0.5 * tpot.p50;
    if late && coalesced >= COALESCED_SHARE && tpot.p50 >= MIN_SPACING_MS && !findings.client_limited {
        findings.client_limited(format!(
            "{:.0} % of events were read together with others while the load process woke up to {late_ms:.1} ms late \
             (99th percentile), against {:.1} ms between tokens",
            coalesced * 100.0,
            tpot.p50
        ));
    }
}

/// Answers whose tokens were all read at once: nothing can be said about the time between tokens. Either the client did
/// not run while the server wrote, or something in between holds answers back.
fn events_at_once(evidence: &Evidence<'_>, findings: &mut Findings) {
    let share_of_answer = |sample: &RequestSample| -> Option<f64> {
        let e2e_ns = sample.e2e_ns().filter(|e2e| *e2e > 0)?;
        let generation_ns = sample.last_token_at_ns?.saturating_sub(sample.first_token_at_ns?);
        (sample.content_events() >= MIN_EVENTS_FOR_GAPS).then(|| generation_ns as f64 / e2e_ns as f64)
    };
    let shares: Vec<f64> = evidence.samples.iter().filter(|s| s.is_complete()).filter_map(share_of_answer).collect();
    let at_once = shares.iter().filter(|share| **share < AT_ONCE_SHARE).count();
    if shares.is_empty() || 2 * at_once < shares.len() {
        return;
    }
    let summary = evidence.summary;
    let coalesced = summary.client.coalesced_event_share.unwrap_or(0.0);
    let gap_ms = summary.chunk_gap_ms.as_ref().map_or(0.0, |gap| gap.p50);
    // Hundreds of answers read back to back look coalesced too, without one read holding several events.
    if coalesced < COALESCED_SHARE && gap_ms > 0.05 {
        return;
    }
    let latency_ms = shortest_latency_ms(summary).unwrap_or(0.0);
    let stall_ms = summary.client.loop_delay_max_ms.unwrap_or(0.0);
    let seen =
        format!("{at_once} of {} answers came at once, {:.0} % of events with others", shares.len(), coalesced * 100.0);
    if findings.client_limited {
        return;
    }
    if stall_ms > 10.0 && stall_ms > 0.2 * latency_ms {
        findings.client_limited(format!("{seen}: the load process did not run for up to {stall_ms:.0} ms meanwhile"));
    } else {
        let text = format!("{seen}: the server or a proxy holds tokens back, so that time per token was not measured");
        findings.doubtful("answers_at_once", text);
    }
}
