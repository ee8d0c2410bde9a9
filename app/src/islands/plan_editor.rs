//! The plan editor: a form and the YAML beside it, each following the other.

mod draft;
mod fields;
mod frameworks;
mod review;
mod scenarios;
mod sections;
mod state;
mod text;

use leptos::html::{Form, Textarea};
use leptos::prelude::*;

use self::draft::{Draft, DraftNotice};
use self::review::{Candidates, Problems};
use self::sections::PlanFields;
use self::state::Editor;
use self::text::PlanText;
use crate::dto::{HostChoice, PlanState};

/// Form, text, what follows from them, and the start. Without JavaScript the text area and the start button remain:
/// they are a plain form.
#[island]
pub fn PlanEditor(
    /// The plan as the server checked it.
    initial: PlanState,
    /// Where the plan comes from, which names its draft in the browser: `new`, `from=<slug>` or `run=<id>`.
    source: String,
    /// Where it can be started.
    hosts: Vec<HostChoice>,
    /// The host that was chosen before.
    host: Option<String>,
) -> impl IntoView {
    let editor = Editor::new(initial);
    let draft = Draft::new(source.clone(), editor);
    let form = NodeRef::<Form>::new();
    let area = NodeRef::<Textarea>::new();
    Effect::new(move |_| draft.restore());
    editor.submit_when_settled(form);

    let submit = move |event: web_sys::SubmitEvent| {
        if editor.may_submit() {
            draft.submitted();
        } else {
            event.prevent_default();
        }
    };

    view! {
        <DraftNotice draft />
        <div class="plan-editor">
            <PlanFields editor />
            <form class="plan-side" method="post" action="/plans/start" node_ref=form on:submit=submit>
                <input type="hidden" name="source" value=source />
                <Problems editor area />
                <PlanText editor area />
                <Candidates editor />
                <fieldset class="start">
                    <legend>"Start"</legend>
                    <div class="field">
                        <label for="start-host">"Host"</label>
                        <select id="start-host" name="host">
                            {hosts
                                .into_iter()
                                .map(|choice| {
                                    let is_chosen = host.as_ref() == Some(&choice.id);
                                    view! {
                                        <option value=choice.id selected=is_chosen>
                                            {choice.label}
                                        </option>
                                    }
                                })
                                .collect_view()}
                        </select>
                    </div>
                    <label class="choice">
                        <input type="checkbox" name="skip_missing" value="yes" />
                        <span>"Leave out frameworks that are not installed on the host, with that reason"</span>
                    </label>
                    <label class="choice">
                        <input type="checkbox" name="idle_engines" value="yes" />
                        <span>"Run engines at idle priority, for a small machine that measures itself"</span>
                    </label>
                    <p class="button-row">
                        <button
                            class="button button-primary"
                            type="submit"
                            aria-disabled=move || if editor.has_problems() { "true" } else { "false" }
                        >
                            "Start the run"
                        </button>
                        <span class="muted start-note" role="status">
                            {move || editor.start_note()}
                        </span>
                    </p>
                </fieldset>
            </form>
        </div>
    }
}
