//! Several workers over one database: on one machine, and on several.

use std::time::Duration;

use podium_domain::status::{MeasurementStatus, RunStatus};
use podium_service::{Caller, Service, StartRun, Worker, WorkerOptions};
use podium_tests::bench::Bench;
use podium_tests::binaries::agent_program;
use podium_tests::sshd::Sshd;
use podium_tests::wait::until;
use podium_tests::{plans, quiet};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

/// A worker on a machine of its own, as far as the database knows.
struct Machine {
    service: Service,
    worker: Worker,
    _folder: TempDir,
}

impl Machine {
    fn new(bench: &Bench, id: &str) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let service = Service::on_machine(bench.store.clone(), bench.host.clone(), folder.path(), id);
        let options = WorkerOptions { lease_ttl: Duration::from_secs(5), ..WorkerOptions::new(agent_program()) };
        let worker = Worker::new(service.clone(), options);
        Machine { service, worker, _folder: folder }
    }

    /// Looks for a run once and carries it out; whether there was one.
    async fn step(&self) -> bool {
        self.worker.step(&CancellationToken::new()).await.expect("the database answers")
    }
}

fn start(host_id: Option<uuid::Uuid>) -> StartRun {
    let flags = "{max_model_len: 4096}";
    let framework = plans::with_flags("vllm", &plans::simulated("vllm", ""), flags, "{}");
    let yaml = plans::plan("one_scenario.yaml", &[framework]);
    StartRun { host_id, ..StartRun::of(yaml) }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_machines_own_host_is_for_its_own_workers() {
    let _quiet = quiet::shared().await;
    let bench = Bench::new().await;
    let (a, b) = (Machine::new(&bench, "machine-a"), Machine::new(&bench, "machine-b"));
    let owner = Caller::owner();
    let host_a = a.service.this_host(owner).await.expect("it is a host");
    let host_b = b.service.this_host(owner).await.expect("it is a host");
    assert_ne!(host_a.id, host_b.id);

    let run_id = b.service.start_run(owner, start(Some(host_a.id))).await.expect("it is queued");
    assert!(!b.step().await, "a worker took a run that it cannot reach");
    let refused = b.service.check_host(owner, host_a.id).await.expect_err("it cannot look at another machine");
    assert!(refused.to_string().contains("podium worker"), "{refused}");
    assert!(a.step().await);
    let run = bench.ended(run_id).await;
    assert_eq!(run.view.item.status, RunStatus::Completed, "{:?}", run.view.failure);
    assert_eq!(run.launches[0].host_id, host_a.id);

    // Without a host, a run is for the machine that it is asked for on.
    let run_id = b.service.start_run(owner, start(None)).await.expect("it is queued");
    assert!(!a.step().await);
    assert!(b.step().await);
    assert_eq!(bench.ended(run_id).await.launches[0].host_id, host_b.id);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_by_ssh_is_taken_over_by_a_worker_on_another_machine() {
    let _quiet = quiet::shared().await;
    let (bench, sshd) = (Bench::new().await, Sshd::start().await);
    let (a, b) = (Machine::new(&bench, "machine-a"), Machine::new(&bench, "machine-b"));
    let host = a.service.add_host(Caller::owner(), "far", &sshd.config()).await.expect("the host is added");
    let flags = "{max_model_len: 4096}";
    let framework = plans::with_flags("vllm", &plans::simulated("vllm", ""), flags, "{}");
    let yaml = plans::plan("quick_and_long.yaml", &[framework]);
    let run_id = bench.start_with(StartRun { yaml, ..start(Some(host.id)) }).await;

    // The first worker is gone in the middle of the second measurement, without a word.
    let working = tokio::spawn(async move { a.step().await });
    let quick = until("the second measurement is being taken", async || {
        let measurements = bench.measurements(run_id).await;
        let of = |scenario: &str| measurements.iter().find(|m| m.scenario == scenario);
        let long_runs = of("long")?.status == MeasurementStatus::Measuring;
        of("quick").filter(|quick| long_runs && quick.status == MeasurementStatus::Done).cloned()
    })
    .await;
    working.abort();
    let told = until("the log of the engine was told", async || {
        bench.store.live_log(quick.launch_id?, 0).await.expect("the database answers")
    })
    .await;

    until("the other worker has carried the run out", async || b.step().await.then_some(())).await;
    let run = bench.ended(run_id).await;
    assert_eq!(run.view.item.status, RunStatus::Completed, "{:?}", run.view.failure);
    assert_eq!(run.launches.len(), 2, "{:#?}", run.launches);
    let after = run.measurements.iter().find(|m| m.id == quick.id).expect("it is there");
    assert_eq!(
        (after.started_at, after.ended_at, after.launch_id),
        (quick.started_at, quick.ended_at, quick.launch_id)
    );
    assert_eq!(after.summary, quick.summary);
    // The dead worker's files are on its own machine; what it had told of the log is kept.
    let log = run.launches[0].log_artifact_id.expect("the first launch has a log");
    let log = String::from_utf8(bench.store.artifact_bytes(log).await.expect("it is there")).expect("text");
    assert!(log.starts_with(&told.text), "{log}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_workers_that_want_one_run_do_not_both_get_it() {
    let _quiet = quiet::shared().await;
    let bench = Bench::new().await;
    let (a, b) = (Machine::new(&bench, "machine"), Machine::new(&bench, "machine"));
    a.service.this_host(Caller::owner()).await.expect("it is a host");
    let run_id = a.service.start_run(Caller::owner(), start(None)).await.expect("it is queued");
    let (first, second) = tokio::join!(a.step(), b.step());
    assert!(first != second, "one gets it, the other nothing");
    let run = bench.ended(run_id).await;
    assert_eq!((run.launches.len(), run.measurements.len()), (1, 1));
    assert_eq!(run.view.item.status, RunStatus::Completed);
}
