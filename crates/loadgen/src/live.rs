//! What is known while requests are in flight: counters and the series of seconds.

use podium_domain::measure::SeriesPoint;
use podium_domain::stats::percentile;

use crate::message::Counters;

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
        }
    }

    /// A request was sent.
    pub fn on_sent(&mut self) {
        self.counters.sent += 1;
        self.counters.in_flight += 1;
        self.open.sent += 1;
    }

    /// What was noted as sent was not: it is sent again on another connection.
    pub fn on_unsent(&mut self) {
        self.counters.sent = self.counters.sent.saturating_sub(1);
        self.counters.in_flight = self.counters.in_flight.saturating_sub(1);
        self.open.sent = self.open.sent.saturating_sub(1);
    }

    /// A content event came.
    pub fn on_event(&mut self) {
        self.open.events += 1;
    }

    /// The first token of a request came.
    pub fn on_first_token(&mut self, ttft_ns: u64) {
        self.open.ttft_ms.push(ttft_ns as f64 / 1e6);
    }

    /// A request ended. `usage` is its tokens and its content events, where the server counted.
    pub fn on_end(&mut self, was_sent: bool, complete: bool, usage: Option<(u32, u32)>) {
        if was_sent {
            self.counters.in_flight = self.counters.in_flight.saturating_sub(1);
        }
        if complete {
            self.counters.completed += 1;
            self.open.completed += 1;
        } else {
            self.counters.failed += 1;
            self.open.failed += 1;
        }
        if let Some((tokens, events)) = usage {
            self.counted_tokens += u64::from(tokens);
            self.counted_events += u64::from(events);
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

    #[test]
    fn seconds_add_up_and_never_change() {
        let mut live = Live::new(3);
        live.on_sent();
        live.on_sent();
        live.on_first_token(4_000_000);
        live.on_event();
        assert!(live.close_seconds(999_999_999).is_empty());
        let first = live.close_seconds(1_000_000_000).to_vec();
        assert_eq!((first[0].sent, first[0].in_flight, first[0].ttft_p50_ms), (2, 2, Some(4.0)));
        live.on_event();
        live.on_event();
        live.on_end(true, true, Some((6, 3)));
        live.on_end(true, false, None);
        live.on_end(false, false, None);
        let gap = live.close_seconds(3_100_000_000).to_vec();
        assert_eq!(gap.len(), 2);
        assert_eq!((gap[0].completed, gap[0].failed, gap[0].in_flight, gap[0].output_tokens), (1, 2, 0, 4));
        assert_eq!((gap[1].completed, gap[1].ttft_p50_ms), (0, None));
        assert_eq!(live.counters().output_tokens, 5);
        let all = live.finish(3_100_000_000);
        assert_eq!(all.iter().map(|p| p.t_s).collect::<Vec<_>>(), [0, 1, 2, 3]);
        assert_eq!(all[0], first[0]);
    }
}
