//! Which of very many rows a report shows, and reading those alone.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::io::{self, BufRead};

use podium_domain::ranking::{self, Contender, Standing};
use podium_domain::report::LeftOut;
use podium_domain::row::ResultRow;

use super::{RowProblem, Standings, is_blank, read_line};

/// Up to this many rows a report holds every one.
pub const WHOLE_REPORT_ROWS: usize = 20_000;

/// The best rows over all, which charts show.
const BEST: usize = 1_000;

/// Rows of a table that can be long, and a little more than the table itself shows.
const OF_A_TABLE: usize = 250;

impl Standings {
    /// The indices of the rows that a report of very many needs, ascending, and what it leaves out: the best of every
    /// framework and scenario, the best of every load mode and over all, and the first ones of each framework and of
    /// those that were not selected.
    pub fn chosen(&self, order: &[usize]) -> (Vec<usize>, LeftOut) {
        let rows = self.rows();
        let mode = ranking::primary_mode(rows);
        let competing: Vec<usize> = order.iter().copied().filter(|&i| ranking::in_mode(&rows[i], mode)).collect();
        let mut chosen: BTreeSet<usize> =
            ranking::best_by_framework(rows, &competing).into_iter().map(|best| best.row).collect();
        chosen.extend(order.iter().copied().take(BEST));
        chosen.extend(first_of_each(rows, order.iter().copied(), |row| row.load_mode()));
        chosen.extend(first_of_each(rows, 0..rows.len(), |row| Some(row.framework())));
        let is_listed = |&index: &usize| rows[index].not_selected_reason.is_some();
        chosen.extend((0..rows.len()).filter(is_listed).take(OF_A_TABLE));
        let not_selected = (0..rows.len()).filter(is_listed).count() - chosen.iter().filter(|i| is_listed(i)).count();
        let candidates: HashSet<_> = rows.iter().map(|row| (&row.framework, &row.candidate_id)).collect();
        let left = LeftOut {
            rows: (rows.len() - chosen.len()) as u64,
            not_selected: not_selected as u64,
            candidates: candidates.len() as u64,
        };
        (chosen.into_iter().collect(), left)
    }
}

/// The first rows of `indices` of each kind.
fn first_of_each<'a, K: Ord>(
    rows: &'a [Standing],
    indices: impl Iterator<Item = usize>,
    kind: impl Fn(&'a Standing) -> Option<K>,
) -> Vec<usize> {
    let mut seen: BTreeMap<K, usize> = BTreeMap::new();
    let mut first = Vec::new();
    for index in indices {
        let Some(kind) = kind(&rows[index]) else { continue };
        let count = seen.entry(kind).or_default();
        *count += 1;
        if *count <= OF_A_TABLE {
            first.push(index);
        }
    }
    first
}

/// Reads the rows of `chosen` (ascending, counted from the first row of this file) and parses no other. `problems` are
/// the lines of the file that are no rows.
///
/// # Errors
/// Where `reader` cannot be read, or does not hold any more what it held before.
pub fn read_chosen(
    mut reader: impl BufRead,
    problems: &[RowProblem],
    chosen: impl IntoIterator<Item = usize>,
) -> io::Result<Vec<ResultRow>> {
    let wrong: HashSet<u64> = problems.iter().map(|problem| problem.line).collect();
    let mut chosen = chosen.into_iter().peekable();
    let mut rows = Vec::new();
    let (mut line, mut number, mut index) = (Vec::new(), 0, 0);
    while let Some(&next) = chosen.peek() {
        line.clear();
        if reader.read_until(b'\n', &mut line)? == 0 {
            return Err(changed());
        }
        number += 1;
        if is_blank(&line) || wrong.contains(&number) {
            continue;
        }
        if index == next {
            rows.push(read_line(&line).and_then(Result::ok).ok_or_else(changed)?);
            chosen.next();
        }
        index += 1;
    }
    Ok(rows)
}

fn changed() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "the file changed while it was read; compare it again")
}

#[cfg(test)]
mod tests {
    use podium_domain::ranking::Preference;
    use podium_domain::report::{Report, ReportInput};

    use super::*;
    use crate::report::{Figure, html, markdown};

    /// Rows in turn: fast enough, too slow, failed; with lines between them that are none.
    fn text(count: usize) -> String {
        let row = |index: usize| {
            let (status, ttft_ms) = [("ok", 100), ("ok", 900), ("oom", 100)][index % 3];
            let framework = ["vllm", "sglang"][index % 2];
            let between = ["", "\n", "no row\n"][index % 7 % 3];
            format!(
                "{{\"framework\": \"{framework}\", \"candidate_id\": \"c{index}\", \"status\": \"{status}\", \
                 \"sla\": {{\"max_p50_ttft_ms\": 500}}, \"metrics\": {{\"request_throughput\": {}, \
                 \"p50_ttft_ms\": {ttft_ms}}}}}\n{between}",
                index * 31 % count + 1,
            )
        };
        (0..count).map(row).collect()
    }

    #[test]
    fn a_report_of_the_chosen_rows_answers_as_one_of_all() {
        let text = text(6_000);
        let mut standings = Standings::new(Preference::default(), false);
        let problems = standings.read(text.as_bytes(), 2).unwrap();
        assert!(!problems.is_empty());
        let order = standings.order();
        let (chosen, left) = standings.chosen(&order);
        let rows = read_chosen(text.as_bytes(), &problems, chosen.iter().copied()).unwrap();
        for (row, &index) in rows.iter().zip(&chosen) {
            assert_eq!(row.candidate_id.as_str(), &*standings.rows()[index].candidate_id);
        }
        assert_eq!((rows.len(), rows.len() as u64 + left.rows), (chosen.len(), 6_000));
        assert!(rows.len() < 2_500, "{}", rows.len());

        let all = super::super::read(text.as_bytes()).unwrap().rows;
        let whole = Report::build(ReportInput { rows: all, ..ReportInput::default() });
        let short = Report::build(ReportInput { rows, left_out: Some(left), ..ReportInput::default() });
        assert_eq!(short.answers(), whole.answers());
        assert_eq!(short.candidates, whole.candidates);
        assert_eq!(short.not_selected.len() as u64 + left.not_selected, whole.not_selected.len() as u64);
        for write in [markdown as fn(&Report) -> String, |report| html(report, &[] as &[Figure])] {
            assert!(write(&short).contains("… and 3800 more."), "of 4000 that were not selected 200 are shown");
            assert!(write(&whole).contains("… and 3800 more."));
            assert!(write(&short).contains("6000 rows were ranked"));
        }
    }

    #[test]
    fn a_file_that_became_shorter_is_told() {
        let error = read_chosen(text(3).as_bytes(), &[], [0, 99]).unwrap_err();
        assert_eq!(error.to_string(), "the file changed while it was read; compare it again");
    }
}
