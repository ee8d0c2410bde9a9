//! Candidates × scenarios: what was tried, how it went, and the proof.

use leptos::prelude::*;
use podium_domain::framework::Framework;
use podium_domain::status::{CandidateStatus, MeasurementStatus};
use podium_service::{CandidateView, CellView, MeasurementView, RunView};

use super::{FrameworkMark, StatusMark, command_words};
use crate::format::{figure, figure_or_dash, percent};
use crate::{spark, words};

/// One row per candidate, grouped by framework, one column per scenario.
pub fn matrix(run: &RunView) -> AnyView {
    if run.candidates.is_empty() {
        return view! { <p class="muted">"The candidates are listed here once a worker has taken the run."</p> }
            .into_any();
    }
    let columns = run
        .scenarios
        .iter()
        .map(|scenario| {
            view! {
                <th scope="col">
                    {scenario.clone()} <span class="unit">" req/s"</span>
                </th>
            }
        })
        .collect_view();
    let groups = by_framework(&run.candidates)
        .into_iter()
        .map(|(framework, candidates)| {
            let rows = candidates.into_iter().map(candidate_row).collect_view();
            view! {
                <tbody>
                    <tr class="group">
                        <th scope="rowgroup" colspan=(run.scenarios.len() + 1).to_string()>
                            <FrameworkMark framework />
                        </th>
                    </tr>
                    {rows}
                </tbody>
            }
        })
        .collect_view();
    view! {
        <table class="matrix">
            <caption class="visually-hidden">
                "Candidates and scenarios: each cell has its state and its best request throughput"
            </caption>
            <thead>
                <tr>
                    <th scope="col">"Candidate"</th>
                    {columns}
                </tr>
            </thead>
            {groups}
        </table>
    }
    .into_any()
}

/// The candidates of each framework, both in the order in which they were made.
fn by_framework(candidates: &[CandidateView]) -> Vec<(Framework, Vec<&CandidateView>)> {
    let mut groups: Vec<(Framework, Vec<&CandidateView>)> = Vec::new();
    for candidate in candidates {
        match groups.iter_mut().find(|(framework, _)| *framework == candidate.framework) {
            Some((_, group)) => group.push(candidate),
            None => groups.push((candidate.framework, vec![candidate])),
        }
    }
    groups
}

fn candidate_row(candidate: &CandidateView) -> impl IntoView + use<> {
    let differs = if candidate.differs.is_empty() { "baseline".to_owned() } else { candidate.differs.join(" · ") };
    let cells = candidate
        .cells
        .iter()
        .enumerate()
        .map(|(column, cell)| view! { <td>{cell_view(candidate, cell, column)}</td> })
        .collect_view();
    let facts = candidate.launch.as_ref().map(|launch| {
        let version = launch.version.as_ref().map(|version| format!("version {version}"));
        let ready = launch.ready_after_s.map(|seconds| format!("ready after {} s", figure(seconds)));
        let facts: Vec<String> = version.into_iter().chain(ready).collect();
        view! { <p class="muted">{facts.join(", ")}</p> }
    });
    view! {
        <tr data-candidate=candidate.candidate_id.clone() data-status=candidate.status.word()>
            <th scope="row">
                <details id=format!("candidate-{}", candidate.candidate_id)>
                    <summary>
                        <span class="differs">{differs}</span>
                        " "
                        <StatusMark look=words::candidate(candidate.status) />
                    </summary>
                    <p>
                        <code>{candidate.candidate_id.clone()}</code>
                    </p>
                    {facts}
                    <pre class="command">{command_words(&candidate.command)}</pre>
                </details>
            </th>
            {cells}
        </tr>
    }
}

/// What stands in one cell.
fn cell_view(candidate: &CandidateView, cell: &CellView, column: usize) -> AnyView {
    let id = format!("cell-{}-{column}", candidate.candidate_id);
    if let Some(running) = cell.measurements.iter().find(|m| words::is_being_taken(m.status)) {
        return folded(id, view! { <StatusMark look=look(running) /> }.into_any(), measurements(cell));
    }
    if let Some(best) = cell.best.and_then(|index| cell.measurements.get(index)) {
        let rate = best.summary.as_ref().and_then(|summary| summary.request_throughput);
        let headline = view! {
            <span class="number headline">{figure_or_dash(rate)}</span>
            " "
            <StatusMark look=look(best) />
        };
        return folded(id, headline.into_any(), measurements(cell));
    }
    let stopped = matches!(
        candidate.status,
        CandidateStatus::Failed | CandidateStatus::Oom | CandidateStatus::Timeout | CandidateStatus::Skipped
    );
    if stopped {
        let headline = view! { <StatusMark look=words::candidate(candidate.status) /> };
        return folded(id, headline.into_any(), evidence(candidate));
    }
    match cell.measurements.iter().find(|m| m.status == MeasurementStatus::Failed) {
        Some(failed) => folded(id, view! { <StatusMark look=look(failed) /> }.into_any(), measurements(cell)),
        None => view! { <StatusMark look=words::measurement(MeasurementStatus::Pending, None) /> }.into_any(),
    }
}

fn look(measurement: &MeasurementView) -> words::Look {
    words::measurement(measurement.status, measurement.sla_passed)
}

/// A headline that opens what is behind it.
fn folded(id: String, headline: AnyView, body: AnyView) -> AnyView {
    view! {
        <details id=id>
            <summary>{headline}</summary>
            {body}
        </details>
    }
    .into_any()
}

/// Why a candidate failed or was skipped, and the lines that prove it.
fn evidence(candidate: &CandidateView) -> AnyView {
    let reason = candidate.failure_reason.clone().unwrap_or_else(|| "No reason was recorded.".to_owned());
    let lines = (!candidate.evidence.is_empty()).then(|| {
        view! { <pre class="evidence">{candidate.evidence.join("\n")}</pre> }
    });
    view! {
        <p class="reason">{reason}</p>
        {lines}
    }
    .into_any()
}

