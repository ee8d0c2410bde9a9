//! The curves of a report: what the best candidates gave at each rate.

use podium_domain::report::{Report, figure};
use podium_domain::row::framework_name;
use podium_domain::search_curve::CurvePoint;

use super::document::{Block, Cell, Column, Table};

/// The curve of every candidate that is the best of its framework in a scenario; a report's JSON has all of them.
pub(super) fn search_curves(report: &Report) -> Vec<Block> {
    let mut blocks = Vec::new();
    for curve in report.shown_curves() {
        let name = framework_name(&curve.framework);
        blocks.push(Block::Heading(3, format!("{} · {name} {}", curve.scenario, curve.candidate_id)));
        blocks.extend(curve.sla_point.map(|point| Block::Paragraph(point.sentence())));
        blocks.push(Block::Table(table(&curve.points)));
    }
    if !blocks.is_empty() {
        blocks.insert(0, Block::Heading(2, "Search curve".to_owned()));
    }
    blocks
}

fn table(points: &[CurvePoint]) -> Table {
    let column = |title, numeric| Column { title, numeric };
    let number = |value: Option<f64>| value.map_or(Cell::Absent, |value| Cell::Figure(figure(value)));
    let rows = points.iter().map(|point| {
        vec![
            number(Some(point.rate_rps)),
            number(point.achieved_rps),
            number(point.p50_ttft_ms),
            number(point.pass_share.map(|share| share * 100.0)),
            Cell::Text(point.verdict()),
        ]
    });
    Table {
        columns: vec![
            column("Asked, req/s", true),
            column("Achieved, req/s", true),
            column("p50 TTFT, ms", true),
            column("Within the SLA, %", true),
            column("Verdict", false),
        ],
        rows: rows.collect(),
        cut: 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn point(rate_rps: f64, holds: bool, ended_early: Option<&str>) -> CurvePoint {
        let ended_early = ended_early.map(str::to_owned);
        let (achieved_rps, p50_ttft_ms, pass_share) = (Some(rate_rps * 0.9), Some(80.0), Some(0.75));
        CurvePoint { rate_rps, achieved_rps, p50_ttft_ms, pass_share, holds, ended_early }
    }

    #[test]
    fn a_probe_that_ended_early_says_why() {
        let table = table(&[point(1.0, true, None), point(8.0, false, Some("out of reach"))]);
        assert!(table.rows.iter().all(|row| row.len() == table.columns.len()));
        assert!(matches!(&table.rows[0][4], Cell::Text(text) if text == "holds"));
        assert!(matches!(&table.rows[1][4], Cell::Text(text) if text == "ended early: out of reach"));
        assert!(matches!(&table.rows[1][3], Cell::Figure(text) if text.starts_with("75")));
    }
}
