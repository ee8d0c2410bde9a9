//! Results in the forms that other programs read.

use std::io::{self, Write};

use podium_domain::load::LoadPoint;
use podium_domain::stats::Distribution;
use serde::Serialize;
use serde_json::{Map, Value, json};

use crate::event::FinishReason;
use crate::job::LoadJob;
use crate::margin::counted;
use crate::run::LoadOutcome;
use crate::sample::{FailureClass, RequestSample};

/// One request in a file of JSON lines. Times `_at_ns` are nanoseconds since the measurement's start.
#[derive(Serialize)]
struct RequestLine {
    index: u32,
    scheduled_at_ns: u64,
    connect_ms: f64,
    tls_ms: f64,
    sent_at_ns: Option<u64>,
    first_byte_at_ns: Option<u64>,
    first_token_at_ns: Option<u64>,
    first_visible_token_at_ns: Option<u64>,
    last_token_at_ns: Option<u64>,
    done_at_ns: Option<u64>,
    ttft_ms: Option<f64>,
    user_ttft_ms: Option<f64>,
    tpot_ms: Option<f64>,
    e2e_ms: Option<f64>,
    schedule_lag_ms: Option<f64>,
    gaps_ms: Vec<f64>,
    input_tokens: Option<u32>,
    output_tokens: Option<u32>,
    cached_tokens: Option<u32>,
    finish: FinishReason,
    failure: Option<FailureClass>,
}

impl From<&RequestSample> for RequestLine {
    fn from(sample: &RequestSample) -> Self {
        RequestLine {
            index: sample.index,
            scheduled_at_ns: sample.scheduled_at_ns,
            connect_ms: ms(sample.connect_ns),
            tls_ms: ms(sample.tls_ns),
            sent_at_ns: sample.sent_at_ns,
            first_byte_at_ns: sample.first_byte_at_ns,
            first_token_at_ns: sample.first_token_at_ns,
            first_visible_token_at_ns: sample.first_visible_token_at_ns,
            last_token_at_ns: sample.last_token_at_ns,
            done_at_ns: sample.done_at_ns,
            ttft_ms: sample.ttft_ns().map(ms),
            user_ttft_ms: sample.user_ttft_ns().map(ms),
            tpot_ms: sample.tpot_ms(),
            e2e_ms: sample.e2e_ns().map(ms),
            schedule_lag_ms: sample.schedule_lag_ns().map(ms),
            gaps_ms: sample.gaps.iter().map(ms).collect(),
            input_tokens: sample.input_tokens,
            output_tokens: sample.output_tokens,
            cached_tokens: sample.cached_tokens,
            finish: sample.finish,
            failure: sample.failure,
        }
    }
}

/// Writes one JSON object a line for each request, failed and never sent ones too.
///
/// # Errors
/// When `output` cannot be written.
pub fn write_request_lines(output: &mut impl Write, samples: &[RequestSample]) -> io::Result<()> {
    for sample in samples {
        serde_json::to_writer(&mut *output, &RequestLine::from(sample))?;
        output.write_all(b"\n")?;
    }
    output.flush()
}

