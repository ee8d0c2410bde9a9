//! Results of the clients of vLLM's family: vLLM's own, SGLang's and TensorRT-LLM's.

use podium_domain::framework::Framework;
use podium_domain::load::{LoadMode, LoadPoint};
use podium_domain::row::{Imported, ResultRow, RowExtension, RowStatus};
use podium_domain::validity::Validity;
use serde_json::{Map, Value};

use super::document::{count_at, map_at, number_at, text_at};
use super::{ImportOptions, Tool, definitions, samples};

/// Completed requests up to which a measurement only shows that everything works.
const FLOW_CHECK_MAX_COMPLETED: u64 = podium_domain::plan::FLOW_CHECK_MAX_PROMPTS as u64;

/// The row of one result.
pub(super) fn row(tool: Tool, document: &Map<String, Value>, options: &ImportOptions) -> ResultRow {
    let mut row = blank(tool, options);
    if let Some(error) = text_at(document, "error").filter(|_| document.contains_key("serve_overrides")) {
        // A run of a sweep that failed has nothing but its reason.
        row.candidate_id = options.candidate_id.clone().unwrap_or_else(|| sweep_candidate(document, options));
        set_run_number(document, &mut row);
        return failed(row, RowStatus::Failed, error.to_owned());
    }
    let server = map_at(document, "server_info");
    row.framework_version = server.and_then(|server| text_at(server, "version")).map(str::to_owned);
    let of_server = |key| server.and_then(|server| text_at(server, key));
    let model = text_at(document, "model_id").or(of_server("served_model_name")).or(of_server("model_path"));
    row.model = model.map(str::to_owned);
    if tool == Tool::VllmSweep && options.candidate_id.is_none() {
        row.candidate_id = sweep_candidate(document, options);
    }
    set_run_number(document, &mut row);
    let label = text_at(document, "label").or(text_at(document, "tag"));
    row.workload.scenario = Some(scenario(options, label));
    row.workload.kind = text_at(document, "dataset_name").map(str::to_owned);
    row.workload.num_prompts = count_at(document, "num_prompts");
    row.workload.endpoint = endpoint(document).map(str::to_owned);
    set_load(&mut row, number_at(document, "request_rate"), count_at(document, "max_concurrency"));
    set_figures(tool, document, &mut row);

    let completed = count_at(document, "completed");
    let found = samples::of_client(document);
    let recomputed = samples::recompute(&mut row, &found, number_at(document, "duration"));
    let validity = match found.is_empty() {
        false => samples::verdict(&found),
        true => {
            let tokens = number_at(document, "total_output_tokens").zip(number_at(document, "completed"));
            let mean_tokens = tokens.filter(|(_, n)| *n > 0.0).map(|(total, n)| total / n);
            samples::verdict_of_summary(row.metrics.p50_ttft_ms, row.metrics.p50_tpot_ms, mean_tokens)
        }
    };
    let completed = if found.is_empty() { completed } else { Some(found.iter().filter(|s| !s.failed).count() as u64) };
    note_origin(&mut row, tool, recomputed, found.len() as u64);
    finish(row, completed, validity)
}

/// A sweep numbers the runs of one measurement from 0.
fn set_run_number(document: &Map<String, Value>, row: &mut ResultRow) {
    let number = count_at(document, "run_number").and_then(|number| u32::try_from(number).ok()?.checked_add(1));
    if let Some(podium) = &mut row.podium {
        podium.repeat = number;
    }
}

/// A row of which only the origin is known.
pub(super) fn blank(tool: Tool, options: &ImportOptions) -> ResultRow {
    let mut row = ResultRow {
        framework: options.framework.clone(),
        candidate_id: options.candidate_id.clone().unwrap_or_else(|| format!("{}-imported", options.framework)),
        status: RowStatus::Ok,
        podium: Some(RowExtension::default()),
        ..ResultRow::default()
    };
    row.workload.scenario = Some(scenario(options, None));
    row.sla.max_p50_ttft_ms = options.limits.max_p50_ttft_ms;
    row.sla.max_p50_tpot_ms = options.limits.max_p50_tpot_ms;
    row.sla.max_p50_e2e_ms = options.limits.max_p50_e2e_ms;
    row.sla.min_success_rate = options.limits.min_success_rate;
    note_origin(&mut row, tool, Vec::new(), 0);
    row
}

/// Says where the row comes from.
pub(super) fn note_origin(row: &mut ResultRow, tool: Tool, recomputed: Vec<String>, samples: u64) {
    if let Some(podium) = &mut row.podium {
        let definitions = definitions::of(tool);
        podium.imported = Some(Imported { tool: tool.name().to_owned(), definitions, recomputed, samples });
    }
}

/// What the user says, else what the file says, else one name for all, so that files of several tools meet.
pub(super) fn scenario(options: &ImportOptions, in_file: Option<&str>) -> String {
    options.scenario.as_deref().or(in_file).unwrap_or("default").to_owned()
}

/// A row without figures.
pub(super) fn failed(mut row: ResultRow, status: RowStatus, reason: String) -> ResultRow {
    row.status = status;
    row.failure_reason = Some(reason);
    row.sla.passed = Some(false);
    row
}

