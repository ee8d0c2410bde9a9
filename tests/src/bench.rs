//! A service and workers over a database and a folder of their own.

use std::collections::BTreeSet;
use std::path::Path;

use podium_domain::framework::Framework;
use podium_domain::status::RunStatus;
use podium_launcher::{Environment, Host, LocalHost, LocalHostOptions, SshConfig};
use podium_service::{Caller, CandidateView, ReportView, RunView, Service, StartRun, Worker, WorkerOptions};
use podium_store::testing::TestDatabase;
use podium_store::{Launch, Measurement, Row, Store};
use tempfile::TempDir;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::binaries::{agent_program, podium_program};
use crate::wait::until;

/// Podium without its pages, on a database of its own.
#[derive(Debug)]
pub struct Bench {
    /// The use cases.
    pub service: Service,
    /// The database behind them.
    pub store: Store,
    /// The database's URL, for programs.
    pub database_url: String,
    /// This machine.
    pub host: Host,
    folder: TempDir,
}

/// A worker that goes on until it is stopped.
#[derive(Debug)]
pub struct Working {
    stop: CancellationToken,
    task: JoinHandle<()>,
}

/// A run that has ended, and everything that it left in the database.
#[derive(Debug)]
pub struct EndedRun {
    /// The run.
    pub view: RunView,
    /// Its report.
    pub report: ReportView,
    /// Its rows.
    pub rows: Vec<Row>,
    /// Its measurements.
    pub measurements: Vec<Measurement>,
    /// Its launches.
    pub launches: Vec<Launch>,
}

impl EndedRun {
    /// The ids of the candidates, in order.
    pub fn candidate_ids(&self) -> Vec<&str> {
        self.view.candidates.iter().map(|candidate| candidate.candidate_id.as_str()).collect()
    }

    /// The only candidate of a framework.
    ///
    /// # Panics
    /// When there is another number of them.
    pub fn only(&self, framework: Framework) -> &CandidateView {
        let own: Vec<_> = self.view.candidates.iter().filter(|c| c.framework == framework).collect();
        let [only] = own[..] else { panic!("not one candidate of {framework}: {own:#?}") };
        only
    }
}

impl Bench {
    /// One with nothing in it.
    ///
    /// # Panics
    /// When the database or the folder cannot be had, as everything here.
    pub async fn new() -> Self {
        Self::with_variables([]).await
    }

    /// One on a machine that has these variables besides its own.
    ///
    /// # Panics
    /// As [`Bench::new`].
    pub async fn with_variables<const COUNT: usize>(variables: [(String, String); COUNT]) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let database = TestDatabase::create().await;
        let own = Environment::of_this_process();
        let host = Host::Local(LocalHost::new(LocalHostOptions {
            data_dir: folder.path().to_owned(),
            podium: podium_program(),
            environment: Environment::from_pairs(
                own.iter().map(|(name, value)| (name.to_owned(), value.to_owned())).chain(variables),
            ),
            extra_env: Vec::new(),
        }));
        let service =
            Service::new(database.store.clone(), host.clone(), folder.path()).expect("this machine has an id");
        Bench { service, store: database.store, database_url: database.url, host, folder }
    }

    /// The folder for what is not in the database.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// A worker that takes nothing yet.
    pub fn worker(&self) -> Worker {
        Worker::new(self.service.clone(), WorkerOptions::new(agent_program()))
    }

    /// A worker that takes runs until it is stopped.
    pub fn work(&self) -> Working {
        let stop = CancellationToken::new();
        let worker = self.worker();
        let task = tokio::spawn({
            let stop = stop.clone();
            async move { worker.run_until_stopped(stop).await }
        });
        Working { stop, task }
    }

    /// Queues a run of all that a plan asks for.
    pub async fn start(&self, yaml: impl Into<String>) -> Uuid {
        self.start_only(yaml, None).await
    }

    /// Queues a run of these frameworks of a plan.
    pub async fn start_only(&self, yaml: impl Into<String>, frameworks: Option<Vec<Framework>>) -> Uuid {
        let start = StartRun { frameworks, ..StartRun::of(yaml) };
        self.start_with(start).await
    }

    /// Adds a host and queues a run on it.
    pub async fn start_on(&self, name: &str, config: &SshConfig, yaml: impl Into<String>) -> Uuid {
        let added = self.service.add_host(Caller::owner(), name, config).await.expect("the host is added");
        self.start_with(StartRun { host_id: Some(added.id), ..StartRun::of(yaml) }).await
    }

    /// Queues a run.
    pub async fn start_with(&self, start: StartRun) -> Uuid {
        self.service.start_run(Caller::owner(), start).await.expect("the run is queued")
    }

    /// Carries out a run from start to end.
    pub async fn run(&self, yaml: impl Into<String>) -> EndedRun {
        let run_id = self.start(yaml).await;
        self.carry_out(run_id).await
    }

    /// Carries out the one run that is queued.
    pub async fn carry_out(&self, run_id: Uuid) -> EndedRun {
        let worked = self.worker().step(&CancellationToken::new()).await.expect("the database answers");
        assert!(worked, "there was no run to carry out");
        self.ended(run_id).await
    }

    /// One run as it is now.
    pub async fn view(&self, run_id: Uuid) -> RunView {
        self.service.run(Caller::owner(), run_id).await.expect("the run is there")
    }

    /// Waits until a run has ended.
    pub async fn wait_for_end(&self, run_id: Uuid) -> EndedRun {
        until("the run has ended", async || self.status(run_id).await.is_final().then_some(())).await;
        self.ended(run_id).await
    }

    /// Where a run is.
    pub async fn status(&self, run_id: Uuid) -> RunStatus {
        self.store.run(run_id).await.expect("the run is there").status
    }

    /// The measurements of a run.
    pub async fn measurements(&self, run_id: Uuid) -> Vec<Measurement> {
        self.store.measurements(run_id).await.expect("the database answers")
    }

    /// The launches of a run, oldest first.
    pub async fn launches(&self, run_id: Uuid) -> Vec<Launch> {
        self.store.launches(run_id).await.expect("the database answers")
    }

    /// Everything about a run that has ended, after a look that none of its processes lives.
    pub async fn ended(&self, run_id: Uuid) -> EndedRun {
        self.assert_nothing_runs(run_id).await;
        let report = self.service.run_report(Caller::owner(), run_id).await.expect("the database answers");
        EndedRun {
            view: self.view(run_id).await,
            report: report.expect("the run has a report"),
            rows: self.store.rows(run_id).await.expect("the database answers"),
            measurements: self.measurements(run_id).await,
            launches: self.launches(run_id).await,
        }
    }

    /// # Panics
    /// When any process of the run's launches lives.
    pub async fn assert_nothing_runs(&self, run_id: Uuid) {
        let own: BTreeSet<Uuid> = self.launches(run_id).await.iter().map(|launch| launch.id).collect();
        let mut running = self.host.running_launches().await.expect("this machine is in reach");
        running.retain(|launch| own.contains(&launch.launch_id));
        assert!(running.is_empty(), "processes were left behind: {running:#?}");
    }
}

impl Working {
    /// Tells the worker to stop and waits until it has.
    ///
    /// # Panics
    /// When it panicked.
    pub async fn stop(self) {
        self.stop.cancel();
        self.task.await.expect("a worker does not panic");
    }
}
