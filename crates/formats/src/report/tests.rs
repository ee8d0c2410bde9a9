use std::collections::BTreeSet;

use podium_domain::report::{Report, ReportInput};

use super::*;
use crate::rows;

/// No pictures.
const NONE: &[Figure] = &[];

/// Three frameworks (one simulated), two scenarios, two load modes, failures, and values that try to add structure.
fn report() -> Report {
    let found = rows::read(&include_bytes!("fixtures/rows.jsonl")[..]).unwrap();
    assert_eq!(found.problems, []);
    Report::build(ReportInput { rows: found.rows, ..ReportInput::default() })
}

#[test]
fn markdown_is_stable() {
    insta::assert_snapshot!(markdown(&report()));
}

#[test]
fn csv_is_stable() {
    insta::assert_snapshot!(csv(&report()));
}

#[test]
fn html_is_stable() {
    let figure = Figure { title: "A & B".into(), caption: "<caption>".into(), svg: "<svg></svg>".into() };
    insta::assert_snapshot!(html(&report(), &[figure]));
}

#[test]
fn the_short_answer_is_stable() {
    insta::assert_json_snapshot!(compare_json(&report()));
}

#[test]
fn every_form_tells_the_proof_of_fairness() {
    let mut rows = report().rows;
    rows[0].hardware.gpu_count = Some(8);
    let report = Report::build(ReportInput { rows, ..ReportInput::default() });
    assert!(report.unfair_text().is_some());
    for text in [markdown(&report), html(&report, NONE)] {
        for line in &report.fairness {
            assert!(text.contains(line.check.name()), "{}", line.check.name());
        }
        assert!(text.contains("unfair comparison"));
    }
    let lines = serde_json::to_value(&report).unwrap()["fairness"].as_array().unwrap().len();
    assert_eq!(lines, podium_domain::fairness::Check::ALL.len(), "and the JSON has every line");
    let old = Report { fairness: Vec::new(), ..report };
    assert!(!markdown(&old).contains("## Fairness"), "a report from before it was computed");
}

#[test]
fn repeats_are_told_in_every_form_and_only_where_there_are_any() {
    let once = report();
    assert!(!markdown(&once).contains("Repeats and confidence") && markdown(&once).contains("Measured once"));
    let mut rows = once.rows;
    for row in rows.iter_mut().filter(|row| row.is_selectable()) {
        let figure = row.metrics.request_throughput.unwrap_or(1.0);
        let figures: Vec<_> = [1.0, 1.01, 0.99, 1.0]
            .iter()
            .enumerate()
            .map(|(repeat, factor)| {
                serde_json::json!({"repeat": repeat, "counts": repeat > 0, "sla_passed": true,
                                   "request_throughput": figure * factor, "p50_tpot_ms": 20.0})
            })
            .collect();
        let podium = row.podium.get_or_insert_default();
        podium.repeats = serde_json::from_value(serde_json::json!({ "figures": figures })).unwrap();
        podium.measured_times = Some(3);
    }
    let report = Report::build(ReportInput { rows, ..ReportInput::default() });
    let difference = report.comparisons[0].answer.margin.as_ref().and_then(|margin| margin.difference).unwrap();
    for text in [markdown(&report), html(&report, NONE)] {
        for told in ["Repeats and confidence", "Machine unchanged", "ahead", &difference.interval_text()] {
            assert!(text.contains(told), "{told}: {text}");
        }
        assert!(!text.contains("easured once"), "{text}");
    }
    let stored = serde_json::to_value(&report).unwrap();
    assert_eq!(stored["comparisons"][0]["answer"]["margin"]["difference"]["verdict"], "ahead");
    assert_eq!(stored["rows"][0]["podium"]["repeats"]["figures"][1]["repeat"], 1);
}

#[test]
fn the_json_is_stable() {
    insta::assert_json_snapshot!(report());
}

#[test]
fn the_json_form_reads_back() {
    let report = report();
    assert_eq!(serde_json::from_str::<Report>(&json(&report)).unwrap(), report);
}

#[test]
fn every_table_row_of_the_markdown_has_the_cells_of_its_header() {
    // Bars that are escaped do not end a cell.
    let cells = |line: &str| line.replace("\\|", "").matches('|').count();
    let text = markdown(&report());
    let mut width = None;
    let mut tables = 0;
    for line in text.lines() {
        width = match (line.starts_with('|'), width) {
            (false, _) => None,
            (true, None) => {
                tables += 1;
                Some(cells(line))
            }
            (true, Some(width)) => {
                assert_eq!(cells(line), width, "{line}");
                Some(width)
            }
        };
    }
    assert!(tables > 5, "{text}");
}

#[test]
fn html_holds_no_markup_from_values_and_needs_no_network() {
    let page = html(&report(), NONE);
    for foreign in ["<script", "</script", "<b>", "src=", "href=", "@import", "url("] {
        assert!(!page.contains(foreign), "{foreign}");
    }
}

#[test]
fn the_csv_without_simulated_rows_has_the_common_columns_alone() {
    let mut report = report();
    let header = |report: &Report| csv(report).lines().next().unwrap_or_default().to_owned();
    assert!(header(&report).ends_with("server_command,failure_reason,simulated"));
    report.simulated.clear();
    assert!(header(&report).ends_with("server_command,failure_reason"));
}

#[test]
fn simulated_rows_are_marked_wherever_they_are_listed() {
    let report = report();
    let ids: BTreeSet<_> =
        report.rows.iter().filter(|row| row.is_simulated()).map(|row| row.candidate_id.as_str()).collect();
    let lines = markdown(&report);
    let listed: Vec<_> =
        lines.lines().filter(|l| l.starts_with('|') && ids.iter().any(|id| l.contains(&id[..22]))).collect();
    assert!(!listed.is_empty());
    for line in listed {
        assert!(line.contains("**simulated**"), "{line}");
    }
}

#[test]
fn any_table_is_quoted_as_csv_needs_it() {
    let text = |cells: [&str; 2]| cells.map(str::to_owned).to_vec();
    let csv = table_csv(&text(["a", "b, c"]), &[text(["1 \"x\"", "2"])]);
    assert_eq!(csv, "a,\"b, c\"\n\"1 \"\"x\"\"\",2\n");
}

#[test]
fn long_tables_are_cut_with_a_count() {
    let report = report();
    let failed = report.rows[6].clone();
    let rows = (0..250).map(|n| podium_domain::row::ResultRow { candidate_id: format!("c{n}"), ..failed.clone() });
    let report = Report::build(ReportInput { rows: rows.collect(), ..ReportInput::default() });
    assert!(markdown(&report).contains("… and 50 more."));
    assert!(html(&report, NONE).contains("… and 50 more."));
    assert_eq!(::csv::Reader::from_reader(csv(&report).as_bytes()).records().count(), 250, "the CSV is whole");
}
