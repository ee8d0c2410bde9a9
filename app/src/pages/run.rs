//! `/runs/{id}`: one run, while it goes on and afterwards.

use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::hooks::use_params_map;
use podium_service::{RunKind, RunView};

use crate::components::{Crumbs, RunTab, RunTabs, imported_run, loaded, logs, matrix, preflight, review, run_head};
use crate::context::{caller, id, service};
use crate::dto::Measured;
use crate::islands::LiveRun;
use crate::words;

/// State, live panel, matrix, logs and plan.
#[component]
pub fn RunPage() -> impl IntoView {
    let run = use_params_map().with_untracked(|params| params.get("id").unwrap_or_default());
    loaded(async move {
        let run = service()?.run(caller()?, id(&run, "this run")?).await?;
        Ok(if run.item.kind == RunKind::Imported { imported_run(&run) } else { page(&run).into_any() })
    })
}

fn page(run: &RunView) -> impl IntoView + use<> {
    let title = run.item.title.clone();
    let (matrix, logs) = (matrix(run), logs(run));
    view! {
        <Title text=title.clone() />
        <Crumbs href="/" name="Runs" />
        <h1>{title}</h1>
        <RunTabs run=run.item.id.to_string() open=RunTab::Overview has_report=run.report_id.is_some() />
        <div id="run-head" data-status=run.item.status.word()>
            {run_head(run)}
        </div>
        <LiveRun
            run_id=run.item.id.to_string()
            last_seq=run.last_seq
            is_final=run.item.status.is_final()
            measured=measured(run)
        >
            <section>
                <h2>"Candidates"</h2>
                <div id="run-matrix" class="table-scroll">
                    {matrix}
                </div>
            </section>
            {logs}
        </LiveRun>
        {preflight(run)}
        {review(run)}
        <details class="section">
            <summary>"Plan as it was started"</summary>
            <div class="section-body">
                <pre class="yaml">{run.yaml.clone()}</pre>
            </div>
        </details>
    }
}

/// The measurement that is being taken.
fn measured(run: &RunView) -> Option<Measured> {
    run.candidates.iter().find_map(|candidate| {
        candidate.cells.iter().zip(&run.scenarios).find_map(|(cell, scenario)| {
            let taken = cell.measurements.iter().find(|measurement| words::is_being_taken(measurement.status))?;
            Some(Measured {
                measurement_id: taken.id.to_string(),
                load: taken.repeat.appended_to(&format!("{scenario} at {}", taken.load_point)),
                candidate_id: candidate.candidate_id.clone(),
            })
        })
    })
}
