//! The database goes away under a run and comes back: no result is lost, and none is taken twice.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use podium_cluster::{ClusterOptions, ManagedCluster};
use podium_domain::status::{MeasurementStatus, RunStatus};
use podium_launcher::{Environment, Host, LocalHost, LocalHostOptions};
use podium_service::{Caller, Service, StartRun, Worker, WorkerOptions};
use podium_store::{Measurement, Store};
use podium_tests::binaries::{agent_program, podium_program};
use podium_tests::wait::until;
use podium_tests::{plans, quiet};
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// A service on a database that can be taken away.
struct Fragile {
    service: Service,
    store: Store,
    cluster: Arc<ManagedCluster>,
    folder: TempDir,
}

impl Fragile {
    async fn new() -> Self {
        use std::os::unix::fs::PermissionsExt as _;

        let folder = tempfile::tempdir().expect("a temporary folder");
        std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o755)).expect("ours");
        let options = ClusterOptions::new(folder.path().join("data"));
        let cluster = tokio::task::spawn_blocking(|| ManagedCluster::acquire(options));
        let cluster = Arc::new(cluster.await.expect("no panic").expect("a database starts"));
        let store = Store::connect(&cluster.url()).await.expect("it takes connections");
        store.migrate().await.expect("the migrations run");
        let host = Host::Local(LocalHost::new(LocalHostOptions {
            data_dir: folder.path().join("data"),
            podium: podium_program(),
            environment: Environment::of_this_process(),
            extra_env: Vec::new(),
        }));
        let service = Service::new(store.clone(), host, folder.path().join("data")).expect("this machine has an id");
        Fragile { service, store, cluster, folder }
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// Kills the server.
    fn kill(&self) {
        let text = std::fs::read_to_string(self.data().join("postgres/postmaster.pid")).expect("it runs");
        let pid = text.lines().next().and_then(|pid| pid.trim().parse().ok()).and_then(Pid::from_raw);
        kill_process(pid.expect("a process id"), Signal::KILL).expect("it can be killed");
    }

    async fn revive(&self) {
        let cluster = self.cluster.clone();
        let revived = tokio::task::spawn_blocking(move || cluster.revive()).await.expect("no panic");
        assert!(revived.expect("it starts again"), "it was not gone");
    }

    async fn start(&self) -> Uuid {
        let flags = "{max_model_len: 4096}";
        let framework = plans::with_flags("vllm", &plans::simulated("vllm", ""), flags, "{}");
        let yaml = plans::plan("drill.yaml", &[framework]);
        let start = StartRun::of(yaml);
        self.service.start_run(Caller::owner(), start).await.expect("the run is queued")
    }

    /// A worker whose leases run out long before the database is back.
    fn worker(&self) -> Worker {
        let lease_ttl = Duration::from_millis(500);
        let options =
            WorkerOptions { lease_ttl, after_restart: Duration::from_secs(3), ..WorkerOptions::new(agent_program()) };
        Worker::new(self.service.clone(), options)
    }

    async fn measuring(&self, run_id: Uuid) -> Vec<Measurement> {
        until("the second measurement is being taken", async || {
            let measurements = self.store.measurements(run_id).await.expect("the database answers");
            let long = measurements.iter().find(|m| m.scenario == "long")?;
            (long.status == MeasurementStatus::Measuring).then_some(measurements)
        })
        .await
    }
}

/// The results that wait in a data folder.
fn waiting(data: &Path, run_id: Uuid) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(data.join("spool").join(run_id.to_string())).into_iter().flatten().flatten();
    entries.map(|entry| entry.path()).filter(|path| path.extension().is_some_and(|end| end == "result")).collect()
}

fn assert_whole(before: &[Measurement], after: &[Measurement]) {
    assert_eq!(after.len(), before.len());
    for (before, after) in before.iter().zip(after) {
        assert_eq!(after.status, MeasurementStatus::Done, "{after:#?}");
        // The first was done before; the second was begun before, and not begun again.
        assert_eq!((after.id, after.started_at, after.launch_id), (before.id, before.started_at, before.launch_id));
        if before.status == MeasurementStatus::Done {
            assert_eq!(after, before);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_measurement_survives_a_database_that_is_away_for_longer_than_the_lease() {
    let _quiet = quiet::shared().await;
    let fragile = Fragile::new().await;
    let run_id = fragile.start().await;
    let (worker, stop) = (fragile.worker(), CancellationToken::new());
    let working = tokio::spawn({
        let stop = stop.clone();
        async move { worker.run_until_stopped(stop).await }
    });
    let before = fragile.measuring(run_id).await;
    fragile.kill();
    until("the result waits on disk", async || (!waiting(&fragile.data(), run_id).is_empty()).then_some(())).await;
    fragile.revive().await;
    until("the run has ended", async || {
        fragile.store.run(run_id).await.is_ok_and(|run| run.status.is_final()).then_some(())
    })
    .await;
    stop.cancel();
    working.await.expect("a worker does not panic");

    assert_eq!(fragile.store.run(run_id).await.expect("it answers").status, RunStatus::Completed);
    assert_whole(&before, &fragile.store.measurements(run_id).await.expect("it answers"));
    assert_eq!(fragile.store.launches(run_id).await.expect("it answers").len(), 1);
    assert!(!fragile.data().join("spool").join(run_id.to_string()).exists());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_that_dies_with_a_result_on_disk_leaves_it_to_the_next() {
    let _quiet = quiet::shared().await;
    let fragile = Fragile::new().await;
    let run_id = fragile.start().await;
    let worker = fragile.worker();
    let working = tokio::spawn(async move { worker.step(&CancellationToken::new()).await });
    let before = fragile.measuring(run_id).await;
    fragile.kill();
    until("the result waits on disk", async || (!waiting(&fragile.data(), run_id).is_empty()).then_some(())).await;
    working.abort();
    assert!(working.await.is_err_and(|error| error.is_cancelled()));
    fragile.revive().await;

    let worker = fragile.worker();
    until("another worker has carried the run out", async || {
        worker.step(&CancellationToken::new()).await.is_ok_and(|worked| worked).then_some(())
    })
    .await;
    assert_eq!(fragile.store.run(run_id).await.expect("it answers").status, RunStatus::Completed);
    assert_whole(&before, &fragile.store.measurements(run_id).await.expect("it answers"));
    assert!(fragile.store.launches(run_id).await.expect("it answers").len() <= 2);
    assert!(!fragile.data().join("spool").join(run_id.to_string()).exists());
}
