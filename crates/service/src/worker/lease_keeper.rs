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

/// Renews the lease every third of its length until it is dropped.
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
            let mut expires = tokio::time::Instant::now() + ttl;
            loop {
                tokio::select! {
                    () = shutdown.cancelled(), if signal.cause().is_none() => signal.raise(StopCause::Shutdown),
                    () = tokio::time::sleep(interval) => {}
                }
                let asked = tokio::time::Instant::now();
                let renewed = tokio::time::timeout_at(expires, store.renew_lease(&lease, ttl)).await;
                // A database that does not answer in time may have given the run to somebody else.
                let Ok(renewed) = renewed else { return signal.raise(StopCause::LeaseLost) };
                match renewed {
                    Ok(RunStatus::Cancelling) => {
                        expires = asked + ttl;
                        signal.raise(StopCause::Cancelled);
                    }
                    Ok(_) => expires = asked + ttl,
                    Err(podium_store::Error::LeaseLost) => return signal.raise(StopCause::LeaseLost),
                    Err(error) => {
                        tracing::warn!(run_id = %lease.run_id, error = format!("{:#}", anyhow::Error::from(error)),
                            "the lease could not be renewed");
                        if tokio::time::Instant::now() >= expires {
                            return signal.raise(StopCause::LeaseLost);
                        }
                    }
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
