//! The way to a node that a job of ours holds: `srun` starts the agent there, in a step of its own beside all others.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::process::Command;
use tokio::sync::Mutex;

use super::cluster::SlurmCluster;
use super::job::{Interruption, JobFacts};
use crate::agent_host::HostError;
use crate::agent_program::{self, Shell};
use crate::link::Exec;
use crate::local::LocalHost;
use crate::ssh::SshLink;

/// What steps inherit of this side's environment; all else that they need travels with their jobs. Slurm keeps a step's
/// environment, and must not be told secrets.
const INHERITED: [&str; 7] = ["HOME", "PATH", "USER", "LOGNAME", "SHELL", "LANG", "LD_LIBRARY_PATH"];

/// The way to a node that a job holds.
#[derive(Debug)]
pub(crate) struct SlurmLink {
    cluster: SlurmCluster,
    job_id: u32,
    job_name: String,
    /// How often the job was put back before it got this node.
    restarts: u32,
    node: String,
    site: Site,
    agent: PathBuf,
    /// The agent's program, relative to the home folder; `None` until it was seen to be on the node.
    placed: Mutex<Option<Arc<str>>>,
}

/// Where `srun` is started.
#[derive(Debug)]
enum Site {
    Here { home: PathBuf, inherited: Vec<(&'static str, String)> },
    Login(Box<SshLink>),
}

impl SlurmLink {
    pub(super) fn new(cluster: SlurmCluster, job: &JobFacts, node: &str, this: &LocalHost) -> Self {
        let (access, config) = (cluster.access(), cluster.config());
        let agent = access.agent.clone().unwrap_or_else(|| this.agent());
        let site = if access.is_cluster_here() {
            let environment = this.environment();
            let inherited = INHERITED.into_iter().filter_map(|name| Some((name, environment.get(name)?.to_owned())));
            let mut inherited: Vec<_> = inherited.collect();
            inherited.extend(config.conf.iter().map(|conf| ("SLURM_CONF", conf.display().to_string())));
            Site::Here { home: environment.get("HOME").unwrap_or("/").into(), inherited }
        } else {
            // A connection of its own: servers limit how much goes over one.
            Site::Login(Box::new(SshLink::new(access.clone(), &agent)))
        };
        let (job_id, job_name, restarts) = (job.id, job.name.clone(), job.restarts);
        Self { job_id, job_name, restarts, node: node.to_owned(), site, agent, placed: Mutex::default(), cluster }
    }

    /// The node's name in the cluster.
    pub(crate) fn node(&self) -> &str {
        &self.node
    }

    pub(crate) async fn connect(&self) -> Result<(), HostError> {
        self.agent_there().await.map(drop)
    }

    /// The agent's program on the node. Where the home folder is a shared one, it is there once it is on the login node.
    async fn agent_there(&self) -> Result<Arc<str>, HostError> {
        let mut placed = self.placed.lock().await;
        if let Some(path) = placed.as_ref() {
            return Ok(path.clone());
        }
        match &self.site {
            Site::Here { home, .. } => {
                agent_program::ensure(&Home(home), &self.agent).await.map_err(HostError)?;
            }
            Site::Login(ssh) => ssh.connect().await?,
        }
        let path = agent_program::ensure(self, &self.agent).await.map_err(|text| self.lost(&text))?;
        Ok(placed.insert(path.into()).clone())
    }

    pub(crate) async fn spawn(&self, word: &'static str) -> Result<Exec, HostError> {
        let agent = self.agent_there().await?;
        self.step(&[agent.to_string(), word.to_owned()]).await
    }

    /// Starts a program in a step beside all others. Its words are constant ones of ours.
    async fn step(&self, program: &[String]) -> Result<Exec, HostError> {
        let mut words = vec!["srun".to_owned(), format!("--jobid={}", self.job_id)];
        words.extend(["--overlap", "--nodes=1", "--ntasks=1", "--quiet", "--mpi=none"].map(str::to_owned));
        words.push(format!("--export={}", INHERITED.join(",")));
        words.extend(program.iter().cloned());
        match &self.site {
            Site::Here { home, inherited } => {
                let mut command = Command::new(&words[0]);
                command.args(&words[1..]).env_clear().envs(inherited.iter().map(|(name, value)| (name, value)));
                command.current_dir(home);
                Exec::here(command).map_err(|error| self.lost(&error))
            }
            Site::Login(ssh) => {
                if let Some(conf) = &self.cluster.config().conf {
                    words.splice(0..0, ["env".to_owned(), format!("SLURM_CONF={}", conf.display())]);
                }
                ssh.spawn_words(&words).await
            }
        }
    }

    pub(crate) async fn close(&self) {
        if let Site::Login(ssh) = &self.site {
            ssh.close().await;
        }
    }

    pub(crate) async fn abandon(&self) {
        if let Site::Login(ssh) = &self.site {
            ssh.abandon().await;
        }
    }

    /// What took the node away; `None` where the job still holds it.
    pub(crate) async fn interruption(&self) -> Option<Interruption> {
        self.cluster.interruption(self.job_id, self.restarts).await
    }

    /// Gives the node back.
    pub(crate) async fn release(&self) -> Result<(), HostError> {
        let ended = self.cluster.cancel_job(self.job_id, &self.job_name).await;
        self.close().await;
        self.cluster.login().close().await;
        ended
    }

    pub(crate) fn lost(&self, error: &dyn std::fmt::Display) -> HostError {
        let Self { node, job_id, .. } = self;
        HostError(format!(
            "the agent on node {node} of Slurm job {job_id} cannot be talked to: {error}; see whether \
             `srun --jobid={job_id} --overlap true` works"
        ))
    }
}

impl Shell for SlurmLink {
    async fn start(&self, script: &str) -> Result<Exec, String> {
        let words = ["sh", "-c", script].map(str::to_owned);
        self.step(&words).await.map_err(|error| error.to_string())
    }
}

/// This machine, in the home folder.
struct Home<'a>(&'a Path);

impl Shell for Home<'_> {
    async fn start(&self, script: &str) -> Result<Exec, String> {
        let mut command = Command::new("sh");
        command.arg("-c").arg(script).current_dir(self.0);
        Exec::here(command)
    }
}
