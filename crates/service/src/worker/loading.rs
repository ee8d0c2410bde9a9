//! Waiting for an engine, and telling how far it is meanwhile.

use std::time::Duration;

use podium_domain::status::LaunchState;
use podium_launcher::{Engine, LaunchFailure, ReadyFacts, loading_progress};
use podium_store::Candidate;

use super::run_task::RunTask;
use crate::events::stored;

/// Between two looks at the log.
const LOOK_INTERVAL: Duration = Duration::from_secs(1);

/// The last lines of the log that are looked at: progress is in the newest.
const LINES: usize = 30;

impl RunTask<'_> {
    /// Waits until the engine is ready or has failed; tells what its log says of its loading, once for each change.
    pub(super) async fn until_ready(
        &self,
        candidate: &Candidate,
        engine: &Engine,
    ) -> Result<ReadyFacts, LaunchFailure> {
        let ready = engine.wait_ready(self.signal.token());
        tokio::pin!(ready);
        let mut told = None;
        loop {
            tokio::select! {
                ready = &mut ready => return ready,
                () = tokio::time::sleep(LOOK_INTERVAL) => {}
            }
            let progress = loading_progress(&engine.log_tail(LINES));
            if progress.is_some() && progress != told {
                told = progress;
                let detail = progress.map(|progress| progress.to_string());
                let event = self.launch_event(candidate, engine.launch_id(), LaunchState::Loading, detail);
                // The next one tells as much; whether the run is still this worker's shows when it is ready.
                if let Err(halt) = self.append(&[stored(&event)]).await {
                    tracing::debug!(?halt, "an engine's progress was not shown");
                }
            }
        }
    }
}
