//! The single requests of AIPerf: a line each, which together are one measurement.

use podium_domain::row::ResultRow;
use serde_json::{Map, Value};

use super::aiperf::to_ms;
use super::client::{blank, finish, note_origin};
use super::document::{map_at, number, number_at, text_at};
use super::samples::{self, Sample};
use super::{ImportOptions, Tool};

/// The row of all requests of a file. Those of the warm-up are left out.
pub(super) fn row(records: &[&Map<String, Value>], options: &ImportOptions) -> ResultRow {
    let mut row = blank(Tool::Aiperf, options);
    let measured: Vec<_> = records.iter().copied().filter(|record| !is_warm_up(record)).collect();
    let found: Vec<Sample> = measured.iter().map(|record| sample(record)).collect();
    let recomputed = samples::recompute(&mut row, &found, duration_s(&measured));
    let completed = found.iter().filter(|sample| !sample.failed).count() as u64;
    note_origin(&mut row, Tool::Aiperf, recomputed, found.len() as u64);
    finish(row, Some(completed), samples::verdict(&found))
}

fn metadata(record: &Map<String, Value>) -> Option<&Map<String, Value>> {
    map_at(record, "metadata")
}

fn is_warm_up(record: &Map<String, Value>) -> bool {
    metadata(record).and_then(|metadata| text_at(metadata, "benchmark_phase")) == Some("warmup")
}

/// From the first start to the last end; both are stamps of one clock, in ns.
fn duration_s(records: &[&Map<String, Value>]) -> Option<f64> {
    let stamps = |key: &'static str| records.iter().filter_map(move |record| number_at(metadata(record)?, key));
    let first = stamps("request_start_ns").min_by(f64::total_cmp)?;
    let last = stamps("request_end_ns").max_by(f64::total_cmp)?;
    Some((last - first) / 1e9).filter(|seconds| *seconds > 0.0)
}

fn sample(record: &Map<String, Value>) -> Sample {
    let empty = Map::new();
    let metrics = map_at(record, "metrics").unwrap_or(&empty);
    let value = |name: &str| map_at(metrics, name).and_then(|metric| number_at(metric, "value"));
    let scale = |name: &str| to_ms(map_at(metrics, name).and_then(|metric| text_at(metric, "unit")).unwrap_or("ms"));
    let seconds = |name: &str| Some(value(name)? * scale(name)? / 1e3);
    let gaps_s = || {
        let scale = scale("inter_chunk_latency")?;
        let gaps = map_at(metrics, "inter_chunk_latency")?.get("value")?.as_array()?;
        Some(gaps.iter().filter_map(number).map(|gap| gap * scale / 1e3).collect())
    };
    let cancelled = metadata(record).and_then(|metadata| metadata.get("was_cancelled")).and_then(Value::as_bool);
    let ttft_s = seconds("time_to_first_token");
    Sample {
        failed: record.get("error").is_some_and(|error| !error.is_null()) || cancelled == Some(true),
        input_tokens: value("input_sequence_length"),
        output_tokens: value("output_sequence_length"),
        ttft_s,
        decode_s: seconds("request_latency").zip(ttft_s).map(|(end, first)| end - first).filter(|rest| *rest >= 0.0),
        gaps_s: gaps_s().unwrap_or_default(),
        queued_s: None,
    }
}
