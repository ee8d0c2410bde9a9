//! What holds for every configuration and every load.

use std::collections::HashMap;
use std::time::Duration;

use podium_domain::framework::Framework;
use proptest::prelude::*;

use super::*;
use crate::openai::Prompt;

/// Far more than any of the small loads below needs; reaching it means that the scheduler makes no progress.
const MOST_STEPS: u32 = 100_000;

prop_compose! {
    fn configs()(
        framework in prop::sample::select(&Framework::ALL[..4]),
        max_running in 1u32..40,
        token_budget in 64u32..2_000,
        block_tokens in 1u32..70,
        spare_kv_tokens in 0u64..3_000,
        prefix_cache: bool,
        first: bool,
        reserve in 0.0..=1.0f64,
        draft_tokens in 0u32..6,
        longest_prefix_first: bool,
        seed: u64,
    ) -> EngineConfig {
        EngineConfig {
            max_running,
            token_budget,
            block_tokens,
            chunked_prefill: true,
            max_seq_tokens: 600,
            max_kv_tokens: Some(600 + u64::from(block_tokens) + spare_kv_tokens),
            prefix_cache,
            prefill: if first { PrefillMode::First } else { PrefillMode::Mixed },
            reserve,
            draft_tokens,
            longest_prefix_first,
            seed,
            ..EngineConfig::new(framework, Model::B8, Gpu::H100)
        }
    }
}

prop_compose! {
    fn requests()(
        group in 0u32..3,
        shared in 0u32..200,
        own in 1u32..200,
        max_tokens in 1u32..200,
        ignore_eos: bool,
        cancelled in prop::bool::weighted(0.1),
    ) -> (NewRequest, bool) {
        let ids = (0..shared).map(|n| group * 1_000 + n).chain((0..own).map(|n| own * 7_919 + n)).collect();
        let request =
            NewRequest { prompt: Prompt { ids }, max_tokens: Some(max_tokens), ignore_eos, ..NewRequest::default() };
        (request, cancelled)
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_request_ends_with_the_tokens_that_were_sent(
        config in configs(),
        load in prop::collection::vec(requests(), 1..40),
    ) {
        let plan = memory::plan(&config).expect("one sequence fits");
        let mut engine = Engine::new(config, plan);
        let mut now = Duration::ZERO;
        let (mut tokens, mut ended, mut cancelled) = (HashMap::new(), HashMap::new(), Vec::new());
        let mut limits = HashMap::new();
        for (request, cancel) in &load {
            let id = engine.submit(now, request).expect("it fits the sequence limit");
            limits.insert(id, request.max_tokens.unwrap_or(u32::MAX));
            if *cancel {
                cancelled.push(id);
            }
        }
        for step in 0.. {
            prop_assert!(step < MOST_STEPS, "no progress: {:?}", engine.stats());
            let Some(ends_at) = engine.start_step(now).expect("small steps fit into memory") else { break };
            prop_assert!(ends_at > now, "a step takes time");
            now = ends_at;
            if step == 3 {
                cancelled.iter().for_each(|id| engine.cancel(*id));
            }
            for emission in engine.finish_step() {
                prop_assert!(emission.tokens > 0);
                prop_assert!(!ended.contains_key(&emission.id), "tokens after the end");
                *tokens.entry(emission.id).or_insert(0) += emission.tokens;
                if let Some(finish) = emission.finish {
                    ended.insert(emission.id, finish.usage.completion_tokens);
                }
            }
            let stats = engine.stats();
            prop_assert!(stats.kv_used_blocks <= stats.kv_total_blocks);
            prop_assert!(stats.running <= engine.config().max_running as usize);
        }
        let stats = engine.stats();
        prop_assert_eq!((stats.running, stats.waiting, stats.kv_used_blocks), (0, 0, 0));
        prop_assert_eq!(ended.len() + stats.aborted as usize, load.len());
        for (id, counted) in &ended {
            prop_assert_eq!(tokens.get(id), Some(counted));
            prop_assert!(counted <= &limits[id]);
        }
    }
}
