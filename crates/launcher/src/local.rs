//! The machine that this process runs on.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use podium_domain::framework::Framework;
use uuid::Uuid;

use crate::command::{self, CommandError, CommandOutput, CommandSpec};
use crate::engine::{Engine, EngineSpec};
use crate::environment::Environment;
use crate::facts::{self, HostFacts};
use crate::failure::LaunchFailure;
use crate::leftovers::{self, Leftover};
use crate::piped::PipedProcess;
use crate::ports::{self, PortState};
use crate::processes::{self, RunningLaunch};
use crate::resolve::{self, ResolvedCommand};
use crate::scrub::Scrubber;
use crate::stop::{self, SweepReport};

/// How this machine is looked at.
#[derive(Debug, Clone)]
pub struct LocalHostOptions {
    /// The folder whose disk space counts.
    pub data_dir: PathBuf,
    /// The program that the word `podium` in a server command stands for.
    pub podium: PathBuf,
    /// The variables that programs, folders and secrets are looked up in.
    pub environment: Environment,
    /// Those of them that engines do not inherit from this process by themselves.
    pub extra_env: Vec<(String, String)>,
}

/// The machine that this process runs on. Cheap to clone.
#[derive(Debug, Clone)]
pub struct LocalHost {
    options: Arc<LocalHostOptions>,
    scrubber: Scrubber,
}

impl LocalHost {
    /// This machine with these options.
    pub fn new(options: LocalHostOptions) -> Self {
        let scrubber = Scrubber::for_environment(&options.environment, &[]);
        Self { options: Arc::new(options), scrubber }
    }

    /// This machine with this process's environment and program.
    ///
    /// # Errors
    /// The path of this program cannot be found out.
    pub fn from_environment(data_dir: &Path) -> io::Result<Self> {
        Ok(Self::new(LocalHostOptions {
            data_dir: data_dir.to_owned(),
            podium: std::env::current_exe()?,
            environment: Environment::of_this_process(),
            extra_env: Vec::new(),
        }))
    }

    /// The program `podium-agent` of this machine: `PODIUM_AGENT`, else the one beside `podium`.
    pub(crate) fn agent(&self) -> PathBuf {
        let named = self.options.environment.get("PODIUM_AGENT").map(PathBuf::from);
        named.unwrap_or_else(|| self.options.podium.with_file_name("podium-agent"))
    }

    pub(crate) fn environment(&self) -> &Environment {
        &self.options.environment
    }

    pub(crate) async fn facts(&self) -> HostFacts {
        facts::gather(&self.options.environment, &self.options.data_dir).await
    }

    pub(crate) async fn run(&self, spec: &CommandSpec) -> Result<CommandOutput, CommandError> {
        command::run(spec).await
    }

    pub(crate) fn start_piped(&self, argv: &[String], env: &[(String, String)]) -> Result<PipedProcess, CommandError> {
        PipedProcess::start(argv, env, self.scrubber.clone())
    }

    pub(crate) fn resolve_command(
        &self,
        framework: Framework,
        argv: &[String],
        facts: &HostFacts,
    ) -> Result<ResolvedCommand, LaunchFailure> {
        resolve::resolve(framework, argv, facts, &self.options.environment, &self.options.podium)
    }

    /// What engines get on top of what they inherit.
    pub(crate) fn extra_env(&self) -> &[(String, String)] {
        &self.options.extra_env
    }

    pub(crate) async fn start(&self, mut spec: EngineSpec) -> Result<Engine, LaunchFailure> {
        spec.env.splice(0..0, self.extra_env().iter().cloned());
        let scrubber = Scrubber::for_environment(&self.options.environment, &spec.env);
        Engine::start(spec, scrubber, &self.options.environment).await
    }

    pub(crate) fn free_port(&self) -> io::Result<u16> {
        ports::free_port()
    }

    pub(crate) fn port_state(&self, port: u16) -> PortState {
        ports::state(port)
    }

    pub(crate) async fn running_launches(&self) -> Vec<RunningLaunch> {
        processes::off_thread(processes::running_launches).await
    }

    pub(crate) async fn sweep(&self, launches: &[Uuid]) -> SweepReport {
        stop::sweep(launches).await
    }

    pub(crate) async fn leftovers(&self) -> Vec<Leftover> {
        let data_dir = self.options.data_dir.clone();
        processes::off_thread(move || leftovers::find(&data_dir)).await
    }

    pub(crate) async fn remove_leftover(&self, leftover: &Leftover) -> io::Result<()> {
        leftovers::remove(leftover.clone(), self.options.data_dir.clone()).await
    }

    pub(crate) fn scrubber(&self) -> &Scrubber {
        &self.scrubber
    }
}
