//! What `podium load` prints of a measurement.

use podium_domain::load::LoadPoint;
use podium_domain::stats::Distribution;
use podium_domain::telemetry::TelemetrySummary;
use podium_loadgen::{LoadOutcome, LoadReport};
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
        "telemetry": report.telemetry,
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
    text + &report.telemetry.as_ref().map(telemetry).unwrap_or_default()
}

/// What the engine and the GPUs said of themselves.
fn telemetry(telemetry: &TelemetrySummary) -> String {
    let (measured, absent): (Vec<_>, Vec<_>) = telemetry.facts().into_iter().partition(|fact| fact.1.is_some());
    let mut text = "telemetry of the engine and its GPUs\n".to_owned();
    for (name, value) in measured {
        text += &format!("  {name:<28}{}\n", value.unwrap_or_default());
    }
    let absent: Vec<_> = absent.into_iter().map(|fact| fact.0).collect();
    if !absent.is_empty() {
        text += &format!("  not measured: {}\n", absent.join("; "));
    }
    if let Some(problem) = &telemetry.problem {
        text += &format!("  the engine's metrics: {problem}\n");
    }
    text
}

/// The figures of a sweep: one object for each load that was measured, in order.
pub(super) fn sweep_figures(measured: &[(LoadPoint, LoadOutcome)], interrupted: bool) -> Value {
    let point = |(load, outcome): &(LoadPoint, LoadOutcome)| {
        let mut figures = figures(&outcome.report);
        if let Some(object) = figures.as_object_mut() {
            let concurrency = match load {
                LoadPoint::Concurrency { concurrency } => Some(*concurrency),
                LoadPoint::Rate { .. } | LoadPoint::Burst { .. } => None,
            };
            object.insert("rate_rps".to_owned(), json!(load.rate_rps()));
            object.insert("concurrency".to_owned(), json!(concurrency));
        }
        figures
    };
    json!({ "interrupted": interrupted, "points": measured.iter().map(point).collect::<Vec<_>>() })
}

/// The curve of a sweep of `planned` loads for people.
pub(super) fn sweep_table(measured: &[(LoadPoint, LoadOutcome)], planned: usize) -> String {
    let titles = ["req/s", "tok/s", "TTFT p50", "TTFT p99", "TPOT p50", "E2E p50", "success"];
    let mut text = format!("{:<28}", "load");
    titles.iter().for_each(|title| text += &format!("{title:>10}"));
    text += "  validity\n";
    for (load, outcome) in measured {
        let s = &outcome.report.summary;
        // Open loops are judged by what users wait, from the scheduled start.
        let ttft = if load.is_open_loop() { &s.user_ttft_ms } else { &s.ttft_ms };
        let figures = [
            s.request_throughput,
            s.output_token_throughput,
            ttft.as_ref().map(|d| d.p50),
            ttft.as_ref().map(|d| d.p99),
            s.tpot_ms.as_ref().map(|d| d.p50),
            s.e2e_ms.as_ref().map(|d| d.p50),
        ];
        text += &format!("{:<28}", load.to_string());
        for figure in figures {
            text += &figure.map_or_else(|| format!("{:>10}", "-"), |value| format!("{value:>10.2}"));
        }
        let success = s.success_rate.map_or_else(|| "-".to_owned(), |rate| format!("{:.1} %", rate * 100.0));
        text += &format!("{success:>10}  {}\n", s.validity.word());
        for reason in s.validity.reasons() {
            text += &format!("  {}\n", reason.text);
        }
    }
    text += "latencies in ms; TTFT of rates from the scheduled start\n";
    if measured.len() < planned {
        text += &format!("ended after {} of {planned} loads\n", measured.len());
    }
    text
}
