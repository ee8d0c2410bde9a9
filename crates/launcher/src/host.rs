//! Hosts: where engines run. Callers name no kind of host; another kind is another variant here.

use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use podium_domain::framework::Framework;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::agent_host::{AgentHost, HostError, trouble};
use crate::command::{CommandError, CommandOutput, CommandSpec};
use crate::engine::{Engine, EngineSpec};
use crate::facts::HostFacts;
use crate::failure::LaunchFailure;
use crate::leftovers::Leftover;
use crate::link::Link;
use crate::local::LocalHost;
use crate::piped::PipedProcess;
use crate::ports::PortState;
use crate::processes::RunningLaunch;
use crate::resolve::ResolvedCommand;
use crate::scrub::Scrubber;
use crate::slurm::{AllocateError, Interruption, SlurmCluster, Waiting};
use crate::ssh::SshLink;
use crate::ssh_config::{LoadFrom, SshConfig};
use crate::stop::SweepReport;

/// A machine that engines can run on. Cheap to clone.
#[derive(Debug, Clone)]
pub enum Host {
    /// The machine that this process runs on.
    Local(LocalHost),
    /// Another machine: one that is reached by SSH, or a node that a job of a Slurm cluster holds.
    Remote(AgentHost),
    /// A Slurm cluster. Engines run on the nodes that [`Host::allocate`] gets of it.
    Cluster(SlurmCluster),
}

impl Host {
    /// This machine, set up from this process's environment; `data_dir` is the folder whose disk space counts.
    ///
    /// # Errors
    /// The path of this program cannot be found out.
    pub fn local(data_dir: &Path) -> io::Result<Self> {
        Ok(Host::Local(LocalHost::from_environment(data_dir)?))
    }

    /// A machine that this one reaches by SSH. Nothing is connected yet.
    pub fn ssh(this: &LocalHost, config: SshConfig) -> Self {
        let link = Link::Ssh(Box::new(SshLink::new(config.clone(), &this.agent())));
        Host::Remote(AgentHost::new(link, &config, this.environment()))
    }

    /// A cluster that Slurm shares out. Nothing is connected yet.
    pub fn cluster(this: &LocalHost, config: SshConfig) -> Self {
        Host::Cluster(SlurmCluster::new(this, config))
    }

    /// A node of a cluster for a run, as a host, once a job holds it; `None` where the host is no cluster and is used as it
    /// is. `slot` tells several nodes of a run apart. A job that an earlier worker of the run left is taken over, with its
    /// place in the queue. `tell` is told now and then why it waits.
    ///
    /// # Errors
    /// `cancel` was raised (the job is cancelled then), or the cluster refuses.
    pub async fn allocate(
        &self,
        run_id: Uuid,
        slot: u32,
        cancel: &CancellationToken,
        tell: impl FnMut(Waiting) + Send,
    ) -> Result<Option<Host>, AllocateError> {
        match self {
            Host::Cluster(cluster) => {
                cluster.allocate(run_id, slot, cancel, tell).await.map(|node| Some(Host::Remote(node)))
            }
            Host::Local(_) | Host::Remote(_) => Ok(None),
        }
    }

    /// Cancels every job of a cluster that a worker of this run left.
    ///
    /// # Errors
    /// The cluster does not answer.
    pub async fn release_run(&self, run_id: Uuid) -> Result<(), HostError> {
        match self {
            Host::Cluster(cluster) => cluster.release_run(run_id).await,
            Host::Local(_) | Host::Remote(_) => Ok(()),
        }
    }

    /// What the machine is and what is installed on it. Takes up to some seconds; never fails, see
    /// [`HostFacts::problems`].
    pub async fn facts(&self) -> HostFacts {
        match self {
            Host::Local(local) => local.facts().await,
            Host::Remote(remote) => remote.facts().await,
            Host::Cluster(cluster) => cluster.facts().await,
        }
    }

    /// Runs a command to its end.
    ///
    /// # Errors
    /// It could not be started, or was stopped at its deadline. An exit code other than 0 is no error.
    pub async fn run(&self, command: &CommandSpec) -> Result<CommandOutput, CommandError> {
        match self {
            Host::Local(local) => local.run(command).await,
            Host::Remote(remote) => remote.run(command).await,
            Host::Cluster(cluster) => cluster.login().run(command).await,
        }
    }

