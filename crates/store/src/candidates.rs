//! The candidates of a run.

use podium_domain::framework::Framework;
use podium_domain::status::CandidateStatus;
use serde_json::Value;
use uuid::Uuid;

use crate::convert::{all, decode, encode, ordered, word};
use crate::error::{Error, Result};
use crate::events::{NewEvent, append};
use crate::lease::Lease;
use crate::pool::Store;

/// A candidate.
#[derive(Debug, Clone, PartialEq)]
pub struct Candidate {
    /// The candidate.
    pub id: Uuid,
    /// Its run.
    pub run_id: Uuid,
    /// Its place in the run, from 0.
    pub ordinal: i32,
    /// Whose server it is.
    pub framework: Framework,
    /// Its readable id, unique within the run.
    pub candidate_id: String,
    /// Whether it is its framework's baseline.
    pub baseline: bool,
    /// Its flags; keys keep their order.
    pub flags: Value,
    /// Its command line.
    pub argv: Vec<String>,
    /// The same, quoted for a shell.
    pub command: String,
    /// Where it is.
    pub status: CandidateStatus,
    /// Why it failed or was skipped.
    pub failure_reason: Option<String>,
    /// Class, evidence and hint.
    pub failure: Option<Value>,
}

/// A candidate to add to a run.
#[derive(Debug, Clone)]
pub struct NewCandidate {
    /// Its place in the run, from 0.
    pub ordinal: i32,
    /// Whose server it is.
    pub framework: Framework,
    /// Its readable id.
    pub candidate_id: String,
    /// Whether it is its framework's baseline.
    pub baseline: bool,
    /// Its flags.
    pub flags: Value,
    /// Its command line.
    pub argv: Vec<String>,
    /// The same, quoted for a shell.
    pub command: String,
    /// Where it is: pending, or skipped with a reason.
    pub status: CandidateStatus,
    /// Why it is skipped.
    pub failure_reason: Option<String>,
}

/// Where a candidate is now, and why.
#[derive(Debug, Clone)]
pub struct CandidateOutcome {
    /// The new status.
    pub status: CandidateStatus,
    /// Why it failed or was skipped.
    pub failure_reason: Option<String>,
    /// Class, evidence and hint.
    pub failure: Option<Value>,
}

impl CandidateOutcome {
    /// A status that needs no reason.
    pub fn plain(status: CandidateStatus) -> Self {
        CandidateOutcome { status, failure_reason: None, failure: None }
    }
}

struct CandidateRow {
    id: Uuid,
    run_id: Uuid,
    ordinal: i32,
    framework: String,
    candidate_id: String,
    baseline: bool,
    flags: Value,
    argv: Value,
    command: String,
    status: String,
    failure_reason: Option<String>,
    failure: Option<Value>,
}

impl TryFrom<CandidateRow> for Candidate {
    type Error = Error;

    fn try_from(row: CandidateRow) -> Result<Self> {
        Ok(Candidate {
            id: row.id,
            run_id: row.run_id,
            ordinal: row.ordinal,
            framework: word("candidate.framework", &row.framework)?,
            candidate_id: row.candidate_id,
            baseline: row.baseline,
            flags: row.flags,
            argv: decode("candidate.argv", row.argv)?,
            command: row.command,
            status: word("candidate.status", &row.status)?,
            failure_reason: row.failure_reason,
            failure: row.failure,
        })
    }
}

impl Store {
    /// Adds a run's candidates; their ids in the same order. A `candidate_id` that the run has already is a conflict
    /// (`candidate_id_key`).
    pub async fn insert_candidates(
        &self,
        lease: &Lease,
        candidates: &[NewCandidate],
        events: &[NewEvent],
    ) -> Result<Vec<Uuid>> {
        let mut tx = self.fenced(lease).await?;
        let mut ids = Vec::with_capacity(candidates.len());
        for new in candidates {
            let id = crate::new_id();
            sqlx::query!(
                "insert into candidate (id, run_id, ordinal, framework, candidate_id, baseline, flags, argv, command,
                     status, failure_reason)
                 values ($1, $2, $3, $4, $5, $6, $7::text::json, $8, $9, $10, $11)",
                id,
                lease.run_id,
                new.ordinal,
                new.framework.id(),
                new.candidate_id,
                new.baseline,
                ordered(&new.flags),
                encode("candidate.argv", &new.argv)?,
                new.command,
                new.status.word(),
                new.failure_reason
            )
            .execute(&mut *tx)
            .await?;
            ids.push(id);
        }
        append(&mut tx, lease.run_id, events).await?;
        tx.commit().await?;
        Ok(ids)
    }

    /// Changes where a candidate is; an earlier reason is replaced.
    pub async fn set_candidate(
        &self,
        lease: &Lease,
        id: Uuid,
        outcome: &CandidateOutcome,
        events: &[NewEvent],
    ) -> Result<()> {
        let mut tx = self.fenced(lease).await?;
        let done = sqlx::query!(
            "update candidate set status = $3, failure_reason = $4, failure = $5 where id = $1 and run_id = $2",
            id,
            lease.run_id,
            outcome.status.word(),
            outcome.failure_reason,
            outcome.failure
        )
        .execute(&mut *tx)
        .await?;
        if done.rows_affected() == 0 {
            return Err(Error::NotFound { what: "candidate" });
        }
        append(&mut tx, lease.run_id, events).await?;
        tx.commit().await?;
        Ok(())
    }

    /// A run's candidates, in order.
    pub async fn candidates(&self, run_id: Uuid) -> Result<Vec<Candidate>> {
        let rows = sqlx::query_as!(
            CandidateRow,
            "select id, run_id, ordinal, framework, candidate_id, baseline, flags, argv, command, status,
                 failure_reason, failure
             from candidate where run_id = $1 order by ordinal",
            run_id
        )
        .fetch_all(&self.pool)
        .await?;
        all(rows)
    }
}
