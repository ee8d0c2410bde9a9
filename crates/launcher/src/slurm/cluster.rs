//! A cluster, seen from its login node: asking for jobs, looking at them, ending them.

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::config::SlurmConfig;
use super::facts::{ClusterFacts, PARTITIONS, read_partitions};
use super::job::{Interruption, JobFacts, JobState, Waiting};
use super::link::SlurmLink;
use crate::agent_host::{AgentHost, HostError};
use crate::command::{CommandError, CommandOutput, CommandSpec};
use crate::facts::HostFacts;
use crate::leftovers::{Leftover, LeftoverKind};
use crate::link::Link;
use crate::local::LocalHost;
use crate::scrub::Scrubber;
use crate::ssh::SshLink;
use crate::ssh_config::SshConfig;

/// A cluster whose nodes Slurm shares out. Cheap to clone.
#[derive(Debug, Clone)]
pub struct SlurmCluster {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    /// How the login node is reached, and what is started on the nodes.
    access: SshConfig,
    config: SlurmConfig,
    this: LocalHost,
    login: Login,
}

/// The machine on which Slurm's commands are run.
#[derive(Debug)]
pub(crate) enum Login {
    Here(LocalHost),
    Far(AgentHost),
}

/// Why a run has no node.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AllocateError {
    /// It was no longer wanted; its job was cancelled.
    #[error("waiting for a node was given up")]
    Cancelled,
    /// Slurm gives none.
    #[error(transparent)]
    Host(#[from] HostError),
}

/// The job's script. It holds the node and does nothing: all work is in steps of their own.
const SCRIPT: &str = "#!/bin/sh\nexec /bin/sleep infinity\n";

/// What the names of our jobs begin with.
const PREFIX: &str = "podium-";

/// What one of Slurm's commands may take: a busy controller answers late.
const COMMAND_DEADLINE: Duration = Duration::from_secs(60);

/// Between two looks at a job that waits: a young one may begin at once.
const YOUNG_INTERVAL: Duration = Duration::from_millis(500);
const YOUNG: Duration = Duration::from_secs(20);
const INTERVAL: Duration = Duration::from_secs(5);

/// A controller that does not answer for so long counts as gone; restarts take less.
const SILENCE: Duration = Duration::from_secs(300);

/// How long a job may take from its end to the end of what it holds. Slurm gives processes 30 s to end by themselves.
const END_DEADLINE: Duration = Duration::from_secs(90);

/// A job's name: whose run it holds a node for, and which of its nodes.
fn job_name(run_id: Uuid, slot: u32) -> String {
    format!("{PREFIX}{run_id}-{slot}")
}

/// The run of a job of ours.
fn run_of(job_name: &str) -> Option<Uuid> {
    let (run, slot) = job_name.strip_prefix(PREFIX)?.rsplit_once('-')?;
    slot.parse::<u32>().ok()?;
    Uuid::try_parse(run).ok()
}

/// A job in the queue.
struct Listed {
    id: u32,
    state: String,
    name: String,
}

impl Login {
    pub(crate) async fn run(&self, command: &CommandSpec) -> Result<CommandOutput, CommandError> {
        match self {
            Login::Here(here) => here.run(command).await,
            Login::Far(far) => far.run(command).await,
        }
    }

    pub(crate) async fn connect(&self) -> Result<(), HostError> {
        match self {
            Login::Here(_) => Ok(()),
            Login::Far(far) => far.connect().await,
        }
    }

    pub(crate) async fn close(&self) {
        if let Login::Far(far) = self {
            far.close().await;
        }
    }

    async fn facts(&self) -> HostFacts {
        match self {
            Login::Here(here) => here.facts().await,
            Login::Far(far) => far.facts().await,
        }
    }

    async fn leftovers(&self) -> Result<Vec<Leftover>, HostError> {
        match self {
            // They are this machine's own, and shown with it.
            Login::Here(_) => Ok(Vec::new()),
            Login::Far(far) => far.leftovers().await,
        }
    }

    pub(crate) fn scrubber(&self) -> &Scrubber {
        match self {
            Login::Here(here) => here.scrubber(),
            Login::Far(far) => far.scrubber(),
        }
    }
}

