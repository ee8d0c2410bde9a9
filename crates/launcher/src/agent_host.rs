//! A machine on which the agent does everything: this side hands it one job for each process, over whichever
//! [`Link`] leads there.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use podium_domain::framework::Framework;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _};
use uuid::Uuid;

use crate::command::{CommandError, CommandOutput, CommandSpec};
use crate::engine::{Engine, EngineSpec};
use crate::environment::Environment;
use crate::facts::HostFacts;
use crate::failure::{FailureClass, LaunchFailure, LaunchStage};
use crate::leftovers::Leftover;
use crate::link::{Exec, Link};
use crate::piped::PipedProcess;
use crate::ports::PortState;
use crate::processes::RunningLaunch;
use crate::remote_engine;
use crate::resolve::ResolvedCommand;
use crate::scrub::Scrubber;
use crate::ssh_config::{LoadFrom, SshConfig};
use crate::stop::SweepReport;
use crate::wire::{EngineJob, Job, Reply, Request, RunJob, Setup, WIRE_VERSION};

/// A host could not be reached, or its agent could not do what it was asked to: a sentence with what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct HostError(pub(crate) String);

/// A machine on which the agent does everything. Clones share one connection, which is made when it is first needed.
#[derive(Debug, Clone)]
pub struct AgentHost {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    link: Link,
    setup: Setup,
    load_from: LoadFrom,
    scrubber: Scrubber,
}

/// What a job may take beyond its own deadline.
const JOB_DEADLINE: Duration = Duration::from_secs(60);

/// How long the agent may take to send a line back.
const ECHO_DEADLINE: Duration = Duration::from_secs(15);

/// The smallest of so many echoes is the round trip.
const ECHOES: u32 = 10;

/// Tokens that engines need to fetch models: handed over on the agent's standard input, never by an argument.
pub(crate) const FORWARDED_SECRETS: [&str; 2] = ["HF_TOKEN", "HUGGINGFACE_HUB_TOKEN"];

impl AgentHost {
    /// The machine at the other end of `link`, used as `config` says; `environment` is this machine's. Nothing is
    /// connected yet.
    pub(crate) fn new(link: Link, config: &SshConfig, environment: &Environment) -> Self {
        let scrubber = Scrubber::for_environment(environment, &[]);
        let secret = |name: &str| Some((name.to_owned(), environment.get(name)?.to_owned()));
        let setup = config.setup(FORWARDED_SECRETS.into_iter().filter_map(secret));
        Self { inner: Arc::new(Inner { link, setup, load_from: config.load_from, scrubber }) }
    }

    pub(crate) fn scrubber(&self) -> &Scrubber {
        &self.inner.scrubber
    }

    pub(crate) fn load_from(&self) -> LoadFrom {
        self.inner.load_from
    }

    pub(crate) fn link(&self) -> &Link {
        &self.inner.link
    }

    /// Connects and puts the agent in place, unless that is done.
    pub(crate) async fn connect(&self) -> Result<(), HostError> {
        self.inner.link.connect().await
    }

    /// Ends the connection. The next use makes a new one.
    pub(crate) async fn close(&self) {
        self.inner.link.close().await;
    }

    fn lost(&self, error: &dyn std::fmt::Display) -> HostError {
        self.inner.link.lost(error)
    }

    /// Starts the agent with a job.
    async fn exec(&self, job: Job) -> Result<Exec, HostError> {
        let mut exec = self.inner.link.spawn("exec").await?;
        let setup = self.inner.setup.clone();
        let mut line = serde_json::to_vec(&Request { version: WIRE_VERSION, setup, job })
            .map_err(|error| HostError(format!("the job cannot be written: {error}")))?;
        line.push(b'\n');
        exec.stdin.write_all(&line).await.map_err(|error| self.lost(&error))?;
        exec.stdin.flush().await.map_err(|error| self.lost(&error))?;
        Ok(exec)
    }

    async fn reply(&self, exec: &mut Exec) -> Result<Reply, HostError> {
        let mut line = String::new();
        let read = exec.stdout.read_line(&mut line).await.map_err(|error| self.lost(&error))?;
        if read == 0 {
            return Err(self.lost(&"it ended without an answer"));
        }
        match serde_json::from_str(&line) {
            Ok(Reply::Error(text)) => Err(HostError(text)),
            Ok(reply) => Ok(reply),
            Err(_) => Err(self.lost(&format!("it said `{}`", self.inner.scrubber.scrub(line.trim())))),
        }
    }

