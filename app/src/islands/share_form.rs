//! Makes a link to a report.

use leptos::prelude::*;
use leptos::task::spawn_local;

use super::CopyButton;
use crate::api::share_report;
use crate::dto::NewLink;

/// The id of the block that shows the new link.
const LINK_ID: &str = "new-link";

/// A plain form that posts; with JavaScript the link appears in place.
#[island]
pub fn ShareForm(
    /// The report.
    report_id: String,
    /// Its run, where the form leads back to.
    run_id: String,
    /// The link that was just made without JavaScript.
    made: Option<NewLink>,
) -> impl IntoView {
    let made = RwSignal::new(made);
    let include_private = RwSignal::new(false);
    let problem = RwSignal::new(None::<String>);
    let origin = RwSignal::new(String::new());
    Effect::new(move |_| origin.set(window().location().origin().unwrap_or_default()));

    let submit = {
        let report_id = report_id.clone();
        move |event: web_sys::SubmitEvent| {
            event.prevent_default();
            let report_id = report_id.clone();
            spawn_local(async move {
                match share_report(report_id, include_private.get_untracked()).await {
                    Ok(link) => {
                        problem.set(None);
                        made.set(Some(link));
                    }
                    Err(error) => problem.set(Some(format!("No link was made: {error}."))),
                }
            });
        }
    };
    let path = move || made.with(|made| made.as_ref().map(|made| made.path.clone()).unwrap_or_default());

    view! {
        <form class="share-form" method="post" action=format!("/runs/{run_id}/report") on:submit=submit>
            <input type="hidden" name="report" value=report_id />
            <label class="choice">
                <input
                    type="checkbox"
                    name="include_private"
                    value="yes"
                    on:change=move |event| include_private.set(event_target_checked(&event))
                />
                <span>"Include host names, file paths and logs"</span>
            </label>
            <button class="button button-primary" type="submit">
                "Create a link"
            </button>
        </form>
        <p class="field-error" role="alert" hidden=move || problem.with(Option::is_none)>
            {move || problem.get()}
        </p>
        <div class="notice" role="status" hidden=move || made.with(Option::is_none)>
            <p>"The link is made. Copy it now: it is shown this once."</p>
            <div class="command-block">
                <pre class="command" id=LINK_ID>
                    <a href=path>{move || format!("{}{}", origin.get(), path())}</a>
                </pre>
                <CopyButton target=LINK_ID.to_owned() />
            </div>
        </div>
    }
}
