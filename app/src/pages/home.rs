//! `/`: the list of runs.

use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::hooks::use_query_map;
use podium_service::{RunCursor, RunFilter, RunListItem};
use time::OffsetDateTime;

use crate::components::{EmptyState, FrameworkMark, Labels, Moment, StatusMark, loaded};
use crate::context::{caller, service};
use crate::words;

/// Runs on one page.
const PAGE_LENGTH: u32 = 50;

/// The runs, newest first.
#[component]
pub fn HomePage() -> impl IntoView {
    let before = use_query_map().with_untracked(|query| query.get("before").as_deref().and_then(cursor));
    view! {
        <Title text="Runs" />
        <div class="page-head">
            <h1>"Runs"</h1>
            <a class="button button-primary" href="/plans/new">
                "New plan"
            </a>
        </div>
        {loaded(async move {
            // One more than is shown tells whether there are older ones.
            let filter = RunFilter { limit: PAGE_LENGTH + 1, before };
            let runs = service()?.list_runs(caller()?, filter).await?;
            Ok(list(&runs, before.is_some()))
        })}
    }
}

/// Reads the place in the list that an address names: the last run of the page before.
fn cursor(text: &str) -> Option<RunCursor> {
    let (nanoseconds, id) = text.split_once('.')?;
    let created_at = OffsetDateTime::from_unix_timestamp_nanos(nanoseconds.parse().ok()?).ok()?;
    Some(RunCursor { created_at, id: id.parse().ok()? })
}

/// The inverse of [`cursor`].
fn cursor_text(run: &RunListItem) -> String {
    format!("{}.{}", run.created_at.unix_timestamp_nanos(), run.id)
}

fn list(runs: &[RunListItem], is_later_page: bool) -> AnyView {
    if runs.is_empty() && !is_later_page {
        return view! {
            <EmptyState title="No runs yet">
                <p>
                    "A run tries serving frameworks and flags for one model on your hosts, and ends with the command to deploy."
                </p>
                <p class="button-row">
                    <a class="button button-primary" href="/plans/new?from=demo-simulated">
                        "Try it with simulated engines"
                    </a>
                    <a class="button" href="/plans/new">
                        "Write a plan"
                    </a>
                </p>
            </EmptyState>
        }
        .into_any();
    }
    let length = PAGE_LENGTH as usize;
    let newest = is_later_page.then(|| {
        view! {
            <a class="button" href="/">
                "Newest runs"
            </a>
        }
    });
    let older = runs.get(length - 1).filter(|_| runs.len() > length).map(|last| {
        view! {
            <a class="button" href=format!("/?before={}", cursor_text(last))>
                "Older runs"
            </a>
        }
    });
    view! {
        <ul class="run-list">{runs.iter().take(length).map(line).collect_view()}</ul>
        <p class="button-row">{newest} {older}</p>
    }
    .into_any()
}

fn line(run: &RunListItem) -> impl IntoView + use<> {
    let answers = run.answers.iter().map(|answer| view! { <li>{answer.clone()}</li> }).collect_view();
    view! {
        <li class="run-line card" data-run=run.id.to_string() data-status=run.status.word()>
            <h2 class="run-title">
                <a href=format!("/runs/{}", run.id)>{run.title.clone()}</a>
            </h2>
            <p class="run-facts">
                <StatusMark look=words::run(run.status) />
                <Labels simulated=run.simulated flow_check=run.flow_check />
                {run.frameworks.iter().map(|&framework| view! { <FrameworkMark framework /> }).collect_view()}
                <span class="muted">{format!("on {}", run.host)}</span>
                <span class="muted">
                    <Moment at=run.created_at />
                </span>
            </p>
            {(!run.answers.is_empty()).then(|| view! { <ul class="answers">{answers}</ul> })}
        </li>
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_in_the_list_survives_the_address() {
        let text = "1700000000123456000.01860000-0000-7000-8000-000000000001";
        let cursor = cursor(text).expect("a cursor");
        assert_eq!(format!("{}.{}", cursor.created_at.unix_timestamp_nanos(), cursor.id), text);
    }

    #[test]
    fn anything_else_is_the_first_page() {
        for text in ["", "1", "1.", "x.y", "1700000000123456000.no-id"] {
            assert_eq!(cursor(text), None, "{text}");
        }
    }
}
