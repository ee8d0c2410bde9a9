//! An incremental parser of server-sent events.

use memchr::memchr2;

/// An event longer than this is refused: no token event comes near it.
const MAX_EVENT_BYTES: usize = 4 << 20;

/// Splits a byte stream into the data of its events, whatever the boundaries at which the bytes arrive.
///
/// Lines end with `\n`, `\r\n` or `\r`; comments and fields other than `data` are skipped; several `data` lines are
/// joined by `\n`. Data that lies within one piece of input is handed out without a copy.
#[derive(Debug, Default)]
pub(crate) struct SseParser {
    /// The beginning of a line whose end has not arrived.
    partial_line: Vec<u8>,
    /// The data of the current event, without what is still in the input.
    data: Vec<u8>,
    /// Whether the current event has data (which may be empty).
    has_data: bool,
    /// The last byte was `\r`: a `\n` that follows belongs to it.
    after_cr: bool,
}

/// An event was larger than the parser holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct EventTooLong;

impl SseParser {
    /// Takes the next bytes and calls `on_event` with the data of each event that they complete.
    pub fn feed(&mut self, input: &[u8], mut on_event: impl FnMut(&[u8])) -> Result<(), EventTooLong> {
        let mut rest = input;
        // The only data line of the current event so far, when it lies in `input`.
        let mut borrowed: Option<&[u8]> = None;
        if self.after_cr && !rest.is_empty() {
            self.after_cr = false;
            rest = rest.strip_prefix(b"\n").unwrap_or(rest);
        }
        while let Some(end) = memchr2(b'\n', b'\r', rest) {
            let line = &rest[..end];
            let after = &rest[end + 1..];
            rest = match (rest[end], after.first()) {
                (b'\r', Some(b'\n')) => &after[1..],
                (b'\r', None) => {
                    self.after_cr = true;
                    after
                }
                _ => after,
            };
            if self.partial_line.is_empty() {
                if line.is_empty() {
                    self.dispatch(&mut borrowed, &mut on_event);
                } else if let Some(data) = data_of(line) {
                    if self.has_data {
                        self.append(&mut borrowed, data);
                    } else {
                        self.has_data = true;
                        borrowed = Some(data);
                    }
                }
            } else {
                self.partial_line.extend_from_slice(line);
                let line = std::mem::take(&mut self.partial_line);
                if let Some(data) = data_of(&line) {
                    if self.has_data {
                        self.append(&mut borrowed, data);
                    } else {
                        self.has_data = true;
                        self.data.extend_from_slice(data);
                    }
                }
                self.partial_line = line;
                self.partial_line.clear();
            }
        }
        if let Some(data) = borrowed {
            self.data.extend_from_slice(data);
        }
        self.partial_line.extend_from_slice(rest);
        if self.partial_line.len() + self.data.len() > MAX_EVENT_BYTES { Err(EventTooLong) } else { Ok(()) }
    }

    /// Adds a further data line to the current event.
    fn append(&mut self, borrowed: &mut Option<&[u8]>, data: &[u8]) {
        if let Some(first) = borrowed.take() {
            self.data.extend_from_slice(first);
        }
        self.data.push(b'\n');
        self.data.extend_from_slice(data);
    }

    /// Ends the current event.
    fn dispatch(&mut self, borrowed: &mut Option<&[u8]>, on_event: &mut impl FnMut(&[u8])) {
        if !std::mem::take(&mut self.has_data) {
            return;
        }
        match borrowed.take() {
            Some(data) => on_event(data),
            None => on_event(&self.data),
        }
        self.data.clear();
    }
}

/// The value of a `data` line; `None` for comments and other fields.
fn data_of(line: &[u8]) -> Option<&[u8]> {
    match line.strip_prefix(b"data")? {
        [] => Some(b""),
        [b':', b' ', data @ ..] | [b':', data @ ..] => Some(data),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn events(pieces: &[&[u8]]) -> Vec<Vec<u8>> {
        let mut parser = SseParser::default();
        let mut events = Vec::new();
        for piece in pieces {
            parser.feed(piece, |data| events.push(data.to_vec())).unwrap();
        }
        events
    }

    #[test]
    fn all_line_endings_end_lines() {
        for end in ["\n", "\r\n", "\r"] {
            let text =
                format!("data: a{end}{end}: note{end}data:b{end}data: c{end}{end}event: x{end}{end}data{end}{end}");
            assert_eq!(events(&[text.as_bytes()]), [&b"a"[..], b"b\nc", b""], "{end:?}");
        }
    }

    #[test]
    fn an_event_without_its_empty_line_is_not_handed_out() {
        assert_eq!(events(&[b"data: a\n\ndata: b\n"]), [b"a"]);
    }

    #[test]
    fn other_fields_and_look_alikes_are_skipped() {
        assert_eq!(events(&[b"id: 1\nretry: 5\ndatabase: x\ndata: a\n\n\n\n"]), [b"a"]);
    }

    #[test]
    fn an_endless_event_is_refused() {
        let mut parser = SseParser::default();
        let piece = vec![b'x'; 1 << 20];
        let mut fed = (0..8).map(|_| parser.feed(&piece, |_| ()));
        assert!(fed.any(|result| result == Err(EventTooLong)));
    }

    /// One line of a stream and how it ends.
    fn line() -> impl Strategy<Value = (String, &'static str)> {
        let text = prop_oneof![
            4 => "data: ?[a-z{}\"é]{0,8}",
            1 => ":[ a-z]{0,5}",
            1 => "event: [a-z]{0,5}",
            3 => Just(String::new()),
        ];
        (text, prop_oneof![Just("\n"), Just("\r\n"), Just("\r")])
    }

    proptest! {
        #[test]
        fn boundaries_do_not_matter(
            lines in prop::collection::vec(line(), 0..30),
            cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..20),
        ) {
            let stream: String = lines.iter().flat_map(|(text, end)| [text.as_str(), end]).collect();
            let bytes = stream.as_bytes();
            let whole = events(&[bytes]);
            let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
            cuts.extend([0, bytes.len()]);
            cuts.sort_unstable();
            let pieces: Vec<&[u8]> = cuts.windows(2).map(|w| &bytes[w[0]..w[1]]).collect();
            prop_assert_eq!(&events(&pieces), &whole);
            let single: Vec<&[u8]> = bytes.chunks(1).collect();
            prop_assert_eq!(&events(&single), &whole);
        }

        #[test]
        fn a_plain_reader_of_lines_sees_the_same(lines in prop::collection::vec(line(), 0..30)) {
            // The specification, literally, over whole lines. Adjacent `\r` and `\n` of different lines would merge,
            // so that every line ends with `\n` here.
            let stream: String = lines.iter().flat_map(|(text, _)| [text.as_str(), "\n"]).collect();
            let (mut expected, mut data): (Vec<Vec<u8>>, Vec<&str>) = Default::default();
            for (text, _) in &lines {
                if text.is_empty() {
                    if !data.is_empty() {
                        expected.push(data.join("\n").into_bytes());
                    }
                    data.clear();
                } else if let Some(value) = text.strip_prefix("data:") {
                    data.push(value.strip_prefix(' ').unwrap_or(value));
                }
            }
            prop_assert_eq!(events(&[stream.as_bytes()]), expected);
        }
    }
}
