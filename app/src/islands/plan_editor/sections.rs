//! The form's sections, in the order in which a person thinks.

use leptos::prelude::*;
use podium_domain::form::PlanForm;

use super::fields::{Field, Input, Target};
use super::frameworks::Frameworks;
use super::scenarios::Scenarios;
use super::state::Editor;

const MODEL: &[Field] = &[
    Field {
        label: "Model",
        path: "model.name",
        hint: "A hub name or a folder on the host",
        input: Input::Text,
        target: Target::Scalar,
        text: |form| &form.model_name,
    },
    Field {
        label: "Tokenizer",
        path: "model.tokenizer",
        hint: "The model's own where this is empty",
        input: Input::Text,
        target: Target::Scalar,
        text: |form| &form.tokenizer,
    },
];

const HARDWARE: &[Field] = &[
    Field {
        label: "GPUs for one server",
        path: "hardware.gpu_count",
        hint: "0 for a server on the CPU",
        input: Input::Number,
        target: Target::Scalar,
        text: |form| &form.gpu_count,
    },
    Field {
        label: "GPU model",
        path: "hardware.gpu_model",
        hint: "For example H100",
        input: Input::Text,
        target: Target::Scalar,
        text: |form| &form.gpu_model,
    },
];

const DATASET: &[Field] = &[
    Field {
        label: "Dataset",
        path: "dataset.kind",
        hint: "Random prompts have exact lengths; a file holds your own requests",
        input: Input::Choice(&[("random", "Random prompts"), ("jsonl", "Requests from a JSONL file")]),
        target: Target::Scalar,
        text: |form| &form.dataset_kind,
    },
    Field {
        label: "Dataset file",
        path: "dataset.path",
        hint: "For a dataset from a file",
        input: Input::Text,
        target: Target::Scalar,
        text: |form| &form.dataset_path,
    },
    Field {
        label: "Requests per measurement",
        path: "dataset.num_prompts",
        hint: "20 or fewer make a flow check, which names no winner",
        input: Input::Number,
        target: Target::Scalar,
        text: |form| &form.num_prompts,
    },
];

const LOAD: &[Field] = &[
    Field {
        label: "Endpoint",
        path: "benchmark.endpoint",
        hint: "",
        input: Input::Choice(&[
            ("/v1/completions", "/v1/completions"),
            ("/v1/chat/completions", "/v1/chat/completions"),
        ]),
        target: Target::Scalar,
        text: |form| &form.endpoint,
    },
    Field {
        label: "Request rates",
        path: "benchmark.request_rates",
        hint: "Requests per second, separated by commas: arrivals that do not wait for answers",
        input: Input::Text,
        target: Target::List,
        text: |form| &form.request_rates,
    },
    Field {
        label: "Concurrency",
        path: "benchmark.max_concurrency",
        hint: "Requests in flight, separated by commas; null is no limit",
        input: Input::Text,
        target: Target::List,
        text: |form| &form.max_concurrency,
    },
    Field {
        label: "Rate search from",
        path: "benchmark.qps.lower",
        hint: "Searches the highest rate that holds the SLA, in requests per second",
        input: Input::Number,
        target: Target::Scalar,
        text: |form| &form.qps.lower,
    },
    Field {
        label: "Rate search to",
        path: "benchmark.qps.upper",
        hint: "",
        input: Input::Number,
        target: Target::Scalar,
        text: |form| &form.qps.upper,
    },
    Field {
        label: "Rate search tolerance",
        path: "benchmark.qps.tolerance",
        hint: "",
        input: Input::Number,
        target: Target::Scalar,
        text: |form| &form.qps.tolerance,
    },
];

const SLA: &[Field] = &[
    Field {
        label: "p50 TTFT at most, ms",
        path: "sla.max_p50_ttft_ms",
        hint: "Time to the first token",
        input: Input::Number,
        target: Target::Limit("max_p50_ttft_ms"),
        text: |form| &form.sla.max_p50_ttft_ms,
    },
    Field {
        label: "p50 TPOT at most, ms",
        path: "sla.max_p50_tpot_ms",
        hint: "Time per output token after the first",
        input: Input::Number,
        target: Target::Limit("max_p50_tpot_ms"),
        text: |form| &form.sla.max_p50_tpot_ms,
    },
    Field {
        label: "p50 end to end at most, ms",
        path: "sla.max_p50_e2e_ms",
        hint: "",
        input: Input::Number,
        target: Target::Limit("max_p50_e2e_ms"),
        text: |form| &form.sla.max_p50_e2e_ms,
    },
    Field {
        label: "Success rate at least",
        path: "sla.min_success_rate",
        hint: "Between 0 and 1",
        input: Input::Number,
        target: Target::Limit("min_success_rate"),
        text: |form| &form.sla.min_success_rate,
    },
];

