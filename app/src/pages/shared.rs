//! `/r/{token}`: a report for whoever has the link.

use leptos::prelude::*;
use leptos_axum::ResponseOptions;
use leptos_meta::{Meta, Title};
use leptos_router::hooks::use_params_map;
use podium_service::ReportView;

use crate::components::{loaded, report_body};
use crate::context::service;

/// The report alone: read-only, complete without JavaScript, and without a way to any private page.
#[component]
pub fn SharedReportPage() -> impl IntoView {
    let token = use_params_map().with_untracked(|params| params.get("token").unwrap_or_default());
    if let Some(response) = use_context::<ResponseOptions>() {
        // The address is a secret: no search engine may list it, no other site may learn it.
        response.insert_header(
            http::HeaderName::from_static("x-robots-tag"),
            http::HeaderValue::from_static("noindex, nofollow"),
        );
        response.insert_header(http::header::REFERRER_POLICY, http::HeaderValue::from_static("no-referrer"));
        response.insert_header(http::header::CACHE_CONTROL, http::HeaderValue::from_static("private, no-store"));
    }
    loaded(async move {
        let report = service()?.shared_report(&token).await?;
        Ok(page(&report, &token))
    })
}

fn page(view: &ReportView, token: &str) -> impl IntoView + use<> {
    let title = view.report.title.clone();
    let description = view.report.answers().join(" ");
    view! {
        <Title text=format!("Report of {title}") />
        <Meta name="description" content=description />
        <Meta name="robots" content="noindex, nofollow" />
        <h1>{title}</h1>
        <p class="muted">{format!("Report of {}", crate::format::absolute(view.created_at))}</p>
        {report_body(&view.report, &format!("/r/{token}/charts"))}
    }
}
