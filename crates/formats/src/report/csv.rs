//! The report's rows as CSV.

use podium_domain::report::Report;
use podium_domain::row::ResultRow;

/// The columns, in order.
const COLUMNS: [&str; 19] = [
    "framework",
    "scenario",
    "candidate_id",
    "status",
    "sla_passed",
    "request_throughput",
    "output_token_throughput",
    "p50_ttft_ms",
    "p50_tpot_ms",
    "mean_ttft_ms",
    "mean_tpot_ms",
    "p99_ttft_ms",
    "p99_tpot_ms",
    "mean_accept_length",
    "pre_scheduler_ms",
    "prefix_cache_hit_rate",
    "gpu_count",
    "server_command",
    "failure_reason",
];

/// Writes all rows in ranking order. What was not measured is an empty field. Where any row is simulated, a last column
/// `simulated` says which.
pub fn csv(report: &Report) -> String {
    let simulated = report.is_simulated();
    let mut writer = csv::Writer::from_writer(csv_header(simulated).into_bytes());
    // Writing into memory cannot fail, and every record has as many fields as the header.
    let mut written = Ok(());
    for row in report.rows_of(&report.order) {
        let mut fields = csv_fields(row);
        if simulated {
            fields.push(row.is_simulated().to_string());
        }
        written = written.and_then(|()| writer.write_record(&fields));
    }
    debug_assert!(written.is_ok(), "{written:?}");
    String::from_utf8_lossy(&writer.into_inner().unwrap_or_default()).into_owned()
}

/// Writes any table as CSV, for example the data of a chart.
pub fn table_csv(columns: &[String], rows: &[Vec<String>]) -> String {
    let mut writer = csv::WriterBuilder::new().flexible(true).from_writer(Vec::new());
    let mut records = std::iter::once(columns).chain(rows.iter().map(Vec::as_slice));
    // Writing into memory cannot fail.
    let written = records.try_for_each(|fields| writer.write_record(fields));
    debug_assert!(written.is_ok(), "{written:?}");
    String::from_utf8_lossy(&writer.into_inner().unwrap_or_default()).into_owned()
}

/// The header line.
pub(crate) fn csv_header(simulated: bool) -> String {
    format!("{}{}\n", COLUMNS.join(","), if simulated { ",simulated" } else { "" })
}

/// The fields of a row, one per column, without `simulated`.
pub(crate) fn csv_fields(row: &ResultRow) -> Vec<String> {
    let number = |value: Option<f64>| value.map(|value| value.to_string()).unwrap_or_default();
    let metrics = &row.metrics;
    vec![
        row.framework.clone(),
        row.scenario().to_owned(),
        row.candidate_id.clone(),
        row.status.word().to_owned(),
        row.sla_verdict().passed.to_string(),
        number(metrics.request_throughput),
        number(metrics.output_token_throughput),
        number(metrics.p50_ttft_ms),
        number(metrics.p50_tpot_ms),
        number(metrics.mean_ttft_ms),
        number(metrics.mean_tpot_ms),
        number(metrics.p99_ttft_ms),
        number(metrics.p99_tpot_ms),
        number(row.spec_decode.mean_accept_length),
        number(row.phase_metrics.pre_scheduler_ms),
        number(row.cache.prefix_cache_hit_rate),
        row.hardware.gpu_count.map(|count| count.to_string()).unwrap_or_default(),
        row.launch_command().unwrap_or_default().to_owned(),
        row.failure_reason.clone().unwrap_or_default(),
    ]
}
