//! An engine's log: read from its pipe line by line, scrubbed, kept whole up to a limit, and readable by offset while
//! it grows.
//!
//! On disk there is one file for the head and a few for the tail: offset `x` of the log is in `engine.log` while it
//! is below the head's limit; beyond it, tail file `k` holds the bytes from `head + k·tail`, and only the last two
//! tail files are kept. A flood therefore costs at most `head + 2·tail` bytes of disk and no memory.

use std::collections::VecDeque;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

use crate::left_log::left_out;
use crate::scrub::{MAX_SECRET_LENGTH, Scrubber};

/// How much of a log is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogLimits {
    /// Bytes kept from its beginning.
    pub head_bytes: u64,
    /// Bytes kept from its end, at least.
    pub tail_bytes: u64,
}

impl Default for LogLimits {
    fn default() -> Self {
        Self { head_bytes: 32 << 20, tail_bytes: 32 << 20 }
    }
}

/// How long a log is now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LogLength {
    /// Bytes captured so far, those that are no longer kept included.
    pub bytes: u64,
    /// Whether nothing will be added.
    pub closed: bool,
}

/// A piece of a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogChunk {
    /// The offset of the first byte of `text`.
    pub start: u64,
    /// The text, always whole characters.
    pub text: String,
    /// The offset to ask for next.
    pub next: u64,
    /// Bytes between the offset that was asked for and `start` that are no longer kept.
    pub skipped_bytes: u64,
    /// Whether `next` is the end of a log that is closed.
    pub end: bool,
}

/// Lines of the end that are held in memory.
const RECENT_LINES: usize = 500;

/// A held line is cut to this many characters.
const RECENT_LINE_CHARS: usize = 4096;

/// A line without an end is written in pieces of about this many bytes.
const MAX_PARTIAL_LINE: usize = 64 * 1024;

/// An engine's log. Clones are views of the same log.
#[derive(Debug, Clone)]
pub struct EngineLog {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    folder: PathBuf,
    limits: LogLimits,
    recent: Mutex<VecDeque<String>>,
    length: watch::Sender<LogLength>,
    trouble: Mutex<Option<String>>,
}

impl EngineLog {
    /// Starts to capture `source` into files of `folder`, on a thread of its own: a flood must not hold up anything
    /// else, and blocking reads and writes are the fastest way to keep the engine's pipe empty.
    ///
    /// # Errors
    /// The log file cannot be created.
    pub(crate) fn capture(
        source: impl Read + Send + 'static,
        folder: &Path,
        limits: LogLimits,
        scrubber: Scrubber,
    ) -> io::Result<Self> {
        let head = File::create(folder.join(LOG_FILE))?;
        let log = Self {
            shared: Arc::new(Shared {
                folder: folder.to_owned(),
                limits,
                recent: Mutex::new(VecDeque::new()),
                length: watch::Sender::new(LogLength::default()),
                trouble: Mutex::new(None),
            }),
        };
        let writer = Writer { shared: log.shared.clone(), scrubber, file: Some(head), tail: None, written: 0 };
        std::thread::Builder::new().name("engine-log".into()).spawn(move || writer.run(source))?;
        Ok(log)
    }

    /// The length, now and whenever it changes.
    pub fn length(&self) -> watch::Receiver<LogLength> {
        self.shared.length.subscribe()
    }

    /// The last `count` lines (at most 500), oldest first.
    pub fn tail(&self, count: usize) -> Vec<String> {
        let recent = lock(&self.shared.recent);
        recent.iter().skip(recent.len().saturating_sub(count)).cloned().collect()
    }

    /// Why the log on disk is incomplete, if it is (a full disk, for example).
    pub fn trouble(&self) -> Option<String> {
        lock(&self.shared.trouble).clone()
    }

    /// The path of the file that holds the log's beginning.
    pub fn path(&self) -> PathBuf {
        self.shared.folder.join(LOG_FILE)
    }

