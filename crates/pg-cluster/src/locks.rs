//! The two advisory locks of a data folder.

use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};

use crate::error::ClusterError;

/// Held while the cluster is created, started or stopped. Released when dropped.
#[derive(Debug)]
pub(crate) struct StartLock {
    file: File,
}

impl StartLock {
    /// Waits until no other process creates, starts or stops the cluster of `data_dir`.
    ///
    /// The wait ends: whoever holds the lock works with time limits, and the lock of a dead process is gone.
    pub(crate) fn wait(data_dir: &Path) -> Result<Self, ClusterError> {
        let path = data_dir.join("start.lock");
        let file = open(&path)?;
        file.lock().map_err(ClusterError::io("lock", &path))?;
        Ok(StartLock { file })
    }
}

impl Drop for StartLock {
    fn drop(&mut self) {
        // Closing would release it as well, but not while a child that is about to exec still holds a copy.
        if let Err(error) = self.file.unlock() {
            tracing::warn!(%error, "could not release the start lock");
        }
    }
}

/// One user's share of `users.lock`.
#[derive(Debug)]
pub(crate) struct UserLock {
    file: File,
    path: PathBuf,
}

impl UserLock {
    /// Joins the users of `data_dir`; the flag says whether there was no other. The caller holds the start lock, so that
    /// the answer stays true while it works.
    pub(crate) fn join(data_dir: &Path, _start: &StartLock) -> Result<(Self, bool), ClusterError> {
        let path = data_dir.join("users.lock");
        let file = open(&path)?;
        let lock = UserLock { file, path };
        let alone = lock.try_exclusive()?;
        lock.file.lock_shared().map_err(ClusterError::io("lock", &lock.path))?;
        Ok((lock, alone))
    }

    /// Leaves; the answer says whether nobody is left. The caller holds the start lock.
    pub(crate) fn leave(self, _start: &StartLock) -> Result<bool, ClusterError> {
        self.file.unlock().map_err(ClusterError::io("unlock", &self.path))?;
        self.try_exclusive()
    }

    /// Whether the lock could be had exclusively; it is released again.
    fn try_exclusive(&self) -> Result<bool, ClusterError> {
        match self.file.try_lock() {
            Ok(()) => {
                self.file.unlock().map_err(ClusterError::io("unlock", &self.path))?;
                Ok(true)
            }
            Err(TryLockError::WouldBlock) => Ok(false),
            Err(TryLockError::Error(error)) => Err(ClusterError::io("lock", &self.path)(error)),
        }
    }
}

fn open(path: &Path) -> Result<File, ClusterError> {
    File::options()
        .create(true)
        .truncate(false)
        .read(true)
        .write(true)
        .open(path)
        .map_err(ClusterError::io("open the lock file", path))
}
