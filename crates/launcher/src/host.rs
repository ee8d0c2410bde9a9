//! Hosts: where engines run. Callers name no kind of host; another kind is another variant here.

use std::io;
use std::path::Path;

use podium_domain::framework::Framework;
use uuid::Uuid;

use crate::command::{CommandError, CommandOutput, CommandSpec};
use crate::engine::{Engine, EngineSpec};
use crate::facts::HostFacts;
use crate::failure::LaunchFailure;
use crate::local::LocalHost;
use crate::piped::PipedProcess;
use crate::ports::PortState;
use crate::processes::RunningLaunch;
use crate::resolve::ResolvedCommand;
use crate::scrub::Scrubber;
use crate::stop::SweepReport;

/// A machine that engines can run on. Cheap to clone.
#[derive(Debug, Clone)]
pub enum Host {
    /// The machine that this process runs on.
    Local(LocalHost),
}

impl Host {
    /// This machine, set up from this process's environment; `data_dir` is the folder whose disk space counts.
    ///
    /// # Errors
    /// The path of this program cannot be found out.
    pub fn local(data_dir: &Path) -> io::Result<Self> {
        Ok(Host::Local(LocalHost::from_environment(data_dir)?))
    }

    /// What the machine is and what is installed on it. Takes up to some seconds; never fails, see
    /// [`HostFacts::problems`].
    pub async fn facts(&self) -> HostFacts {
        match self {
            Host::Local(local) => local.facts().await,
        }
    }

    /// Runs a command to its end.
    ///
    /// # Errors
    /// It could not be started, or was stopped at its deadline. An exit code other than 0 is no error.
    pub async fn run(&self, command: &CommandSpec) -> Result<CommandOutput, CommandError> {
        match self {
            Host::Local(local) => local.run(command).await,
        }
    }

    /// Starts a program that is talked to through its pipes while it runs, such as the load generator.
    ///
    /// # Errors
    /// It could not be started.
    pub async fn start_piped(&self, argv: &[String], env: &[(String, String)]) -> Result<PipedProcess, CommandError> {
        match self {
            Host::Local(local) => local.start_piped(argv, env),
        }
    }

    /// Finds the programs for a server command.
    ///
    /// # Errors
    /// [`FailureClass::CommandNotFound`](crate::FailureClass::CommandNotFound) with a hint.
    pub fn resolve_command(
        &self,
        framework: Framework,
        argv: &[String],
        facts: &HostFacts,
    ) -> Result<ResolvedCommand, LaunchFailure> {
        match self {
            Host::Local(local) => local.resolve_command(framework, argv, facts),
        }
    }

    /// Starts an engine. It is `starting` when this returns; see [`Engine::wait_ready`].
    ///
    /// # Errors
    /// The port is taken, the program is not there, or the machine refused; nothing runs then.
    pub async fn start(&self, spec: EngineSpec) -> Result<Engine, LaunchFailure> {
        match self {
            Host::Local(local) => local.start(spec).await,
        }
    }

    /// A port that an engine can take.
    ///
    /// # Errors
    /// The machine has none left.
    pub async fn free_port(&self) -> io::Result<u16> {
        match self {
            Host::Local(local) => local.free_port(),
        }
    }

    /// Whether a port is free, and whose it is if not.
    pub async fn port_state(&self, port: u16) -> PortState {
        match self {
            Host::Local(local) => local.port_state(port),
        }
    }

    /// The launches of which processes live on the machine, whoever started them. Those that the store says are over
    /// were left by a crash.
    pub async fn running_launches(&self) -> Vec<RunningLaunch> {
        match self {
            Host::Local(local) => local.running_launches().await,
        }
    }

    /// Ends every process of these launches, as [`Engine::stop`] does.
    pub async fn sweep(&self, launches: &[Uuid]) -> SweepReport {
        match self {
            Host::Local(local) => local.sweep(launches).await,
        }
    }

    /// Knows the secrets of the environment that engines inherit.
    pub fn scrubber(&self) -> &Scrubber {
        match self {
            Host::Local(local) => local.scrubber(),
        }
    }
}
