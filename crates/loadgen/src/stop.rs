//! Asking a load run to stop.

use std::sync::Arc;

use tokio::sync::watch;

/// Asks one load run to stop early: what is in flight is cancelled, what was measured is kept. Clones act on the same
/// run, from any thread.
#[derive(Debug, Clone)]
pub struct StopHandle {
    stopped: Arc<watch::Sender<bool>>,
}

impl Default for StopHandle {
    fn default() -> Self {
        StopHandle { stopped: Arc::new(watch::Sender::new(false)) }
    }
}

impl StopHandle {
    /// A handle for one run.
    pub fn new() -> Self {
        Self::default()
    }

    /// Asks the run to stop. Asking again, or after the end, does nothing.
    pub fn stop(&self) {
        self.stopped.send_replace(true);
    }

    /// Whether the run was asked to stop.
    pub fn is_stopped(&self) -> bool {
        *self.stopped.borrow()
    }

    /// Waits until the run is asked to stop.
    pub(crate) async fn stopped(&self) {
        // The sender lives in `self`, so waiting cannot fail.
        let _ = self.stopped.subscribe().wait_for(|stopped| *stopped).await;
    }
}
