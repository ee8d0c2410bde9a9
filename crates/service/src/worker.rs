//! The worker: takes queued runs one after the other and carries them out.

mod agent;
mod benchmark_command;
mod candidate_task;
mod curves;
mod early;
mod expand;
mod finish;
mod image;
mod job;
mod lease_keeper;
mod live_log;
mod load_site;
mod loading;
mod measure;
mod node;
mod options_files;
mod parallel;
mod preflight;
mod profiles;
mod run_task;
mod second_pass;
mod spool;
mod time_left;

use std::path::{Path, PathBuf};
use std::time::Duration;

use podium_domain::status::RunStatus;
use podium_store::{Claim, Lease, RunEnd};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::events::stored;
use crate::service::Service;
use crate::views::RunEvent;
pub(crate) use agent::{Agent, Progress};
pub(crate) use job::tokenizer as find_prompt_tokenizer;
pub(crate) use lease_keeper::OUTAGE_LIMIT;
use lease_keeper::{LeaseKeeper, StopCause, StopSignal};
use run_task::RunTask;
pub(crate) use spool::spool_folder;

/// What a worker needs beside the service.
#[derive(Debug, Clone)]
pub struct WorkerOptions {
    /// Told apart from other workers in the database and the log.
    pub name: String,
    /// The load process's program.
    pub agent: PathBuf,
    /// How long a run stays this worker's without a sign of life.
    pub lease_ttl: Duration,
    /// The only run that it takes, for a worker that is started for one.
    pub only: Option<Uuid>,
    /// See [`Claim::after_restart`].
    pub after_restart: Duration,
}

impl WorkerOptions {
    /// A worker of this process that starts `agent`.
    pub fn new(agent: impl Into<PathBuf>) -> Self {
        WorkerOptions {
            name: format!("{}-{}", std::process::id(), Uuid::new_v4().simple()),
            agent: agent.into(),
            lease_ttl: Duration::from_secs(15),
            only: None,
            after_restart: Duration::from_secs(10),
        }
    }
}

/// Carries out runs.
#[derive(Debug, Clone)]
pub struct Worker {
    service: Service,
    options: WorkerOptions,
}

/// Between two looks for queued runs.
const POLL_INTERVAL: Duration = Duration::from_secs(1);

/// Why a run is not carried on.
#[derive(Debug)]
enum Halt {
    /// It cannot be carried out at all: the reason, for people.
    Refused(String),
    /// It cannot go on: the reason, for people. What was measured is reported.
    Failed(String),
    /// Somebody or something asked for it.
    Stop(StopCause),
    /// The database failed. The lease runs out, and whoever claims the run next resumes it.
    Store(podium_store::Error),
}

impl From<podium_store::Error> for Halt {
    fn from(error: podium_store::Error) -> Self {
        match error {
            podium_store::Error::LeaseLost => Halt::Stop(StopCause::LeaseLost),
            other => Halt::Store(other),
        }
    }
}

impl Worker {
    /// A worker over the service's database and machine.
    pub fn new(service: Service, options: WorkerOptions) -> Self {
        Worker { service, options }
    }

    /// Takes runs until `shutdown`; a run that is under way then is given back, its engine stopped.
    pub async fn run_until_stopped(&self, shutdown: CancellationToken) {
        while !shutdown.is_cancelled() {
            let worked = match self.step(&shutdown).await {
                Ok(worked) => worked,
                Err(error) => {
                    tracing::error!(error = format!("{:#}", anyhow::Error::from(error)), "the worker cannot go on now");
                    false
                }
            };
            if !worked {
                tokio::select! {
                    () = shutdown.cancelled() => {}
                    () = tokio::time::sleep(POLL_INTERVAL) => {}
                }
            }
        }
    }