    /// One job with one answer.
    async fn ask(&self, job: Job, deadline: Duration) -> Result<Reply, HostError> {
        let conversation = async {
            let mut exec = self.exec(job).await?;
            let reply = self.reply(&mut exec).await?;
            drop(exec.stdin);
            let _ = exec.child.wait().await;
            Ok(reply)
        };
        match tokio::time::timeout(deadline, conversation).await {
            Ok(reply) => reply,
            Err(_) => Err(self.lost(&format!("no answer within {} s", deadline.as_secs()))),
        }
    }

    fn unexpected(&self) -> HostError {
        self.lost(&"it answered another question")
    }

    pub(crate) async fn facts(&self) -> HostFacts {
        match self.ask(Job::Facts, JOB_DEADLINE).await {
            Ok(Reply::Facts(facts)) => *facts,
            Ok(_) => HostFacts::unreachable(self.unexpected().0),
            Err(error) => HostFacts::unreachable(error.0),
        }
    }

    pub(crate) async fn run(&self, spec: &CommandSpec) -> Result<CommandOutput, CommandError> {
        let job = RunJob {
            argv: spec.argv.clone(),
            env: spec.env.clone(),
            folder: spec.folder.clone(),
            stdin: spec.stdin.clone(),
            deadline_ms: u64::try_from(spec.deadline.as_millis()).unwrap_or(u64::MAX),
            output_limit_bytes: spec.output_limit_bytes,
        };
        let failed = |error: HostError| CommandError::Host { reason: error.0 };
        match self.ask(Job::Run(job), spec.deadline.saturating_add(JOB_DEADLINE)).await.map_err(failed)? {
            Reply::Run(output) => Ok(output),
            _ => Err(failed(self.unexpected())),
        }
    }

    pub(crate) async fn resolve_command(
        &self,
        framework: Framework,
        argv: &[String],
        facts: &HostFacts,
    ) -> Result<ResolvedCommand, LaunchFailure> {
        let job = Job::Resolve { framework, argv: argv.to_vec(), facts: Box::new(facts.clone()) };
        match self.ask(job, JOB_DEADLINE).await {
            Ok(Reply::Resolved(resolved)) => resolved,
            Ok(_) => Err(trouble(self.unexpected())),
            Err(error) => Err(trouble(error)),
        }
    }

    pub(crate) async fn free_port(&self) -> io::Result<u16> {
        match self.ask(Job::FreePort, JOB_DEADLINE).await.map_err(io::Error::other)? {
            Reply::Port(port) => Ok(port),
            _ => Err(io::Error::other(self.unexpected())),
        }
    }

    pub(crate) async fn port_state(&self, port: u16) -> Result<PortState, HostError> {
        match self.ask(Job::PortState { port }, JOB_DEADLINE).await? {
            Reply::PortState(state) => Ok(state),
            _ => Err(self.unexpected()),
        }
    }

    pub(crate) async fn running_launches(&self) -> Result<Vec<RunningLaunch>, HostError> {
        match self.ask(Job::RunningLaunches, JOB_DEADLINE).await? {
            Reply::RunningLaunches(launches) => Ok(launches),
            _ => Err(self.unexpected()),
        }
    }

    pub(crate) async fn sweep(&self, launches: &[Uuid]) -> SweepReport {
        let deadline = JOB_DEADLINE + Duration::from_secs(10) * u32::try_from(launches.len()).unwrap_or(u32::MAX);
        match self.ask(Job::Sweep { launches: launches.to_vec() }, deadline).await {
            Ok(Reply::Sweep(report)) => report,
            Ok(_) => SweepReport { problem: Some(self.unexpected().0), ..SweepReport::default() },
            Err(error) => SweepReport { problem: Some(error.0), ..SweepReport::default() },
        }
    }

