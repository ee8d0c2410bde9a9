//! Rows in such numbers that they cannot all be held: they are read in parallel and only their standings are kept.

use std::collections::HashMap;
use std::io::{self, Read, Write};
use std::ops::Range;
use std::sync::Arc;
use std::thread;

use podium_domain::ranking::{self, Preference, RankKey, Standing};

use super::{RowProblem, read_line};
use crate::report::{csv_fields, csv_header};

/// Bytes that one thread reads at a time; a single line may be longer.
const CHUNK_BYTES: usize = 8 << 20;

/// The standings of the rows of any number of files, in their order, with what a CSV of them needs.
#[derive(Debug, Default)]
pub struct Standings {
    rows: Vec<Standing>,
    /// CSV records of the rows, without a line end; one buffer per chunk that was read.
    records: Vec<Vec<u8>>,
    /// Where the record of each row is. Empty where no CSV was asked for.
    places: Vec<Place>,
    preference: Preference,
    with_csv: bool,
}

/// Where a record is.
#[derive(Debug, Clone)]
struct Place {
    buffer: usize,
    bytes: Range<usize>,
}

/// What one thread made of one chunk.
#[derive(Default)]
struct Chunk {
    rows: Vec<Standing>,
    records: Vec<u8>,
    /// Where each record is.
    places: Vec<Range<usize>>,
    problems: Vec<RowProblem>,
    lines: u64,
}

impl Standings {
    /// Nothing yet. `with_csv` keeps the CSV record of every row.
    #[must_use]
    pub fn new(preference: Preference, with_csv: bool) -> Self {
        Standings { preference, with_csv, ..Standings::default() }
    }

    /// Reads all rows of one file behind those that are there, on `threads` threads, and gives back the lines that are
    /// no rows.
    ///
    /// # Errors
    /// Only where `reader` cannot be read.
    pub fn read(&mut self, mut reader: impl Read, threads: usize) -> io::Result<Vec<RowProblem>> {
        let mut problems = Vec::new();
        let mut lines_before = 0;
        let mut rest = Vec::new();
        loop {
            let mut texts = Vec::new();
            while texts.len() < threads.max(1) {
                match next_chunk(&mut reader, &mut rest)? {
                    Some(text) => texts.push(text),
                    None => break,
                }
            }
            if texts.is_empty() {
                return Ok(problems);
            }
            let (preference, with_csv) = (self.preference, self.with_csv);
            let chunks: Vec<Chunk> = thread::scope(|scope| {
                let read = move |text: &Vec<u8>| read_chunk(text, preference, with_csv);
                let handles: Vec<_> = texts.iter().skip(1).map(|text| scope.spawn(move || read(text))).collect();
                // This thread does its share too.
                let first = texts.first().map(read);
                let others = handles.into_iter().map(|handle| match handle.join() {
                    Ok(chunk) => chunk,
                    Err(panic) => std::panic::resume_unwind(panic),
                });
                first.into_iter().chain(others).collect()
            });
            for chunk in chunks {
                let numbered = |problem: RowProblem| RowProblem { line: problem.line + lines_before, ..problem };
                problems.extend(chunk.problems.into_iter().map(numbered));
                lines_before += chunk.lines;
                if self.with_csv {
                    let buffer = self.records.len();
                    self.places.extend(chunk.places.into_iter().map(|bytes| Place { buffer, bytes }));
                    self.records.push(chunk.records);
                }
                self.rows.extend(chunk.rows);
            }
        }
    }

    /// The standings, in the order of the input.
    #[must_use]
    pub fn rows(&self) -> &[Standing] {
        &self.rows
    }

    /// The indices of the rows, best first; equal rows keep their order.
    #[must_use]
    pub fn order(&self) -> Vec<usize> {
        let keys: Vec<RankKey> = self.rows.iter().map(|row| row.key).collect();
        ranking::order_of(&keys)
    }

    /// Writes the rows as [`csv`](crate::report::csv) does, in `order`; nothing but the header without `with_csv`.
    ///
    /// # Errors
    /// Where `writer` cannot be written.
    pub fn write_csv(&self, order: &[usize], mut writer: impl Write) -> io::Result<()> {
        let simulated = self.rows.iter().any(Standing::is_simulated);
        writer.write_all(csv_header(simulated).as_bytes())?;
        for &index in order {
            let Some(Place { buffer, bytes }) = self.places.get(index) else { continue };
            writer.write_all(&self.records[*buffer][bytes.clone()])?;
            if simulated {
                write!(writer, ",{}", self.rows[index].is_simulated())?;
            }
            writer.write_all(b"\n")?;
        }
        writer.flush()
    }
}

/// The next whole lines; `rest` holds the begun line between calls. `None` at the end.
fn next_chunk(reader: &mut impl Read, rest: &mut Vec<u8>) -> io::Result<Option<Vec<u8>>> {
    let mut text = std::mem::take(rest);
    loop {
        let before = text.len();
        let read = reader.by_ref().take(CHUNK_BYTES as u64).read_to_end(&mut text)?;
        if read == 0 {
            return Ok((!text.is_empty()).then_some(text));
        }
        if let Some(at) = text[before..].iter().rposition(|&byte| byte == b'\n') {
            *rest = text.split_off(before + at + 1);
            return Ok(Some(text));
        }
    }
}

fn read_chunk(text: &[u8], preference: Preference, with_csv: bool) -> Chunk {
    let mut chunk = Chunk::default();
    let mut names: HashMap<String, Arc<str>> = HashMap::new();
    let mut shared = |name: &str| match names.get(name) {
        Some(known) => Arc::clone(known),
        None => {
            let new: Arc<str> = name.into();
            names.insert(name.to_owned(), Arc::clone(&new));
            new
        }
    };
    let mut records = csv::Writer::from_writer(Vec::new());
    let mut start = 0;
    for line in text.split_inclusive(|&byte| byte == b'\n') {
        chunk.lines += 1;
        match read_line(line) {
            None => {}
            Some(Err(message)) => chunk.problems.push(RowProblem { line: chunk.lines, message }),
            Some(Ok(row)) => {
                chunk.rows.push(Standing::of(&row, preference, &mut shared));
                if with_csv {
                    // Writing into memory cannot fail, and all records have as many fields.
                    let written = records.write_record(csv_fields(&row)).and_then(|()| Ok(records.flush()?));
                    debug_assert!(written.is_ok(), "{written:?}");
                    let after = records.get_ref().len();
                    // The line end is not part of the record.
                    chunk.places.push(start..after.saturating_sub(1));
                    start = after;
                }
            }
        }
    }
    chunk.records = records.into_inner().unwrap_or_default();
    chunk
}

#[cfg(test)]
mod tests;
