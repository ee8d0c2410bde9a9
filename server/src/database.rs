//! The database: an outer server's by `DATABASE_URL`, else the private cluster in the data folder.

use std::path::{Path, PathBuf};

use anyhow::Context as _;
use podium_cluster::{ClusterOptions, ManagedCluster};
use podium_store::Store;

/// An open, migrated database.
#[derive(Debug)]
pub struct Database {
    store: Store,
    /// Dropping it stops the cluster if no other process uses it.
    cluster: Option<ManagedCluster>,
}

impl Database {
    /// Connects to `url`, or to the private cluster in `data_dir` (made and started if need be), and migrates.
    ///
    /// # Errors
    /// With a sentence for the user.
    pub async fn open(url: Option<&str>, data_dir: &Path) -> anyhow::Result<Self> {
        let (store, cluster) = match url {
            Some(url) => {
                let store = Store::connect(url)
                    .await
                    .context("cannot connect to the database that DATABASE_URL names; check that it is running")?;
                (store, None)
            }
            None => {
                let options = ClusterOptions::new(data_dir);
                let cluster = tokio::task::spawn_blocking(|| ManagedCluster::acquire(options)).await??;
                let store = Store::connect(&cluster.url())
                    .await
                    .with_context(|| format!("cannot connect to podium's own database in {}", data_dir.display()))?;
                (store, Some(cluster))
            }
        };
        store.migrate().await?;
        Ok(Self { store, cluster })
    }

    /// Its store.
    #[must_use]
    pub const fn store(&self) -> &Store {
        &self.store
    }

    /// Closes every connection and, as its last user, stops the private cluster.
    ///
    /// # Errors
    /// When the cluster cannot be stopped.
    pub async fn close(self) -> anyhow::Result<()> {
        self.store.close().await;
        if let Some(cluster) = self.cluster {
            tokio::task::spawn_blocking(|| cluster.release()).await??;
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
