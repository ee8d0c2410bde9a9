//! The curves of a report: what the best candidates gave at each load.

use podium_domain::report::{Report, figure};
use podium_domain::row::framework_name;
use podium_domain::search_curve::{CurvePoint, LoadAxis};

use super::document::{Block, Cell, Column, Table};

/// The curve of every candidate that is the best of its framework in a scenario; a report's JSON has all of them.
pub(super) fn search_curves(report: &Report) -> Vec<Block> {
    let mut blocks = Vec::new();
    for curve in report.shown_curves() {
        let name = framework_name(&curve.framework);
        blocks.push(Block::Heading(3, format!("{} · {name} {}", curve.scenario, curve.candidate_id)));
        blocks.extend(curve.sla_point.map(|point| Block::Paragraph(point.sentence(curve.axis))));
        blocks.push(Block::Table(table(curve.axis, &curve.points)));
    }
    if !blocks.is_empty() {
        blocks.insert(0, Block::Heading(2, "Search curve".to_owned()));
    }
    blocks
}

fn table(axis: LoadAxis, points: &[CurvePoint]) -> Table {
    let number = |value: Option<f64>| value.map_or(Cell::Absent, |value| Cell::Figure(figure(value)));
    let rows = points.iter().map(|point| {
        vec![
            number(Some(point.load)),
            number(point.achieved_rps),
            number(point.output_token_throughput),
            number(point.p50_ttft_ms),
            number(point.p50_tpot_ms),
            number(point.pass_share.map(|share| share * 100.0)),
            Cell::Text(point.verdict()),
        ]
    });
    let titles = axis.columns();
    // All but the last, which is in words.
    let column = |(index, title)| Column { title, numeric: index + 1 < titles.len() };
    Table { columns: titles.into_iter().enumerate().map(column).collect(), rows: rows.collect(), cut: 0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn point(load: f64, holds: bool, ended_early: Option<&str>) -> CurvePoint {
        let ended_early = ended_early.map(str::to_owned);
        CurvePoint {
            load,
            achieved_rps: Some(load * 0.9),
            output_token_throughput: None,
            p50_ttft_ms: Some(80.0),
            p50_tpot_ms: Some(9.0),
            pass_share: Some(0.75),
            holds,
            ended_early,
        }
    }

    #[test]
    fn a_probe_that_ended_early_says_why() {
        let table = table(LoadAxis::Concurrency, &[point(1.0, true, None), point(8.0, false, Some("out of reach"))]);
        assert!(table.rows.iter().all(|row| row.len() == table.columns.len()));
        assert!(matches!(&table.rows[0][6], Cell::Text(text) if text == "holds"));
        assert!(matches!(&table.rows[1][6], Cell::Text(text) if text == "ended early: out of reach"));
        assert!(matches!(&table.rows[1][5], Cell::Figure(text) if text.starts_with("75")));
    }
}
