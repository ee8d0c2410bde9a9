//! When requests are to start.

use podium_domain::load::LoadPoint;

use crate::arrivals::Arrivals;
use crate::error::Error;
use crate::rng::Rng;

/// The intended starts of a measurement, fixed before it begins and never moved by an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schedule {
    /// Intended start of each request, nanoseconds from the measurement's start, ascending. All zero for bursts and for
    /// closed loops, where a request starts when a slot is free.
    pub starts_ns: Vec<u64>,
    /// At most this many requests are in flight.
    pub max_in_flight: Option<u32>,
    /// Whether the next request waits for an answer, so that the server sets the pace.
    pub closed_loop: bool,
}

/// The latest start that is accepted: a century, so that sums never overflow.
const LATEST_START_S: f64 = 100.0 * 365.0 * 86_400.0;

impl Schedule {
    /// The schedule of `count` requests under `load`.
    ///
    /// At a rate, the first request starts at 0 and the last at `(count − 1) / mean rate`, for all spacings but a trace:
    /// drawn gaps are scaled so that a short measurement has exactly the mean rate that it is named after.
    pub fn new(load: &LoadPoint, arrivals: &Arrivals, count: u32, seed: u64, key: &str) -> Result<Self, Error> {
        if load.max_concurrency() == Some(0) {
            let field = if load.is_open_loop() { "max_concurrency" } else { "concurrency" };
            return Err(Error::OutOfRange { field, value: "0".to_owned(), expected: "at least 1" });
        }
        let starts_ns = match load.rate_rps() {
            Some(rate_rps) => starts_at_rate(rate_rps, arrivals, count, seed, key)?,
            None => vec![0; count as usize],
        };
        Ok(Schedule { starts_ns, max_in_flight: load.max_concurrency(), closed_loop: !load.is_open_loop() })
    }

    /// Leaves out what would start at or after `duration_s`. Closed loops are unchanged: they have no intended starts.
    pub fn truncate_after(&mut self, duration_s: f64) {
        let end_ns = nanoseconds(duration_s);
        let kept = self.starts_ns.partition_point(|start| *start < end_ns);
        self.starts_ns.truncate(kept);
    }
}

fn starts_at_rate(rate_rps: f64, arrivals: &Arrivals, count: u32, seed: u64, key: &str) -> Result<Vec<u64>, Error> {
    let span_s = f64::from(count.saturating_sub(1)) / rate_rps;
    if !(rate_rps.is_finite() && rate_rps > 0.0 && span_s <= LATEST_START_S) {
        let expected = "a number of requests per second above 0";
        return Err(Error::OutOfRange { field: "rate_rps", value: rate_rps.to_string(), expected });
    }
    let starts_s = arrivals.starts_s(count, rate_rps, &mut Rng::new(seed, key, "arrivals"))?;
    if let Some(last) = starts_s.last().filter(|last| **last > LATEST_START_S) {
        let expected = "no later than a century after the first";
        return Err(Error::OutOfRange { field: "starts_s", value: last.to_string(), expected });
    }
    Ok(starts_s.into_iter().map(nanoseconds).collect())
}

/// Seconds as nanoseconds; what is not a positive number is 0.
fn nanoseconds(seconds: f64) -> u64 {
    (seconds * 1e9).round() as u64
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const RATE: LoadPoint = LoadPoint::Rate { rate_rps: 50.0, max_concurrency: None };

    #[test]
    fn constant_arrivals_do_not_drift() {
        let schedule = Schedule::new(&RATE, &Arrivals::Constant, 1001, 1, "k").unwrap();
        assert_eq!(schedule.starts_ns[1], 20_000_000);
        assert_eq!(schedule.starts_ns[1000], 20_000_000_000);
    }

    #[test]
    fn poisson_gaps_are_exponential() {
        let schedule = Schedule::new(&RATE, &Arrivals::Poisson, 20_001, 1, "k").unwrap();
        let gaps: Vec<f64> = schedule.starts_ns.windows(2).map(|w| (w[1] - w[0]) as f64 / 20e6).collect();
        let share_above_mean = gaps.iter().filter(|gap| **gap > 1.0).count() as f64 / gaps.len() as f64;
        assert!((share_above_mean - (-1.0f64).exp()).abs() < 0.01, "{share_above_mean}");
    }

    #[test]
    fn closed_loops_and_bursts_have_no_starts_of_their_own() {
        let closed = Schedule::new(&LoadPoint::Concurrency { concurrency: 4 }, &Arrivals::Poisson, 9, 1, "k").unwrap();
        assert_eq!((closed.starts_ns, closed.max_in_flight, closed.closed_loop), (vec![0; 9], Some(4), true));
        let burst = Schedule::new(&LoadPoint::Burst { max_concurrency: None }, &Arrivals::Poisson, 9, 1, "k").unwrap();
        assert_eq!((burst.starts_ns, burst.max_in_flight, burst.closed_loop), (vec![0; 9], None, false));
    }

    #[test]
    fn a_duration_cuts_the_schedule() {
        let mut schedule = Schedule::new(&RATE, &Arrivals::Constant, 1001, 1, "k").unwrap();
        schedule.truncate_after(1.0);
        assert_eq!(schedule.starts_ns.len(), 50);
    }

    #[test]
    fn senseless_loads_are_refused() {
        for rate_rps in [0.0, -1.0, f64::NAN, f64::INFINITY, 1e-300] {
            let load = LoadPoint::Rate { rate_rps, max_concurrency: None };
            assert!(Schedule::new(&load, &Arrivals::Poisson, 10, 1, "k").is_err(), "{rate_rps}");
        }
        assert!(Schedule::new(&LoadPoint::Concurrency { concurrency: 0 }, &Arrivals::Poisson, 1, 1, "k").is_err());
    }

    proptest! {
        #[test]
        fn rates_are_met_exactly_and_seeds_decide(rate_rps in 0.01..5000.0f64, count in 2..500u32, seed: u64) {
            let load = LoadPoint::Rate { rate_rps, max_concurrency: None };
            let schedule = Schedule::new(&load, &Arrivals::Poisson, count, seed, "k").unwrap();
            prop_assert_eq!(schedule.starts_ns.len(), count as usize);
            prop_assert_eq!(schedule.starts_ns[0], 0);
            prop_assert!(schedule.starts_ns.windows(2).all(|w| w[0] <= w[1]));
            let span_s = *schedule.starts_ns.last().unwrap() as f64 / 1e9;
            let wanted_s = f64::from(count - 1) / rate_rps;
            prop_assert!((span_s - wanted_s).abs() <= 1e-6 * wanted_s + 1e-9);
            prop_assert_eq!(&schedule, &Schedule::new(&load, &Arrivals::Poisson, count, seed, "k").unwrap());
        }
    }
}
