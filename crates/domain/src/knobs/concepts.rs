//! What different frameworks call the same thing: hints for whoever moves a setting from one to another.
//!
//! A pair of names is a hint and no translation of values: no plan is ever rewritten by it.

use crate::framework::Framework::{self, LlamaCpp, Sglang, TensorrtLlm, Tokenspeed, Vllm};

/// One thing that several frameworks have a knob for.
#[derive(Debug, Clone, Copy)]
pub struct Concept {
    /// What it is, in a few words.
    pub what: &'static str,
    /// The knob of each framework that has one; every name is in that framework's table.
    pub names: &'static [(Framework, &'static str)],
    /// How the knobs differ, where the same value does not do the same.
    pub caution: Option<&'static str>,
}

/// What a flag of another framework is called in the framework that was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Translation {
    /// Whose name it was.
    pub from: Framework,
    /// The name here.
    pub name: &'static str,
    /// How the knobs differ, where the same value does not do the same.
    pub caution: Option<&'static str>,
}

/// The knob of `to` for what another framework calls `name` (`-` and `_` count as the same); `None` where `to` has
/// that name itself, has no such knob, or no framework has the name.
pub fn translate(name: &str, to: Framework) -> Option<Translation> {
    let name = name.replace('-', "_");
    if to.knob(&name).is_some() {
        return None;
    }
    CONCEPTS.iter().find_map(|concept| {
        let (from, _) = concept.names.iter().find(|(_, known)| *known == name)?;
        let (_, here) = concept.names.iter().find(|(framework, _)| *framework == to)?;
        Some(Translation { from: *from, name: here, caution: concept.caution })
    })
}

/// The same knob of the other frameworks, in table order; empty where no other framework has it.
pub fn equivalents(framework: Framework, name: &str) -> impl Iterator<Item = (Framework, &'static str)> {
    let name = name.replace('-', "_");
    let concept = CONCEPTS.iter().find(|concept| concept.names.contains(&(framework, name.as_str())));
    concept.into_iter().flat_map(|concept| concept.names).copied().filter(move |(other, _)| *other != framework)
}

