//! How arrivals are spaced in time.

use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::error::Error;
use crate::rng::Rng;

/// How arrivals at a rate are spaced.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Arrivals {
    /// Exponential gaps.
    #[default]
    Poisson,
    /// Equal gaps.
    Constant,
    /// Gaps drawn from a gamma distribution.
    Gamma {
        /// The distribution's shape: 1 is Poisson, less comes in bursts, more is more even. Above 0.
        burstiness: f64,
    },
    /// Poisson arrivals whose rate grows (or falls) evenly, from this to the load's rate with the last request.
    Ramp {
        /// Requests per second at the start, 0 or more.
        from_rps: f64,
    },
    /// At recorded times. The load's rate then only names the measurement.
    Trace {
        /// Starts in seconds, ascending; the first one becomes the measurement's start. At least as many as requests.
        starts_s: Vec<f64>,
    },
}

impl Arrivals {
    /// The mean rate of a measurement that is named after `rate_rps`.
    pub fn mean_rps(&self, rate_rps: f64) -> f64 {
        match self {
            Arrivals::Ramp { from_rps } => (from_rps + rate_rps) / 2.0,
            _ => rate_rps,
        }
    }

    /// Starts of `count` requests in seconds, ascending from 0, before they are rounded.
    pub(crate) fn starts_s(&self, count: u32, rate_rps: f64, rng: &mut Rng) -> Result<Vec<f64>, Error> {
        self.check(count)?;
        if let Arrivals::Trace { starts_s } = self {
            let first = starts_s.first().copied().unwrap_or(0.0);
            return Ok(starts_s.iter().take(count as usize).map(|start| start - first).collect());
        }
        let mut total = 0.0;
        let mut positions = Vec::with_capacity(count as usize);
        for index in 0..count {
            if index > 0 {
                total += match *self {
                    Arrivals::Constant => 1.0,
                    Arrivals::Gamma { burstiness } => rng.gamma(burstiness),
                    _ => rng.exponential(),
                };
            }
            positions.push(total);
        }
        // Scaled to the span, so that a short measurement has exactly the mean rate that it is named after.
        let span_s = f64::from(count.saturating_sub(1)) / self.mean_rps(rate_rps);
        let scale = if total > 0.0 { 1.0 / total } else { 0.0 };
        let at = |share: f64| match *self {
            Arrivals::Ramp { from_rps } => ramp_position(share, from_rps, rate_rps),
            _ => share,
        };
        Ok(positions.into_iter().map(|position| at(position * scale) * span_s).collect())
    }

    fn check(&self, count: u32) -> Result<(), Error> {
        let refused =
            |field, value: f64, expected| Err(Error::OutOfRange { field, value: value.to_string(), expected });
        match self {
            Arrivals::Gamma { burstiness } if !(*burstiness > 0.0 && burstiness.is_finite()) => {
                refused("burstiness", *burstiness, "a number above 0")
            }
            Arrivals::Ramp { from_rps } if !(*from_rps >= 0.0 && from_rps.is_finite()) => {
                refused("from_rps", *from_rps, "a number of requests per second, 0 or more")
            }
            Arrivals::Trace { starts_s } => {
                if starts_s.len() < count as usize {
                    let expected = "at most the number of starts in the trace";
                    return Err(Error::OutOfRange { field: "num_prompts", value: count.to_string(), expected });
                }
                match starts_s.windows(2).find(|pair| !(pair[0].is_finite() && pair[1] >= pair[0])) {
                    Some(pair) => refused("starts_s", pair[1], "no earlier than the start before it"),
                    None => Ok(()),
                }
            }
            _ => Ok(()),
        }
    }
}

/// Where in a ramp, from 0 to 1, the given share of its arrivals has come: the inverse of the rate's integral.
fn ramp_position(share: f64, from_rps: f64, to_rps: f64) -> f64 {
    if share <= 0.0 {
        return 0.0;
    }
    let growth = to_rps - from_rps;
    let root = (from_rps * from_rps + share * growth * (from_rps + to_rps)).max(0.0).sqrt();
    // The form of the solution that does not divide by the growth, which may be 0.
    share * (from_rps + to_rps) / (from_rps + root)
}

/// The first `count` starts of a trace, stretched or pressed together so that their mean rate is `rate_rps`. A trace that
/// starts all at once stays as it is.
pub fn trace_at_rate(starts_s: &[f64], count: u32, rate_rps: f64) -> Vec<f64> {
    let starts_s = &starts_s[..starts_s.len().min(count as usize)];
    let (Some(first), Some(last)) = (starts_s.first(), starts_s.last()) else { return Vec::new() };
    let wanted_s = (starts_s.len() - 1) as f64 / rate_rps;
    let scale = if last > first && wanted_s.is_finite() { wanted_s / (last - first) } else { 1.0 };
    starts_s.iter().map(|start| (start - first) * scale).collect()
}

/// Reads the starts of a trace, seconds, in ascending order.
///
/// Each line is a number of seconds, or an object with `timestamp` in milliseconds (as in Mooncake's traces) or
/// `start_s` in seconds. Empty lines are skipped.
///
/// # Errors
/// When the file cannot be read or a line is none of these.
pub fn read_trace(path: &Path) -> Result<Vec<f64>, Error> {
    let text = std::fs::read_to_string(path).map_err(|source| Error::ReadFile { path: path.to_owned(), source })?;
    parse_trace(&text)
}

