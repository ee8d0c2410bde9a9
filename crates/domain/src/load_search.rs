//! The search for the highest load that holds the SLA, a rate or a number of requests in flight: the two ends first,
//! then bisection.

use crate::load::LoadPoint;
use crate::plan::{ConcurrencyRange, QpsRange};

/// What to do next.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Step {
    /// Measure this load, and report it with [`LoadSearch::record`].
    Probe(LoadPoint),
    /// The search is over.
    Done {
        /// The highest load that was measured and held the SLA; `None` when not even the lowest did.
        best: Option<LoadPoint>,
    },
}

/// The state of one search. It decides from what was recorded alone, so a search can be resumed by recording the
/// stored measurements again, in any order.
#[derive(Debug, Clone)]
pub struct LoadSearch {
    searched: Searched,
    /// The level of each probe (see [`LoadPoint::level`]) and whether it held.
    probes: Vec<(f64, bool)>,
}

/// What is searched, and where.
#[derive(Debug, Clone, Copy)]
enum Searched {
    Rate { range: QpsRange, max_concurrency: Option<u32> },
    Concurrency { range: ConcurrencyRange },
}

impl LoadSearch {
    /// A search for the highest rate within `range`, with at most `max_concurrency` in flight; nothing measured yet.
    pub fn rate(range: QpsRange, max_concurrency: Option<u32>) -> Self {
        LoadSearch { searched: Searched::Rate { range, max_concurrency }, probes: Vec::new() }
    }

    /// A search for the largest number of requests in flight within `range`; nothing measured yet.
    pub fn concurrency(range: ConcurrencyRange) -> Self {
        LoadSearch { searched: Searched::Concurrency { range }, probes: Vec::new() }
    }

    /// Reports whether `point`, which a step asked for, held the SLA.
    pub fn record(&mut self, point: LoadPoint, holds: bool) {
        if let Some(level) = point.level() {
            self.probes.push((level, holds));
        }
    }

    /// The next step.
    pub fn next(&self) -> Step {
        let (lower, upper, tolerance, max_rounds) = self.bounds();
        let best = self.probes.iter().filter(|p| p.1).map(|p| p.0).reduce(f64::max);
        let measured = |level: f64| self.probes.iter().any(|p| p.0 == level);
        if !measured(lower) {
            return Step::Probe(self.point(lower));
        }
        let Some(best) = best else { return Step::Done { best: None } };
        if !measured(upper) {
            return Step::Probe(self.point(upper));
        }
        // The lowest failing load above the best passing one; noise below it does not count.
        let ceiling = self.probes.iter().filter(|p| !p.1 && p.0 > best).map(|p| p.0).reduce(f64::min);
        let rounds = self.probes.iter().filter(|p| p.0 != lower && p.0 != upper).count();
        match ceiling {
            Some(ceiling) if ceiling - best > tolerance && rounds < max_rounds as usize => {
                Step::Probe(self.point(self.middle(best, ceiling)))
            }
            _ => Step::Done { best: Some(self.point(best)) },
        }
    }

    /// Lower end, upper end, tolerance and bisection steps.
    fn bounds(&self) -> (f64, f64, f64, u32) {
        match self.searched {
            Searched::Rate { range, .. } => (range.lower, range.upper, range.tolerance, range.max_rounds),
            // Neighbouring numbers have nothing between them.
            Searched::Concurrency { range } => {
                (range.lower.into(), range.upper.into(), range.tolerance.max(1).into(), range.max_rounds)
            }
        }
    }

    /// Half-way, on a level that can be asked for: thousandths of a rate, whole requests in flight.
    fn middle(&self, best: f64, ceiling: f64) -> f64 {
        let middle = (best + ceiling) / 2.0;
        match self.searched {
            Searched::Rate { .. } => (middle * 1000.0).round() / 1000.0,
            Searched::Concurrency { .. } => middle.floor(),
        }
    }

    fn point(&self, level: f64) -> LoadPoint {
        match self.searched {
            Searched::Rate { max_concurrency, .. } => LoadPoint::Rate { rate_rps: level, max_concurrency },
            Searched::Concurrency { .. } => LoadPoint::Concurrency { concurrency: level as u32 },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The best load of a server with this capacity, and how many probes it took to find it.
    fn run(mut search: LoadSearch, capacity: f64) -> (Option<f64>, usize) {
        for probes in 0..100 {
            match search.next() {
                Step::Probe(point) => search.record(point, point.level().unwrap() <= capacity),
                Step::Done { best } => return (best.and_then(|best| best.level()), probes),
            }
        }
        panic!("the search does not end");
    }

    fn rate(capacity_rps: f64, range: QpsRange) -> (Option<f64>, usize) {
        run(LoadSearch::rate(range, Some(64)), capacity_rps)
    }

    #[test]
    fn it_brackets_and_bisects() {
        let range = QpsRange { lower: 1.0, upper: 17.0, tolerance: 0.5, max_rounds: 10 };
        let (best, probes) = rate(6.3, range);
        assert!((6.3 - best.unwrap()) <= 0.5 && best.unwrap() <= 6.3, "{best:?}");
        assert_eq!(probes, 2 + 5);
    }

    #[test]
    fn the_ends_decide_where_they_can() {
        let range = QpsRange { lower: 1.0, upper: 4.0, tolerance: 0.1, max_rounds: 5 };
        assert_eq!(rate(0.5, range), (None, 1));
        assert_eq!(rate(9.0, range), (Some(4.0), 2));
    }

    #[test]
    fn rounds_are_bounded() {
        let range = QpsRange { lower: 1.0, upper: 1000.0, tolerance: 1e-9, max_rounds: 5 };
        assert_eq!(rate(333.0, range).1, 2 + 5);
    }

    #[test]
    fn requests_in_flight_are_whole_and_found_exactly() {
        for capacity in 1..=64u32 {
            for tolerance in [0, 1] {
                let range = ConcurrencyRange { lower: 1, upper: 64, tolerance, max_rounds: 10 };
                let (best, probes) = run(LoadSearch::concurrency(range), capacity.into());
                assert_eq!(best, Some(capacity.into()), "within {tolerance}");
                assert!(probes <= 2 + 6, "{probes} probes for {capacity}");
            }
        }
        let coarse = ConcurrencyRange { lower: 1, upper: 256, tolerance: 16, max_rounds: 10 };
        assert_eq!(run(LoadSearch::concurrency(coarse), 100.0), (Some(96.0), 2 + 4));
    }

    #[test]
    fn probes_keep_the_cap() {
        let range = QpsRange { lower: 1.0, upper: 4.0, tolerance: 0.1, max_rounds: 5 };
        let capped = LoadPoint::Rate { rate_rps: 1.0, max_concurrency: Some(8) };
        assert_eq!(LoadSearch::rate(range, Some(8)).next(), Step::Probe(capped));
    }
}
