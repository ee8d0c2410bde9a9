//! What was typed is kept in the browser until it is started or discarded.

use leptos::prelude::*;

/// The draft of one source.
#[derive(Clone, Debug)]
pub(super) struct Draft {
    key: String,
}

/// Before a text from which a run was started: then it is history and not brought back.
const STARTED: &str = "started\n";

/// Before a text that was not.
const OPEN: &str = "open\n";

impl Draft {
    pub(super) fn new(source: &str) -> Self {
        Self { key: format!("podium-draft:{source}") }
    }

    /// What an earlier visit left and did not start.
    pub(super) fn open_text(&self) -> Option<String> {
        let stored = storage()?.get_item(&self.key).ok()??;
        stored.strip_prefix(OPEN).map(str::to_owned)
    }

    /// Keeps a text.
    pub(super) fn keep(&self, yaml: &str) {
        self.store(OPEN, yaml);
    }

    /// A run is about to be started from it.
    pub(super) fn started(&self, yaml: &str) {
        self.store(STARTED, yaml);
    }

    pub(super) fn forget(&self) {
        if let Some(storage) = storage() {
            // A browser that forbids storage has nothing to forget.
            let _ = storage.remove_item(&self.key);
        }
    }

    fn store(&self, state: &str, yaml: &str) {
        if let Some(storage) = storage() {
            // A browser that forbids storage or is full keeps the text area alone.
            let _ = storage.set_item(&self.key, &format!("{state}{yaml}"));
        }
    }
}

fn storage() -> Option<web_sys::Storage> {
    window().local_storage().ok().flatten()
}
