//! How a measurement went beyond its headline: the spread of its latencies, and its throughput over time.

use serde::{Deserialize, Serialize};

use crate::measure::{SeriesPoint, Summary};
use crate::stats::Distribution;

/// Windows of a series over time at most; more could not be told apart in a chart.
const MAX_WINDOWS: u32 = 40;

/// The profile of one candidate in one scenario, of the measurement that stands for its row.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Profile {
    /// The framework's id.
    pub framework: String,
    /// The candidate's id.
    pub candidate_id: String,
    /// The scenario's name.
    pub scenario: String,
    /// TTFT as the SLA reads it, ms.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ttft_ms: Option<Distribution>,
    /// Time per output token, one value per request, ms.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tpot_ms: Option<Distribution>,
    /// From sending to the last token, ms.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub e2e_ms: Option<Distribution>,
    /// Throughput over time.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub windows: Vec<Window>,
}

/// Some seconds of a measurement.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Window {
    /// Its middle, seconds from the measurement's start.
    pub t_s: f64,
    /// Completed requests per second.
    pub request_throughput: f64,
    /// Output tokens per second.
    pub output_token_throughput: f64,
}

impl Profile {
    /// The profile of a measurement; `is_open_loop` says from when TTFT counts.
    pub fn of(
        (framework, candidate_id, scenario): (&str, &str, &str),
        is_open_loop: bool,
        summary: &Summary,
        series: &[SeriesPoint],
    ) -> Self {
        Profile {
            framework: framework.to_owned(),
            candidate_id: candidate_id.to_owned(),
            scenario: scenario.to_owned(),
            ttft_ms: if is_open_loop { &summary.user_ttft_ms } else { &summary.ttft_ms }.clone(),
            tpot_ms: summary.tpot_ms.clone(),
            e2e_ms: summary.e2e_ms.clone(),
            windows: windows(series),
        }
    }
}

/// The series in windows of equal length. A second that is missing in it saw nothing.
fn windows(series: &[SeriesPoint]) -> Vec<Window> {
    let Some(seconds) = series.last().map(|last| last.t_s + 1) else { return Vec::new() };
    let length_s = seconds.div_ceil(MAX_WINDOWS).max(1);
    let window = |start: u32| {
        let own = || series.iter().filter(|point| (start..start + length_s).contains(&point.t_s));
        // The last one may be shorter.
        let span_s = f64::from(length_s.min(seconds - start));
        Window {
            t_s: f64::from(start) + span_s / 2.0,
            request_throughput: own().map(|point| f64::from(point.completed)).sum::<f64>() / span_s,
            output_token_throughput: own().map(|point| point.output_tokens as f64).sum::<f64>() / span_s,
        }
    };
    (0..seconds).step_by(length_s as usize).map(window).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn second(t_s: u32, completed: u32) -> SeriesPoint {
        SeriesPoint { t_s, sent: 0, completed, failed: 0, in_flight: 0, output_tokens: 10, ttft_p50_ms: None }
    }

    #[test]
    fn a_short_series_keeps_its_seconds_and_a_silent_one_counts() {
        let found = windows(&[second(0, 2), second(2, 4)]);
        let rates: Vec<_> = found.iter().map(|window| (window.t_s, window.request_throughput)).collect();
        assert_eq!(rates, [(0.5, 2.0), (1.5, 0.0), (2.5, 4.0)]);
    }

    #[test]
    fn a_long_series_is_cut_into_equal_windows_whose_last_may_be_shorter() {
        let found = windows(&(0..101).map(|t| second(t, 3)).collect::<Vec<_>>());
        assert_eq!(found.len(), 34);
        assert!(found.iter().all(|window| window.request_throughput == 3.0), "{found:?}");
        assert_eq!(found.last().map(|window| window.t_s), Some(100.0));
        assert_eq!(windows(&[]), []);
    }
}
