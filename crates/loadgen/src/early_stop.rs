//! Ending a measurement that cannot hold its SLA any more, so that a search does not wait for an overloaded server.

use podium_domain::measure::SeriesPoint;
use podium_domain::sla::Sla;

use crate::live::InFlight;
use crate::sample::RequestSample;

/// Seconds from which on a trend can be told.
const FEWEST_SECONDS: usize = 10;
/// Seconds that are looked back.
const MOST_SECONDS: usize = 30;
/// The normal score above which a rise is no chance (one in 200).
const SIGNIFICANT: f64 = 2.58;
/// How much the requests in flight have grown at least over the seconds looked at.
const GROWTH: f64 = 1.5;

/// Watches one measurement while it runs.
#[derive(Debug)]
pub(crate) struct EarlyStop {
    sla: Sla,
    planned: u64,
    open_loop: bool,
    failed: u64,
    over_ttft: u64,
    over_tpot: u64,
    over_e2e: u64,
    /// Requests in flight that are above the limit already, or will fail.
    late: Late,
    /// In flight and median TTFT of each second since the first answer was complete: before, the load builds up.
    seconds: Vec<(f64, f64)>,
    answered: bool,
    lost: Option<String>,
}

/// Requests in flight for which it is clear by now that they cannot be answered within a limit.
#[derive(Debug, Clone, Copy, Default)]
struct Late {
    ttft: u64,
    e2e: u64,
}

impl EarlyStop {
    /// Nothing has been seen yet of `planned` requests.
    pub fn new(sla: Sla, planned: u64, open_loop: bool) -> Self {
        EarlyStop {
            sla,
            planned,
            open_loop,
            failed: 0,
            over_ttft: 0,
            over_tpot: 0,
            over_e2e: 0,
            late: Late::default(),
            seconds: Vec::new(),
            answered: false,
            lost: None,
        }
    }

    /// Why the measurement is lost, once it is.
    pub fn lost(&self) -> Option<&str> {
        self.lost.as_deref()
    }

    /// A request has ended, one way or the other.
    pub fn request_ended(&mut self, sample: &RequestSample) {
        if !sample.is_complete() {
            self.failed += 1;
        } else {
            let ttft_ns = if self.open_loop { sample.user_ttft_ns() } else { sample.ttft_ns() };
            let over =
                |limit: Option<f64>, measured: Option<f64>| u64::from(limit.zip(measured).is_some_and(|(l, m)| m > l));
            let ms = |ns: Option<u64>| ns.map(|ns| ns as f64 / 1e6);
            self.over_ttft += over(self.sla.max_p50_ttft_ms, ms(ttft_ns));
            self.over_tpot += over(self.sla.max_p50_tpot_ms, sample.tpot_ms());
            self.over_e2e += over(self.sla.max_p50_e2e_ms, ms(sample.e2e_ns()));
        }
        if self.lost.is_none() {
            // What was seen of the requests in flight may be of this one, too.
            self.late = Late::default();
            self.lost = self.cannot_pass();
        }
    }

