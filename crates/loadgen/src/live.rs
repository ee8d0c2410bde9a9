//! What is known while requests are in flight: counters and the series of seconds.

use std::collections::HashMap;

use podium_domain::measure::SeriesPoint;
use podium_domain::stats::percentile;

use crate::message::Counters;
use crate::sample::RequestSample;

const SECOND_NS: u64 = 1_000_000_000;

/// Counters and series of one measurement. What is seen after a second was closed counts in the next one, so that a
/// point never changes once it was shown.
#[derive(Debug)]
pub(crate) struct Live {
    counters: Counters,
    points: Vec<SeriesPoint>,
    open: OpenSecond,
    /// Tokens (by usage) and events of the answers that ended with a token count.
    counted_tokens: u64,
    counted_events: u64,
    /// The requests in flight by their index, where somebody watches them.
    watched: Option<HashMap<u32, InFlight>>,
}

/// A request that was sent and has not ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct InFlight {
    pub scheduled_at_ns: u64,
    pub sent_at_ns: u64,
    pub first_token_at_ns: Option<u64>,
}

#[derive(Debug, Default)]
struct OpenSecond {
    sent: u32,
    completed: u32,
    failed: u32,
    events: u64,
    ttft_ms: Vec<f64>,
}

impl Live {
    /// Nothing has happened yet.
    pub fn new(planned: u64) -> Self {
        Live {
            counters: Counters { planned, ..Counters::default() },
            points: Vec::new(),
            open: OpenSecond::default(),
            counted_tokens: 0,
            counted_events: 0,
            watched: None,
        }
    }

    /// Like [`Live::new`], and every request in flight is kept for [`Live::in_flight`].
    pub fn watched(planned: u64) -> Self {
        Live { watched: Some(HashMap::new()), ..Live::new(planned) }
    }

    /// The requests in flight; none where they are not watched.
    pub fn in_flight(&self) -> impl Iterator<Item = &InFlight> {
        self.watched.iter().flat_map(HashMap::values)
    }

    /// The request of `sample` was sent.
    pub fn on_sent(&mut self, sample: &RequestSample, sent_at_ns: u64) {
        if let Some(watched) = &mut self.watched {
            let scheduled_at_ns = sample.scheduled_at_ns;
            watched.insert(sample.index, InFlight { scheduled_at_ns, sent_at_ns, first_token_at_ns: None });
        }
        self.counters.sent += 1;
        self.counters.in_flight += 1;
        self.open.sent += 1;
    }

    /// What was noted as sent was not: it is sent again on another connection.
    pub fn on_unsent(&mut self, sample: &RequestSample) {
        self.forget(sample);
        self.counters.sent = self.counters.sent.saturating_sub(1);
        self.counters.in_flight = self.counters.in_flight.saturating_sub(1);
        self.open.sent = self.open.sent.saturating_sub(1);
    }

    /// A content event came.
    pub fn on_event(&mut self) {
        self.open.events += 1;
    }

    /// The first token of the request of `sample` came.
    pub fn on_first_token(&mut self, sample: &RequestSample) {
        if let Some(request) = self.watched.as_mut().and_then(|watched| watched.get_mut(&sample.index)) {
            request.first_token_at_ns = sample.first_token_at_ns;
        }
        self.open.ttft_ms.extend(sample.ttft_ns().map(|ttft_ns| ttft_ns as f64 / 1e6));
    }

    /// The request of `sample` ended.
    pub fn on_end(&mut self, sample: &RequestSample, complete: bool) {
        self.forget(sample);
        if sample.sent_at_ns.is_some() {
            self.counters.in_flight = self.counters.in_flight.saturating_sub(1);
        }
        if complete {
            self.counters.completed += 1;
            self.open.completed += 1;
        } else {
            self.counters.failed += 1;
            self.open.failed += 1;
        }
        if let Some(tokens) = sample.output_tokens {
            self.counted_tokens += u64::from(tokens);
            self.counted_events += u64::from(sample.content_events());
        }
    }

    fn forget(&mut self, sample: &RequestSample) {
        if let Some(watched) = &mut self.watched {
            watched.remove(&sample.index);
        }
    }