const fn same(what: &'static str, names: &'static [(Framework, &'static str)]) -> Concept {
    Concept { what, names, caution: None }
}

const fn alike(what: &'static str, names: &'static [(Framework, &'static str)], caution: &'static str) -> Concept {
    Concept { what, names, caution: Some(caution) }
}

/// Every concept that at least two frameworks have a knob for under different names.
pub static CONCEPTS: &[Concept] = &[
    same(
        "GPUs that share every layer",
        &[
            (Sglang, "tp_size"),
            (Vllm, "tensor_parallel_size"),
            (TensorrtLlm, "tp_size"),
            (Tokenspeed, "tensor_parallel_size"),
        ],
    ),
    same(
        "stages that the layers are divided into",
        &[(Sglang, "pp_size"), (Vllm, "pipeline_parallel_size"), (TensorrtLlm, "pp_size")],
    ),
    same("replicas", &[(Sglang, "dp_size"), (Vllm, "data_parallel_size")]),
    alike(
        "GPUs that the experts are spread over",
        &[(Sglang, "ep_size"), (Vllm, "enable_expert_parallel"), (TensorrtLlm, "ep_size")],
        "a number of GPUs in SGLang and TensorRT-LLM, a switch in vLLM",
    ),
    same(
        "GPUs that share one sequence's KV cache while decoding",
        &[(Sglang, "dcp_size"), (Vllm, "decode_context_parallel_size")],
    ),
    same("how tokens travel between experts", &[(Sglang, "moe_a2a_backend"), (Vllm, "all2all_backend")]),
    same("overlap of two half batches", &[(Sglang, "enable_two_batch_overlap"), (Vllm, "enable_dbo")]),
    alike(
        "longest prompt plus output",
        &[
            (Sglang, "context_length"),
            (Vllm, "max_model_len"),
            (TensorrtLlm, "max_seq_len"),
            (Tokenspeed, "max_model_len"),
            (LlamaCpp, "ctx_size"),
        ],
        "llama.cpp divides its value by the number of slots",
    ),
    alike(
        "share of GPU memory",
        &[
            (Sglang, "mem_fraction_static"),
            (Vllm, "gpu_memory_utilization"),
            (TensorrtLlm, "kv_cache_free_gpu_memory_fraction"),
            (Tokenspeed, "gpu_memory_utilization"),
        ],
        "the share of different things: weights and KV cache in SGLang, everything in vLLM, the KV cache out of what \
         loading left in TensorRT-LLM",
    ),
    alike(
        "number format of the KV cache",
        &[
            (Sglang, "kv_cache_dtype"),
            (Vllm, "kv_cache_dtype"),
            (Tokenspeed, "kv_cache_dtype"),
            (LlamaCpp, "cache_type_k"),
        ],
        "llama.cpp sets keys and values apart, with cache_type_v",
    ),
    same("tokens in one piece of the KV cache", &[(Sglang, "page_size"), (Vllm, "block_size")]),
    same(
        "requests that run at the same time",
        &[
            (Sglang, "max_running_requests"),
            (Vllm, "max_num_seqs"),
            (TensorrtLlm, "max_batch_size"),
            (Tokenspeed, "max_num_seqs"),
            (LlamaCpp, "parallel"),
        ],
    ),
    same("requests that wait", &[(Sglang, "max_queued_requests"), (Vllm, "max_num_queued_reqs")]),
    alike(
        "tokens in one step",
        &[
            (Sglang, "max_prefill_tokens"),
            (Vllm, "max_num_batched_tokens"),
            (TensorrtLlm, "max_num_tokens"),
            (LlamaCpp, "batch_size"),
        ],
        "SGLang counts the tokens of prompts only",
    ),
    alike(
        "tokens in one chunk of a prompt",
        &[(Sglang, "chunked_prefill_size"), (Vllm, "max_num_batched_tokens"), (Tokenspeed, "chunked_prefill_size")],
        "vLLM has one budget for prompts and decodes together",
    ),
    alike(
        "order of waiting requests",
        &[(Sglang, "schedule_policy"), (Vllm, "scheduling_policy")],
        "the words differ: SGLang's lpm has no counterpart in vLLM",
    ),
    same("kernels of the expert layers", &[(Sglang, "moe_runner_backend"), (Vllm, "moe_backend")]),
    alike(
        "no CUDA graphs",
        &[(Sglang, "disable_cuda_graph"), (Vllm, "enforce_eager")],
        "vLLM's switch also turns compilation off",
    ),
    same("largest batch with a CUDA graph", &[(Sglang, "cuda_graph_max_bs"), (Vllm, "max_cudagraph_capture_size")]),
    same("batch sizes with a CUDA graph", &[(Sglang, "cuda_graph_bs"), (Vllm, "cudagraph_capture_sizes")]),
    alike(
        "KV cache of shared prompt beginnings",
        &[
            (Sglang, "disable_radix_cache"),
            (Vllm, "enable_prefix_caching"),
            (Tokenspeed, "enable_prefix_caching"),
            (LlamaCpp, "cache_prompt"),
        ],
        "SGLang's switch turns it off, the others turn it on",
    ),
    same("method of speculative decoding", &[(Sglang, "speculative_algorithm"), (Vllm, "spec_method")]),
    same("draft model", &[(Sglang, "speculative_draft_model_path"), (Vllm, "spec_model"), (LlamaCpp, "model_draft")]),
    same(
        "tokens that are drafted at a time",
        &[(Sglang, "speculative_num_draft_tokens"), (Vllm, "spec_tokens"), (LlamaCpp, "spec_draft_n_max")],
    ),
    same("the model", &[(Sglang, "model_path"), (LlamaCpp, "model")]),
    same("the tokenizer", &[(Sglang, "tokenizer_path"), (Vllm, "tokenizer"), (TensorrtLlm, "tokenizer")]),
    same(
        "how tool calls are cut out of the output",
        &[(Sglang, "tool_call_parser"), (Vllm, "tool_call_parser"), (TensorrtLlm, "tool_parser")],
    ),
    same("seed of the sampler", &[(Sglang, "random_seed"), (Vllm, "seed"), (LlamaCpp, "seed")]),
    same("metrics", &[(Sglang, "enable_metrics"), (LlamaCpp, "metrics")]),
];

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_name_is_in_its_table() {
        for concept in CONCEPTS {
            for (framework, name) in concept.names {
                assert!(framework.knob(name).is_some(), "{}: {framework} has no {name}", concept.what);
            }
            let frameworks: HashSet<_> = concept.names.iter().map(|(framework, _)| framework).collect();
            assert!(frameworks.len() == concept.names.len() && frameworks.len() > 1, "{}", concept.what);
            assert!(concept.names.is_sorted_by_key(|(framework, _)| *framework), "{}", concept.what);
            let names: HashSet<_> = concept.names.iter().map(|(_, name)| name).collect();
            assert!(names.len() > 1, "{}: one name needs no hint", concept.what);
        }
    }

    #[test]
    fn sequence_limits_are_one_concept() {
        let limits: Vec<_> = Framework::ALL.map(|framework| (framework, framework.spec().sequence_limit_flag)).into();
        assert!(CONCEPTS.iter().any(|concept| concept.names == limits));
    }

    #[test]
    fn foreign_names_are_translated_and_own_names_are_not() {
        let name = |name, to| translate(name, to).map(|found| (found.from, found.name));
        assert_eq!(name("max_num_seqs", Sglang), Some((Vllm, "max_running_requests")));
        assert_eq!(name("max-running-requests", TensorrtLlm), Some((Sglang, "max_batch_size")));
        assert_eq!(name("tp_size", Vllm), Some((Sglang, "tensor_parallel_size")));
        assert_eq!(name("chunked_prefill_size", Vllm), Some((Sglang, "max_num_batched_tokens")));
        assert_eq!(name("max_num_seqs", Vllm), None);
        assert_eq!(name("page_size", TensorrtLlm), None);
        assert_eq!(name("made_up", Vllm), None);
        assert!(translate("ctx_size", Vllm).unwrap().caution.is_some());
        let others: Vec<_> = equivalents(Vllm, "max-num-seqs").map(|(_, name)| name).collect();
        assert_eq!(others, ["max_running_requests", "max_batch_size", "max_num_seqs", "parallel"]);
        assert_eq!(equivalents(Vllm, "block_size").collect::<Vec<_>>(), [(Sglang, "page_size")]);
        assert_eq!(equivalents(Vllm, "made_up").count(), 0);
    }
}
