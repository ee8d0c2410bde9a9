//! Whether a framework has a flag at all: the knob tables, and the flag names of the newest releases.

use crate::framework::Framework;

impl Framework {
    /// Whether the newest release that Podium has seen takes this flag, or the knob table has it.
    ///
    /// `-` and `_` count as the same; the negative form `no_x` of a knob counts as known.
    pub fn knows_flag(self, name: &str) -> bool {
        let name = name.replace('-', "_");
        let negates = |name: &str| {
            name.strip_prefix("no_").and_then(|positive| self.knob(positive)).is_some_and(|knob| knob.negatable)
        };
        self.knob(&name).is_some() || negates(&name) || self.released_flags().any(|known| known == name)
    }

    /// The flag names of the newest release, with underscores, in alphabetical order.
    pub fn released_flags(self) -> impl Iterator<Item = &'static str> {
        self.release_list().lines().filter(|line| !line.starts_with('#'))
    }

    /// Which release [`Framework::released_flags`] was taken from, for people.
    pub fn released_flags_source(self) -> &'static str {
        self.release_list().lines().next().unwrap_or_default().trim_start_matches(['#', ' '])
    }

    fn release_list(self) -> &'static str {
        match self {
            Framework::Sglang => include_str!("known/sglang.txt"),
            Framework::Vllm => include_str!("known/vllm.txt"),
            Framework::TensorrtLlm => include_str!("known/tensorrt_llm.txt"),
            Framework::Tokenspeed => include_str!("known/tokenspeed.txt"),
            Framework::LlamaCpp => include_str!("known/llama_cpp.txt"),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::knobs::KnobKind;

    #[test]
    fn every_list_has_a_source_and_plain_names() {
        for framework in Framework::ALL {
            assert!(framework.released_flags_source().starts_with("Server flags of "), "{framework}");
            for name in framework.released_flags() {
                let plain = name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
                assert!(plain && !name.is_empty(), "{framework}: {name}");
            }
        }
    }

    #[test]
    fn knob_tables_have_no_duplicates_and_no_empty_choices() {
        for framework in Framework::ALL {
            let knobs = framework.spec().knobs;
            let names: HashSet<_> = knobs.iter().map(|knob| knob.name).collect();
            assert_eq!(names.len(), knobs.len(), "{framework}");
            for knob in knobs {
                assert!(!knob.help.is_empty() && !knob.help.ends_with('.'), "{framework} {}", knob.name);
                if let KnobKind::Choice(words) = knob.kind {
                    assert!(words.len() > 1, "{framework} {}", knob.name);
                }
            }
            assert!(framework.knob(framework.spec().sequence_limit_flag).is_some(), "{framework}");
        }
    }

    #[test]
    fn a_negatable_knob_of_a_listed_release_has_its_negative_form_there() {
        for framework in [Framework::Sglang, Framework::Vllm, Framework::LlamaCpp] {
            let released: HashSet<_> = framework.released_flags().collect();
            for knob in framework.spec().knobs.iter().filter(|knob| released.contains(knob.name)) {
                let negative = format!("no_{}", knob.name);
                assert_eq!(knob.negatable, released.contains(negative.as_str()), "{framework} {}", knob.name);
            }
        }
    }

    #[test]
    fn the_knobs_that_plans_are_written_with_are_in_the_tables() {
        let expected = [
            (
                Framework::Sglang,
                "tp_size pp_size dp_size ep_size attention_backend prefill_attention_backend decode_attention_backend \
                 sampling_backend max_running_requests max_queued_requests chunked_prefill_size prefill_max_requests \
                 max_prefill_tokens max_total_tokens page_size disable_cuda_graph cuda_graph_max_bs cuda_graph_bs \
                 cuda_graph_config speculative_algorithm speculative_draft_model_path speculative_num_steps \
                 speculative_eagle_topk speculative_num_draft_tokens",
            ),
            (
                Framework::Vllm,
                "tensor_parallel_size pipeline_parallel_size data_parallel_size decode_context_parallel_size \
                 enable_expert_parallel gpu_memory_utilization max_num_seqs max_num_batched_tokens max_model_len \
                 enable_chunked_prefill max_num_partial_prefills max_long_partial_prefills long_prefill_token_threshold \
                 enable_dbo dbo_decode_token_threshold dbo_prefill_token_threshold kv_cache_dtype block_size dtype \
                 quantization cudagraph_capture_sizes max_cudagraph_capture_size compilation_config enforce_eager \
                 enable_prefix_caching speculative_config",
            ),
            (
                Framework::TensorrtLlm,
                "backend tp_size pp_size ep_size max_batch_size max_seq_len max_num_tokens \
                 kv_cache_free_gpu_memory_fraction free_gpu_memory_fraction enable_chunked_prefill extra_llm_api_options",
            ),
            (
                Framework::LlamaCpp,
                "ctx_size parallel batch_size ubatch_size threads n_gpu_layers flash_attn cache_type_k",
            ),
        ];
        for (framework, names) in expected {
            let missing: Vec<_> = names.split_whitespace().filter(|name| framework.knob(name).is_none()).collect();
            assert!(missing.is_empty(), "{framework}: {missing:?}");
        }
    }

    #[test]
    fn the_pinned_knobs_are_the_memory_fractions_and_the_scheduling_policy() {
        let pinned: Vec<_> = Framework::ALL
            .into_iter()
            .flat_map(|framework| framework.spec().knobs.iter().filter(|k| k.pinned).map(move |k| (framework, k.name)))
            .collect();
        assert_eq!(
            pinned,
            [
                (Framework::Sglang, "mem_fraction_static"),
                (Framework::Sglang, "schedule_policy"),
                (Framework::Vllm, "gpu_memory_utilization"),
                (Framework::TensorrtLlm, "kv_cache_free_gpu_memory_fraction"),
                (Framework::Tokenspeed, "gpu_memory_utilization"),
            ]
        );
    }

    #[test]
    fn flags_are_known_under_every_spelling_and_negated() {
        assert!(Framework::Vllm.knows_flag("max-num-seqs"));
        assert!(Framework::Vllm.knows_flag("no_enable_prefix_caching"));
        assert!(Framework::Vllm.knows_flag("max_num_partial_prefills"), "older releases have it");
        assert!(!Framework::Vllm.knows_flag("max_num_sequences"));
        assert!(Framework::Sglang.knows_flag("radix_eviction_policy"), "listed, not in the table");
    }
}
