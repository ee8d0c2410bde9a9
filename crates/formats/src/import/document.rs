//! The results within a file, and safe access to their values.

use podium_domain::stats::{Distribution, percentile};
use serde_json::{Map, Value};

use super::detect::EXPECTED;
use super::{ImportError, original, python_json};

/// A result within a file.
pub(super) struct Document {
    /// The line or the number of the result; empty for a file that holds one.
    pub(super) place: String,
    /// The result.
    pub(super) value: Value,
    /// Its text, as far as it is kept.
    pub(super) original: Option<String>,
}

/// The results of a file: the whole file, the items of a list, or one a line.
pub(super) fn split(text: &[u8]) -> Result<Vec<Document>, ImportError> {
    let text = text.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(text);
    let json = python_json::to_json(text);
    let whole = match serde_json::from_slice::<Value>(&json) {
        Ok(Value::Array(items)) => {
            let numbered = |(index, item): (usize, Value)| Document {
                place: format!("result {}", index + 1),
                original: original(item.to_string().as_bytes()),
                value: item,
            };
            return Ok(items.into_iter().enumerate().map(numbered).collect());
        }
        Ok(value) => return Ok(vec![Document { place: String::new(), value, original: original(text) }]),
        Err(error) => error,
    };
    let mut found = Vec::new();
    // The words of Python hold no line break, so the lines are the same in both texts.
    let lines = json.split(|&byte| byte == b'\n').zip(text.split(|&byte| byte == b'\n'));
    for (index, (line, written)) in lines.enumerate() {
        if line.trim_ascii().is_empty() {
            continue;
        }
        let place = format!("line {}", index + 1);
        match serde_json::from_slice(line) {
            Ok(value) => found.push(Document { place, value, original: original(written) }),
            // A file of one value over many lines: the error of the whole says more.
            Err(_) if found.is_empty() => {
                return Err(ImportError::whole(format!("this is not JSON: {whole}. {EXPECTED}")));
            }
            Err(error) => return Err(ImportError { place, message: format!("this is not JSON: {error}") }),
        }
    }
    Ok(found)
}

/// A finite number, also where it is written as text.
pub(super) fn number(value: &Value) -> Option<f64> {
    let number = match value {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    };
    number.filter(|n: &f64| n.is_finite())
}

/// The number under `key`.
pub(super) fn number_at(map: &Map<String, Value>, key: &str) -> Option<f64> {
    number(map.get(key)?)
}

/// The count under `key`.
pub(super) fn count_at(map: &Map<String, Value>, key: &str) -> Option<u64> {
    number_at(map, key).filter(|n| *n >= 0.0 && n.fract() == 0.0 && *n < 2f64.powi(53)).map(|n| n as u64)
}

/// The text under `key` that is not empty.
pub(super) fn text_at<'a>(map: &'a Map<String, Value>, key: &str) -> Option<&'a str> {
    map.get(key)?.as_str().filter(|text| !text.trim().is_empty())
}

/// The mapping under `key`.
pub(super) fn map_at<'a>(map: &'a Map<String, Value>, key: &str) -> Option<&'a Map<String, Value>> {
    map.get(key)?.as_object()
}

/// The numbers of a list; what is none counts as missing.
pub(super) fn numbers_at(map: &Map<String, Value>, key: &str) -> Option<Vec<Option<f64>>> {
    Some(map.get(key)?.as_array()?.iter().map(number).collect())
}

/// Lengths in tokens as a row tells them: the one that all share, and the median and 95th percentile.
pub(super) fn lengths(values: impl IntoIterator<Item = f64>) -> (Option<u64>, Option<f64>, Option<f64>) {
    let mut values: Vec<f64> = values.into_iter().collect();
    values.sort_by(f64::total_cmp);
    let exact = match (values.first(), values.last()) {
        (Some(first), Some(last)) if first == last && *first >= 0.0 => Some(*first as u64),
        _ => None,
    };
    (exact, percentile(&values, 50.0), percentile(&values, 95.0))
}

/// Median, mean and 99th percentile; `None` where there are no samples.
pub(super) fn p50_mean_p99(samples: impl IntoIterator<Item = f64>) -> [Option<f64>; 3] {
    let mut samples: Vec<f64> = samples.into_iter().filter(|sample| sample.is_finite()).collect();
    match Distribution::of(&mut samples) {
        Some(found) => [Some(found.p50), Some(found.mean), Some(found.p99)],
        None => [None; 3],
    }
}
