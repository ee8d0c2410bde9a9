//! A report, drawn from its frozen model alone: the same for its owner and by link.

mod charts;
mod columns;
mod curve;
mod facts;
mod fairness;
mod repeats;
mod tables;
mod winner;

pub use charts::{chart_figures, trend_figures};
use leptos::prelude::*;
use podium_domain::report::Report;

/// Everything of a report, the answer first. The charts' files are under the address `chart_files`.
pub fn report_body(report: &Report, chart_files: &str) -> AnyView {
    view! {
        {winner::answers(report)}
        {charts::charts(report, chart_files)}
        {tables::comparisons(report)}
        {repeats::repeats(report)}
        {tables::best_by_framework(report)}
        {curve::curves(report)}
        {tables::other_modes(report)}
        {tables::not_selected(report)}
        {fairness::proof(report)}
        {facts::caveats(report)}
        {facts::handoffs(report)}
        {facts::conditions(report)}
    }
    .into_any()
}
