//! Latency–throughput curves: what a server gave at several loads, and up to which the SLA holds, with an interval.

use serde::{Deserialize, Serialize};

use crate::bootstrap::{Draws, Interval};
use crate::isotonic::{last_at_most, rising_fit};
use crate::load::LoadPoint;
use crate::measure::Summary;
use crate::report::figure;
use crate::stats::percentile;

/// Resamples behind an interval.
const RESAMPLES: usize = 400;
/// Beyond these multiples of a limit a measurement says no more about where the limit is met.
const MOST_PRESSURE: f64 = 4.0;

/// What grows along a curve.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LoadAxis {
    /// Requests per second.
    #[default]
    Rate,
    /// Requests in flight.
    Concurrency,
}

impl LoadAxis {
    /// Both axes.
    pub const ALL: [LoadAxis; 2] = [LoadAxis::Rate, LoadAxis::Concurrency];

    /// The axis on which a load lies; a burst lies on none.
    pub fn of(point: &LoadPoint) -> Option<Self> {
        match point {
            LoadPoint::Rate { .. } => Some(LoadAxis::Rate),
            LoadPoint::Concurrency { .. } => Some(LoadAxis::Concurrency),
            LoadPoint::Burst { .. } => None,
        }
    }

    /// The unit, for a figure in front of it.
    pub fn unit(self) -> &'static str {
        match self {
            LoadAxis::Rate => "req/s",
            LoadAxis::Concurrency => "in flight",
        }
    }

    /// The titles of the columns of a curve's table.
    pub fn columns(self) -> [&'static str; 7] {
        let asked = match self {
            LoadAxis::Rate => "Asked, req/s",
            LoadAxis::Concurrency => "In flight",
        };
        [asked, "Achieved, req/s", "Output, tok/s", "p50 TTFT, ms", "p50 TPOT, ms", "Within the SLA, %", "Verdict"]
    }
}

/// One probe of a search with its requests.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Probe {
    /// The load that was really offered: requests per second, where random arrivals of a mean rate come faster or
    /// slower, or requests in flight.
    pub load: f64,
    /// Whether it held the SLA and the server kept up.
    pub holds: bool,
    /// For every latency limit: the limit and what each answered request measured, in order of their starts, ms.
    pub limits: Vec<(f64, Vec<f64>)>,
}

/// The load up to which the SLA holds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct SlaPoint {
    /// Requests per second, or in flight, where the isotonic fit over all probes meets the limit.
    #[serde(alias = "rate_rps")]
    pub load: f64,
    /// Where that lies if the same were measured again, in the same unit.
    pub interval: Interval,
    /// Whether even the highest probe held: the true point may then be anywhere above.
    pub open_above: bool,
}

/// One point of a curve as it is shown.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CurvePoint {
    /// The load asked for: requests per second, or requests in flight.
    #[serde(alias = "rate_rps")]
    pub load: f64,
    /// Completed requests per second; `None` where nothing was measured.
    pub achieved_rps: Option<f64>,
    /// Output tokens per second.
    #[serde(default)]
    pub output_token_throughput: Option<f64>,
    /// Median TTFT as the SLA takes it, ms: of a rate, the user's.
    pub p50_ttft_ms: Option<f64>,
    /// Median time per output token, ms.
    #[serde(default)]
    pub p50_tpot_ms: Option<f64>,
    /// Share of the planned requests that were answered within every limit, in [0, 1].
    pub pass_share: Option<f64>,
    /// Whether it held the SLA and the server kept up.
    pub holds: bool,
    /// Why the probe ended before its last request, where it did.
    pub ended_early: Option<String>,
}

/// The latency–throughput curve of one candidate in one scenario.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SearchCurve {
    /// The framework's id.
    pub framework: String,
    /// The candidate's id.
    pub candidate_id: String,
    /// The scenario's name.
    pub scenario: String,
    /// What grows from point to point.
    #[serde(default)]
    pub axis: LoadAxis,
    /// By rising load.
    pub points: Vec<CurvePoint>,
    /// Where the SLA stops holding; `None` where it never held, or where the loads were set and not searched.
    pub sla_point: Option<SlaPoint>,
}

/// Whether a server completed requests at the rate at which they were sent: the completed ones over the time until the
/// last answer, less one median answer (the tail in which nothing is sent), reach 95 % of the rate. Random arrivals of
/// `n` requests spread by 1/√n, of which two are allowed.
pub fn keeps_up(summary: &Summary, rate_rps: f64) -> bool {
    let tail_s = summary.e2e_ms.as_ref().map_or(0.0, |e2e| e2e.p50 / 1e3);
    let allowed = 0.95 - 2.0 / (summary.planned.max(1) as f64).sqrt();
    let span_s = (summary.duration_s - tail_s).max(f64::MIN_POSITIVE);
    summary.completed as f64 / span_s >= rate_rps * allowed
}

impl CurvePoint {
    /// How the probe ended, in words.
    pub fn verdict(&self) -> String {
        match (&self.ended_early, self.holds) {
            (Some(why), _) => format!("ended early: {why}"),
            (None, true) => "holds".to_owned(),
            (None, false) => "does not pass".to_owned(),
        }
    }
}

impl SlaPoint {
    /// Where the SLA stops holding, in words.
    pub fn sentence(&self, axis: LoadAxis) -> String {
        let (low, high) = (figure(self.interval.low), figure(self.interval.high));
        let above = if self.open_above { "; the highest load measured still holds it, so it may be more" } else { "" };
        format!(
            "The SLA holds up to {} {} (isotonic fit; 95 % interval {low} to {high}){above}.",
            figure(self.load),
            axis.unit()
        )
    }

