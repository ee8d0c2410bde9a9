//! Runs: made by people, carried out by workers.

use std::time::Duration;

use podium_domain::framework::Framework;
use podium_domain::status::RunStatus;
use serde_json::Value;
use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::convert::{ordered, word};
use crate::error::{Error, Result};
use crate::events::{NewEvent, append};
use crate::lease::Lease;
use crate::pool::Store;
use crate::run_list::RunKind;

/// A run.
#[derive(Debug, Clone, PartialEq)]
pub struct Run {
    /// The run.
    pub id: Uuid,
    /// The kept plan that it came from.
    pub plan_id: Option<Uuid>,
    /// That plan's version.
    pub plan_version: Option<i32>,
    /// The plan's text as it was started.
    pub plan_yaml: String,
    /// The plan as it was understood; keys keep their order.
    pub plan: Value,
    /// How the run was asked for.
    pub options: Value,
    /// Model, hardware and scenarios.
    pub title: String,
    /// The model's name.
    pub model: String,
    /// The frameworks compared.
    pub frameworks: Vec<Framework>,
    /// Whether it yields no winner.
    pub flow_check: bool,
    /// Whether any of its engines was simulated.
    pub simulated: bool,
    /// The host; `None` for an imported run.
    pub host_id: Option<Uuid>,
    /// The host's name; empty for an imported run.
    pub host_name: String,
    /// Whether it was measured here.
    pub kind: RunKind,
    /// What people call it, in the order in which they wrote it.
    pub tags: Vec<String>,
    /// What people wrote about it, Markdown.
    pub notes: String,
    /// When it was put into the archive.
    pub archived_at: Option<OffsetDateTime>,
    /// Where the run is.
    pub status: RunStatus,
    /// Why it failed as a whole.
    pub failure: Option<String>,
    /// What lists show of its result.
    pub summary: Option<Value>,
    /// Who started it.
    pub created_by: Uuid,
    /// When it was asked for.
    pub created_at: OffsetDateTime,
    /// When a worker first claimed it.
    pub started_at: Option<OffsetDateTime>,
    /// When it ended.
    pub finished_at: Option<OffsetDateTime>,
    /// The number of its last event, 0 for none.
    pub last_event_seq: i64,
}

/// A run to queue.
#[derive(Debug, Clone)]
pub struct NewRun {
    /// The kept plan and its version, where it comes from one.
    pub plan: Option<(Uuid, i32)>,
    /// The plan's text.
    pub plan_yaml: String,
    /// The plan as it was understood.
    pub plan_json: Value,
    /// How the run was asked for.
    pub options: Value,
    /// Model, hardware and scenarios.
    pub title: String,
    /// The model's name.
    pub model: String,
    /// The frameworks compared.
    pub frameworks: Vec<Framework>,
    /// Whether it yields no winner.
    pub flow_check: bool,
    /// Whether any of its engines is simulated.
    pub simulated: bool,
    /// The host.
    pub host_id: Uuid,
    /// Who starts it.
    pub created_by: Uuid,
}

/// How a run ends.
#[derive(Debug, Clone)]
pub struct RunEnd {
    /// A final status.
    pub status: RunStatus,
    /// Why it failed as a whole.
    pub failure: Option<String>,
    /// What lists show of its result.
    pub summary: Option<Value>,
}

/// The columns of [`select_runs`].
struct RunRow {
    id: Uuid,
    plan_id: Option<Uuid>,
    plan_version: Option<i32>,
    plan_yaml: String,
    plan: Value,
    options: Value,
    title: String,
    model: String,
    frameworks: Vec<String>,
    flow_check: bool,
    simulated: bool,
    host_id: Option<Uuid>,
    host_name: String,
    kind: String,
    tags: Vec<String>,
    notes: String,
    archived_at: Option<OffsetDateTime>,
    status: String,
    failure: Option<String>,
    summary: Option<Value>,
    created_by: Uuid,
    created_at: OffsetDateTime,
    started_at: Option<OffsetDateTime>,
    finished_at: Option<OffsetDateTime>,
    last_event_seq: i64,
}

