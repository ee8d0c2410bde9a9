//! The entry to all use cases.

use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use podium_launcher::Host;
use podium_store::Store;

use crate::events::Hub;

/// Podium's use cases over one database. Clones are the same service.
#[derive(Debug, Clone)]
pub struct Service {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    store: Store,
    host: Host,
    machine: String,
    data_dir: PathBuf,
    hub: OnceLock<Hub>,
}

impl Service {
    /// The use cases over `store`, with `host` as this machine and `data_dir` as the folder for what is not in the
    /// database (logs of engines that still run).
    ///
    /// # Errors
    /// What tells this machine from others cannot be found out.
    pub fn new(store: Store, host: Host, data_dir: impl Into<PathBuf>) -> std::io::Result<Self> {
        let data_dir = data_dir.into();
        let machine = podium_launcher::machine_id(&data_dir)?;
        Ok(Self::on_machine(store, host, data_dir, machine))
    }

    /// As [`Service::new`], with what tells this machine from others.
    pub fn on_machine(store: Store, host: Host, data_dir: impl Into<PathBuf>, machine: impl Into<String>) -> Self {
        let (data_dir, machine) = (data_dir.into(), machine.into());
        Service { inner: Arc::new(Inner { store, host, machine, data_dir, hub: OnceLock::new() }) }
    }

    pub(crate) fn store(&self) -> &Store {
        &self.inner.store
    }

    /// Started by the first watcher.
    pub(crate) fn hub(&self) -> &Hub {
        self.inner.hub.get_or_init(|| Hub::start(self.store().clone()))
    }

    pub(crate) fn host(&self) -> &Host {
        &self.inner.host
    }

    /// What tells this machine from others that share the database.
    pub(crate) fn machine(&self) -> &str {
        &self.inner.machine
    }

    pub(crate) fn data_dir(&self) -> &Path {
        &self.inner.data_dir
    }
}

/// The folder that holds a launch's log while it runs.
pub(crate) fn launch_folder(data_dir: &Path, launch_id: uuid::Uuid) -> PathBuf {
    data_dir.join("launches").join(launch_id.to_string())
}
