//! For each knob: which way it pushes, and that the best value lies between the extremes.

use podium_domain::framework::Framework;

use super::config::{EngineConfig, MemoryRule};
use super::hardware::{Gpu, Model};
use super::replay::{Replay, replay, steady_arrivals};

const BURST: f64 = f64::INFINITY;

fn vllm(gpu: Gpu) -> EngineConfig {
    EngineConfig { max_seq_tokens: 4_096, ..EngineConfig::new(Framework::Vllm, Model::B8, gpu) }
}

fn run(config: &EngineConfig, count: u32, rate_rps: f64, input: u32, output: u32) -> Replay {
    replay(config, &steady_arrivals(count, rate_rps, input, output, 7)).expect("this configuration starts")
}

/// The best of the scores (higher is better) is neither the first nor the last.
fn assert_interior(scores: &[f64]) {
    let best = (0..scores.len()).max_by(|a, b| scores[*a].total_cmp(&scores[*b])).unwrap();
    assert!(best > 0 && best + 1 < scores.len(), "the best is at an end: {scores:?}");
}

fn assert_rises(values: &[f64]) {
    assert!(values.is_sorted_by(|a, b| a < b), "not rising: {values:?}");
}

#[test]
fn running_sequences_queue_when_few_and_preempt_when_many() {
    let runs: Vec<_> = [16, 64, 256, 1_024]
        .map(|max_running| run(&EngineConfig { max_running, ..vllm(Gpu::L40s) }, 300, BURST, 600, 400))
        .into();
    assert_interior(&runs.iter().map(Replay::request_rate_rps).collect::<Vec<_>>());
    assert_rises(&runs.iter().map(|run| -run.mean_ttft_ms()).collect::<Vec<_>>());
    assert_rises(&runs.iter().map(Replay::mean_tpot_ms).collect::<Vec<_>>());
    let preemptions: Vec<_> = runs.iter().map(|run| run.stats.preemptions).collect();
    assert_eq!(preemptions[..2], [0, 0], "there are blocks enough for 64 sequences");
    assert!(preemptions[3] > preemptions[2], "{preemptions:?}");
}

#[test]
fn the_token_budget_trades_first_tokens_for_the_pace_of_the_others() {
    let runs: Vec<_> = [128, 512, 2_048, 16_384]
        .map(|token_budget| run(&EngineConfig { token_budget, ..vllm(Gpu::H100) }, 200, 5.5, 3_000, 150))
        .into();
    assert_interior(&runs.iter().map(|run| run.goodput_rps(1_500.0, 30.0)).collect::<Vec<_>>());
    assert!(runs[0].mean_ttft_ms() > 4.0 * runs[2].mean_ttft_ms(), "a small budget starves prompts");
    assert!(runs[3].mean_tpot_ms() > runs[1].mean_tpot_ms(), "a large one stalls answers");
}

#[test]
fn tensor_parallelism_pays_until_communication_eats_it() {
    let small_batch: Vec<_> = [1, 2, 4, 8]
        .map(|tensor_parallel| run(&EngineConfig { tensor_parallel, ..vllm(Gpu::L40s) }, 20, 0.5, 500, 200))
        .into();
    assert_interior(&small_batch.iter().map(|run| -run.mean_tpot_ms()).collect::<Vec<_>>());
    let per_gpu = |tensor_parallel: u32| {
        let config = EngineConfig { tensor_parallel, ..vllm(Gpu::H100) };
        run(&config, 200, BURST, 500, 100).request_rate_rps() / f64::from(tensor_parallel)
    };
    assert_rises(&[per_gpu(8), per_gpu(4), per_gpu(2), per_gpu(1)]);
}

#[test]
fn the_memory_part_gives_kv_room_until_activations_no_longer_fit() {
    let runs = [0.2, 0.3, 0.5, 0.8, 0.95, 0.98].map(|part| {
        let config = EngineConfig { memory: MemoryRule::PartOfTotal(part), ..vllm(Gpu::H100) };
        replay(&config, &steady_arrivals(200, 14.0, 3_000, 200, 7))
    });
    assert!(runs[0].is_err(), "at 0.2 the weights alone are too large");
    let rates: Vec<_> = runs.iter().map(|run| run.as_ref().map_or(0.0, Replay::request_rate_rps)).collect();
    assert_interior(&rates);
    assert_rises(&rates[..4]);
    let crashes: Vec<_> = runs.iter().map(|run| run.as_ref().is_ok_and(|run| run.crash.is_some())).collect();
    assert_eq!(crashes, [false, false, false, false, false, true], "only the last dies under the load");
}

