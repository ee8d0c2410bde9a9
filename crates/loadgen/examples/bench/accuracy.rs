//! Latencies against the server's truth, at several numbers of streams.

use podium_domain::load::LoadPoint;
use podium_domain::stats::Distribution;

use crate::Outcome;
use crate::measure::{Measured, measure};

const OUTPUT_TOKENS: u32 = 128;
/// Requests of a stream. All first ones are sent in one burst, which the server reads as fast as it can: with few more,
/// the median would say where that burst ends.
const ROUNDS: u32 = 8;

/// A closed loop of [`ROUNDS`] requests a stream for each number of streams: first token after 20 ms, then one each 10 ms.
pub fn run(streams: &[u32]) -> Outcome<()> {
    println!("### Accuracy: 20 ms to the first token, 10 ms between tokens, {OUTPUT_TOKENS} tokens\n");
    println!(
        "| streams | TTFT − truth, ms: p50 / p99 | sent → read by server, ms p50 | written → read by client, ms p50 \
         | TPOT / truth p50 | ITL / truth p50 | TTFT, ms p50 | CPU share | loop delay, ms p99 / max | coalesced | verdict |"
    );
    println!("|---|---|---|---|---|---|---|---|---|---|---|");
    for &concurrency in streams {
        let load = LoadPoint::Concurrency { concurrency };
        print_row(concurrency, &measure((20, 10), load, ROUNDS * concurrency, OUTPUT_TOKENS)?)?;
    }
    println!();
    Ok(())
}

fn print_row(streams: u32, measured: &Measured) -> Outcome<()> {
    let mut errors = measured.errors()?;
    let quantiles = |samples: &mut Vec<f64>| Distribution::of(samples).map_or((f64::NAN, f64::NAN), |d| (d.p50, d.p99));
    let (ttft_p50, ttft_p99) = quantiles(&mut errors.ttft_ms);
    let summary = &measured.outcome.report.summary;
    let codes: Vec<&str> = summary.validity.reasons().iter().map(|reason| reason.code.as_str()).collect();
    println!(
        "| {streams} | {ttft_p50:.3} / {ttft_p99:.3} | {:.3} | {:.3} | {:.5} | {:.5} | {:.1} | {:.2} | {:.1} / {:.1} | {:.3} | {} {} |",
        quantiles(&mut errors.sent_to_read_ms).0,
        quantiles(&mut errors.read_late_ms).0,
        quantiles(&mut errors.tpot_ratio).0,
        summary.itl_ms.as_ref().map_or(f64::NAN, |itl| itl.p50) / measured.truth.itl_p50_ms,
        summary.ttft_ms.as_ref().map_or(f64::NAN, |ttft| ttft.p50),
        summary.client.cpu_share.unwrap_or(f64::NAN),
        summary.client.loop_delay_p99_ms.unwrap_or(f64::NAN),
        summary.client.loop_delay_max_ms.unwrap_or(f64::NAN),
        summary.client.coalesced_event_share.unwrap_or(f64::NAN),
        summary.validity.word(),
        codes.join(", "),
    );
    Ok(())
}
