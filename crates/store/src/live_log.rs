//! The log of an engine that still runs, for those who watch on any machine.

use uuid::Uuid;

use crate::error::Result;
use crate::lease::Lease;
use crate::pool::Store;

/// Bytes that are kept from the start of a log, and from its end, while its engine runs.
const EDGE_BYTES: i64 = 1 << 20;

/// A piece of a log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LivePart {
    /// Bytes from the start of the log to the piece.
    pub start_offset: i64,
    /// The piece.
    pub text: String,
}

impl LivePart {
    /// Where to go on.
    pub fn next_offset(&self) -> i64 {
        self.start_offset + i64::try_from(self.text.len()).unwrap_or(i64::MAX)
    }
}

impl Store {
    /// Stores a piece of a running engine's log, and drops what is neither near its start nor near its end. Answers
    /// `false`, and stores nothing, once the log is an artifact. The same piece may be stored again.
    pub async fn append_live_log(&self, lease: &Lease, launch_id: Uuid, part: &LivePart) -> Result<bool> {
        let mut tx = self.fenced(lease).await?;
        let stored = sqlx::query!(
            "insert into live_log (launch_id, start_offset, length, text)
             select launch.id, $3, $4, $5
             from launch join candidate on candidate.id = launch.candidate_id
             where launch.id = $1 and candidate.run_id = $2 and launch.log_artifact_id is null
             on conflict on constraint live_log_key do update set length = excluded.length, text = excluded.text",
            launch_id,
            lease.run_id,
            part.start_offset,
            i32::try_from(part.text.len()).unwrap_or(i32::MAX),
            part.text
        )
        .execute(&mut *tx)
        .await?;
        sqlx::query!(
            "delete from live_log where launch_id = $1 and start_offset >= $2 and start_offset + length < $3",
            launch_id,
            EDGE_BYTES,
            part.next_offset() - EDGE_BYTES
        )
        .execute(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok(stored.rows_affected() > 0)
    }

    /// The first piece of a running engine's log that reaches beyond `offset`, whole; `None` where there is none yet.
    pub async fn live_log(&self, launch_id: Uuid, offset: i64) -> Result<Option<LivePart>> {
        Ok(sqlx::query_as!(
            LivePart,
            "select start_offset, text from live_log
             where launch_id = $1 and start_offset + length > $2 order by start_offset limit 1",
            launch_id,
            offset
        )
        .fetch_optional(&self.pool)
        .await?)
    }
}
