//! An engine on another machine: the agent there starts, watches and stops it, and this side follows what it tells.

use std::fmt;
use std::io::{self, Read};
use std::sync::{Arc, Weak};
use std::time::Duration;

use podium_domain::status::LaunchState;
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _};
use tokio::sync::{Mutex, mpsc, watch};
use tokio::time::Instant;

use crate::agent_host::{AgentHost, HostError, trouble};
use crate::engine::{Control, Engine, EngineSpec, EngineStatus, fail, move_to_ready};
use crate::failure::{ExitFacts, FailureClass, LaunchFailure, LaunchStage};
use crate::link::{Exec, ExecInput};
use crate::log::EngineLog;
use crate::ports::PortState;
use crate::readiness::ReadyFacts;
use crate::scrub::Scrubber;
use crate::state::may_move;
use crate::stop::StopReport;
use crate::wire::{BEAT_INTERVAL, EngineNews, Order, SILENCE_LIMIT};

/// The line to the agent that stays with an engine.
pub(crate) struct RemoteControl {
    host: AgentHost,
    /// The port of this machine under which the engine is reached, or the engine's own where the load is there.
    pub(crate) url_port: u16,
    /// Letting go of it stops the engine.
    orders: Arc<Mutex<Option<ExecInput>>>,
    pub(crate) ready: watch::Receiver<Option<ReadyFacts>>,
    stopped: watch::Receiver<Option<StopReport>>,
    over: watch::Receiver<bool>,
}

impl fmt::Debug for RemoteControl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RemoteControl")
            .field("host", &self.host)
            .field("url_port", &self.url_port)
            .finish_non_exhaustive()
    }
}

/// How long the agent may take for the start of a process, and for its end.
const START_DEADLINE: Duration = Duration::from_secs(60);
const STOP_DEADLINE: Duration = Duration::from_secs(30);

/// Pieces of the log that wait to be written; the agent waits beyond that.
const LOG_PIECES: usize = 64;

/// Follows the agent that was just given the engine's job.
pub(crate) async fn start(
    host: AgentHost,
    mut exec: Exec,
    spec: EngineSpec,
    url_port: u16,
    scrubber: Scrubber,
) -> Result<Engine, LaunchFailure> {
    std::fs::create_dir_all(&spec.folder).map_err(|error| {
        trouble(HostError(format!("the folder {} could not be made: {error}", spec.folder.display())))
    })?;
    let (pieces, received) = mpsc::channel(LOG_PIECES);
    let log = EngineLog::capture(Pieces::new(received), &spec.folder, spec.log_limits, scrubber)
        .map_err(|error| trouble(HostError(format!("no log can be written in {}: {error}", spec.folder.display()))))?;
    let (leader, started_at) = match tokio::time::timeout(START_DEADLINE, next(&mut exec)).await {
        Ok(Ok(EngineNews::Started { process, started_at })) => (process, started_at),
        Ok(Ok(EngineNews::NotStarted(failure))) => return Err(failure),
        Ok(Ok(_)) => return Err(trouble(HostError("the agent told of an engine before it was started".to_owned()))),
        Ok(Err(error)) => return Err(trouble(HostError(error.to_string()))),
        Err(_) => return Err(trouble(HostError("the agent did not start the engine in time".to_owned()))),
    };
    let starting = EngineStatus { state: LaunchState::Starting, stage: LaunchStage::Loading, failure: None };
    let status = Arc::new(watch::Sender::new(starting));
    let (exit_sender, exit) = watch::channel(None);
    let (ready_sender, ready) = watch::channel(None);
    let (stopped_sender, stopped) = watch::channel(None);
    let (over_sender, over) = watch::channel(false);
    let Exec { stdin, stdout, child } = exec;
    let orders = Arc::new(Mutex::new(Some(stdin)));
    tokio::spawn(beat(Arc::downgrade(&orders)));
    let connection = host.clone();
    let mut follower = Follower {
        status: status.clone(),
        pieces: Some(pieces),
        exit: exit_sender,
        ready: ready_sender,
        stopped: stopped_sender,
    };
    tokio::spawn(async move {
        let mut lines = stdout.lines();
        let mut told_end = false;
        loop {
            let line = match tokio::time::timeout(SILENCE_LIMIT, lines.next_line()).await {
                Ok(Ok(Some(line))) => line,
                Ok(_) => break,
                Err(_) => {
                    connection.link().abandon().await;
                    break;
                }
            };
            let Ok(news) = serde_json::from_str(&line) else { break };
            told_end = matches!(news, EngineNews::Stopped(_));
            follower.hear(news).await;
        }
        follower.end(told_end);
        let _ = over_sender.send(true);
        let _ = child.wait().await;
    });
    let control = RemoteControl { host, url_port, orders, ready, stopped, over };
    Ok(Engine {
        spec,
        leader,
        log,
        status,
        exit,
        started: Instant::now(),
        started_at,
        control: Control::Remote(Box::new(control)),
    })
}