impl SlurmCluster {
    /// A cluster with these settings. Nothing is connected yet.
    pub(crate) fn new(this: &LocalHost, access: SshConfig) -> Self {
        let config = access.slurm.clone().unwrap_or_default();
        let login = if access.is_cluster_here() {
            Login::Here(this.clone())
        } else {
            let link = Link::Ssh(Box::new(SshLink::new(access.clone(), &this.agent())));
            Login::Far(AgentHost::new(link, &access, this.environment()))
        };
        Self { inner: Arc::new(Inner { access, config, this: this.clone(), login }) }
    }

    pub(super) fn config(&self) -> &SlurmConfig {
        &self.inner.config
    }

    pub(super) fn access(&self) -> &SshConfig {
        &self.inner.access
    }

    pub(crate) fn login(&self) -> &Login {
        &self.inner.login
    }

    /// What the login node is, with the cluster's partitions. A cluster that does not answer, or would refuse a job with
    /// these settings, is a problem among them.
    pub(crate) async fn facts(&self) -> HostFacts {
        let mut facts = self.login().facts().await;
        if !facts.is_reached() {
            return facts;
        }
        // What is on the login node says nothing about the nodes that engines run on.
        facts.frameworks.clear();
        facts.gpus.clear();
        match self.cluster_facts().await {
            Ok(cluster) => facts.cluster = Some(cluster),
            Err(error) => facts.problems.push(error.0),
        }
        facts
    }

    async fn cluster_facts(&self) -> Result<ClusterFacts, HostError> {
        let version = self.tell(&["sinfo", "--version"]).await?;
        let partitions = read_partitions(&self.tell(&PARTITIONS).await?);
        let mut words = vec!["sbatch".to_owned(), "--test-only".to_owned()];
        words.extend(self.inner.config.request().map_err(HostError)?.words("podium-check"));
        self.command(words, SCRIPT).await?;
        let version = version.trim();
        Ok(ClusterFacts {
            version: version
                .strip_prefix("slurm-wlm ")
                .or_else(|| version.strip_prefix("slurm "))
                .unwrap_or(version)
                .to_owned(),
            partitions,
        })
    }

    /// Waits until a job holds a node for a run, and makes that node a host. A job that an earlier worker of the run left
    /// is taken over, with its place in the queue; `tell` is told now and then why it waits.
    ///
    /// # Errors
    /// `cancel` was raised (the job is cancelled then), or Slurm refuses.
    pub(crate) async fn allocate(
        &self,
        run_id: Uuid,
        slot: u32,
        cancel: &CancellationToken,
        mut tell: impl FnMut(Waiting) + Send,
    ) -> Result<AgentHost, AllocateError> {
        let name = job_name(run_id, slot);
        let id = self.own_or_new(&name).await?;
        let began = Instant::now();
        let mut answered = began;
        let mut told: Option<(String, u64)> = None;
        loop {
            let job = match self.show(id).await {
                Ok(Some(job)) => job,
                Ok(None) => {
                    return Err(HostError(format!("Slurm no longer knows job {id}: start the plan again")).into());
                }
                Err(error) if answered.elapsed() > SILENCE => return Err(error.into()),
                Err(error) => {
                    tracing::warn!(%error, job = id, "Slurm does not answer");
                    self.pause(began, id, &name, cancel).await?;
                    continue;
                }
            };
            answered = Instant::now();
            match (job.state, &job.node) {
                (JobState::Holds, Some(node)) if !job.preempted => {
                    tracing::info!(job = id, node, "Slurm gave a node");
                    return Ok(self.node(&job, node));
                }
                (JobState::Over, _) => {
                    let text = format!("Slurm ended job {id} before it had a node ({}, {})", job.word, job.reason);
                    return Err(HostError(text).into());
                }
                _ => {
                    let waiting = Waiting { job_id: id, reason: job.reason, waited: began.elapsed() };
                    // At once when the reason is another one, else ever more seldom.
                    let mark = (waiting.reason.clone(), (waiting.waited.as_secs() / 60 + 1).ilog2().into());
                    if told.as_ref() != Some(&mark) {
                        told = Some(mark);
                        tell(waiting);
                    }
                }
            }
            self.pause(began, id, &name, cancel).await?;
        }
    }