    /// A second is over at `now_ns`. A request in flight has waited for its first token, and lasted, at least until now:
    /// what is above a limit already counts before it ends.
    pub fn second<'a>(&mut self, point: &SeriesPoint, in_flight: impl Iterator<Item = &'a InFlight>, now_ns: u64) {
        self.late = self.late_of(in_flight, now_ns);
        if self.answered
            && let Some(ttft_ms) = point.ttft_p50_ms
        {
            self.seconds.push((f64::from(point.in_flight), ttft_ms));
        }
        self.answered |= point.completed > 0;
        if self.lost.is_none() {
            self.lost = self.cannot_pass().or_else(|| self.is_over_saturated());
        }
    }

    /// Whatever comes now, a median or the success rate misses its limit.
    fn cannot_pass(&self) -> Option<String> {
        let planned = self.planned;
        let counts = [
            ("TTFT", self.over_ttft, self.late.ttft),
            ("TPOT", self.over_tpot, 0),
            ("end-to-end latency", self.over_e2e, self.late.e2e),
        ];
        if let Some((metric, over, late)) = counts.into_iter().find(|(_, over, late)| self.median_is_lost(*over, *late))
        {
            let over = over + late;
            return Some(format!(
                "the SLA was out of reach: {metric} is above its limit in {over} of {planned} requests"
            ));
        }
        let best_rate = 1.0 - self.failed as f64 / planned.max(1) as f64;
        let missed = self.sla.min_success_rate.is_some_and(|least| best_rate < least);
        missed.then(|| format!("the SLA was out of reach: {} of {planned} requests failed", self.failed))
    }

    /// Whether a median is above its limit whatever comes, with `over` answered requests above it and `late` ones that are
    /// above it if they are answered at all. One that fails has no latency: then it lowers the number of answers that the
    /// median is of. As many late ones as may fail at all are taken to fail, which is the best that can happen.
    fn median_is_lost(&self, over: u64, late: u64) -> bool {
        let may_fail = self.sla.min_success_rate.map_or(late, |least| {
            let failures = ((1.0 - least) * self.planned as f64 + 1e-9).floor().max(0.0) as u64;
            failures.saturating_sub(self.failed).min(late)
        });
        let answered = self.planned.saturating_sub(self.failed + may_fail);
        2 * (over + late - may_fail) > answered
    }

    /// The requests in flight that are above a limit at `now_ns`.
    fn late_of<'a>(&self, in_flight: impl Iterator<Item = &'a InFlight>, now_ns: u64) -> Late {
        let mut late = Late::default();
        for request in in_flight {
            let since_ns = if self.open_loop { request.scheduled_at_ns } else { request.sent_at_ns };
            let ttft_ns = request.first_token_at_ns.unwrap_or(now_ns).saturating_sub(since_ns);
            let e2e_ns = now_ns.saturating_sub(request.sent_at_ns);
            let over =
                |limit_ms: Option<f64>, ns: u64| u64::from(limit_ms.is_some_and(|limit| ns as f64 / 1e6 > limit));
            late.ttft += over(self.sla.max_p50_ttft_ms, ttft_ns);
            late.e2e += over(self.sla.max_p50_e2e_ms, e2e_ns);
        }
        late
    }

    /// Requests in flight and TTFT both rise, and TTFT is above its limit where it has one: the queue only grows.
    fn is_over_saturated(&self) -> Option<String> {
        let seconds = &self.seconds[self.seconds.len().saturating_sub(MOST_SECONDS)..];
        let (first, last) = seconds.first().zip(seconds.last())?;
        let in_flight: Vec<f64> = seconds.iter().map(|second| second.0).collect();
        let ttft_ms: Vec<f64> = seconds.iter().map(|second| second.1).collect();
        let above = self.sla.max_p50_ttft_ms.is_none_or(|limit| ttft_ms.iter().rev().take(3).all(|ttft| *ttft > limit));
        let rises = |values: &[f64]| trend(values) > SIGNIFICANT;
        let saturated = self.open_loop
            && above
            && seconds.len() >= FEWEST_SECONDS
            && last.0 >= GROWTH * first.0.max(1.0)
            && rises(&in_flight)
            && rises(&ttft_ms);
        saturated.then(|| {
            format!(
                "the server was over-saturated: in {} s the requests in flight rose from {} to {} and TTFT from {:.0} to {:.0} ms",
                seconds.len(),
                first.0,
                last.0,
                first.1,
                last.1
            )
        })
    }
}

