//! The search for the highest request rate that holds the SLA: the two ends first, then bisection.

use crate::plan::QpsRange;

/// What to do next.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Step {
    /// Measure this rate, requests per second, and report it with [`QpsSearch::record`].
    Probe(f64),
    /// The search is over.
    Done {
        /// The highest rate that was measured and held the SLA; `None` when not even the lowest did.
        best_rps: Option<f64>,
    },
}

/// The state of one search. It decides from what was recorded alone, so a search can be resumed by recording the
/// stored measurements again, in any order.
#[derive(Debug, Clone)]
pub struct QpsSearch {
    range: QpsRange,
    probes: Vec<(f64, bool)>,
}

impl QpsSearch {
    /// A search within `range`, nothing measured yet.
    pub fn new(range: QpsRange) -> Self {
        QpsSearch { range, probes: Vec::new() }
    }

    /// Reports whether `rate_rps` held the SLA.
    pub fn record(&mut self, rate_rps: f64, holds: bool) {
        self.probes.push((rate_rps, holds));
    }

    /// The next step.
    pub fn next(&self) -> Step {
        let QpsRange { lower, upper, tolerance, max_rounds } = self.range;
        let best = self.probes.iter().filter(|p| p.1).map(|p| p.0).reduce(f64::max);
        let measured = |rate: f64| self.probes.iter().any(|p| p.0 == rate);
        if !measured(lower) {
            return Step::Probe(lower);
        }
        let Some(best) = best else { return Step::Done { best_rps: None } };
        if !measured(upper) {
            return Step::Probe(upper);
        }
        // The lowest failing rate above the best passing one; noise below it does not count.
        let ceiling = self.probes.iter().filter(|p| !p.1 && p.0 > best).map(|p| p.0).reduce(f64::min);
        let rounds = self.probes.iter().filter(|p| p.0 != lower && p.0 != upper).count();
        match ceiling {
            Some(ceiling) if ceiling - best > tolerance && rounds < max_rounds as usize => {
                Step::Probe(round_to_thousandth((best + ceiling) / 2.0))
            }
            _ => Step::Done { best_rps: Some(best) },
        }
    }
}

fn round_to_thousandth(rate_rps: f64) -> f64 {
    (rate_rps * 1000.0).round() / 1000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn search(capacity_rps: f64, range: QpsRange) -> (Option<f64>, usize) {
        let mut search = QpsSearch::new(range);
        for probes in 0..100 {
            match search.next() {
                Step::Probe(rate) => search.record(rate, rate <= capacity_rps),
                Step::Done { best_rps } => return (best_rps, probes),
            }
        }
        panic!("the search does not end");
    }

    #[test]
    fn it_brackets_and_bisects() {
        let range = QpsRange { lower: 1.0, upper: 17.0, tolerance: 0.5, max_rounds: 10 };
        let (best, probes) = search(6.3, range);
        assert!((6.3 - best.unwrap()) <= 0.5 && best.unwrap() <= 6.3, "{best:?}");
        assert_eq!(probes, 2 + 5);
    }

    #[test]
    fn the_ends_decide_where_they_can() {
        let range = QpsRange { lower: 1.0, upper: 4.0, tolerance: 0.1, max_rounds: 5 };
        assert_eq!(search(0.5, range), (None, 1));
        assert_eq!(search(9.0, range), (Some(4.0), 2));
    }

    #[test]
    fn rounds_are_bounded() {
        let range = QpsRange { lower: 1.0, upper: 1000.0, tolerance: 1e-9, max_rounds: 5 };
        assert_eq!(search(333.0, range).1, 2 + 5);
    }
}
