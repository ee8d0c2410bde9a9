//! The task that runs the engine in real time.

use std::collections::HashMap;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::engine::{Crash, Emission, Engine, Histogram, NewRequest, Rejection, RequestId, Stats};

/// A step starts where the last one ended, so that late wake-ups do not add up; after a delay beyond this (a suspended
/// machine), the lost time is not caught up.
const MOST_CATCH_UP: Duration = Duration::from_millis(50);

/// Why an engine died under load.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Death {
    /// An allocation failed.
    OutOfMemory(Crash),
    /// The fault `crash-after` struck.
    Fault,
}

enum Command {
    Submit { request: NewRequest, pre_scheduler: Duration, reply: oneshot::Sender<Result<Running, Rejection>> },
    Cancel(RequestId),
    Stats(oneshot::Sender<Stats>),
    Die,
}

/// The way to the engine's task.
#[derive(Clone)]
pub(super) struct EngineHandle {
    // Unbounded, because a cancel comes from a destructor, which cannot wait. The connections bound it.
    commands: mpsc::UnboundedSender<Command>,
    death: watch::Receiver<Option<Death>>,
}

/// A request in the engine; dropping it frees what it holds there.
pub(super) struct Running {
    id: RequestId,
    // At most as many messages as the request has tokens.
    emissions: mpsc::UnboundedReceiver<Emission>,
    commands: mpsc::UnboundedSender<Command>,
    finished: bool,
}

impl Running {
    /// The next tokens; `None` after the last ones, or when the engine died.
    pub(super) async fn next(&mut self) -> Option<Emission> {
        let emission = self.emissions.recv().await?;
        self.finished |= emission.finish.is_some();
        Some(emission)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if !self.finished {
            // When the engine is gone there is nothing left to free.
            let _ = self.commands.send(Command::Cancel(self.id));
        }
    }
}

/// Why a request is not in the engine.
pub(super) enum SubmitError {
    Rejected(Rejection),
    EngineDead,
}

impl EngineHandle {
    /// Gives the engine a request, which the front end has had for `pre_scheduler`.
    pub(super) async fn submit(&self, request: NewRequest, pre_scheduler: Duration) -> Result<Running, SubmitError> {
        let (reply, answer) = oneshot::channel();
        self.commands.send(Command::Submit { request, pre_scheduler, reply }).map_err(|_| SubmitError::EngineDead)?;
        answer.await.map_err(|_| SubmitError::EngineDead)?.map_err(SubmitError::Rejected)
    }

    pub(super) async fn stats(&self) -> Option<Stats> {
        let (reply, answer) = oneshot::channel();
        self.commands.send(Command::Stats(reply)).ok()?;
        answer.await.ok()
    }

    pub(super) fn die(&self) {
        // An engine that is already gone cannot die again.
        let _ = self.commands.send(Command::Die);
    }

    pub(super) async fn died(&self) -> Death {
        let mut death = self.death.clone();
        let died = death.wait_for(Option::is_some).await.ok().and_then(|death| *death);
        match died {
            Some(death) => death,
            // The task ended because the server stops, which is no death.
            None => std::future::pending().await,
        }
    }
}

/// Starts the engine's task.
pub(super) fn start(engine: Engine, stop: CancellationToken, tasks: &TaskTracker) -> EngineHandle {
    let (commands, receiver) = mpsc::unbounded_channel();
    let (death_sender, death) = watch::channel(None);
    let driver = Driver {
        engine,
        commands: receiver,
        own_commands: commands.downgrade(),
        streams: HashMap::new(),
        pre_scheduler: Histogram::default(),
        epoch: Instant::now(),
    };
    tasks.spawn(async move {
        if let Some(death) = driver.run(stop).await {
            death_sender.send_replace(Some(death));
        }
    });
    EngineHandle { commands, death }
}

struct Driver {
    engine: Engine,
    commands: mpsc::UnboundedReceiver<Command>,
    own_commands: mpsc::WeakUnboundedSender<Command>,
    streams: HashMap<RequestId, mpsc::UnboundedSender<Emission>>,
    /// What the front end says of its own time.
    pre_scheduler: Histogram,
    epoch: Instant,
}

impl Driver {
    /// Runs until the engine dies or the server stops and nothing is under way.
    async fn run(mut self, stop: CancellationToken) -> Option<Death> {
        let mut last_end = Duration::ZERO;
        loop {
            while let Ok(command) = self.commands.try_recv() {
                if let Some(death) = self.handle(command) {
                    return Some(death);
                }
            }
            let real = self.epoch.elapsed();
            let now = if real.saturating_sub(last_end) > MOST_CATCH_UP { real } else { last_end };
            match self.engine.start_step(now) {
                Err(crash) => return Some(Death::OutOfMemory(crash)),
                Ok(None) => {
                    // Idle time is not to be caught up either.
                    let command = tokio::select! {
                        command = self.commands.recv() => command?,
                        () = stop.cancelled() => return None,
                    };
                    if let Some(death) = self.handle(command) {
                        return Some(death);
                    }
                    last_end = self.epoch.elapsed();
                }
                Ok(Some(ends_at)) => {
                    if let Some(death) = self.wait_until(self.epoch + ends_at).await {
                        return Some(death);
                    }
                    last_end = ends_at;
                    for emission in self.engine.finish_step() {
                        self.send(emission);
                    }
                }
            }
        }
    }

    /// Waits for the end of a step and takes commands meanwhile.
    async fn wait_until(&mut self, end: Instant) -> Option<Death> {
        let timer = sleep_until(end);
        tokio::pin!(timer);
        loop {
            tokio::select! {
                biased;
                () = &mut timer => return None,
                Some(command) = self.commands.recv() => {
                    if let Some(death) = self.handle(command) {
                        return Some(death);
                    }
                }
            }
        }
    }

    fn handle(&mut self, command: Command) -> Option<Death> {
        match command {
            Command::Submit { request, pre_scheduler, reply } => {
                self.pre_scheduler.record(pre_scheduler);
                self.submit(&request, reply);
            }
            Command::Cancel(id) => {
                self.streams.remove(&id);
                self.engine.cancel(id);
            }
            Command::Stats(reply) => {
                // Whoever asked may be gone.
                let _ = reply.send(Stats { pre_scheduler: self.pre_scheduler.clone(), ..self.engine.stats() });
            }
            Command::Die => return Some(Death::Fault),
        }
        None
    }

    fn submit(&mut self, request: &NewRequest, reply: oneshot::Sender<Result<Running, Rejection>>) {
        let Some(commands) = self.own_commands.upgrade() else { return };
        let answer = self.engine.submit(self.epoch.elapsed(), request).map(|id| {
            let (sender, emissions) = mpsc::unbounded_channel();
            self.streams.insert(id, sender);
            Running { id, emissions, commands, finished: false }
        });
        // A client that left meanwhile: the answer comes back, and dropping it cancels the request.
        drop(reply.send(answer));
    }

    fn send(&mut self, emission: Emission) {
        let Some(stream) = self.streams.get(&emission.id) else { return };
        // A closed stream has sent its cancel already.
        let _ = stream.send(emission);
        if emission.finish.is_some() {
            self.streams.remove(&emission.id);
        }
    }
}
