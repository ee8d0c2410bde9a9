//! The tables of a report.

use leptos::prelude::*;
use podium_domain::load::LoadMode;
use podium_domain::report::Report;
use podium_domain::row::framework_name;

use super::columns::{BEST, COMPARED, OTHER, table};

/// Rows shown of a table that can be long; the rest is a count.
const MAX_ROWS: usize = 200;

/// The frameworks' best rows against each other, scenario by scenario.
pub(super) fn comparisons(report: &Report) -> AnyView {
    let tables = report
        .comparisons
        .iter()
        .map(|comparison| {
            if comparison.ranked.is_empty() {
                return view! {
                    <p class="muted">{format!("{}: no framework has a candidate that can be selected.", comparison.scenario)}</p>
                }
                .into_any();
            }
            let caption = format!("{}, best first", comparison.scenario);
            table(caption, COMPARED, report.rows_of(&comparison.ranked))
        })
        .collect_view();
    section("comparison", "Cross-framework comparison", tables.into_any())
}

/// One table per framework, one row per scenario.
pub(super) fn best_by_framework(report: &Report) -> AnyView {
    let tables = report
        .best_by_framework
        .iter()
        .map(|best| {
            let name = framework_name(&best.framework).to_owned();
            let without = (!best.without.is_empty()).then(|| {
                let text = format!("{name} has no candidate that can be selected in {}.", best.without.join(", "));
                view! { <p class="muted">{text}</p> }
            });
            let rows = (!best.rows.is_empty()).then(|| table(name.clone(), BEST, report.rows_of(&best.rows)));
            view! {
                {rows}
                {without}
            }
        })
        .collect_view();
    section("best", "Best commands by framework", tables.into_any())
}

/// Rows of load modes that do not decide the ranking.
pub(super) fn other_modes(report: &Report) -> AnyView {
    if report.other_modes.is_empty() {
        return ().into_any();
    }
    let tables = report
        .other_modes
        .iter()
        .map(|mode| table(mode_words(mode.mode).to_owned(), OTHER, report.rows_of(&mode.rows)))
        .collect_view();
    section("other-loads", "Other loads", tables.into_any())
}

const fn mode_words(mode: LoadMode) -> &'static str {
    match mode {
        LoadMode::RateSearch => "Rate search",
        LoadMode::ConcurrencySearch => "Concurrency search",
        LoadMode::Rate => "Fixed request rates",
        LoadMode::Concurrency => "Fixed concurrency",
        LoadMode::Burst => "Everything at once",
    }
}

/// What was tried and not selected, and why.
pub(super) fn not_selected(report: &Report) -> AnyView {
    let rows = report
        .not_selected
        .iter()
        .take(MAX_ROWS)
        .filter_map(|entry| {
            let row = report.row(entry.row)?;
            let sla = match (row.is_measured(), row.sla_verdict().passed) {
                (false, _) => "–",
                (true, true) => "held",
                (true, false) => "missed",
            };
            Some(view! {
                <tr data-candidate=row.candidate_id.clone()>
                    <th scope="row">{row.framework_name().to_owned()}</th>
                    <td>{row.scenario().to_owned()}</td>
                    <td>
                        <code>{row.candidate_id.clone()}</code>
                    </td>
                    <td>{row.status.word().to_owned()}</td>
                    <td>{sla}</td>
                    <td class="reason">{entry.reason.clone()}</td>
                </tr>
            })
        })
        .collect_view();
    if report.not_selected.is_empty() {
        return section(
            "not-selected",
            "Failed or SLA-failing candidates",
            view! { <p class="muted">"None: every candidate ran and held the SLA."</p> }.into_any(),
        );
    }
    let cut = report.not_selected.len().saturating_sub(MAX_ROWS);
    let more = (cut > 0).then(|| view! { <p class="muted">{format!("… and {cut} more.")}</p> });
    let body = view! {
        <p>
            "A record of configurations that were tried and not selected because they failed, were skipped, or completed and missed the SLA."
        </p>
        <div class="table-scroll" tabindex="0">
            <table>
                <caption class="visually-hidden">"Failed or SLA-failing candidates"</caption>
                {head(&["Framework", "Scenario", "Candidate", "Status", "SLA", "Reason"])}
                <tbody>{rows}</tbody>
            </table>
        </div>
        {more}
    };
    section("not-selected", "Failed or SLA-failing candidates", body.into_any())
}

/// The row of column titles of a table.
pub(super) fn head(titles: &[&'static str]) -> AnyView {
    let titles = titles.iter().map(|title| view! { <th scope="col">{*title}</th> }).collect_view();
    view! {
        <thead>
            <tr>{titles}</tr>
        </thead>
    }
    .into_any()
}

/// A part of the report with its heading.
pub(super) fn section(id: &'static str, title: &'static str, body: AnyView) -> AnyView {
    view! {
        <section id=id class="report-section">
            <h2>{title}</h2>
            {body}
        </section>
    }
    .into_any()
}
