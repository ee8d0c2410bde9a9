//! The page for an address that leads nowhere.

use leptos::prelude::*;
use leptos_axum::ResponseOptions;
use leptos_meta::Title;
use leptos_router::hooks::use_location;

use crate::components::is_shared;

/// Says so, with status 404. The holder of a link that was revoked is not led to the private pages.
#[component]
pub fn NotFoundPage() -> impl IntoView {
    let is_shared = use_location().pathname.with_untracked(|path| is_shared(path));
    if let Some(response) = use_context::<ResponseOptions>() {
        response.set_status(http::StatusCode::NOT_FOUND);
    }
    view! {
        <Title text="Page not found" />
        <h1>"Page not found"</h1>
        <p>"Nothing is at this address. It may have been deleted or revoked, or the link was cut short."</p>
        {(!is_shared)
            .then(|| {
                view! {
                    <p>
                        <a class="button" href="/">
                            "See all runs"
                        </a>
                    </p>
                }
            })}
    }
}
