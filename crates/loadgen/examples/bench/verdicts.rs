//! How often a clean measurement is doubted.

use podium_domain::load::LoadPoint;

use crate::Outcome;
use crate::measure::measure;

const RUNS: u32 = 20;

/// Twenty small clean measurements, half of them closed loops and half at a rate; any reason is a false positive.
pub fn run() -> Outcome<()> {
    let mut doubted = Vec::new();
    for run in 0..RUNS {
        let (load, requests) = match run % 2 {
            0 => (LoadPoint::Concurrency { concurrency: 32 }, 128),
            _ => (LoadPoint::Rate { rate_rps: 100.0, max_concurrency: None }, 100),
        };
        let summary = measure((20, 5), load, requests, 32)?.outcome.report.summary;
        let codes: Vec<&str> = summary.validity.reasons().iter().map(|reason| reason.code.as_str()).collect();
        if !codes.is_empty() {
            doubted.push(codes.join(" and "));
        }
    }
    println!("### Verdicts: {RUNS} clean measurements\n");
    println!("| not valid | reasons |\n|---|---|");
    println!("| {} | {} |\n", doubted.len(), doubted.join(", "));
    Ok(())
}
