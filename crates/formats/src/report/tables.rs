//! The tables of a report.

use std::collections::BTreeSet;

use podium_domain::ranking::Preference;
use podium_domain::report::{Lengths, Report, figure};
use podium_domain::row::ResultRow;

use super::document::{Cell, Column, Table};

/// Rows shown of a table that can be long; the rest is a count.
const MAX_ROWS: usize = 200;

/// A column and what it shows of a row.
struct RowColumn {
    title: &'static str,
    numeric: bool,
    cell: fn(&ResultRow) -> Cell,
}

const fn column(title: &'static str, numeric: bool, cell: fn(&ResultRow) -> Cell) -> RowColumn {
    RowColumn { title, numeric, cell }
}

const SCENARIO: RowColumn = column("Scenario", false, |row| Cell::Text(row.scenario().to_owned()));
const FRAMEWORK: RowColumn = column("Framework", false, |row| Cell::Text(row.framework_name().to_owned()));
const CANDIDATE: RowColumn =
    column("Candidate", false, |row| Cell::Id { text: row.candidate_id.clone(), simulated: row.is_simulated() });
const LOAD: RowColumn = column("Load", false, |row| row.load_text().map_or(Cell::Absent, Cell::Text));
const STATUS: RowColumn = column("Status", false, |row| {
    let mut text = row.status.word().to_owned();
    if let Some(validity) = row.validity().filter(|validity| !validity.reasons().is_empty()) {
        let reasons: Vec<_> = validity.reasons().iter().map(|reason| reason.text.as_str()).collect();
        text += &format!(", {}: {}", validity.word(), reasons.join("; "));
    }
    Cell::Text(text)
});
const SLA: RowColumn = column("SLA", false, |row| {
    if !row.is_measured() {
        return Cell::Absent;
    }
    let verdict = row.sla_verdict();
    let word = if verdict.passed { "holds" } else { "missed" };
    Cell::Text(if verdict.recomputed { word.to_owned() } else { format!("{word} (not recomputed)") })
});
const REQUESTS: RowColumn = column("req/s", true, |row| number(row.metrics.request_throughput));
const OUTPUT_TOKENS: RowColumn = column("output tok/s", true, |row| number(row.metrics.output_token_throughput));
const TOTAL_TOKENS: RowColumn = column("total tok/s", true, |row| number(row.metrics.total_token_throughput));
const TTFT: RowColumn = column("p50 TTFT, ms", true, |row| number(row.metrics.p50_ttft_ms));
const USER_TTFT: RowColumn =
    column("p50 user TTFT, ms", true, |row| number(row.podium.as_ref().and_then(|podium| podium.p50_user_ttft_ms)));
const TPOT: RowColumn = column("p50 TPOT, ms", true, |row| number(row.metrics.p50_tpot_ms));
const SUCCESS: RowColumn = column("success rate", true, |row| percent(row.metrics.success_rate));
const ACCEPT: RowColumn = column("accept length", true, |row| number(row.spec_decode.mean_accept_length));
const PRE_SCHEDULER: RowColumn = column("pre-scheduler, ms", true, |row| number(row.phase_metrics.pre_scheduler_ms));
const CACHE_HIT: RowColumn = column("cache hit", true, |row| percent(row.cache.prefix_cache_hit_rate));
const GPUS: RowColumn =
    column("GPUs", true, |row| row.hardware.gpu_count.map_or(Cell::Absent, |n| Cell::Figure(n.to_string())));
const COMMAND: RowColumn = column("Server command", false, |row| {
    row.launch_command().map_or(Cell::Absent, |command| Cell::Command(command.to_owned()))
});
const ARTIFACTS: RowColumn = column("Artifacts", false, |row| {
    let named: Vec<_> = row.artifacts.named().map(|(name, place)| format!("{name}: {place}")).collect();
    if named.is_empty() { Cell::Absent } else { Cell::Text(named.join("; ")) }
});

fn number(value: Option<f64>) -> Cell {
    value.map_or(Cell::Absent, |value| Cell::Figure(figure(value)))
}

fn percent(share: Option<f64>) -> Cell {
    share.map_or(Cell::Absent, |share| Cell::Figure(format!("{} %", figure(share * 100.0))))
}

fn table<'a>(columns: &[RowColumn], rows: impl Iterator<Item = &'a ResultRow>) -> Table {
    let mut cells: Vec<Vec<Cell>> = Vec::new();
    let mut cut = 0;
    for row in rows {
        if cells.len() < MAX_ROWS {
            cells.push(columns.iter().map(|column| (column.cell)(row)).collect());
        } else {
            cut += 1;
        }
    }
    let columns = columns.iter().map(|c| Column { title: c.title, numeric: c.numeric }).collect();
    Table { columns, rows: cells, cut }
}