/// The normal score of the Mann–Kendall test: how much more pairs of values rise than fall.
fn trend(values: &[f64]) -> f64 {
    let n = values.len() as f64;
    let pairs = values.iter().enumerate().flat_map(|(i, a)| values[i + 1..].iter().map(move |b| (a, b)));
    let s: f64 = pairs
        .map(|(a, b)| {
            if b > a {
                1.0
            } else if b < a {
                -1.0
            } else {
                0.0
            }
        })
        .sum();
    let deviation = (n * (n - 1.0) * (2.0 * n + 5.0) / 18.0).sqrt();
    if deviation > 0.0 { (s - s.signum()) / deviation } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answered(ttft_ms: u64) -> RequestSample {
        RequestSample {
            sent_at_ns: Some(0),
            first_token_at_ns: Some(ttft_ms * 1_000_000),
            last_token_at_ns: Some(ttft_ms * 1_000_000),
            done_at_ns: Some(ttft_ms * 1_000_000),
            ..RequestSample::default()
        }
    }

    fn second(t_s: u32, in_flight: u32, ttft_ms: f64) -> SeriesPoint {
        let ttft_p50_ms = Some(ttft_ms);
        SeriesPoint { t_s, sent: 5, completed: 5, failed: 0, in_flight, output_tokens: 0, ttft_p50_ms }
    }

    fn watch() -> EarlyStop {
        let sla = Sla { max_p50_ttft_ms: Some(100.0), min_success_rate: Some(0.9), ..Sla::default() };
        EarlyStop::new(sla, 10, true)
    }

    #[test]
    fn more_than_half_above_a_limit_lose() {
        let mut watch = watch();
        for _ in 0..5 {
            watch.request_ended(&answered(101));
            watch.request_ended(&answered(100));
            assert_eq!(watch.lost(), None);
        }
        watch.request_ended(&answered(101));
        assert!(watch.lost().is_some_and(|why| why.contains("TTFT is above its limit in 6 of 10")), "{watch:?}");
    }

    /// Requests that were sent at 0 and have no token yet.
    fn waiting(count: usize) -> Vec<InFlight> {
        vec![InFlight { scheduled_at_ns: 0, sent_at_ns: 0, first_token_at_ns: None }; count]
    }

    #[test]
    fn requests_that_wait_too_long_count_before_they_end() {
        let at = |ms: u64, requests: &[InFlight]| {
            let mut watch = watch();
            watch.second(&second(0, 7, 1.0), requests.iter(), ms * 1_000_000);
            watch.lost().map(str::to_owned)
        };
        assert_eq!(at(100, &waiting(10)), None, "they may still come in time");
        // One of ten may fail, and then it is in no median: 5 of 9 are late all the same.
        assert_eq!(at(101, &waiting(5)), None);
        let why = at(101, &waiting(6)).expect("6 late of 10, or 5 of 9");
        assert!(why.contains("TTFT is above its limit in 6 of 10"), "{why}");
        let in_time = InFlight { first_token_at_ns: Some(90_000_000), ..waiting(1)[0] };
        assert_eq!(at(5_000, &[in_time; 10]), None, "their first tokens came in time");
        let late = InFlight { first_token_at_ns: Some(101_000_000), ..waiting(1)[0] };
        assert!(at(5_000, &[late; 6]).is_some());
    }

    #[test]
    fn requests_that_wait_count_with_those_that_ended_and_not_twice() {
        let mut watch = watch();
        for _ in 0..3 {
            watch.request_ended(&answered(150));
        }
        watch.second(&second(0, 2, 1.0), waiting(2).iter(), 200_000_000);
        assert_eq!(watch.lost(), None);
        // One of the two that waited.
        watch.request_ended(&answered(250));
        assert_eq!(watch.lost(), None, "{watch:?}");
        watch.second(&second(1, 3, 1.0), waiting(2).iter(), 300_000_000);
        assert!(watch.lost().is_some_and(|why| why.contains("in 6 of 10")), "{watch:?}");
    }

    #[test]
    fn without_a_success_rate_late_requests_may_all_fail() {
        let sla = Sla { max_p50_ttft_ms: Some(100.0), ..Sla::default() };
        let mut watch = EarlyStop::new(sla, 10, true);
        watch.second(&second(0, 6, 1.0), waiting(6).iter(), 200_000_000);
        assert_eq!(watch.lost(), None, "if those fail, the other four may hold it");
        (0..3).for_each(|_| watch.request_ended(&answered(150)));
        watch.second(&second(1, 5, 1.0), waiting(5).iter(), 300_000_000);
        // 3 late answers and 2 good ones at best.
        assert!(watch.lost().is_some(), "{watch:?}");
    }

    #[test]
    fn a_closed_loop_counts_from_the_sending_and_a_long_answer_by_its_end() {
        let sla = Sla {
            max_p50_e2e_ms: Some(100.0),
            max_p50_ttft_ms: Some(100.0),
            min_success_rate: Some(1.0),
            ..Sla::default()
        };
        let mut watch = EarlyStop::new(sla, 1, false);
        let mut request = InFlight { scheduled_at_ns: 0, sent_at_ns: 150_000_000, first_token_at_ns: None };
        watch.second(&second(0, 1, 1.0), [request].iter(), 200_000_000);
        assert_eq!(watch.lost(), None);
        request.first_token_at_ns = Some(210_000_000);
        watch.second(&second(1, 1, 1.0), [request].iter(), 260_000_000);
        assert!(watch.lost().is_some_and(|why| why.contains("end-to-end latency")), "{watch:?}");
    }

    #[test]
    fn too_many_failures_lose() {
        let mut watch = watch();
        watch.request_ended(&RequestSample::default());
        assert_eq!(watch.lost(), None);
        watch.request_ended(&RequestSample::default());
        assert!(watch.lost().is_some_and(|why| why.contains("2 of 10 requests failed")), "{watch:?}");
    }

    #[test]
    fn a_growing_queue_is_seen_and_noise_is_not() {
        let (mut growing, mut busy, mut steady) = (watch(), watch(), watch());
        for t in 0..20 {
            let none = || [].iter();
            growing.second(&second(t, 10 + 5 * t, 90.0 + 10.0 * f64::from(t)), none(), 0);
            // The queue grows, but answers still come in time.
            busy.second(&second(t, 10 + 5 * t, 20.0 + f64::from(t)), none(), 0);
            steady.second(&second(t, 40 + (t * 7) % 5, 150.0 + f64::from((t * 3) % 7)), none(), 0);
        }
        assert!(growing.lost().is_some_and(|why| why.starts_with("the server was over-saturated")), "{growing:?}");
        assert_eq!(busy.lost(), None);
        assert_eq!(steady.lost(), None);
    }
}
