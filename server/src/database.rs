//! The database: an outer server's by `DATABASE_URL`, else the private cluster in the data folder.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use podium_cluster::{ClusterOptions, ManagedCluster};
use podium_store::Store;
use tokio::task::JoinHandle;
use tokio_util::sync::{CancellationToken, DropGuard};

/// An open, migrated database.
#[derive(Debug)]
pub struct Database {
    store: Store,
    url: String,
    cluster: Option<Guarded>,
}

/// The private cluster, with a watch that starts its server again where it dies: killed for want of memory, for example.
#[derive(Debug)]
struct Guarded {
    /// Dropping the last one stops the cluster if no other process uses it.
    cluster: Arc<ManagedCluster>,
    watch: JoinHandle<()>,
    stop: DropGuard,
}

/// Between two looks at the private cluster's server.
const WATCH_INTERVAL: Duration = Duration::from_secs(1);

impl Guarded {
    fn new(cluster: ManagedCluster) -> Self {
        let (cluster, stop) = (Arc::new(cluster), CancellationToken::new());
        let watch = tokio::spawn(watch(cluster.clone(), stop.clone()));
        Self { cluster, watch, stop: stop.drop_guard() }
    }

    async fn release(self) -> anyhow::Result<()> {
        drop(self.stop);
        self.watch.await?;
        // The watch was the only other owner.
        if let Some(cluster) = Arc::into_inner(self.cluster) {
            tokio::task::spawn_blocking(|| cluster.release()).await??;
        }
        Ok(())
    }
}

async fn watch(cluster: Arc<ManagedCluster>, stop: CancellationToken) {
    while stop.run_until_cancelled(tokio::time::sleep(WATCH_INTERVAL)).await.is_some() {
        let looked_at = cluster.clone();
        match tokio::task::spawn_blocking(move || looked_at.revive()).await {
            Ok(Ok(false)) => {}
            Ok(Ok(true)) => tracing::warn!("podium's own database had ended by itself; it was started again"),
            Ok(Err(error)) => tracing::error!(%error, "podium's own database has ended and does not start again"),
            // The runtime is shutting down.
            Err(_) => return,
        }
    }
}

impl Database {
    /// Connects to `url`, or to the private cluster in `data_dir` (made and started if need be), and migrates.
    ///
    /// # Errors
    /// With a sentence for the user.
    pub async fn open(url: Option<&str>, data_dir: &Path) -> anyhow::Result<Self> {
        let (store, url, cluster) = match url {
            Some(url) => {
                let store = Store::connect(url)
                    .await
                    .context("cannot connect to the database that DATABASE_URL names; check that it is running")?;
                (store, url.to_owned(), None)
            }
            None => {
                let options = ClusterOptions::new(data_dir);
                let cluster = tokio::task::spawn_blocking(|| ManagedCluster::acquire(options)).await??;
                let store = Store::connect(&cluster.url())
                    .await
                    .with_context(|| format!("cannot connect to podium's own database in {}", data_dir.display()))?;
                let url = cluster.url();
                (store, url, Some(Guarded::new(cluster)))
            }
        };
        store.migrate().await?;
        Ok(Self { store, url, cluster })
    }

    /// Its store.
    #[must_use]
    pub const fn store(&self) -> &Store {
        &self.store
    }

    /// Its URL, for sqlx and for PostgreSQL's programs.
    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// The folder of PostgreSQL's programs that fit the private cluster; `None` for an outer server.
    pub(crate) fn programs_dir(&self) -> Option<&Path> {
        self.cluster.as_ref().map(|guarded| guarded.cluster.binaries_dir())
    }

    /// Closes every connection and, as its last user, stops the private cluster.
    ///
    /// # Errors
    /// When the cluster cannot be stopped.
    pub async fn close(self) -> anyhow::Result<()> {
        self.store.close().await;
        if let Some(cluster) = self.cluster {
            cluster.release().await?;
        }
        Ok(())
    }
}

/// The data folder that was asked for, or the default one.
///
/// # Errors
/// When there is no home folder to put it into.
pub fn data_dir(asked: Option<PathBuf>) -> anyhow::Result<PathBuf> {
    asked
        .or_else(podium_cluster::default_data_dir)
        .context("there is no home folder to keep podium's data in; name a folder with --data-dir")
}
