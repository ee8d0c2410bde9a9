//! The clock of one measurement.

use std::time::{Duration, Instant};

/// Nanoseconds since the start of a measurement, on the system's monotonic clock.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Clock {
    zero: Instant,
}

impl Clock {
    /// A clock that reads 0 at `zero`.
    pub fn starting_at(zero: Instant) -> Self {
        Clock { zero }
    }

    /// The instant at which the clock reads 0.
    pub fn zero(&self) -> Instant {
        self.zero
    }

    /// Now; 0 before the start.
    pub fn now_ns(&self) -> u64 {
        self.at_ns(Instant::now())
    }

    /// What the clock reads at `instant`; 0 before the start.
    pub fn at_ns(&self, instant: Instant) -> u64 {
        // 2^64 ns are 584 years.
        u64::try_from(instant.saturating_duration_since(self.zero).as_nanos()).unwrap_or(u64::MAX)
    }

    /// The instant at which the clock reads `ns`.
    pub fn instant(&self, ns: u64) -> Instant {
        self.zero + Duration::from_nanos(ns)
    }
}
