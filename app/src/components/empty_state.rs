//! What a page shows while it has nothing to show.

use leptos::prelude::*;

/// Says what will stand here, and the one next step.
#[component]
pub fn EmptyState(
    /// The heading, a plain statement: "No runs yet".
    #[prop(into)]
    title: String,
    /// What will be shown here, and what makes it appear.
    children: Children,
) -> impl IntoView {
    view! {
        <section class="empty-state">
            <h2>{title}</h2>
            <div class="empty-state-body">{children()}</div>
        </section>
    }
}
