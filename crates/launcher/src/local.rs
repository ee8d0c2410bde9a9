//! The machine that this process runs on.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use podium_domain::framework::Framework;
use uuid::Uuid;

use crate::command::{self, CommandError, CommandOutput, CommandSpec};
use crate::container::{self, ContainerCommand, ContainerConfig, Surroundings};
use crate::engine::{Engine, EngineSpec};
use crate::environment::Environment;
use crate::facts::{self, HostFacts};
use crate::failure::LaunchFailure;
use crate::leftovers::{self, Leftover, LeftoverKind};
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
    container: Option<Arc<ContainerConfig>>,
    scrubber: Scrubber,
}

impl LocalHost {
    /// This machine with these options.
    pub fn new(options: LocalHostOptions) -> Self {
        let scrubber = Scrubber::for_environment(&options.environment, &[]);
        Self { options: Arc::new(options), container: None, scrubber }
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

    /// The same machine, with its engines in containers.
    #[must_use]
    pub fn with_container(mut self, config: Option<ContainerConfig>) -> Self {
        self.container = config.map(Arc::new);
        self
    }

    pub(crate) fn container(&self) -> Option<&ContainerConfig> {
        self.container.as_deref()
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
        let mut facts = facts::gather(&self.options.environment, &self.options.data_dir).await;
        if let Some(config) = self.container() {
            container::describe(config, &self.options.environment, &mut facts).await;
        }
        facts
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
        if let Some(config) = self.container() {
            return self.resolve_in_container(config, framework, argv, facts.gpus.len());
        }
        resolve::resolve(framework, argv, facts, &self.options.environment, &self.options.podium)
    }

    fn resolve_in_container(
        &self,
        config: &ContainerConfig,
        framework: Framework,
        argv: &[String],
        gpus: usize,
    ) -> Result<ResolvedCommand, LaunchFailure> {
        let mut argv = argv.to_vec();
        // This very program is no part of an image.
        let own_program = argv.first_mut().filter(|first| *first == "podium").map(|first| {
            *first = self.options.podium.display().to_string();
            self.options.podium.as_path()
        });
        let working_folder = container::working_folder();
        let host = Surroundings {
            environment: &self.options.environment,
            working_folder: working_folder.as_deref(),
            gpus,
            own_program,
        };
        let container = ContainerCommand::of(config, framework, host).ok_or_else(|| container::no_place(framework))?;
        let version = own_program.map(|_| env!("CARGO_PKG_VERSION").to_owned());
        Ok(ResolvedCommand { argv, env: Vec::new(), version, container: Some(container) })
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
        let mut running = processes::off_thread(processes::running_launches).await;
        for container in self.containers().await {
            if !running.iter().any(|launch| launch.launch_id == container.launch) {
                running.push(RunningLaunch { launch_id: container.launch, processes: Vec::new() });
            }
        }
        running
    }

    pub(crate) async fn sweep(&self, launches: &[Uuid]) -> SweepReport {
        let mut report = stop::sweep(launches).await;
        if let Some(config) = self.container() {
            let (found, problem) = container::sweep(config, &self.options.environment, launches).await;
            for launch in found {
                if !report.found.iter().any(|(known, _)| *known == launch) {
                    report.found.push((launch, 0));
                }
            }
            report.problem = report.problem.or(problem);
        }
        report
    }

    pub(crate) async fn leftovers(&self) -> Vec<Leftover> {
        let data_dir = self.options.data_dir.clone();
        let mut found = processes::off_thread(move || leftovers::find(&data_dir)).await;
        found.extend(self.containers().await.into_iter().map(container::Container::leftover));
        found
    }

    pub(crate) async fn remove_leftover(&self, leftover: &Leftover) -> io::Result<()> {
        if let (LeftoverKind::Container, Some(launch)) = (leftover.kind, leftover.launch) {
            let Some(problem) = self.sweep(&[launch]).await.problem else { return Ok(()) };
            return Err(io::Error::other(problem));
        }
        leftovers::remove(leftover.clone(), self.options.data_dir.clone()).await
    }

    /// Containers of launches; none where the runtime does not tell.
    async fn containers(&self) -> Vec<container::Container> {
        match self.container() {
            Some(config) => container::containers(config, &self.options.environment).await.unwrap_or_default(),
            None => Vec::new(),
        }
    }

    pub(crate) fn scrubber(&self) -> &Scrubber {
        &self.scrubber
    }
}
