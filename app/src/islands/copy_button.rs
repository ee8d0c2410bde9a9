//! Copies a command.

use leptos::prelude::*;
use leptos::task::spawn_local;

/// How long the button tells what it did, in milliseconds.
const TOLD_FOR: std::time::Duration = std::time::Duration::from_millis(2_000);

/// Copies the text of the element with the id `target`. Without JavaScript the style sheet hides it; the text can be
/// selected all the same.
#[island]
pub fn CopyButton(
    /// The id of the element whose text is copied.
    target: String,
) -> impl IntoView {
    let told = RwSignal::new("Copy");
    let copy = move |_| {
        let text = document().get_element_by_id(&target).and_then(|element| element.text_content()).unwrap_or_default();
        spawn_local(async move {
            let copied = wasm_bindgen_futures::JsFuture::from(window().navigator().clipboard().write_text(&text)).await;
            // A browser may forbid it; the text is there to be selected.
            told.set(if copied.is_ok() { "Copied" } else { "Select it and copy by hand" });
            set_timeout(move || told.set("Copy"), TOLD_FOR);
        });
    };
    view! {
        <button type="button" class="button button-small copy" on:click=copy>
            <span aria-live="polite">{move || told.get()}</span>
        </button>
    }
}
