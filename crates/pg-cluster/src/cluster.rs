//! The life of a cluster as its users see it: acquire, use, release.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::account::Account;
use crate::binaries::Binaries;
use crate::error::ClusterError;
use crate::layout::{Layout, PGDATA, has_socket};
use crate::locks::{StartLock, UserLock};
use crate::postmaster::{self, PidFile, Postmaster};
use crate::server::{DATABASE, SUPERUSER, Server};
use crate::url::socket_url;

/// Where a cluster is and how it is run.
#[derive(Debug, Clone)]
pub struct ClusterOptions {
    /// The data folder; the cluster is in its `postgres`. Created where it is missing.
    pub data_dir: PathBuf,
    /// Whether what was committed survives a power cut. Switched off for tests alone.
    pub durable: bool,
    /// How long the server may take to start or to stop.
    pub patience: Duration,
}

impl ClusterOptions {
    /// A durable cluster in `data_dir`.
    pub fn new(data_dir: impl Into<PathBuf>) -> Self {
        ClusterOptions { data_dir: data_dir.into(), durable: true, patience: Duration::from_secs(60) }
    }

    /// The same with durability given up for speed.
    pub fn without_durability(mut self) -> Self {
        self.durable = false;
        self
    }
}

/// One user's share of a running cluster. Any number of them, in any number of processes, may exist for one data folder.
#[derive(Debug)]
pub struct ManagedCluster {
    server: Server,
    socket_dir: PathBuf,
    pid: u32,
    /// Taken by the release.
    user: Option<UserLock>,
}

impl ManagedCluster {
    /// Joins the users of the cluster in `options.data_dir`; creates and starts it as needed.
    ///
    /// Blocks: about two seconds where the cluster is created, half a second where it is started.
    pub fn acquire(options: ClusterOptions) -> Result<Self, ClusterError> {
        let account = Account::for_this_process(&options.data_dir.join(PGDATA))?;
        let layout = Layout::prepare(&options.data_dir, &account)?;
        let start = StartLock::wait(&layout.data_dir)?;
        let binaries = Binaries::find(&layout.pgdata)?;
        let server = Server { binaries, account, layout, durable: options.durable, patience: options.patience };
        server.create_if_missing()?;
        let (user, alone) = UserLock::join(&server.layout.data_dir, &start)?;
        let (postmaster, socket_dir) = ensure_running(&server, alone)?;
        server.create_database_if_missing(&socket_dir)?;
        Ok(ManagedCluster { server, socket_dir, pid: postmaster.pid, user: Some(user) })
    }

    /// A URL of Podium's own database, for sqlx and for PostgreSQL's programs.
    pub fn url(&self) -> String {
        socket_url(&self.socket_dir, DATABASE, DATABASE)
    }

    /// A URL of any database of the cluster, for its superuser; for tests and repairs.
    pub fn superuser_url(&self, database: &str) -> String {
        socket_url(&self.socket_dir, SUPERUSER, database)
    }

    /// The data folder, absolute.
    pub fn data_dir(&self) -> &Path {
        &self.server.layout.data_dir
    }

    /// The folder of the server's socket.
    pub fn socket_dir(&self) -> &Path {
        &self.socket_dir
    }

    /// The folder of PostgreSQL's programs that fit this cluster.
    pub fn binaries_dir(&self) -> &Path {
        &self.server.binaries.dir
    }

    /// The user that runs the server, where it is not the one that runs this process.
    pub(crate) fn database_user(&self) -> Option<&str> {
        self.server.account.drop_to.as_ref().map(|user| user.name.as_str())
    }

    /// The server's process at the time of [`ManagedCluster::acquire`].
    pub fn postmaster_pid(&self) -> u32 {
        self.pid
    }

    /// Starts the server again where it has died; whether it had. Any user may do this at any time.
    ///
    /// Blocks: for no time to speak of while the server lives.
    pub fn revive(&self) -> Result<bool, ClusterError> {
        if matches!(postmaster::inspect(&self.server.layout.pgdata)?, PidFile::Live(_)) {
            return Ok(false);
        }
        let _start = StartLock::wait(&self.server.layout.data_dir)?;
        if self.server.settle()?.is_some() {
            return Ok(false);
        }
        ensure_running(&self.server, false).map(|_| true)
    }

    /// Leaves; the last user to leave stops the server. Dropping does the same and logs what goes wrong.
    pub fn release(mut self) -> Result<(), ClusterError> {
        self.leave()
    }

    /// Gives up this user's share, once.
    pub(crate) fn leave(&mut self) -> Result<(), ClusterError> {
        let Some(user) = self.user.take() else { return Ok(()) };
        let start = StartLock::wait(&self.server.layout.data_dir)?;
        if user.leave(&start)? { self.server.stop() } else { Ok(()) }
    }
}

impl Drop for ManagedCluster {
    fn drop(&mut self) {
        if let Err(error) = self.leave() {
            tracing::warn!(%error, "could not stop the database cluster");
        }
    }
}

/// Adopts the server that runs, or starts one. `alone` says that no other process uses the cluster.
fn ensure_running(server: &Server, alone: bool) -> Result<(Postmaster, PathBuf), ClusterError> {
    if let Some(running) = server.settle()? {
        match running.socket_dir.clone().filter(|dir| has_socket(dir)) {
            Some(socket_dir) => {
                tracing::debug!(pid = running.pid, "PostgreSQL runs already");
                return Ok((running, socket_dir));
            }
            // Cleaners of temporary folders take sockets away; without other users a restart heals it.
            None if alone => server.stop()?,
            None => {
                return Err(ClusterError::SocketGone {
                    pgdata: server.layout.pgdata.clone(),
                    socket_dir: running.socket_dir.unwrap_or_default(),
                    pid: running.pid,
                });
            }
        }
    }
    server.start()?;
    let postmaster = server.settle()?.filter(|postmaster| postmaster.socket_dir.is_some());
    match postmaster {
        Some(postmaster) => {
            let socket_dir = postmaster.socket_dir.clone().unwrap_or_default();
            Ok((postmaster, socket_dir))
        }
        None => Err(server.start_failure("it ended right after it had started")),
    }
}
