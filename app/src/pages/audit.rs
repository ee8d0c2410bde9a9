//! `/audit`: who did what, for admins.

use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::hooks::use_query_map;
use podium_service::AuditLine;
use uuid::Uuid;

use crate::components::{EmptyState, Moment, ScrollTable, loaded};
use crate::context::{caller, service};

/// Lines on one page.
const PAGE_LENGTH: u32 = 100;

/// The log, newest first.
#[component]
pub fn AuditPage() -> impl IntoView {
    let before = use_query_map().with_untracked(|query| query.get("before")?.parse::<Uuid>().ok());
    view! {
        <Title text="Audit log" />
        <h1>"Audit log"</h1>
        {loaded(async move {
            // One more than is shown tells whether there are others.
            let lines = service()?.audit_log(caller()?, before, PAGE_LENGTH + 1).await?;
            Ok(table(&lines))
        })}
    }
}

fn table(lines: &[AuditLine]) -> AnyView {
    if lines.is_empty() {
        return view! {
            <EmptyState title="Nothing here">
                <p>"Who started, stopped, shared or deleted something, and who changed people and hosts, stands here."</p>
            </EmptyState>
        }
        .into_any();
    }
    let shown = &lines[..lines.len().min(PAGE_LENGTH as usize)];
    let older = (lines.len() > shown.len()).then(|| shown.last()).flatten().map(|last| {
        view! {
            <p>
                <a class="button" href=format!("/audit?before={}", last.id)>
                    "Older"
                </a>
            </p>
        }
    });
    view! {
        <ScrollTable
            caption="Newest first"
            columns=["When", "Who", "What", "To what", "Details"]
            lines={shown.iter().map(line).collect_view()}
        />
        {older}
    }
    .into_any()
}

fn line(line: &AuditLine) -> impl IntoView + use<> {
    let subject = match line.subject.strip_prefix("run ").and_then(|id| id.parse::<Uuid>().ok()) {
        Some(id) => view! { <a href=format!("/runs/{id}")>{line.subject.clone()}</a> }.into_any(),
        None => line.subject.clone().into_any(),
    };
    view! {
        <tr>
            <td>
                <Moment at=line.at />
            </td>
            <td>{line.person.clone()}</td>
            <td>
                <code>{line.action.clone()}</code>
            </td>
            <td>{subject}</td>
            <td>{details(&line.detail)}</td>
        </tr>
    }
}

/// `name: value` pairs in one line.
fn details(detail: &serde_json::Value) -> String {
    let Some(pairs) = detail.as_object() else { return String::new() };
    let text = |value: &serde_json::Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    pairs.iter().map(|(name, value)| format!("{name}: {}", text(value))).collect::<Vec<_>>().join(", ")
}