/// A result as `vllm bench serve --save-result --save-detailed` writes it, for the tools that read those files: of the
/// requests that count, as the figures are. Texts are not kept and queue times not known, so that `generated_texts` and
/// `queue_times` are absent; lengths that the server did not count are 0, as there.
pub fn vllm_result(job: &LoadJob, outcome: &LoadOutcome) -> Value {
    let summary = &outcome.report.summary;
    let samples = counted(&outcome.samples, job.skip_first, job.skip_last);
    let complete: Vec<&RequestSample> = samples.iter().filter(|sample| sample.is_complete()).collect();
    let mut result = Map::new();
    let mut put = |key: &str, value: Value| {
        result.insert(key.to_owned(), value);
    };
    put("backend", json!("podium"));
    put("endpoint_type", json!("podium"));
    put("label", Value::Null);
    put("model_id", json!(job.workload.model));
    put("tokenizer_id", json!(job.workload.model));
    put("num_prompts", json!(summary.planned));
    put("request_rate", job.load.rate_rps().map_or(json!("inf"), |rate| json!(rate)));
    put("burstiness", burstiness(job));
    put("max_concurrency", json!(job.load.max_concurrency()));
    put("duration", json!(summary.duration_s));
    put("completed", json!(summary.completed));
    put("failed", json!(summary.failed));
    put("total_input_tokens", json!(summary.input_tokens.unwrap_or(0)));
    put("total_output_tokens", json!(summary.output_tokens.unwrap_or(0)));
    put("request_throughput", json!(summary.request_throughput));
    put("request_goodput", json!(summary.goodput_rps));
    put("output_throughput", json!(summary.output_token_throughput));
    put("total_token_throughput", json!(summary.total_token_throughput));
    let series = &outcome.report.series;
    put("max_output_tokens_per_s", json!(series.iter().map(|point| point.output_tokens as f64).reduce(f64::max)));
    put("max_concurrent_requests", json!(series.iter().map(|point| point.in_flight).max()));
    let seconds = |ns: Option<u64>| ns.map_or(0.0, |ns| ns as f64 / 1e9);
    let all = |get: &dyn Fn(&RequestSample) -> Value| Value::Array(samples.iter().map(get).collect());
    put("input_lens", all(&|s| json!(s.input_tokens.unwrap_or(0))));
    put("output_lens", all(&|s| json!(s.output_tokens.unwrap_or(0))));
    put("ttfts", all(&|s| json!(seconds(s.ttft_ns()))));
    put("itls", all(&|s| json!(s.gaps.iter().map(|gap| gap as f64 / 1e9).collect::<Vec<_>>())));
    put("latencies", all(&|s| json!(seconds(s.e2e_ns()))));
    put("start_times", all(&|s| json!(seconds(s.sent_at_ns))));
    put("errors", all(&|s| json!(s.failure.map_or("", FailureClass::word))));
    let pooled = |get: &dyn Fn(&RequestSample) -> Option<f64>| complete.iter().filter_map(|s| get(s)).collect();
    let metrics: [(&str, Vec<f64>); 4] = [
        ("ttft", pooled(&|s| s.ttft_ns().map(ms))),
        ("tpot", pooled(&|s| s.tpot_ms())),
        // That tool's meaning: gaps between events, whatever tokens they carry.
        ("itl", complete.iter().flat_map(|s| s.gaps.iter().map(ms)).collect()),
        ("e2el", pooled(&|s| s.e2e_ns().map(ms))),
    ];
    for (name, mut values) in metrics {
        let Some(distribution) = Distribution::of(&mut values) else { continue };
        let variance =
            values.iter().map(|value| (value - distribution.mean).powi(2)).sum::<f64>() / values.len() as f64;
        for (statistic, value) in [
            ("mean", distribution.mean),
            ("median", distribution.p50),
            ("std", variance.sqrt()),
            ("p50", distribution.p50),
            ("p90", distribution.p90),
            ("p99", distribution.p99),
        ] {
            put(&format!("{statistic}_{name}_ms"), json!(value));
        }
    }
    Value::Object(result)
}

/// The shape of the arrivals' gaps by that tool's definition; null where it has none.
fn burstiness(job: &LoadJob) -> Value {
    use podium_workload::Arrivals;
    match (job.load, &job.arrivals) {
        (LoadPoint::Rate { .. }, Arrivals::Gamma { burstiness }) => json!(burstiness),
        (LoadPoint::Rate { .. }, Arrivals::Constant | Arrivals::Ramp { .. } | Arrivals::Trace { .. }) => Value::Null,
        _ => json!(1.0),
    }
}

fn ms(ns: u64) -> f64 {
    ns as f64 / 1e6
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_request_is_one_line() {
        let mut answered =
            RequestSample { sent_at_ns: Some(1_000_000), output_tokens: Some(2), ..RequestSample::default() };
        answered.on_content(3_000_000, true);
        answered.on_content(8_000_000, true);
        let unsent = RequestSample { index: 1, failure: Some(FailureClass::Cancelled), ..RequestSample::default() };
        let mut output = Vec::new();
        write_request_lines(&mut output, &[answered, unsent]).unwrap();
        let text = String::from_utf8(output).unwrap();
        let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(lines.len(), 2);
        assert_eq!((&lines[0]["ttft_ms"], &lines[0]["tpot_ms"]), (&json!(2.0), &json!(5.0)));
        assert_eq!(lines[0]["gaps_ms"], json!([5.0]));
        assert_eq!((&lines[1]["failure"], &lines[1]["ttft_ms"]), (&json!("cancelled"), &Value::Null));
    }
}