/// The best rows of one framework.
pub(super) fn best<'a>(rows: impl Iterator<Item = &'a ResultRow>) -> Table {
    let columns = [
        SCENARIO,
        CANDIDATE,
        LOAD,
        STATUS,
        SLA,
        REQUESTS,
        OUTPUT_TOKENS,
        TOTAL_TOKENS,
        TTFT,
        USER_TTFT,
        TPOT,
        SUCCESS,
        ACCEPT,
        PRE_SCHEDULER,
        CACHE_HIT,
        GPUS,
        COMMAND,
        ARTIFACTS,
    ];
    table(&columns, rows)
}

/// The frameworks' best rows of one scenario, with their distance to the first.
pub(super) fn ranked<'a>(rows: impl Iterator<Item = &'a ResultRow>, preference: Preference) -> Table {
    let rows: Vec<_> = rows.collect();
    let columns = [FRAMEWORK, CANDIDATE, LOAD, REQUESTS, OUTPUT_TOKENS, TTFT, USER_TTFT, TPOT, SUCCESS, GPUS];
    let mut table = table(&columns, rows.iter().copied());
    let first = rows.first().and_then(|row| preference.decisive(row));
    for (index, (cells, row)) in table.rows.iter_mut().zip(&rows).enumerate() {
        let change = match (first, preference.decisive(row)) {
            (Some(first), Some(own)) if index > 0 && first > 0.0 => {
                Cell::Figure(format!("{:+.1} %", (own / first - 1.0) * 100.0))
            }
            _ => Cell::Absent,
        };
        cells.insert(0, Cell::Figure((index + 1).to_string()));
        cells.push(change);
    }
    table.columns.insert(0, Column { title: "Rank", numeric: true });
    table.columns.push(Column { title: "against the first", numeric: true });
    table
}

/// Rows of a load mode that is not the primary one.
pub(super) fn ranked_any<'a>(rows: impl Iterator<Item = &'a ResultRow>) -> Table {
    let columns =
        [SCENARIO, FRAMEWORK, CANDIDATE, LOAD, STATUS, SLA, REQUESTS, OUTPUT_TOKENS, TTFT, USER_TTFT, TPOT, SUCCESS];
    table(&columns, rows)
}

/// What was tried and not selected.
pub(super) fn not_selected(report: &Report) -> Table {
    let columns = [FRAMEWORK, SCENARIO, CANDIDATE, LOAD, STATUS, SLA];
    let listed: Vec<_> = report.not_selected.iter().filter_map(|n| Some((report.row(n.row)?, &n.reason))).collect();
    let mut table = table(&columns, listed.iter().map(|(row, _)| *row));
    for (cells, (_, reason)) in table.rows.iter_mut().zip(&listed) {
        cells.push(Cell::Text((*reason).clone()));
    }
    table.columns.push(Column { title: "Reason", numeric: false });
    table.cut += report.left_out.map_or(0, |left| usize::try_from(left.not_selected).unwrap_or(usize::MAX));
    table
}

/// The proof of fairness, line by line.
pub(super) fn fairness(report: &Report) -> Table {
    let columns = ["Condition", "Finding", "Evidence"].map(|title| Column { title, numeric: false }).into();
    let row = |line: &podium_domain::fairness::Line| {
        [line.check.name(), line.finding.word(), &line.evidence].map(|text| Cell::Text(text.to_owned())).into()
    };
    Table { columns, rows: report.fairness.iter().map(row).collect(), cut: 0 }
}

/// What to profile: two runs per scenario.
pub(super) fn handoffs(report: &Report, length: fn(Lengths) -> String) -> Table {
    let titles = ["Scenario", "SGLang candidate", "Profile", "Input tokens", "Output tokens"];
    let mut rows = Vec::new();
    for handoff in &report.profiler_handoffs {
        let candidate = || match handoff.row.and_then(|row| report.row(row)) {
            Some(row) => Cell::Id { text: row.candidate_id.clone(), simulated: row.is_simulated() },
            None => Cell::Absent,
        };
        let profiles =
            [("prefill", length(handoff.input), "1".to_owned()), ("decode", "1".to_owned(), length(handoff.output))];
        for (profile, input, output) in profiles {
            rows.push(vec![
                Cell::Text(handoff.scenario.clone()),
                candidate(),
                Cell::Text(profile.to_owned()),
                Cell::Figure(input),
                Cell::Figure(output),
            ]);
        }
    }
    let columns = titles.into_iter().map(|title| Column { title, numeric: title.ends_with("tokens") }).collect();
    Table { columns, rows, cut: 0 }
}

/// The files of all rows, each once.
pub(super) fn artifacts(report: &Report) -> Table {
    let mut seen = BTreeSet::new();
    let mut rows = Vec::new();
    let mut cut = 0;
    for row in &report.rows {
        for (name, place) in row.artifacts.named() {
            if !seen.insert((&row.candidate_id, name, place)) {
                continue;
            }
            if rows.len() == MAX_ROWS {
                cut += 1;
                continue;
            }
            rows.push(vec![
                Cell::Id { text: row.candidate_id.clone(), simulated: row.is_simulated() },
                Cell::Text(name.to_owned()),
                Cell::Command(place.to_owned()),
            ]);
        }
    }
    let columns = ["Candidate", "File", "Where"].map(|title| Column { title, numeric: false }).into();
    Table { columns, rows, cut }
}
