//! Traces in Mooncake's form: `{"timestamp", "input_length", "output_length", "hash_ids"}` on each line.

use serde::{Deserialize, Serialize};

use super::{DatasetFile, DatasetKind, DatasetRows, refuse};
use crate::error::Error;

/// Tokens of one block that a hash id stands for.
pub const BLOCK_TOKENS: u32 = 512;

/// One request of a trace.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TraceRow {
    /// When it came, milliseconds from the trace's beginning.
    pub timestamp: f64,
    /// Prompt tokens.
    pub input_length: u32,
    /// Answer tokens.
    pub output_length: u32,
    /// One id for each block of [`BLOCK_TOKENS`] prompt tokens: requests with the same id have the same block, and the
    /// same blocks before it.
    #[serde(default)]
    pub hash_ids: Vec<u64>,
}

/// The longest prompt that is drawn, tokens.
const MAX_TOKENS: u32 = 10_000_000;

/// Reads a trace. Rows are put into the order of their time stamps; equal ones keep the file's order.
pub(super) fn parse(text: &str) -> Result<DatasetFile, Error> {
    let mut rows = Vec::new();
    for (index, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        let bad = |detail: String| refuse(index + 1, detail);
        let row: TraceRow = serde_json::from_str(line).map_err(|error| {
            bad(format!("is no request of a trace: {error}; it holds `timestamp`, `input_length` and `output_length`"))
        })?;
        check(&row).map_err(bad)?;
        rows.push(row);
    }
    rows.sort_by(|a, b| a.timestamp.total_cmp(&b.timestamp));
    Ok(DatasetFile {
        kind: DatasetKind::Mooncake,
        rows: DatasetRows::Trace(rows),
        skipped: Vec::new(),
        estimated_outputs: 0,
    })
}

fn check(row: &TraceRow) -> Result<(), String> {
    for (field, tokens) in [("input_length", row.input_length), ("output_length", row.output_length)] {
        if !(1..=MAX_TOKENS).contains(&tokens) {
            return Err(format!("has {tokens} as `{field}`: it must be from 1 to {MAX_TOKENS} tokens"));
        }
    }
    let blocks = row.input_length.div_ceil(BLOCK_TOKENS) as usize;
    if row.hash_ids.len() > blocks {
        let found = row.hash_ids.len();
        return Err(format!(
            "has {found} `hash_ids` for {} tokens: each stands for {BLOCK_TOKENS} tokens, so there are at most {blocks}",
            row.input_length
        ));
    }
    if row.timestamp.is_finite() { Ok(()) } else { Err("has no finite `timestamp`".to_owned()) }
}

#[cfg(test)]
mod tests {
    use super::super::tests::read;
    use super::*;

    #[test]
    fn rows_come_in_the_order_of_their_starts() {
        let file = read(include_str!("../../fixtures/mooncake.jsonl")).unwrap();
        let DatasetRows::Trace(rows) = file.rows else { panic!("a trace") };
        assert_eq!(file.kind, DatasetKind::Mooncake);
        assert_eq!(rows.iter().map(|row| row.timestamp).collect::<Vec<_>>(), [0.0, 500.0, 1500.0, 3000.0]);
        assert_eq!(rows[0].hash_ids, [1, 2, 3]);
    }

    #[test]
    fn damaged_rows_are_named() {
        let good = r#"{"timestamp": 0, "input_length": 3, "output_length": 1}"#;
        for bad in [
            r#"{"timestamp": 0, "input_length": 0, "output_length": 1}"#,
            r#"{"timestamp": 0, "input_length": 512, "output_length": 1, "hash_ids": [1, 2]}"#,
            r#"{"input_length": 3, "output_length": 1}"#,
            "x",
        ] {
            let error = read(&format!("{good}\n\n{bad}")).unwrap_err();
            assert!(matches!(error, Error::BadDatasetRow { row: 3, .. }), "{bad}: {error}");
        }
    }
}
