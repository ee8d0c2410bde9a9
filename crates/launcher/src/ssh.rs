//! A machine that is reached by SSH. Everything is done there by the agent: this side keeps the connection, puts the
//! agent in place and hands it one job for each process.

use std::io;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use openssh::{
    Child, ChildStdin, ChildStdout, ControlPersist, ForwardType, KnownHosts, Session, SessionBuilder, Stdio,
};
use podium_domain::framework::Framework;
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::sync::Mutex;
use uuid::Uuid;

use crate::agent_program;
use crate::command::{CommandError, CommandOutput, CommandSpec};
use crate::engine::{Engine, EngineSpec};
use crate::environment::Environment;
use crate::facts::HostFacts;
use crate::failure::{FailureClass, LaunchFailure, LaunchStage};
use crate::leftovers::Leftover;
use crate::piped::PipedProcess;
use crate::ports::PortState;
use crate::processes::{self, RunningLaunch};
use crate::remote_engine;
use crate::resolve::ResolvedCommand;
use crate::scrub::Scrubber;
use crate::ssh_config::{LoadFrom, SshConfig};
use crate::stop::SweepReport;
use crate::wire::{EngineJob, Job, Reply, Request, RunJob, WIRE_VERSION};

/// A host could not be reached, or its agent could not do what it was asked to: a sentence with what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct HostError(pub(crate) String);

/// A machine that is reached by SSH. Clones share one connection, which is made when it is first needed.
#[derive(Debug, Clone)]
pub struct SshHost {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    config: SshConfig,
    agent: PathBuf,
    scrubber: Scrubber,
    secrets: Vec<(String, String)>,
    connection: Mutex<Option<Connection>>,
}

#[derive(Debug, Clone)]
struct Connection {
    session: Arc<Session>,
    /// The agent's program there, relative to the user's home.
    agent: Arc<str>,
}

/// The agent at work on one job.
pub(crate) struct Exec {
    pub(crate) stdin: ChildStdin,
    pub(crate) stdout: BufReader<ChildStdout>,
    pub(crate) child: Child<Arc<Session>>,
}

const CONNECT_DEADLINE: Duration = Duration::from_secs(15);

/// How long the `ssh` of this machine may take to say whether it is connected.
const CHECK_DEADLINE: Duration = Duration::from_secs(10);

/// A connection that nobody uses ends by itself after so many seconds: one whose worker was killed, above all.
const IDLE_S: NonZeroUsize = NonZeroUsize::MIN.saturating_add(59);

/// After about three of these without an answer the connection counts as cut.
const ALIVE_INTERVAL: Duration = Duration::from_secs(5);

/// What putting the agent in place may take; a slow line included.
const AGENT_DEADLINE: Duration = Duration::from_secs(600);

/// What a job may take beyond its own deadline.
const JOB_DEADLINE: Duration = Duration::from_secs(60);

/// The smallest of so many echoes is the round trip.
const ECHOES: u32 = 10;

/// Tokens that engines need to fetch models: handed over on the agent's standard input, never by an argument.
const FORWARDED_SECRETS: [&str; 2] = ["HF_TOKEN", "HUGGINGFACE_HUB_TOKEN"];

impl SshHost {
    /// A host with these settings; `agent` is this machine's `podium-agent`. Nothing is connected yet.
    pub fn new(config: SshConfig, agent: &Path, environment: &Environment) -> Self {
        let agent = config.agent.clone().unwrap_or_else(|| agent.to_owned());
        let scrubber = Scrubber::for_environment(environment, &[]);
        let secret = |name: &str| Some((name.to_owned(), environment.get(name)?.to_owned()));
        let secrets = FORWARDED_SECRETS.into_iter().filter_map(secret).collect();
        Self { inner: Arc::new(Inner { config, agent, scrubber, secrets, connection: Mutex::new(None) }) }
    }

    pub(crate) fn scrubber(&self) -> &Scrubber {
        &self.inner.scrubber
    }

    pub(crate) fn load_from(&self) -> LoadFrom {
        self.inner.config.load_from
    }

    /// Connects and puts the agent in place, unless that is done.
    pub(crate) async fn connect(&self) -> Result<(), HostError> {
        self.connection().await.map(|_| ())
    }

    async fn connection(&self) -> Result<Connection, HostError> {
        let mut held = self.inner.connection.lock().await;
        if let Some(connection) = held.as_ref() {
            if matches!(tokio::time::timeout(CHECK_DEADLINE, connection.session.check()).await, Ok(Ok(()))) {
                return Ok(connection.clone());
            }
            tracing::warn!(host = self.inner.config.destination, "the connection was lost; it is made again");
        }
        if let Some(lost) = held.take() {
            end_clients(&lost.session).await;
        }
        let session = Arc::new(open(&self.inner.config).await?);
        let placed = tokio::time::timeout(AGENT_DEADLINE, agent_program::ensure(&session, &self.inner.agent)).await;
        let agent = placed
            .map_err(|_| {
                let minutes = AGENT_DEADLINE.as_secs() / 60;
                self.lost(&format!("it was not in place after {minutes} minutes; look at the login's start-up files"))
            })?
            .map_err(HostError)?;
        Ok(held.insert(Connection { session, agent: agent.into() }).clone())
    }