#[test]
fn blocks_cost_handling_when_small_and_waste_room_when_large() {
    let runs: Vec<_> = [1, 16, 128, 512]
        .map(|block_tokens| {
            run(&EngineConfig { block_tokens, max_running: 512, ..vllm(Gpu::L40s) }, 500, BURST, 130, 300)
        })
        .into();
    assert_interior(&runs.iter().map(Replay::request_rate_rps).collect::<Vec<_>>());
}

#[test]
fn drafts_help_until_too_many_are_thrown_away() {
    let tpot = |draft_tokens, count, rate| {
        run(&EngineConfig { draft_tokens, ..vllm(Gpu::H100) }, count, rate, 500, 200).mean_tpot_ms()
    };
    assert_interior(&[0, 1, 4, 12].map(|drafts| -tpot(drafts, 20, 0.5)));
    let gain = |count, rate| tpot(0, count, rate) / tpot(4, count, rate);
    assert!(gain(20, 0.5) > gain(250, BURST), "drafts pay less in a full batch");
}

#[test]
fn load_beyond_saturation_waits() {
    for framework in Framework::ALL {
        let config = EngineConfig::new(framework, Model::B8, Gpu::H100);
        let at = |rate| run(&config, 250, rate, 1_000, 200);
        let (low, high) = (at(1.0), at(60.0));
        assert!(high.mean_ttft_ms() > 10.0 * low.mean_ttft_ms(), "{framework}");
        let saturated = high.request_rate_rps();
        assert!((2.0..40.0).contains(&saturated), "{framework}: {saturated} requests per second");
    }
}

#[test]
fn full_reservation_never_preempts() {
    let optimistic = EngineConfig { max_running: 1_024, ..vllm(Gpu::L40s) };
    let reserving = EngineConfig { reserve: 1.0, ..optimistic.clone() };
    assert!(run(&optimistic, 300, BURST, 600, 400).stats.preemptions > 0);
    assert_eq!(run(&reserving, 300, BURST, 600, 400).stats.preemptions, 0);
}

#[test]
fn every_request_gets_exactly_its_tokens_and_all_blocks_come_back() {
    for framework in Framework::ALL {
        let config = EngineConfig { draft_tokens: 3, ..EngineConfig::new(framework, Model::B8, Gpu::H100) };
        let replay = run(&config, 60, 20.0, 700, 61);
        assert!(replay.outcomes.iter().all(|outcome| outcome.tokens == 61 && outcome.done.is_some()), "{framework}");
        assert_eq!(replay.stats.kv_used_blocks, 0, "{framework}");
        assert_eq!((replay.stats.running, replay.stats.waiting), (0, 0), "{framework}");
    }
}

#[test]
fn the_same_seed_gives_the_same_run() {
    let config = EngineConfig { draft_tokens: 2, ..vllm(Gpu::A100) };
    let one = run(&config, 50, 5.0, 300, 80);
    assert_eq!(one, run(&config, 50, 5.0, 300, 80));
    assert_ne!(one, run(&EngineConfig { seed: 1, ..config }, 50, 5.0, 300, 80));
}

#[test]
fn equal_prompts_are_computed_once() {
    let mut arrivals = steady_arrivals(40, 4.0, 2_000, 20, 7);
    let shared = arrivals[0].request.prompt.clone();
    for arrival in &mut arrivals {
        arrival.request.prompt = shared.clone();
    }
    let with = replay(&vllm(Gpu::A100), &arrivals).unwrap();
    let without = replay(&EngineConfig { prefix_cache: false, ..vllm(Gpu::A100) }, &arrivals).unwrap();
    assert!(with.stats.prefix_hit_rate().unwrap() > 0.9);
    assert_eq!(without.stats.prefix_hit_rate(), None);
    assert!(with.mean_ttft_ms() < without.mean_ttft_ms());
}