    /// Starts an engine; it is stopped by the agent when this side lets go of it, a cut connection included.
    pub(crate) async fn start(&self, spec: EngineSpec) -> Result<Engine, LaunchFailure> {
        let job = Job::Engine(Box::new(EngineJob::of(&spec)));
        let exec = self.exec(job).await.map_err(trouble)?;
        let url_port = match self.load_from() {
            LoadFrom::Target => spec.port,
            LoadFrom::Controller => self.inner.link.forward(spec.port).await.map_err(trouble)?,
        };
        let scrubber = self.inner.scrubber.with(&spec.env);
        remote_engine::start(self.clone(), exec, spec, url_port, scrubber).await
    }

    /// Starts the load process on the host.
    pub(crate) async fn start_load(&self) -> Result<PipedProcess, CommandError> {
        let exec = self.inner.link.spawn("load").await.map_err(|error| CommandError::Host { reason: error.0 })?;
        Ok(PipedProcess::remote(exec, self.inner.scrubber.clone()))
    }

    /// The time that a line takes to the host and back over the connection.
    pub(crate) async fn round_trip(&self) -> Result<Duration, HostError> {
        let mut exec = self.exec(Job::Echo).await?;
        let mut smallest = Duration::MAX;
        let mut line = String::new();
        for _ in 0..ECHOES {
            let sent = Instant::now();
            exec.stdin.write_all(b"echo\n").await.map_err(|error| self.lost(&error))?;
            exec.stdin.flush().await.map_err(|error| self.lost(&error))?;
            line.clear();
            let answer = tokio::time::timeout(ECHO_DEADLINE, exec.stdout.read_line(&mut line)).await;
            match answer {
                Ok(Ok(1..)) => smallest = smallest.min(sent.elapsed()),
                _ => return Err(self.lost(&"it did not echo")),
            }
        }
        drop(exec.stdin);
        let _ = exec.child.wait().await;
        Ok(smallest)
    }

    /// Copies a file to the host, to `name` below the agent's folder; its path there.
    pub(crate) async fn put_file(&self, bytes: &[u8], name: &Path) -> Result<PathBuf, HostError> {
        let mut exec = self.exec(Job::WriteFile { path: name.to_owned(), bytes: bytes.len() as u64 }).await?;
        exec.stdin.write_all(bytes).await.map_err(|error| self.lost(&error))?;
        exec.stdin.flush().await.map_err(|error| self.lost(&error))?;
        let reply = self.reply(&mut exec).await?;
        drop(exec.stdin);
        let _ = exec.child.wait().await;
        match reply {
            Reply::Written(path) => Ok(path),
            _ => Err(self.unexpected()),
        }
    }

    /// Copies a file of the host to this machine.
    pub(crate) async fn fetch_file(&self, there: &Path, here: &Path) -> Result<(), HostError> {
        let mut exec = self.exec(Job::ReadFile { path: there.to_owned() }).await?;
        let Reply::File { bytes } = self.reply(&mut exec).await? else { return Err(self.unexpected()) };
        let copied = async {
            let mut file = tokio::fs::File::create(here).await?;
            let copied = tokio::io::copy(&mut (&mut exec.stdout).take(bytes), &mut file).await?;
            file.flush().await?;
            Ok::<_, io::Error>(copied)
        };
        let copied = copied.await.map_err(|error| HostError(format!("{}: {error}", here.display())))?;
        drop(exec.stdin);
        let _ = exec.child.wait().await;
        if copied == bytes { Ok(()) } else { Err(self.lost(&format!("{copied} of {bytes} bytes arrived"))) }
    }

    pub(crate) async fn leftovers(&self) -> Result<Vec<Leftover>, HostError> {
        match self.ask(Job::Leftovers, JOB_DEADLINE).await? {
            Reply::Leftovers(found) => Ok(found),
            _ => Err(self.unexpected()),
        }
    }

    pub(crate) async fn remove_leftover(&self, leftover: &Leftover) -> Result<(), HostError> {
        self.ask(Job::RemoveLeftover(leftover.clone()), JOB_DEADLINE).await.map(|_| ())
    }

    /// Removes a folder below the agent's folder.
    pub(crate) async fn remove_folder(&self, name: &Path) -> Result<(), HostError> {
        self.ask(Job::RemoveFolder { path: name.to_owned() }, JOB_DEADLINE).await.map(|_| ())
    }
}

/// What the host could not do, as the reason of a launch that came to nothing.
pub(crate) fn trouble(error: HostError) -> LaunchFailure {
    LaunchFailure::new(LaunchStage::Start, FailureClass::HostTrouble, error.0)
}