    /// Makes sure that the host can be worked with.
    ///
    /// # Errors
    /// It is out of reach, or the agent cannot work there; a sentence with what to do.
    pub async fn connect(&self) -> Result<(), HostError> {
        match self {
            Host::Local(_) => Ok(()),
            Host::Remote(remote) => remote.connect().await,
            Host::Cluster(cluster) => cluster.login().connect().await,
        }
    }

    /// Lets go of what a connection holds. The next use makes a new one.
    pub async fn close(&self) {
        match self {
            Host::Local(_) => {}
            Host::Remote(remote) => remote.close().await,
            Host::Cluster(cluster) => cluster.login().close().await,
        }
    }

    /// Gives a node of a cluster back, and lets go of what a connection holds.
    ///
    /// # Errors
    /// The cluster does not answer, so that the job that holds the node may still be there.
    pub async fn release(&self) -> Result<(), HostError> {
        match self {
            Host::Local(_) => Ok(()),
            Host::Remote(remote) => remote.link().release().await,
            Host::Cluster(cluster) => {
                cluster.login().close().await;
                Ok(())
            }
        }
    }

    /// What took a node of a cluster away from us; `None` where nothing did. Takes until the cluster has decided what
    /// becomes of the job.
    pub async fn interruption(&self) -> Option<Interruption> {
        match self {
            Host::Local(_) | Host::Cluster(_) => None,
            Host::Remote(remote) => remote.link().interruption().await,
        }
    }

    /// The node's name, where the host is a node of a cluster.
    pub fn node(&self) -> Option<&str> {
        match self {
            Host::Remote(remote) => remote.link().node(),
            Host::Local(_) | Host::Cluster(_) => None,
        }
    }

    /// Whether it is another machine than this one.
    pub fn is_remote(&self) -> bool {
        !matches!(self, Host::Local(_))
    }

    /// Whether the load generator works on another machine, beside the engine.
    pub fn load_is_remote(&self) -> bool {
        matches!(self, Host::Remote(remote) if remote.load_from() == LoadFrom::Target)
    }

    /// The time that a message takes to the host and back; `None` for this machine.
    ///
    /// # Errors
    /// The host is out of reach.
    pub async fn round_trip(&self) -> Result<Option<Duration>, HostError> {
        match self {
            Host::Local(_) => Ok(None),
            Host::Remote(remote) => remote.round_trip().await.map(Some),
            Host::Cluster(_) => Err(no_node()),
        }
    }

    /// Starts the load process where the load comes from; `program` is this machine's. It is talked to through its
    /// pipes while it runs.
    ///
    /// # Errors
    /// It could not be started.
    pub async fn start_load(&self, program: &Path) -> Result<PipedProcess, CommandError> {
        match self {
            Host::Remote(remote) if self.load_is_remote() => remote.start_load().await,
            Host::Local(local) => local.start_piped(&load_argv(program), &[]),
            Host::Remote(remote) => PipedProcess::start(&load_argv(program), &[], remote.scrubber().clone()),
            Host::Cluster(_) => Err(CommandError::Host { reason: no_node().0 }),
        }
    }

    /// Copies bytes into a file of the host, `name` below a folder of the agent's own; its path there.
    ///
    /// # Errors
    /// The host is out of reach or refuses; this machine has no such folder.
    pub async fn put_file(&self, bytes: &[u8], name: &Path) -> Result<PathBuf, HostError> {
        match self {
            Host::Local(_) => Err(HostError("this machine needs no copy of a file".to_owned())),
            Host::Remote(remote) => remote.put_file(bytes, name).await,
            Host::Cluster(_) => Err(no_node()),
        }
    }

    /// Copies a file of the host to this machine.
    ///
    /// # Errors
    /// It is not there, the host is out of reach, or the copy cannot be written.
    pub async fn fetch_file(&self, there: &Path, here: &Path) -> Result<(), HostError> {
        match self {
            Host::Local(_) => match tokio::fs::copy(there, here).await {
                Ok(_) => Ok(()),
                Err(error) => Err(HostError(format!("{} cannot be copied: {error}", there.display()))),
            },
            Host::Remote(remote) => remote.fetch_file(there, here).await,
            Host::Cluster(_) => Err(no_node()),
        }
    }

    /// Removes a folder that [`Host::put_file`] made.
    ///
    /// # Errors
    /// The host is out of reach or refuses.
    pub async fn remove_folder(&self, name: &Path) -> Result<(), HostError> {
        match self {
            Host::Local(_) => Ok(()),
            Host::Remote(remote) => remote.remove_folder(name).await,
            Host::Cluster(_) => Err(no_node()),
        }
    }

