//! What was looked at before a run measured anything.

use leptos::prelude::*;
use podium_service::{Finding, FrameworkPreflight, PreflightCheck, PreflightReport, RunView};

/// The checks with what to do about them, and the files of help texts and smoke tests.
pub fn preflight(run: &RunView) -> Option<impl IntoView + use<>> {
    let found = run.preflight.as_ref()?;
    let wrong = found.checks.iter().filter(|check| matches!(check.finding, Finding::Warn | Finding::Fail)).count();
    let summary = match wrong {
        0 => "Preflight: nothing stood in the way".to_owned(),
        1 => "Preflight: one thing to know".to_owned(),
        _ => format!("Preflight: {wrong} things to know"),
    };
    let rows = found.checks.iter().map(row).collect_view();
    let files = files(&run.item.id.to_string(), found);
    Some(view! {
        <details class="section" id="run-preflight" open=found.stop.is_some()>
            <summary>{summary}</summary>
            <div class="section-body table-scroll">
                <table>
                    <caption>{format!("What was found on {} before anything was measured", found.host)}</caption>
                    <thead>
                        <tr>
                            <th scope="col">"Looked at"</th>
                            <th scope="col">"Result"</th>
                            <th scope="col">"Seen"</th>
                        </tr>
                    </thead>
                    <tbody>{rows}</tbody>
                </table>
                {files}
            </div>
        </details>
    })
}

fn row(check: &PreflightCheck) -> impl IntoView + use<> {
    let class = match check.finding {
        Finding::Pass => "status status-ok",
        Finding::Warn => "status status-warn",
        Finding::Fail => "status status-bad",
        Finding::Skip => "status",
    };
    let advice = check.advice.clone().map(|advice| view! { <span class="field-hint">{advice}</span> });
    view! {
        <tr data-finding=check.finding.word()>
            <th scope="row">{format!("{}: {}", check.subject(), check.what)}</th>
            <td>
                <span class=class>{check.finding.word()}</span>
            </td>
            <td>{check.detail.clone()} " " {advice}</td>
        </tr>
    }
}

/// Links to what was captured.
fn files(run: &str, found: &PreflightReport) -> Option<impl IntoView + use<>> {
    let links: Vec<_> = found.frameworks.iter().flat_map(|framework| files_of(run, framework)).collect();
    (!links.is_empty()).then(|| {
        view! {
            <p>"Captured for it:"</p>
            <ul>{links}</ul>
        }
    })
}

fn files_of(run: &str, framework: &FrameworkPreflight) -> Vec<AnyView> {
    let help = framework.help.iter().map(|help| (help.artifact_id, format!("output of {}", help.command)));
    let smoke = framework.smoke.iter().flat_map(|smoke| {
        let name = framework.framework.name();
        [
            (smoke.log, format!("log of {name}'s smoke test: {}", smoke.launch_command)),
            (smoke.benchmark, format!("benchmark of {name}'s smoke test: {}", smoke.benchmark_command)),
        ]
    });
    let link = |(file, text): (Option<uuid::Uuid>, String)| {
        let href = format!("/runs/{run}/files/{}", file?);
        Some(view! { <li><a href=href>{text}</a></li> }.into_any())
    };
    help.chain(smoke).filter_map(link).collect()
}
