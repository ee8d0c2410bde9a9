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
