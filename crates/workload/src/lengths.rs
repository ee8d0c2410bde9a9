//! Drawing lengths.

use std::ops::RangeInclusive;
use std::path::Path;

use podium_domain::lengths::LengthSpread;

use crate::error::Error;
use crate::rng::Rng;

/// Where the lengths of one kind come from, ready to be drawn.
#[derive(Debug, Clone)]
pub(crate) enum Lengths {
    Fixed(u32),
    /// Evenly from these.
    Uniform(RangeInclusive<u32>),
    Normal {
        mean: f64,
        deviation: f64,
        within: RangeInclusive<u32>,
    },
    LogNormal {
        ln_median: f64,
        sigma: f64,
        within: RangeInclusive<u32>,
    },
    Recorded(Vec<u32>),
}

impl Lengths {
    /// The lengths that `spread` draws around `len`. `field` names `len` in errors.
    pub fn new(spread: &LengthSpread, field: &'static str, len: u32) -> Result<Self, Error> {
        if len == 0 {
            return Err(Error::OutOfRange { field, value: "0".to_owned(), expected: "at least 1" });
        }
        let above_0 = |field, value: f64| match value > 0.0 && value.is_finite() {
            true => Ok(value),
            false => Err(Error::OutOfRange { field, value: value.to_string(), expected: "a number above 0" }),
        };
        let within = spread.bounds(len).unwrap_or(len..=len);
        let mean = f64::from(len);
        Ok(match spread {
            LengthSpread::Fixed => Lengths::Fixed(len),
            LengthSpread::Uniform { ratio } if !(0.0..=1.0).contains(ratio) => {
                let expected = "a share from 0 to 1";
                return Err(Error::OutOfRange { field: "ratio", value: ratio.to_string(), expected });
            }
            LengthSpread::Uniform { .. } => Lengths::Uniform(within),
            LengthSpread::Normal { deviation, .. } => {
                Lengths::Normal { mean, deviation: above_0("deviation", *deviation)? * mean, within }
            }
            LengthSpread::LogNormal { sigma, .. } => {
                Lengths::LogNormal { ln_median: mean.ln(), sigma: above_0("sigma", *sigma)?, within }
            }
            LengthSpread::Empirical { path } => Lengths::Recorded(read_lengths(Path::new(path))?),
        })
    }

    pub fn draw(&self, rng: &mut Rng) -> u32 {
        match self {
            Lengths::Fixed(len) => *len,
            Lengths::Uniform(within) => {
                let width = u64::from(within.end() - within.start()) + 1;
                within.start() + rng.below(width) as u32
            }
            Lengths::Normal { mean, deviation, within } => redraw(within, || mean + deviation * rng.normal()),
            Lengths::LogNormal { ln_median, sigma, within } => {
                redraw(within, || (ln_median + sigma * rng.normal()).exp())
            }
            Lengths::Recorded(lengths) => lengths[rng.below(lengths.len() as u64) as usize],
        }
    }
}

/// Draws until the length is inside, so that no length piles up at the ends; a range that is hardly ever met gives its
/// nearest end.
fn redraw(within: &RangeInclusive<u32>, mut draw: impl FnMut() -> f64) -> u32 {
    let mut drawn = 0;
    for _ in 0..100 {
        drawn = draw().round() as u32;
        if within.contains(&drawn) {
            return drawn;
        }
    }
    drawn.clamp(*within.start(), *within.end())
}

/// Reads a file of lengths: one whole number of tokens a line. Empty lines are skipped.
///
/// # Errors
/// When the file cannot be read, a line is no length, or there is none.
pub fn read_lengths(path: &Path) -> Result<Vec<u32>, Error> {
    let text = std::fs::read_to_string(path).map_err(|source| Error::ReadFile { path: path.to_owned(), source })?;
    let mut lengths = Vec::new();
    for (index, line) in text.lines().map(str::trim).enumerate().filter(|(_, line)| !line.is_empty()) {
        let length = line.parse().ok().filter(|length| *length > 0);
        lengths.push(length.ok_or_else(|| Error::BadLength { path: path.to_owned(), line: index + 1 })?);
    }
    if lengths.is_empty() { Err(Error::NoRows) } else { Ok(lengths) }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    fn drawn(spread: &LengthSpread, len: u32) -> Vec<u32> {
        let lengths = Lengths::new(spread, "input_len", len).unwrap();
        let mut rng = Rng::new(5, "lengths", "test");
        (0..20_000).map(|_| lengths.draw(&mut rng)).collect()
    }

    fn mean(lengths: &[u32]) -> f64 {
        lengths.iter().map(|length| f64::from(*length)).sum::<f64>() / lengths.len() as f64
    }

    #[test]
    fn spreads_have_their_moments_and_bounds() {
        assert!(drawn(&LengthSpread::Fixed, 7).iter().all(|length| *length == 7));
        let uniform = drawn(&LengthSpread::Uniform { ratio: 0.5 }, 100);
        assert!((mean(&uniform) - 100.0).abs() < 1.0);
        assert_eq!((uniform.iter().min(), uniform.iter().max()), (Some(&50), Some(&150)));
        let normal = drawn(&LengthSpread::Normal { deviation: 0.2, max: None }, 1000);
        let variance = normal.iter().map(|length| (f64::from(*length) - 1000.0).powi(2)).sum::<f64>() / 20_000.0;
        assert!((mean(&normal) - 1000.0).abs() < 5.0 && (variance.sqrt() - 197.0).abs() < 6.0, "{}", variance.sqrt());
        let mut log_normal = drawn(&LengthSpread::LogNormal { sigma: 0.7, max: Some(2000) }, 500);
        log_normal.sort_unstable();
        assert!(log_normal[10_000].abs_diff(500) < 20 && log_normal[19_999] <= 2000, "{}", log_normal[10_000]);
        assert!(mean(&log_normal) > 550.0, "a long tail");
    }

    #[test]
    fn recorded_lengths_are_drawn_from_their_file() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        write!(file, "10\n\n30\n").unwrap();
        let spread = LengthSpread::Empirical { path: file.path().display().to_string() };
        let lengths = drawn(&spread, 1);
        assert!(lengths.contains(&10) && lengths.contains(&30) && lengths.iter().all(|l| [10, 30].contains(l)));
        writeln!(file, "many").unwrap();
        assert!(matches!(read_lengths(file.path()), Err(Error::BadLength { line: 4, .. })));
    }

    #[test]
    fn senseless_spreads_are_refused() {
        for spread in [
            LengthSpread::Uniform { ratio: 1.5 },
            LengthSpread::Normal { deviation: 0.0, max: None },
            LengthSpread::LogNormal { sigma: f64::NAN, max: None },
        ] {
            assert!(Lengths::new(&spread, "input_len", 10).is_err(), "{spread:?}");
        }
        assert!(Lengths::new(&LengthSpread::Fixed, "input_len", 0).is_err());
    }
}
