//! Names of one flag that its framework's releases take side by side, or one after the other.

use crate::framework::Framework;

/// Groups of names; any name of a group means the same in the releases that take it.
const fn groups(framework: Framework) -> &'static [&'static [&'static str]] {
    match framework {
        Framework::Sglang => &[
            &["model_path", "model"],
            &["tp_size", "tensor_parallel_size"],
            &["pp_size", "pipeline_parallel_size"],
            &["dp_size", "data_parallel_size"],
            &["ep_size", "expert_parallel_size", "ep"],
            &["dcp_size", "decode_context_parallel_size"],
            &["attn_dp_size", "attention_data_parallel_size"],
            &["moe_dp_size", "moe_data_parallel_size"],
            &["speculative_draft_model_path", "speculative_draft_model"],
        ],
        Framework::Vllm => &[&["gpu_memory_utilization", "device_memory_utilization"]],
        Framework::TensorrtLlm => &[
            &["tp_size", "tensor_parallel_size"],
            &["pp_size", "pipeline_parallel_size"],
            &["ep_size", "moe_expert_parallel_size"],
            &["cp_size", "context_parallel_size"],
            &["cluster_size", "moe_cluster_parallel_size"],
            &["kv_cache_free_gpu_memory_fraction", "free_gpu_memory_fraction"],
            &["extra_llm_api_options", "config"],
        ],
        Framework::Tokenspeed => &[],
        Framework::LlamaCpp => &[&["n_gpu_layers", "gpu_layers"], &["n_predict", "predict"]],
    }
}

impl Framework {
    /// The other names of this flag (`-` and `_` count as the same), the usual one first. A release that does not take
    /// the flag may take one of these with the same value.
    pub fn aliases(self, flag: &str) -> impl Iterator<Item = &'static str> {
        let flag = flag.replace('-', "_");
        let group = groups(self).iter().find(|group| group.contains(&flag.as_str()));
        group.copied().unwrap_or_default().iter().copied().filter(move |name| *name != flag)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn every_alias_is_a_flag_of_its_framework_and_in_one_group_only() {
        for framework in Framework::ALL {
            let names: Vec<_> = groups(framework).iter().flat_map(|group| *group).collect();
            for name in &names {
                assert!(framework.knows_flag(name), "{framework}: {name}");
            }
            assert_eq!(names.iter().collect::<HashSet<_>>().len(), names.len(), "{framework}");
        }
    }

    #[test]
    fn aliases_are_found_from_any_name() {
        let of = |framework: Framework, name| framework.aliases(name).collect::<Vec<_>>();
        assert_eq!(
            of(Framework::TensorrtLlm, "free_gpu_memory_fraction"),
            ["kv_cache_free_gpu_memory_fraction"],
            "1.0 takes this one only"
        );
        assert_eq!(of(Framework::Sglang, "expert-parallel-size"), ["ep_size", "ep"]);
        assert!(of(Framework::Vllm, "max_num_seqs").is_empty());
    }
}
