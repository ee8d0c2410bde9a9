//! Result rows as JSON lines.

use std::fmt;
use std::io::{self, BufRead, Write};

use podium_domain::row::ResultRow;

mod shown;
mod standings;

pub use shown::{WHOLE_REPORT_ROWS, read_chosen};
pub use standings::Standings;

/// A line that is not a result row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RowProblem {
    /// The line's number, from 1.
    pub line: u64,
    /// What is wrong, with the key's path where there is one.
    pub message: String,
}

impl fmt::Display for RowProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.message)
    }
}

/// What was read: the rows in their order, and the lines that are none.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ReadRows {
    /// The rows.
    pub rows: Vec<ResultRow>,
    /// The other lines; empty lines are neither.
    pub problems: Vec<RowProblem>,
}

/// Reads one row a line. A wrong line is a problem and the others still count.
///
/// # Errors
/// Only where `reader` cannot be read.
pub fn read(mut reader: impl BufRead) -> io::Result<ReadRows> {
    let mut found = ReadRows::default();
    let mut line = Vec::new();
    let mut number = 0;
    loop {
        line.clear();
        if reader.read_until(b'\n', &mut line)? == 0 {
            return Ok(found);
        }
        number += 1;
        match read_line(&line) {
            None => {}
            Some(Ok(row)) => found.rows.push(row),
            Some(Err(message)) => found.problems.push(RowProblem { line: number, message }),
        }
    }
}

/// Whether a line holds nothing.
fn is_blank(line: &[u8]) -> bool {
    content(line).is_empty()
}

/// A line without what surrounds its value.
fn content(line: &[u8]) -> &[u8] {
    line.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(line).trim_ascii()
}

/// Reads one line; `None` for an empty one.
fn read_line(line: &[u8]) -> Option<Result<ResultRow, String>> {
    let text = content(line);
    (!text.is_empty()).then(|| read_row(text))
}

/// Reads one row; the error names the key's path where there is one.
fn read_row(text: &[u8]) -> Result<ResultRow, String> {
    if text.first() != Some(&b'{') {
        return Err("not a result row: each line has to be one JSON object".to_owned());
    }
    // Following the path costs time, so it is done only for rows that turn out to be wrong.
    serde_json::from_slice(text).or_else(|_| read_row_slowly(text))
}

fn read_row_slowly(text: &[u8]) -> Result<ResultRow, String> {
    let mut deserializer = serde_json::Deserializer::from_slice(text);
    let row = serde_path_to_error::deserialize(&mut deserializer).map_err(|error| {
        let path = error.path().to_string();
        let message = without_position(&error.inner().to_string());
        if path == "." || path == "?" { message } else { format!("{path}: {message}") }
    })?;
    deserializer.end().map_err(|_| "more than one JSON value on the line".to_owned())?;
    Ok(row)
}

/// The parser counts lines within one row, which is always 1; the column stays.
fn without_position(message: &str) -> String {
    message.replace(" at line 1 column ", " at column ")
}

/// Writes one row a line.
///
/// # Errors
/// Where `writer` cannot be written.
pub fn write<'a>(mut writer: impl Write, rows: impl IntoIterator<Item = &'a ResultRow>) -> io::Result<()> {
    for row in rows {
        serde_json::to_writer(&mut writer, row)?;
        writer.write_all(b"\n")?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wrong_lines_are_named_and_the_others_count() {
        let text = concat!(
            "\u{feff}{\"framework\": \"vllm\", \"candidate_id\": \"a\"}\r\n",
            "\n",
            "{\"framework\": \"vllm\"}\n",
            "[1]\n",
            "{\"framework\": \"vllm\", \"candidate_id\": \"b\", \"metrics\": {\"p50_ttft_ms\": \"fast\"}}\n",
            "{\"framework\": \"vllm\", \"candidate_id\": \"c\"} {}\n",
            "{\"framework\": \"vllm\", \n",
            "{\"framework\": \"sglang\", \"candidate_id\": \"d\"}",
        );
        let found = read(text.as_bytes()).unwrap();
        let ids: Vec<_> = found.rows.iter().map(|row| row.candidate_id.as_str()).collect();
        assert_eq!(ids, ["a", "d"]);
        let problems: Vec<_> = found.problems.iter().map(ToString::to_string).collect();
        insta::assert_snapshot!(problems.join("\n"), @r"
        line 3: missing field `candidate_id` at column 21
        line 4: not a result row: each line has to be one JSON object
        line 5: metrics.p50_ttft_ms: `fast` is not a number at column 77
        line 6: more than one JSON value on the line
        line 7: EOF while parsing a value at column 21
        ");
    }

    #[test]
    fn bytes_that_are_no_text_are_a_problem() {
        let found = read(&b"{\"framework\": \"\xff\", \"candidate_id\": \"a\"}\n\xff\xfe\n"[..]).unwrap();
        assert_eq!((found.rows.len(), found.problems.len()), (0, 2));
    }

    #[test]
    fn rows_survive_a_round_trip() {
        let text = concat!(
            "{\"framework\":\"vllm\",\"candidate_id\":\"a\",\"status\":\"ok\",\"metrics\":{\"request_throughput\":1.5,",
            "\"odd\":[1]},\"mine\":{\"x\":null}}\n",
        );
        let found = read(text.as_bytes()).unwrap();
        let mut out = Vec::new();
        write(&mut out, &found.rows).unwrap();
        assert_eq!(String::from_utf8(out).unwrap(), text);
    }
}
