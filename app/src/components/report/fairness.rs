//! Whether the comparison was fair, line by line with the evidence.

use leptos::prelude::*;
use podium_domain::fairness::{Finding, Line};
use podium_domain::report::Report;

use super::tables::{head, section};

/// The proof; nothing in reports from before it was computed.
pub(super) fn proof(report: &Report) -> AnyView {
    if report.fairness.is_empty() {
        return ().into_any();
    }
    let count = |finding| report.fairness.iter().filter(|line| line.finding == finding).count();
    let summary = format!(
        "{} pass, {} fail, {} unknown. Computed from what every measured row says of its conditions; unknown means that a fact is missing, not that it holds.",
        count(Finding::Pass),
        count(Finding::Fail),
        count(Finding::Unknown)
    );
    let lines = report.fairness.iter().map(line).collect_view();
    let body = view! {
        <p>{summary}</p>
        <div class="table-scroll" tabindex="0">
            <table class="fairness">
                <caption class="visually-hidden">"Whether the comparison was fair"</caption>
                {head(&["Condition", "Finding", "Evidence"])}
                <tbody>{lines}</tbody>
            </table>
        </div>
    };
    section("fairness", "Fairness", body.into_any())
}

fn line(line: &Line) -> AnyView {
    let class = match line.finding {
        Finding::Pass => "status status-ok",
        Finding::Fail => "status status-bad",
        Finding::Unknown => "status",
    };
    view! {
        <tr data-finding=line.finding.word()>
            <th scope="row">{line.check.name()}</th>
            <td>
                <span class=class>{line.finding.word()}</span>
            </td>
            <td class="reason">{line.evidence.clone()}</td>
        </tr>
    }
    .into_any()
}
