//! One engine process and its life: started, watched, probed until ready, stopped.

use std::io;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use podium_domain::plan::Endpoint;
use podium_domain::status::LaunchState;
use rustix::process::Signal;
use time::OffsetDateTime;
use tokio::process::{Child, Command};
use tokio::sync::watch;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::container::{self, ContainerCommand, Launch};
use crate::environment::Environment;
use crate::failure::{ExitFacts, FailureClass, LaunchFailure, LaunchStage};
use crate::log::{EngineLog, LogLimits};
use crate::ports::{self, PortState};
use crate::processes::{self, Family, LAUNCH_VARIABLE, ProcessIdentity};
use crate::readiness::{self, Probe, ReadyFacts, Refusal};
use crate::recognise;
use crate::remote_engine::RemoteControl;
use crate::scrub::Scrubber;
use crate::state::{IllegalTransition, is_live, may_move};
use crate::stop::{self, StopReport, TERM_GRACE};

/// What to start.
#[derive(Debug, Clone)]
pub struct EngineSpec {
    /// The launch's id: every process of it carries it in its environment.
    pub launch_id: Uuid,
    /// The command as it is executed, injected flags included; its first word is a program's path or on PATH.
    pub argv: Vec<String>,
    /// Variables on top of the inherited ones.
    pub env: Vec<(String, String)>,
    /// The port that the command tells the server to listen on.
    pub port: u16,
    /// The model name that the command tells the server to serve.
    pub served_model_name: String,
    /// Where the first real request goes.
    pub endpoint: Endpoint,
    /// From the start of the process to the answer to that request.
    pub startup_timeout: Duration,
    /// Run only when nothing else wants the processor, so that on a small machine the load generator comes first.
    pub idle_priority: bool,
    /// Where it runs, for an engine that is put into a container; `argv` is what runs inside.
    pub container: Option<ContainerCommand>,
    /// Where the log is written; made if it is not there. One launch a folder.
    pub folder: PathBuf,
    /// How much of the log is kept.
    pub log_limits: LogLimits,
}

/// Where an engine is in its life.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EngineStatus {
    /// Its state.
    pub state: LaunchState,
    /// The stage that a failure would be put down to.
    pub stage: LaunchStage,
    /// Why it failed, once it has.
    pub failure: Option<LaunchFailure>,
}

/// A running engine. [`Engine::stop`] ends it properly; dropping it kills its processes without a word.
#[derive(Debug)]
pub struct Engine {
    pub(crate) spec: EngineSpec,
    pub(crate) leader: Option<ProcessIdentity>,
    pub(crate) log: EngineLog,
    pub(crate) status: Arc<watch::Sender<EngineStatus>>,
    pub(crate) exit: watch::Receiver<Option<ExitFacts>>,
    pub(crate) started: Instant,
    pub(crate) started_at: OffsetDateTime,
    pub(crate) control: Control,
}

/// Who looks after the engine's processes.
#[derive(Debug)]
pub(crate) enum Control {
    /// This process.
    Here { client: reqwest::Client, scrubber: Scrubber },
    /// The agent on its host.
    Remote(Box<RemoteControl>),
}

/// How long the log may take to end after the first process has: children may hold its pipe open for ever.
const LOG_DRAIN: Duration = Duration::from_secs(1);

/// How much of each end of the log is searched for the reason of a failure.
const SEARCHED_BYTES: usize = 4 << 20;

