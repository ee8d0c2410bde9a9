//! The logs of a run's engines.

use leptos::prelude::*;
use podium_service::RunView;

use crate::words;

/// A launch whose log can be read.
struct Entry {
    id: String,
    label: String,
    /// Whether it may still grow.
    is_open: bool,
}

fn entries(run: &RunView) -> Vec<Entry> {
    run.candidates
        .iter()
        .filter_map(|candidate| {
            let launch = candidate.launch.as_ref()?;
            Some(Entry {
                id: launch.id.to_string(),
                label: format!("{} · {}", candidate.candidate_id, launch.state),
                is_open: !words::launch_is_over(launch.state),
            })
        })
        .collect()
}

/// The picker of launches with links to the whole logs, which is drawn anew when a launch changes.
pub fn launches(run: &RunView) -> AnyView {
    let entries = entries(run);
    if entries.is_empty() {
        return view! { <p class="muted">"An engine's log can be read here once it was started."</p> }.into_any();
    }
    let options = entries
        .iter()
        .map(|entry| {
            view! {
                <option value=entry.id.clone() id=format!("log-of-{}", entry.id) data-open=entry.is_open.then_some("")>
                    {entry.label.clone()}
                </option>
            }
        })
        .collect_view();
    let links = entries
        .iter()
        .map(|entry| {
            view! {
                <li>
                    <a href=format!("/launches/{}/log", entry.id)>{entry.label.clone()}</a>
                </li>
            }
        })
        .collect_view();
    view! {
        <div class="log-picker">
            <label for="log-launch">"Launch"</label>
            <select id="log-launch">
                <option value="">"Choose a launch"</option>
                {options}
            </select>
        </div>
        <details class="log-links" id="log-links">
            <summary>"Whole logs as text"</summary>
            <ul>{links}</ul>
        </details>
    }
    .into_any()
}

/// The picker, and the place for the log's end.
pub fn logs(run: &RunView) -> AnyView {
    view! {
        <section class="logs">
            <h2>"Logs"</h2>
            <div id="log-launches">{launches(run)}</div>
            <pre class="log" id="log-text" tabindex="0" aria-label="Log" hidden></pre>
            <p class="field-error" id="log-problem" role="alert" hidden></p>
        </section>
    }
    .into_any()
}
