//! Bootstrap intervals: how far an estimate would move if the same were measured again. Every draw comes from a seed, so
//! that a stored measurement gives the same interval for ever.

use serde::{Deserialize, Serialize};

use crate::stats::percentile;

/// Resamples behind the interval of a few repeats.
const RESAMPLES: usize = 4_000;

/// The 97.5th percentile of Student's t for 1, 2, … degrees of freedom, and of the normal distribution that it tends to.
const T_975: [f64; 20] = [
    12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160, 2.145, 2.131, 2.120,
    2.110, 2.101, 2.093, 2.086,
];
const NORMAL_975: f64 = 1.960;

/// An interval that covers the truth in about 95 of 100 cases, in the estimate's own unit.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Interval {
    /// Its lower end.
    pub low: f64,
    /// Its upper end.
    pub high: f64,
}

impl Interval {
    /// The middle 95 % of `estimates`, sorted in place; `None` for none.
    pub fn of(estimates: &mut [f64]) -> Option<Self> {
        estimates.sort_by(f64::total_cmp);
        Some(Interval { low: percentile(estimates, 2.5)?, high: percentile(estimates, 97.5)? })
    }

    /// Where the level (the geometric mean) of a few positive values lies. `None` for fewer than two, or for values that
    /// are not positive.
    ///
    /// The residuals of the logarithms are drawn with either sign, since three of them say little about a skew, and
    /// widened by what so few values understate: √(n/(n−1)) and the ratio of Student's t to the normal. A plain bootstrap
    /// of three values would never leave their range, and would cover the truth in three of four cases.
    pub fn of_level(values: &[f64], seed: u64) -> Option<Self> {
        let n = values.len() as f64;
        if values.len() < 2 || !values.iter().all(|value| *value > 0.0 && value.is_finite()) {
            return None;
        }
        let logs: Vec<f64> = values.iter().map(|value| value.ln()).collect();
        let level = logs.iter().sum::<f64>() / n;
        let t = T_975.get(values.len() - 2).copied().unwrap_or(NORMAL_975);
        let widening = (n / (n - 1.0)).sqrt() * t / NORMAL_975;
        let residuals: Vec<f64> = logs.iter().map(|log| (log - level) * widening).collect();
        let mut draws = Draws::new(seed);
        let mut estimates: Vec<f64> = (0..RESAMPLES)
            .map(|_| {
                let sum: f64 = residuals
                    .iter()
                    .map(|_| {
                        let drawn = residuals[draws.below(residuals.len())];
                        if draws.below(2) == 0 { drawn } else { -drawn }
                    })
                    .sum();
                (level + sum / n).exp()
            })
            .collect();
        Interval::of(&mut estimates)
    }

    /// Whether it holds `value`.
    pub fn holds(&self, value: f64) -> bool {
        self.low <= value && value <= self.high
    }
}

/// A source of draws with replacement (SplitMix64).
#[derive(Debug, Clone)]
pub struct Draws {
    state: u64,
}

impl Draws {
    /// The draws that `seed` stands for.
    pub fn new(seed: u64) -> Self {
        Draws { state: seed }
    }

    /// A whole number below `bound`, which is above 0.
    pub fn below(&mut self, bound: usize) -> usize {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^= z >> 31;
        ((u128::from(z) * bound as u128) >> 64) as usize
    }

    /// As many of `values` as there are, drawn with replacement.
    pub fn resample(&mut self, values: &[f64]) -> Vec<f64> {
        (0..values.len()).map(|_| values[self.below(values.len())]).collect()
    }

    /// As many of `values` as there are, drawn in runs of `block` neighbours (the circular block bootstrap): requests
    /// that are in a queue together are slow together, so they are no independent draws.
    pub fn resample_blocks(&mut self, values: &[f64], block: usize) -> Vec<f64> {
        let n = values.len();
        let mut drawn = Vec::with_capacity(n + block);
        while drawn.len() < n {
            let start = self.below(n);
            drawn.extend((0..block.max(1)).map(|offset| values[(start + offset) % n]));
        }
        drawn.truncate(n);
        drawn
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_interval_of_a_mean_covers_it_about_as_often_as_it_says() {
        let mut source = Draws::new(1);
        let covered = (0..200).filter(|&trial| {
            let sample: Vec<f64> = (0..40).map(|_| source.below(1_000) as f64).collect();
            let mut draws = Draws::new(trial);
            let mean = |values: Vec<f64>| values.iter().sum::<f64>() / values.len() as f64;
            let mut means: Vec<_> = (0..300).map(|_| mean(draws.resample(&sample))).collect();
            Interval::of(&mut means).is_some_and(|interval| interval.holds(499.5))
        });
        let covered = covered.count();
        assert!((178..=199).contains(&covered), "{covered} of 200");
    }

    #[test]
    fn the_level_of_a_few_repeats_is_covered_about_as_often_as_it_says() {
        let mut source = Draws::new(7);
        // A sum of twelve uniform draws is close to normal.
        let mut normal = || (0..12).map(|_| source.below(1 << 20) as f64 / f64::from(1 << 20)).sum::<f64>() - 6.0;
        for repeats in [3, 5] {
            let covered = (0..1_000).filter(|&trial| {
                let sample: Vec<f64> = (0..repeats).map(|_| (0.02 * normal()).exp()).collect();
                Interval::of_level(&sample, trial).is_some_and(|interval| interval.holds(1.0))
            });
            let covered = covered.count();
            assert!((925..=985).contains(&covered), "{covered} of 1000 with {repeats} repeats");
        }
        assert_eq!(Interval::of_level(&[1.0], 0), None);
        assert_eq!(Interval::of_level(&[1.0, 0.0, 2.0], 0), None);
        let same = Interval::of_level(&[3.0, 3.0], 0).unwrap();
        assert!((same.low - 3.0).abs() < 1e-9 && (same.high - 3.0).abs() < 1e-9, "{same:?}");
    }

    #[test]
    fn blocks_keep_neighbours_together_and_the_seed_decides() {
        let values: Vec<f64> = (0..10).map(f64::from).collect();
        let drawn = Draws::new(3).resample_blocks(&values, 5);
        assert_eq!(drawn.len(), 10);
        for run in drawn.chunks(5) {
            assert!(run.windows(2).all(|w| (w[0] + 1.0) % 10.0 == w[1]), "{drawn:?}");
        }
        assert_eq!(drawn, Draws::new(3).resample_blocks(&values, 5));
        assert!(Draws::new(3).resample_blocks(&[], 5).is_empty());
    }
}
