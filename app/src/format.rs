//! Numbers and times as the pages show them.

/// A number with three significant digits below 100 and none behind the point from there on: `0.0123`, `4.57`, `1,234`.
#[must_use]
pub fn figure(value: f64) -> String {
    let magnitude = value.abs();
    if !value.is_finite() {
        return "–".to_owned();
    }
    if magnitude >= 99.95 {
        return grouped(value.round());
    }
    let decimals = if magnitude >= 9.995 {
        1
    } else if magnitude >= 0.9995 {
        2
    } else if magnitude == 0.0 {
        return "0".to_owned();
    } else {
        // The first digit that is not zero and two more.
        let leading_zeros = (-magnitude.log10()).ceil();
        (leading_zeros as usize + 2).min(6)
    };
    format!("{value:.decimals$}")
}

/// A number that may not have been measured.
#[must_use]
pub fn figure_or_dash(value: Option<f64>) -> String {
    value.map_or_else(|| "–".to_owned(), figure)
}

/// A duration in milliseconds with its unit: ms below 10 s, seconds from there on.
#[must_use]
pub fn milliseconds(value_ms: f64) -> String {
    if value_ms < 10_000.0 { format!("{} ms", figure(value_ms)) } else { format!("{} s", figure(value_ms / 1000.0)) }
}

/// A share in [0, 1] as a percentage.
#[must_use]
pub fn percent(share: f64) -> String {
    if share == 1.0 { "100 %".to_owned() } else { format!("{:.1} %", share * 100.0) }
}

/// A whole number of bytes in the unit that reads best.
#[must_use]
pub fn bytes(value: u64) -> String {
    const UNITS: [&str; 4] = ["KiB", "MiB", "GiB", "TiB"];
    if value < 1024 {
        return format!("{value} B");
    }
    let mut scaled = value as f64 / 1024.0;
    let mut unit = 0;
    while scaled >= 1023.5 && unit + 1 < UNITS.len() {
        scaled /= 1024.0;
        unit += 1;
    }
    format!("{} {}", figure(scaled), UNITS[unit])
}

/// `1 run`, `2 runs`.
#[must_use]
pub fn counted(count: u64, one: &str, many: &str) -> String {
    format!("{} {}", grouped(count as f64), if count == 1 { one } else { many })
}

/// A whole number with a comma between thousands.
fn grouped(value: f64) -> String {
    let digits = format!("{:.0}", value.abs());
    let mut text = String::with_capacity(digits.len() + digits.len() / 3 + 1);
    if value < 0.0 {
        text.push('-');
    }
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index) % 3 == 0 {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(feature = "ssr")]
pub use times::{absolute, ago, machine};

#[cfg(feature = "ssr")]
mod times {
    use time::OffsetDateTime;
    use time::format_description::well_known::Rfc3339;

    /// How long ago `then` was, in one unit.
    #[must_use]
    pub fn ago(then: OffsetDateTime, now: OffsetDateTime) -> String {
        let seconds = (now - then).whole_seconds();
        let (count, unit) = match seconds {
            ..10 => return "just now".to_owned(),
            10..60 => (seconds, "s"),
            60..3_600 => (seconds / 60, "min"),
            3_600..86_400 => (seconds / 3_600, "h"),
            86_400..172_800 => return "yesterday".to_owned(),
            _ => (seconds / 86_400, "days"),
        };
        format!("{count} {unit} ago")
    }

    /// The moment to the second, for people; always UTC, for the server does not know the reader's time zone.
    #[must_use]
    pub fn absolute(at: OffsetDateTime) -> String {
        let at = at.to_offset(time::UtcOffset::UTC);
        let date = at.date();
        let (hour, minute, second) = at.to_hms();
        format!("{date} {hour:02}:{minute:02}:{second:02} UTC")
    }

    /// The moment for a `datetime` attribute.
    #[must_use]
    pub fn machine(at: OffsetDateTime) -> String {
        // It fails for years beyond four digits alone; the attribute is then left empty.
        at.format(&Rfc3339).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_have_three_significant_digits() {
        let cases = [
            (0.0, "0"),
            (0.01234, "0.0123"),
            (0.5, "0.500"),
            (4.567, "4.57"),
            (9.999, "10.0"),
            (45.67, "45.7"),
            (99.96, "100"),
            (123.4, "123"),
            (1234.4, "1,234"),
            (-1234567.0, "-1,234,567"),
            (f64::NAN, "–"),
        ];
        for (value, text) in cases {
            assert_eq!(figure(value), text);
        }
    }

    #[test]
    fn units_change_where_they_read_better() {
        assert_eq!(milliseconds(9_999.0), "9,999 ms");
        assert_eq!(milliseconds(12_340.0), "12.3 s");
        assert_eq!(bytes(1_536), "1.50 KiB");
        assert_eq!(bytes(64 << 30), "64.0 GiB");
        assert_eq!(percent(0.9876), "98.8 %");
        assert_eq!(counted(1, "run", "runs"), "1 run");
        assert_eq!(counted(1200, "run", "runs"), "1,200 runs");
    }

    #[cfg(feature = "ssr")]
    #[test]
    fn times_are_told_in_one_unit() {
        use time::{Duration, OffsetDateTime};

        let now = OffsetDateTime::UNIX_EPOCH + Duration::days(30);
        for (seconds, text) in [(3, "just now"), (59, "59 s ago"), (150, "2 min ago"), (90_000, "yesterday")] {
            assert_eq!(ago(now - Duration::seconds(seconds), now), text);
        }
        assert_eq!(absolute(now), "1970-01-31 00:00:00 UTC");
        assert_eq!(machine(now), "1970-01-31T00:00:00Z");
    }
}
