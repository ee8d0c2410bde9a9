//! What `podium load` prints of a measurement.

use podium_domain::stats::Distribution;
use podium_loadgen::LoadReport;
use serde_json::{Value, json};

/// The figures under the names that other tools use.
pub(super) fn figures(report: &LoadReport) -> Value {
    let s = &report.summary;
    let at = |d: &Option<Distribution>, pick: fn(&Distribution) -> f64| d.as_ref().map(pick);
    json!({
        "completed": s.completed,
        "failed": s.failed,
        "never_sent": s.never_sent,
        "duration_s": s.duration_s,
        "request_throughput": s.request_throughput,
        "output_token_throughput": s.output_token_throughput,
        "total_token_throughput": s.total_token_throughput,
        "p50_ttft_ms": at(&s.ttft_ms, |d| d.p50),
        "p99_ttft_ms": at(&s.ttft_ms, |d| d.p99),
        "mean_ttft_ms": at(&s.ttft_ms, |d| d.mean),
        "p50_user_ttft_ms": at(&s.user_ttft_ms, |d| d.p50),
        "p50_tpot_ms": at(&s.tpot_ms, |d| d.p50),
        "p99_tpot_ms": at(&s.tpot_ms, |d| d.p99),
        "p50_itl_ms": at(&s.itl_ms, |d| d.p50),
        "p50_e2e_ms": at(&s.e2e_ms, |d| d.p50),
        "p99_e2e_ms": at(&s.e2e_ms, |d| d.p99),
        "schedule_lag_p99_ms": at(&s.schedule_lag_ms, |d| d.p99),
        "input_tokens": s.input_tokens,
        "output_tokens": s.output_tokens,
        "success_rate": s.success_rate,
        "client_limited": s.client_limited,
        "validity": s.validity,
        "prompt_set_hash": report.prompt_set_hash,
        "summary": s,
        "series": report.series,
    })
}

/// The figures for people.
pub(super) fn table(report: &LoadReport) -> String {
    let s = &report.summary;
    let mut text =
        format!("{} of {} requests completed, {} failed, in {:.2} s\n", s.completed, s.planned, s.failed, s.duration_s);
    for failure in &s.failures {
        text += &format!("  {} × {}: {}\n", failure.count, failure.class, failure.example);
    }
    let mut line = |name: &str, value: Option<f64>, unit: &str| {
        if let Some(value) = value {
            text += &format!("{name:<26}{value:>12.2} {unit}\n");
        }
    };
    line("request throughput", s.request_throughput, "req/s");
    line("output token throughput", s.output_token_throughput, "tok/s");
    line("total token throughput", s.total_token_throughput, "tok/s");
    let latencies = [
        ("TTFT", &s.ttft_ms),
        ("user's TTFT", &s.user_ttft_ms),
        ("TPOT", &s.tpot_ms),
        ("ITL", &s.itl_ms),
        ("E2E", &s.e2e_ms),
        ("schedule lag", &s.schedule_lag_ms),
    ];
    text += &format!("{:<14}{:>10}{:>10}{:>10}{:>10}{:>8}   ms\n", "", "mean", "p50", "p90", "p99", "n");
    for (name, distribution) in latencies {
        if let Some(d) = distribution {
            text += &format!("{name:<14}{:>10.2}{:>10.2}{:>10.2}{:>10.2}{:>8}\n", d.mean, d.p50, d.p90, d.p99, d.n);
        }
    }
    text += &format!("validity: {}\n", s.validity.word());
    for reason in s.validity.reasons() {
        text += &format!("  {}\n", reason.text);
    }
    for note in &report.notes {
        text += &format!("note: {}\n", note.text);
    }
    text
}
