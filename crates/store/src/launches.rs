//! Launches: one engine process each.

use std::time::Duration;

use podium_domain::status::LaunchState;
use serde_json::Value;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::convert::{all, decode, encode, word};
use crate::error::{Error, Result};
use crate::events::{NewEvent, append};
use crate::lease::Lease;
use crate::pool::Store;

/// A launch.
#[derive(Debug, Clone, PartialEq)]
pub struct Launch {
    /// The launch; its processes carry it as `PODIUM_LAUNCH`.
    pub id: Uuid,
    /// Whose launch it is.
    pub candidate_id: Uuid,
    /// Its number among the candidate's launches, from 1.
    pub attempt: i32,
    /// Where.
    pub host_id: Uuid,
    /// The command as executed.
    pub argv: Vec<String>,
    /// The same, quoted for a shell.
    pub command: String,
    /// The command without what Podium adds.
    pub deploy_command: String,
    /// Where it is.
    pub state: LaunchState,
    /// The engine's process, once started.
    pub pid: Option<i32>,
    /// When the system started that process: tells it from a later one of the same number.
    pub process_started_at: Option<OffsetDateTime>,
    /// The port it listens on.
    pub port: Option<i32>,
    /// The framework's version, where it said so.
    pub version: Option<String>,
    /// What else is known of it: GPUs, image, files.
    pub facts: Option<Value>,
    /// Why it failed.
    pub failure: Option<Value>,
    /// When it was begun.
    pub started_at: OffsetDateTime,
    /// When it was first ready.
    pub ready_at: Option<OffsetDateTime>,
    /// When it stopped or failed.
    pub ended_at: Option<OffsetDateTime>,
    /// Its log, once stored.
    pub log_artifact_id: Option<Uuid>,
}

/// A launch that is about to be made. It is stored before the process exists, so that a crash leaves none unknown.
#[derive(Debug, Clone)]
pub struct NewLaunch {
    /// What its processes will carry as `PODIUM_LAUNCH`.
    pub id: Uuid,
    /// Whose launch it is.
    pub candidate_id: Uuid,
    /// Where.
    pub host_id: Uuid,
    /// The command as executed.
    pub argv: Vec<String>,
    /// The same, quoted for a shell.
    pub command: String,
    /// The command without what Podium adds.
    pub deploy_command: String,
    /// The port it will listen on.
    pub port: Option<i32>,
    /// What else is known of it.
    pub facts: Option<Value>,
}

/// What became known of a launch; what is `None` stays as it is.
#[derive(Debug, Clone, Default)]
pub struct LaunchUpdate {
    /// Where it is. The first `ready` sets `ready_at`; `stopped` and `failed` set `ended_at`.
    pub state: Option<LaunchState>,
    /// The engine's process.
    pub pid: Option<i32>,
    /// When the system started that process.
    pub process_started_at: Option<OffsetDateTime>,
    /// The port it listens on.
    pub port: Option<i32>,
    /// The framework's version.
    pub version: Option<String>,
    /// What else is known of it.
    pub facts: Option<Value>,
    /// Why it failed.
    pub failure: Option<Value>,
    /// Its log.
    pub log_artifact_id: Option<Uuid>,
}

impl LaunchUpdate {
    /// A new state and nothing else.
    pub fn state(state: LaunchState) -> Self {
        LaunchUpdate { state: Some(state), ..LaunchUpdate::default() }
    }
}

struct LaunchRow {
    id: Uuid,
    candidate_id: Uuid,
    attempt: i32,
    host_id: Uuid,
    argv: Value,
    command: String,
    deploy_command: String,
    state: String,
    pid: Option<i32>,
    process_started_at: Option<OffsetDateTime>,
    port: Option<i32>,
    version: Option<String>,
    facts: Option<Value>,
    failure: Option<Value>,
    started_at: OffsetDateTime,
    ready_at: Option<OffsetDateTime>,
    ended_at: Option<OffsetDateTime>,
    log_artifact_id: Option<Uuid>,
}

impl TryFrom<LaunchRow> for Launch {
    type Error = Error;

    fn try_from(row: LaunchRow) -> Result<Self> {
        Ok(Launch {
            id: row.id,
            candidate_id: row.candidate_id,
            attempt: row.attempt,
            host_id: row.host_id,
            argv: decode("launch.argv", row.argv)?,
            command: row.command,
            deploy_command: row.deploy_command,
            state: word("launch.state", &row.state)?,
            pid: row.pid,
            process_started_at: row.process_started_at,
            port: row.port,
            version: row.version,
            facts: row.facts,
            failure: row.failure,
            started_at: row.started_at,
            ready_at: row.ready_at,
            ended_at: row.ended_at,
            log_artifact_id: row.log_artifact_id,
        })
    }
}

macro_rules! select_launches {
    ($tail:tt $(, $arg:expr)*) => {
        sqlx::query_as!(
            LaunchRow,
            "select launch.id, launch.candidate_id, launch.attempt, launch.host_id, launch.argv, launch.command,
                 launch.deploy_command, launch.state, launch.pid, launch.process_started_at, launch.port,
                 launch.version, launch.facts, launch.failure, launch.started_at, launch.ready_at, launch.ended_at,
                 launch.log_artifact_id
             from launch join candidate on candidate.id = launch.candidate_id " + $tail
            $(, $arg)*
        )
    };
}

