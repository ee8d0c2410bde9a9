//! What a Slurm cluster is asked for, on the command line.

use std::path::PathBuf;

use clap::Args;
use podium_launcher::SlurmConfig;

use super::settings::{set, set_list};

/// What a job of the cluster asks for. What is not named stays as it is.
#[derive(Debug, Args)]
#[command(next_help_heading = "Slurm")]
pub(super) struct SlurmSettings {
    /// The host is the login node of a Slurm cluster, and a job holds a node for each run
    #[arg(long)]
    slurm: bool,

    /// The partition, or several by commas [default: the cluster's]
    #[arg(long, value_name = "NAME")]
    partition: Option<String>,

    /// The account that pays
    #[arg(long, value_name = "NAME")]
    account: Option<String>,

    /// The quality of service
    #[arg(long, value_name = "NAME")]
    qos: Option<String>,

    /// How long one job may hold its node: minutes, HH:MM:SS or DAYS-HH:MM:SS
    #[arg(long, value_name = "TIME")]
    time_limit: Option<String>,

    /// The GPUs of a node: a number, or gpu:TYPE:NUMBER
    #[arg(long, value_name = "GRES")]
    gres: Option<String>,

    /// Features that a node must have
    #[arg(long, value_name = "FEATURES")]
    constraint: Option<String>,

    /// One more option of sbatch, such as --sbatch mem=64G or --sbatch exclusive
    #[arg(long = "sbatch", value_name = "NAME=VALUE", allow_hyphen_values = true)]
    options: Vec<String>,

    /// The cluster's slurm.conf, where it is not in its usual place on the login node
    #[arg(long, value_name = "FILE")]
    slurm_conf: Option<PathBuf>,
}

impl SlurmSettings {
    pub(super) fn apply(self, slurm: &mut Option<SlurmConfig>) {
        let texts = [&self.partition, &self.account, &self.qos, &self.time_limit, &self.gres, &self.constraint];
        let is_silent = texts.iter().all(|text| text.is_none()) && self.options.is_empty() && self.slurm_conf.is_none();
        if is_silent && !self.slurm {
            return;
        }
        let config = slurm.get_or_insert_default();
        for (old, new) in [
            (&mut config.partition, self.partition),
            (&mut config.account, self.account),
            (&mut config.qos, self.qos),
            (&mut config.time_limit, self.time_limit),
            (&mut config.gres, self.gres),
            (&mut config.constraint, self.constraint),
        ] {
            *old = new.unwrap_or_else(|| std::mem::take(old));
        }
        set_list(&mut config.options, self.options);
        set(&mut config.conf, self.slurm_conf);
    }
}
