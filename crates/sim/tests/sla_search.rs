//! The search for the highest rate within an SLA, on a simulated engine whose true answer is known, on its virtual clock.

use podium_domain::framework::Framework;
use podium_domain::load_search::{LoadSearch, Step};
use podium_domain::plan::QpsRange;
use podium_domain::search_curve::{Probe, SlaPoint};
use podium_domain::stats::percentile;
use podium_sim::engine::replay::{Outcome, replay, steady_arrivals};
use podium_sim::engine::{EngineConfig, Gpu, Model};

const MAX_TTFT_MS: f64 = 150.0;
const MAX_TPOT_MS: f64 = 12.0;
const RANGE: QpsRange = QpsRange { lower: 4.0, upper: 32.0, tolerance: 1.5, max_rounds: 10 };

fn config() -> EngineConfig {
    EngineConfig { max_seq_tokens: 4_096, ..EngineConfig::new(Framework::Vllm, Model::B8, Gpu::H100) }
}

/// Measures one rate with arrivals of its own.
fn probe(rate_rps: f64, requests: u32, seed: u64) -> Probe {
    let arrivals = steady_arrivals(requests, rate_rps, 1_000, 60, seed);
    let offered_rps = arrivals.last().map_or(rate_rps, |last| f64::from(requests) / last.at.as_secs_f64());
    let served = replay(&config(), &arrivals).expect("the engine starts");
    let values = |of: fn(&Outcome) -> Option<f64>| served.outcomes.iter().filter_map(of).collect::<Vec<_>>();
    let limits = vec![(MAX_TTFT_MS, values(Outcome::ttft_ms)), (MAX_TPOT_MS, values(Outcome::tpot_ms))];
    let holds = limits.iter().all(|(limit, values)| median(values) <= *limit);
    Probe { load: offered_rps, holds, limits }
}

fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    percentile(&sorted, 50.0).expect("requests were answered")
}

/// The answer without noise: bisection over loads so long that their medians stand still.
fn true_capacity_rps() -> f64 {
    let (mut holds, mut fails) = (RANGE.lower, RANGE.upper);
    while fails - holds > 0.05 {
        let middle = (holds + fails) / 2.0;
        if probe(middle, 4_000, 99).holds { holds = middle } else { fails = middle }
    }
    (holds + fails) / 2.0
}

#[test]
fn the_answer_is_within_tolerance_for_ten_seeds_and_the_interval_covers_it() {
    let truth = true_capacity_rps();
    assert!(RANGE.lower * 2.0 < truth && truth < RANGE.upper * 0.9, "the truth {truth} is too close to an end");
    let mut covered = 0;
    for seed in 0..10u64 {
        let mut search = LoadSearch::rate(RANGE, None);
        let mut probes: Vec<Probe> = Vec::new();
        let measured_best = loop {
            match search.next() {
                Step::Probe(point) => {
                    let rate_rps = point.level().expect("a rate");
                    let probe = probe(rate_rps, 600, seed * 1_000 + probes.len() as u64);
                    search.record(point, probe.holds);
                    probes.push(probe);
                }
                Step::Done { best } => break best.and_then(|best| best.level()).expect("the lowest rate holds"),
            }
        };
        assert!(probes.len() <= 2 + RANGE.max_rounds as usize);
        let point = SlaPoint::find(&probes, seed).expect("the lowest rate holds");
        println!("seed {seed}: truth {truth:.2}, measured {measured_best:.2}, {point:?}");
        assert!((point.load - truth).abs() <= RANGE.tolerance, "seed {seed}: {point:?}, the truth is {truth}");
        covered += u32::from(point.interval.holds(truth));
    }
    assert!(covered >= 8, "the interval covers the truth for {covered} of 10 seeds");
}
