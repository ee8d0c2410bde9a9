//! What earlier runs left on a machine: shown, and removed when somebody says so. Whether a launch is still looked after
//! is for the database to say; here is only what is there.

use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::processes;
use crate::stop;

/// The kind of a thing that a run left.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LeftoverKind {
    /// Living processes that carry a launch's id.
    Processes,
    /// A folder with a launch's log, or with what a load read and wrote.
    Folder,
    /// A copy of the agent of another version, which no process runs.
    Agent,
    /// A container that carries a launch's id.
    Container,
    /// A job of a cluster's queue.
    Job,
}

/// A thing that a run left, or still uses.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Leftover {
    /// What it is.
    pub kind: LeftoverKind,
    /// The launch that it belongs to, a job's run; `None` for what belongs to none.
    pub launch: Option<Uuid>,
    /// What it is removed by: a launch's id, a path, a container's name, a job's number.
    pub name: String,
    /// For people: processes with their ids, for example.
    pub detail: String,
}

/// Everything on this machine, with `data_dir` as the folder of logs.
pub(crate) fn find(data_dir: &Path) -> Vec<Leftover> {
    let running = processes::running_launches().into_iter().map(|launch| {
        let shown: Vec<_> = launch.processes.iter().map(|p| format!("{} ({})", p.name, p.identity.pid)).collect();
        Leftover {
            kind: LeftoverKind::Processes,
            launch: Some(launch.launch_id),
            name: launch.launch_id.to_string(),
            detail: shown.join(", "),
        }
    });
    running.chain(folders(data_dir)).chain(own_agent().map(|own| agents(&own)).unwrap_or_default()).collect()
}

/// Removes one of the things that [`find`] finds now; one that is gone is no error.
pub(crate) async fn remove(leftover: Leftover, data_dir: PathBuf) -> io::Result<()> {
    let wanted = leftover.clone();
    let there = processes::off_thread(move || find(&data_dir)).await;
    let same = |found: &&Leftover| (found.kind, &found.name) == (wanted.kind, &wanted.name);
    // Nothing is removed by a name alone: it must be something that is recognised as a run's.
    let Some(found) = there.iter().find(same) else { return Ok(()) };
    match (found.kind, found.launch) {
        (LeftoverKind::Processes, Some(launch)) => {
            let report = stop::sweep(&[launch]).await;
            match report.left.len() {
                0 => Ok(()),
                left => Err(io::Error::other(format!("{left} processes could not be ended"))),
            }
        }
        (LeftoverKind::Folder | LeftoverKind::Agent, _) => tokio::fs::remove_dir_all(&found.name).await,
        _ => Ok(()),
    }
}

/// Folders that are named by a launch: `launches/<id>` of this machine's runs, `<id>` and `loads/<id>` of an agent's.
fn folders(data_dir: &Path) -> Vec<Leftover> {
    let places = [data_dir.to_owned(), data_dir.join("launches"), data_dir.join("loads")];
    let entries = places.iter().flat_map(|place| std::fs::read_dir(place).into_iter().flatten().flatten());
    let folders = entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir()));
    let named = folders.filter_map(|entry| {
        let launch = Uuid::try_parse(entry.file_name().to_str()?).ok()?;
        Some(Leftover {
            kind: LeftoverKind::Folder,
            launch: Some(launch),
            name: entry.path().display().to_string(),
            detail: format!("{} bytes", size(&entry.path())),
        })
    });
    named.collect()
}

/// The folder of the agent that runs this, where it is one that was copied here.
fn own_agent() -> Option<PathBuf> {
    let folder = std::env::current_exe().ok()?.parent()?.to_owned();
    folder.file_name()?.to_str()?.starts_with("agent-").then_some(folder)
}

/// Agents beside `own` that no process runs.
fn agents(own: &Path) -> Vec<Leftover> {
    let used: Vec<PathBuf> = processes::all()
        .iter()
        .filter_map(|process| std::fs::read_link(format!("/proc/{}/exe", process.identity.pid)).ok())
        .collect();
    let entries = own.parent().and_then(|place| std::fs::read_dir(place).ok()).into_iter().flatten().flatten();
    let others = entries.map(|entry| entry.path()).filter(|path| {
        let is_agent = path.file_name().and_then(|name| name.to_str()).is_some_and(|name| name.starts_with("agent-"));
        is_agent && path != own && !used.iter().any(|program| program.starts_with(path))
    });
    let described = others.map(|path| Leftover {
        kind: LeftoverKind::Agent,
        launch: None,
        detail: format!("{} bytes", size(&path)),
        name: path.display().to_string(),
    });
    described.collect()
}

/// The bytes in a folder's own files.
fn size(folder: &Path) -> u64 {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.metadata().ok()).map(|meta| meta.len()).sum()
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;
    use crate::processes::LAUNCH_VARIABLE;

    #[tokio::test]
    async fn folders_and_processes_of_launches_are_found_and_removed_and_nothing_else_is() {
        let data = tempfile::tempdir().unwrap();
        let launch = Uuid::new_v4();
        let folders = ["launches", "loads", "."].map(|place| data.path().join(place).join(launch.to_string()));
        for folder in &folders {
            std::fs::create_dir_all(folder).unwrap();
            std::fs::write(folder.join("engine.log"), "12345").unwrap();
        }
        for other in ["postgres", "launches/notes", "spool"] {
            std::fs::create_dir_all(data.path().join(other)).unwrap();
        }
        let mut engine = Command::new("sleep").arg("600").env(LAUNCH_VARIABLE, launch.to_string()).spawn().unwrap();

        let own = |found: &Leftover| found.launch == Some(launch);
        let found: Vec<_> = find(data.path()).into_iter().filter(own).collect();
        assert_eq!(found.len(), 4, "{found:#?}");
        let processes = found.iter().find(|one| one.kind == LeftoverKind::Processes).unwrap();
        assert_eq!(processes.detail, format!("sleep ({})", engine.id()));
        let made_up = Leftover {
            kind: LeftoverKind::Folder,
            launch: Some(launch),
            name: data.path().join("postgres").display().to_string(),
            detail: String::new(),
        };
        remove(made_up, data.path().to_owned()).await.unwrap();
        let waiting = std::thread::spawn(move || engine.wait());
        for leftover in found {
            remove(leftover, data.path().to_owned()).await.unwrap();
        }
        assert!(waiting.join().unwrap().is_ok());
        assert!(!find(data.path()).iter().any(own));
        for other in ["postgres", "launches/notes", "spool"] {
            assert!(data.path().join(other).is_dir(), "{other} is no leftover");
        }
    }

    #[test]
    fn an_agent_of_another_version_is_left_over_and_a_running_one_is_not() {
        let home = tempfile::tempdir().unwrap();
        for name in ["agent-own", "agent-old", "agent-busy", "work"] {
            std::fs::create_dir(home.path().join(name)).unwrap();
        }
        let busy = home.path().join("agent-busy/podium-agent");
        std::fs::copy("/bin/sleep", &busy).unwrap();
        let mut running = Command::new(&busy).arg("600").spawn().unwrap();
        let found = agents(&home.path().join("agent-own"));
        running.kill().unwrap();
        running.wait().unwrap();
        let names: Vec<_> = found.iter().map(|one| one.name.as_str()).collect();
        assert_eq!(names, [home.path().join("agent-old").to_str().unwrap()]);
    }
}
