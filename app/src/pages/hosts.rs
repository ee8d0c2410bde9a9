//! `/hosts`: the machines that engines run on.

use leptos::prelude::*;
use leptos_meta::Title;

use crate::components::EmptyState;

/// The known hosts and what was found on each.
#[component]
pub fn HostsPage() -> impl IntoView {
    view! {
        <Title text="Hosts" />
        <h1>"Hosts"</h1>
        <EmptyState title="No hosts known">
            <p>"The machines that engines can run on are listed here, with the frameworks and GPUs found on each."</p>
        </EmptyState>
    }
}
