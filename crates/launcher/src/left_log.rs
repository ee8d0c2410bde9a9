//! The log of an engine whose worker died, as the dead worker's files hold it.

use std::io;
use std::path::Path;

use crate::log::{LOG_FILE, tail_index};

/// What is kept in a launch's folder of its log, as one text: head, a line where something is missing, tail.
///
/// # Errors
/// There is no log, or it cannot be read.
pub fn left_log(folder: &Path) -> io::Result<Vec<u8>> {
    let mut all = std::fs::read(folder.join(LOG_FILE))?;
    let mut tails = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        tails.extend(tail_index(&path).map(|index| (index, path)));
    }
    tails.sort_unstable();
    for (place, (index, path)) in tails.into_iter().enumerate() {
        let bytes = std::fs::read(&path)?;
        // Tail files are all of one size but the last, and the oldest of them are dropped.
        if place == 0 && index > 0 {
            all.extend_from_slice(left_out(index.saturating_mul(bytes.len() as u64)).as_bytes());
        }
        all.extend_from_slice(&bytes);
    }
    Ok(all)
}

/// The line that stands for bytes of a log that were not kept.
pub fn left_out(bytes: u64) -> String {
    format!("\n[… {bytes} bytes left out …]\n")
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;
    use crate::log::{EngineLog, LogLimits};
    use crate::scrub::Scrubber;

    #[tokio::test]
    async fn a_dead_workers_files_hold_what_the_living_log_does() {
        for lines in [3, 200_000] {
            let text = "a line of a log that nobody will read\n".repeat(lines);
            let folder = tempfile::tempdir().unwrap();
            let limits = LogLimits { head_bytes: 10_000, tail_bytes: 4_000 };
            let log = EngineLog::capture(Cursor::new(text), folder.path(), limits, Scrubber::default()).unwrap();
            log.length().wait_for(|length| length.closed).await.unwrap();
            assert_eq!(
                String::from_utf8(left_log(folder.path()).unwrap()).unwrap(),
                String::from_utf8(log.collect().unwrap()).unwrap()
            );
        }
        assert!(left_log(tempfile::tempdir().unwrap().path()).is_err());
    }
}
