//! The search curves: what each framework's best candidate gave at every measured load.

use leptos::prelude::*;
use podium_domain::report::Report;
use podium_domain::row::framework_name;
use podium_domain::search_curve::{CurvePoint, SearchCurve};

use super::tables::{head, section};
use crate::format::{figure, figure_or_dash};

/// The curves of the candidates that are the best of their framework; nothing where none was measured.
pub(super) fn curves(report: &Report) -> AnyView {
    let shown: Vec<_> = report.shown_curves().map(curve).collect();
    if shown.is_empty() {
        return ().into_any();
    }
    section("search-curve", "Search curve", shown.into_any())
}

fn curve(curve: &SearchCurve) -> AnyView {
    let caption = format!("{} · {} {}", curve.scenario, framework_name(&curve.framework), curve.candidate_id);
    let found = curve.sla_point.map(|point| view! { <p>{point.sentence(curve.axis)}</p> });
    let rows = curve.points.iter().map(point).collect_view();
    view! {
        {found}
        <div class="table-scroll" tabindex="0">
            <table data-candidate=curve.candidate_id.clone()>
                <caption>{caption}</caption>
                {head(&curve.axis.columns())}
                <tbody>{rows}</tbody>
            </table>
        </div>
    }
    .into_any()
}

fn point(point: &CurvePoint) -> AnyView {
    view! {
        <tr>
            <th scope="row">{figure(point.load)}</th>
            <td class="number">{figure_or_dash(point.achieved_rps)}</td>
            <td class="number">{figure_or_dash(point.output_token_throughput)}</td>
            <td class="number">{figure_or_dash(point.p50_ttft_ms)}</td>
            <td class="number">{figure_or_dash(point.p50_tpot_ms)}</td>
            <td class="number">{figure_or_dash(point.pass_share.map(|share| share * 100.0))}</td>
            <td class="reason">{point.verdict()}</td>
        </tr>
    }
    .into_any()
}

#[cfg(test)]
mod tests {
    use podium_domain::report::ReportInput;
    use podium_domain::row::ResultRow;
    use podium_domain::search_curve::LoadAxis;

    use super::*;

    #[test]
    fn the_best_candidates_curve_is_drawn_and_a_report_without_one_has_no_section() {
        let row: ResultRow = serde_json::from_value(serde_json::json!({
            "framework": "vllm", "candidate_id": "vllm-b", "status": "ok",
            "workload": {"scenario": "chat", "num_prompts": 80}, "sla": {"max_p50_ttft_ms": 500},
            "metrics": {"request_throughput": 4.0, "p50_ttft_ms": 100.0}, "server_command": "vllm serve m",
            "podium": {"baseline": false, "load_mode": "rate_search", "validity": {"verdict": "valid"}},
        }))
        .unwrap();
        let mut report = Report::build(ReportInput { rows: vec![row], ..ReportInput::default() });
        assert!(!curves(&report).to_html().contains("search-curve"));
        let early = CurvePoint {
            load: 8.0,
            achieved_rps: None,
            output_token_throughput: None,
            p50_ttft_ms: None,
            p50_tpot_ms: None,
            pass_share: Some(0.25),
            holds: false,
            ended_early: Some("out of reach".to_owned()),
        };
        report.search_curves.push(SearchCurve {
            framework: "vllm".to_owned(),
            candidate_id: "vllm-b".to_owned(),
            scenario: "chat".to_owned(),
            axis: LoadAxis::Concurrency,
            points: vec![early],
            sla_point: None,
        });
        let html = curves(&report).to_html();
        for part in ["search-curve", "chat · vLLM vllm-b", "In flight", "25", "ended early: out of reach"] {
            assert!(html.contains(part), "{part}: {html}");
        }
    }
}
