//! The page of a run that was imported: its answer, its rows and the files that they come from.

use leptos::prelude::*;
use leptos_meta::Title;
use podium_service::{ImportedRowView, RunFile, RunView};

use super::{Crumbs, FrameworkMark, Labels, Moment, RunTab, RunTabs, StatusMark, review};
use crate::components::ScrollTable;
use crate::format::{bytes, counted};
use crate::words;

/// Rows that the page lists; the report has all.
const SHOWN_ROWS: usize = 200;

/// The whole page.
pub fn imported_run(run: &RunView) -> AnyView {
    let (id, item) = (run.item.id, &run.item);
    let frameworks = item.frameworks.iter().map(|&framework| view! { <FrameworkMark framework /> }).collect_view();
    let answers = item.answers.iter().map(|answer| view! { <li class="answer">{answer.clone()}</li> }).collect_view();
    let rows = run.imported.iter().take(SHOWN_ROWS).map(row).collect_view();
    let caption = if run.imported.len() > SHOWN_ROWS {
        format!("The first {SHOWN_ROWS} of {}", counted(run.imported.len() as u64, "row", "rows"))
    } else {
        counted(run.imported.len() as u64, "row", "rows")
    };
    let report = run.report_id.map(|_| {
        view! {
            <p class="button-row">
                <a class="button button-primary" href=format!("/runs/{id}/report")>
                    "See the report"
                </a>
            </p>
        }
    });
    let files = run.files.iter().map(|file| file_line(id, file)).collect_view();
    view! {
        <Title text=item.title.clone() />
        <Crumbs href="/" name="Runs" />
        <h1>{item.title.clone()}</h1>
        <RunTabs run=id.to_string() open=RunTab::Overview has_report=run.report_id.is_some() />
        <div id="run-head" data-status=item.status.word() data-kind="imported">
            <p class="run-facts">
                <span class="label">"imported"</span>
                <Labels simulated=item.simulated flow_check=item.flow_check />
                {frameworks}
                <span class="muted">
                    <Moment at=item.created_at />
                </span>
            </p>
            <ul class="answers">{answers}</ul>
            <p>
                "These results were measured elsewhere. Figures of other tools carry their definitions, which the report names; where a file holds single requests, the figures were computed again from them."
            </p>
            {report}
        </div>
        <section>
            <h2>"Results"</h2>
            <ScrollTable
                caption={caption}
                columns=["Candidate", "Framework", "Scenario", "Load", "Status", "Measured by"]
                lines={rows}
            />
        </section>
        <section>
            <h2>"Files"</h2>
            <ul>{files}</ul>
        </section>
        {review(run)}
    }
    .into_any()
}

fn row(row: &ImportedRowView) -> impl IntoView + use<> {
    let origin = match (&row.tool, row.samples) {
        (None, _) => "as the row says".to_owned(),
        (Some(tool), 0) => format!("{tool}, summaries"),
        (Some(tool), samples) => format!("{tool}, {}", counted(samples, "request", "requests")),
    };
    let reason = row.reason.clone().map(|reason| view! { <p class="reason">{reason}</p> });
    view! {
        <tr>
            <th scope="row">{row.candidate_id.clone()}</th>
            <td>{row.framework.clone()}</td>
            <td>{row.scenario.clone()}</td>
            <td>{row.load.clone().unwrap_or_else(|| "not stated".to_owned())}</td>
            <td>
                <StatusMark look=words::candidate(row.status) />
                {reason}
            </td>
            <td>{origin}</td>
        </tr>
    }
}

fn file_line(run: uuid::Uuid, file: &RunFile) -> impl IntoView + use<> {
    view! {
        <li>
            <a href=format!("/runs/{run}/files/{}", file.id) download=file.name.clone()>
                {file.name.clone()}
            </a>
            {format!(", {}", bytes(file.size_bytes))}
        </li>
    }
}