/// Judges the row by its limits and its validity.
pub(super) fn finish(mut row: ResultRow, completed: Option<u64>, validity: Option<Validity>) -> ResultRow {
    // An undefined figure neither holds its limit nor misses it.
    let holds = row.sla_checks().iter().all(|check| check.holds != Some(false));
    row.sla.passed = Some(holds && completed != Some(0));
    if completed == Some(0) {
        row.status = RowStatus::Failed;
        row.failure_reason = Some("no request was answered to its end".to_owned());
    }
    if let Some(Validity::Invalid(reasons)) = &validity {
        let texts: Vec<_> = reasons.iter().map(|reason| reason.text.as_str()).collect();
        row.status = RowStatus::Failed;
        row.failure_reason = Some(format!("the measurement is invalid: {}", texts.join("; ")));
    }
    if let Some(podium) = &mut row.podium {
        podium.flow_check = completed.is_some_and(|n| n <= FLOW_CHECK_MAX_COMPLETED);
        podium.validity = validity;
    }
    row
}

/// Sets what was asked: a rate, else a concurrency, else everything at once.
pub(super) fn set_load(row: &mut ResultRow, rate_rps: Option<f64>, max_concurrency: Option<u64>) {
    row.workload.request_rate = rate_rps;
    row.workload.max_concurrency = max_concurrency;
    let cap = max_concurrency.and_then(|cap| u32::try_from(cap).ok());
    let (mode, point) = match (rate_rps, cap) {
        (Some(rate_rps), max_concurrency) => (LoadMode::Rate, LoadPoint::Rate { rate_rps, max_concurrency }),
        (None, Some(concurrency)) => (LoadMode::Concurrency, LoadPoint::Concurrency { concurrency }),
        (None, None) => (LoadMode::Burst, LoadPoint::Burst { max_concurrency: None }),
    };
    if let Some(podium) = &mut row.podium {
        podium.load_mode = Some(mode);
        podium.load_point = Some(point);
    }
}

fn endpoint(document: &Map<String, Value>) -> Option<&'static str> {
    match text_at(document, "backend")? {
        "openai" | "vllm" | "sglang-oai" => Some("/v1/completions"),
        "openai-chat" | "sglang-oai-chat" => Some("/v1/chat/completions"),
        "sglang" | "sglang-native" => Some("/generate"),
        _ => None,
    }
}

/// The figures as the tool states them.
fn set_figures(tool: Tool, document: &Map<String, Value>, row: &mut ResultRow) {
    let at = |key: &str| number_at(document, key);
    let p50 = |name: &str| at(&format!("p50_{name}_ms")).or_else(|| at(&format!("median_{name}_ms")));
    let mean = |name: &str| at(&format!("mean_{name}_ms"));
    let p99 = |name: &str| at(&format!("p99_{name}_ms"));
    let metrics = &mut row.metrics;
    metrics.request_throughput = at("request_throughput");
    metrics.output_token_throughput = at("output_throughput");
    metrics.total_token_throughput = at("total_token_throughput").or_else(|| at("total_throughput"));
    (metrics.p50_ttft_ms, metrics.mean_ttft_ms, metrics.p99_ttft_ms) = (p50("ttft"), mean("ttft"), p99("ttft"));
    (metrics.p50_tpot_ms, metrics.mean_tpot_ms, metrics.p99_tpot_ms) = (p50("tpot"), mean("tpot"), p99("tpot"));
    let e2e = if tool == Tool::SglangBench { "e2e_latency" } else { "e2el" };
    (metrics.p50_e2e_ms, metrics.mean_e2e_ms, metrics.p99_e2e_ms) = (p50(e2e), mean(e2e), p99(e2e));
    for (key, value) in [("p50_itl_ms", p50("itl")), ("mean_itl_ms", mean("itl")), ("p99_itl_ms", p99("itl"))] {
        metrics.extra.extend(value.map(|value| (key.to_owned(), value.into())));
    }
    // TensorRT-LLM's client counts failed requests as completed, and SGLang's does not say how many it sent.
    if tool != Tool::TrtllmBench {
        let asked = at("num_prompts").or_else(|| Some(at("completed")? + at("failed")?));
        metrics.success_rate = at("completed").zip(asked).filter(|(_, asked)| *asked > 0.0).map(|(ok, n)| ok / n);
    }
    let per_iteration = map_at(document, "avg_decoded_tokens_per_iter").and_then(|figures| number_at(figures, "mean"));
    row.spec_decode.mean_accept_length = at("accept_length")
        .or_else(|| at("spec_decode_acceptance_length"))
        .or(per_iteration)
        .filter(|length| *length > 0.0);
    // vLLM writes percent.
    row.spec_decode.acceptance_rate = at("spec_decode_acceptance_rate").map(|percent| percent / 100.0);
}

/// The id of a sweep's candidate: the server flags among the keys that the sweep added.
fn sweep_candidate(document: &Map<String, Value>, options: &ImportOptions) -> String {
    let flags = map_at(document, "serve_overrides").unwrap_or(document);
    let is_flag = |key: &str| Framework::Vllm.knows_flag(key) && !["label", "backend"].contains(&key);
    let words: Vec<String> = flags
        .iter()
        .filter(|(key, value)| is_flag(key) && !value.is_object() && !value.is_array())
        .map(|(key, value)| format!("{}-{}", key.replace(['_', '.'], "-"), podium_domain::flags::word(value)))
        .collect();
    if words.is_empty() {
        format!("{}-baseline", options.framework)
    } else {
        format!("{}-{}", options.framework, words.join("-"))
    }
}
