//! A private PostgreSQL cluster in a data folder, shared by every process that works on that folder.
//!
//! [`ManagedCluster::acquire`] creates the cluster on first use, starts it when it is not running, and adopts it when a
//! crash left it running. The last user to leave stops it. The server listens on a Unix socket only.
//!
//! Who uses a folder is known by advisory file locks, which the kernel releases when a process dies in whatever way:
//! every user holds `users.lock` shared; creating, starting and stopping happens under `start.lock`, held exclusively
//! and briefly. No state file can therefore be stale.
//!
//! Every call blocks (creating a cluster takes about two seconds): from async code, use a blocking task.

mod account;
mod binaries;
mod cluster;
mod error;
mod layout;
mod locks;
mod postmaster;
mod server;
mod throw_away;
mod url;

pub use binaries::newest_programs;
pub use cluster::{ClusterOptions, ManagedCluster};
pub use error::ClusterError;
pub use layout::default_data_dir;
pub use throw_away::ThrowAwayCluster;
