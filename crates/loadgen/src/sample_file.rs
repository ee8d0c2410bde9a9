//! The file of per-request samples: columnar, versioned, little-endian.
//!
//! Layout: the magic bytes, a `u32` version, a `u32` length and as many bytes of JSON ([`Header`]: rows and columns),
//! then each column's bytes in the header's order. A number that is absent is all ones. The column `gaps` holds every
//! request's [`EventGaps`] one after the other, `gap_bytes` says how many bytes of it each request has.

use std::fs::File;
use std::io::{self, BufReader, BufWriter, Read, Write};
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::error::Error;
use crate::event::FinishReason;
use crate::sample::{EventGaps, FailureClass, RequestSample};

const MAGIC: [u8; 8] = *b"PODIUMRS";
const VERSION: u32 = 1;
/// A header larger than this is no header of ours.
const MAX_HEADER_BYTES: u32 = 1 << 20;
const ABSENT_BYTE: u8 = u8::MAX;
const FINISH_REASONS: [FinishReason; 4] =
    [FinishReason::Unknown, FinishReason::Stop, FinishReason::Length, FinishReason::Other];

#[derive(Debug, Serialize, Deserialize)]
struct Header {
    rows: u64,
    columns: Vec<ColumnHeader>,
}

#[derive(Debug, Serialize, Deserialize)]
struct ColumnHeader {
    name: String,
    /// `u64`, `u32`, `u8` or `bytes`.
    kind: String,
    bytes: u64,
}

