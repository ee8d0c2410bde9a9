//! The report as JSON: whole, and as the short answer of a comparison.

use podium_domain::report::Report;
use serde_json::{Value, json};

/// The whole model, indented. A figure that is not a number becomes `null`.
pub fn json(report: &Report) -> String {
    // Nothing in the model can fail to be written: its keys are all texts.
    serde_json::to_string_pretty(report).unwrap_or_default()
}

/// The short answer: `best_by_framework` and `cross_framework` with frameworks and scenarios in name order,
/// `not_selected` in the order of the input, `order` in ranking order over all rows.
pub fn compare_json(report: &Report) -> Value {
    let mut best: Vec<_> = report.best_by_framework.iter().flat_map(|table| report.rows_of(&table.rows)).collect();
    best.sort_by_key(|row| (row.framework.as_str(), row.scenario()));
    let mut comparisons: Vec<_> = report.comparisons.iter().collect();
    comparisons.sort_by_key(|comparison| comparison.scenario.as_str());
    let cross_framework = comparisons.into_iter().flat_map(|comparison| {
        report.rows_of(&comparison.ranked).enumerate().map(|(index, row)| {
            json!({
                "scenario": comparison.scenario,
                "rank": index + 1,
                "framework": row.framework,
                "candidate_id": row.candidate_id,
            })
        })
    });
    let not_selected = report.not_selected.iter().filter_map(|not| {
        let row = report.row(not.row)?;
        Some(json!({
            "framework": row.framework,
            "candidate_id": row.candidate_id,
            "status": row.status.word(),
            "reason": not.reason,
        }))
    });
    json!({
        "best_by_framework": best.into_iter().map(|row| json!({
            "framework": row.framework,
            "scenario": row.scenario(),
            "candidate_id": row.candidate_id,
        })).collect::<Vec<_>>(),
        "cross_framework": cross_framework.collect::<Vec<_>>(),
        "not_selected": not_selected.collect::<Vec<_>>(),
        "order": report.rows_of(&report.order).map(|row| row.candidate_id.as_str()).collect::<Vec<_>>(),
    })
}
