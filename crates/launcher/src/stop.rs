//! Stopping an engine and everything that came out of it.

use std::time::Duration;

use rustix::process::Signal;
use serde::{Deserialize, Serialize};
use tokio::time::Instant;
use uuid::Uuid;

use crate::failure::ExitFacts;
use crate::ports::{self, PortState};
use crate::processes::{self, Family, ProcessInfo};

/// How an engine was stopped.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StopReport {
    /// How its first process ended; `None` if that could not be seen.
    pub exit: Option<ExitFacts>,
    /// Processes that did not end on SIGTERM and were killed.
    pub killed: u32,
    /// Processes that still live, each with its name; empty unless the system refused.
    pub left: Vec<ProcessInfo>,
    /// The port afterwards.
    pub port: PortState,
    /// Why what it left could not be looked for or removed; `None` where that was done.
    #[serde(default)]
    pub problem: Option<String>,
}

impl StopReport {
    /// Whether no process and no container is left and the port is free.
    pub fn is_clean(&self) -> bool {
        self.left.is_empty() && self.problem.is_none() && self.port.is_free()
    }
}

/// What a sweep of abandoned launches did.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SweepReport {
    /// Launches of which processes were found, with how many.
    pub found: Vec<(Uuid, u32)>,
    /// Processes that did not end on SIGTERM and were killed.
    pub killed: u32,
    /// Processes that still live.
    pub left: Vec<ProcessInfo>,
    /// Why it could not be done; `None` where it was.
    #[serde(default)]
    pub problem: Option<String>,
}

/// The time between SIGTERM and SIGKILL.
pub(crate) const TERM_GRACE: Duration = Duration::from_secs(5);

/// How long SIGKILL may take to show (a process in an uninterruptible wait).
const KILL_GRACE: Duration = Duration::from_secs(5);

/// How long a port may take to come back after its last process ended.
const PORT_GRACE: Duration = Duration::from_secs(3);

const POLL_INTERVAL: Duration = Duration::from_millis(50);

/// The result of ending a family.
pub(crate) struct Ended {
    pub(crate) killed: u32,
    pub(crate) left: Vec<ProcessInfo>,
}

/// SIGTERM to every member of the family, wherever it has gone (children may call `setsid`), time to end, SIGKILL to
/// what is left, and to what is left of that again: a member may fork while it is being looked for.
pub(crate) async fn end_family(mut family: Family, grace: Duration) -> Ended {
    let members;
    (family, members) = look(family).await;
    signal_all(&members, Signal::TERM);
    let mut living;
    (family, living) = until_gone(family, grace, members).await;
    let killed = living.len() as u32;
    let deadline = Instant::now() + KILL_GRACE;
    while !living.is_empty() && Instant::now() < deadline {
        signal_all(&living, Signal::KILL);
        (family, living) = until_gone(family, POLL_INTERVAL * 4, living).await;
    }
    Ended { killed, left: living }
}

/// Waits until no member lives, at most `bound`; returns those that do.
async fn until_gone(mut family: Family, bound: Duration, mut living: Vec<ProcessInfo>) -> (Family, Vec<ProcessInfo>) {
    let deadline = Instant::now() + bound;
    while !living.is_empty() && Instant::now() < deadline {
        tokio::time::sleep(POLL_INTERVAL).await;
        (family, living) = look(family).await;
    }
    (family, living)
}

/// Reading a process table of thousands takes a while: not on an async thread.
async fn look(mut family: Family) -> (Family, Vec<ProcessInfo>) {
    processes::off_thread(move || {
        let living = family.living();
        (family, living)
    })
    .await
}

fn signal_all(members: &[ProcessInfo], signal: Signal) {
    for member in members {
        if let Err(error) = processes::send_signal(member.identity, signal) {
            tracing::warn!(pid = member.identity.pid, name = %member.name, %error, "a process could not be signalled");
        }
    }
}

/// The port's state, once it is free or the time for that is over.
pub(crate) async fn settled_port(port: u16) -> PortState {
    let deadline = Instant::now() + PORT_GRACE;
    loop {
        let state = ports::state(port);
        if state.is_free() || Instant::now() >= deadline {
            return state;
        }
        tokio::time::sleep(POLL_INTERVAL).await;
    }
}

/// Ends every process of these launches.
pub(crate) async fn sweep(launches: &[Uuid]) -> SweepReport {
    let mut report = SweepReport::default();
    for &launch_id in launches {
        let (family, members) = look(Family::new(launch_id, None)).await;
        if members.is_empty() {
            continue;
        }
        report.found.push((launch_id, members.len() as u32));
        let ended = end_family(family, TERM_GRACE).await;
        report.killed += ended.killed;
        report.left.extend(ended.left);
    }
    report
}
