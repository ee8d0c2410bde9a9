//! `/compare`: candidates of any runs side by side. The address is the state: `c` names a candidate each, `base` the
//! column that the others are held against, `add` a run to pick from, `plan` a run whose plan is followed over time.

mod address;
mod picker;
mod table;
mod trend;

use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::hooks::use_query_map;
use podium_service::{Comparison, MAX_PICKS};

use self::address::Address;
pub use self::address::Compared;
use crate::components::{Crumbs, EmptyState, chart_figures, loaded};
use crate::context::{caller, service};

/// The comparison, or a plan over time, and what can be added.
#[component]
pub fn ComparePage() -> impl IntoView {
    let address = Address::read(&use_query_map().get_untracked());
    loaded(async move {
        let (service, caller) = (service()?, caller()?);
        if let Some(run) = address.plan {
            return Ok(trend::page(&service.trend(caller, run).await?, run).into_any());
        }
        let comparison = service.compare(caller, &address.picks).await?;
        let picker = picker::picker(&service, caller, &address).await?;
        Ok(view! {
            <Title text="Compare" />
            <Crumbs href="/" name="Runs" />
            <h1>"Compare"</h1>
            {body(&comparison, &address)}
            {picker}
        }
        .into_any())
    })
}

fn body(comparison: &Comparison, address: &Address) -> AnyView {
    if comparison.columns.is_empty() && comparison.missing.is_empty() {
        return view! {
            <EmptyState title="Nothing to compare yet">
                <p>"Pick candidates below, from any runs. Their flags, versions and hardware then stand side by side."</p>
            </EmptyState>
        }
        .into_any();
    }
    let missing = comparison.missing.iter().map(|pick| {
        let text = format!("{pick} is no longer there: its run was deleted, or it never had such a candidate.");
        view! { <p class="notice">{text}</p> }
    });
    let full = (address.picks.len() >= MAX_PICKS).then(
        || view! { <p class="muted">{format!("{MAX_PICKS} candidates are the most that stand side by side.")}</p> },
    );
    // One point is no picture of a comparison.
    let charts = (comparison.columns.len() > 1)
        .then(|| chart_figures(&comparison.report(), "/compare/charts", &address.query()));
    view! {
        {missing.collect_view()}
        {unfair(comparison)}
        {table::table(comparison, address)}
        {full}
        {charts}
    }
    .into_any()
}

/// What makes the comparison unfair, before any figure.
fn unfair(comparison: &Comparison) -> AnyView {
    let lines: Vec<_> = comparison
        .unfair()
        .map(|line| view! { <li><strong>{line.check.name()}</strong> {format!(": {}", line.evidence)}</li> })
        .collect();
    if lines.is_empty() {
        return ().into_any();
    }
    view! {
        <div class="notice notice-bad" id="unfair" role="note">
            <p>"This comparison is unfair: the figures below differ for more reasons than the servers' flags."</p>
            <ul>{lines}</ul>
        </div>
    }
    .into_any()
}
