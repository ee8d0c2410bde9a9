//! One round: a run is queued, something goes wrong, somebody starts again what died, and the run comes to an end.

use std::collections::BTreeMap;
use std::net::TcpListener;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use podium_domain::status::MeasurementStatus;
use podium_service::{Caller, StartRun};
use podium_store::Measurement;
use podium_tests::plans;
use podium_tests::sshd::Sshd;
use rustix::process::Signal;
use tokio::process::Child;
use tokio::task::JoinHandle;
use uuid::Uuid;

use crate::checks;
use crate::fault::{Draw, Fault};
use crate::inject;
use crate::procs;
use crate::stage::{Stage, WorkerKind};

/// A run of the drill takes about ten seconds, one with a fault up to a minute: this only turns a hang into a failure.
const LONGEST_ROUND: Duration = Duration::from_secs(180);

/// Between two looks.
const INTERVAL: Duration = Duration::from_millis(50);

/// How a round went.
#[derive(Debug, Default)]
pub struct Outcome {
    pub hit: bool,
    pub done_before: usize,
    pub done: usize,
    pub launches: usize,
    pub candidates: usize,
    pub problems: Vec<String>,
}

/// The measurements that were ever seen to be done.
pub type Seen = Arc<Mutex<BTreeMap<Uuid, Measurement>>>;

/// What a round works with.
pub struct Set {
    pub run_id: Uuid,
    pub seen: Seen,
    pub sshd: Option<Sshd>,
    /// The worker's data folder.
    pub data: PathBuf,
    /// A small disk, where the worker has one.
    pub disk: Option<SmallDisk>,
    /// The file that moves the worker's clock.
    pub clock: PathBuf,
    /// The port of an engine, held until the run has ended.
    pub stolen: Option<TcpListener>,
    pub workers: Vec<Child>,
    pub kind: WorkerKind,
}

/// A file system of a few megabytes; gone with its owner.
pub struct SmallDisk(PathBuf);

impl SmallDisk {
    fn mount(at: PathBuf) -> Option<Self> {
        std::fs::create_dir_all(&at).ok()?;
        let mounted =
            std::process::Command::new("mount").args(["-t", "tmpfs", "-o", "size=24m", "tmpfs"]).arg(&at).status();
        mounted.is_ok_and(|status| status.success()).then_some(SmallDisk(at))
    }

    /// Fills it to the last byte.
    pub fn fill(&self) {
        let path = self.0.join("filler");
        if let Ok(mut file) = std::fs::File::create(path) {
            let block = vec![0; 1 << 16];
            while std::io::Write::write_all(&mut file, &block).is_ok() {}
        }
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = std::process::Command::new("umount").arg("--lazy").arg(&self.0).status();
    }
}

/// The plan of a round: a candidate in the way of vLLM and one in the way of SGLang.
fn plan(fault: Fault) -> String {
    let vllm = match fault {
        Fault::EngineErrors | Fault::LogFlood | Fault::PortStolen => plans::script("drill_engine.py"),
        _ => plans::simulated("vllm", ""),
    };
    let frameworks = [
        plans::with_flags("vllm", &vllm, "{max_model_len: 4096}", "{}"),
        plans::with_flags("sglang", &plans::simulated("sglang", ""), "{context_length: 4096}", "{}"),
    ];
    plans::plan("drill.yaml", &frameworks)
}

/// Carries out one round.
pub async fn carry_out(stage: &mut Stage, draw: &Draw) -> Outcome {
    stage.forget_log();
    let mut outcome = Outcome::default();
    let mut set = match prepare(stage, draw).await {
        Ok(set) => set,
        Err(reason) => {
            outcome.problems.push(reason);
            return outcome;
        }
    };
    let watching = watch(stage, &set);
    let went = tokio::time::timeout(LONGEST_ROUND, go(stage, &mut set, draw, &mut outcome)).await;
    watching.abort();
    if went.is_err() {
        outcome.problems.push(format!("the run had not ended after {} s", LONGEST_ROUND.as_secs()));
    }
    stop(&mut set, &mut outcome).await;
    checks::look(stage, &mut set, draw, &mut outcome).await;
    outcome
}