/// Columns of 64-bit numbers: name, reader, writer.
type WideColumn = (&'static str, fn(&RequestSample) -> Option<u64>, fn(&mut RequestSample, Option<u64>));

const WIDE_COLUMNS: [WideColumn; 10] = [
    ("scheduled_at_ns", |s| Some(s.scheduled_at_ns), |s, v| s.scheduled_at_ns = v.unwrap_or_default()),
    ("slot_wait_ns", |s| Some(s.slot_wait_ns), |s, v| s.slot_wait_ns = v.unwrap_or_default()),
    ("connect_ns", |s| Some(s.connect_ns), |s, v| s.connect_ns = v.unwrap_or_default()),
    ("tls_ns", |s| Some(s.tls_ns), |s, v| s.tls_ns = v.unwrap_or_default()),
    ("sent_at_ns", |s| s.sent_at_ns, |s, v| s.sent_at_ns = v),
    ("first_byte_at_ns", |s| s.first_byte_at_ns, |s, v| s.first_byte_at_ns = v),
    ("first_token_at_ns", |s| s.first_token_at_ns, |s, v| s.first_token_at_ns = v),
    ("first_visible_token_at_ns", |s| s.first_visible_token_at_ns, |s, v| s.first_visible_token_at_ns = v),
    ("last_token_at_ns", |s| s.last_token_at_ns, |s, v| s.last_token_at_ns = v),
    ("done_at_ns", |s| s.done_at_ns, |s, v| s.done_at_ns = v),
];

/// Columns of 32-bit numbers: name, reader, writer.
type NarrowColumn = (&'static str, fn(&RequestSample) -> Option<u32>, fn(&mut RequestSample, Option<u32>));

const NARROW_COLUMNS: [NarrowColumn; 4] = [
    ("index", |s| Some(s.index), |s, v| s.index = v.unwrap_or_default()),
    ("input_tokens", |s| s.input_tokens, |s, v| s.input_tokens = v),
    ("output_tokens", |s| s.output_tokens, |s, v| s.output_tokens = v),
    ("cached_tokens", |s| s.cached_tokens, |s, v| s.cached_tokens = v),
];

/// Writes `samples` to `path`, replacing what was there.
pub fn write_samples(path: &Path, samples: &[RequestSample]) -> Result<(), Error> {
    let write = || {
        let mut file = BufWriter::new(File::create(path)?);
        write_to(&mut file, samples)?;
        file.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()
    };
    write().map_err(|source| Error::Samples { path: path.to_owned(), source })
}

/// Reads the samples that [`write_samples`] wrote to `path`.
pub fn read_samples(path: &Path) -> Result<Vec<RequestSample>, Error> {
    let read = || read_from(&mut BufReader::new(File::open(path)?));
    read().map_err(|source| Error::Samples { path: path.to_owned(), source })
}

/// Writes `samples` in the file's form.
pub fn write_to(out: &mut impl Write, samples: &[RequestSample]) -> io::Result<()> {
    let mut columns = Vec::new();
    let mut header = Header { rows: samples.len() as u64, columns: Vec::new() };
    let mut add = |name: &str, kind: &str, bytes: Vec<u8>| {
        let (name, kind) = (name.to_owned(), kind.to_owned());
        header.columns.push(ColumnHeader { name, kind, bytes: bytes.len() as u64 });
        columns.push(bytes);
    };
    for (name, get, _) in WIDE_COLUMNS {
        add(name, "u64", samples.iter().flat_map(|s| get(s).unwrap_or(u64::MAX).to_le_bytes()).collect());
    }
    for (name, get, _) in NARROW_COLUMNS {
        add(name, "u32", samples.iter().flat_map(|s| get(s).unwrap_or(u32::MAX).to_le_bytes()).collect());
    }
    add("finish", "u8", samples.iter().map(|s| code_of(&FINISH_REASONS, s.finish)).collect());
    let failure = |s: &RequestSample| s.failure.map_or(ABSENT_BYTE, |class| code_of(&FailureClass::ALL, class));
    add("failure", "u8", samples.iter().map(failure).collect());
    let gap_bytes = |s: &RequestSample| (s.gaps.encoded().len() as u64).to_le_bytes();
    add("gap_bytes", "u64", samples.iter().flat_map(gap_bytes).collect());
    add("gaps", "bytes", samples.iter().flat_map(|s| s.gaps.encoded()).copied().collect());

    let header = serde_json::to_vec(&header)?;
    out.write_all(&MAGIC)?;
    out.write_all(&VERSION.to_le_bytes())?;
    out.write_all(&u32::try_from(header.len()).map_err(|_| invalid("the header is too large"))?.to_le_bytes())?;
    out.write_all(&header)?;
    columns.iter().try_for_each(|bytes| out.write_all(bytes))
}

fn code_of<T: PartialEq>(all: &[T], value: T) -> u8 {
    all.iter().position(|candidate| *candidate == value).map_or(ABSENT_BYTE, |position| position as u8)
}

/// Reads samples in the file's form. Columns that this release does not know are skipped, missing ones are absent.
pub fn read_from(input: &mut impl Read) -> io::Result<Vec<RequestSample>> {
    let mut magic = [0; 8];
    input.read_exact(&mut magic)?;
    if magic != MAGIC {
        return Err(invalid("this is no sample file"));
    }
    let version = read_u32(input)?;
    if version != VERSION {
        return Err(invalid(format!("the sample file has version {version}, this release reads version {VERSION}")));
    }
    let header_len = read_u32(input)?;
    if header_len > MAX_HEADER_BYTES {
        return Err(invalid("the header is too large"));
    }
    let header: Header = serde_json::from_slice(&read_bytes(input, u64::from(header_len))?)?;
    // Every row has bytes in the first column, so that a false row count cannot ask for more memory than the file has.
    let first_bytes = header.columns.first().map_or(0, |column| column.bytes);
    if header.rows.checked_mul(8) != Some(first_bytes) {
        return Err(invalid("the row count does not fit the columns"));
    }
    let mut samples: Vec<RequestSample> = Vec::new();
    let (mut gap_bytes, mut gaps) = (Vec::new(), Vec::new());
    for (position, column) in header.columns.iter().enumerate() {
        let bytes = read_bytes(input, column.bytes)?;
        if position == 0 {
            samples.resize(bytes.len() / 8, RequestSample::default());
        }
        let width = match column.kind.as_str() {
            "u64" => 8,
            "u32" => 4,
            "u8" => 1,
            _ => 0,
        };
        if width > 0 && bytes.len() != width * samples.len() {
            return Err(invalid(format!("the column {} has the wrong length", column.name)));
        }
        fill_column(&mut samples, &column.name, width, &bytes);
        match column.name.as_str() {
            "gap_bytes" => gap_bytes = wide(&bytes).collect(),
            "gaps" => gaps = bytes,
            _ => {}
        }
    }
    let mut rest = gaps.as_slice();
    for (sample, len) in samples.iter_mut().zip(gap_bytes) {
        let own = usize::try_from(len).ok().and_then(|len| rest.split_at_checked(len));
        let Some((own, others)) = own else { return Err(invalid("the column gaps is too short")) };
        sample.gaps = EventGaps::from_encoded(own.to_vec());
        rest = others;
    }
    Ok(samples)
}

fn fill_column(samples: &mut [RequestSample], name: &str, width: usize, bytes: &[u8]) {
    if let Some((_, _, set)) = WIDE_COLUMNS.iter().find(|(known, ..)| *known == name && width == 8) {
        samples.iter_mut().zip(wide(bytes)).for_each(|(s, v)| set(s, (v != u64::MAX).then_some(v)));
    } else if let Some((_, _, set)) = NARROW_COLUMNS.iter().find(|(known, ..)| *known == name && width == 4) {
        samples.iter_mut().zip(narrow(bytes)).for_each(|(s, v)| set(s, (v != u32::MAX).then_some(v)));
    } else if name == "finish" {
        let known = |code: u8| FINISH_REASONS.get(usize::from(code)).copied().unwrap_or_default();
        samples.iter_mut().zip(bytes).for_each(|(s, code)| s.finish = known(*code));
    } else if name == "failure" {
        let known = |code: u8| FailureClass::ALL.get(usize::from(code)).copied();
        samples.iter_mut().zip(bytes).for_each(|(s, code)| s.failure = known(*code));
    }
}

fn wide(bytes: &[u8]) -> impl Iterator<Item = u64> + '_ {
    bytes.as_chunks::<8>().0.iter().map(|chunk| u64::from_le_bytes(*chunk))
}

fn narrow(bytes: &[u8]) -> impl Iterator<Item = u32> + '_ {
    bytes.as_chunks::<4>().0.iter().map(|chunk| u32::from_le_bytes(*chunk))
}