impl Engine {
    /// Starts the process, see [`Host::start`](crate::Host::start).
    pub(crate) async fn start(
        spec: EngineSpec,
        scrubber: Scrubber,
        environment: &Environment,
    ) -> Result<Self, LaunchFailure> {
        if let PortState::Taken { owner } = ports::state(spec.port) {
            return Err(port_taken(spec.port, owner.map(|owner| (owner.pid, scrubber.scrub(&owner.command).into()))));
        }
        let client = readiness::client().map_err(|error| trouble("the HTTP client could not be set up", error))?;
        let (reader, writer) = io::pipe().map_err(|error| trouble("a pipe for the log could not be made", error))?;
        std::fs::create_dir_all(&spec.folder)
            .map_err(|error| trouble(&format!("the folder {} could not be made", spec.folder.display()), error))?;
        let log = EngineLog::capture(reader, &spec.folder, spec.log_limits, scrubber.clone())
            .map_err(|error| trouble(&format!("no log can be written in {}", spec.folder.display()), error))?;
        let child = spawn(&spec, writer, environment)?;

        let leader = child.id().and_then(|pid| processes::identify(pid as i32));
        let (started, started_at) = (Instant::now(), OffsetDateTime::now_utc());
        let starting = EngineStatus { state: LaunchState::Starting, stage: LaunchStage::Loading, failure: None };
        let status = Arc::new(watch::Sender::new(starting));
        let (exit_sender, exit) = watch::channel(None);
        let contained = spec.container.clone().map(|container| (container, spec.launch_id));
        tokio::spawn(supervise(child, contained, log.clone(), status.clone(), exit_sender));
        let control = Control::Here { client, scrubber };
        Ok(Self { spec, leader, log, status, exit, started, started_at, control })
    }

    /// The launch's id.
    pub fn launch_id(&self) -> Uuid {
        self.spec.launch_id
    }

    /// The first process; `None` if it had ended before it could be looked at.
    pub fn process(&self) -> Option<ProcessIdentity> {
        self.leader
    }

    /// When the process was started.
    pub fn started_at(&self) -> OffsetDateTime {
        self.started_at
    }

    /// Where its load finds it, without a slash at the end: at its own port, or at a forwarded one.
    pub fn base_url(&self) -> String {
        let port = match &self.control {
            Control::Here { .. } => self.spec.port,
            Control::Remote(remote) => remote.url_port,
        };
        format!("http://{}:{port}", crate::ENGINE_HOST)
    }

    /// Its log, readable while it grows and after the engine is gone.
    pub fn log(&self) -> &EngineLog {
        &self.log
    }

    /// The last `count` lines of its log (at most 500), oldest first.
    pub fn log_tail(&self, count: usize) -> Vec<String> {
        self.log.tail(count)
    }

    /// Its status, now and whenever it changes.
    pub fn status(&self) -> watch::Receiver<EngineStatus> {
        self.status.subscribe()
    }

    /// Why it failed, if it has.
    pub fn failure(&self) -> Option<LaunchFailure> {
        self.status.borrow().failure.clone()
    }

    /// Notes that the engine is warm, or being measured: the states that its user decides about.
    ///
    /// # Errors
    /// The engine's life has no such move now; above all, it has failed meanwhile.
    pub fn enter(&self, state: LaunchState) -> Result<(), IllegalTransition> {
        let mut refused = None;
        self.status.send_if_modified(|status| {
            let allowed = may_move(status.state, state);
            if allowed {
                status.state = state;
            } else {
                refused = Some(IllegalTransition { from: status.state, to: state });
            }
            allowed
        });
        refused.map_or(Ok(()), Err)
    }

    /// Waits until the engine has answered one real request.
    ///
    /// # Errors
    /// It ended, refused, did not become ready before the startup deadline, or `cancel` fired. Its processes may
    /// still live: call [`Engine::stop`].
    pub async fn wait_ready(&self, cancel: &CancellationToken) -> Result<ReadyFacts, LaunchFailure> {
        // Refused only where it has failed or been stopped already, which the exit below tells better.
        let _ = self.enter(LaunchState::Loading);
        match &self.control {
            Control::Here { client, scrubber } => self.wait_ready_here(client, scrubber, cancel).await,
            Control::Remote(remote) => {
                let mut ready = remote.ready.clone();
                tokio::select! {
                    () = cancel.cancelled() => Err(self.fail(cancelled(self.stage()))),
                    failure = self.failed() => Err(failure),
                    Ok(facts) = ready.wait_for(Option::is_some) => facts.clone().ok_or_else(|| {
                        ended(ExitFacts { code: None, signal: None })
                    }),
                    exit = self.exited() => Err(self.failure().unwrap_or_else(|| ended(exit))),
                }
            }
        }
    }

    /// Waits until it has failed.
    async fn failed(&self) -> LaunchFailure {
        let mut status = self.status.subscribe();
        let seen = status.wait_for(|status| status.failure.is_some()).await.map(|status| status.failure.clone());
        match seen {
            Ok(Some(failure)) => failure,
            // The sender lives as long as this engine, and the value was just seen.
            _ => std::future::pending().await,
        }
    }

