//! The plan editor: a form and the YAML beside it, each following the other.
//!
//! The server draws every part of it; the island listens, sends edits and texts, and puts the answers in place. So
//! nothing of plans is in the browser's code, and without JavaScript the text area and the start button remain: they
//! are a plain form.

mod draft;
mod editor;
mod elements;

use leptos::ev;
use leptos::prelude::*;

use self::editor::Editor;

/// Makes its children, which the server drew, into an editor.
#[island]
pub fn PlanEditor(
    /// Where the plan comes from, which names its draft in the browser: `new`, `from=<slug>` or `run=<id>`.
    source: String,
    /// How many problems the plan has as the server drew it.
    problems: u32,
    /// The parts.
    children: Children,
) -> impl IntoView {
    let editor = StoredValue::new_local(Editor::new(source, problems));
    let with = move |act: fn(&Editor, &web_sys::Event), event: &web_sys::Event| {
        editor.with_value(|editor| act(editor, event));
    };
    Effect::new(move |_| editor.with_value(Editor::wake));

    view! {
        <div
            class="plan-editor-root"
            id="plan-editor-root"
            on:input=move |event: ev::Event| with(Editor::typed, &event)
            on:change=move |event: ev::Event| with(Editor::changed, &event)
            on:click=move |event: ev::MouseEvent| with(Editor::clicked, &event)
            on:pointerdown=move |event: ev::PointerEvent| with(Editor::pressed, &event)
            on:submit=move |event: ev::SubmitEvent| with(Editor::submitted, &event)
        >
            {children()}
        </div>
    }
}
