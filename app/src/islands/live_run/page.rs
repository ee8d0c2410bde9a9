//! The parts of the page that the server draws anew when something happened.

use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;

use leptos::prelude::*;
use leptos::task::spawn_local;

use super::log::Log;
use crate::api::watch_run;
use crate::islands::parts::replace;

/// News within this time are answered by one refresh.
const GATHER: Duration = Duration::from_millis(300);

/// Fetches the parts again, one request at a time.
#[derive(Clone)]
pub(super) struct Refresh {
    run_id: Rc<str>,
    log: Log,
    is_scheduled: Rc<Cell<bool>>,
}

impl Refresh {
    pub(super) fn new(run_id: &str, log: Log) -> Self {
        Self { run_id: run_id.into(), log, is_scheduled: Rc::default() }
    }

    /// Fetches the parts in a moment, together with whatever else happens until then.
    pub(super) fn soon(&self) {
        if self.is_scheduled.replace(true) {
            return;
        }
        let refresh = self.clone();
        set_timeout(
            move || {
                spawn_local(async move {
                    // What happens from here on is not in the answer and asks for another one.
                    refresh.is_scheduled.set(false);
                    // A refresh that fails is made up for by the next one; the connection's own state is shown.
                    if let Ok(state) = watch_run(refresh.run_id.to_string()).await {
                        replace("run-head", &state.head_html);
                        replace("run-matrix", &state.matrix_html);
                        refresh.log.set_launches(&state.launches_html);
                    }
                });
            },
            GATHER,
        );
    }
}
