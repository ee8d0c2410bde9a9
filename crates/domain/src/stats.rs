//! Percentiles and summaries of samples.

use serde::{Deserialize, Serialize};

/// The `q`-th percentile (`q` in 0..=100) of `sorted` (ascending) by linear interpolation between the two closest
/// ranks, which is numpy's default. `None` for no samples.
pub fn percentile(sorted: &[f64], q: f64) -> Option<f64> {
    let last = sorted.len().checked_sub(1)?;
    let rank = (q / 100.0).clamp(0.0, 1.0) * last as f64;
    let below = rank.floor() as usize;
    let above = rank.ceil() as usize;
    let fraction = rank - below as f64;
    Some(sorted[below] + (sorted[above] - sorted[below]) * fraction)
}

/// The summary of one metric over all its samples, in the metric's own unit.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Distribution {
    /// How many samples there were.
    pub n: u64,
    /// Arithmetic mean.
    pub mean: f64,
    /// Smallest sample.
    pub min: f64,
    /// 1st percentile.
    pub p1: f64,
    /// 5th percentile.
    pub p5: f64,
    /// 10th percentile.
    pub p10: f64,
    /// 25th percentile.
    pub p25: f64,
    /// Median.
    pub p50: f64,
    /// 75th percentile.
    pub p75: f64,
    /// 90th percentile.
    pub p90: f64,
    /// 95th percentile.
    pub p95: f64,
    /// 99th percentile.
    pub p99: f64,
    /// 99.9th percentile.
    pub p99_9: f64,
    /// Largest sample.
    pub max: f64,
}

impl Distribution {
    /// Summarises `samples` (sorted in place; samples must be finite). `None` for no samples.
    pub fn of(samples: &mut [f64]) -> Option<Self> {
        samples.sort_by(f64::total_cmp);
        let at = |q| percentile(samples, q);
        Some(Distribution {
            n: samples.len() as u64,
            mean: samples.iter().sum::<f64>() / samples.len() as f64,
            min: *samples.first()?,
            p1: at(1.0)?,
            p5: at(5.0)?,
            p10: at(10.0)?,
            p25: at(25.0)?,
            p50: at(50.0)?,
            p75: at(75.0)?,
            p90: at(90.0)?,
            p95: at(95.0)?,
            p99: at(99.0)?,
            p99_9: at(99.9)?,
            max: *samples.last()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn percentiles_agree_with_numpy() {
        // numpy.percentile([1, 2, 3, 4], [25, 50, 99]) == [1.75, 2.5, 3.97]
        let sorted = [1.0, 2.0, 3.0, 4.0];
        for (q, expected) in [(25.0, 1.75), (50.0, 2.5), (99.0, 3.97), (0.0, 1.0), (100.0, 4.0)] {
            assert!((percentile(&sorted, q).unwrap() - expected).abs() < 1e-12, "p{q}");
        }
        assert_eq!(percentile(&[], 50.0), None);
        assert_eq!(Distribution::of(&mut []), None);
    }

    proptest! {
        #[test]
        fn percentiles_rise_and_stay_inside(mut samples in prop::collection::vec(-1e9..1e9f64, 1..200)) {
            let d = Distribution::of(&mut samples).unwrap();
            let ordered = [d.min, d.p1, d.p5, d.p10, d.p25, d.p50, d.p75, d.p90, d.p95, d.p99, d.p99_9, d.max];
            prop_assert!(ordered.windows(2).all(|w| w[0] <= w[1]));
            prop_assert_eq!(d.n, samples.len() as u64);
        }
    }
}
