//! What a cluster is.

use serde::{Deserialize, Serialize};

/// A cluster as its login node tells of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClusterFacts {
    /// Slurm's version.
    pub version: String,
    /// Its partitions, one entry for nodes that are alike.
    pub partitions: Vec<Partition>,
}

/// Nodes of a partition that are alike.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Partition {
    /// Its name; the default one has a star.
    pub name: String,
    /// Whether it takes jobs: `up` or `down`.
    pub available: String,
    /// How many nodes these are.
    pub nodes: u32,
    /// What they do: `idle`, `alloc`.
    pub state: String,
    /// Their generic resources; empty where they have none.
    pub gres: String,
    /// The longest job.
    pub time_limit: String,
}

/// What [`read_partitions`] reads.
pub(super) const PARTITIONS: [&str; 3] = ["sinfo", "--noheader", "--format=%P|%a|%D|%t|%G|%l"];

/// The partitions of `sinfo`'s answer.
pub(super) fn read_partitions(output: &str) -> Vec<Partition> {
    let read = output.lines().filter_map(|line| {
        let fields: Vec<&str> = line.trim().split('|').collect();
        let &[name, available, nodes, state, gres, time_limit] = &fields[..] else { return None };
        Some(Partition {
            name: name.to_owned(),
            available: available.to_owned(),
            nodes: nodes.parse().ok()?,
            state: state.to_owned(),
            gres: if gres == "(null)" { String::new() } else { gres.to_owned() },
            time_limit: time_limit.to_owned(),
        })
    });
    read.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn partitions_are_read() {
        let read =
            read_partitions("main*|up|2|idle|gpu:h100:2|infinite\nold|down|1|drain*|(null)|1-00:00:00\nsinfo: x\n");
        assert_eq!(read.len(), 2);
        assert_eq!((read[0].nodes, read[0].gres.as_str()), (2, "gpu:h100:2"));
        assert_eq!((read[1].available.as_str(), read[1].gres.as_str()), ("down", ""));
    }
}