    /// Reads up to `max_bytes` from `offset` on. Where the bytes there are no longer kept, reading goes on at the
    /// first ones that are.
    ///
    /// # Errors
    /// A log file cannot be read.
    pub fn read(&self, offset: u64, max_bytes: usize) -> io::Result<LogChunk> {
        let length = *self.shared.length.borrow();
        let asked = offset.min(length.bytes);
        let limits = self.shared.limits;
        // The oldest tail file can vanish between the two steps; the next one then holds the first byte kept.
        let mut start = asked;
        let bytes = loop {
            let oldest = oldest_kept(limits, length_now(&self.shared));
            if start >= limits.head_bytes {
                start = start.max(oldest);
            }
            let (path, from, room) = locate(&self.shared.folder, limits, start);
            match read_at(&path, from, room.min(max_bytes as u64).min(length.bytes.saturating_sub(start))) {
                Err(error) if error.kind() == io::ErrorKind::NotFound && start >= limits.head_bytes => {
                    let newer = oldest_kept(limits, length_now(&self.shared)).max(start + 1);
                    if newer >= length_now(&self.shared) {
                        break Vec::new();
                    }
                    start = newer;
                }
                other => break other?,
            }
        };
        // Cuts fall between characters: text is valid UTF-8, but a limit may lie inside a character.
        let front = bytes.iter().take(3).take_while(|&&byte| byte & 0xC0 == 0x80).count();
        let front = if start == 0 { 0 } else { front };
        let whole = match std::str::from_utf8(&bytes[front..]) {
            Ok(text) => text.len(),
            Err(error) if error.error_len().is_none() && error.valid_up_to() > 0 => error.valid_up_to(),
            Err(_) => bytes.len() - front,
        };
        let text = String::from_utf8_lossy(&bytes[front..front + whole]).into_owned();
        let next = start + (front + whole) as u64;
        let start = start + front as u64;
        Ok(LogChunk { start, text, next, skipped_bytes: start - asked, end: length.closed && next >= length.bytes })
    }

    /// What is kept, as one text: the head, a line that says how much is missing, and the tail.
    ///
    /// # Errors
    /// A log file cannot be read.
    pub fn collect(&self) -> io::Result<Vec<u8>> {
        let mut all = Vec::new();
        let mut offset = 0;
        loop {
            let chunk = self.read(offset, 1 << 20)?;
            // Up to three bytes are the rest of a character whose beginning is gone.
            if chunk.skipped_bytes > 3 {
                all.extend_from_slice(left_out(chunk.skipped_bytes).as_bytes());
            }
            if chunk.next == offset {
                return Ok(all);
            }
            all.extend_from_slice(chunk.text.as_bytes());
            offset = chunk.next;
        }
    }

    /// The first and the last `bytes` of what is kept, as lines: where a recogniser looks.
    pub(crate) fn ends(&self, bytes: usize) -> Vec<String> {
        let length = length_now(&self.shared);
        let mut text = String::new();
        let mut offset = 0;
        while (text.len() as u64) < length {
            if offset >= bytes as u64 {
                offset = offset.max(length.saturating_sub(bytes as u64));
            }
            match self.read(offset, bytes) {
                Ok(chunk) if chunk.next > offset => {
                    text.push_str(&chunk.text);
                    offset = chunk.next;
                }
                _ => break,
            }
        }
        if text.is_empty() {
            return self.tail(RECENT_LINES);
        }
        text.split(['\n', '\r']).filter(|line| !line.trim().is_empty()).map(str::to_owned).collect()
    }
}

/// The name of the file in a launch's folder that holds the log's beginning.
pub(crate) const LOG_FILE: &str = "engine.log";

fn tail_file(folder: &Path, index: u64) -> PathBuf {
    folder.join(format!("engine.tail-{index}.log"))
}

/// The index of a tail file, by its name; `None` for any other file.
pub(crate) fn tail_index(path: &Path) -> Option<u64> {
    path.file_name()?.to_str()?.strip_prefix("engine.tail-")?.strip_suffix(".log")?.parse().ok()
}

fn length_now(shared: &Shared) -> u64 {
    shared.length.borrow().bytes
}

/// The offset of the oldest byte of the tail that is kept.
fn oldest_kept(limits: LogLimits, length: u64) -> u64 {
    let tail = limits.tail_bytes.max(1);
    let current = length.saturating_sub(limits.head_bytes) / tail;
    limits.head_bytes + current.saturating_sub(1) * tail
}

/// The file that holds `offset`, the offset inside it, and the bytes from there to the file's limit.
fn locate(folder: &Path, limits: LogLimits, offset: u64) -> (PathBuf, u64, u64) {
    match offset.checked_sub(limits.head_bytes) {
        None => (folder.join(LOG_FILE), offset, limits.head_bytes - offset),
        Some(beyond) => {
            let tail = limits.tail_bytes.max(1);
            (tail_file(folder, beyond / tail), beyond % tail, tail - beyond % tail)
        }
    }
}

