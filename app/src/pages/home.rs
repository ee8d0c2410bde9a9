//! `/`: the list of runs.

use leptos::prelude::*;
use leptos_meta::Title;

use crate::components::EmptyState;

/// The runs, newest first.
#[component]
pub fn HomePage() -> impl IntoView {
    view! {
        <Title text="Runs" />
        <h1>"Runs"</h1>
        <EmptyState title="No runs yet">
            <p>
                "A run tries serving frameworks and flags for one model on your hosts, and ends with the command to deploy."
            </p>
            <p>
                <a class="button button-primary" href="/plans/new">
                    "New plan"
                </a>
            </p>
        </EmptyState>
    }
}