/// Every measurement of a cell.
fn measurements(cell: &CellView) -> AnyView {
    let rows = cell.measurements.iter().map(measurement_row).collect_view();
    view! {
        <table class="measurements">
            <caption class="visually-hidden">"Measurements of this cell"</caption>
            <thead>
                <tr>
                    <th scope="col">"Load"</th>
                    <th scope="col">"State"</th>
                    <th scope="col" class="number">
                        "req/s"
                    </th>
                    <th scope="col" class="number">
                        "p50 TTFT " <span class="unit">"ms"</span>
                    </th>
                    <th scope="col" class="number">
                        "p50 TPOT " <span class="unit">"ms"</span>
                    </th>
                    <th scope="col" class="number">
                        "Success"
                    </th>
                    <th scope="col">"Completed each second"</th>
                </tr>
            </thead>
            <tbody>{rows}</tbody>
        </table>
    }
    .into_any()
}

/// What the engine and its GPUs said of themselves while a measurement ran.
fn telemetry(measurement: &MeasurementView) -> AnyView {
    let Some(telemetry) = &measurement.telemetry else {
        return measurement
            .summary
            .is_some()
            .then(|| view! { <p class="telemetry">"Telemetry: not measured"</p> })
            .into_any();
    };
    let facts = telemetry.facts().into_iter().map(|(name, value)| {
        let value = match value {
            Some(value) => view! { <dd>{value}</dd> }.into_any(),
            None => view! { <dd>"not measured"</dd> }.into_any(),
        };
        view! {
            <dt>{name}</dt>
            {value}
        }
    });
    let problem = telemetry.problem.clone().map(|problem| view! { <p class="reason">{problem}</p> });
    view! {
        <details class="telemetry">
            <summary>"Telemetry"</summary>
            <dl class="facts">{facts.collect_view()}</dl>
            {problem}
        </details>
    }
    .into_any()
}

fn measurement_row(measurement: &MeasurementView) -> impl IntoView + use<> {
    let summary = measurement.summary.as_ref();
    let median =
        |distribution: Option<&podium_domain::stats::Distribution>| figure_or_dash(distribution.map(|d| d.p50));
    let doubts = summary.map(|summary| {
        let reasons = summary.validity.reasons().iter().map(|reason| view! { <li>{reason.text.clone()}</li> });
        let reasons: Vec<_> = reasons.collect();
        (!reasons.is_empty()).then(|| {
            view! {
                <span class="label label-warn">{summary.validity.word()}</span>
                <ul class="reason">{reasons}</ul>
            }
        })
    });
    let points: Vec<_> =
        measurement.series.iter().map(|point| (f64::from(point.t_s), Some(f64::from(point.completed)))).collect();
    // For programs: the second and what completed in it.
    let series: Vec<String> =
        measurement.series.iter().map(|point| format!("{}:{}", point.t_s, point.completed)).collect();
    let line = (!points.is_empty()).then(|| {
        view! {
            <svg
                class="spark"
                viewBox=format!("0 0 {} {}", spark::WIDTH, spark::HEIGHT)
                role="img"
                aria-label=format!("Completed requests in each of {} seconds", points.len())
            >
                <polyline points=spark::polyline(&points, 0.0)></polyline>
            </svg>
        }
    });
    view! {
        <tr data-measurement=measurement.id.to_string() data-series=series.join(" ")>
            <th scope="row">{measurement.repeat.appended_to(&measurement.load_point.to_string())}</th>
            <td>
                <StatusMark look=look(measurement) />
                {measurement.failure_reason.clone().map(|reason| view! { <p class="reason">{reason}</p> })}
                {doubts}
                {telemetry(measurement)}
            </td>
            <td class="number">{figure_or_dash(summary.and_then(|s| s.request_throughput))}</td>
            <td class="number">{median(summary.and_then(|s| s.ttft_ms.as_ref()))}</td>
            <td class="number">{median(summary.and_then(|s| s.tpot_ms.as_ref()))}</td>
            <td class="number">
                {summary.and_then(|s| s.success_rate).map_or_else(|| "–".to_owned(), percent)}
            </td>
            <td>{line}</td>
        </tr>
    }
}

#[cfg(test)]
mod tests {
    use podium_domain::confidence::Repeat;
    use podium_domain::load::LoadPoint;
    use podium_domain::telemetry::{MeanOf, TelemetrySummary};

    use super::*;

    fn shown(telemetry: Option<TelemetrySummary>) -> String {
        let measurement = MeasurementView {
            id: uuid::Uuid::nil(),
            load_point: LoadPoint::Concurrency { concurrency: 8 },
            repeat: Repeat { number: 0, of: 0 },
            status: MeasurementStatus::Done,
            failure_reason: None,
            sla_passed: None,
            summary: None,
            series: Vec::new(),
            telemetry,
        };
        super::telemetry(&measurement).to_html()
    }

    #[test]
    fn telemetry_that_was_not_measured_is_said_and_not_zero() {
        let queue = Some(MeanOf { mean_ms: 12.5, n: 80 });
        let html = shown(Some(TelemetrySummary { queue, preemptions: Some(0), ..TelemetrySummary::default() }));
        for part in ["<dt>Queue time</dt><dd>12.5 ms (n = 80)</dd>", "<dt>Preemptions</dt><dd>0</dd>"] {
            assert!(html.contains(part), "{part}: {html}");
        }
        assert!(html.contains("<dt>Waiting requests</dt><dd>not measured</dd>"), "{html}");
        assert!(!shown(None).contains("<dt>"), "a measurement that is not done has none");
    }
}
