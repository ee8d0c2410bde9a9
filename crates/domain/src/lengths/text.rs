//! Shapes as one word, for command lines: `normal:0.2:4096`, `4x512`.

use std::fmt;
use std::str::FromStr;

use super::{LengthSpread, SharedPrefix};

/// How a spread is written, for error texts.
const SPREAD_FORMS: &str =
    "write fixed, uniform:RATIO, normal:DEVIATION[:MAX], log_normal:SIGMA[:MAX] or empirical:FILE";

impl fmt::Display for LengthSpread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let capped = |f: &mut fmt::Formatter<'_>, kind, number, max: &Option<u32>| match max {
            Some(max) => write!(f, "{kind}:{number}:{max}"),
            None => write!(f, "{kind}:{number}"),
        };
        match self {
            LengthSpread::Fixed => f.write_str("fixed"),
            LengthSpread::Uniform { ratio } => write!(f, "uniform:{ratio}"),
            LengthSpread::Normal { deviation, max } => capped(f, "normal", deviation, max),
            LengthSpread::LogNormal { sigma, max } => capped(f, "log_normal", sigma, max),
            LengthSpread::Empirical { path } => write!(f, "empirical:{path}"),
        }
    }
}

impl FromStr for LengthSpread {
    type Err = String;

    /// Reads what `Display` writes. The error says how spreads are written.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (kind, rest) = text.split_once(':').unwrap_or((text, ""));
        let known = match kind {
            "fixed" if rest.is_empty() => Some(LengthSpread::Fixed),
            "uniform" => positive(rest).filter(|ratio| *ratio <= 1.0).map(|ratio| LengthSpread::Uniform { ratio }),
            "normal" => capped(rest).map(|(deviation, max)| LengthSpread::Normal { deviation, max }),
            "log_normal" => capped(rest).map(|(sigma, max)| LengthSpread::LogNormal { sigma, max }),
            "empirical" if !rest.is_empty() => Some(LengthSpread::Empirical { path: rest.to_owned() }),
            _ => None,
        };
        known.ok_or_else(|| SPREAD_FORMS.to_owned())
    }
}

fn positive(text: &str) -> Option<f64> {
    text.parse().ok().filter(|number: &f64| *number > 0.0 && number.is_finite())
}

/// A number, and the longest length where there is one.
fn capped(text: &str) -> Option<(f64, Option<u32>)> {
    match text.split_once(':') {
        Some((number, max)) => Some((positive(number)?, Some(max.parse().ok().filter(|max| *max > 0)?))),
        None => Some((positive(text)?, None)),
    }
}

impl fmt::Display for SharedPrefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}x{}", self.groups, self.prefix_len)
    }
}

impl FromStr for SharedPrefix {
    type Err = String;

    /// Reads what `Display` writes. The error says how a shared prefix is written.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let above_0 = |text: &str| text.parse().ok().filter(|number: &u32| *number > 0);
        text.split_once('x')
            .and_then(|(groups, prefix_len)| {
                Some(SharedPrefix { groups: above_0(groups)?, prefix_len: above_0(prefix_len)? })
            })
            .ok_or_else(|| "write the number of beginnings and their tokens, as in `4x512`".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spreads_are_read_as_they_are_written() {
        let words =
            ["fixed", "uniform:0.2", "normal:0.25", "normal:0.2:4096", "log_normal:0.5:9", "empirical:a:b/lengths.txt"];
        for word in words {
            assert_eq!(word.parse::<LengthSpread>().map(|spread| spread.to_string()), Ok(word.to_owned()));
        }
        assert_eq!("normal:0.2:7".parse(), Ok(LengthSpread::Normal { deviation: 0.2, max: Some(7) }));
        for bad in
            ["", "fixed:1", "uniform", "uniform:1.5", "normal:0", "normal:nan", "normal:0.2:0", "empirical:", "x:1"]
        {
            assert!(bad.parse::<LengthSpread>().unwrap_err().contains("uniform:RATIO"), "{bad}");
        }
    }

    #[test]
    fn a_shared_prefix_is_a_number_of_groups_times_a_length() {
        let shared = SharedPrefix { groups: 4, prefix_len: 512 };
        assert_eq!((shared.to_string().as_str(), "4x512".parse()), ("4x512", Ok(shared)));
        for bad in ["4", "x512", "0x5", "4x0", "4x-1"] {
            assert!(bad.parse::<SharedPrefix>().is_err(), "{bad}");
        }
    }
}
