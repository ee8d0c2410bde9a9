//! Where a knob was seen: one release of one image at one date. Evidence, and no promise about any other release.

use crate::framework::Framework;

/// What the flag lists of a framework were taken from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Evidence {
    /// The framework with the release, for example `vLLM 0.32.0`.
    pub release: &'static str,
    /// How the flags became known, for example `vllm serve --help=all`.
    pub taken_from: &'static str,
    /// When.
    pub date: &'static str,
    /// Whether a running program was asked. Where it was not, a list neither proves nor disproves a flag.
    pub verified: bool,
}

impl Framework {
    /// What this framework's flag list was taken from.
    pub const fn evidence(self) -> Evidence {
        const DATE: &str = "November 2026";
        match self {
            Framework::Sglang => Evidence {
                release: "SGLang 0.5.23",
                taken_from: "python -m sglang.launch_server --help",
                date: DATE,
                verified: true,
            },
            Framework::Vllm => {
                Evidence { release: "vLLM 0.32.0", taken_from: "vllm serve --help=all", date: DATE, verified: true }
            }
            Framework::TensorrtLlm => Evidence {
                release: "TensorRT-LLM, release not identified",
                taken_from: "the source of trtllm-serve serve",
                date: DATE,
                verified: false,
            },
            Framework::Tokenspeed => Evidence {
                release: "TokenSpeed, no release",
                taken_from: "published plans",
                date: DATE,
                verified: false,
            },
            Framework::LlamaCpp => Evidence {
                release: "llama.cpp build 11434",
                taken_from: "llama-server --help",
                date: DATE,
                verified: true,
            },
        }
    }

    /// Where the flag was seen, as a sentence for people: `in vLLM 0.32.0 (vllm serve --help=all, November 2026)`.
    pub fn seen(self, flag: &str) -> String {
        let Evidence { release, taken_from, date, verified } = self.evidence();
        let flag = flag.replace('-', "_");
        let listed = self.released_flags().any(|known| known == flag);
        match (verified, listed) {
            (true, true) => format!("in {release} ({taken_from}, {date})"),
            (true, false) => format!("not in {release} ({taken_from}, {date}): of another release"),
            (false, true) => format!("unverified: from {taken_from} ({release}, {date})"),
            (false, false) => format!("unverified: not in {taken_from} ({release}, {date})"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn evidence_is_that_of_the_flag_lists() {
        for framework in Framework::ALL {
            let evidence = framework.evidence();
            let source = framework.released_flags_source();
            let name = evidence.release.split(',').next().unwrap();
            assert!(source.contains(name.trim_end()), "{source}: {name}");
            if evidence.verified {
                assert!(source.contains(evidence.taken_from) && source.contains(evidence.date), "{source}");
            } else {
                assert!(source.contains("not checked") || source.contains("not identified"), "{source}");
            }
        }
    }

    #[test]
    fn a_flag_is_seen_where_it_is_listed() {
        assert_eq!(Framework::Vllm.seen("max-num-seqs"), "in vLLM 0.32.0 (vllm serve --help=all, November 2026)");
        assert!(Framework::Vllm.seen("max_num_partial_prefills").starts_with("not in vLLM 0.32.0 "));
        assert!(Framework::Tokenspeed.seen("max_num_seqs").starts_with("unverified: from published plans"));
    }

    /// Knobs that no list holds are of older releases, and they are few: each one is named here on purpose.
    #[test]
    fn knobs_of_other_releases_are_known_by_name() {
        let other: Vec<_> = Framework::ALL
            .into_iter()
            .flat_map(|framework| {
                let gone = move |name: &&str| !framework.released_flags().any(|known| known == *name);
                framework.spec().knobs.iter().map(|knob| knob.name).filter(gone)
            })
            .collect();
        assert_eq!(
            other,
            [
                "cuda_graph_max_bs",
                "cuda_graph_bs",
                "swap_space",
                "max_num_partial_prefills",
                "max_long_partial_prefills",
            ]
        );
    }
}
