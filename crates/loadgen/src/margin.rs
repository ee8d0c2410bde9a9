//! Requests at the ends of a measurement that are sent and not counted.

use serde::{Deserialize, Serialize};

use crate::sample::RequestSample;

/// How much at one end of a measurement is left out of its figures. It is sent like the rest.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Margin {
    /// This many requests.
    Requests(u32),
    /// What starts within this long of the end in question, seconds.
    Seconds(f64),
}

/// The samples, in order of their starts, that count.
pub(crate) fn counted(samples: &[RequestSample], first: Option<Margin>, last: Option<Margin>) -> &[RequestSample] {
    let start_s = |sample: &RequestSample| sample.scheduled_at_ns as f64 / 1e9;
    let (begun_s, ended_s) = match (samples.first(), samples.last()) {
        (Some(first), Some(last)) => (start_s(first), start_s(last)),
        _ => return samples,
    };
    let begin = match first {
        None => 0,
        Some(Margin::Requests(count)) => count as usize,
        Some(Margin::Seconds(seconds)) => samples.partition_point(|sample| start_s(sample) < begun_s + seconds),
    };
    let end = match last {
        None => samples.len(),
        Some(Margin::Requests(count)) => samples.len().saturating_sub(count as usize),
        Some(Margin::Seconds(seconds)) => samples.partition_point(|sample| start_s(sample) <= ended_s - seconds),
    };
    samples.get(begin..end).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn margins_are_counted_or_timed_at_both_ends() {
        // Starts at 2.0, 2.1, … 2.9 s.
        let samples: Vec<_> = (0..10u64)
            .map(|i| RequestSample { scheduled_at_ns: 2_000_000_000 + i * 100_000_000, ..RequestSample::default() })
            .collect();
        let kept = |first, last| {
            let kept = counted(&samples, first, last);
            kept.first().map(|sample| (sample.scheduled_at_ns / 100_000_000 - 20, kept.len()))
        };
        assert_eq!(kept(None, None), Some((0, 10)));
        assert_eq!(kept(Some(Margin::Requests(3)), Some(Margin::Requests(2))), Some((3, 5)));
        assert_eq!(kept(Some(Margin::Seconds(0.25)), Some(Margin::Seconds(0.15))), Some((3, 5)));
        assert_eq!(kept(Some(Margin::Requests(6)), Some(Margin::Requests(6))), None);
        assert!(counted(&[], Some(Margin::Requests(1)), None).is_empty());
    }
}
