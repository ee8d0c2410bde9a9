//! Ending a measurement that cannot hold its SLA any more, so that a search does not wait for an overloaded server.

use podium_domain::measure::SeriesPoint;
use podium_domain::sla::Sla;

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
    /// In flight and median TTFT of each second since the first answer was complete: before, the load builds up.
    seconds: Vec<(f64, f64)>,
    answered: bool,
    lost: Option<String>,
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
            self.lost = self.cannot_pass();
        }
    }

    /// A second is over.
    pub fn second(&mut self, point: &SeriesPoint) {
        if self.answered
            && let Some(ttft_ms) = point.ttft_p50_ms
        {
            self.seconds.push((f64::from(point.in_flight), ttft_ms));
        }
        self.answered |= point.completed > 0;
        if self.lost.is_none() {
            self.lost = self.is_over_saturated();
        }
    }

    /// Whatever comes now, a median or the success rate misses its limit.
    fn cannot_pass(&self) -> Option<String> {
        let planned = self.planned;
        let counts = [("TTFT", self.over_ttft), ("TPOT", self.over_tpot), ("end-to-end latency", self.over_e2e)];
        if let Some((metric, over)) = counts.into_iter().find(|(_, over)| 2 * over > planned) {
            return Some(format!(
                "the SLA was out of reach: {metric} is above its limit in {over} of {planned} requests"
            ));
        }
        let best_rate = 1.0 - self.failed as f64 / planned.max(1) as f64;
        let missed = self.sla.min_success_rate.is_some_and(|least| best_rate < least);
        missed.then(|| format!("the SLA was out of reach: {} of {planned} requests failed", self.failed))
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
            growing.second(&second(t, 10 + 5 * t, 90.0 + 10.0 * f64::from(t)));
            // The queue grows, but answers still come in time.
            busy.second(&second(t, 10 + 5 * t, 20.0 + f64::from(t)));
            steady.second(&second(t, 40 + (t * 7) % 5, 150.0 + f64::from((t * 3) % 7)));
        }
        assert!(growing.lost().is_some_and(|why| why.starts_with("the server was over-saturated")), "{growing:?}");
        assert_eq!(busy.lost(), None);
        assert_eq!(steady.lost(), None);
    }
}