    async fn wait_ready_here(
        &self,
        client: &reqwest::Client,
        scrubber: &Scrubber,
        cancel: &CancellationToken,
    ) -> Result<ReadyFacts, LaunchFailure> {
        let mut probe = Probe {
            client: client.clone(),
            base_url: self.base_url(),
            endpoint: self.spec.endpoint,
            served_model_name: self.spec.served_model_name.clone(),
            status: self.status.clone(),
            last_answer: "it has not been asked yet".to_owned(),
        };
        let mut last_output = self.started;
        let outcome = tokio::select! {
            exit = self.exited() => Err(self.failure().unwrap_or_else(|| ended(exit))),
            () = cancel.cancelled() => Err(self.fail(cancelled(self.stage()))),
            () = tokio::time::sleep_until(self.started + self.spec.startup_timeout) => Err(LaunchFailure::new(
                self.stage(),
                FailureClass::TimedOut,
                String::new(),
            )),
            () = note_output(&self.log, &mut last_output) => Err(ended(ExitFacts { code: None, signal: None })),
            ready = probe.until_ready(self.started) => Ok(ready),
        };
        match outcome {
            Ok(Ok(ready)) => self.accept(ready, scrubber).await,
            Ok(Err(Refusal(answer))) => Err(self.fail(self.refusal(&answer, scrubber).await)),
            Err(failure) if failure.class == FailureClass::TimedOut => {
                let answer = scrubber.scrub(&probe.last_answer);
                Err(self.fail(self.timed_out(&answer, last_output).await))
            }
            Err(failure) => Err(failure),
        }
    }

    /// Waits for the first process to end. Its failure, if it was one, is known when this returns.
    pub async fn exited(&self) -> ExitFacts {
        let mut exit = self.exit.clone();
        let seen = exit.wait_for(Option::is_some).await.map(|exit| *exit);
        seen.ok().flatten().unwrap_or(ExitFacts { code: None, signal: None })
    }

    /// Stops the engine and everything that came out of it: SIGTERM, 5 seconds, SIGKILL, then a look at its port.
    /// The state becomes `stopped`, or stays `failed` with its reason.
    pub async fn stop(&self) -> StopReport {
        // Refused only where it has failed: the reason stays, the processes go all the same.
        let _ = self.enter(LaunchState::Draining);
        if let Control::Remote(remote) = &self.control {
            let report = remote.stop(&self.spec).await;
            let _ = self.enter(LaunchState::Stopped);
            return report;
        }
        let ended = stop::end_family(Family::new(self.spec.launch_id, self.leader), TERM_GRACE).await;
        let problem = match &self.spec.container {
            Some(container) => container::clear(container, self.spec.launch_id).await.err(),
            None => None,
        };
        let exit = match ended.left.is_empty() {
            true => Some(self.exited().await),
            false => *self.exit.borrow(),
        };
        let port = stop::settled_port(self.spec.port).await;
        let _ = self.enter(LaunchState::Stopped);
        StopReport { exit, killed: ended.killed, left: ended.left, port, problem }
    }

    fn stage(&self) -> LaunchStage {
        self.status.borrow().stage
    }

    /// Notes a failure, unless an earlier one is known; returns the one that counts.
    fn fail(&self, failure: LaunchFailure) -> LaunchFailure {
        fail(&self.status, &failure);
        self.failure().unwrap_or(failure)
    }

    /// The engine answered: is it ours, and does it still live?
    async fn accept(&self, ready: ReadyFacts, scrubber: &Scrubber) -> Result<ReadyFacts, LaunchFailure> {
        let (port, mut family) = (self.spec.port, Family::new(self.spec.launch_id, self.leader));
        let stranger = processes::off_thread(move || {
            let owner = ports::owner(port)?;
            let ours = family.living().iter().any(|member| member.identity.pid == owner.pid);
            (!ours).then_some((owner.pid, owner.command))
        });
        if let Some((pid, command)) = stranger.await {
            let owner = (pid, scrubber.scrub(&command).into_owned());
            let failure = LaunchFailure { stage: self.stage(), ..port_taken(port, Some(owner)) };
            return Err(self.fail(failure));
        }
        move_to_ready(&self.status);
        match self.failure() {
            None => Ok(ready),
            Some(failure) => Err(failure),
        }
    }

