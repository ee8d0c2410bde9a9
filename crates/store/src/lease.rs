//! Which worker works on a run.

use std::time::Duration;

use podium_domain::status::RunStatus;
use uuid::Uuid;

use crate::convert::word;
use crate::error::{Error, Result};
use crate::events::{NewEvent, append};
use crate::pool::Store;
use crate::runs::{Run, load};

/// A worker's claim on a run. Only the newest epoch of a run may write.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Lease {
    /// The run.
    pub run_id: Uuid,
    /// The number of the claim, from 1.
    pub epoch: i64,
}

/// Who asks for a run, and which.
#[derive(Debug, Clone, Copy)]
pub struct Claim<'a> {
    /// The worker's name.
    pub worker: &'a str,
    /// The machine that it works on: hosts of other machines are out of its reach.
    pub machine: &'a str,
    /// How long the run is its own without a sign of life.
    pub ttl: Duration,
    /// The only run that it takes, for a worker that is started for one.
    pub only: Option<Uuid>,
    /// After a start of the database, leases that ran out meanwhile, or do so within this time, are left to their
    /// workers for twice as long: nobody could renew one while the database was away.
    pub after_restart: Duration,
}

/// The key of the database's advisory lock under which runs are claimed.
const CLAIM_LOCK: i64 = 0x706f_6469_756d;

/// A run that was just claimed.
#[derive(Debug, Clone)]
pub struct ClaimedRun {
    /// The run, in its new state.
    pub run: Run,
    /// What to write with.
    pub lease: Lease,
    /// Whether another worker had begun it and its lease ran out.
    pub resumed: bool,
}

impl Store {
    /// Claims the oldest run that waits or whose worker's lease ran out; `None` when there is none. A host carries one
    /// run at a time, since two would disturb each other's measurements: runs on a host with a leased run are left.
    ///
    /// A queued run becomes running; one that was to be cancelled stays so, for the new worker to clean up. `events` makes
    /// the events of the claim from the run in its new state. Two callers never get the same run.
    pub async fn claim_run(
        &self,
        claim: &Claim<'_>,
        events: impl FnOnce(&Run) -> Vec<NewEvent>,
    ) -> Result<Option<ClaimedRun>> {
        let mut tx = self.pool.begin().await?;
        // Claims happen one after the other: two at once could not see each other's host.
        sqlx::query!("select pg_advisory_xact_lock($1) as locked", CLAIM_LOCK).fetch_one(&mut *tx).await?;
        let claimed = sqlx::query!(
            "update run set lease_owner = $1, lease_epoch = lease_epoch + 1,
                 lease_until = now() + make_interval(secs => $2),
                 status = case status when 'queued' then 'running' else status end,
                 started_at = coalesce(started_at, now())
             where id = (
                 select run.id from run join host on host.id = run.host_id
                 where run.deleted_at is null and ($3::uuid is null or run.id = $3)
                   and (host.machine is null or host.machine = $4)
                   and (run.status = 'queued'
                        or (run.status in ('running', 'cancelling') and run.lease_until < now()
                            and (run.lease_until = '-infinity'
                                 or run.lease_until >= pg_postmaster_start_time() + make_interval(secs => $5)
                                 or now() >= pg_postmaster_start_time() + make_interval(secs => 2 * $5))))
                   and not exists (
                       select from run busy
                       where busy.host_id = run.host_id and busy.id <> run.id
                         and busy.status in ('running', 'cancelling') and busy.lease_until >= now())
                 order by run.created_at, run.id limit 1 for update of run skip locked)
             returning id, lease_epoch",
            claim.worker,
            claim.ttl.as_secs_f64(),
            claim.only,
            claim.machine,
            claim.after_restart.as_secs_f64()
        )
        .fetch_optional(&mut *tx)
        .await?;
        let Some(claimed) = claimed else { return Ok(None) };
        let mut run = load(&mut tx, claimed.id).await?;
        run.last_event_seq = append(&mut tx, run.id, &events(&run)).await?.unwrap_or(run.last_event_seq);
        tx.commit().await?;
        let lease = Lease { run_id: run.id, epoch: claimed.lease_epoch };
        Ok(Some(ClaimedRun { run, lease, resumed: lease.epoch > 1 }))
    }

    /// Makes a lease last `ttl` from now; the run's status, so that the worker learns of a cancel.
    pub async fn renew_lease(&self, lease: &Lease, ttl: Duration) -> Result<RunStatus> {
        let status = sqlx::query_scalar!(
            "update run set lease_until = now() + make_interval(secs => $3)
             where id = $1 and lease_epoch = $2 and status in ('running', 'cancelling') returning status",
            lease.run_id,
            lease.epoch,
            ttl.as_secs_f64()
        )
        .fetch_optional(&self.pool)
        .await?
        .ok_or(Error::LeaseLost)?;
        word("run.status", &status)
    }

    /// Gives an unfinished run back, so that another worker can claim it at once. For a worker that shuts down.
    pub async fn release_lease(&self, lease: &Lease) -> Result<()> {
        let done = sqlx::query!(
            "update run set lease_until = '-infinity'
             where id = $1 and lease_epoch = $2 and status in ('running', 'cancelling')",
            lease.run_id,
            lease.epoch
        )
        .execute(&self.pool)
        .await?;
        if done.rows_affected() == 0 { Err(Error::LeaseLost) } else { Ok(()) }
    }
}
