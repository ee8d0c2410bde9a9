//! What is asked of a Slurm cluster.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use super::request::JobRequest;

/// What the jobs of a cluster ask for. The texts are as somebody wrote them; [`SlurmConfig::problems`] says
/// what is wrong with them.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SlurmConfig {
    /// Partitions, by commas; the cluster's default where empty.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub partition: String,
    /// The account that pays.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub account: String,
    /// The quality of service.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub qos: String,
    /// How long one job may hold its node, as Slurm writes it: minutes, `HH:MM:SS` or `DAYS-HH:MM:SS`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub time_limit: String,
    /// The GPUs of a node: a number, or generic resources such as `gpu:h100:8`.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub gres: String,
    /// Features that a node must have.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub constraint: String,
    /// More options of `sbatch`, each as `--name=value`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub options: Vec<String>,
    /// The cluster's `slurm.conf`, where it is not in its usual place on the login node.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub conf: Option<PathBuf>,
}

impl SlurmConfig {
    /// Everything that is wrong with it: the setting, and a sentence that says what to do. Nothing is looked up.
    pub fn problems(&self) -> Vec<(&'static str, String)> {
        let mut problems = Vec::new();
        if let Some(conf) = &self.conf {
            let plain = |c: char| c.is_ascii_alphanumeric() || "/._-+".contains(c);
            if !conf.is_absolute() || !conf.to_str().is_some_and(|text| text.chars().all(plain)) {
                let text = format!("slurm.conf `{}` is no plain absolute path: begin it with /", conf.display());
                problems.push(("slurm_conf", text));
            }
        }
        if let Err(wrong) = JobRequest::parse(self) {
            problems.extend(wrong);
        }
        problems
    }

    /// What a job asks for.
    ///
    /// # Errors
    /// The first problem.
    pub(super) fn request(&self) -> Result<JobRequest, String> {
        match self.problems().into_iter().next() {
            Some((_, problem)) => Err(problem),
            None => JobRequest::parse(self).map_err(|_| "the settings cannot be read".to_owned()),
        }
    }
}