const SEARCH: &[Field] = &[
    Field {
        label: "Depth",
        path: "search.tier",
        hint: "The smallest that answers the question",
        input: Input::Choice(&[
            ("1", "1 · smoke: the baseline and a few knobs"),
            ("2", "2 · bounded sweep"),
            ("3", "3 · exhaustive: long"),
        ]),
        target: Target::Scalar,
        text: |form| &form.tier,
    },
    Field {
        label: "Candidates per framework at most",
        path: "search.max_candidates_per_framework",
        hint: "The baseline counts",
        input: Input::Number,
        target: Target::Scalar,
        text: |form| &form.limit,
    },
];

/// The whole form. Without JavaScript the style sheet hides it.
#[component]
pub(super) fn PlanFields(editor: Editor) -> impl IntoView {
    view! {
        <div class="plan-form">
            <p class="notice notice-warn" role="status" hidden=move || !editor.is_frozen()>
                "The text cannot be read as YAML at the moment, so the form waits. Correct the text, or undo the last change to it."
            </p>
            <fieldset class="plan-sections" disabled=move || editor.is_frozen()>
                <legend class="visually-hidden">"Plan"</legend>
                {section(editor, "Model", &["model"], true, |form| form.model_name.clone(), fields(editor, MODEL))}
                {section(editor, "Hardware", &["hardware"], false, hardware, fields(editor, HARDWARE))}
                {section(
                    editor,
                    "Frameworks",
                    &["frameworks"],
                    true,
                    frameworks,
                    view! { <Frameworks editor /> }.into_any(),
                )}
                {section(
                    editor,
                    "Workload",
                    &["dataset", "benchmark.endpoint", "benchmark.request_rates", "benchmark.max_concurrency", "benchmark.qps"],
                    true,
                    workload,
                    view! {
                        {fields(editor, DATASET)}
                        <Scenarios editor />
                        {fields(editor, LOAD)}
                    }
                        .into_any(),
                )}
                {section(editor, "SLA", &["sla", "benchmark.sla"], true, sla, fields(editor, SLA))}
                {section(editor, "Search", &["search"], false, search, fields(editor, SEARCH))}
            </fieldset>
        </div>
    }
    .into_any()
}

fn fields(editor: Editor, fields: &'static [Field]) -> AnyView {
    fields.iter().map(|field| field.view(editor)).collect_view().into_any()
}

/// A part of the form that folds to one line.
fn section(
    editor: Editor,
    title: &'static str,
    paths: &'static [&'static str],
    open: bool,
    summary: fn(&PlanForm) -> String,
    body: AnyView,
) -> AnyView {
    let count = Memo::new(move |_| editor.count_below(paths));
    view! {
        <details class="section" open=open>
            <summary>
                {title}
                <span class="section-summary">{move || editor.form.with(summary)}</span>
                <span class="label label-bad" hidden=move || count.get() == 0>
                    {move || format!("{} to correct", count.get())}
                </span>
            </summary>
            <div class="section-body">{body}</div>
        </details>
    }
    .into_any()
}

fn hardware(form: &PlanForm) -> String {
    match (form.gpu_count.as_str(), form.gpu_model.as_str()) {
        ("0", _) => "CPU".to_owned(),
        (count, "") => format!("{count} GPUs"),
        (count, model) => format!("{count}×{model}"),
    }
}

fn frameworks(form: &PlanForm) -> String {
    let names = form.frameworks.iter().filter(|framework| framework.enabled).map(|framework| framework.name.as_str());
    names.collect::<Vec<_>>().join(", ")
}

fn workload(form: &PlanForm) -> String {
    let names = form.scenarios.iter().map(|scenario| scenario.name.as_str());
    names.collect::<Vec<_>>().join(", ")
}

fn sla(form: &PlanForm) -> String {
    let limits =
        [("TTFT", &form.sla.max_p50_ttft_ms), ("TPOT", &form.sla.max_p50_tpot_ms), ("E2E", &form.sla.max_p50_e2e_ms)];
    let limits =
        limits.iter().filter(|(_, value)| !value.is_empty()).map(|(name, value)| format!("{name} ≤ {value} ms"));
    limits.collect::<Vec<_>>().join(", ")
}

fn search(form: &PlanForm) -> String {
    if form.limit.is_empty() { String::new() } else { format!("at most {} per framework", form.limit) }
}
