//! Where candidates are picked from: a run's rows, and the latest runs.

use leptos::prelude::*;
use podium_domain::row::ResultRow;
use podium_service::{Caller, Pick, RunListItem, RunQuery, Service};
use uuid::Uuid;

use super::address::Address;
use crate::components::{Moment, ScrollTable};
use crate::error::AppError;
use crate::format::figure_or_dash;

/// Runs that are offered; older ones are reached from their own page.
const OFFERED_RUNS: u32 = 20;

/// Candidates of a run that are offered.
const OFFERED_ROWS: usize = 200;

pub(super) async fn picker(service: &Service, caller: Caller, address: &Address) -> Result<AnyView, AppError> {
    let runs = service.list_runs(caller, &RunQuery::default(), OFFERED_RUNS).await?;
    let rows = match address.add {
        Some(run) => Some((run, service.candidates_to_compare(caller, run).await?)),
        None => None,
    };
    let offered = rows.map(|(run, rows)| candidates(run, &rows, address));
    let runs = runs.iter().filter(|run| !run.answers.is_empty()).map(|run| line(run, address)).collect_view();
    Ok(view! {
        <section id="add">
            <h2>"Add candidates"</h2>
            {offered}
            <h3>"Latest runs"</h3>
            <ul>{runs}</ul>
        </section>
    }
    .into_any())
}

fn line(run: &RunListItem, address: &Address) -> impl IntoView + use<> {
    view! {
        <li>
            <a href=address.picking_from(run.id)>{run.title.clone()}</a>
            " "
            <span class="muted">
                <Moment at=run.created_at />
            </span>
        </li>
    }
}

fn candidates(run: Uuid, rows: &[ResultRow], address: &Address) -> AnyView {
    if rows.is_empty() {
        return view! { <p class="muted">"This run has no measured candidate."</p> }.into_any();
    }
    let more = rows.len().saturating_sub(OFFERED_ROWS);
    let more = (more > 0).then(|| view! { <p class="muted">{format!("… and {more} more.")}</p> });
    let lines = rows.iter().take(OFFERED_ROWS).map(|row| {
        let pick = Pick::of(run, row);
        let name = format!("{}, {}", pick.candidate_id, pick.scenario);
        let action = if address.picks.contains(&pick) {
            view! { <span class="muted">"added"</span> }.into_any()
        } else {
            view! { <a href=address.with(&pick) aria-label=format!("Add {name}")>"Add"</a> }.into_any()
        };
        view! {
            <tr>
                <th scope="row">{row.framework_name().to_owned()}</th>
                <td>
                    <code>{pick.candidate_id.clone()}</code>
                </td>
                <td>{pick.scenario.clone()}</td>
                <td class="number">{figure_or_dash(row.metrics.request_throughput)}</td>
                <td>{action}</td>
            </tr>
        }
    });
    view! {
        <ScrollTable
            caption="Candidates of the run"
            columns=["Framework", "Candidate", "Scenario", "Requests, req/s"]
            actions="Add"
            lines={lines.collect_view()}
        />
        {more}
    }
    .into_any()
}
