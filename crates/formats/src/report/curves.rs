//! The curves of a report: what the best candidates gave at each rate.

use podium_domain::report::{Report, figure};
use podium_domain::row::framework_name;
use podium_domain::search_curve::{CurvePoint, SearchCurve};

use super::document::{Block, Cell, Column, Table};

/// The curve of every candidate that is the best of its framework in a scenario; a report's JSON has all of them.
pub(super) fn search_curves(report: &Report) -> Vec<Block> {
    let mut blocks = Vec::new();
    for curve in report.search_curves.iter().filter(|curve| is_shown(report, curve)) {
        let name = framework_name(&curve.framework);
        blocks.push(Block::Heading(3, format!("{} · {name} {}", curve.scenario, curve.candidate_id)));
        blocks.extend(sla_point(curve).map(Block::Paragraph));
        blocks.push(Block::Table(table(&curve.points)));
    }
    if !blocks.is_empty() {
        blocks.insert(0, Block::Heading(2, "Search curve".to_owned()));
    }
    blocks
}

fn is_shown(report: &Report, curve: &SearchCurve) -> bool {
    let best = report.best_by_framework.iter().flat_map(|table| report.rows_of(&table.rows));
    best.into_iter().any(|row| {
        row.framework == curve.framework && row.candidate_id == curve.candidate_id && row.scenario() == curve.scenario
    })
}

/// Where the SLA stops holding, in words.
fn sla_point(curve: &SearchCurve) -> Option<String> {
    let point = curve.sla_point?;
    let (low, high) = (figure(point.interval.low), figure(point.interval.high));
    let above = if point.open_above { "; the highest rate measured still holds it, so it may be more" } else { "" };
    Some(format!(
        "The SLA holds up to {} req/s (isotonic fit; 95 % interval {low} to {high}){above}.",
        figure(point.rate_rps)
    ))
}

fn table(points: &[CurvePoint]) -> Table {
    let column = |title, numeric| Column { title, numeric };
    let number = |value: Option<f64>| value.map_or(Cell::Absent, |value| Cell::Figure(figure(value)));
    let rows = points.iter().map(|point| {
        let verdict = match (&point.ended_early, point.holds) {
            (Some(why), _) => format!("ended early: {why}"),
            (None, true) => "holds".to_owned(),
            (None, false) => "does not pass".to_owned(),
        };
        vec![
            number(Some(point.rate_rps)),
            number(point.achieved_rps),
            number(point.p50_ttft_ms),
            number(point.pass_share.map(|share| share * 100.0)),
            Cell::Text(verdict),
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
    use podium_domain::bootstrap::Interval;
    use podium_domain::search_curve::SlaPoint;

    use super::*;

    fn point(rate_rps: f64, holds: bool, ended_early: Option<&str>) -> CurvePoint {
        let ended_early = ended_early.map(str::to_owned);
        let (achieved_rps, p50_ttft_ms, pass_share) = (Some(rate_rps * 0.9), Some(80.0), Some(0.75));
        CurvePoint { rate_rps, achieved_rps, p50_ttft_ms, pass_share, holds, ended_early }
    }

    #[test]
    fn the_point_and_its_interval_are_said() {
        let found = SlaPoint { rate_rps: 4.25, interval: Interval { low: 4.0, high: 4.5 }, open_above: false };
        let mut curve = SearchCurve {
            framework: "vllm".to_owned(),
            candidate_id: "vllm-baseline".to_owned(),
            scenario: "chat".to_owned(),
            points: Vec::new(),
            sla_point: Some(found),
        };
        let text = sla_point_text(&curve);
        assert!(text.contains("95 % interval") && !text.contains("may be more"), "{text}");
        curve.sla_point = Some(SlaPoint { open_above: true, ..found });
        assert!(sla_point_text(&curve).contains("may be more"));
        curve.sla_point = None;
        assert_eq!(sla_point(&curve), None);
    }

    fn sla_point_text(curve: &SearchCurve) -> String {
        sla_point(curve).unwrap_or_default()
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