/// Reads the starts of a trace from its text; see [`read_trace`].
pub fn parse_trace(text: &str) -> Result<Vec<f64>, Error> {
    let mut starts_s = Vec::new();
    for (index, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        starts_s.push(start_of(line).ok_or(Error::BadTraceLine { line: index + 1 })?);
    }
    if starts_s.is_empty() {
        return Err(Error::NoRows);
    }
    starts_s.sort_by(f64::total_cmp);
    Ok(starts_s)
}

fn start_of(line: &str) -> Option<f64> {
    let start_s = match serde_json::from_str(line).ok()? {
        Value::Number(seconds) => seconds.as_f64(),
        Value::Object(fields) => match (fields.get("timestamp"), fields.get("start_s")) {
            (Some(milliseconds), None) => milliseconds.as_f64().map(|ms| ms / 1e3),
            (None, Some(seconds)) => seconds.as_f64(),
            _ => None,
        },
        _ => None,
    };
    start_s.filter(|seconds| seconds.is_finite())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn starts(arrivals: &Arrivals, count: u32, rate_rps: f64) -> Vec<f64> {
        arrivals.starts_s(count, rate_rps, &mut Rng::new(3, "arrivals", "test")).unwrap()
    }

    /// Variance of the gaps over the square of their mean.
    fn dispersion(starts: &[f64]) -> f64 {
        let gaps: Vec<f64> = starts.windows(2).map(|pair| pair[1] - pair[0]).collect();
        let n = gaps.len() as f64;
        let mean = gaps.iter().sum::<f64>() / n;
        gaps.iter().map(|gap| (gap - mean).powi(2)).sum::<f64>() / n / (mean * mean)
    }

    #[test]
    fn burstiness_is_the_shape_of_the_gaps() {
        for burstiness in [0.25, 1.0, 4.0] {
            let starts = starts(&Arrivals::Gamma { burstiness }, 40_001, 50.0);
            assert!((starts[40_000] - 800.0).abs() < 1e-6);
            let dispersion = dispersion(&starts) * burstiness;
            assert!((dispersion - 1.0).abs() < 0.1, "shape {burstiness}: {dispersion}");
        }
    }

    #[test]
    fn a_ramp_grows_evenly_to_its_rate() {
        // From 0 to 100 req/s with 2,000 requests in 40 s: half of the time has a quarter of the requests.
        let starts = starts(&Arrivals::Ramp { from_rps: 0.0 }, 2_001, 100.0);
        assert!((starts[2_000] - 40.0).abs() < 1e-6);
        let early = starts.partition_point(|start| *start < 20.0) as f64 / 2_001.0;
        assert!((early - 0.25).abs() < 0.03, "{early}");
        for share in [0.0, 0.3, 1.0] {
            assert!((ramp_position(share, 7.0, 7.0) - share).abs() < 1e-12);
        }
        assert!((ramp_position(0.75, 100.0, 0.0) - 0.5).abs() < 1e-12);
    }

    #[test]
    fn traces_start_at_zero_and_are_not_stretched() {
        let trace = Arrivals::Trace { starts_s: vec![5.0, 5.5, 9.0] };
        assert_eq!(starts(&trace, 2, 1.0), [0.0, 0.5]);
        let mut rng = Rng::new(1, "a", "b");
        assert!(trace.starts_s(4, 1.0, &mut rng).unwrap_err().to_string().contains("num_prompts"));
        assert!(Arrivals::Trace { starts_s: vec![2.0, 1.0] }.starts_s(2, 1.0, &mut rng).is_err());
    }

    #[test]
    fn a_trace_keeps_its_form_at_another_rate() {
        assert_eq!(trace_at_rate(&[1.0, 2.0, 5.0, 99.0], 3, 4.0), [0.0, 0.125, 0.5]);
        assert_eq!(trace_at_rate(&[3.0, 3.0], 9, 4.0), [0.0, 0.0]);
        assert!(trace_at_rate(&[], 9, 4.0).is_empty());
    }

    #[test]
    fn senseless_spacings_are_refused() {
        let mut rng = Rng::new(1, "a", "b");
        for arrivals in [Arrivals::Gamma { burstiness: 0.0 }, Arrivals::Ramp { from_rps: f64::NAN }] {
            assert!(arrivals.starts_s(3, 1.0, &mut rng).is_err(), "{arrivals:?}");
        }
    }

    #[test]
    fn trace_files_hold_seconds_or_milliseconds() {
        let text = "3\n\n{\"timestamp\": 1500, \"input_length\": 7}\n{\"start_s\": 2.25}\n";
        assert_eq!(parse_trace(text).unwrap(), [1.5, 2.25, 3.0]);
        for bad in ["x", "{}", "\"3\"", "{\"timestamp\": null}"] {
            let error = parse_trace(&format!("1\n{bad}\n")).unwrap_err();
            assert!(matches!(error, Error::BadTraceLine { line: 2 }), "{bad}: {error}");
        }
        assert!(matches!(parse_trace(""), Err(Error::NoRows)));
    }

    #[test]
    fn spacings_survive_their_json() {
        for (arrivals, json) in [
            (Arrivals::Poisson, "\"poisson\""),
            (Arrivals::Gamma { burstiness: 0.5 }, r#"{"gamma":{"burstiness":0.5}}"#),
        ] {
            assert_eq!(serde_json::to_string(&arrivals).unwrap(), json);
            assert_eq!(serde_json::from_str::<Arrivals>(json).unwrap(), arrivals);
        }
    }
}
