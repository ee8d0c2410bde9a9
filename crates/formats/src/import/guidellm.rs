//! Benchmarks of GuideLLM: one file holds one per load.

use podium_domain::row::ResultRow;
use serde_json::{Map, Value};

use super::client::{blank, finish, note_origin, set_load};
use super::document::{count_at, lengths, map_at, number, number_at, text_at};
use super::samples::{self, Sample};
use super::{ImportOptions, Tool};

/// The rows of a file.
pub(super) fn rows(document: &Map<String, Value>, options: &ImportOptions) -> Vec<ResultRow> {
    let benchmarks = document.get("benchmarks").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let with_figures = benchmarks.iter().filter_map(Value::as_object);
    with_figures.filter(|benchmark| benchmark.contains_key("metrics")).map(|b| row(b, options)).collect()
}

fn row(benchmark: &Map<String, Value>, options: &ImportOptions) -> ResultRow {
    let mut row = blank(Tool::Guidellm, options);
    let empty = Map::new();
    let metrics = map_at(benchmark, "metrics").unwrap_or(&empty);
    let config = map_at(benchmark, "config").unwrap_or(&empty);
    row.model = map_at(config, "backend").and_then(|b| text_at(b, "model")).map(str::to_owned);
    let (rate_rps, concurrency) = load(benchmark, config);
    set_load(&mut row, rate_rps, concurrency);

    let successful = |name: &str| map_at(metrics, name).and_then(|m| map_at(m, "successful"));
    let mean = |name: &str| successful(name).and_then(|d| number_at(d, "mean"));
    let three = |name: &str, scale: f64| {
        let figures = successful(name);
        let percentile = |key| figures.and_then(|d| map_at(d, "percentiles")).and_then(|p| number_at(p, key));
        let p50 = percentile("p50").or_else(|| figures.and_then(|d| number_at(d, "median")));
        (p50.map(|v| v * scale), mean(name).map(|v| v * scale), percentile("p99").map(|v| v * scale))
    };
    let figures = &mut row.metrics;
    figures.request_throughput = mean("requests_per_second");
    figures.output_token_throughput = mean("output_tokens_per_second");
    figures.total_token_throughput = mean("tokens_per_second");
    (figures.p50_ttft_ms, figures.mean_ttft_ms, figures.p99_ttft_ms) = three("time_to_first_token_ms", 1.0);
    (figures.p50_tpot_ms, figures.mean_tpot_ms, figures.p99_tpot_ms) = three("inter_token_latency_ms", 1.0);
    (figures.p50_e2e_ms, figures.mean_e2e_ms, figures.p99_e2e_ms) = three("request_latency", 1e3);

    let totals = map_at(metrics, "request_totals").or_else(|| map_at(benchmark, "request_totals"));
    let total = |key: &str| totals.and_then(|totals| count_at(totals, key));
    let (ok, errored) = (total("successful"), total("errored"));
    row.workload.num_prompts = total("total");
    let ended = ok.zip(errored).filter(|(ok, errored)| ok + errored > 0);
    row.metrics.success_rate = ended.map(|(ok, errored)| ok as f64 / (ok + errored) as f64);

    let requests = requests(benchmark);
    (row.workload.input_len, row.workload.input_len_p50, row.workload.input_len_p95) =
        lengths(requests.iter().filter_map(|sample| sample.input_tokens));
    (row.workload.output_len, row.workload.output_len_p50, row.workload.output_len_p95) =
        lengths(requests.iter().filter_map(|sample| sample.output_tokens));
    let validity = match requests.is_empty() {
        false => samples::verdict(&requests),
        true => {
            samples::verdict_of_summary(row.metrics.p50_ttft_ms, row.metrics.p50_tpot_ms, mean("output_token_count"))
        }
    };
    note_origin(&mut row, Tool::Guidellm, Vec::new(), requests.len() as u64);
    finish(row, ok, validity)
}

/// The rate and the concurrency of the benchmark's strategy.
fn load(benchmark: &Map<String, Value>, config: &Map<String, Value>) -> (Option<f64>, Option<u64>) {
    let older = map_at(benchmark, "args").or_else(|| map_at(benchmark, "scheduler"));
    let Some(strategy) = map_at(config, "strategy").or_else(|| map_at(older?, "strategy")) else {
        return (None, None);
    };
    let cap = count_at(strategy, "max_concurrency").or_else(|| count_at(strategy, "streams"));
    match text_at(strategy, "type_").unwrap_or_default() {
        "constant" | "poisson" => (number_at(strategy, "rate"), cap),
        "synchronous" => (None, Some(1)),
        _ => (None, cap),
    }
}

/// The requests that succeeded, as far as the file holds them (it may hold a part).
fn requests(benchmark: &Map<String, Value>) -> Vec<Sample> {
    let successful = map_at(benchmark, "requests").and_then(|r| r.get("successful")).and_then(Value::as_array);
    let sample = |request: &Value| {
        let request = request.as_object()?;
        let tokens = |keys: [&str; 2]| keys.into_iter().find_map(|key| number(request.get(key)?));
        let output_tokens = tokens(["output_tokens", "output_token_count"]);
        // The tool's latency between tokens is (last - first) / (n - 1).
        let gap_ms = number_at(request, "inter_token_latency_ms");
        Some(Sample {
            failed: false,
            input_tokens: tokens(["prompt_tokens", "prompt_token_count"]),
            output_tokens,
            ttft_s: number_at(request, "time_to_first_token_ms").map(|ms| ms / 1e3),
            decode_s: gap_ms.zip(output_tokens).map(|(gap_ms, tokens)| gap_ms / 1e3 * (tokens - 1.0).max(0.0)),
            gaps_s: Vec::new(),
            queued_s: None,
        })
    };
    successful.map(|list| list.iter().filter_map(sample).collect()).unwrap_or_default()
}
