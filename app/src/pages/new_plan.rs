//! `/plans/new`: where a plan is written.

use leptos::prelude::*;
use leptos_meta::Title;

use crate::components::EmptyState;

/// The plan editor.
#[component]
pub fn NewPlanPage() -> impl IntoView {
    view! {
        <Title text="New plan" />
        <h1>"New plan"</h1>
        <EmptyState title="No plan open">
            <p>"A plan names the model, the hardware, the workload, the latency limits and the flags to search."</p>
        </EmptyState>
    }
}
