//! The report as JSON: whole, and as the short answer of a comparison.

use podium_domain::ranking::{self, Standing};
use podium_domain::report::Report;
use serde::Serialize;
use serde_json::Value;

/// The whole model, indented. A figure that is not a number becomes `null`.
pub fn json(report: &Report) -> String {
    // Nothing in the model can fail to be written: its keys are all texts.
    serde_json::to_string_pretty(report).unwrap_or_default()
}

/// The short answer of a comparison. It borrows, so that it stays small beside very many rows.
#[derive(Debug, Serialize)]
pub struct ShortAnswer<'a> {
    /// The best candidate of each framework and scenario, by framework and scenario in name order.
    best_by_framework: Vec<Best<'a>>,
    /// The frameworks' best candidates of each scenario, best first; scenarios in name order.
    cross_framework: Vec<Ranked<'a>>,
    /// What was tried and not selected, in the order of the input.
    not_selected: Vec<Unselected<'a>>,
    /// All candidates, best first.
    order: Vec<&'a str>,
}

#[derive(Debug, Serialize)]
struct Best<'a> {
    framework: &'a str,
    scenario: &'a str,
    candidate_id: &'a str,
}

#[derive(Debug, Serialize)]
struct Ranked<'a> {
    scenario: &'a str,
    rank: usize,
    framework: &'a str,
    candidate_id: &'a str,
}

#[derive(Debug, Serialize)]
struct Unselected<'a> {
    framework: &'a str,
    candidate_id: &'a str,
    status: &'a str,
    reason: &'a str,
}

impl<'a> ShortAnswer<'a> {
    /// The short answer of a report.
    #[must_use]
    pub fn of(report: &'a Report) -> Self {
        let mut best: Vec<_> = report.best_by_framework.iter().flat_map(|table| report.rows_of(&table.rows)).collect();
        best.sort_by_key(|row| (row.framework.as_str(), row.scenario()));
        let mut comparisons: Vec<_> = report.comparisons.iter().collect();
        comparisons.sort_by_key(|comparison| comparison.scenario.as_str());
        let ranked = comparisons.into_iter().flat_map(|comparison| {
            report.rows_of(&comparison.ranked).enumerate().map(|(index, row)| Ranked {
                scenario: &comparison.scenario,
                rank: index + 1,
                framework: &row.framework,
                candidate_id: &row.candidate_id,
            })
        });
        let not_selected = report.not_selected.iter().filter_map(|not| {
            let row = report.row(not.row)?;
            Some(Unselected {
                framework: &row.framework,
                candidate_id: &row.candidate_id,
                status: row.status.word(),
                reason: &not.reason,
            })
        });
        ShortAnswer {
            best_by_framework: best
                .into_iter()
                .map(|row| Best {
                    framework: &row.framework,
                    scenario: row.scenario(),
                    candidate_id: &row.candidate_id,
                })
                .collect(),
            cross_framework: ranked.collect(),
            not_selected: not_selected.collect(),
            order: report.rows_of(&report.order).map(|row| row.candidate_id.as_str()).collect(),
        }
    }

    /// The short answer of standings; `order` is their ranking.
    #[must_use]
    pub fn of_standings(rows: &'a [Standing], order: &[usize]) -> Self {
        let mode = ranking::primary_mode(rows);
        let competing: Vec<usize> =
            order.iter().copied().filter(|&index| ranking::in_mode(&rows[index], mode)).collect();
        let best = ranking::best_by_framework(rows, &competing);
        let ranked = ranking::cross_framework(rows, &competing);
        let cross_framework = ranked.into_values().flat_map(|indices| {
            indices.into_iter().enumerate().map(|(index, row)| Ranked {
                scenario: &rows[row].scenario,
                rank: index + 1,
                framework: &rows[row].framework,
                candidate_id: &rows[row].candidate_id,
            })
        });
        let not_selected = rows.iter().filter_map(|row| {
            Some(Unselected {
                framework: &row.framework,
                candidate_id: &row.candidate_id,
                status: row.status.word(),
                reason: row.not_selected_reason.as_deref()?,
            })
        });
        ShortAnswer {
            best_by_framework: best
                .into_iter()
                .map(|best| Best {
                    framework: &rows[best.row].framework,
                    scenario: &rows[best.row].scenario,
                    candidate_id: &rows[best.row].candidate_id,
                })
                .collect(),
            cross_framework: cross_framework.collect(),
            not_selected: not_selected.collect(),
            order: order.iter().map(|&index| &*rows[index].candidate_id).collect(),
        }
    }
}

/// The short answer as a value: see [`ShortAnswer`].
pub fn compare_json(report: &Report) -> Value {
    // Nothing in it can fail to be written.
    serde_json::to_value(ShortAnswer::of(report)).unwrap_or_default()
}