    /// Finds the point by an isotonic fit over the probes of one search, and its interval by a bootstrap over their
    /// requests. `None` where there are no probes or the SLA does not hold at the lowest.
    ///
    /// A probe's pressure is the largest of its medians over their limits: at most 1 where it holds. The fit is made on
    /// logarithms, so that one overloaded probe far above does not pull the point down.
    pub fn find(probes: &[Probe], seed: u64) -> Option<SlaPoint> {
        let mut probes: Vec<&Probe> = probes.iter().collect();
        probes.sort_by(|a, b| a.load.total_cmp(&b.load));
        let loads: Vec<f64> = probes.iter().map(|probe| probe.load).collect();
        let crossing = |pressures: Vec<(f64, f64)>| last_at_most(&loads, &rising_fit(&pressures), 0.0);
        let load = crossing(probes.iter().map(|probe| probe.pressure(|values| values.to_vec())).collect())?;
        let mut draws = Draws::new(seed);
        let mut estimates = Vec::with_capacity(RESAMPLES);
        for _ in 0..RESAMPLES {
            let drawn = probes
                .iter()
                .map(|probe| probe.pressure(|values| draws.resample_blocks(values, block_of(values.len()))));
            estimates.push(crossing(drawn.collect()).unwrap_or(loads[0]));
        }
        let interval = Interval::of(&mut estimates)?;
        let open_above = probes.last().is_some_and(|highest| highest.holds);
        Some(SlaPoint { load, interval, open_above })
    }
}

/// How many neighbours of `n` requests are drawn together: n^(2/3), which grows with the measurement and still leaves
/// enough blocks to draw from.
fn block_of(n: usize) -> usize {
    (n as f64).powf(2.0 / 3.0).ceil() as usize
}

impl Probe {
    /// The logarithm of the pressure, after `draw` has had its way with the requests, and its weight.
    fn pressure(&self, mut draw: impl FnMut(&[f64]) -> Vec<f64>) -> (f64, f64) {
        let mut largest = f64::NEG_INFINITY;
        let mut requests = 1;
        for (limit, values) in self.limits.iter().filter(|(_, values)| !values.is_empty()) {
            let mut drawn = draw(values);
            drawn.sort_by(f64::total_cmp);
            if let Some(median) = percentile(&drawn, 50.0) {
                largest = largest.max((median / limit).ln());
            }
            requests = requests.max(values.len());
        }
        let most = MOST_PRESSURE.ln();
        let within = self.limits.iter().all(|(limit, values)| {
            let mut sorted = values.clone();
            sorted.sort_by(f64::total_cmp);
            percentile(&sorted, 50.0).is_none_or(|median| median <= *limit)
        });
        if !self.holds && within {
            // It failed by something else than a latency: requests failed, or the server fell behind.
            return (most, requests as f64);
        }
        (largest.clamp(-most, most), requests as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Requests whose median is `median` of a limit of 100.
    fn probe(load: f64, median: f64) -> Probe {
        let values = (0..101).map(|n| median + f64::from(n - 50) / 10.0).collect();
        Probe { load, holds: median <= 100.0, limits: vec![(100.0, values)] }
    }

    #[test]
    fn the_point_lies_where_the_limit_is_met() {
        let point =
            SlaPoint::find(&[probe(1.0, 60.0), probe(8.0, 400.0), probe(4.0, 90.0), probe(5.0, 111.0)], 1).unwrap();
        assert!((point.load - 4.5).abs() < 0.02, "{point:?}");
        assert!(point.interval.holds(point.load) && point.interval.low > 4.0 && point.interval.high < 5.0);
        assert!(!point.open_above);
    }

    #[test]
    fn a_point_says_its_interval_and_whether_it_may_be_more() {
        let mut point = SlaPoint { load: 4.25, interval: Interval { low: 4.0, high: 4.5 }, open_above: false };
        let closed = point.sentence(LoadAxis::Rate);
        assert!(
            closed.contains("4.25 req/s") && closed.contains("95 % interval 4") && !closed.contains("may be more"),
            "{closed}"
        );
        point.open_above = true;
        assert!(point.sentence(LoadAxis::Concurrency).contains("in flight"));
        assert!(point.sentence(LoadAxis::Rate).contains("may be more"));
    }

    #[test]
    fn a_curve_of_an_older_report_is_one_of_rates() {
        let stored = r#"{"framework": "vllm", "candidate_id": "a", "scenario": "chat", "points": [{"rate_rps": 2.0,
            "achieved_rps": 1.9, "p50_ttft_ms": 80.0, "pass_share": 1.0, "holds": true, "ended_early": null}],
            "sla_point": {"rate_rps": 2.5, "interval": {"low": 2.0, "high": 3.0}, "open_above": false}}"#;
        let curve: SearchCurve = serde_json::from_str(stored).unwrap();
        assert_eq!((curve.axis, curve.points[0].load, curve.points[0].p50_tpot_ms), (LoadAxis::Rate, 2.0, None));
        assert_eq!(curve.sla_point.unwrap().load, 2.5);
    }

    #[test]
    fn the_ends_are_said() {
        assert_eq!(SlaPoint::find(&[probe(1.0, 120.0), probe(2.0, 150.0)], 1), None);
        assert_eq!(SlaPoint::find(&[], 1), None);
        let open = SlaPoint::find(&[probe(1.0, 60.0), probe(2.0, 70.0)], 1).unwrap();
        assert!(open.open_above && open.load == 2.0);
    }

    #[test]
    fn a_probe_that_fell_behind_fails_whatever_its_medians() {
        let behind = Probe { holds: false, ..probe(2.0, 50.0) };
        let point = SlaPoint::find(&[probe(1.0, 50.0), behind], 1).unwrap();
        assert!(point.load < 2.0 && !point.open_above, "{point:?}");
    }
}
