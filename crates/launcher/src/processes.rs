//! Processes of this machine, as `/proc` shows them, and signals that reach only the process that was meant.

use std::collections::{BTreeMap, HashSet};

use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// The variable that every process of a launch carries in its environment.
pub const LAUNCH_VARIABLE: &str = "PODIUM_LAUNCH";

/// A process beyond doubt: ids are reused, an id with its start time is not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ProcessIdentity {
    /// The process id.
    pub pid: i32,
    /// When it was started, in clock ticks after the machine's boot.
    pub start_ticks: u64,
}

/// One line of the process table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProcessInfo {
    /// Which process.
    pub identity: ProcessIdentity,
    /// The id of its parent.
    pub parent: i32,
    /// The id of its process group.
    pub group: i32,
    /// The name of its program, at most 15 bytes.
    pub name: String,
}

impl ProcessInfo {
    /// Its command line as one string; its name where that is empty.
    pub fn command(&self) -> String {
        let bytes = std::fs::read(format!("/proc/{}/cmdline", self.identity.pid)).unwrap_or_default();
        let text = String::from_utf8_lossy(&bytes).replace('\0', " ");
        let text = text.trim();
        if text.is_empty() { self.name.clone() } else { text.to_owned() }
    }
}

/// The living processes that carry one launch's id.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunningLaunch {
    /// The launch.
    pub launch_id: Uuid,
    /// Its processes.
    pub processes: Vec<ProcessInfo>,
}

/// The identity of a process id, if there is such a process; one that ended and was not waited for counts.
pub(crate) fn identify(pid: i32) -> Option<ProcessIdentity> {
    read(pid).map(|(info, _)| info.identity)
}

/// Every living process. One that ended and was not waited for does not count.
pub(crate) fn all() -> Vec<ProcessInfo> {
    let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let numbers = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    numbers.filter_map(read).filter_map(|(info, lives)| lives.then_some(info)).collect()
}

/// Runs something that reads `/proc` on a thread that may block. A panic goes on to the caller.
pub(crate) async fn off_thread<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    match tokio::task::spawn_blocking(work).await {
        Ok(value) => value,
        Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
        // The runtime is shutting down; nobody waits for this any more.
        Err(_) => std::future::pending().await,
    }
}