    /// Ends the connection. The next use makes a new one.
    pub(crate) async fn close(&self) {
        let Some(connection) = self.inner.connection.lock().await.take() else { return };
        // Where somebody still uses it, the last of them closes it.
        let Ok(session) = Arc::try_unwrap(connection.session) else { return };
        let socket = session.control_socket().to_owned();
        match tokio::time::timeout(CHECK_DEADLINE, session.close()).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::debug!(%error, "a connection did not end well"),
            Err(_) => end_clients_of(socket).await,
        }
    }

    /// Gives up a connection over which nothing comes any more. The next use makes a new one.
    pub(crate) async fn abandon(&self) {
        if let Some(connection) = self.inner.connection.lock().await.take() {
            tracing::warn!(host = self.inner.config.destination, "nothing is heard of the host: the connection is cut");
            end_clients(&connection.session).await;
        }
    }

    /// Starts the agent with a word of ours. The command line holds nothing else.
    async fn spawn(&self, word: &'static str) -> Result<Exec, HostError> {
        let Connection { session, agent } = self.connection().await?;
        let mut command = session.arc_raw_command(&*agent);
        command.raw_arg(word).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().await.map_err(|error| self.lost(&error))?;
        let pipes = (child.stdin().take(), child.stdout().take());
        let (Some(stdin), Some(stdout)) = pipes else { return Err(self.lost(&"it has no pipes")) };
        Ok(Exec { stdin, stdout: BufReader::new(stdout), child })
    }

    fn lost(&self, error: &dyn std::fmt::Display) -> HostError {
        let destination = &self.inner.config.destination;
        HostError(format!(
            "the agent on {destination} cannot be talked to: {error}; see whether `ssh` reaches the host"
        ))
    }

    /// Starts the agent with a job.
    async fn exec(&self, job: Job) -> Result<Exec, HostError> {
        let mut exec = self.spawn("exec").await?;
        let setup = self.inner.config.setup(self.inner.secrets.iter().cloned());
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
            LoadFrom::Controller => self.forward(spec.port).await.map_err(trouble)?,
        };
        let scrubber = self.inner.scrubber.with(&spec.env);
        remote_engine::start(self.clone(), exec, spec, url_port, scrubber).await
    }

    /// Opens a path from a port of this machine to one of the host; this machine's port.
    pub(crate) async fn forward(&self, port: u16) -> Result<u16, HostError> {
        let local = crate::ports::free_port().map_err(|error| self.lost(&error))?;
        let ends = (loopback(local), loopback(port));
        let session = self.connection().await?.session;
        session.request_port_forward(ForwardType::Local, ends.0, ends.1).await.map_err(|error| self.lost(&error))?;
        Ok(local)
    }

    pub(crate) async fn unforward(&self, local: u16, port: u16) {
        let held = self.inner.connection.lock().await.clone();
        if let Some(connection) = held
            && let Err(error) =
                connection.session.close_port_forward(ForwardType::Local, loopback(local), loopback(port)).await
        {
            tracing::debug!(%error, "a forwarded port did not close");
        }
    }

    /// Starts the load process on the host.
    pub(crate) async fn start_load(&self) -> Result<PipedProcess, CommandError> {
        let exec = self.spawn("load").await.map_err(|error| CommandError::Host { reason: error.0 })?;
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
            let answer = tokio::time::timeout(CONNECT_DEADLINE, exec.stdout.read_line(&mut line)).await;
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

fn loopback(port: u16) -> std::net::SocketAddr {
    (std::net::Ipv4Addr::LOCALHOST, port).into()
}

/// What the host could not do, as the reason of a launch that came to nothing.
pub(crate) fn trouble(error: HostError) -> LaunchFailure {
    LaunchFailure::new(LaunchStage::Start, FailureClass::HostTrouble, error.0)
}

/// Ends the `ssh` processes of a connection: one that hangs would not end when it is asked to.
async fn end_clients(session: &Session) {
    end_clients_of(session.control_socket().to_owned()).await;
}

/// Those that were started with this control socket, whose folder has a name that was drawn for it.
async fn end_clients_of(socket: PathBuf) {
    processes::off_thread(move || {
        let socket = socket.display().to_string();
        for process in processes::all().into_iter().filter(|process| process.name == "ssh") {
            if process.command().split(' ').any(|word| word == socket) {
                // What is gone by now needs no end.
                let _ = processes::send_signal(process.identity, rustix::process::Signal::KILL);
            }
        }
    })
    .await;
}

async fn open(config: &SshConfig) -> Result<Session, HostError> {
    if let Some((_, problem)) = config.problems().into_iter().next() {
        return Err(HostError(problem));
    }
    let mut builder = SessionBuilder::default();
    builder
        .known_hosts_check(KnownHosts::Strict)
        .connect_timeout(CONNECT_DEADLINE)
        .server_alive_interval(ALIVE_INTERVAL)
        .control_persist(ControlPersist::IdleFor(IDLE_S))
        .control_directory(std::env::temp_dir());
    if let Some(file) = &config.config_file {
        builder.config_file(file);
    }
    builder.connect(&config.destination).await.map_err(|error| {
        let mut text = error.to_string();
        if let Some(cause) = std::error::Error::source(&error) {
            text = format!("{text}: {cause}");
        }
        let shown = config.config_file.as_ref().map(|file| format!("-F {} ", file.display())).unwrap_or_default();
        HostError(format!(
            "{} is not reached by SSH: {}. Mend it until `ssh {shown}-o BatchMode=yes {} true` succeeds: the host's key \
             must be known, and no password may be asked for",
            config.destination,
            text.trim().trim_end_matches('.'),
            config.destination
        ))
    })
}
