//! Which server runs on a cluster, by its `postmaster.pid` and by the process itself.

use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use crate::error::ClusterError;

/// A server that was verified to live and to work on the cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Postmaster {
    /// Its process.
    pub pid: u32,
    /// Its socket's folder; `None` before it has one.
    pub socket_dir: Option<PathBuf>,
    /// Whether it takes connections.
    pub ready: bool,
    /// Whether it is about to end.
    pub stopping: bool,
}

/// What a cluster's `postmaster.pid` says.
#[derive(Debug)]
pub(crate) enum PidFile {
    /// There is none: nothing runs.
    Absent,
    /// It names a process that is no longer there; the server replaces it when it starts.
    Dead,
    /// It names a process that is not a server of this cluster: its number was given to another one, or it waits as a
    /// zombie for its parent. A server would refuse to start.
    Reused,
    /// It names a server of this cluster.
    Live(Postmaster),
}

/// The path of the file that a running server keeps.
pub(crate) fn pid_path(pgdata: &Path) -> PathBuf {
    pgdata.join("postmaster.pid")
}

/// Reads the pid file of `pgdata` and looks at the process that it names.
pub(crate) fn inspect(pgdata: &Path) -> Result<PidFile, ClusterError> {
    let path = pid_path(pgdata);
    let text = match fs::read_to_string(&path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(PidFile::Absent),
        Err(error) => return Err(ClusterError::io("read", &path)(error)),
    };
    // A server that is just being started may not have written its number yet; nobody but us starts one.
    let Some(pid) = text.lines().next().and_then(|line| line.trim().parse::<u32>().ok()) else {
        return Ok(PidFile::Dead);
    };
    match fs::read(format!("/proc/{pid}/cmdline")) {
        Ok(command_line) if is_server_of(&command_line, pgdata) => Ok(PidFile::Live(parse(pid, &text))),
        Ok(_) => Ok(PidFile::Reused),
        Err(_) => Ok(PidFile::Dead),
    }
}

/// The pid file's lines: process, data folder, start time, port, socket folder, address, memory key, state.
fn parse(pid: u32, text: &str) -> Postmaster {
    let line = |index: usize| text.lines().nth(index).map(str::trim).filter(|line| !line.is_empty());
    let state = line(7).unwrap_or_default();
    Postmaster { pid, socket_dir: line(4).map(PathBuf::from), ready: state == "ready", stopping: state == "stopping" }
}

/// Whether a command line (arguments ended by zero bytes) is a postmaster's on `pgdata`. A server's children rename
/// themselves (`postgres: checkpointer`) and do not match.
fn is_server_of(command_line: &[u8], pgdata: &Path) -> bool {
    let mut words = command_line.split(|byte| *byte == 0);
    let is_server = words.next().is_some_and(|program| {
        matches!(program.rsplit(|byte| *byte == b'/').next(), Some(b"postgres" | b"postmaster"))
    });
    is_server && words.any(|word| word == pgdata.as_os_str().as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_a_postmaster_from_its_children_and_from_others() {
        let pgdata = Path::new("/d/postgres");
        assert!(is_server_of(b"/usr/lib/postgresql/15/bin/postgres\0-D\0/d/postgres\0", pgdata));
        assert!(!is_server_of(b"/usr/lib/postgresql/15/bin/postgres\0-D\0/e/postgres\0", pgdata));
        assert!(!is_server_of(b"postgres: checkpointer \0", pgdata));
        assert!(!is_server_of(b"vim\0/d/postgres\0", pgdata));
        assert!(!is_server_of(b"", pgdata), "a zombie has no command line");
    }

    #[test]
    fn reads_the_state() {
        let ready = "41\n/d/postgres\n1700000000\n5432\n/run/podium-1\n\n  5432001   2\nready   \n";
        let expected =
            Postmaster { pid: 41, socket_dir: Some(PathBuf::from("/run/podium-1")), ready: true, stopping: false };
        assert_eq!(parse(41, ready), expected);
        assert!(!parse(41, "41\n/d/postgres\n").ready);
        assert!(parse(41, &ready.replace("ready   ", "stopping")).stopping);
    }
}
