//! How much better one row is than the next, and whether that is more than noise.

use serde::{Deserialize, Serialize};

use super::{RepeatFigures, SEED};
use crate::bootstrap::Interval;
use crate::ranking::Preference;
use crate::row::ResultRow;

/// What a difference comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// The first is better in all of the interval.
    Ahead,
    /// The interval holds 0: the difference is inside the noise.
    Tie,
    /// The first is worse in all of the interval, which the repeats that only one of them has turned round.
    Behind,
}

impl Verdict {
    /// The verdict as a word.
    pub const fn word(self) -> &'static str {
        match self {
            Verdict::Ahead => "ahead",
            Verdict::Tie => "tie",
            Verdict::Behind => "behind",
        }
    }
}

/// How much more throughput one repeated row has than another, as shares of the other: 0.1 is a tenth more.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Difference {
    /// By the figures of the two rows.
    pub share: f64,
    /// Where it would lie if both were measured again as often.
    pub interval: Interval,
    /// Repeats that both rows have.
    pub rounds: u32,
    /// What it comes to.
    pub verdict: Verdict,
}

impl Difference {
    /// Compares the repeats of two rows, round by round: in one round both were sent the same requests and met the
    /// machine at about the same time, so that what a round has in common says nothing about either. `None` where they
    /// have fewer than two rounds in common: a single difference has no noise that one could know.
    pub fn between(first: &ResultRow, second: &ResultRow, preference: Preference) -> Option<Difference> {
        let figure = |figures: &RepeatFigures| match preference {
            Preference::Requests => figures.request_throughput,
            Preference::Tokens => figures.output_token_throughput,
        };
        let (own, other) = (first.repeats()?, second.repeats()?);
        let ratios: Vec<f64> = own
            .counted()
            .filter_map(|figures| {
                let same_round = other.counted().find(|candidate| candidate.repeat == figures.repeat)?;
                Some(figure(figures)? / figure(same_round)?)
            })
            .collect();
        let share = preference.decisive(first)? / preference.decisive(second)? - 1.0;
        let Interval { low, high } = Interval::of_level(&ratios, SEED)?;
        let interval = Interval { low: low - 1.0, high: high - 1.0 };
        let verdict = match interval {
            _ if interval.holds(0.0) => Verdict::Tie,
            Interval { low, .. } if low > 0.0 => Verdict::Ahead,
            _ => Verdict::Behind,
        };
        Some(Difference { share, interval, rounds: u32::try_from(ratios.len()).unwrap_or(u32::MAX), verdict })
    }

    /// The interval in words, for example `95 % interval 2.9 to 5.2 %`.
    pub fn interval_text(&self) -> String {
        let percent = |share: f64| {
            let text = format!("{:.1}", share * 100.0);
            if text == "-0.0" { "0.0".to_owned() } else { text }
        };
        format!("95 % interval {} to {} %", percent(self.interval.low), percent(self.interval.high))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::confidence::Repeats;

    fn row(throughputs: &[f64]) -> ResultRow {
        let repeat = |(repeat, &rps): (usize, &f64)| RepeatFigures {
            repeat: repeat as u32 + 1,
            counts: true,
            request_throughput: Some(rps),
            ..RepeatFigures::default()
        };
        let mut sorted = throughputs.to_vec();
        sorted.sort_by(f64::total_cmp);
        let mut row = ResultRow::default();
        row.metrics.request_throughput = Some(sorted[(sorted.len() - 1) / 2]);
        row.podium.get_or_insert_default().repeats =
            Some(Repeats { figures: throughputs.iter().enumerate().map(repeat).collect(), ..Repeats::default() });
        row
    }

    fn between(first: &[f64], second: &[f64]) -> Option<Difference> {
        Difference::between(&row(first), &row(second), Preference::Requests)
    }

    #[test]
    fn a_difference_inside_the_noise_is_a_tie() {
        let tie = between(&[10.0, 10.4, 9.8], &[10.1, 9.7, 10.2]).unwrap();
        assert_eq!(tie.verdict, Verdict::Tie, "{tie:?}");
        let clear = between(&[12.0, 12.1, 11.9], &[10.1, 9.9, 10.0]).unwrap();
        assert_eq!((clear.verdict, clear.rounds), (Verdict::Ahead, 3), "{clear:?}");
        assert!(clear.interval.holds(clear.share) && (clear.share - 0.2).abs() < 1e-9);
        assert_eq!(between(&[10.0, 10.1, 9.9], &[12.0, 12.1, 11.9]).unwrap().verdict, Verdict::Behind);
        assert_eq!(between(&[10.0, 10.0], &[10.0, 10.0]).unwrap().verdict, Verdict::Tie);
    }

    #[test]
    fn what_a_round_has_in_common_is_no_noise() {
        // The rounds differ by a fifth, the candidates in each round by about 4 %.
        let difference = between(&[10.4, 12.5, 8.3], &[10.0, 12.0, 8.0]).unwrap();
        assert_eq!(difference.verdict, Verdict::Ahead);
        assert_eq!(difference.interval_text(), "95 % interval 3.4 to 4.5 %");
    }

    #[test]
    fn one_common_round_has_no_noise_that_one_could_know() {
        assert_eq!(between(&[12.0], &[10.0, 10.0]), None);
        assert_eq!(between(&[12.0, 12.0], &[0.0, 0.0]), None);
        let mut late = row(&[10.0, 10.0, 10.0]);
        for figures in late.podium.iter_mut().flat_map(|podium| podium.repeats.iter_mut()).flat_map(|r| &mut r.figures)
        {
            figures.counts = figures.repeat == 3;
        }
        assert_eq!(Difference::between(&row(&[12.0, 12.0, 12.0]), &late, Preference::Requests), None);
        assert_eq!(Difference::between(&ResultRow::default(), &late, Preference::Requests), None);
    }
}
