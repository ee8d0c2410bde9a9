//! How far the load generator's figures are from a server's own truth, and what a token costs it.
//!
//! `cargo run --release -p podium-loadgen --example accuracy [STREAMS…]`: for each number of streams, a closed loop of
//! twice as many requests against a server of known timing (first token after 20 ms, then one each 10 ms, 128 tokens),
//! then answers that come at once. Server and client share the machine, so that few cores show in the figures.

use std::collections::HashMap;
use std::time::Duration;

use podium_domain::load::LoadPoint;
use podium_domain::plan::Endpoint;
use podium_domain::stats::Distribution;
use podium_loadgen::workload::{DatasetSpec, TextCalibration, WorkloadSpec, build};
use podium_loadgen::{LoadJob, LoadOutcome, StopHandle, run};
use podium_sim::truth::{TruthConfig, TruthRecord, TruthServer};

const OUTPUT_TOKENS: u32 = 128;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut streams: Vec<u32> = std::env::args().skip(1).filter_map(|argument| argument.parse().ok()).collect();
    if streams.is_empty() {
        streams = vec![32, 128, 512];
    }
    let server_runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    println!(
        "streams | TTFT − truth ms p50/p99 | read − written ms p50/p99 | TPOT/truth p50 | ITL p50 ms | CPU share | tokens/CPU-s | coalesced | verdict"
    );
    for concurrency in streams {
        let config =
            TruthConfig { ttft: Duration::from_millis(20), itl: Duration::from_millis(10), ..TruthConfig::default() };
        let (job, outcome, records) =
            measure(&server_runtime, config, closed(concurrency), 2 * concurrency, OUTPUT_TOKENS)?;
        print_row(concurrency, &job, &outcome, &records)?;
    }
    let at_once = TruthConfig { ttft: Duration::ZERO, itl: Duration::ZERO, ..TruthConfig::default() };
    let load = LoadPoint::Rate { rate_rps: 2_000.0, max_concurrency: None };
    let (_, outcome, _) = measure(&server_runtime, at_once.clone(), load, 10_000, 16)?;
    let summary = &outcome.report.summary;
    let lag = summary.schedule_lag_ms.as_ref().map_or((f64::NAN, f64::NAN), |lag| (lag.p50, lag.p99));
    println!(
        "2,000 req/s for 5 s, 16 tokens at once: sent {}, schedule lag {:.3} ms p50, {:.3} ms p99, CPU share {:.2}, {}",
        summary.sent,
        lag.0,
        lag.1,
        summary.client.cpu_share.unwrap_or(f64::NAN),
        summary.validity.word()
    );
    let (_, outcome, _) = measure(&server_runtime, at_once, closed(64), 2_000, OUTPUT_TOKENS)?;
    let summary = &outcome.report.summary;
    println!(
        "at once, 64 streams: {:.0} tokens/s, {:.0} tokens per CPU-second",
        summary.output_token_throughput.unwrap_or(0.0),
        tokens_per_cpu_second(&outcome)
    );
    Ok(())
}

fn closed(concurrency: u32) -> LoadPoint {
    LoadPoint::Concurrency { concurrency }
}

fn measure(
    server_runtime: &tokio::runtime::Runtime,
    config: TruthConfig,
    load: LoadPoint,
    requests: u32,
    output_len: u32,
) -> Result<(LoadJob, LoadOutcome, Vec<TruthRecord>), Box<dyn std::error::Error>> {
    let server = server_runtime.block_on(TruthServer::start(config))?;
    let dataset = DatasetSpec::Random {
        input_len: 32,
        output_len,
        vocab_size: None,
        prompt_form: None,
        text_calibration: TextCalibration::default(),
    };
    let workload = WorkloadSpec::new(dataset, Endpoint::Completions, "truth", requests);
    let job = LoadJob::new(server.base_url(), workload, load);
    let outcome = run(&job, &StopHandle::new(), |_| ())?;
    let records = server.records();
    server_runtime.block_on(server.shutdown());
    Ok((job, outcome, records))
}

fn tokens_per_cpu_second(outcome: &LoadOutcome) -> f64 {
    let summary = &outcome.report.summary;
    let cpu_s = summary.client.cpu_share.unwrap_or(0.0) * summary.duration_s;
    summary.output_tokens.unwrap_or(0) as f64 / cpu_s
}

fn print_row(
    concurrency: u32,
    job: &LoadJob,
    outcome: &LoadOutcome,
    records: &[TruthRecord],
) -> Result<(), Box<dyn std::error::Error>> {
    let by_body: HashMap<_, _> = records.iter().map(|record| (record.body.clone(), record)).collect();
    let requests = build(&job.workload)?.measured;
    let (mut ttft, mut read, mut tpot) = (Vec::new(), Vec::new(), Vec::new());
    for sample in outcome.samples.iter().filter(|sample| sample.is_complete()) {
        let Some(record) = by_body.get(&requests[sample.index as usize].body) else { continue };
        let (Some(seen_ns), Some(first_ns), Some(truth)) = (sample.ttft_ns(), sample.first_token_at_ns, record.ttft())
        else {
            continue;
        };
        ttft.push(seen_ns as f64 / 1e6 - truth.as_secs_f64() * 1e3);
        let written_ns = (record.events[0].written_at - outcome.started_at).as_nanos() as f64;
        read.push((first_ns as f64 - written_ns) / 1e6);
        let generation = record.events[record.events.len() - 1].written_at - record.events[0].written_at;
        let truth_ms = generation.as_secs_f64() * 1e3 / f64::from(record.output_tokens() - 1);
        tpot.extend(sample.tpot_ms().map(|seen_ms| seen_ms / truth_ms));
    }
    let two = |samples: &mut Vec<f64>| Distribution::of(samples).map_or((f64::NAN, f64::NAN), |d| (d.p50, d.p99));
    let ((ttft_p50, ttft_p99), (read_p50, read_p99), (tpot_p50, _)) = (two(&mut ttft), two(&mut read), two(&mut tpot));
    let summary = &outcome.report.summary;
    println!(
        "{concurrency:7} | {ttft_p50:8.3} / {ttft_p99:8.3} | {read_p50:8.3} / {read_p99:8.3} | {tpot_p50:.5} | {:.3} | {:.2} | {:.0} | {:.3} | {} {:?}",
        summary.itl_ms.as_ref().map_or(f64::NAN, |itl| itl.p50),
        summary.client.cpu_share.unwrap_or(f64::NAN),
        tokens_per_cpu_second(outcome),
        summary.client.coalesced_event_share.unwrap_or(f64::NAN),
        summary.validity.word(),
        summary.validity.reasons().iter().map(|reason| &reason.text).collect::<Vec<_>>(),
    );
    Ok(())
}