impl TryFrom<RunRow> for Run {
    type Error = Error;

    fn try_from(row: RunRow) -> Result<Self> {
        Ok(Run {
            id: row.id,
            plan_id: row.plan_id,
            plan_version: row.plan_version,
            plan_yaml: row.plan_yaml,
            plan: row.plan,
            options: row.options,
            title: row.title,
            model: row.model,
            frameworks: row.frameworks.iter().map(|id| word("run.frameworks", id)).collect::<Result<_>>()?,
            flow_check: row.flow_check,
            simulated: row.simulated,
            host_id: row.host_id,
            host_name: row.host_name,
            kind: word("run.kind", &row.kind)?,
            tags: row.tags,
            notes: row.notes,
            archived_at: row.archived_at,
            status: word("run.status", &row.status)?,
            failure: row.failure,
            summary: row.summary,
            created_by: row.created_by,
            created_at: row.created_at,
            started_at: row.started_at,
            finished_at: row.finished_at,
            last_event_seq: row.last_event_seq,
        })
    }
}

macro_rules! select_runs {
    ($tail:tt $(, $arg:expr)*) => {
        sqlx::query_as!(
            RunRow,
            r#"select run.id, run.plan_id, run.plan_version, run.plan_yaml, run.plan, run.options, run.title, run.model,
                   run.frameworks, run.flow_check, run.simulated, run.host_id,
                   coalesce(host.name, '') as "host_name!", run.kind, run.tags, run.notes, run.archived_at, run.status,
                   run.failure, run.summary, run.created_by, run.created_at, run.started_at, run.finished_at,
                   run.next_event_seq - 1 as "last_event_seq!"
               from run left join host on host.id = run.host_id
               where run.deleted_at is null "# + $tail
            $(, $arg)*
        )
    };
}

/// One run within a transaction.
pub(crate) async fn load(tx: &mut PgConnection, id: Uuid) -> Result<Run> {
    select_runs!("and run.id = $1", id).fetch_optional(tx).await?.ok_or_else(Error::not_found("run"))?.try_into()
}

impl Store {
    /// Whether a worker may still work on a run of this host: one that has not ended, and whose lease ran out at most
    /// `since` ago.
    pub async fn host_is_in_use(&self, host_id: Uuid, since: Duration) -> Result<bool> {
        let runs = sqlx::query_scalar!(
            r#"select count(*) as "runs!" from run
               where host_id = $1 and finished_at is null and lease_until > now() - make_interval(secs => $2)"#,
            host_id,
            since.as_secs_f64()
        )
        .fetch_one(&self.pool)
        .await?;
        Ok(runs > 0)
    }