    /// Finds the programs for a server command.
    ///
    /// # Errors
    /// [`FailureClass::CommandNotFound`](crate::FailureClass::CommandNotFound) with a hint.
    pub async fn resolve_command(
        &self,
        framework: Framework,
        argv: &[String],
        facts: &HostFacts,
    ) -> Result<ResolvedCommand, LaunchFailure> {
        match self {
            Host::Local(local) => local.resolve_command(framework, argv, facts),
            Host::Remote(remote) => remote.resolve_command(framework, argv, facts).await,
            Host::Cluster(_) => Err(trouble(no_node())),
        }
    }

    /// Starts an engine. It is `starting` when this returns; see [`Engine::wait_ready`].
    ///
    /// # Errors
    /// The port is taken, the program is not there, or the machine refused; nothing runs then.
    pub async fn start(&self, spec: EngineSpec) -> Result<Engine, LaunchFailure> {
        match self {
            Host::Local(local) => local.start(spec).await,
            Host::Remote(remote) => remote.start(spec).await,
            Host::Cluster(_) => Err(trouble(no_node())),
        }
    }

    /// A port that an engine can take.
    ///
    /// # Errors
    /// The machine has none left.
    pub async fn free_port(&self) -> io::Result<u16> {
        match self {
            Host::Local(local) => local.free_port(),
            Host::Remote(remote) => remote.free_port().await,
            Host::Cluster(_) => Err(io::Error::other(no_node())),
        }
    }

    /// Whether a port is free, and whose it is if not.
    ///
    /// # Errors
    /// The host is out of reach.
    pub async fn port_state(&self, port: u16) -> Result<PortState, HostError> {
        match self {
            Host::Local(local) => Ok(local.port_state(port)),
            Host::Remote(remote) => remote.port_state(port).await,
            Host::Cluster(_) => Err(no_node()),
        }
    }

    /// The launches of which processes live on the machine, whoever started them. Those that the store says are over
    /// were left by a crash.
    ///
    /// # Errors
    /// The host is out of reach.
    pub async fn running_launches(&self) -> Result<Vec<RunningLaunch>, HostError> {
        match self {
            Host::Local(local) => Ok(local.running_launches().await),
            Host::Remote(remote) => remote.running_launches().await,
            Host::Cluster(_) => Err(no_node()),
        }
    }

    /// Ends every process of these launches, as [`Engine::stop`] does.
    pub async fn sweep(&self, launches: &[Uuid]) -> SweepReport {
        match self {
            Host::Local(local) => local.sweep(launches).await,
            Host::Remote(remote) => remote.sweep(launches).await,
            // Slurm ends what a job began with the job.
            Host::Cluster(_) => SweepReport::default(),
        }
    }

    /// What runs left on the host, and what those that go on use: processes, folders, old agents.
    ///
    /// # Errors
    /// The host is out of reach.
    pub async fn leftovers(&self) -> Result<Vec<Leftover>, HostError> {
        match self {
            Host::Local(local) => Ok(local.leftovers().await),
            Host::Remote(remote) => remote.leftovers().await,
            Host::Cluster(cluster) => cluster.leftovers().await,
        }
    }

    /// Removes one of [`Host::leftovers`]; one that is gone by then is no error.
    ///
    /// # Errors
    /// The host is out of reach or refuses.
    pub async fn remove_leftover(&self, leftover: &Leftover) -> Result<(), HostError> {
        match self {
            Host::Local(local) => {
                local.remove_leftover(leftover).await.map_err(|error| HostError(format!("{}: {error}", leftover.name)))
            }
            Host::Remote(remote) => remote.remove_leftover(leftover).await,
            Host::Cluster(cluster) => cluster.remove_leftover(leftover).await,
        }
    }

    /// Knows the secrets of the environment that engines inherit.
    pub fn scrubber(&self) -> &Scrubber {
        match self {
            Host::Local(local) => local.scrubber(),
            Host::Remote(remote) => remote.scrubber(),
            Host::Cluster(cluster) => cluster.login().scrubber(),
        }
    }
}

/// What a cluster answers to what only a node of it can do.
fn no_node() -> HostError {
    HostError("this is a cluster: a run waits for a node of it first".to_owned())
}

fn load_argv(program: &Path) -> [String; 2] {
    [program.display().to_string(), "load".to_owned()]
}