fn read_u32(input: &mut impl Read) -> io::Result<u32> {
    let mut bytes = [0; 4];
    input.read_exact(&mut bytes)?;
    Ok(u32::from_le_bytes(bytes))
}

/// Exactly `len` bytes; memory grows with what is really there, not with what the header claims.
fn read_bytes(input: &mut impl Read, len: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    if input.take(len).read_to_end(&mut bytes)? as u64 != len {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(bytes)
}

fn invalid(message: impl Into<String>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, message.into())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn sample() -> impl Strategy<Value = RequestSample> {
        let time = || prop::option::of(0..u64::MAX);
        let tokens = || prop::option::of(0..u32::MAX);
        (
            (any::<u32>(), 0..u64::MAX, 0..u64::MAX, time(), time(), time(), time()),
            (tokens(), tokens(), tokens(), 0..4usize, prop::option::of(0..7usize)),
            prop::collection::vec(any::<u64>(), 0..10),
        )
            .prop_map(
                |((index, scheduled, connect, sent, first, last, done), (i, o, c, finish, failure), gaps)| {
                    let mut sample = RequestSample {
                        index: index & 0xFFFF,
                        scheduled_at_ns: scheduled,
                        connect_ns: connect,
                        sent_at_ns: sent,
                        first_token_at_ns: first,
                        last_token_at_ns: last,
                        done_at_ns: done,
                        input_tokens: i,
                        output_tokens: o,
                        cached_tokens: c,
                        finish: FINISH_REASONS[finish],
                        failure: failure.map(|code| FailureClass::ALL[code]),
                        ..RequestSample::default()
                    };
                    gaps.iter().for_each(|gap| sample.gaps.push(*gap));
                    sample
                },
            )
    }

    proptest! {
        #[test]
        fn samples_survive_the_file(samples in prop::collection::vec(sample(), 0..20)) {
            let mut file = Vec::new();
            write_to(&mut file, &samples).unwrap();
            prop_assert_eq!(&read_from(&mut file.as_slice()).unwrap(), &samples);
            if !samples.is_empty() {
                file.pop();
                prop_assert!(read_from(&mut file.as_slice()).is_err());
            }
        }

        #[test]
        fn damage_is_an_error_or_other_samples_but_no_panic(
            samples in prop::collection::vec(sample(), 1..4),
            at in any::<prop::sample::Index>(),
            byte: u8,
        ) {
            let mut file = Vec::new();
            write_to(&mut file, &samples).unwrap();
            let at = at.index(file.len());
            file[at] = byte;
            let _ = read_from(&mut file.as_slice());
        }
    }

    #[test]
    fn files_of_others_are_refused() {
        assert!(read_from(&mut &b"something else entirely"[..]).unwrap_err().to_string().contains("no sample file"));
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("samples.bin");
        assert!(read_samples(&path).is_err());
        write_samples(&path, &[RequestSample::default()]).unwrap();
        assert_eq!(read_samples(&path).unwrap(), [RequestSample::default()]);
    }
}
