//! Which measurement stands for a candidate in a scenario.

use super::{RepeatFigures, Repeats, SEED};
use crate::bootstrap::Interval;
use crate::load::LoadPoint;
use crate::measure::Summary;
use crate::row::best_measurement;
use crate::stats::Distribution;
use crate::validity::Validity;

/// A measurement of the plan's primary load mode that has ended.
#[derive(Debug, Clone)]
pub struct EndedMeasurement<'a> {
    /// 0 in the first pass, from 1 on in the second.
    pub repeat: u32,
    /// The load.
    pub load_point: LoadPoint,
    /// The measurement.
    pub measurement_id: String,
    /// What was measured; `None` where it failed.
    pub summary: Option<&'a Summary>,
    /// Whether it held the SLA.
    pub holds: bool,
    /// Why it failed.
    pub failure_reason: Option<&'a str>,
}

/// What stands for a candidate in a scenario.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Choice {
    /// The measurement; `None` where nothing was measured, or where most repeats failed.
    pub index: Option<usize>,
    /// The measurements behind it, where the candidate was measured again.
    pub repeats: Option<Repeats>,
}

impl EndedMeasurement<'_> {
    /// Whether it says anything of the candidate: an invalid measurement does not, a failed one does.
    fn is_evidence(&self) -> bool {
        self.summary.is_none_or(|summary| summary.validity.may_win())
    }

    fn held(&self) -> bool {
        self.holds && self.is_evidence() && self.summary.is_some_and(|summary| summary.completed > 0)
    }

    fn throughput(&self) -> f64 {
        self.summary.and_then(|summary| summary.request_throughput).unwrap_or(0.0)
    }

    fn figures(&self, counts: bool) -> RepeatFigures {
        let summary = self.summary;
        let p50 = |of: fn(&Summary) -> &Option<Distribution>| Some(of(summary?).as_ref()?.p50);
        let invalid = summary.map(|summary| &summary.validity).filter(|validity| !validity.may_win());
        let reason = |validity: &Validity| {
            let texts: Vec<_> = validity.reasons().iter().map(|reason| reason.text.as_str()).collect();
            format!("the measurement is invalid: {}", texts.join("; "))
        };
        RepeatFigures {
            repeat: self.repeat,
            counts,
            measurement_id: Some(self.measurement_id.clone()),
            sla_passed: summary.map(|_| self.holds),
            failure_reason: invalid.map(reason).or_else(|| self.failure_reason.map(str::to_owned)),
            request_throughput: summary.and_then(|summary| summary.request_throughput),
            output_token_throughput: summary.and_then(|summary| summary.output_token_throughput),
            p50_ttft_ms: p50(|summary| &summary.ttft_ms),
            p50_tpot_ms: p50(|summary| &summary.tpot_ms),
            p50_e2e_ms: p50(|summary| &summary.e2e_ms),
        }
    }
}

