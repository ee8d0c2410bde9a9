//! Several runs of one measurement that another tool made, each of which became a row.

use std::collections::BTreeMap;

use super::choice::middle_of;
use super::{RepeatFigures, Repeats, SEED};
use crate::bootstrap::Interval;
use crate::row::{ResultRow, RowStatus};
use crate::validity::Validity;

/// Makes one row of the imported rows that say which run of one and the same measurement they are; the rows that stay in
/// their order, and the others. Of several runs the luckiest would else win.
///
/// The rule is that of [`super::choose`], with all runs as repeats: nobody was chosen by the first.
pub fn fold_runs(rows: Vec<ResultRow>) -> (Vec<ResultRow>, Vec<ResultRow>) {
    let mut places: BTreeMap<_, Vec<usize>> = BTreeMap::new();
    for (index, row) in rows.iter().enumerate().filter(|(_, row)| row.is_imported() && row.run_number().is_some()) {
        let place = (&row.framework, &row.candidate_id, row.scenario(), row.load_text());
        places.entry(place).or_default().push(index);
    }
    let standing: BTreeMap<usize, Option<Repeats>> = places
        .into_values()
        .flat_map(|group| {
            let folded = fold(&rows, &group);
            group.into_iter().filter_map(move |index| {
                folded.as_ref().map(|(stands, repeats)| (index, (index == *stands).then(|| repeats.clone())))
            })
        })
        .collect();
    let (mut kept, mut folded) = (Vec::new(), Vec::new());
    for (index, mut row) in rows.into_iter().enumerate() {
        match (standing.get(&index), &mut row.podium) {
            (Some(Some(repeats)), Some(podium)) => {
                podium.measured_times = u32::try_from(repeats.counted().count()).ok();
                podium.repeats = Some(repeats.clone());
                kept.push(row);
            }
            (Some(None), _) => folded.push(row),
            _ => kept.push(row),
        }
    }
    (kept, folded)
}

/// The row that stands for a group, with what each of the group gave; `None` where the rows are no runs of one
/// measurement, or too few of them say anything.
fn fold(rows: &[ResultRow], group: &[usize]) -> Option<(usize, Repeats)> {
    let mut sorted = group.to_vec();
    sorted.sort_by_key(|&i| rows[i].run_number());
    if sorted.windows(2).any(|pair| rows[pair[0]].run_number() == rows[pair[1]].run_number()) {
        return None;
    }
    let evidence: Vec<usize> =
        sorted.iter().copied().filter(|&i| rows[i].validity().is_none_or(Validity::may_win)).collect();
    if evidence.len() < 2 {
        return None;
    }
    let (held, others): (Vec<usize>, Vec<usize>) = evidence.iter().partition(|&&i| rows[i].is_selectable());
    let counted = if held.len() * 2 > evidence.len() {
        held
    } else {
        others.into_iter().filter(|&i| rows[i].is_measured()).collect()
    };
    let throughput = |i: usize| rows[i].metrics.request_throughput.unwrap_or(0.0);
    let stands = middle_of(&counted, throughput)?;
    let throughputs: Vec<f64> = counted.iter().map(|&i| throughput(i)).collect();
    let figures = sorted.iter().map(|&i| figures(&rows[i], counted.contains(&i))).collect();
    Some((stands, Repeats { figures, request_throughput_interval: Interval::of_level(&throughputs, SEED) }))
}

fn figures(row: &ResultRow, counts: bool) -> RepeatFigures {
    let metrics = &row.metrics;
    RepeatFigures {
        repeat: row.run_number().unwrap_or(0),
        counts,
        measurement_id: None,
        sla_passed: row.is_measured().then(|| row.sla_verdict().passed),
        failure_reason: row.failure_reason.clone().filter(|_| row.status != RowStatus::Ok),
        request_throughput: metrics.request_throughput,
        output_token_throughput: metrics.output_token_throughput,
        p50_ttft_ms: metrics.p50_ttft_ms,
        p50_tpot_ms: metrics.p50_tpot_ms,
        p50_e2e_ms: metrics.p50_e2e_ms,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn run(candidate: &str, repeat: u32, rps: f64) -> ResultRow {
        serde_json::from_value(json!({
            "framework": "vllm", "candidate_id": candidate, "status": "ok",
            "workload": {"scenario": "chat", "num_prompts": 80, "request_rate": 8},
            "sla": {"passed": true}, "metrics": {"request_throughput": rps},
            "podium": {"repeat": repeat, "imported": {"tool": "vllm bench sweep serve"}},
        }))
        .unwrap()
    }

    #[test]
    fn runs_of_one_measurement_become_one_row_with_the_middle_figures() {
        let rows = vec![run("a", 1, 9.0), run("b", 1, 8.0), run("a", 3, 7.0), run("a", 2, 8.0), run("c", 0, 1.0)];
        let (kept, folded) = fold_runs(rows);
        let shown: Vec<_> =
            kept.iter().map(|row| (row.candidate_id.as_str(), row.metrics.request_throughput)).collect();
        assert_eq!(shown, [("b", Some(8.0)), ("a", Some(8.0)), ("c", Some(1.0))]);
        assert_eq!(folded.len(), 2);
        let repeats = kept[1].repeats().unwrap();
        assert_eq!(repeats.figures.iter().map(|f| f.request_throughput).collect::<Vec<_>>(), [9.0, 8.0, 7.0].map(Some));
        assert!(repeats.request_throughput_interval.is_some_and(|interval| interval.holds(8.0)));
        assert_eq!((kept[0].repeats(), kept[1].is_measured_once()), (None, false));
    }

    #[test]
    fn rows_that_are_no_runs_of_one_measurement_stay_apart() {
        let mut other_load = run("a", 2, 8.0);
        other_load.workload.request_rate = Some(4.0);
        assert_eq!(fold_runs(vec![run("a", 1, 9.0), other_load]).1, []);
        assert_eq!(fold_runs(vec![run("a", 1, 9.0), run("a", 1, 8.0)]).1, [], "the same run of two files");
        let mut failed = run("a", 2, 8.0);
        failed.podium.as_mut().unwrap().validity = Some(Validity::Invalid(vec![]));
        assert_eq!(fold_runs(vec![run("a", 1, 9.0), failed]).1, [], "one says anything");
    }
}
