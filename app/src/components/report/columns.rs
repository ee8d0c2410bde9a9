//! The columns of the report's tables: one list that heads and cells are made from.

use leptos::prelude::*;
use podium_domain::row::{ResultRow, RowStatus};
use podium_domain::validity::Validity;

use crate::components::command_words;
use crate::format::{figure_or_dash, percent};

/// One column.
#[derive(Clone, Copy)]
pub(super) struct Column {
    /// The head.
    title: &'static str,
    /// The unit behind it; may be empty.
    unit: &'static str,
    /// What stands in it.
    cell: Cell,
}

/// What stands in a cell.
#[derive(Clone, Copy)]
enum Cell {
    /// Text.
    Text(fn(&ResultRow) -> String),
    /// A number, aligned at its right end.
    Number(fn(&ResultRow) -> Option<f64>),
    /// A share in [0, 1], shown as a percentage.
    Share(fn(&ResultRow) -> Option<f64>),
    /// Anything else.
    View(fn(&ResultRow) -> AnyView),
}

const fn column(title: &'static str, unit: &'static str, cell: Cell) -> Column {
    Column { title, unit, cell }
}

pub(super) const FRAMEWORK: Column = column("Framework", "", Cell::View(framework));
pub(super) const SCENARIO: Column = column("Scenario", "", Cell::Text(|row| row.scenario().to_owned()));
pub(super) const CANDIDATE: Column = column("Candidate", "", Cell::View(candidate));
pub(super) const LOAD: Column = column("Load", "", Cell::Text(|row| row.load_text().unwrap_or_else(|| "–".to_owned())));
pub(super) const STATUS: Column = column("Status", "", Cell::View(status));
pub(super) const SLA: Column = column("SLA", "", Cell::View(sla));
pub(super) const REQUESTS: Column = column("Requests", "req/s", Cell::Number(|row| row.metrics.request_throughput));
pub(super) const OUTPUT: Column = column("Output", "tok/s", Cell::Number(|row| row.metrics.output_token_throughput));
pub(super) const TOTAL: Column = column("Total", "tok/s", Cell::Number(|row| row.metrics.total_token_throughput));
pub(super) const TTFT: Column = column("p50 TTFT", "ms", Cell::Number(|row| row.metrics.p50_ttft_ms));
pub(super) const TPOT: Column = column("p50 TPOT", "ms", Cell::Number(|row| row.metrics.p50_tpot_ms));
pub(super) const SUCCESS: Column = column("Success", "", Cell::Share(|row| row.metrics.success_rate));
pub(super) const ACCEPT: Column =
    column("Accept length", "tokens", Cell::Number(|row| row.spec_decode.mean_accept_length));
pub(super) const PRE_SCHEDULER: Column =
    column("Pre-scheduler", "ms", Cell::Number(|row| row.phase_metrics.pre_scheduler_ms));
pub(super) const CACHE_HIT: Column = column("Cache hit", "", Cell::Share(|row| row.cache.prefix_cache_hit_rate));
pub(super) const GPUS: Column =
    column("GPUs", "", Cell::Number(|row| row.hardware.gpu_count.map(|count| count as f64)));
pub(super) const COMMAND: Column = column("Server command", "", Cell::View(command));
pub(super) const ARTIFACTS: Column = column("Artifacts", "", Cell::View(artifacts));

/// A table of these rows. The first column heads its row.
pub(super) fn table<'a>(caption: String, columns: &[Column], rows: impl Iterator<Item = &'a ResultRow>) -> AnyView {
    let heads = columns.iter().map(head).collect_view();
    let body = rows
        .map(|row| {
            let cells = columns.iter().enumerate().map(|(index, column)| column.cell_view(row, index == 0));
            view! { <tr data-candidate=row.candidate_id.clone()>{cells.collect_view()}</tr> }
        })
        .collect_view();
    view! {
        <div class="table-scroll" tabindex="0">
            <table>
                <caption>{caption}</caption>
                <thead>
                    <tr>{heads}</tr>
                </thead>
                <tbody>{body}</tbody>
            </table>
        </div>
    }
    .into_any()
}

fn head(column: &Column) -> AnyView {
    let class = if column.is_number() { "number" } else { "" };
    let unit = (!column.unit.is_empty()).then(|| view! { <span class="unit">{format!(" {}", column.unit)}</span> });
    view! {
        <th scope="col" class=class>
            {column.title}
            {unit}
        </th>
    }
    .into_any()
}

