//! How sure a difference between two candidates is, and whether the machine stayed the same.

use serde::{Deserialize, Serialize};

use crate::bootstrap::{Draws, Interval};

/// Resamples behind an interval.
const RESAMPLES: usize = 2_000;
/// Between the first and the last measurement of the same candidate, a machine that did not change stays within this
/// share.
const DRIFT_LIMIT: f64 = 0.05;

/// How much better one candidate is than another, as a share of the other: 0.1 is a tenth more.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Difference {
    /// The means compared.
    pub share: f64,
    /// Where the share would lie if both were measured again.
    pub interval: Interval,
}

impl Difference {
    /// Compares the repeats of `better` with those of `other` (the same figure, more is better). `None` where either was
    /// measured only once: one measurement has no noise that one could know.
    pub fn between(better: &[f64], other: &[f64], seed: u64) -> Option<Difference> {
        let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
        let share = |a: &[f64], b: &[f64]| mean(a) / mean(b) - 1.0;
        if better.len() < 2 || other.len() < 2 || other.iter().any(|value| *value <= 0.0) {
            return None;
        }
        let mut draws = Draws::new(seed);
        let mut shares: Vec<_> =
            (0..RESAMPLES).map(|_| share(&draws.resample(better), &draws.resample(other))).collect();
        Some(Difference { share: share(better, other), interval: Interval::of(&mut shares)? })
    }

    /// Whether the difference is inside the noise: its interval holds 0.
    pub fn is_tie(&self) -> bool {
        self.interval.holds(0.0)
    }
}

/// A machine that changed while it was measured.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Drift {
    /// The last measurement of the baseline against the first, as a share: -0.1 is a tenth less.
    pub share: f64,
}

impl Drift {
    /// Compares the repeats of one candidate, in the order in which they were measured; `None` where the machine stayed
    /// the same or there is nothing to compare.
    pub fn of(baseline: &[f64]) -> Option<Drift> {
        let (first, rest) = baseline.split_first().filter(|(first, _)| **first > 0.0)?;
        let share = rest.last()? / first - 1.0;
        (share.abs() > DRIFT_LIMIT).then_some(Drift { share })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_difference_inside_the_noise_is_a_tie() {
        let tie = Difference::between(&[10.0, 10.4, 9.8], &[10.1, 9.7, 10.2], 1).unwrap();
        assert!(tie.is_tie(), "{tie:?}");
        let clear = Difference::between(&[12.0, 12.1, 11.9], &[10.1, 9.9, 10.0], 1).unwrap();
        assert!(!clear.is_tie() && clear.interval.holds(clear.share), "{clear:?}");
        assert!((clear.share - 0.2).abs() < 1e-9);
        assert_eq!(Difference::between(&[12.0], &[10.0, 10.0], 1), None);
        assert_eq!(Difference::between(&[12.0, 12.0], &[0.0, 0.0], 1), None);
    }

    #[test]
    fn a_machine_that_changed_is_seen() {
        assert_eq!(Drift::of(&[10.0, 9.9, 10.2]), None);
        assert_eq!(Drift::of(&[10.0]), None);
        let drift = Drift::of(&[10.0, 9.5, 9.0]).unwrap();
        assert!((drift.share + 0.1).abs() < 1e-9);
    }
}
