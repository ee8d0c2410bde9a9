//! The page for an address that leads nowhere.

use leptos::prelude::*;
use leptos_axum::ResponseOptions;
use leptos_meta::Title;

/// Says so, with status 404.
#[component]
pub fn NotFoundPage() -> impl IntoView {
    if let Some(response) = use_context::<ResponseOptions>() {
        response.set_status(http::StatusCode::NOT_FOUND);
    }
    view! {
        <Title text="Page not found" />
        <h1>"Page not found"</h1>
        <p>"Nothing is at this address. It may have been deleted, or the link was cut short."</p>
        <p>
            <a class="button" href="/">
                "See all runs"
            </a>
        </p>
    }
}