impl Column {
    const fn is_number(&self) -> bool {
        matches!(self.cell, Cell::Number(_) | Cell::Share(_))
    }

    fn cell_view(&self, row: &ResultRow, heads_row: bool) -> AnyView {
        let content = match self.cell {
            Cell::Text(text) => text(row).into_any(),
            Cell::View(view) => view(row),
            Cell::Number(value) => {
                let value = value(row);
                // The full value on hover.
                let full = value.map(|value| value.to_string());
                view! { <span title=full>{figure_or_dash(value)}</span> }.into_any()
            }
            Cell::Share(value) => value(row).map_or_else(|| "–".to_owned(), percent).into_any(),
        };
        let class = match self.cell {
            Cell::Number(_) | Cell::Share(_) => "number",
            Cell::Text(_) => "nowrap",
            Cell::View(_) => "",
        };
        if heads_row {
            view! {
                <th scope="row" class=class>
                    {content}
                </th>
            }
            .into_any()
        } else {
            view! { <td class=class>{content}</td> }.into_any()
        }
    }
}

fn framework(row: &ResultRow) -> AnyView {
    let class = format!("framework framework-{}", class_word(&row.framework));
    view! { <span class=class>{row.framework_name().to_owned()}</span> }.into_any()
}

/// A framework's id as part of a class: ids of foreign rows may be any text.
fn class_word(id: &str) -> String {
    id.chars().filter(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-')).collect()
}

fn candidate(row: &ResultRow) -> AnyView {
    view! {
        <code>{row.candidate_id.clone()}</code>
        {marks(row)}
    }
    .into_any()
}

/// What a figure must not be read without.
fn marks(row: &ResultRow) -> AnyView {
    let simulated = row.is_simulated().then(|| view! { " " <span class="label label-warn">"simulated"</span> });
    let doubt = row.validity().filter(|validity| **validity != Validity::Valid).map(|validity| {
        let reasons: Vec<_> = validity.reasons().iter().map(|reason| reason.text.clone()).collect();
        view! {
            " "
            <span class="label label-warn" title=reasons.join("; ")>
                {validity.word()}
            </span>
        }
    });
    view! {
        {simulated}
        {doubt}
    }
    .into_any()
}

fn status(row: &ResultRow) -> AnyView {
    let class = match row.status {
        RowStatus::Ok => "status status-ok",
        RowStatus::Skipped | RowStatus::Other(_) => "status status-warn",
        RowStatus::Failed | RowStatus::Oom | RowStatus::Timeout => "status status-bad",
    };
    view! { <span class=class>{row.status.word().to_owned()}</span> }.into_any()
}

fn sla(row: &ResultRow) -> AnyView {
    if !row.is_measured() {
        return "–".into_any();
    }
    let (class, word) =
        if row.sla_verdict().passed { ("status status-ok", "held") } else { ("status status-warn", "missed") };
    view! { <span class=class>{word}</span> }.into_any()
}

fn command(row: &ResultRow) -> AnyView {
    match row.launch_command() {
        Some(command) => view! { <code class="command in-table">{command_words(command)}</code> }.into_any(),
        None => "–".into_any(),
    }
}

fn artifacts(row: &ResultRow) -> AnyView {
    let artifacts: Vec<_> = row
        .artifacts
        .named()
        .map(|(what, place)| view! { <li>{what} ": " <code>{place.to_owned()}</code></li> })
        .collect();
    if artifacts.is_empty() { "–".into_any() } else { view! { <ul class="plain">{artifacts}</ul> }.into_any() }
}

/// The report's columns of its best rows.
pub(super) const BEST: &[Column] = &[
    SCENARIO,
    CANDIDATE,
    LOAD,
    STATUS,
    SLA,
    REQUESTS,
    OUTPUT,
    TOTAL,
    TTFT,
    TPOT,
    SUCCESS,
    ACCEPT,
    PRE_SCHEDULER,
    CACHE_HIT,
    GPUS,
    COMMAND,
    ARTIFACTS,
];

/// The columns that tell frameworks apart.
pub(super) const COMPARED: &[Column] =
    &[FRAMEWORK, CANDIDATE, LOAD, STATUS, SLA, REQUESTS, OUTPUT, TOTAL, TTFT, TPOT, SUCCESS, GPUS];

/// The columns of the other load modes.
pub(super) const OTHER: &[Column] =
    &[FRAMEWORK, SCENARIO, CANDIDATE, LOAD, STATUS, SLA, REQUESTS, OUTPUT, TTFT, TPOT, SUCCESS];
