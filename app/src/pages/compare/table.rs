//! The candidates as columns: figures against the baseline, then what they differ in.

use leptos::prelude::*;
use podium_domain::row::ResultRow;
use podium_service::{Compared, ComparedLine, Comparison};

use super::address::Address;
use crate::components::Command;
use crate::format::figure_or_dash;

/// A figure that is worse than the baseline's by more than this share is called worse.
const WORSE: f64 = 0.03;

/// One figure of the table.
struct Figure {
    name: &'static str,
    of: fn(&ResultRow) -> Option<f64>,
    more_is_better: bool,
}

const FIGURES: [Figure; 7] = [
    Figure { name: "Requests, req/s", of: |row| row.metrics.request_throughput, more_is_better: true },
    Figure { name: "Output, tok/s", of: |row| row.metrics.output_token_throughput, more_is_better: true },
    Figure { name: "p50 TTFT, ms", of: ResultRow::sla_ttft_ms, more_is_better: false },
    Figure { name: "p99 TTFT, ms", of: |row| row.metrics.p99_ttft_ms, more_is_better: false },
    Figure { name: "p50 TPOT, ms", of: |row| row.metrics.p50_tpot_ms, more_is_better: false },
    Figure { name: "p50 E2E, ms", of: |row| row.metrics.p50_e2e_ms, more_is_better: false },
    Figure { name: "Success, share", of: |row| row.metrics.success_rate, more_is_better: true },
];

pub(super) fn table(comparison: &Comparison, address: &Address) -> AnyView {
    let base = base_of(comparison, address);
    let heads = comparison.columns.iter().enumerate().map(|(index, column)| head(column, index == base, address));
    let figures = FIGURES.iter().map(|figure| figure_line(figure, comparison, base)).collect_view();
    let (differing, equal): (Vec<_>, Vec<_>) = comparison.lines.iter().partition(|line| line.differs());
    let columns = comparison.columns.len() + 1;
    let group = |id: &'static str, title: String, lines: &[&ComparedLine]| {
        (!lines.is_empty()).then(|| {
            let lines = lines.iter().map(|line| compared_line(line)).collect_view();
            view! {
                <tbody id=id>
                    <tr class="group">
                        <th colspan=columns.to_string() scope="rowgroup">
                            {title}
                        </th>
                    </tr>
                    {lines}
                </tbody>
            }
        })
    };
    let commands = comparison.columns.iter().map(command).collect_view();
    view! {
        <div class="table-scroll" tabindex="0" role="region" aria-label="Candidates side by side">
            <table class="compare">
                <caption class="visually-hidden">"Candidates side by side"</caption>
                <thead>
                    <tr>
                        <th scope="col">"Candidate"</th>
                        {heads.collect_view()}
                    </tr>
                </thead>
                <tbody id="figures">{figures}</tbody>
                {group("differs", "What differs".to_owned(), &differing)}
                {group("equal", "What is equal".to_owned(), &equal)}
            </table>
        </div>
        <details class="section">
            <summary>"Commands"</summary>
            <div class="section-body">{commands}</div>
        </details>
    }
    .into_any()
}

/// The column that the others are held against.
fn base_of(comparison: &Comparison, address: &Address) -> usize {
    let is_base = |column: &Compared| address.base.as_ref() == Some(&column.pick);
    comparison.columns.iter().position(is_base).unwrap_or(0)
}

fn head(column: &Compared, is_base: bool, address: &Address) -> AnyView {
    let pick = &column.pick;
    let name = format!("{}, {}", pick.candidate_id, pick.scenario);
    let pin = if is_base {
        view! { <span class="label">"baseline"</span> }.into_any()
    } else {
        view! { <a href=address.against(pick) aria-label=format!("Make {name} the baseline")>"Make baseline"</a> }
            .into_any()
    };
    let simulated = column.row.is_simulated().then(|| view! { <span class="label">"simulated"</span> });
    view! {
        <th scope="col" data-pick=pick.to_string()>
            <span class="compare-head">
                <a href=format!("/runs/{}", pick.run_id)>{pick.candidate_id.clone()}</a>
                <span class="muted">{pick.scenario.clone()}</span>
                {simulated}
                {pin}
                <a href=address.without(pick) aria-label=format!("Remove {name}")>
                    "Remove"
                </a>
            </span>
        </th>
    }
    .into_any()
}

fn figure_line(figure: &Figure, comparison: &Comparison, base: usize) -> Option<AnyView> {
    let values: Vec<Option<f64>> = comparison.columns.iter().map(|column| (figure.of)(&column.row)).collect();
    if values.iter().all(Option::is_none) {
        return None;
    }
    let against = values.get(base).copied().flatten().filter(|value| *value > 0.0);
    let cells = values.iter().enumerate().map(|(index, value)| {
        let change = against.zip(*value).filter(|_| index != base).map(|(base, value)| value / base - 1.0);
        let change = change.map(|share| {
            let worse = if figure.more_is_better { share < -WORSE } else { share > WORSE };
            let words = format!("{:+.1} %{}", share * 100.0, if worse { ", worse" } else { "" });
            view! { <span class=if worse { "change change-worse" } else { "change" }>{words}</span> }
        });
        view! { <td class="number">{figure_or_dash(*value)} " " {change}</td> }
    });
    Some(
        view! {
            <tr>
                <th scope="row">{figure.name}</th>
                {cells.collect_view()}
            </tr>
        }
        .into_any(),
    )
}

fn compared_line(line: &ComparedLine) -> AnyView {
    let absent = if line.is_flag { "not given" } else { "not known" };
    let cells = line.values.iter().map(|value| match value {
        Some(value) => view! { <td>{value.clone()}</td> }.into_any(),
        None => view! { <td class="muted">{absent}</td> }.into_any(),
    });
    view! {
        <tr class=line.differs().then_some("differs")>
            <th scope="row">{line.name.clone()}</th>
            {cells.collect_view()}
        </tr>
    }
    .into_any()
}

fn command(column: &Compared) -> Option<AnyView> {
    let text = column.row.launch_command()?.to_owned();
    let id = format!("command-{}-{}", column.pick.candidate_id, column.pick.scenario);
    Some(
        view! {
            <h3>{format!("{}, {}", column.pick.candidate_id, column.pick.scenario)}</h3>
            <Command id=id text=text />
        }
        .into_any(),
    )
}
