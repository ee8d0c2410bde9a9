//! What was typed is kept in the browser until it is started or discarded.

use leptos::prelude::*;
use serde::{Deserialize, Serialize};

use super::state::Editor;

/// The draft of one source.
#[derive(Clone, Copy)]
pub(super) struct Draft {
    source: StoredValue<String>,
    /// The text as the server sent it.
    original: StoredValue<String>,
    editor: Editor,
    was_restored: RwSignal<bool>,
}

/// What is stored.
#[derive(Serialize, Deserialize)]
struct Stored {
    yaml: String,
    /// Whether a run was started from it: then it is history.
    started: bool,
}

impl Draft {
    pub(super) fn new(source: String, editor: Editor) -> Self {
        Self {
            source: StoredValue::new(source),
            original: StoredValue::new(editor.yaml.get_untracked()),
            editor,
            was_restored: RwSignal::new(false),
        }
    }

    fn key(self) -> String {
        self.source.with_value(|source| format!("podium-draft:{source}"))
    }

    /// Brings back what an earlier visit left. From then on every change is kept.
    pub(super) fn restore(self) {
        let stored = storage().and_then(|storage| storage.get_item(&self.key()).ok().flatten());
        let stored = stored.and_then(|text| serde_json::from_str::<Stored>(&text).ok());
        if let Some(stored) = stored
            && !stored.started
            && self.original.with_value(|original| *original != stored.yaml)
        {
            self.editor.set_yaml(stored.yaml);
            self.was_restored.set(true);
        }
        Effect::new(move |previous: Option<String>| {
            let yaml = self.editor.yaml.get();
            // The first call tells how it was.
            if previous.is_some_and(|previous| previous != yaml) {
                self.store(&yaml, false);
            }
            yaml
        });
    }

    /// A run is about to be started from it.
    pub(super) fn submitted(self) {
        self.store(&self.editor.yaml.get_untracked(), true);
    }

    fn discard(self) {
        if let Some(storage) = storage() {
            // A browser that forbids storage has nothing to forget.
            let _ = storage.remove_item(&self.key());
        }
        self.editor.set_yaml(self.original.get_value());
        self.was_restored.set(false);
    }

    fn store(self, yaml: &str, started: bool) {
        let stored = Stored { yaml: yaml.to_owned(), started };
        if let (Some(storage), Ok(text)) = (storage(), serde_json::to_string(&stored)) {
            // A browser that forbids storage or is full keeps the text area alone.
            let _ = storage.set_item(&self.key(), &text);
        }
    }
}

fn storage() -> Option<web_sys::Storage> {
    window().local_storage().ok().flatten()
}

/// Says that a draft was brought back, and offers to discard it.
#[component]
pub(super) fn DraftNotice(draft: Draft) -> impl IntoView {
    view! {
        <div class="notice" role="status" hidden=move || !draft.was_restored.get()>
            <p>
                "Your changes from an earlier visit were brought back. "
                <button type="button" class="button button-small" on:click=move |_| draft.discard()>
                    "Discard them"
                </button>
            </p>
        </div>
    }
}
