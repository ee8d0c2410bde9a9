//! Processes of the drill's own copy of the programs, found through `/proc`.

use std::path::Path;

use rustix::process::{Pid, Signal, kill_process};

/// Processes that run a program of this folder, with their command lines.
pub fn of_folder(folder: &Path) -> Vec<(i32, String)> {
    let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let numbers = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    let own =
        numbers.filter(|pid| std::fs::read_link(format!("/proc/{pid}/exe")).is_ok_and(|exe| exe.starts_with(folder)));
    own.map(|pid| (pid, command(pid))).collect()
}

/// A process's command line.
pub fn command(pid: i32) -> String {
    let bytes = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    String::from_utf8_lossy(&bytes).replace('\0', " ").trim().to_owned()
}

/// Whether the process got the signal.
pub fn signal(pid: i32, signal: Signal) -> bool {
    Pid::from_raw(pid).is_some_and(|pid| kill_process(pid, signal).is_ok())
}
