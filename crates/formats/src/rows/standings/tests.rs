use podium_domain::report::{Report, ReportInput};

use super::*;
use crate::report::{ShortAnswer, csv};
use crate::rows;

const ROWS: &[u8] = include_bytes!("../../report/fixtures/rows.jsonl");

/// A reader that gives few bytes at a time, as a pipe may.
struct Trickle<'a>(&'a [u8]);

impl Read for Trickle<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = buffer.len().min(self.0.len()).min(7);
        buffer[..n].copy_from_slice(&self.0[..n]);
        self.0 = &self.0[n..];
        Ok(n)
    }
}

#[test]
fn standings_give_the_answer_and_the_csv_of_the_rows_themselves() {
    let report = Report::build(ReportInput { rows: rows::read(ROWS).unwrap().rows, ..ReportInput::default() });
    for threads in [1, 3] {
        let mut standings = Standings::new(Preference::Requests, true);
        assert_eq!(standings.read(Trickle(ROWS), threads).unwrap(), []);
        let order = standings.order();
        assert_eq!(order, report.order);
        let short = serde_json::to_value(ShortAnswer::of_standings(standings.rows(), &order)).unwrap();
        assert_eq!(short, serde_json::to_value(ShortAnswer::of(&report)).unwrap());
        let mut written = Vec::new();
        standings.write_csv(&order, &mut written).unwrap();
        assert_eq!(String::from_utf8(written).unwrap(), csv(&report));
    }
}

#[test]
fn many_chunks_keep_the_order_and_the_line_numbers() {
    // Enough for several chunks: every row is the same but for its id and throughput.
    let mut text = String::new();
    let filler = "x".repeat(20_000);
    let n = 2 * CHUNK_BYTES / filler.len();
    for index in 0..n {
        text += &format!(
            "{{\"framework\":\"vllm\",\"candidate_id\":\"c{index}\",\"status\":\"ok\",\"sla\":{{\"passed\":true}},\
             \"metrics\":{{\"request_throughput\":{}}},\"note\":\"{filler}\"}}\n",
            index % 10
        );
    }
    text += "[]\n";
    let mut standings = Standings::new(Preference::Requests, false);
    let problems = standings.read(text.as_bytes(), 2).unwrap();
    assert_eq!(problems.iter().map(|problem| problem.line).collect::<Vec<_>>(), [n as u64 + 1]);
    assert_eq!(standings.rows().len(), n);
    let order = standings.order();
    assert_eq!(&*standings.rows()[order[0]].candidate_id, "c9");
    assert_eq!(&*standings.rows()[order[1]].candidate_id, "c19");
    assert_eq!(standings.read(&b"{\"framework\": 1}"[..], 2).unwrap()[0].line, 1, "each file counts its own lines");
}