/// Lets the agent hear that this side is there, for as long as it may be given orders.
async fn beat(orders: Weak<Mutex<Option<ExecInput>>>) {
    loop {
        tokio::time::sleep(BEAT_INTERVAL).await;
        // Whoever held the engine has let go of it.
        let Some(orders) = orders.upgrade() else { return };
        let mut orders = orders.lock().await;
        let Some(stdin) = orders.as_mut() else { return };
        // A line that hangs must not keep others from the pipe; the silence that follows is heard on both sides.
        if !matches!(tokio::time::timeout(BEAT_INTERVAL, give(stdin, Order::Beat)).await, Ok(Ok(()))) {
            return;
        }
    }
}

async fn give(stdin: &mut ExecInput, order: Order) -> io::Result<()> {
    let mut line = serde_json::to_vec(&order)?;
    line.push(b'\n');
    stdin.write_all(&line).await?;
    stdin.flush().await
}

/// What the agent says next.
async fn next(exec: &mut Exec) -> io::Result<EngineNews> {
    let mut line = String::new();
    if exec.stdout.read_line(&mut line).await? == 0 {
        return Err(io::Error::other("the agent ended before it started the engine"));
    }
    Ok(serde_json::from_str(&line)?)
}

fn move_to(status: &watch::Sender<EngineStatus>, state: LaunchState) {
    status.send_if_modified(|status| {
        let allowed = may_move(status.state, state);
        if allowed {
            status.state = state;
        }
        allowed
    });
}

/// Turns what the agent tells into what an engine's users look at.
struct Follower {
    status: Arc<watch::Sender<EngineStatus>>,
    pieces: Option<mpsc::Sender<String>>,
    exit: watch::Sender<Option<ExitFacts>>,
    ready: watch::Sender<Option<ReadyFacts>>,
    stopped: watch::Sender<Option<StopReport>>,
}

impl Follower {
    async fn hear(&mut self, news: EngineNews) {
        match news {
            EngineNews::Log(text) => {
                if let Some(pieces) = &self.pieces
                    && pieces.send(text).await.is_err()
                {
                    self.pieces = None;
                }
            }
            EngineNews::Stage(stage) => self.status.send_modify(|status| status.stage = stage),
            EngineNews::Failed(failure) => fail(&self.status, &failure),
            EngineNews::Ready(facts) => {
                // Its user may not have begun to wait for it yet.
                move_to(&self.status, LaunchState::Loading);
                move_to_ready(&self.status);
                let _ = self.ready.send(Some(facts));
            }
            EngineNews::Exited(exit) => {
                self.exit.send_if_modified(|known| known.is_none() && known.replace(exit).is_none());
            }
            EngineNews::Stopped(report) => {
                let _ = self.stopped.send(Some(report));
            }
            // That it came is all that it says; only the first line can be one of the others.
            EngineNews::Alive | EngineNews::Started { .. } | EngineNews::NotStarted(_) => {}
        }
    }

    /// Nothing more will come. Without its last line the agent, or the way to it, is gone, and the engine with it.
    fn end(&mut self, told_end: bool) {
        self.pieces = None;
        if !told_end {
            let stage = self.status.borrow().stage;
            let reason = "the connection to the host was lost; its agent stops the engine then";
            let failure = LaunchFailure::new(stage, FailureClass::HostTrouble, reason);
            fail(&self.status, &failure.hint("see whether the host and the way to it are up, then run the plan again"));
        }
        let unseen = ExitFacts { code: None, signal: None };
        self.exit.send_if_modified(|known| known.is_none() && known.replace(unseen).is_none());
    }
}

impl RemoteControl {
    /// Asks the agent to stop the engine; where it is out of reach, a new connection sweeps.
    pub(crate) async fn stop(&self, spec: &EngineSpec) -> StopReport {
        if let Some(mut orders) = self.orders.lock().await.take() {
            // Dropped right after; a line that does not arrive says the same as one that does.
            let _ = tokio::time::timeout(BEAT_INTERVAL, give(&mut orders, Order::Stop)).await;
            drop(orders);
            let mut over = self.over.clone();
            let _ = tokio::time::timeout(STOP_DEADLINE, over.wait_for(|over| *over)).await;
        }
        if self.url_port != spec.port {
            self.host.link().unforward(self.url_port, spec.port).await;
        }
        let told = self.stopped.borrow().clone();
        match told {
            Some(report) => report,
            None => self.sweep(spec).await,
        }
    }

    async fn sweep(&self, spec: &EngineSpec) -> StopReport {
        let report = self.host.sweep(&[spec.launch_id]).await;
        let port = match self.host.port_state(spec.port).await {
            Ok(state) => state,
            Err(error) => {
                tracing::warn!(%error, "whether the engine's port is free is not known");
                PortState::Taken { owner: None }
            }
        };
        StopReport { exit: None, killed: report.killed, left: report.left, port, problem: report.problem }
    }
}

/// Pieces of text from an async task as something that a thread can read.
struct Pieces {
    received: mpsc::Receiver<String>,
    current: Vec<u8>,
    read: usize,
}

impl Pieces {
    fn new(received: mpsc::Receiver<String>) -> Self {
        Self { received, current: Vec::new(), read: 0 }
    }
}

impl Read for Pieces {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.read == self.current.len() {
            let Some(piece) = self.received.blocking_recv() else { return Ok(0) };
            (self.current, self.read) = (piece.into_bytes(), 0);
        }
        let count = buffer.len().min(self.current.len() - self.read);
        buffer[..count].copy_from_slice(&self.current[self.read..self.read + count]);
        self.read += count;
        Ok(count)
    }
}