    /// A healthy server did not answer a real request. Where its log says why, that is the class.
    async fn refusal(&self, answer: &str, scrubber: &Scrubber) -> LaunchFailure {
        // A broken engine often ends a moment later by itself; then the exit and the whole log are there to tell.
        if tokio::time::timeout(LOG_DRAIN, self.exited()).await.is_ok()
            && let Some(failure) = self.failure()
        {
            return failure;
        }
        let answer = scrubber.scrub(answer);
        let reason = format!("the server is healthy but did not answer a request: {answer}");
        self.explain(FailureClass::RequestFailed, reason).await
    }

    async fn timed_out(&self, answer: &str, last_output: Instant) -> LaunchFailure {
        let timeout = self.spec.startup_timeout;
        let silent = last_output.elapsed();
        let class = if silent * 2 > timeout { FailureClass::Hang } else { FailureClass::TimedOut };
        let reason = format!(
            "not ready after {} s: {answer}; its last output was {} s before",
            timeout.as_secs_f64(),
            silent.as_secs()
        );
        self.explain(class, reason).await
    }

    /// A failure of this class, or of the class that the log proves, with the lines that do.
    async fn explain(&self, class: FailureClass, reason: String) -> LaunchFailure {
        let log = self.log.clone();
        let lines = processes::off_thread(move || log.ends(SEARCHED_BYTES)).await;
        recognise::explain(self.stage(), class, reason, &lines)
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        // Letting go of the line to an agent is the sign for it to stop the engine.
        if self.status.borrow().state == LaunchState::Stopped || matches!(self.control, Control::Remote(_)) {
            return;
        }
        for member in Family::new(self.spec.launch_id, self.leader).living() {
            // What cannot be signalled here is found by the next sweep.
            let _ = processes::send_signal(member.identity, Signal::KILL);
        }
        if let Some(container) = &self.spec.container {
            container::remove_detached(container.clone(), self.spec.launch_id);
        }
    }
}

/// Starts the process with its output going to `writer`, in a process group of its own.
fn spawn(spec: &EngineSpec, writer: io::PipeWriter, environment: &Environment) -> Result<Child, LaunchFailure> {
    let wanted = command_line(spec);
    let argv = with_priority(&wanted, spec.idle_priority, environment);
    let Some((program, arguments)) = argv.split_first() else {
        return Err(LaunchFailure::new(LaunchStage::Start, FailureClass::CommandNotFound, "the command is empty"));
    };
    let second = writer.try_clone().map_err(|error| trouble("a pipe for the log could not be made", error))?;
    let mut command = Command::new(program);
    command.args(arguments).envs(spec.env.iter().map(|(name, value)| (name, value)));
    command.env(LAUNCH_VARIABLE, spec.launch_id.to_string());
    // Engines that set their process title would overwrite the environment that clean-up reads.
    command.env("SPT_NOENV", "1");
    // The last words of a crashing Python process would be lost in its buffer.
    command.env("PYTHONUNBUFFERED", "1");
    command.stdin(Stdio::null()).stdout(writer).stderr(second).process_group(0).kill_on_drop(true);
    command.spawn().map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => LaunchFailure::new(
            LaunchStage::Start,
            FailureClass::CommandNotFound,
            format!("`{}` was not found on PATH of this machine", wanted[0]),
        )
        .hint("install it, or correct the server_command of the plan"),
        _ => trouble(&format!("`{}` could not be started", wanted[0]), error),
    })
}

/// What is started: the engine's command, or the container around it.
pub(crate) fn command_line(spec: &EngineSpec) -> Vec<String> {
    let launch = Launch { id: spec.launch_id, argv: &spec.argv, env: &spec.env, folder: &spec.folder };
    spec.container.as_ref().map_or_else(|| spec.argv.clone(), |container| container.launch(launch))
}

