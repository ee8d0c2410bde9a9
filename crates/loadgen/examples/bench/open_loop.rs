//! Whether a high rate is really sent.

use podium_domain::load::LoadPoint;
use podium_loadgen::workload::{Arrivals, Schedule};

use crate::Outcome;
use crate::measure::measure;

const RATE_RPS: f64 = 2_000.0;
const SECONDS: u32 = 30;

/// 2,000 requests a second for 30 s, 16 tokens each, answered at once.
pub fn run() -> Outcome<()> {
    let load = LoadPoint::Rate { rate_rps: RATE_RPS, max_concurrency: None };
    let measured = measure((0, 0), load, RATE_RPS as u32 * SECONDS, 16)?;
    let workload = &measured.job.workload;
    let schedule =
        Schedule::new(&load, &Arrivals::Poisson, workload.num_prompts, workload.seed, &workload.measurement_key)?;
    let drawn_ns = schedule.starts_ns.last().copied().unwrap_or(0) as f64;
    let sends: Vec<u64> = measured.outcome.samples.iter().filter_map(|sample| sample.sent_at_ns).collect();
    let real_ns = sends.iter().max().zip(sends.iter().min()).map_or(f64::NAN, |(last, first)| (last - first) as f64);
    let drawn_rps = (schedule.starts_ns.len() - 1) as f64 / drawn_ns * 1e9;
    let real_rps = (sends.len() as f64 - 1.0) / real_ns * 1e9;
    let summary = &measured.outcome.report.summary;
    let lag = summary.schedule_lag_ms.as_ref();
    let codes: Vec<&str> = summary.validity.reasons().iter().map(|reason| reason.code.as_str()).collect();
    println!("### Open loop: {RATE_RPS} requests/s for {SECONDS} s, 16 tokens at once\n");
    println!(
        "| sent of drawn | rate against the drawn one | schedule lag, ms: p50 / p99 / max | CPU share | verdict |"
    );
    println!("|---|---|---|---|---|");
    println!(
        "| {} of {} | {:+.3} % | {:.3} / {:.3} / {:.3} | {:.2} | {} {} |\n",
        sends.len(),
        schedule.starts_ns.len(),
        (real_rps / drawn_rps - 1.0) * 100.0,
        lag.map_or(f64::NAN, |lag| lag.p50),
        lag.map_or(f64::NAN, |lag| lag.p99),
        lag.map_or(f64::NAN, |lag| lag.max),
        summary.client.cpu_share.unwrap_or(f64::NAN),
        summary.validity.word(),
        codes.join(", "),
    );
    Ok(())
}
