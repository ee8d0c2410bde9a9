//! Makes a link to a report.

use leptos::prelude::*;
use leptos::task::spawn_local;
use leptos::wasm_bindgen::JsCast as _;

use super::parts::{part, set_text, show};
use crate::api::share_report;

/// Makes its children into a form whose link appears in place. Without JavaScript it is a plain form that posts.
#[island]
pub fn ShareForm(
    /// The report.
    report_id: String,
    /// The form and the place for the link, as the server drew them.
    children: Children,
) -> impl IntoView {
    let submit = move |event: web_sys::SubmitEvent| {
        event.prevent_default();
        let report_id = report_id.clone();
        let box_ = part("include-private").and_then(|element| element.dyn_into::<web_sys::HtmlInputElement>().ok());
        let include_private = box_.is_some_and(|input| input.checked());
        spawn_local(async move {
            match share_report(report_id, include_private).await {
                Ok(link) => show_link(&link.path),
                Err(error) => set_text("share-problem", &format!("No link was made: {error}.")),
            }
        });
    };
    view! { <div on:submit=submit>{children()}</div> }
}

/// Shows the link as a whole address.
fn show_link(path: &str) {
    set_text("share-problem", "");
    let origin = window().location().origin().unwrap_or_default();
    set_text("new-link", &format!("{origin}{path}"));
    if let Some(link) = part("open-link") {
        // A constant, valid attribute name.
        let _ = link.set_attribute("href", path);
    }
    show("new-link-box", true);
}