fn read(pid: i32) -> Option<(ProcessInfo, bool)> {
    parse_stat(&std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
}

/// Parses `/proc/<pid>/stat` into the process and whether it lives. The name stands in parentheses and may hold spaces
/// and parentheses.
fn parse_stat(text: &str) -> Option<(ProcessInfo, bool)> {
    let (front, rest) = text.rsplit_once(") ")?;
    let (pid, name) = front.split_once(" (")?;
    let fields: Vec<&str> = rest.split_ascii_whitespace().collect();
    let lives = !matches!(*fields.first()?, "Z" | "X");
    // Fields are numbered from 1 in proc(5); `rest` begins with field 3.
    let field = |number: usize| fields.get(number - 3);
    let identity = ProcessIdentity { pid: pid.parse().ok()?, start_ticks: field(22)?.parse().ok()? };
    let (parent, group) = (field(4)?.parse().ok()?, field(5)?.parse().ok()?);
    Some((ProcessInfo { identity, parent, group, name: name.to_owned() }, lives))
}

/// The launch that a process was started for, by its environment.
fn launch_of(pid: i32) -> Option<Uuid> {
    let environment = std::fs::read(format!("/proc/{pid}/environ")).ok()?;
    environment.split(|&byte| byte == 0).find_map(|variable| {
        let value = variable.strip_prefix(LAUNCH_VARIABLE.as_bytes())?.strip_prefix(b"=")?;
        Uuid::try_parse_ascii(value).ok()
    })
}

/// Every launch that has living processes, by id.
pub(crate) fn running_launches() -> Vec<RunningLaunch> {
    let mut launches: BTreeMap<Uuid, Vec<ProcessInfo>> = BTreeMap::new();
    for process in all() {
        if let Some(launch_id) = launch_of(process.identity.pid) {
            launches.entry(launch_id).or_default().push(process);
        }
    }
    launches.into_iter().map(|(launch_id, processes)| RunningLaunch { launch_id, processes }).collect()
}

/// The processes of a launch as they come and go. Three marks make a process a member: the launch's id in its
/// environment, the process group of the first process, or a member as its parent. The first alone is not enough,
/// because a program may overwrite its environment with its title; a group alone is not, because children leave it.
#[derive(Debug)]
pub(crate) struct Family {
    launch_id: Uuid,
    leader: Option<ProcessIdentity>,
    known: HashSet<ProcessIdentity>,
}

impl Family {
    /// The family of a launch; `leader` is its first process, where it is known.
    pub(crate) fn new(launch_id: Uuid, leader: Option<ProcessIdentity>) -> Self {
        Self { launch_id, leader, known: leader.into_iter().collect() }
    }

    /// The members that live now.
    pub(crate) fn living(&mut self) -> Vec<ProcessInfo> {
        let all = all();
        let group = self.leader.filter(|leader| {
            // Another process with the leader's id means that the group's number was given away.
            all.iter().all(|p| p.identity.pid != leader.pid || p.identity == *leader)
        });
        for process in &all {
            let in_group = group.is_some_and(|leader| process.group == leader.pid);
            if in_group || launch_of(process.identity.pid) == Some(self.launch_id) {
                self.known.insert(process.identity);
            }
        }
        loop {
            let members: HashSet<i32> =
                all.iter().filter(|p| self.known.contains(&p.identity)).map(|p| p.identity.pid).collect();
            let before = self.known.len();
            self.known.extend(all.iter().filter(|p| members.contains(&p.parent)).map(|p| p.identity));
            if self.known.len() == before {
                break;
            }
        }
        let own_pid = std::process::id();
        all.into_iter().filter(|p| self.known.contains(&p.identity) && p.identity.pid as u32 != own_pid).collect()
    }
}

/// Sends a signal to exactly this process: the handle pins it before its start time is compared, so that a reused id
/// is never hit. Returns whether the signal was sent; a process that is gone is not an error.
pub(crate) fn send_signal(target: ProcessIdentity, signal: Signal) -> Result<bool, Errno> {
    let Some(pid) = Pid::from_raw(target.pid) else { return Ok(false) };
    let handle = match pidfd_open(pid, PidfdFlags::empty()) {
        Ok(handle) => handle,
        Err(Errno::SRCH | Errno::INVAL) => return Ok(false),
        Err(error) => return Err(error),
    };
    if identify(target.pid) != Some(target) {
        return Ok(false);
    }
    match pidfd_send_signal(handle, signal) {
        Ok(()) => Ok(true),
        Err(Errno::SRCH) => Ok(false),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt;
    use std::process::Command;

    use super::*;

    #[test]
    fn stat_lines_with_odd_names_are_read() {
        let line = "42 (a) (b c) S 7 40 40 0 -1 4194304 1 0 0 0 1 2 3 4 20 0 1 0 98765 1000 10 18446744073709551615";
        let (info, lives) = parse_stat(line).unwrap();
        assert!(lives);
        assert_eq!(info.identity, ProcessIdentity { pid: 42, start_ticks: 98765 });
        assert_eq!((info.parent, info.group, info.name.as_str()), (7, 40, "a) (b c"));
        assert!(!parse_stat(&line.replace(" S ", " Z ")).unwrap().1);
    }

    #[test]
    fn a_signal_reaches_the_process_that_was_meant_and_no_other() {
        let mut child = Command::new("sleep").arg("600").spawn().unwrap();
        let identity = identify(child.id() as i32).unwrap();
        let reused = ProcessIdentity { start_ticks: identity.start_ticks + 1, ..identity };
        assert_eq!(send_signal(reused, Signal::KILL), Ok(false));
        assert!(child.try_wait().unwrap().is_none(), "another process of the same id was hit");
        assert_eq!(send_signal(identity, Signal::TERM), Ok(true));
        assert_eq!(child.wait().unwrap().signal(), Some(15));
        assert_eq!(send_signal(identity, Signal::TERM), Ok(false));
    }
}
