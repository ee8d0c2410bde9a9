//! How each fault is brought about. Only processes of the drill's own programs and launches are signalled.

use std::net::{Ipv4Addr, TcpListener};
use std::time::Duration;

use podium_store::Launch;
use rustix::process::Signal;
use tokio::time::Instant;

use crate::fault::{Draw, Fault};
use crate::procs;
use crate::round::Set;
use crate::stage::{LEASE, Stage};

/// Brings the fault about; whether there was something to do harm to.
pub async fn inject(stage: &Stage, set: &mut Set, draw: &Draw) -> bool {
    match draw.fault {
        Fault::WorkerKilled | Fault::ServerKilled => {
            let worker = set.workers.first().and_then(tokio::process::Child::id);
            worker.is_some_and(|pid| procs::signal(pid.cast_signed(), Signal::KILL))
        }
        Fault::LoadKilled => {
            soon(async || {
                let own = procs::of_folder(&stage.bin());
                let load = own.iter().find(|(_, command)| command.ends_with("podium-agent load"))?;
                procs::signal(load.0, Signal::KILL).then_some(())
            })
            .await
        }
        Fault::EngineKilled => signal_engine(stage, set, Signal::KILL, "").await,
        Fault::EngineHung => signal_engine(stage, set, Signal::STOP, "").await,
        Fault::EngineErrors => signal_engine(stage, set, Signal::USR1, "drill_engine.py").await,
        Fault::LogFlood => signal_engine(stage, set, Signal::USR2, "drill_engine.py").await,
        Fault::DatabaseKilled => stage.postmaster().is_some_and(|pid| procs::signal(pid, Signal::KILL)),
        Fault::DatabaseAway => database_away(stage).await,
        Fault::ConnectionCut => set.sshd.as_ref().is_some_and(|sshd| sshd.cut_if_any() > 0),
        Fault::DiskFull => {
            set.disk.as_ref().inspect(|disk| disk.fill());
            set.disk.is_some()
        }
        Fault::ClockStep => {
            let step = if draw.choice.is_multiple_of(2) { "+3600\n" } else { "-3600\n" };
            std::fs::write(&set.clock, step).is_ok()
        }
        Fault::PortStolen => steal_port(stage, set).await,
        Fault::TwoWorkers => set.workers.len() == 2,
    }
}

/// Looks for a while: between two measurements or candidates there is nothing to be found.
async fn soon<T>(mut look: impl AsyncFnMut() -> Option<T>) -> bool {
    let deadline = Instant::now() + Duration::from_secs(5);
    while Instant::now() < deadline {
        if look().await.is_some() {
            return true;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    false
}

/// Signals a process of the run's engine whose command line holds `mark`.
async fn signal_engine(stage: &Stage, set: &Set, signal: Signal, mark: &str) -> bool {
    soon(async || {
        let own: Vec<_> = stage.store.launches(set.run_id).await.ok()?.iter().map(|launch| launch.id).collect();
        let running = stage.host.running_launches().await.ok()?;
        let processes = running.into_iter().filter(|launch| own.contains(&launch.launch_id)).flat_map(|l| l.processes);
        let mut marked = processes.filter(|process| process.command().contains(mark));
        procs::signal(marked.next()?.identity.pid, signal).then_some(())
    })
    .await
}

/// Kills the database again and again until a lease and the time after a restart are over.
async fn database_away(stage: &Stage) -> bool {
    let deadline = Instant::now() + LEASE * 2;
    let mut killed = false;
    while Instant::now() < deadline {
        killed |= stage.postmaster().is_some_and(|pid| procs::signal(pid, Signal::KILL));
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
    killed
}

/// Listens on the port of a launch before its engine does.
async fn steal_port(stage: &Stage, set: &mut Set) -> bool {
    let deadline = Instant::now() + Duration::from_secs(30);
    while Instant::now() < deadline {
        let launches: Vec<Launch> = stage.store.launches(set.run_id).await.unwrap_or_default();
        if let Some(port) = launches.first().and_then(|launch| u16::try_from(launch.port?).ok()) {
            set.stolen = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).ok();
            return set.stolen.is_some();
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    false
}
