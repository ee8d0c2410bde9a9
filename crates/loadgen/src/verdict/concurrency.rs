//! Whether a closed loop had as many requests in flight as it was asked to have.

use std::collections::BTreeMap;

use super::{Evidence, Findings};
use crate::sample::RequestSample;

/// Fewer requests than this many for each slot say nothing: the ends of the measurement weigh too much.
const ROUNDS: usize = 4;
/// A closed loop with a smaller share of what could be in flight has missed its concurrency.
const REACHED_SHARE: f64 = 0.8;

/// Doubts a closed loop that left slots empty.
///
/// A slot without a request is no one's fault where there was nothing to send: while the users of sessions think, and
/// at the end, when fewer sessions (or single requests) are left than slots. Only slots that could have been used count.
pub(super) fn judge(evidence: &Evidence<'_>, concurrency: u32, findings: &mut Findings) {
    let sent = evidence.samples.iter().filter(|sample| sample.sent_at_ns.is_some());
    if sent.clone().count() < ROUNDS * concurrency as usize {
        return;
    }
    let Some(used) = used_share(&spans(evidence, sent), i64::from(concurrency)) else { return };
    if used < REACHED_SHARE {
        let achieved = used * f64::from(concurrency);
        let text = format!("{achieved:.1} of {concurrency} requests were in flight on average while the load was on");
        findings.doubtful("concurrency_not_reached", text);
    }
}

/// From and to, ns.
type Span = (u64, u64);

/// The times of the measurement's sessions; a request of its own is a session of one.
#[derive(Debug, Default)]
struct Spans {
    /// Until when each session had something to do. It could have begun with the measurement.
    unfinished_until: Vec<u64>,
    /// When requests were in flight, and their users thought.
    occupied: Vec<Span>,
}

fn spans<'a>(evidence: &Evidence<'_>, sent: impl Iterator<Item = &'a RequestSample>) -> Spans {
    let mut spans = Spans::default();
    let mut sessions: BTreeMap<u32, u64> = BTreeMap::new();
    let step = |index: u32| evidence.asked.requests.get(index as usize).and_then(|request| request.session);
    for sample in sent {
        let (Some(sent_ns), Some(done_ns)) = (sample.sent_at_ns, sample.done_at_ns) else { continue };
        spans.occupied.push((sent_ns, done_ns));
        match step(sample.index) {
            None => spans.unfinished_until.push(done_ns),
            Some(at) => {
                let end = sessions.entry(at.session).or_default();
                *end = done_ns.max(*end);
                let next = step(sample.index + 1).filter(|next| next.session == at.session && next.turn > 0);
                if let Some(next) = next {
                    spans.occupied.push((done_ns, done_ns.saturating_add(next.think_time_ns)));
                }
            }
        }
    }
    spans.unfinished_until.extend(sessions.into_values());
    spans
}

/// The share of the slots that could be used that were used, over the time in which anything was in flight; `None` where
/// that was no time at all.
fn used_share(spans: &Spans, slots: i64) -> Option<f64> {
    let begin = spans.occupied.iter().map(|span| span.0).min()?;
    let end = spans.unfinished_until.iter().copied().max()?;
    // What changes when: sessions that are not finished, and slots in use or owed to a user who thinks.
    let mut changes: Vec<(u64, i64, i64)> = spans.unfinished_until.iter().map(|&at| (at, -1, 0)).collect();
    changes.extend(spans.occupied.iter().flat_map(|&(from, to)| [(from, 0, 1), (to.min(end), 0, -1)]));
    changes.sort_unstable();
    let (mut unfinished, mut occupied) = (spans.unfinished_until.len() as i64, 0);
    let (mut usable_ns, mut used_ns, mut since) = (0.0, 0.0, begin);
    for (at, finished, change) in changes {
        let span_ns = at.saturating_sub(since) as f64;
        let usable = unfinished.min(slots);
        usable_ns += usable as f64 * span_ns;
        used_ns += occupied.min(usable) as f64 * span_ns;
        (unfinished, occupied, since) = (unfinished + finished, occupied + change, at.max(since));
    }
    (usable_ns > 0.0).then(|| used_ns / usable_ns)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn full_slots_are_used_to_the_end() {
        // Two slots, four requests; the last one runs alone, and there is nothing to run beside it.
        let occupied = vec![(0, 10), (0, 30), (10, 20), (20, 60)];
        let spans = Spans { unfinished_until: occupied.iter().map(|span| span.1).collect(), occupied };
        assert_eq!(used_share(&spans, 2), Some(1.0));
    }

    #[test]
    fn an_empty_slot_with_requests_left_is_missing() {
        let occupied = vec![(0, 10), (10, 20), (20, 30), (30, 40)];
        let spans = Spans { unfinished_until: occupied.iter().map(|span| span.1).collect(), occupied };
        // One of two slots until only one request is left.
        assert_eq!(used_share(&spans, 2), Some(40.0 / 70.0));
    }

    #[test]
    fn a_thinking_user_holds_what_could_not_be_used() {
        // Two sessions of two turns, each with a long thought between them; the second thinks a little longer.
        let thinking = Spans {
            unfinished_until: vec![120, 130],
            occupied: vec![(0, 10), (10, 110), (110, 120), (0, 10), (10, 120), (120, 130)],
        };
        assert_eq!(used_share(&thinking, 2), Some(1.0));
        assert_eq!(
            used_share(&Spans { occupied: vec![(0, 10), (110, 120), (0, 10), (120, 130)], ..thinking }, 2),
            Some(40.0 / 250.0)
        );
        assert_eq!(used_share(&Spans::default(), 2), None);
    }
}
