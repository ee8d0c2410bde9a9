//! The aggregated export of AIPerf.

use podium_domain::row::ResultRow;
use podium_domain::validity::{Reason, Validity};
use serde_json::{Map, Value};

use super::client::{blank, finish, set_load};
use super::document::{count_at, map_at, number_at, text_at};
use super::samples::verdict_of_summary;
use super::{ImportOptions, Tool};

/// The row of an export.
pub(super) fn row(document: &Map<String, Value>, options: &ImportOptions) -> ResultRow {
    let mut row = blank(Tool::Aiperf, options);
    let empty = Map::new();
    // Older versions keep the figures one level deeper.
    let figures = map_at(document, "records").unwrap_or(document);
    let metric = |name: &str| map_at(figures, name).unwrap_or(&empty);
    let avg = |name: &str| number_at(metric(name), "avg");
    let ms = |name: &str| {
        let metric = metric(name);
        let scale = to_ms(text_at(metric, "unit").unwrap_or("ms"));
        let at = |key: &str| number_at(metric, key).zip(scale).map(|(value, scale)| value * scale);
        (at("p50"), at("avg"), at("p99"))
    };
    let metrics = &mut row.metrics;
    metrics.request_throughput = avg("request_throughput");
    metrics.output_token_throughput = avg("output_token_throughput");
    metrics.total_token_throughput = avg("total_token_throughput");
    (metrics.p50_ttft_ms, metrics.mean_ttft_ms, metrics.p99_ttft_ms) = ms("time_to_first_token");
    (metrics.p50_tpot_ms, metrics.mean_tpot_ms, metrics.p99_tpot_ms) = ms("inter_token_latency");
    (metrics.p50_e2e_ms, metrics.mean_e2e_ms, metrics.p99_e2e_ms) = ms("request_latency");
    let (completed, errors) = (avg("request_count"), avg("error_request_count").unwrap_or(0.0));
    let asked = completed.map(|completed| completed + errors).filter(|asked| *asked > 0.0);
    metrics.success_rate = completed.zip(asked).map(|(ok, asked)| ok / asked);
    row.workload.num_prompts = asked.map(|asked| asked as u64);

    let of_length = |name: &str| {
        let metric = metric(name);
        let [min, max, p50, p95] = ["min", "max", "p50", "p95"].map(|key| number_at(metric, key));
        let exact = min.zip(max).filter(|(min, max)| min == max && *min >= 0.0).map(|(min, _)| min as u64);
        (exact, p50, p95)
    };
    let workload = &mut row.workload;
    (workload.input_len, workload.input_len_p50, workload.input_len_p95) = of_length("input_sequence_length");
    (workload.output_len, workload.output_len_p50, workload.output_len_p95) = of_length("output_sequence_length");

    let config = map_at(document, "input_config").unwrap_or(&empty);
    let endpoint = map_at(config, "endpoint").unwrap_or(&empty);
    let path = match text_at(endpoint, "type") {
        Some("chat") => Some("/v1/chat/completions"),
        Some("completions") => Some("/v1/completions"),
        _ => None,
    };
    row.workload.endpoint = path.map(str::to_owned);
    let names = endpoint.get("model_names").and_then(Value::as_array);
    row.model = names.and_then(|names| names.first()?.as_str()).map(str::to_owned);
    row.benchmark_command = text_at(config, "cli_command").map(str::to_owned);
    let load = map_at(config, "loadgen").unwrap_or(&empty);
    set_load(&mut row, number_at(load, "request_rate"), count_at(load, "concurrency"));

    let mut validity =
        verdict_of_summary(row.metrics.p50_ttft_ms, row.metrics.p50_tpot_ms, avg("output_sequence_length"));
    if validity.is_none() && document.get("was_cancelled").and_then(Value::as_bool) == Some(true) {
        let text = "the benchmark was cancelled before its end".to_owned();
        validity = Some(Validity::Doubtful(vec![Reason { code: "cancelled".to_owned(), text }]));
    }
    finish(row, completed.map(|completed| completed as u64), validity)
}

/// What a time of this unit is multiplied by to be ms; `None` for a unit that is no time.
pub(super) fn to_ms(unit: &str) -> Option<f64> {
    match unit {
        "ns" => Some(1e-6),
        "us" | "µs" => Some(1e-3),
        "ms" => Some(1.0),
        "s" | "sec" | "seconds" => Some(1e3),
        _ => None,
    }
}