/// The command, behind `chrt --idle 0` or else `nice -n 19` where idle priority is asked for. Both replace themselves
/// by the command, so that its process id stays the same.
fn with_priority(argv: &[String], idle: bool, environment: &Environment) -> Vec<String> {
    let wrappers: [(&str, &[&str]); 2] = [("chrt", &["--idle", "0"]), ("nice", &["-n", "19"])];
    let wrapper = wrappers.iter().find_map(|(name, words)| {
        let program = environment.find_program(name).filter(|_| idle)?;
        Some(std::iter::once(program.display().to_string()).chain(words.iter().map(|word| (*word).to_owned())))
    });
    // A missing program must be our error, not the wrapper's exit code.
    let there = argv.first().is_some_and(|first| first.contains('/') || environment.find_program(first).is_some());
    wrapper.filter(|_| there).into_iter().flatten().chain(argv.iter().cloned()).collect()
}

/// Waits for the process to end, finds out why if nobody asked it to, and then lets everybody know.
async fn supervise(
    mut child: Child,
    contained: Option<(ContainerCommand, Uuid)>,
    log: EngineLog,
    status: Arc<watch::Sender<EngineStatus>>,
    exit_sender: watch::Sender<Option<ExitFacts>>,
) {
    let mut exit = child.wait().await.map_or(ExitFacts { code: None, signal: None }, ExitFacts::from);
    if contained.is_some() {
        exit = container::real_exit(exit);
    }
    let mut length = log.length();
    let _ = tokio::time::timeout(LOG_DRAIN, length.wait_for(|length| length.closed)).await;
    let (state, stage) = {
        let status = status.borrow();
        (status.state, status.stage)
    };
    if is_live(state) {
        let lines = processes::off_thread(move || log.ends(SEARCHED_BYTES)).await;
        let failure = match &contained {
            Some((container, launch)) => {
                let out_of_memory = container::ran_out_of_memory(container, *launch).await;
                container::explain(stage, exit, &lines, out_of_memory)
            }
            None => recognise::explain_exit(stage, exit, &lines),
        };
        fail(&status, &failure);
    }
    // The engine may have been dropped; then nobody is left to tell.
    let _ = exit_sender.send(Some(exit));
}

/// Moves to `ready` where that is allowed.
pub(crate) fn move_to_ready(status: &watch::Sender<EngineStatus>) {
    status.send_if_modified(|status| {
        let allowed = may_move(status.state, LaunchState::Ready);
        if allowed {
            status.state = LaunchState::Ready;
            status.stage = LaunchStage::Serving;
        }
        allowed
    });
}

/// Moves to `failed` where that is allowed, keeping the first reason.
pub(crate) fn fail(status: &watch::Sender<EngineStatus>, failure: &LaunchFailure) {
    status.send_if_modified(|status| {
        let allowed = may_move(status.state, LaunchState::Failed);
        if allowed {
            status.state = LaunchState::Failed;
            status.failure = Some(failure.clone());
        }
        allowed
    });
}

/// Notes when the log grew last; ends never.
async fn note_output(log: &EngineLog, last_output: &mut Instant) {
    let mut length = log.length();
    while length.changed().await.is_ok() {
        *last_output = Instant::now();
    }
    std::future::pending().await
}

fn port_taken(port: u16, owner: Option<(i32, String)>) -> LaunchFailure {
    let by =
        owner.map_or_else(|| "another process".to_owned(), |(pid, command)| format!("process {pid} (`{command}`)"));
    LaunchFailure::new(LaunchStage::Start, FailureClass::PortTaken, format!("port {port} is used by {by}"))
        .hint("stop that process, or let the engine have another port")
}

fn trouble(what: &str, error: impl std::fmt::Display) -> LaunchFailure {
    LaunchFailure::new(LaunchStage::Start, FailureClass::HostTrouble, format!("{what}: {error}"))
}

fn cancelled(stage: LaunchStage) -> LaunchFailure {
    LaunchFailure::new(stage, FailureClass::Cancelled, "the start was cancelled")
}

/// For an end that came while the engine was being stopped by somebody else.
fn ended(exit: ExitFacts) -> LaunchFailure {
    let failure =
        LaunchFailure::new(LaunchStage::Loading, FailureClass::Cancelled, "the engine was stopped while it started");
    LaunchFailure { exit: Some(exit), ..failure }
}
