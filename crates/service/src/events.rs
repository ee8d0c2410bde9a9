//! Following a run: stored events, in order, without gaps.

use futures::Stream;
use futures::stream;
use podium_store::{NewEvent, Store, Wake};
use tokio::sync::broadcast;
use tokio_util::sync::{CancellationToken, DropGuard};
use uuid::Uuid;

use crate::caller::{Caller, Role};
use crate::error::{Error, Result};
use crate::service::Service;
use crate::views::{RunEvent, RunEventView};

/// Events that are read from the database at once.
const BATCH: i64 = 500;

/// Without a notification the database is asked anyway after this long: a lost one must not stall a watcher.
const LONGEST_WAIT: std::time::Duration = std::time::Duration::from_secs(10);

impl Service {
    /// The events of a run after number `after_seq`: those that are stored first, then each as it happens. The stream
    /// ends after the event that ends the run, and when the database goes away; a reader resumes with the last number
    /// it saw.
    pub async fn run_events(
        &self,
        caller: Caller,
        run_id: Uuid,
        after_seq: i64,
    ) -> Result<impl Stream<Item = RunEventView> + Send + use<>> {
        caller.require(Role::Viewer)?;
        self.store().run(run_id).await?;
        // Listening begins before the first read, so that nothing falls between the two.
        let wakes = self.hub().subscribe();
        let tail = Tail { service: self.clone(), run_id, seq: after_seq, wakes, ready: Vec::new().into_iter() };
        Ok(stream::unfold(tail, |mut tail| async move {
            match tail.next().await {
                Ok(event) => event.map(|event| (event, tail)),
                Err(error) => {
                    tracing::warn!(run_id = %tail.run_id, %error, "a watcher's event stream ends early");
                    None
                }
            }
        }))
    }
}

struct Tail {
    service: Service,
    run_id: Uuid,
    seq: i64,
    wakes: broadcast::Receiver<Wake>,
    ready: std::vec::IntoIter<podium_store::RunEvent>,
}

impl Tail {
    async fn next(&mut self) -> Result<Option<RunEventView>> {
        loop {
            if let Some(stored) = self.ready.next() {
                self.seq = stored.seq;
                let event = serde_json::from_value(stored.body).map_err(Error::internal)?;
                return Ok(Some(RunEventView { seq: stored.seq, at: stored.at, event }));
            }
            // In this order: a run that has ended stores nothing more, so an empty batch after that is the end.
            let ended = self.service.store().run(self.run_id).await?.status.is_final();
            let batch = self.service.store().events_after(self.run_id, self.seq, BATCH).await?;
            match (batch.is_empty(), ended) {
                (false, _) => self.ready = batch.into_iter(),
                (true, true) => return Ok(None),
                (true, false) => self.wait().await,
            }
        }
    }

    /// Waits until the run may have new events.
    async fn wait(&mut self) {
        let deadline = tokio::time::Instant::now() + LONGEST_WAIT;
        loop {
            match tokio::time::timeout_at(deadline, self.wakes.recv()).await {
                Ok(Ok(Wake::Run(id))) if id != self.run_id => {}
                Ok(Err(broadcast::error::RecvError::Closed)) => return tokio::time::sleep_until(deadline).await,
                _ => return,
            }
        }
    }
}

/// The process's one listener: it holds one database connection and wakes every watcher.
#[derive(Debug)]
pub(crate) struct Hub {
    wakes: broadcast::Sender<Wake>,
    _stop: DropGuard,
}

/// A watcher that falls further behind than this is woken once for all that it missed.
const HUB_CAPACITY: usize = 256;

/// Between two attempts to listen again after the database went away.
const RETRY_AFTER: std::time::Duration = std::time::Duration::from_secs(1);

impl Hub {
    pub(crate) fn start(store: Store) -> Self {
        let (wakes, _) = broadcast::channel(HUB_CAPACITY);
        let stop = CancellationToken::new();
        let task = listen(store, wakes.clone());
        let stopped = stop.clone();
        tokio::spawn(async move {
            tokio::select! {
                () = stopped.cancelled() => {}
                () = task => {}
            }
        });
        Hub { wakes, _stop: stop.drop_guard() }
    }

    fn subscribe(&self) -> broadcast::Receiver<Wake> {
        self.wakes.subscribe()
    }
}

async fn listen(store: Store, wakes: broadcast::Sender<Wake>) {
    loop {
        let ended = match store.listen().await {
            Ok(mut listener) => loop {
                // Sending fails only while nobody watches.
                match listener.next().await {
                    Ok(wake) => drop(wakes.send(wake)),
                    Err(error) => break error,
                }
            },
            Err(error) => error,
        };
        tracing::debug!(error = format!("{:#}", anyhow::Error::from(ended)), "not listening for events; trying again");
        tokio::time::sleep(RETRY_AFTER).await;
        // Whatever was stored meanwhile went by unheard.
        drop(wakes.send(Wake::Any));
    }
}

/// An event in the form in which it is stored.
pub(crate) fn stored(event: &RunEvent) -> NewEvent {
    NewEvent::tagged(event).unwrap_or_else(|error| {
        // Only a number that JSON lacks could cause this; the event's place in the order is kept.
        tracing::error!(?event, error = format!("{:#}", anyhow::Error::from(error)), "an event cannot be stored");
        let text = "an event could not be stored; the log has the details";
        NewEvent { kind: "note".to_owned(), body: serde_json::json!({ "kind": "note", "text": text }) }
    })
}