    /// Carries out the oldest queued run, or resumes one whose worker is gone; `false` when there is none.
    ///
    /// # Errors
    /// The database failed; what was measured is stored, and the run is resumed later.
    pub async fn step(&self, shutdown: &CancellationToken) -> Result<bool, podium_store::Error> {
        let ttl = self.options.lease_ttl;
        let claim = Claim {
            worker: &self.options.name,
            machine: self.service.machine(),
            ttl,
            only: self.options.only,
            after_restart: self.options.after_restart,
        };
        let begun = |run: &podium_store::Run| vec![stored(&RunEvent::Run { status: run.status, failure: None })];
        let claimed = self.service.store().claim_run(&claim, begun).await?;
        let Some(claimed) = claimed else { return Ok(false) };
        let (run_id, lease) = (claimed.run.id, claimed.lease);
        tracing::info!(%run_id, epoch = lease.epoch, resumed = claimed.resumed, "working on a run");
        let signal = StopSignal::default();
        if claimed.run.status == RunStatus::Cancelling {
            signal.raise(StopCause::Cancelled);
        }
        let _keeper = LeaseKeeper::start(self.service.store().clone(), lease, ttl, signal.clone(), shutdown.clone());

        let mut task = match RunTask::begin(self, claimed, signal).await {
            Ok(Ok(task)) => task,
            Ok(Err(reason)) => {
                self.fail_run(&lease, reason).await?;
                return Ok(true);
            }
            Err(halt) => {
                self.halted(&lease, halt).await?;
                return Ok(true);
            }
        };
        let carried_out = task.carry_out().await;
        task.give_back().await;
        let mut outcome = match carried_out {
            Ok(()) => task.complete().await,
            Err(Halt::Stop(StopCause::Cancelled)) => task.cancel().await,
            Err(Halt::Failed(reason)) => task.break_off(reason).await,
            other => other,
        };
        if let Err(Halt::Store(error)) = outcome {
            outcome = if error.is_unavailable() { Err(Halt::Store(error)) } else { task.fail(no_store(error)).await };
        }
        task.host().close().await;
        task.place.close().await;
        match outcome {
            Ok(()) => tracing::info!(%run_id, "the run has ended"),
            Err(halt) => self.halted(&lease, halt).await?,
        }
        Ok(true)
    }

    /// Lets go of a run that is not carried on. One that the database takes nothing of, now or later, has failed: trying
    /// it again for ever would tell nobody.
    async fn halted(&self, lease: &Lease, halt: Halt) -> Result<(), podium_store::Error> {
        let run_id = lease.run_id;
        match halt {
            Halt::Refused(reason) | Halt::Failed(reason) => self.fail_run(lease, reason).await,
            Halt::Stop(StopCause::Shutdown) => {
                tracing::info!(%run_id, "the run is given back");
                self.service.store().release_lease(lease).await
            }
            Halt::Stop(cause) => {
                tracing::warn!(%run_id, ?cause, "the run is no longer this worker's");
                Ok(())
            }
            Halt::Store(error) if error.is_unavailable() => Err(error),
            Halt::Store(error) => self.fail_run(lease, no_store(error)).await,
        }
    }

    async fn fail_run(&self, lease: &Lease, reason: String) -> Result<(), podium_store::Error> {
        tracing::warn!(run_id = %lease.run_id, reason, "the run cannot be carried out");
        let end = RunEnd { status: RunStatus::Failed, failure: Some(reason.clone()), summary: None };
        let event = stored(&RunEvent::Run { status: RunStatus::Failed, failure: Some(reason) });
        self.service.store().finish_run(lease, &end, &[event]).await
    }

    fn data_dir(&self) -> &Path {
        self.service.data_dir()
    }
}

/// Why a run fails whose data the database refuses; the log has the details.
fn no_store(error: podium_store::Error) -> String {
    let reference = Uuid::new_v4();
    tracing::error!(%reference, error = format!("{:#}", anyhow::Error::from(error)), "a run's data is refused");
    format!(
        "the database refused what belongs to the run: its worker's log has the details under reference {reference}. What \
         was measured before is kept; start the plan again once that is mended"
    )
}
