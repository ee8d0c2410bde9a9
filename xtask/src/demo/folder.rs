//! The demo's own data folder, empty at each start.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use rustix::process::geteuid;

use crate::paths::Paths;

/// So many demos may run at the same time.
const FOLDERS_MAX: u32 = 20;

/// A folder that is this demo's alone until it is dropped.
#[derive(Debug)]
pub struct DemoFolder {
    path: PathBuf,
    /// Locked; the system unlocks it when the process ends, however that happens.
    _lock: File,
}

impl DemoFolder {
    /// Takes the first folder that nobody uses, and empties it.
    ///
    /// # Errors
    /// When no folder can be made, emptied or found free.
    pub fn take(paths: &Paths) -> Result<Self> {
        // Root's own folder is closed to the ordinary user who runs the database for it.
        let base = if geteuid().is_root() { PathBuf::from("/var/cache/podium/demo") } else { paths.cache.join("demo") };
        fs::create_dir_all(&base).with_context(|| format!("cannot make {}", base.display()))?;
        let base = fs::canonicalize(&base).with_context(|| format!("cannot find {}", base.display()))?;
        Self::take_below(&base)
    }

    /// `base` without links, as the system names a process's folder.
    fn take_below(base: &Path) -> Result<Self> {
        for number in 1..=FOLDERS_MAX {
            let path = base.join(number.to_string());
            fs::create_dir_all(&path).with_context(|| format!("cannot make {}", path.display()))?;
            let lock_path = path.join("demo.lock");
            let lock = open(&lock_path)?;
            if !try_lock(&lock, &lock_path)? {
                continue;
            }
            let data = path.join("data");
            if data.exists() {
                if in_use(&data)? {
                    continue;
                }
                fs::remove_dir_all(&data)
                    .with_context(|| format!("cannot remove {}; remove it by hand", data.display()))?;
            }
            return Ok(Self { path, _lock: lock });
        }
        bail!("{FOLDERS_MAX} demos are running with data in {}; end those that are not needed", base.display())
    }

    /// What `--data-dir` gets. Does not exist yet at the start.
    pub fn data(&self) -> PathBuf {
        self.path.join("data")
    }

    /// Where the dashboard's log goes.
    pub fn log(&self) -> PathBuf {
        self.path.join("serve.log")
    }
}

/// Whether a `podium` or a database of an earlier demo that was killed still works on `data`. In doubt: yes, for what
/// cannot be proven to be left over is neither ended nor robbed of its files.
fn in_use(data: &Path) -> Result<bool> {
    // Every podium holds a share of this lock.
    let users = data.join("users.lock");
    if users.exists() && !try_lock(&open(&users)?, &users)? {
        return Ok(true);
    }
    let Ok(pid_file) = fs::read_to_string(data.join("postgres/postmaster.pid")) else { return Ok(false) };
    let pid = pid_file.lines().next().unwrap_or_default().trim();
    let process = Path::new("/proc").join(pid);
    let works_elsewhere = fs::read_link(process.join("cwd")).is_ok_and(|folder| !folder.starts_with(data));
    Ok(!pid.is_empty() && process.exists() && !works_elsewhere)
}

fn open(path: &Path) -> Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    options.open(path).with_context(|| format!("cannot open {}", path.display()))
}

/// False where another process holds it.
fn try_lock(file: &File, path: &Path) -> Result<bool> {
    match file.try_lock() {
        Ok(()) => Ok(true),
        Err(TryLockError::WouldBlock) => Ok(false),
        Err(TryLockError::Error(error)) => Err(error).with_context(|| format!("cannot lock {}", path.display())),
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    /// Whether `condition` holds within some seconds. A lock outlives its file for a moment when another test starts a
    /// program just then: until that program runs, it holds a copy of every open file.
    fn becomes_true(condition: impl Fn() -> bool) -> bool {
        (0..500).any(|_| {
            let holds = condition();
            if !holds {
                std::thread::sleep(std::time::Duration::from_millis(10));
            }
            holds
        })
    }

    #[test]
    fn two_demos_never_share_a_folder_and_a_free_one_is_emptied() {
        let base = tempfile::tempdir().expect("a folder");
        let first = DemoFolder::take_below(base.path()).expect("the first folder");
        let second = DemoFolder::take_below(base.path()).expect("another folder");
        assert_ne!(first.data(), second.data());
        fs::create_dir(first.data()).expect("data");
        let data = first.data();
        drop(first);
        let again = || DemoFolder::take_below(base.path()).expect("a folder").data() == data;
        assert!(becomes_true(again), "the first folder is taken again");
        assert!(!data.exists());
    }

    #[test]
    fn a_folder_is_left_to_a_podium_and_to_a_database_that_live() {
        let base = tempfile::tempdir().expect("a folder");
        let data = base.path().canonicalize().expect("its path").join("data");
        fs::create_dir_all(data.join("postgres")).expect("data");
        let users = data.join("users.lock");
        let podium = open(&users).expect("the lock's file");
        podium.lock_shared().expect("a share");
        assert!(in_use(&data).expect("an answer"));
        drop(podium);
        assert!(becomes_true(|| !in_use(&data).expect("an answer")), "nobody holds the lock any more");

        let pid_file = data.join("postgres/postmaster.pid");
        let mut database = Command::new("sleep").arg("600").current_dir(data.join("postgres")).spawn().expect("sleep");
        fs::write(&pid_file, format!("{}\n", database.id())).expect("a pid file");
        let while_it_lives = in_use(&data);
        database.kill().expect("an end");
        database.wait().expect("an end");
        assert!(while_it_lives.expect("an answer"));
        assert!(!in_use(&data).expect("an answer"));

        // This very process lives, but works elsewhere: the number was given out again.
        fs::write(&pid_file, format!("{}\n", std::process::id())).expect("a pid file");
        assert!(!in_use(&data).expect("an answer"));
    }
}
