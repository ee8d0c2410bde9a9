//! What was measured again: how sure the order is, and whether the machine stayed the same.

use leptos::prelude::*;
use podium_domain::confidence::Steadiness;
use podium_domain::report::{RepeatedLine, Report};
use podium_domain::row::ResultRow;

use super::tables::{head, section};

/// Nothing where no candidate was measured again.
pub(super) fn repeats(report: &Report) -> AnyView {
    let lines = report.repeated_lines().map(repeated).collect_view();
    if lines.is_empty() {
        return ().into_any();
    }
    let baselines = report.steadiness().map(|(row, found)| baseline(row, found)).collect_view();
    let machine = (!baselines.is_empty()).then(|| {
        view! {
            <div class="table-scroll" tabindex="0">
                <table>
                    <caption>"The machine: each baseline's measurements in order of time"</caption>
                    {head(&["Scenario", "Framework", "Machine unchanged", "Evidence"])}
                    <tbody>{baselines}</tbody>
                </table>
            </div>
        }
    });
    let body = view! {
        <p>
            "The baseline and the best two of each framework were launched and measured again, in alternating order. A row has the figures of its middle repeat; the first pass, by which they were chosen, is not among them. The difference to the next is a tie where its interval holds 0; a tie does not change the order."
        </p>
        <div class="table-scroll" tabindex="0">
            <table>
                <caption class="visually-hidden">"Repeated candidates, best first in each scenario"</caption>
                {head(
                    &[
                        "Scenario",
                        "Framework",
                        "Candidate",
                        "Repeats, req/s",
                        "95 % interval, req/s",
                        "Against the next",
                        "Verdict",
                    ],
                )}
                <tbody>{lines}</tbody>
            </table>
        </div>
        {machine}
    };
    section("repeats", "Repeats and confidence", body.into_any())
}

fn repeated(line: RepeatedLine<'_>) -> AnyView {
    let dash = || "–".to_owned();
    view! {
        <tr data-candidate=line.row.candidate_id.clone() data-verdict=line.verdict>
            <th scope="row">{line.row.scenario().to_owned()}</th>
            <td>{line.row.framework_name().to_owned()}</td>
            <td>
                <code>{line.row.candidate_id.clone()}</code>
            </td>
            <td class="number">{line.repeats}</td>
            <td class="number">{line.interval.unwrap_or_else(dash)}</td>
            <td class="number">{line.difference.unwrap_or_else(dash)}</td>
            <td>{line.verdict.unwrap_or("–")}</td>
        </tr>
    }
    .into_any()
}

fn baseline(row: &ResultRow, found: &Steadiness) -> AnyView {
    view! {
        <tr data-finding=found.finding.word()>
            <th scope="row">{row.scenario().to_owned()}</th>
            <td>{row.framework_name().to_owned()}</td>
            <td>{found.finding.word()}</td>
            <td class="reason">{found.evidence()}</td>
        </tr>
    }
    .into_any()
}

#[cfg(test)]
mod tests {
    use podium_domain::report::ReportInput;

    use super::*;

    fn row(framework: &str, rps: [f64; 4]) -> ResultRow {
        let figures: Vec<_> = rps
            .iter()
            .enumerate()
            .map(|(repeat, rps)| {
                serde_json::json!({"repeat": repeat, "counts": repeat > 0, "sla_passed": true,
                                   "request_throughput": rps, "p50_tpot_ms": 10.0})
            })
            .collect();
        serde_json::from_value(serde_json::json!({
            "framework": framework, "candidate_id": format!("{framework}-b"), "status": "ok",
            "workload": {"scenario": "chat", "num_prompts": 80}, "sla": {"max_p50_ttft_ms": 500},
            "metrics": {"request_throughput": rps[1], "p50_ttft_ms": 100.0}, "server_command": "serve m",
            "podium": {"baseline": true, "load_mode": "concurrency", "validity": {"verdict": "valid"},
                       "measured_times": 3, "repeats": {"figures": figures}},
        }))
        .unwrap()
    }

    #[test]
    fn repeats_and_the_machine_are_shown_and_a_report_without_repeats_has_no_section() {
        let rows = vec![row("vllm", [9.0, 12.0, 12.1, 11.9]), row("sglang", [9.0, 10.0, 10.1, 9.9])];
        let report = Report::build(ReportInput { rows: rows.clone(), ..ReportInput::default() });
        let html = repeats(&report).to_html();
        for part in ["12.0, 12.1, 11.9", "+20.0 % (95 % interval", "data-verdict=\"ahead\"", "data-finding=\"pass\""] {
            assert!(html.contains(part), "{part}: {html}");
        }
        let mut once = rows;
        once.iter_mut().for_each(|row| row.podium.as_mut().unwrap().repeats = None);
        let report = Report::build(ReportInput { rows: once, ..ReportInput::default() });
        assert_eq!(repeats(&report).to_html(), ().into_any().to_html());
    }
}
