//! Keeps a lease alive while its run is worked on, and turns its loss, a cancel and a shutdown into one signal.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use podium_domain::status::RunStatus;
use podium_store::{Lease, Store};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// Why work on a run stops before its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum StopCause {
    /// Somebody asked for it.
    Cancelled,
    /// Another worker has the run now: nothing more may be written.
    LeaseLost,
    /// This worker shuts down; another one goes on.
    Shutdown,
    /// Something stopped another executor of the run, which tells what.
    Executor,
}

/// Tells everybody who works on a run to stop, and why. Clones are the same signal; the first cause counts.
#[derive(Debug, Clone, Default)]
pub(super) struct StopSignal {
    token: CancellationToken,
    cause: Arc<OnceLock<StopCause>>,
}

impl StopSignal {
    pub(super) fn raise(&self, cause: StopCause) {
        // A later cause changes nothing.
        let _ = self.cause.set(cause);
        self.token.cancel();
    }

    /// The cause, once raised.
    pub(super) fn cause(&self) -> Option<StopCause> {
        self.cause.get().copied()
    }

    /// For interfaces that only need to know that it is over.
    pub(super) fn token(&self) -> &CancellationToken {
        &self.token
    }
}

/// How long a run goes on without the database: what is being measured is measured to its end and kept on disk, but an
/// engine must not hold its GPUs for ever. [`Lease`] fences what is written afterwards.
pub(crate) const OUTAGE_LIMIT: Duration = Duration::from_secs(600);

/// Renews the lease every third of its length until it is dropped.
///
/// A lease that ran out while the database did not answer is renewed as soon as it does: only another worker's claim
/// ends it.
pub(super) struct LeaseKeeper {
    task: JoinHandle<()>,
}

impl LeaseKeeper {
    pub(super) fn start(
        store: Store,
        lease: Lease,
        ttl: Duration,
        signal: StopSignal,
        shutdown: CancellationToken,
    ) -> Self {
        let task = tokio::spawn(async move {
            // Checked more often than the lease needs, so that a cancel is seen soon.
            let interval = (ttl / 3).min(Duration::from_secs(1));
            let mut heard = tokio::time::Instant::now();
            loop {
                tokio::select! {
                    () = shutdown.cancelled(), if signal.cause().is_none() => signal.raise(StopCause::Shutdown),
                    () = tokio::time::sleep(interval) => {}
                }
                let trouble = match tokio::time::timeout(ttl, store.renew_lease(&lease, ttl)).await {
                    Ok(Ok(status)) => {
                        heard = tokio::time::Instant::now();
                        if status == RunStatus::Cancelling {
                            signal.raise(StopCause::Cancelled);
                        }
                        continue;
                    }
                    Ok(Err(podium_store::Error::LeaseLost)) => return signal.raise(StopCause::LeaseLost),
                    Ok(Err(error)) => format!("{:#}", anyhow::Error::from(error)),
                    Err(_) => "the database does not answer".to_owned(),
                };
                tracing::warn!(run_id = %lease.run_id, error = trouble, "the lease could not be renewed");
                if heard.elapsed() >= OUTAGE_LIMIT {
                    return signal.raise(StopCause::LeaseLost);
                }
            }
        });
        LeaseKeeper { task }
    }
}

impl Drop for LeaseKeeper {
    fn drop(&mut self) {
        self.task.abort();
    }
}
