//! A command line to copy.

use leptos::prelude::*;

use crate::islands::CopyButton;

/// The command in a block of its own, with a button that copies it.
#[component]
pub fn Command(
    /// The element's id, unique on its page.
    id: String,
    /// The command, quoted for a shell.
    text: String,
) -> impl IntoView {
    view! {
        <div class="command-block">
            <pre class="command" id=id.clone()>
                {text}
            </pre>
            <CopyButton target=id />
        </div>
    }
}
