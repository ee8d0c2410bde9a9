//! Clusters that Slurm shares out: a job of ours holds what a run needs on a node, and the agent is started inside it.
//!
//! `sbatch` is given a constant script, `srun` constant words and a job's number: neither sees a byte of a plan. What the
//! host's owner sets is parsed into types first, and each setting is one `--name=value` word.

mod cluster;
mod config;
mod facts;
mod job;
mod link;
mod request;

pub use cluster::{AllocateError, SlurmCluster};
pub use config::SlurmConfig;
pub use facts::{ClusterFacts, Partition};
pub use job::{Interruption, Waiting};
pub(crate) use link::SlurmLink;
