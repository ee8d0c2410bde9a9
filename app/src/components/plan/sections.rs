//! The form's sections, in the order in which a person thinks.

use leptos::prelude::*;
use podium_domain::form::{PlanEdit, PlanForm};
use podium_formats::plan::Problem;
use podium_service::PlanCheck;

use super::fields::{Field, Input, Target, id_of};
use super::frameworks::frameworks;
use super::scenarios::scenarios;
use super::{is_at_or_below, template};

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
    Field {
        label: "Concurrency search from",
        path: "benchmark.concurrency_search.lower",
        hint: "Searches how many requests may be in flight within the SLA",
        input: Input::Number,
        target: Target::Scalar,
        text: |form| &form.concurrency_search.lower,
    },
    Field {
        label: "Concurrency search to",
        path: "benchmark.concurrency_search.upper",
        hint: "",
        input: Input::Number,
        target: Target::Scalar,
        text: |form| &form.concurrency_search.upper,
    },
    Field {
        label: "Concurrency search tolerance",
        path: "benchmark.concurrency_search.tolerance",
        hint: "",
        input: Input::Number,
        target: Target::Scalar,
        text: |form| &form.concurrency_search.tolerance,
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
        hint: "Decides what a framework searches when it is added; the button below proposes it for all of them",
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
    Field {
        label: "Repeats of the best",
        path: "search.repeats",
        hint: "How often the baseline and the best two of each framework are launched and measured again, for an interval; 1 is not at all",
        input: Input::Number,
        target: Target::Scalar,
        text: |form| &form.repeats,
    },
];

const WORKLOAD_PATHS: &[&str] = &[
    "dataset",
    "benchmark.endpoint",
    "benchmark.request_rates",
    "benchmark.max_concurrency",
    "benchmark.qps",
    "benchmark.concurrency_search",
];

/// The whole form.
pub fn form(plan: &PlanForm, check: &PlanCheck) -> AnyView {
    let fields = |fields: &[Field]| fields.iter().map(|field| field.view(plan, check)).collect_view().into_any();
    let workload_body = (fields(DATASET), scenarios(plan, check), fields(LOAD)).into_any();
    let section = |title, paths, open, summary, body| section(check, Part { title, paths, open, summary }, body);
    (
        section("Model", &["model"], true, plan.model_name.clone(), fields(MODEL)),
        section("Hardware", &["hardware"], false, hardware(plan), fields(HARDWARE)),
        section("Frameworks", &["frameworks"], true, framework_names(plan), frameworks(plan, check)),
        section("Workload", WORKLOAD_PATHS, true, workload(plan), workload_body),
        section("SLA", &["sla", "benchmark.sla"], true, sla(plan), fields(SLA)),
        section("Search", &["search"], false, search(plan), (fields(SEARCH), propose()).into_any()),
    )
        .into_any()
}

/// Replaces every search by what the depth above proposes.
fn propose() -> AnyView {
    let edit = PlanEdit::ProposeSearch { tier: String::new() };
    view! {
        <div class="field">
            <button
                type="button"
                id="propose-search"
                class="button button-small"
                data-edit=template(&edit)
                data-slots="/tier"
                data-inputs=id_of("search.tier")
            >
                "Propose a search of this depth"
            </button>
            <span class="field-hint">
                "Replaces the searched flags of every framework that takes part, and sets the limit below which all of them fit"
            </span>
        </div>
    }
    .into_any()
}

/// A part of the form that folds to one line.
struct Part {
    title: &'static str,
    /// The problems that are counted in its head.
    paths: &'static [&'static str],
    open: bool,
    summary: String,
}

fn section(check: &PlanCheck, part: Part, body: AnyView) -> AnyView {
    let is_below = |problem: &&Problem| part.paths.iter().any(|path| is_at_or_below(&problem.path, path));
    let count = check.problems.iter().filter(is_below).count();
    let to_correct = (count > 0).then(|| {
        view! { <span class="label label-bad">{format!("{count} to correct")}</span> }
    });
    view! {
        <details class="section" id=format!("section-{}", part.title.to_lowercase()) open=part.open>
            <summary>
                {part.title}
                <span class="section-summary">{part.summary}</span>
                {to_correct}
            </summary>
            <div class="section-body">{body}</div>
        </details>
    }
    .into_any()
}

fn hardware(form: &PlanForm) -> String {
    match (form.gpu_count.as_str(), form.gpu_model.as_str()) {
        ("0", _) => "CPU".to_owned(),
        ("1", "") => "1 GPU".to_owned(),
        (count, "") => format!("{count} GPUs"),
        (count, model) => format!("{count}×{model}"),
    }
}

fn framework_names(form: &PlanForm) -> String {
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