/// Which of a candidate's measurements in one scenario stands for its row.
///
/// With two repeats or more that say anything of the candidate, they decide and the first pass does not. A candidate
/// holds the SLA where more than half of them do; its row is the one of middle request throughput among those (the
/// lower of two), so that every figure of a row belongs to one measurement. Where fewer hold it, the middle one of the
/// others stands, and the row says what they missed; where those failed altogether, none does. Else the first pass
/// stands: see [`best_measurement`].
pub fn choose(ended: &[EndedMeasurement<'_>]) -> Choice {
    let second: Vec<usize> = (0..ended.len()).filter(|&i| ended[i].repeat > 0).collect();
    let evidence: Vec<usize> = second.iter().copied().filter(|&i| ended[i].is_evidence()).collect();
    if evidence.len() < 2 {
        let index = of_first_pass(ended);
        let load = second.first().map(|&i| ended[i].load_point);
        return Choice { index, repeats: load.map(|load| repeats(ended, load, &[])) };
    }
    let (held, others): (Vec<usize>, Vec<usize>) = evidence.iter().partition(|&&i| ended[i].held());
    let counted = if held.len() * 2 > evidence.len() {
        held
    } else {
        others.into_iter().filter(|&i| ended[i].summary.is_some()).collect()
    };
    Choice {
        index: middle_of(&counted, |i| ended[i].throughput()),
        repeats: Some(repeats(ended, ended[evidence[0]].load_point, &counted)),
    }
}

fn of_first_pass(ended: &[EndedMeasurement<'_>]) -> Option<usize> {
    let first: Vec<usize> = (0..ended.len()).filter(|&i| ended[i].repeat == 0 && ended[i].summary.is_some()).collect();
    let figures: Vec<_> = first.iter().filter_map(|&i| Some((ended[i].summary?, ended[i].holds))).collect();
    best_measurement(&figures).map(|index| first[index])
}

/// The one of middle throughput, the lower of two; `None` for none.
pub(super) fn middle_of(counted: &[usize], throughput: impl Fn(usize) -> f64) -> Option<usize> {
    let mut sorted = counted.to_vec();
    sorted.sort_by(|&a, &b| throughput(a).total_cmp(&throughput(b)));
    sorted.get(sorted.len().checked_sub(1)? / 2).copied()
}

/// The measurements at the load that was repeated.
fn repeats(ended: &[EndedMeasurement<'_>], load: LoadPoint, counted: &[usize]) -> Repeats {
    let same_load = (0..ended.len()).filter(|&i| ended[i].load_point.key() == load.key());
    let mut figures: Vec<_> = same_load.map(|i| ended[i].figures(counted.contains(&i))).collect();
    figures.sort_by_key(|figures| figures.repeat);
    let throughputs: Vec<f64> = counted.iter().map(|&i| ended[i].throughput()).collect();
    Repeats { figures, request_throughput_interval: Interval::of_level(&throughputs, SEED) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::validity::Reason;

    fn summary(request_throughput: f64) -> Summary {
        crate::row::tests::summary(request_throughput, 100.0, 100.0)
    }

    fn invalid() -> Summary {
        let reason = Reason { code: "client_limited".into(), text: "the client was busy".into() };
        Summary { validity: Validity::Invalid(vec![reason]), ..summary(99.0) }
    }

    fn ended_in(repeat: u32, summary: Option<&Summary>, holds: bool) -> EndedMeasurement<'_> {
        EndedMeasurement {
            repeat,
            load_point: LoadPoint::Concurrency { concurrency: 4 },
            measurement_id: repeat.to_string(),
            summary,
            holds,
            failure_reason: summary.is_none().then_some("out of memory"),
        }
    }

    fn counted(choice: &Choice) -> Vec<u32> {
        choice.repeats.iter().flat_map(|repeats| repeats.counted().map(|figures| figures.repeat)).collect()
    }

    #[test]
    fn the_middle_repeat_stands_and_the_first_pass_does_not() {
        let [lucky, low, high, mid] = [20.0, 9.0, 11.0, 10.0].map(summary);
        let first = [ended_in(0, Some(&lucky), true)];
        assert_eq!(choose(&first), Choice { index: Some(0), repeats: None });
        assert_eq!(choose(&[]), Choice::default());

        let ended = [
            ended_in(0, Some(&lucky), true),
            ended_in(1, Some(&high), true),
            ended_in(2, Some(&low), true),
            ended_in(3, Some(&mid), true),
        ];
        let choice = choose(&ended);
        assert_eq!((choice.index, counted(&choice)), (Some(3), vec![1, 2, 3]));
        let repeats = choice.repeats.unwrap();
        assert_eq!(repeats.figures.iter().map(|f| (f.repeat, f.counts)).collect::<Vec<_>>()[0], (0, false));
        let interval = repeats.request_throughput_interval.unwrap();
        assert!(interval.holds(10.0) && interval.low < 9.0 && interval.high > 11.0, "{interval:?}");

        let two = choose(&ended[..3]);
        assert_eq!(two.index, Some(2), "the lower of two");
        let one = choose(&ended[..2]);
        assert_eq!((one.index, counted(&one)), (Some(0), vec![]), "one repeat is not enough");
    }

    #[test]
    fn another_load_of_the_first_pass_is_no_repeat() {
        let [ten, eleven] = [10.0, 11.0].map(summary);
        let elsewhere = EndedMeasurement {
            load_point: LoadPoint::Concurrency { concurrency: 1 },
            ..ended_in(0, Some(&eleven), true)
        };
        let ended =
            [elsewhere, ended_in(0, Some(&ten), true), ended_in(1, Some(&ten), true), ended_in(2, Some(&eleven), true)];
        let repeats = choose(&ended).repeats.unwrap();
        assert_eq!(repeats.figures.iter().map(|f| f.repeat).collect::<Vec<_>>(), [0, 1, 2]);
    }

    #[test]
    fn most_repeats_decide_whether_the_limits_hold() {
        let [a, b, c] = [8.0, 9.0, 10.0].map(summary);
        let held = choose(&[ended_in(1, Some(&a), true), ended_in(2, Some(&c), false), ended_in(3, Some(&b), true)]);
        assert_eq!((held.index, counted(&held)), (Some(0), vec![1, 3]));
        let missed = choose(&[ended_in(1, Some(&a), false), ended_in(2, Some(&c), true), ended_in(3, Some(&b), false)]);
        assert_eq!((missed.index, counted(&missed)), (Some(0), vec![1, 3]));
        let even = choose(&[ended_in(1, Some(&a), true), ended_in(2, Some(&b), false)]);
        assert_eq!(even.index, Some(1), "half is not most");
    }

    #[test]
    fn a_failed_repeat_speaks_against_the_candidate_and_an_invalid_one_does_not() {
        let [a, b] = [8.0, 9.0].map(summary);
        let invalid = invalid();
        let one_failed = choose(&[ended_in(1, None, false), ended_in(2, Some(&b), true), ended_in(3, Some(&a), true)]);
        assert_eq!((one_failed.index, counted(&one_failed)), (Some(2), vec![2, 3]));
        let most_failed = choose(&[ended_in(0, Some(&a), true), ended_in(1, None, false), ended_in(2, None, false)]);
        assert_eq!(most_failed.index, None);
        let reasons = most_failed.repeats.unwrap();
        assert_eq!(reasons.figures[1].failure_reason.as_deref(), Some("out of memory"));
        let noisy =
            choose(&[ended_in(1, Some(&invalid), true), ended_in(2, Some(&b), true), ended_in(3, Some(&a), true)]);
        assert_eq!((noisy.index, counted(&noisy)), (Some(2), vec![2, 3]));
        let all_noisy =
            [ended_in(0, Some(&a), true), ended_in(1, Some(&invalid), true), ended_in(2, Some(&invalid), true)];
        assert_eq!(choose(&all_noisy).index, Some(0), "the first pass is all that can be trusted");
    }
}
