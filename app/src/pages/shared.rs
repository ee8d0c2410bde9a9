//! `/r/{token}`: a report for whoever has the link.

use leptos::prelude::*;
use leptos_axum::ResponseOptions;
use leptos_meta::{Meta, Title};
use leptos_router::hooks::use_params_map;
use podium_service::{ReportView, SharedReport};

use crate::components::{TextField, loaded, refusal, report_body, respond_with};
use crate::context::{public_origin, service, share_key};
use crate::posted::RejectedUnlock;

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
    let request = use_context::<http::request::Parts>();
    let key = request.as_ref().and_then(|parts| share_key(&parts.headers)).map(str::to_owned);
    let rejected = use_context::<RejectedUnlock>();
    let (origin, owner) = (public_origin(), Owner::current());
    loaded(async move {
        Ok(match service()?.shared_report(&token, key.as_deref()).await? {
            SharedReport::Open(report) => {
                if let Some(owner) = owner {
                    // Tags of the head are handed over while they are written, by the context; what waited is written
                    // without one. Nothing of them stands in the page itself.
                    owner.with(|| drop(head(&report, &token, origin.as_deref()).to_html()));
                }
                page(&report, &token).into_any()
            }
            SharedReport::Locked => locked(&token, rejected.as_ref()).into_any(),
        })
    })
}

/// Asks for the link's password, and gives nothing away before.
fn locked(token: &str, rejected: Option<&RejectedUnlock>) -> impl IntoView + use<> {
    let notice = rejected.map(|rejected| {
        respond_with(&rejected.error);
        refusal("The report stays closed", &rejected.error)
    });
    view! {
        <Title text="A report with a password" />
        <h1>"A report with a password"</h1>
        <p>"Whoever sent you this link knows its password."</p>
        {notice}
        <form class="card sign-in" method="post" action=format!("/r/{token}/unlock")>
            <TextField name="password" label="Password" kind="password" autocomplete="off" />
            <button class="button button-primary" type="submit">
                "Open the report"
            </button>
        </form>
    }
}

/// What search engines must not do, and what chats and other sites show of a link.
fn head(view: &ReportView, token: &str, origin: Option<&str>) -> impl IntoView + use<> {
    let title = view.report.title.clone();
    let description = view.report.answers().join(" ");
    let preview = origin.map(|origin| {
        // They want whole addresses.
        let picture = format!("{origin}/r/{token}/charts/1.png");
        view! {
            <Meta property="og:url" content=format!("{origin}/r/{token}") />
            <Meta property="og:image" content=picture />
            <Meta property="og:image:alt" content="The first chart of the report" />
            <Meta name="twitter:card" content="summary_large_image" />
        }
    });
    view! {
        <Meta name="description" content=description.clone() />
        <Meta name="robots" content="noindex, nofollow" />
        <Meta property="og:type" content="article" />
        <Meta property="og:site_name" content="Podium" />
        <Meta property="og:title" content=title />
        <Meta property="og:description" content=description />
        {preview}
    }
}

fn page(view: &ReportView, token: &str) -> impl IntoView + use<> {
    let title = view.report.title.clone();
    view! {
        <Title text=format!("Report of {title}") />
        <h1>{title}</h1>
        <p class="muted">{format!("Report of {}", crate::format::absolute(view.created_at))}</p>
        {report_body(&view.report, &format!("/r/{token}/charts"))}
    }
}