    async fn pause(
        &self,
        began: Instant,
        id: u32,
        name: &str,
        cancel: &CancellationToken,
    ) -> Result<(), AllocateError> {
        let interval = if began.elapsed() < YOUNG { YOUNG_INTERVAL } else { INTERVAL };
        tokio::select! {
            () = cancel.cancelled() => {
                self.cancel_job(id, name).await?;
                Err(AllocateError::Cancelled)
            }
            () = tokio::time::sleep(interval) => Ok(()),
        }
    }

    fn node(&self, job: &JobFacts, node: &str) -> AgentHost {
        let link = SlurmLink::new(self.clone(), job, node, &self.inner.this);
        AgentHost::new(Link::Slurm(Box::new(link)), self.access(), self.inner.this.environment())
    }

    /// The job of this name: one that an earlier worker left, else a new one.
    async fn own_or_new(&self, name: &str) -> Result<u32, HostError> {
        let mut own = self.jobs().await?;
        own.retain(|job| job.name == name && job.state != "COMPLETING");
        own.sort_by_key(|job| job.id);
        let Some(kept) = own.pop() else { return self.submit(name).await };
        for more in own {
            self.cancel_job(more.id, name).await?;
        }
        tracing::info!(job = kept.id, "a job that an earlier worker left is taken over");
        // What that worker's steps still do is over.
        let steps =
            self.tell(&["squeue", "--noheader", "--steps", &format!("--jobs={}", kept.id), "--format=%i"]).await?;
        for step in steps.lines().map(str::trim) {
            if step.rsplit_once('.').is_some_and(|(_, step)| step.chars().all(|c| c.is_ascii_digit())) {
                self.tell(&["scancel", "--quiet", step]).await?;
            }
        }
        Ok(kept.id)
    }

    async fn submit(&self, name: &str) -> Result<u32, HostError> {
        let mut words = vec!["sbatch".to_owned()];
        words.extend(self.inner.config.request().map_err(HostError)?.words(name));
        let answer = self.command(words, SCRIPT).await?;
        // In a federation the cluster's name follows.
        let id = answer.stdout.trim().split(';').next().and_then(|id| id.parse().ok());
        let id = id.ok_or_else(|| HostError(format!("sbatch answered `{}`, which is no job", answer.stdout.trim())))?;
        tracing::info!(job = id, name, "a job was submitted to Slurm");
        Ok(id)
    }