    /// Queues a run with its first events; its id.
    pub async fn create_run(&self, new: &NewRun, events: &[NewEvent]) -> Result<Uuid> {
        let id = crate::new_id();
        let frameworks: Vec<String> = new.frameworks.iter().map(|framework| framework.id().to_owned()).collect();
        let mut tx = self.pool.begin().await?;
        sqlx::query!(
            "insert into run (id, plan_id, plan_version, plan_yaml, plan, options, title, model, frameworks, flow_check,
                 simulated, host_id, created_by)
             values ($1, $2, $3, $4, $5::text::json, $6, $7, $8, $9, $10, $11, $12, $13)",
            id,
            new.plan.map(|(plan_id, _)| plan_id),
            new.plan.map(|(_, version)| version),
            new.plan_yaml,
            ordered(&new.plan_json),
            new.options,
            new.title,
            new.model,
            &frameworks,
            new.flow_check,
            new.simulated,
            new.host_id,
            new.created_by
        )
        .execute(&mut *tx)
        .await?;
        append(&mut tx, id, events).await?;
        tx.commit().await?;
        Ok(id)
    }

    /// One run.
    pub async fn run(&self, id: Uuid) -> Result<Run> {
        let mut connection = self.pool.acquire().await?;
        load(&mut connection, id).await
    }

    /// Asks for the end of a run; the status it has now.
    ///
    /// A queued run is cancelled at once, a running one becomes cancelling for its worker to see; otherwise nothing
    /// changes and no event is stored. `events` makes the events from the new status.
    pub async fn request_cancel(&self, id: Uuid, events: impl FnOnce(RunStatus) -> Vec<NewEvent>) -> Result<RunStatus> {
        let mut tx = self.pool.begin().await?;
        let found = sqlx::query_scalar!("select status from run where id = $1 and deleted_at is null for update", id)
            .fetch_optional(&mut *tx)
            .await?
            .ok_or_else(Error::not_found("run"))?;
        let status = match word("run.status", &found)? {
            RunStatus::Queued => RunStatus::Cancelled,
            RunStatus::Running => RunStatus::Cancelling,
            unchanged => return Ok(unchanged),
        };
        sqlx::query!(
            "update run set status = $2, finished_at = case when $3 then now() end where id = $1",
            id,
            status.word(),
            status.is_final()
        )
        .execute(&mut *tx)
        .await?;
        append(&mut tx, id, &events(status)).await?;
        tx.commit().await?;
        Ok(status)
    }

    /// Marks a run whose engine turned out to be simulated. There is no way back.
    pub async fn mark_run_simulated(&self, lease: &Lease) -> Result<()> {
        let mut tx = self.fenced(lease).await?;
        sqlx::query!("update run set simulated = true where id = $1", lease.run_id).execute(&mut *tx).await?;
        tx.commit().await?;
        Ok(())
    }

    /// Ends a run and gives up its lease. A run that has ended already is a conflict (`run_is_unfinished`).
    pub async fn finish_run(&self, lease: &Lease, end: &RunEnd, events: &[NewEvent]) -> Result<()> {
        if !end.status.is_final() {
            let reason = format!("`{}` does not end a run", end.status);
            return Err(Error::Value { column: "run.status", reason });
        }
        let mut tx = self.fenced(lease).await?;
        let done = sqlx::query!(
            "update run set status = $2, failure = $3, summary = coalesce($4, summary), finished_at = now(),
                 lease_owner = null, lease_until = null
             where id = $1 and finished_at is null",
            lease.run_id,
            end.status.word(),
            end.failure,
            end.summary
        )
        .execute(&mut *tx)
        .await?;
        if done.rows_affected() == 0 {
            return Err(Error::Conflict { constraint: "run_is_unfinished".to_owned() });
        }
        let reason = end.failure.as_deref().unwrap_or("the run ended before it was its turn");
        close_rest(&mut tx, lease.run_id, reason).await?;
        append(&mut tx, lease.run_id, events).await?;
        tx.commit().await?;
        Ok(())
    }
}

/// Nothing of a run that has ended waits or goes on: what does is given up for the run's reason.
async fn close_rest(tx: &mut PgConnection, run_id: Uuid, reason: &str) -> Result<()> {
    sqlx::query!(
        "update measurement set status = 'skipped', failure_reason = $2, ended_at = now()
         where status in ('pending', 'measuring')
           and candidate_id in (select candidate.id from candidate where candidate.run_id = $1)",
        run_id,
        reason
    )
    .execute(&mut *tx)
    .await?;
    sqlx::query!(
        "update launch set state = 'failed', ended_at = now(),
             failure = coalesce(failure, jsonb_build_object('class', 'abandoned', 'reason', $2::text))
         where ended_at is null and candidate_id in (select candidate.id from candidate where candidate.run_id = $1)",
        run_id,
        reason
    )
    .execute(&mut *tx)
    .await?;
    sqlx::query!(
        "update candidate set status = 'skipped', failure_reason = $2
         where run_id = $1 and status in ('pending', 'running')",
        run_id,
        reason
    )
    .execute(&mut *tx)
    .await?;
    Ok(())
}
