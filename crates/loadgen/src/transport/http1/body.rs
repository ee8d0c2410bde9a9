//! The framing of a body: chunks, a length, or all that comes.

use super::Http1Error;

/// What a line between two chunks, extensions included, or all trailers together may be long.
const MAX_LINE_BYTES: u32 = 16 * 1024;

/// Takes the framing off a body, in whatever pieces it comes.
#[derive(Debug, Clone, Copy)]
pub(super) struct BodyDecoder {
    state: State,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// In a chunk's size; `None` before its first digit.
    Size {
        size: Option<u64>,
        line: u32,
    },
    /// After a chunk's size, up to the line's end: extensions, which say nothing here.
    Extension {
        size: u64,
        line: u32,
    },
    /// In a chunk's data.
    Chunk {
        left: u64,
    },
    /// In the line end after a chunk's data.
    ChunkEnd {
        after_return: bool,
    },
    /// After the last chunk: lines up to an empty one. `blank`: nothing of the present line has come.
    Trailers {
        blank: bool,
        bytes: u32,
    },
    /// A body of known length.
    Length {
        left: u64,
    },
    /// Everything up to the end of the connection.
    Rest,
    Ended,
}

impl BodyDecoder {
    /// An answer without a body.
    pub fn none() -> Self {
        BodyDecoder { state: State::Ended }
    }

    pub fn chunked() -> Self {
        BodyDecoder { state: State::Size { size: None, line: 0 } }
    }

    pub fn of_length(bytes: u64) -> Self {
        BodyDecoder { state: if bytes == 0 { State::Ended } else { State::Length { left: bytes } } }
    }

    pub fn until_end_of_connection() -> Self {
        BodyDecoder { state: State::Rest }
    }

    pub fn has_ended(&self) -> bool {
        self.state == State::Ended
    }

    /// Whether nothing but the connection's end tells the body's.
    pub fn ends_with_connection(&self) -> bool {
        self.state == State::Rest
    }

    /// The connection has ended.
    pub fn end_of_connection(&mut self) -> Result<(), Http1Error> {
        match self.state {
            State::Rest | State::Ended => {
                self.state = State::Ended;
                Ok(())
            }
            _ => Err(Http1Error::Incomplete),
        }
    }

    /// Appends what `bytes` hold of the data to `into`; how many of them belong to this body.
    pub fn decode(&mut self, bytes: &[u8], into: &mut Vec<u8>) -> Result<usize, Http1Error> {
        let mut rest = bytes;
        while !self.has_ended() && !rest.is_empty() {
            rest = match self.state {
                State::Chunk { left } | State::Length { left } => self.take_data(left, rest, into),
                State::Rest => {
                    into.extend_from_slice(rest);
                    &[]
                }
                _ => {
                    self.state = self.state.after(rest[0])?;
                    &rest[1..]
                }
            };
        }
        Ok(bytes.len() - rest.len())
    }

    fn take_data<'a>(&mut self, left: u64, bytes: &'a [u8], into: &mut Vec<u8>) -> &'a [u8] {
        let taken = usize::try_from(left).unwrap_or(usize::MAX).min(bytes.len());
        into.extend_from_slice(&bytes[..taken]);
        let left = left - taken as u64;
        self.state = match (self.state, left) {
            (State::Chunk { .. }, 0) => State::ChunkEnd { after_return: false },
            (State::Chunk { .. }, left) => State::Chunk { left },
            (_, 0) => State::Ended,
            (_, left) => State::Length { left },
        };
        &bytes[taken..]
    }
}