    /// A job as it is now; `None` where Slurm knows none of this number any more.
    pub(super) async fn show(&self, id: u32) -> Result<Option<JobFacts>, HostError> {
        let words = ["scontrol", "--oneliner", "show", "job", &id.to_string()].map(str::to_owned);
        match self.command(words.to_vec(), "").await {
            Ok(output) => match JobFacts::read(&output.stdout) {
                Some(job) => Ok(Some(job)),
                None => Err(HostError(format!("scontrol's answer about job {id} cannot be read"))),
            },
            Err(error) if error.0.contains("Invalid job id") => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// What became of a job that held a node after so many restarts; `None` where it still does, or Slurm does not say.
    pub(super) async fn interruption(&self, id: u32, restarts: u32) -> Option<Interruption> {
        let began = Instant::now();
        while began.elapsed() < END_DEADLINE {
            match self.show(id).await {
                Ok(None) => {
                    return Some(Interruption { text: format!("Slurm no longer knows job {id}"), again: true });
                }
                Ok(Some(job)) => {
                    let found = job.interruption(restarts);
                    let undecided = job.state == JobState::Ending || job.preempted;
                    if found.is_some() || !undecided {
                        return found;
                    }
                }
                Err(error) => {
                    tracing::warn!(%error, job = id, "Slurm does not say what became of a job");
                    return None;
                }
            }
            tokio::time::sleep(YOUNG_INTERVAL).await;
        }
        None
    }

    /// Cancels a job if it is ours, and waits until what it held is free. One that is over is no error.
    pub(super) async fn cancel_job(&self, id: u32, name: &str) -> Result<(), HostError> {
        // Slurm itself compares the name: a number that another job got is no danger.
        let words = ["scancel", "--quiet", &format!("--name={name}"), &id.to_string()].map(str::to_owned);
        self.command(words.to_vec(), "").await?;
        let began = Instant::now();
        while began.elapsed() < END_DEADLINE {
            match self.show(id).await? {
                Some(job) if job.name == name && job.state != JobState::Over => {}
                _ => return Ok(()),
            }
            tokio::time::sleep(YOUNG_INTERVAL).await;
        }
        Err(HostError(format!("Slurm job {id} does not end: see `scontrol show job {id}`")))
    }

    /// Cancels every job of a run, which an earlier worker may have left.
    ///
    /// # Errors
    /// Slurm does not answer.
    pub(crate) async fn release_run(&self, run_id: Uuid) -> Result<(), HostError> {
        for job in self.jobs().await?.into_iter().filter(|job| run_of(&job.name) == Some(run_id)) {
            self.cancel_job(job.id, &job.name).await?;
        }
        Ok(())
    }

    /// Our jobs in the queue.
    async fn jobs(&self) -> Result<Vec<Listed>, HostError> {
        let answer = self.tell(&["squeue", "--me", "--noheader", "--format=%A|%T|%j"]).await?;
        let listed = answer.lines().filter_map(|line| {
            let mut fields = line.trim().splitn(3, '|');
            let (id, state, name) =
                (fields.next()?.parse().ok()?, fields.next()?.to_owned(), fields.next()?.to_owned());
            run_of(&name)?;
            Some(Listed { id, state, name })
        });
        Ok(listed.collect())
    }

    /// What runs left: jobs in the queue, and what is left on the login node.
    ///
    /// # Errors
    /// The login node or Slurm does not answer.
    pub(crate) async fn leftovers(&self) -> Result<Vec<Leftover>, HostError> {
        let mut found = self.login().leftovers().await?;
        found.extend(self.jobs().await?.into_iter().map(|job| Leftover {
            kind: LeftoverKind::Job,
            launch: run_of(&job.name),
            name: job.id.to_string(),
            detail: format!("{}, {}", job.name, job.state),
        }));
        Ok(found)
    }

    /// Removes one of [`SlurmCluster::leftovers`]; one that is gone by then is no error.
    ///
    /// # Errors
    /// The login node or Slurm does not answer.
    pub(crate) async fn remove_leftover(&self, leftover: &Leftover) -> Result<(), HostError> {
        if leftover.kind != LeftoverKind::Job {
            return match self.login() {
                Login::Here(_) => Ok(()),
                Login::Far(far) => far.remove_leftover(leftover).await,
            };
        }
        match self.jobs().await?.into_iter().find(|job| job.id.to_string() == leftover.name) {
            Some(job) => self.cancel_job(job.id, &job.name).await,
            None => Ok(()),
        }
    }

    /// Runs one of Slurm's commands and returns what it printed.
    async fn tell(&self, words: &[&str]) -> Result<String, HostError> {
        let words = words.iter().map(|word| (*word).to_owned()).collect();
        self.command(words, "").await.map(|output| output.stdout)
    }

    async fn command(&self, words: Vec<String>, input: &str) -> Result<CommandOutput, HostError> {
        let mut spec = CommandSpec::new(words);
        spec.deadline = COMMAND_DEADLINE;
        spec.stdin = input.as_bytes().to_vec();
        spec.env
            .extend(self.inner.config.conf.iter().map(|conf| ("SLURM_CONF".to_owned(), conf.display().to_string())));
        let program = spec.argv[0].clone();
        let output = self.login().run(&spec).await.map_err(|error| {
            HostError(format!("Slurm cannot be used: {error}; its commands must be on PATH of the login node"))
        })?;
        if output.exit.success() {
            return Ok(output);
        }
        let said = output.stderr.lines().map(str::trim).filter(|line| !line.is_empty()).collect::<Vec<_>>().join("; ");
        Err(HostError(format!("{program} refused: {said}")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jobs_of_ours_are_known_by_their_whole_name() {
        let run = Uuid::new_v4();
        assert_eq!(run_of(&job_name(run, 3)), Some(run));
        for name in
            ["podium", "podium-", "podium-x-0", &format!("podium-{run}"), &format!("x{}", job_name(run, 0)), "wrap"]
        {
            assert_eq!(run_of(name), None, "{name}");
        }
    }
}
