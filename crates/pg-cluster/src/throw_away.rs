//! Clusters for tests and for checks at build time.

use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

use crate::cluster::{ClusterOptions, ManagedCluster};
use crate::error::ClusterError;
use crate::layout::PGDATA;

/// Waits until its standard input ends, which it does however the parent ends, then removes what is left.
/// Arguments: `pg_ctl`, the cluster's folder, the socket's folder, the data folder, and the command that changes the user.
const CLEANER: &str = r#"
cd /
while read -r _; do :; done
pg_ctl=$1 pgdata=$2 run_dir=$3 data_dir=$4
shift 4
if [ -e "$pgdata/postmaster.pid" ]; then "$@" "$pg_ctl" stop --silent --mode immediate --pgdata "$pgdata"; fi
rm -rf -- "$run_dir" "$data_dir"
"#;

/// A cluster in a temporary folder, without durability, gone when the value is dropped **or the process ends**: it may
/// therefore live in a `static`, which is never dropped.
#[derive(Debug)]
pub struct ThrowAwayCluster {
    cluster: ManagedCluster,
    cleaner: Child,
}

impl ThrowAwayCluster {
    /// Creates and starts one; takes two or three seconds.
    pub fn start() -> Result<Self, ClusterError> {
        let folder = TempDir::with_prefix("podium-db-").map_err(ClusterError::io("create", &std::env::temp_dir()))?;
        let cluster = ManagedCluster::acquire(ClusterOptions::new(folder.path()).without_durability())?;
        let mut cleaner = Command::new("/bin/sh");
        cleaner
            .args(["-c", CLEANER, "podium-cleaner"])
            .arg(cluster.binaries_dir().join("pg_ctl"))
            .arg(cluster.data_dir().join(PGDATA))
            .arg(cluster.socket_dir())
            .arg(cluster.data_dir());
        if let Some(user) = cluster.database_user() {
            cleaner.args(["setpriv", "--reuid", user, "--clear-groups", "--"]);
        }
        // A group of its own, so that a Ctrl-C for the tests does not end it first.
        let cleaner = cleaner
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
            .map_err(ClusterError::io("run", "/bin/sh".as_ref()))?;
        // From here on the cleaner removes the folder.
        let _ = folder.keep();
        Ok(ThrowAwayCluster { cluster, cleaner })
    }

    /// The running cluster.
    pub fn cluster(&self) -> &ManagedCluster {
        &self.cluster
    }
}

impl Drop for ThrowAwayCluster {
    fn drop(&mut self) {
        if let Err(error) = self.cluster.leave() {
            tracing::warn!(%error, "could not stop a throw-away database cluster");
        }
        drop(self.cleaner.stdin.take());
        if let Err(error) = self.cleaner.wait() {
            tracing::warn!(%error, "could not wait for the clean-up of a database cluster");
        }
    }
}