    /// Totals so far; output tokens up to the last closed second.
    pub fn counters(&self) -> Counters {
        self.counters
    }

    /// Closes every second that is over at `now_ns`; the points that this adds.
    pub fn close_seconds(&mut self, now_ns: u64) -> &[SeriesPoint] {
        let known = self.points.len();
        while (self.points.len() as u64 + 1) * SECOND_NS <= now_ns {
            self.close();
        }
        &self.points[known..]
    }

    /// Closes the second that is under way, if it holds anything, and gives all points.
    pub fn finish(mut self, now_ns: u64) -> Vec<SeriesPoint> {
        self.close_seconds(now_ns);
        if self.points.len() as u64 * SECOND_NS < now_ns {
            self.close();
        }
        self.points
    }

    fn close(&mut self) {
        let mut second = std::mem::take(&mut self.open);
        second.ttft_ms.sort_by(f64::total_cmp);
        // Until an answer was counted by the server, an event counts as a token.
        let tokens_per_event = match (self.counted_tokens, self.counted_events) {
            (tokens @ 1.., events @ 1..) => tokens as f64 / events as f64,
            _ => 1.0,
        };
        let output_tokens = (second.events as f64 * tokens_per_event).round() as u64;
        self.counters.output_tokens += output_tokens;
        self.points.push(SeriesPoint {
            t_s: self.points.len() as u32,
            sent: second.sent,
            completed: second.completed,
            failed: second.failed,
            in_flight: self.counters.in_flight as u32,
            output_tokens,
            ttft_p50_ms: percentile(&second.ttft_ms, 50.0),
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A sent request with so many content events, the first after 4 ms.
    fn sample(index: u32, events: u32) -> RequestSample {
        let mut sample = RequestSample { index, sent_at_ns: Some(0), ..RequestSample::default() };
        (0..events).for_each(|event| sample.on_content(u64::from(event + 4) * 1_000_000, true));
        sample
    }

    #[test]
    fn seconds_add_up_and_never_change() {
        let mut live = Live::new(3);
        live.on_sent(&sample(0, 0), 0);
        live.on_sent(&sample(1, 0), 0);
        live.on_first_token(&sample(0, 1));
        live.on_event();
        assert!(live.close_seconds(999_999_999).is_empty());
        let first = live.close_seconds(1_000_000_000).to_vec();
        assert_eq!((first[0].sent, first[0].in_flight, first[0].ttft_p50_ms), (2, 2, Some(4.0)));
        live.on_event();
        live.on_event();
        live.on_end(&RequestSample { output_tokens: Some(6), ..sample(0, 3) }, true);
        live.on_end(&sample(1, 0), false);
        live.on_end(&RequestSample { index: 2, ..RequestSample::default() }, false);
        let gap = live.close_seconds(3_100_000_000).to_vec();
        assert_eq!(gap.len(), 2);
        assert_eq!((gap[0].completed, gap[0].failed, gap[0].in_flight, gap[0].output_tokens), (1, 2, 0, 4));
        assert_eq!((gap[1].completed, gap[1].ttft_p50_ms), (0, None));
        assert_eq!(live.counters().output_tokens, 5);
        let all = live.finish(3_100_000_000);
        assert_eq!(all.iter().map(|p| p.t_s).collect::<Vec<_>>(), [0, 1, 2, 3]);
        assert_eq!(all[0], first[0]);
    }

    #[test]
    fn watched_requests_are_known_until_they_end() {
        let mut live = Live::watched(3);
        for index in 0..3 {
            live.on_sent(&sample(index, 0), u64::from(index));
        }
        live.on_first_token(&sample(1, 1));
        live.on_end(&sample(0, 1), true);
        live.on_unsent(&sample(2, 0));
        let left: Vec<_> = live.in_flight().copied().collect();
        assert_eq!(left, [InFlight { scheduled_at_ns: 0, sent_at_ns: 1, first_token_at_ns: Some(4_000_000) }]);
        let mut unwatched = Live::new(1);
        unwatched.on_sent(&sample(0, 0), 0);
        assert_eq!(unwatched.in_flight().count(), 0);
    }
}
