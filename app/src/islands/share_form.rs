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
        let include_private = input("include-private").is_some_and(|input| input.checked());
        let written = |id: &str| input(id).map(|input| input.value()).unwrap_or_default();
        let (days, password) = (written("share-days"), written("share-password"));
        spawn_local(async move {
            match share_report(report_id, include_private, days, password).await {
                Ok(link) => show_link(&link.path),
                Err(error) => set_text("share-problem", &format!("No link was made: {error}.")),
            }
        });
    };
    view! { <div on:submit=submit>{children()}</div> }
}

fn input(id: &str) -> Option<web_sys::HtmlInputElement> {
    part(id).and_then(|element| element.dyn_into().ok())
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
