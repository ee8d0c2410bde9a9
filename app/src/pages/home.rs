//! `/`: the list of runs.

mod filter;

use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::hooks::use_query_map;
use leptos_router::params::ParamsMap;
use podium_service::{RunKind, RunListItem, Shelf};
use uuid::Uuid;

use crate::components::{EmptyState, FrameworkMark, Labels, Moment, StatusMark, loaded, tag_links};
use crate::context::{caller, service};
use crate::words;

/// Runs on one page.
const PAGE_LENGTH: u32 = 50;

/// The runs, newest first, and the form that narrows them.
#[component]
pub fn HomePage() -> impl IntoView {
    let query = use_query_map().get_untracked();
    view! {
        <Title text="Runs" />
        <div class="page-head">
            <h1>"Runs"</h1>
            <p class="button-row">
                <a class="button" href="/import">
                    "Import results"
                </a>
                <a class="button button-primary" href="/plans/new">
                    "New plan"
                </a>
            </p>
        </div>
        {undo(&query)}
        {loaded(async move {
            let (service, caller) = (service()?, caller()?);
            // One more than is shown tells whether there are others.
            let runs = service.list_runs(caller, &filter::read(&query), PAGE_LENGTH + 1).await?;
            let is_part = filter::narrows(&query) || query.get("after").is_some();
            Ok(if runs.is_empty() && !is_part {
                no_runs().into_any()
            } else {
                let facets = service.run_facets(caller).await?;
                view! {
                    {filter::form(&query, &facets)}
                    {list(&runs, &query)}
                }
                .into_any()
            })
        })}
    }
}

/// The way back from what was just done to a run, which the address names.
fn undo(query: &ParamsMap) -> impl IntoView + use<> {
    let run = |name: &str| query.get(name).and_then(|id| id.parse::<Uuid>().ok());
    let (id, said, back) = match (run("deleted"), run("archived")) {
        (Some(id), _) => (id, "The run was deleted, and links to its report show nothing.", "restore"),
        (None, Some(id)) => (id, "The run is in the archive.", "unarchive"),
        (None, None) => return None,
    };
    Some(view! {
        <div class="notice undo" role="status">
            <p>{said}</p>
            <form method="post" action=format!("/runs/{id}/{back}")>
                <button class="button button-small" type="submit">
                    "Undo"
                </button>
            </form>
        </div>
    })
}

fn no_runs() -> impl IntoView {
    view! {
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
            <p>
                <a href="/?shelf=archived">"Archived"</a>
                " and "
                <a href="/?shelf=deleted">"deleted"</a>
                " runs are kept apart."
            </p>
        </EmptyState>
    }
}

fn list(runs: &[RunListItem], query: &ParamsMap) -> AnyView {
    if runs.is_empty() {
        return view! {
            <EmptyState title="No run fits">
                <p>
                    "Search for the beginnings of words, or take a filter away. "
                    <a href="/">"See all runs"</a>
                    "."
                </p>
            </EmptyState>
        }
        .into_any();
    }
    let length = PAGE_LENGTH as usize;
    let first = query.get("after").map(|_| {
        view! {
            <a class="button" href=filter::page_address(query, None)>
                "First page"
            </a>
        }
    });
    let next = runs.get(length - 1).filter(|_| runs.len() > length).map(|last| {
        view! {
            <a class="button" rel="next" href=filter::page_address(query, Some(last.id.to_string()))>
                "Next page"
            </a>
        }
    });
    view! {
        <ul class="run-list">{runs.iter().take(length).map(line).collect_view()}</ul>
        <p class="button-row">{first} {next}</p>
    }
    .into_any()
}

fn line(run: &RunListItem) -> impl IntoView + use<> {
    let answers = run.answers.iter().map(|answer| view! { <li>{answer.clone()}</li> }).collect_view();
    let title = if run.shelf == Shelf::Deleted {
        view! { {run.title.clone()} }.into_any()
    } else {
        view! { <a href=format!("/runs/{}", run.id)>{run.title.clone()}</a> }.into_any()
    };
    let origin = match run.kind {
        RunKind::Measured => view! { <span class="muted">{format!("on {}", run.host)}</span> }.into_any(),
        RunKind::Imported => view! { <span class="label">"imported"</span> }.into_any(),
    };
    let tags = (!run.tags.is_empty()).then(|| view! { <span class="tags">{tag_links(&run.tags)}</span> });
    let compare = (!run.answers.is_empty() && run.shelf != Shelf::Deleted).then(|| {
        let about = format!("Compare candidates of {}", run.title);
        view! {
            <a href=format!("/compare?add={}#add", run.id) aria-label=about>
                "Compare"
            </a>
        }
    });
    let restore = (run.shelf == Shelf::Deleted).then(|| {
        view! {
            <form method="post" action=format!("/runs/{}/restore", run.id)>
                <button class="button button-small" type="submit">
                    "Restore"
                </button>
            </form>
        }
    });
    view! {
        <li class="run-line card" data-run=run.id.to_string() data-status=run.status.word()>
            <h2 class="run-title">{title}</h2>
            <p class="run-facts">
                <StatusMark look=words::run(run.status) />
                <Labels simulated=run.simulated flow_check=run.flow_check />
                {run.frameworks.iter().map(|&framework| view! { <FrameworkMark framework /> }).collect_view()}
                {origin}
                <span class="muted">
                    <Moment at=run.created_at />
                </span>
                {tags}
                {compare}
            </p>
            {(!run.answers.is_empty()).then(|| view! { <ul class="answers">{answers}</ul> })}
            {restore}
        </li>
    }
}