async fn prepare(stage: &Stage, draw: &Draw) -> Result<Set, String> {
    let owner = Caller::owner();
    let name = format!("round-{}", draw.number);
    let sshd = match draw.fault {
        Fault::ConnectionCut => Some(Sshd::start().await),
        _ => None,
    };
    let host_id = match &sshd {
        Some(sshd) => {
            let config = podium_launcher::SshConfig {
                podium: Some(stage.bin().join("podium")),
                agent: Some(stage.bin().join("podium-agent")),
                ..sshd.config()
            };
            let added = stage.service.add_host(owner, &format!("{name}-{}", Uuid::new_v4()), &config).await;
            Some(added.map_err(|error| error.to_string())?.id)
        }
        None => None,
    };
    let disk = match draw.fault {
        Fault::DiskFull => {
            let at = stage.folder().join(&name);
            Some(SmallDisk::mount(at).ok_or("a small disk cannot be mounted: this round needs root")?)
        }
        _ => None,
    };
    let data = disk.as_ref().map_or_else(|| stage.data(), |disk| disk.0.clone());
    let clock = stage.folder().join("clock");
    std::fs::write(&clock, "+0\n").map_err(|error| error.to_string())?;
    let start = StartRun { host_id, smoke: podium_service::SmokeChoice::Never, ..StartRun::of(plan(draw.fault)) };
    let run_id = stage.service.start_run(owner, start).await.map_err(|error| error.to_string())?;
    let kind = if draw.fault == Fault::ServerKilled { WorkerKind::Server } else { WorkerKind::Worker };
    let mut set =
        Set { run_id, seen: Seen::default(), sshd, data, disk, clock, stolen: None, workers: Vec::new(), kind };
    let first = match draw.fault {
        Fault::ClockStep => {
            stage.start_with_clock(&set.clock).ok_or("libfaketime is not there: apt-get install faketime")?
        }
        _ => stage.start(&kind, &set.data),
    };
    set.workers.push(first);
    if draw.fault == Fault::TwoWorkers {
        set.workers.push(stage.start(&kind, &set.data));
    }
    Ok(set)
}

/// Notes every measurement that is seen to be done, for as long as the run goes on.
fn watch(stage: &Stage, set: &Set) -> JoinHandle<()> {
    let (store, run_id, seen) = (stage.store.clone(), set.run_id, set.seen.clone());
    tokio::spawn(async move {
        loop {
            if let Ok(measurements) = store.measurements(run_id).await {
                let done = measurements.into_iter().filter(|m| m.status == MeasurementStatus::Done);
                let mut seen = seen.lock().expect("no panic while it is held");
                for measurement in done {
                    seen.entry(measurement.id).or_insert(measurement);
                }
            }
            tokio::time::sleep(INTERVAL).await;
        }
    })
}

/// From the first launch to the end of the run.
async fn go(stage: &Stage, set: &mut Set, draw: &Draw, outcome: &mut Outcome) {
    let first = async {
        while stage.store.launches(set.run_id).await.map_or(true, |launches| launches.is_empty()) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    first.await;
    if draw.fault != Fault::PortStolen {
        tokio::time::sleep(draw.after).await;
    }
    let goes_on = !ended(stage, set.run_id).await;
    outcome.done_before = set.seen.lock().expect("no panic while it is held").len();
    outcome.hit = goes_on && inject::inject(stage, set, draw).await;
    while !ended(stage, set.run_id).await {
        tokio::time::sleep(INTERVAL).await;
        // Whoever looks after the service starts it again.
        for worker in &mut set.workers {
            if matches!(worker.try_wait(), Ok(Some(_))) {
                *worker = stage.start(&set.kind, &set.data);
            }
        }
    }
}

/// Whether the run has ended; a database that does not answer says nothing.
async fn ended(stage: &Stage, run_id: Uuid) -> bool {
    stage.store.run(run_id).await.is_ok_and(|run| run.status.is_final())
}

/// Tells the workers to end, and sees that they do.
async fn stop(set: &mut Set, outcome: &mut Outcome) {
    set.stolen = None;
    const PATIENCE: Duration = Duration::from_secs(30);
    for worker in &mut set.workers {
        let Some(pid) = worker.id().map(u32::cast_signed) else { continue };
        procs::signal(pid, Signal::TERM);
        match tokio::time::timeout(PATIENCE, worker.wait()).await {
            Ok(Ok(status)) if status.success() => {}
            Ok(ended) => outcome.problems.push(format!("a worker that was told to end ended with {ended:?}")),
            Err(_) => {
                outcome.problems.push(format!("a worker did not end within {} s", PATIENCE.as_secs()));
                let _ = worker.kill().await;
            }
        }
    }
}