fn read_at(path: &Path, from: u64, count: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    if count > 0 {
        let mut file = File::open(path)?;
        file.seek(SeekFrom::Start(from))?;
        file.take(count).read_to_end(&mut bytes)?;
    }
    Ok(bytes)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Nothing that holds these locks can leave a value half-changed.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The thread that empties the engine's pipe.
struct Writer {
    shared: Arc<Shared>,
    scrubber: Scrubber,
    /// The file being written; `None` after a write failed.
    file: Option<File>,
    /// The index of the tail file being written; `None` while it is the head.
    tail: Option<u64>,
    written: u64,
}

impl Writer {
    fn run(mut self, mut source: impl Read) {
        let mut buffer = vec![0; 64 * 1024];
        let mut pending = Vec::new();
        loop {
            match source.read(&mut buffer) {
                Ok(0) => break,
                Ok(read) => pending.extend_from_slice(&buffer[..read]),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => {
                    self.note_trouble(format!("the engine's output could not be read: {error}"));
                    break;
                }
            }
            if let Some(end) = pending.iter().rposition(|&byte| byte == b'\n' || byte == b'\r') {
                let rest = pending.split_off(end + 1);
                self.add(&String::from_utf8_lossy(&pending));
                pending = rest;
            }
            if pending.len() > MAX_PARTIAL_LINE {
                pending = self.add_partial(&pending);
            }
        }
        self.add(&String::from_utf8_lossy(&pending));
        self.shared.length.send_modify(|length| length.closed = true);
    }

    /// Writes most of a line that has not ended, and returns the rest: as much as a secret may need, so that none is
    /// written in two halves.
    fn add_partial(&mut self, pending: &[u8]) -> Vec<u8> {
        // A character whose last bytes have not been read yet stays with the rest.
        let whole = match std::str::from_utf8(pending) {
            Err(error) if error.error_len().is_none() => error.valid_up_to(),
            _ => pending.len(),
        };
        let text = String::from_utf8_lossy(&pending[..whole]).into_owned();
        let cut = match self.scrubber.safe_cut(&text, text.len().saturating_sub(MAX_SECRET_LENGTH)) {
            0 => text.len(),
            cut => cut,
        };
        self.add(&text[..cut]);
        [&text.as_bytes()[cut..], &pending[whole..]].concat()
    }

    fn add(&mut self, text: &str) {
        if text.is_empty() {
            return;
        }
        // Databases refuse NUL in text; nothing else is changed.
        let text = self.scrubber.scrub(text).replace('\0', "\u{FFFD}");
        self.remember(&text);
        self.write(text.as_bytes());
        let bytes = self.written;
        self.shared.length.send_modify(|length| length.bytes = bytes);
    }

    fn remember(&self, text: &str) {
        let lines: Vec<&str> = text.split(['\n', '\r']).filter(|line| !line.is_empty()).collect();
        let mut recent = lock(&self.shared.recent);
        for line in &lines[lines.len().saturating_sub(RECENT_LINES)..] {
            if recent.len() == RECENT_LINES {
                recent.pop_front();
            }
            recent.push_back(line.chars().take(RECENT_LINE_CHARS).collect());
        }
    }

    fn write(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let (path, _, room) = locate(&self.shared.folder, self.shared.limits, self.written);
            let tail = self.written.checked_sub(self.shared.limits.head_bytes);
            let tail = tail.map(|beyond| beyond / self.shared.limits.tail_bytes.max(1));
            if tail != self.tail {
                self.next_file(&path, tail);
            }
            let count = bytes.len().min(usize::try_from(room).unwrap_or(usize::MAX));
            if let Some(Err(error)) = self.file.as_mut().map(|file| file.write_all(&bytes[..count])) {
                self.note_trouble(format!("{} could not be written: {error}", path.display()));
            }
            self.written += count as u64;
            bytes = &bytes[count..];
        }
    }

    fn next_file(&mut self, path: &Path, tail: Option<u64>) {
        self.tail = tail;
        if let Some(stale) = tail.and_then(|index| index.checked_sub(2)) {
            // It is there unless writing it failed, which was noted.
            let _ = std::fs::remove_file(tail_file(&self.shared.folder, stale));
        }
        match OpenOptions::new().write(true).create(true).truncate(true).open(path) {
            Ok(file) => self.file = Some(file),
            Err(error) => {
                self.file = None;
                self.note_trouble(format!("{} could not be created: {error}", path.display()));
            }
        }
    }

    /// Keeps the first trouble; capturing goes on, because an engine whose pipe is full would stand still.
    fn note_trouble(&self, trouble: String) {
        let mut first = lock(&self.shared.trouble);
        if first.is_none() {
            tracing::warn!(trouble, "an engine's log is incomplete");
            *first = Some(trouble);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::environment::Environment;

    async fn captured(text: &[u8], limits: LogLimits, scrubber: Scrubber) -> (tempfile::TempDir, EngineLog) {
        let folder = tempfile::tempdir().unwrap();
        let log = EngineLog::capture(io::Cursor::new(text.to_vec()), folder.path(), limits, scrubber).unwrap();
        log.length().wait_for(|length| length.closed).await.unwrap();
        (folder, log)
    }

    fn size_on_disk(folder: &Path) -> u64 {
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().metadata().unwrap().len()).sum()
    }

    #[tokio::test]
    async fn a_small_log_is_kept_whole_and_read_in_pieces() {
        let text = "one\ntwo grün\nthree";
        let (_folder, log) = captured(text.as_bytes(), LogLimits::default(), Scrubber::default()).await;
        assert_eq!(log.tail(2), ["two grün", "three"]);
        assert_eq!(log.collect().unwrap(), text.as_bytes());
        let (mut read, mut offset) = (String::new(), 0);
        loop {
            let chunk = log.read(offset, 5).unwrap();
            assert_eq!(chunk.skipped_bytes, 0);
            read.push_str(&chunk.text);
            offset = chunk.next;
            if chunk.end {
                break;
            }
        }
        assert_eq!(read, text);
    }

    #[tokio::test]
    async fn a_flood_keeps_head_and_tail_within_the_limit() {
        let line = "0123456789abcdefghijklmnopqrstuvwxyz\n";
        let count = 400_000;
        let mut text = String::from("first\n");
        text.extend(std::iter::repeat_n(line, count));
        text.push_str("last\n");
        let limits = LogLimits { head_bytes: 10_000, tail_bytes: 5_000 };
        let (folder, log) = captured(text.as_bytes(), limits, Scrubber::default()).await;
        assert_eq!(log.length().borrow().bytes, text.len() as u64);
        assert!(size_on_disk(folder.path()) <= limits.head_bytes + 2 * limits.tail_bytes);
        let kept = String::from_utf8(log.collect().unwrap()).unwrap();
        let (head, rest) = kept.split_once("\n[… ").unwrap();
        let (_, tail) = rest.split_once("left out …]\n").unwrap();
        assert_eq!(head, &text[..limits.head_bytes as usize]);
        assert!(tail.len() as u64 >= limits.tail_bytes, "{}", tail.len());
        assert!(text.ends_with(tail));
        let ends = log.ends(100);
        assert_eq!((ends.first().unwrap().as_str(), ends.last().unwrap().as_str()), ("first", "last"));
        assert_eq!(log.trouble(), None);
    }

    #[tokio::test]
    async fn secrets_never_reach_the_disk_not_even_across_pieces_of_a_long_line() {
        let secret = "correct horse battery staple";
        let scrubber = Scrubber::for_environment(&Environment::from_pairs([("A_TOKEN", secret)]), &[]);
        let mut text = String::new();
        while text.len() < 5 * MAX_PARTIAL_LINE {
            text.push_str("padding ");
            text.push_str(secret);
            text.push_str(" hf_0123456789abcdefghij ");
        }
        let (_folder, log) = captured(text.as_bytes(), LogLimits::default(), scrubber).await;
        let kept = String::from_utf8(log.collect().unwrap()).unwrap();
        assert_eq!(kept, text.replace(secret, "[secret]").replace("hf_0123456789abcdefghij", "[secret]"));
    }

    #[tokio::test]
    async fn bytes_that_are_no_text_are_replaced() {
        let (_folder, log) = captured(b"a\xff\0b\n", LogLimits::default(), Scrubber::default()).await;
        assert_eq!(log.tail(1), ["a\u{FFFD}\u{FFFD}b"]);
    }
}
