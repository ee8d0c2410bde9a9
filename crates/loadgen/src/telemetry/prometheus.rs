//! The Prometheus text format, as engines write it.

/// One sample line.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Sample {
    /// The metric's name, with `_sum`, `_count` or `_bucket` where the line has it.
    pub name: String,
    /// Its labels in their order.
    pub labels: Vec<(String, String)>,
    /// Its value; may be infinite or no number.
    pub value: f64,
}

impl Sample {
    /// The value of a label.
    pub fn label(&self, name: &str) -> Option<&str> {
        self.labels.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }
}

/// Reads an exposition. Comments are skipped; everything else has to be a sample line.
///
/// # Errors
/// The first line that is no sample, with its number.
pub(crate) fn parse(text: &str) -> Result<Vec<Sample>, String> {
    let mut samples = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let Some(sample) = parse_line(line) else {
            let shown: String = line.chars().take(80).collect();
            return Err(format!("line {} is no metric: `{shown}`", index + 1));
        };
        samples.push(sample);
    }
    Ok(samples)
}

fn parse_line(line: &str) -> Option<Sample> {
    let end = line.find(|c: char| c == '{' || c.is_whitespace())?;
    let (name, rest) = line.split_at(end);
    if !is_name(name) {
        return None;
    }
    let (labels, rest) = match rest.strip_prefix('{') {
        Some(rest) => parse_labels(rest)?,
        None => (Vec::new(), rest),
    };
    // A time stamp may follow the value.
    let mut words = rest.split_whitespace();
    let value = number(words.next()?)?;
    if words.next().is_some_and(|stamp| stamp.parse::<f64>().is_err()) || words.next().is_some() {
        return None;
    }
    Some(Sample { name: name.to_owned(), labels, value })
}

fn is_name(name: &str) -> bool {
    let mut chars = name.chars();
    chars.next().is_some_and(|first| first.is_ascii_alphabetic() || first == '_' || first == ':')
        && chars.all(|c| c.is_ascii_alphanumeric() || c == '_' || c == ':')
}

/// The labels up to `}`, and what follows it.
fn parse_labels(mut rest: &str) -> Option<(Vec<(String, String)>, &str)> {
    let mut labels = Vec::new();
    loop {
        rest = rest.trim_start();
        if let Some(after) = rest.strip_prefix('}') {
            return Some((labels, after));
        }
        let (name, after) = rest.split_once('=')?;
        let name = name.trim();
        if !is_name(name) {
            return None;
        }
        let (value, after) = quoted(after.trim_start().strip_prefix('"')?)?;
        labels.push((name.to_owned(), value));
        rest = after.trim_start();
        match rest.strip_prefix(',') {
            Some(after) => rest = after,
            None if rest.starts_with('}') => {}
            None => return None,
        }
    }
}

/// A label's value up to its closing quote, and what follows.
fn quoted(text: &str) -> Option<(String, &str)> {
    let mut value = String::new();
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return Some((value, &text[at + 1..])),
            '\\' => match chars.next()?.1 {
                'n' => value.push('\n'),
                escaped @ ('\\' | '"') => value.push(escaped),
                _ => return None,
            },
            other => value.push(other),
        }
    }
    None
}

/// `+Inf`, `-Inf` and `NaN` are numbers here.
fn number(word: &str) -> Option<f64> {
    match word {
        "+Inf" | "Inf" => Some(f64::INFINITY),
        "-Inf" => Some(f64::NEG_INFINITY),
        "NaN" => Some(f64::NAN),
        other => other.parse().ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_every_form_are_read() {
        let text = "# HELP a:b c\n# TYPE a:b gauge\n\na:b 1\na:b_total{x=\"1\",y=\"a\\\"b\\\\c\\nd, }\",} 2.5e3 1700000000\r\n\
                    h_bucket{le=\"+Inf\"} 3\nh_sum +Inf\n";
        let samples = parse(text).unwrap();
        let seen: Vec<_> = samples.iter().map(|s| (s.name.as_str(), s.value)).collect();
        assert_eq!(seen, [("a:b", 1.0), ("a:b_total", 2500.0), ("h_bucket", 3.0), ("h_sum", f64::INFINITY)]);
        assert_eq!(samples[1].label("y"), Some("a\"b\\c\nd, }"));
        assert_eq!(samples[2].label("le"), Some("+Inf"));
        assert_eq!(samples[0].label("le"), None);
    }

    #[test]
    fn what_is_no_metric_is_refused_with_its_line() {
        for bad in [
            "[{\"iter\": 1}]",
            "name",
            "name x",
            "1name 1",
            "a{b} 1",
            "a{b=\"c} 1",
            "a{b=\"c\" d=\"e\"} 1",
            "a{b=\"\\x\"} 1",
            "a 1 2 3",
            "<html>",
        ] {
            let error = parse(&format!("ok 1\n{bad}\n")).unwrap_err();
            assert!(error.starts_with("line 2 is no metric"), "{bad}: {error}");
        }
    }
}
