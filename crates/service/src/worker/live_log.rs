//! Tells the log of a running engine to the database, so that every web server can show it and a worker that dies takes
//! the last second of it along, not all.

use std::time::Duration;

use podium_launcher::EngineLog;
use podium_store::{Lease, LivePart, Store};
use uuid::Uuid;

/// Between two pieces.
const INTERVAL: Duration = Duration::from_secs(1);

/// The largest piece, bytes.
const PIECE_BYTES: usize = 256 << 10;

/// From here on behind the end of the log, the middle is left out.
const BEHIND_BYTES: u64 = 1 << 20;

/// Follows a log until it is closed and told, or stored as an artifact, or the run is another worker's.
pub(super) fn follow(store: Store, lease: Lease, launch_id: Uuid, log: EngineLog) {
    tokio::spawn(async move {
        let mut length = log.length();
        let mut offset = 0;
        loop {
            let Ok(now) = length.wait_for(|now| now.bytes > offset || now.closed).await.map(|now| *now) else { return };
            if now.bytes > offset + BEHIND_BYTES {
                offset = now.bytes - PIECE_BYTES as u64;
            }
            let reader = log.clone();
            let read = tokio::task::spawn_blocking(move || reader.read(offset, PIECE_BYTES)).await;
            let chunk = match read.map_err(std::io::Error::from).flatten() {
                Ok(chunk) => chunk,
                Err(error) => return tracing::warn!(%launch_id, %error, "a running engine's log cannot be shown"),
            };
            if !chunk.text.is_empty() {
                let start_offset = i64::try_from(chunk.start).unwrap_or(i64::MAX);
                match store.append_live_log(&lease, launch_id, &LivePart { start_offset, text: chunk.text }).await {
                    Ok(true) => offset = chunk.next,
                    Ok(false) | Err(podium_store::Error::LeaseLost) => return,
                    // The same piece again, with what came meanwhile.
                    Err(error) => tracing::debug!(%launch_id, %error, "a piece of a log waits for the database"),
                }
            } else if now.closed {
                return;
            }
            tokio::time::sleep(INTERVAL).await;
        }
    });
}
