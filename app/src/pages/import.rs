//! `/import`: results of other tools, and result rows, as a run of their own.

use leptos::prelude::*;
use leptos_axum::ResponseOptions;
use leptos_meta::Title;
use podium_domain::framework::Framework;
use podium_service::MAX_IMPORT_BYTES;

use crate::error::AppError;
use crate::posted::RejectedImport;

/// The form; after a failure with what is wrong above it.
#[component]
pub fn ImportPage() -> impl IntoView {
    let rejected = use_context::<RejectedImport>().unwrap_or_default();
    if let (Some(error), Some(response)) = (&rejected.error, use_context::<ResponseOptions>()) {
        let status = http::StatusCode::from_u16(error.status_code());
        response.set_status(status.unwrap_or(http::StatusCode::INTERNAL_SERVER_ERROR));
    }
    let problems = rejected.error.as_ref().map(problems);
    view! {
        <Title text="Import results" />
        <h1>"Import results"</h1>
        <p>
            "Result files become a run of their own, with a report that compares them. Read are result rows as Podium and its command line write them, and the files of vllm bench serve and sweep, sglang.bench_serving and auto_benchmark, TensorRT-LLM's benchmark_serving, GuideLLM, and AIPerf with its single requests."
        </p>
        {problems}
        {form(&rejected)}
    }
}

fn problems(error: &AppError) -> impl IntoView + use<> {
    let lines = match error {
        AppError::Invalid { fields, .. } if !fields.is_empty() => fields
            .iter()
            .map(|problem| match problem.path.as_str() {
                "" | "files" => view! { <li>{problem.message.clone()}</li> }.into_any(),
                path => view! {
                    <li>
                        <strong>{path.to_owned()}</strong>
                        {format!(": {}", problem.message)}
                    </li>
                }
                .into_any(),
            })
            .collect_view()
            .into_any(),
        other => view! { <li>{other.to_string()}</li> }.into_any(),
    };
    view! {
        <div class="notice notice-bad" role="alert" id="import-problems">
            <p>"Nothing was imported. Choose the files again once this is mended:"</p>
            <ul>{lines}</ul>
        </div>
    }
}

fn form(rejected: &RejectedImport) -> impl IntoView + use<> {
    let value = |name: &str| {
        let found = rejected.fields.iter().find(|(field, _)| field == name);
        found.map(|(_, value)| value.clone()).unwrap_or_default()
    };
    let chosen = value("framework");
    let frameworks = Framework::ALL
        .map(|framework| {
            view! {
                <option value=framework.id() selected=chosen == framework.id()>
                    {framework.name()}
                </option>
            }
        })
        .collect_view();
    let limits = [
        ("max_p50_ttft_ms", "Median TTFT at most, ms"),
        ("max_p50_tpot_ms", "Median TPOT at most, ms"),
        ("max_p50_e2e_ms", "Median end-to-end latency at most, ms"),
        ("min_success_rate", "Share of requests that succeed, 0 to 1"),
    ]
    .map(|(name, label)| text_field(name, label, None, value(name)))
    .collect_view();
    view! {
        <form method="post" action="/import" enctype="multipart/form-data" class="import-form">
            <div class="field">
                <label for="files">"Files"</label>
                <input
                    id="files"
                    type="file"
                    name="files"
                    multiple
                    required
                    accept=".json,.jsonl,.ndjson,.txt,application/json"
                    aria-describedby="files-hint"
                />
                <p class="field-hint" id="files-hint">
                    {format!("JSON or JSON lines, {} MiB together at most. They are kept as they are.", MAX_IMPORT_BYTES >> 20)}
                </p>
            </div>
            {text_field("title", "Name of the run", Some("Empty: model and scenarios, as the files say"), value("title"))}
            <fieldset>
                <legend>"What files of other tools do not say"</legend>
                <div class="field">
                    <label for="framework">"Framework"</label>
                    <select id="framework" name="framework" aria-describedby="framework-hint">
                        <option value="">"The tool's own"</option>
                        {frameworks}
                    </select>
                    <p class="field-hint" id="framework-hint">
                        "GuideLLM and AIPerf measure any framework: for their files it has to be chosen. Result rows name theirs."
                    </p>
                </div>
                {text_field(
                    "candidate",
                    "Candidate",
                    Some("Empty: what the file says, else the framework with the file's name"),
                    value("candidate"),
                )}
                {text_field("scenario", "Scenario", Some("Empty: what the file says, else default"), value("scenario"))}
            </fieldset>
            <fieldset>
                <legend>"Limits to judge them by"</legend>
                {limits}
            </fieldset>
            <button class="button button-primary" type="submit">
                "Import"
            </button>
        </form>
    }
}

fn text_field(
    name: &'static str,
    label: &'static str,
    hint: Option<&'static str>,
    value: String,
) -> impl IntoView + use<> {
    let hint_id = hint.map(|_| format!("{name}-hint"));
    let described_by = hint_id.clone();
    view! {
        <div class="field">
            <label for=name>{label}</label>
            <input id=name type="text" name=name value=value aria-describedby=described_by />
            {hint
                .map(|hint| {
                    view! {
                        <p class="field-hint" id=hint_id>
                            {hint}
                        </p>
                    }
                })}
        </div>
    }
}