impl State {
    /// The state after one byte of the framing.
    fn after(self, byte: u8) -> Result<State, Http1Error> {
        Ok(match (self, byte) {
            (State::Size { line, .. } | State::Extension { line, .. }, _) if line >= MAX_LINE_BYTES => {
                return Err(Http1Error::Malformed("a chunk's size on a line of more than 16 KiB"));
            }
            (State::Size { size, line }, byte) if byte.is_ascii_hexdigit() => {
                let digit = (byte as char).to_digit(16).unwrap_or(0);
                let size = size.unwrap_or(0).checked_mul(16).ok_or(Http1Error::Malformed("a chunk without an end"))?;
                State::Size { size: Some(size + u64::from(digit)), line: line + 1 }
            }
            (State::Size { size: Some(size), .. } | State::Extension { size, .. }, b'\n') => match size {
                0 => State::Trailers { blank: true, bytes: 0 },
                left => State::Chunk { left },
            },
            (State::Size { size: Some(size), line }, b'\r' | b';' | b' ' | b'\t') => {
                State::Extension { size, line: line + 1 }
            }
            (State::Size { .. }, _) => return Err(Http1Error::Malformed("a chunk without a size")),
            (State::Extension { size, line }, _) => State::Extension { size, line: line + 1 },
            (State::ChunkEnd { after_return: false }, b'\r') => State::ChunkEnd { after_return: true },
            (State::ChunkEnd { .. }, b'\n') => State::Size { size: None, line: 0 },
            (State::ChunkEnd { .. }, _) => return Err(Http1Error::Malformed("a chunk longer than its size")),
            (State::Trailers { blank: true, .. }, b'\n') => State::Ended,
            (State::Trailers { bytes, .. }, _) if bytes >= MAX_LINE_BYTES => {
                return Err(Http1Error::Malformed("trailers of more than 16 KiB"));
            }
            (State::Trailers { bytes, .. }, b'\n') => State::Trailers { blank: true, bytes: bytes + 1 },
            (State::Trailers { blank, bytes }, b'\r') => State::Trailers { blank, bytes: bytes + 1 },
            (State::Trailers { bytes, .. }, _) => State::Trailers { blank: false, bytes: bytes + 1 },
            // Data is taken as a whole.
            (State::Chunk { .. } | State::Length { .. } | State::Rest | State::Ended, _) => self,
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Decodes `bytes` in pieces that end at `cuts`; the data, and how many bytes belong to the body.
    fn decode(mut body: BodyDecoder, bytes: &[u8], cuts: &[usize]) -> Result<(Vec<u8>, usize), Http1Error> {
        let (mut data, mut used, mut from) = (Vec::new(), 0, 0);
        for &cut in cuts.iter().chain([&bytes.len()]) {
            let cut = cut.clamp(from, bytes.len());
            used += body.decode(&bytes[from..cut], &mut data)?;
            from = cut;
        }
        assert!(body.has_ended(), "{body:?}");
        Ok((data, used))
    }

    proptest! {
        #[test]
        fn a_chunked_body_is_the_same_in_whatever_pieces_it_comes(
            chunks in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..40), 0..8),
            extension in prop::sample::select(vec!["", ";a=b", " ; x=\"y\"", " "]),
            upper in any::<bool>(),
            trailers in prop::sample::select(vec!["", "a: b\r\n", "a: b\r\nc: d\r\n"]),
            after in prop::collection::vec(any::<u8>(), 0..5),
            mut cuts in prop::collection::vec(0_usize..400, 0..12),
        ) {
            let mut bytes = Vec::new();
            for chunk in &chunks {
                let size = if upper { format!("{:X}", chunk.len()) } else { format!("0{:x}", chunk.len()) };
                bytes.extend_from_slice(format!("{size}{extension}\r\n").as_bytes());
                bytes.extend_from_slice(chunk);
                bytes.extend_from_slice(b"\r\n");
            }
            bytes.extend_from_slice(format!("0\r\n{trailers}\r\n").as_bytes());
            let length = bytes.len();
            bytes.extend_from_slice(&after);
            cuts.sort_unstable();
            let (data, used) = decode(BodyDecoder::chunked(), &bytes, &cuts)?;
            prop_assert_eq!(data, chunks.concat());
            prop_assert_eq!(used, length);
        }

        #[test]
        fn no_bytes_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = BodyDecoder::chunked().decode(&bytes, &mut Vec::new());
        }

        #[test]
        fn a_body_of_known_length_ends_there(bytes in prop::collection::vec(any::<u8>(), 1..60), cut in 0_usize..60) {
            let length = bytes.len() / 2;
            let (data, used) = decode(BodyDecoder::of_length(length as u64), &bytes, &[cut])?;
            prop_assert_eq!(used, length);
            prop_assert_eq!(&data, &bytes[..length]);
        }
    }

    #[test]
    fn what_is_no_chunk_is_refused() {
        for text in ["\r\n", "x\r\n", "-1\r\n", "5\r\nabcdefg", "1\r\na\rb", "fffffffffffffffff\r\n"] {
            assert!(BodyDecoder::chunked().decode(text.as_bytes(), &mut Vec::new()).is_err(), "{text:?}");
        }
        let long = format!("1;{}\r\n", "x".repeat(20_000));
        assert!(BodyDecoder::chunked().decode(long.as_bytes(), &mut Vec::new()).is_err());
        let long = format!("0\r\n{}", "x".repeat(20_000));
        assert!(BodyDecoder::chunked().decode(long.as_bytes(), &mut Vec::new()).is_err());
    }

    #[test]
    fn the_end_of_the_connection_ends_only_a_body_that_has_no_other_end() {
        let mut rest = BodyDecoder::until_end_of_connection();
        let mut data = Vec::new();
        assert_eq!(rest.decode(b"abc", &mut data).expect("no framing to break"), 3);
        rest.end_of_connection().expect("the only end it has");
        assert!(rest.has_ended() && data == b"abc");
        assert!(matches!(BodyDecoder::of_length(1).end_of_connection(), Err(Http1Error::Incomplete)));
        assert!(matches!(BodyDecoder::chunked().end_of_connection(), Err(Http1Error::Incomplete)));
        assert!(BodyDecoder::of_length(0).has_ended());
    }
}