impl Store {
    /// Stores a launch that is about to be made, as `starting`; its attempt number.
    pub async fn insert_launch(&self, lease: &Lease, new: &NewLaunch, events: &[NewEvent]) -> Result<i32> {
        let mut tx = self.fenced(lease).await?;
        let attempt = sqlx::query_scalar!(
            "insert into launch (id, candidate_id, attempt, host_id, argv, command, deploy_command, port, facts)
             select $1, candidate.id, 1 + coalesce((select max(attempt) from launch where candidate_id = $2), 0),
                 $4, $5, $6, $7, $8, $9
             from candidate where candidate.id = $2 and candidate.run_id = $3
             returning attempt",
            new.id,
            new.candidate_id,
            lease.run_id,
            new.host_id,
            encode("launch.argv", &new.argv)?,
            new.command,
            new.deploy_command,
            new.port,
            new.facts
        )
        .fetch_optional(&mut *tx)
        .await?
        .ok_or_else(Error::not_found("candidate"))?;
        append(&mut tx, lease.run_id, events).await?;
        tx.commit().await?;
        Ok(attempt)
    }

    /// Stores what became known of a launch.
    pub async fn update_launch(
        &self,
        lease: &Lease,
        id: Uuid,
        update: &LaunchUpdate,
        events: &[NewEvent],
    ) -> Result<()> {
        let is_ready = update.state == Some(LaunchState::Ready);
        let has_ended = matches!(update.state, Some(LaunchState::Stopped | LaunchState::Failed));
        let mut tx = self.fenced(lease).await?;
        let done = sqlx::query!(
            "update launch set state = coalesce($3, state), pid = coalesce($4, pid),
                 process_started_at = coalesce($5, process_started_at), port = coalesce($6, port),
                 version = coalesce($7, version), facts = coalesce($8, facts), failure = coalesce($9, failure),
                 log_artifact_id = coalesce($10, log_artifact_id),
                 ready_at = case when $11 then coalesce(ready_at, now()) else ready_at end,
                 ended_at = case when $12 then coalesce(ended_at, now()) else ended_at end
             where id = $1 and candidate_id in (select candidate.id from candidate where candidate.run_id = $2)",
            id,
            lease.run_id,
            update.state.map(LaunchState::word),
            update.pid,
            update.process_started_at,
            update.port,
            update.version,
            update.facts,
            update.failure,
            update.log_artifact_id,
            is_ready,
            has_ended
        )
        .execute(&mut *tx)
        .await?;
        if done.rows_affected() == 0 {
            return Err(Error::NotFound { what: "launch" });
        }
        if update.log_artifact_id.is_some() {
            // The log is stored whole: what was shown while the engine ran has served.
            sqlx::query!("delete from live_log where launch_id = $1", id).execute(&mut *tx).await?;
        }
        append(&mut tx, lease.run_id, events).await?;
        tx.commit().await?;
        Ok(())
    }

    /// Those of these launches that a worker may still look after: they have not ended, their run goes on, and its lease
    /// ran out at most `since` ago. What is known of none of the others is in no answer.
    pub async fn launches_in_use(&self, ids: &[Uuid], since: Duration) -> Result<Vec<Uuid>> {
        Ok(sqlx::query_scalar!(
            "select launch.id from launch join candidate on candidate.id = launch.candidate_id
                 join run on run.id = candidate.run_id
             where launch.id = any($1) and launch.ended_at is null and run.finished_at is null
               and run.lease_until > now() - make_interval(secs => $2)",
            ids,
            since.as_secs_f64()
        )
        .fetch_all(&self.pool)
        .await?)
    }

    /// Those of these launches that this database knows.
    pub async fn known_launches(&self, ids: &[Uuid]) -> Result<Vec<Uuid>> {
        Ok(sqlx::query_scalar!("select id from launch where id = any($1)", ids).fetch_all(&self.pool).await?)
    }

    /// One launch.
    pub async fn launch(&self, id: Uuid) -> Result<Launch> {
        select_launches!("where launch.id = $1", id)
            .fetch_optional(&self.pool)
            .await?
            .ok_or_else(Error::not_found("launch"))?
            .try_into()
    }

    /// A run's launches, by candidate and attempt.
    pub async fn launches(&self, run_id: Uuid) -> Result<Vec<Launch>> {
        let rows = select_launches!("where candidate.run_id = $1 order by candidate.ordinal, launch.attempt", run_id)
            .fetch_all(&self.pool)
            .await?;
        all(rows)
    }

    /// A run's launches that have not ended: after a crash, whose processes may still be there.
    pub async fn open_launches(&self, run_id: Uuid) -> Result<Vec<Launch>> {
        let rows = select_launches!(
            "where candidate.run_id = $1 and launch.ended_at is null order by launch.started_at",
            run_id
        )
        .fetch_all(&self.pool)
        .await?;
        all(rows)
    }
}
