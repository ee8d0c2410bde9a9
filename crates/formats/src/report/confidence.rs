//! The report's part on repeats: how sure the order is, and whether the machine stayed the same.

use podium_domain::report::{RepeatedLine, Report};
use podium_domain::row::ResultRow;

use super::document::{Block, Cell, Column, Table};

/// Nothing where no candidate was measured again.
pub(super) fn repeats(report: &Report) -> Vec<Block> {
    let lines: Vec<_> = report.repeated_lines().collect();
    if lines.is_empty() {
        return Vec::new();
    }
    let intro = "The baseline and the best two of each framework were launched and measured again, in alternating order. A row \
                 has the figures of its middle repeat; the first pass, by which they were chosen, is not among them. The \
                 difference to the next is a tie where its interval holds 0; a tie does not change the order.";
    let mut blocks = vec![
        Block::Heading(2, "Repeats and confidence".to_owned()),
        Block::Paragraph(intro.to_owned()),
        Block::Table(table(&COLUMNS, lines.iter().map(cells))),
    ];
    let baselines: Vec<_> = report
        .steadiness()
        .map(|(row, found)| {
            vec![
                scenario(row),
                framework(row),
                Cell::Text(found.finding.word().to_owned()),
                Cell::Text(found.evidence()),
            ]
        })
        .collect();
    if !baselines.is_empty() {
        let intro =
            "The machine: every baseline's measurements in order of time, from the first pass to the last repeat.";
        blocks.push(Block::Paragraph(intro.to_owned()));
        blocks.push(Block::Table(table(&BASELINE_COLUMNS, baselines.into_iter())));
    }
    blocks
}

/// A column's title, and whether it holds figures.
type Titled = (&'static str, bool);

const COLUMNS: [Titled; 7] = [
    ("Scenario", false),
    ("Framework", false),
    ("Candidate", false),
    ("Repeats, req/s", true),
    ("95 % interval, req/s", true),
    ("against the next", true),
    ("Verdict", false),
];

const BASELINE_COLUMNS: [Titled; 4] =
    [("Scenario", false), ("Framework", false), ("Machine unchanged", false), ("Evidence", false)];

fn table(columns: &[Titled], rows: impl Iterator<Item = Vec<Cell>>) -> Table {
    let columns = columns.iter().map(|&(title, numeric)| Column { title, numeric }).collect();
    Table { columns, rows: rows.collect(), cut: 0 }
}

fn scenario(row: &ResultRow) -> Cell {
    Cell::Text(row.scenario().to_owned())
}

fn framework(row: &ResultRow) -> Cell {
    Cell::Text(row.framework_name().to_owned())
}

fn cells(line: &RepeatedLine<'_>) -> Vec<Cell> {
    let figure = |text: &Option<String>| text.clone().map_or(Cell::Absent, Cell::Figure);
    vec![
        scenario(line.row),
        framework(line.row),
        Cell::Id { text: line.row.candidate_id.clone(), simulated: line.row.is_simulated() },
        Cell::Figure(line.repeats.clone()),
        figure(&line.interval),
        figure(&line.difference),
        line.verdict.map_or(Cell::Absent, |word| Cell::Text(word.to_owned())),
    ]
}
