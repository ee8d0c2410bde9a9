//! Whether the machine stayed the same: the baseline's measurements against each other, over the whole run.

use serde::{Deserialize, Serialize};

use super::RepeatFigures;
use crate::fairness::Finding;
use crate::report::figure;
use crate::row::ResultRow;

/// The median time per token of one configuration stays within this share on a machine that does not change.
const LIMIT: f64 = 0.05;

/// A figure of a baseline's measurements.
type Figure = fn(&RepeatFigures) -> Option<f64>;

/// The measurements of one baseline in one scenario, from the first pass to the last repeat.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Steadiness {
    /// The baseline's row.
    pub row: usize,
    /// What is compared, for example `p50 TPOT`.
    pub figure: String,
    /// Its values in order of time, ms.
    pub values_ms: Vec<f64>,
    /// The largest change against the first value, as a share of it: 0.1 is a tenth slower.
    pub change: f64,
    /// Whether the machine stayed the same.
    pub finding: Finding,
}

impl Steadiness {
    /// Compares the measurements of a baseline; `None` for rows that are none, or have fewer than two measurements.
    ///
    /// The time per token is looked at, since it follows the machine's speed at every kind of load: at a fixed rate a
    /// slower machine has the same throughput. The first pass counts here, as no baseline was chosen by its figures.
    pub fn of(row: &ResultRow, index: usize) -> Option<Steadiness> {
        let repeats = row.repeats().filter(|_| row.is_baseline())?;
        let measured = || repeats.figures.iter().filter(|figures| figures.failure_reason.is_none());
        let series = |of: Figure| -> Option<Vec<f64>> {
            let values: Vec<f64> = measured().filter_map(of).filter(|value| *value > 0.0).collect();
            (values.len() > 1).then_some(values)
        };
        let figures: [(&str, Figure); 2] =
            [("p50 TPOT", |figures| figures.p50_tpot_ms), ("p50 E2E", |figures| figures.p50_e2e_ms)];
        let (name, values_ms) = figures.into_iter().find_map(|(name, of)| Some((name, series(of)?)))?;
        let changes = values_ms.iter().map(|value| value / values_ms[0] - 1.0);
        let change = changes.max_by(|a, b| a.abs().total_cmp(&b.abs()))?;
        let finding = if change.abs() > LIMIT { Finding::Fail } else { Finding::Pass };
        Some(Steadiness { row: index, figure: name.to_owned(), values_ms, change, finding })
    }

    /// From what it was found, in words: `p50 TPOT 7.10, 7.12, 11.8 ms: +66.2 %`.
    pub fn evidence(&self) -> String {
        let values: Vec<_> = self.values_ms.iter().map(|value| figure(*value)).collect();
        format!("{} {} ms: {:+.1} %", self.figure, values.join(", "), self.change * 100.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::confidence::Repeats;

    fn baseline(tpots_ms: &[Option<f64>]) -> ResultRow {
        let figures = |(repeat, tpot): (usize, &Option<f64>)| RepeatFigures {
            repeat: repeat as u32,
            p50_tpot_ms: *tpot,
            p50_e2e_ms: Some(100.0),
            ..RepeatFigures::default()
        };
        let mut row = ResultRow::default();
        let podium = row.podium.get_or_insert_default();
        podium.baseline = true;
        podium.repeats =
            Some(Repeats { figures: tpots_ms.iter().enumerate().map(figures).collect(), ..Repeats::default() });
        row
    }

    #[test]
    fn a_machine_that_changed_is_seen() {
        let same = Steadiness::of(&baseline(&[10.0, 9.9, 10.2].map(Some)), 3).unwrap();
        assert_eq!((same.finding, same.row), (Finding::Pass, 3));
        let slower = Steadiness::of(&baseline(&[10.0, 9.5, 12.0, 11.0].map(Some)), 0).unwrap();
        assert_eq!(slower.finding, Finding::Fail);
        assert_eq!(slower.evidence(), "p50 TPOT 10.0, 9.50, 12.0, 11.0 ms: +20.0 %");
        let faster = Steadiness::of(&baseline(&[10.0, 9.0].map(Some)), 0).unwrap();
        assert_eq!(faster.finding, Finding::Fail);
    }

    #[test]
    fn answers_of_one_token_are_compared_by_their_latency() {
        let found = Steadiness::of(&baseline(&[None, None]), 0).unwrap();
        assert_eq!((found.figure.as_str(), found.finding), ("p50 E2E", Finding::Pass));
        assert_eq!(Steadiness::of(&baseline(&[Some(10.0)]), 0), None);
        let mut other = baseline(&[10.0, 20.0].map(Some));
        other.podium.as_mut().unwrap().baseline = false;
        assert_eq!(Steadiness::of(&other, 0), None, "another candidate was chosen by its figures");
    }
}
