//! The cookbook: plans for well-known models, which come with Podium.
//!
//! The files are in `configs/cookbook-llm`; this list puts them into the program, so that pages and commands can offer
//! them without a folder beside it.

/// One plan of the cookbook.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CookbookPlan {
    /// Its name in addresses: the file's name without `.yaml`.
    pub slug: &'static str,
    /// Hub name of the model.
    pub model: &'static str,
    /// GPUs of one server on one machine, as in the plan.
    pub gpu_count: u32,
    /// How many parameters the model's name states, for example `70B`; `None` where it states none.
    pub parameters: Option<&'static str>,
    /// The plan.
    pub yaml: &'static str,
}

impl CookbookPlan {
    /// What the plan needs and what to know before a run: one paragraph a topic, each with its topic and a colon in
    /// front (`Needs: …`, `Weights: …`).
    pub fn notes(&self) -> Vec<String> {
        let mut notes: Vec<String> = Vec::new();
        for line in self.yaml.lines().map_while(|line| line.strip_prefix('#')) {
            match (line.strip_prefix("   "), notes.last_mut()) {
                (Some(more), Some(note)) => {
                    note.push(' ');
                    note.push_str(more);
                }
                _ if line.trim().is_empty() => notes.clear(),
                _ => notes.push(line.trim().to_owned()),
            }
        }
        notes
    }
}

/// The plan of this slug.
pub fn find(slug: &str) -> Option<&'static CookbookPlan> {
    PLANS.iter().find(|plan| plan.slug == slug)
}

macro_rules! plan {
    ($slug:literal, $model:literal, $gpu_count:literal, $parameters:expr) => {
        CookbookPlan {
            slug: $slug,
            model: $model,
            gpu_count: $gpu_count,
            parameters: $parameters,
            yaml: include_str!(concat!("../../../configs/cookbook-llm/", $slug, ".yaml")),
        }
    };
}

/// Every plan, in the order of the slugs.
pub static PLANS: [CookbookPlan; 39] = [
    plan!("deepseek-math-v2", "deepseek-ai/DeepSeek-Math-V2", 8, None),
    plan!("deepseek-r1-0528", "deepseek-ai/DeepSeek-R1-0528", 8, None),
    plan!("deepseek-v3.1", "deepseek-ai/DeepSeek-V3.1", 8, None),
    plan!("deepseek-v3.2", "deepseek-ai/DeepSeek-V3.2", 8, None),
    plan!("deepseek-v3", "deepseek-ai/DeepSeek-V3", 8, None),
    plan!("devstral-small-2-24b-instruct-2512", "mistralai/Devstral-Small-2-24B-Instruct-2512", 1, Some("24B")),
    plan!("ernie-4.5-21b-a3b-pt", "baidu/ERNIE-4.5-21B-A3B-PT", 1, Some("21B")),
    plan!("glm-4.5", "zai-org/GLM-4.5", 4, None),
    plan!("glm-4.6", "zai-org/GLM-4.6", 8, None),
    plan!("glm-4.7-flash", "zai-org/GLM-4.7-Flash", 1, None),
    plan!("glm-4.7", "zai-org/GLM-4.7", 4, None),
    plan!("glm-5-fp8", "zai-org/GLM-5-FP8", 8, None),
    plan!("glyph", "zai-org/Glyph", 4, None),
    plan!("gpt-oss-120b", "openai/gpt-oss-120b", 8, Some("120B")),
    plan!("intern-s1", "internlm/Intern-S1", 8, None),
    plan!("kimi-k2-instruct", "moonshotai/Kimi-K2-Instruct", 8, None),
    plan!("kimi-k2.5", "moonshotai/Kimi-K2.5", 8, None),
    plan!("kimi-k2.6", "moonshotai/Kimi-K2.6", 8, None),
    plan!("kimi-linear-48b-a3b-instruct", "moonshotai/Kimi-Linear-48B-A3B-Instruct", 4, Some("48B")),
    plan!("ling-2.5-1t", "inclusionAI/Ling-2.5-1T", 8, Some("1T")),
    plan!("llada2-1-mini", "inclusionAI/LLaDA2.1-mini", 1, None),
    plan!("llama-3.1-70b-instruct", "meta-llama/Llama-3.1-70B-Instruct", 4, Some("70B")),
    plan!("llama-3.3-70b-instruct", "meta-llama/Llama-3.3-70B-Instruct", 1, Some("70B")),
    plan!("llama-4-maverick-17b-128e-instruct-fp8", "meta-llama/Llama-4-Maverick-17B-128E-Instruct-FP8", 8, None),
    plan!("llama-4-scout-17b-16e-instruct", "meta-llama/Llama-4-Scout-17B-16E-Instruct", 8, None),
    plan!("mimo-v2-flash", "XiaomiMiMo/MiMo-V2-Flash", 8, None),
    plan!("minimax-m2.1", "MiniMaxAI/MiniMax-M2.1", 4, None),
    plan!("minimax-m2.5", "MiniMaxAI/MiniMax-M2.5", 4, None),
    plan!("ministral-3-8b-instruct-2512", "mistralai/Ministral-3-8B-Instruct-2512", 1, Some("8B")),
    plan!("mistral-small-4-119b-2603", "mistralai/Mistral-Small-4-119B-2603", 2, Some("119B")),
    plan!("nemotron-3-nano-30b-a3b-bf16", "nvidia/NVIDIA-Nemotron-3-Nano-30B-A3B-BF16", 1, Some("30B")),
    plan!("nemotron-3-super-120b-a12b-bf16", "nvidia/NVIDIA-Nemotron-3-Super-120B-A12B-BF16", 4, Some("120B")),
    plan!("qwen3-235b-a22b", "Qwen/Qwen3-235B-A22B", 8, Some("235B")),
    plan!("qwen3-coder-480b-a35b-instruct", "Qwen/Qwen3-Coder-480B-A35B-Instruct", 8, Some("480B")),
    plan!("qwen3-coder-next", "Qwen/Qwen3-Coder-Next", 2, None),
    plan!("qwen3-next-80b-a3b-instruct", "Qwen/Qwen3-Next-80B-A3B-Instruct", 2, Some("80B")),
    plan!("qwen35-397b-a17b-fp8", "Qwen/Qwen3.5-397B-A17B-FP8", 4, Some("397B")),
    plan!("ring-2.5-1t", "inclusionAI/Ring-2.5-1T", 8, Some("1T")),
    plan!("step-3.5-flash", "stepfun-ai/Step-3.5-Flash", 4, None),
];

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, BTreeSet};
    use std::path::Path;

    use podium_domain::candidate::generate_all;
    use podium_domain::framework::Framework;
    use serde_json::{Value, json};

    use super::*;
    use crate::help::{self, HelpSet};
    use crate::plan::{parse_tree, read, read_with_help, strict_problems};
    use crate::test_support::shared_dir;

    /// The frameworks of every plan, in its order.
    const FRAMEWORKS: [Framework; 4] =
        [Framework::Sglang, Framework::Vllm, Framework::TensorrtLlm, Framework::Tokenspeed];

    fn folder() -> &'static Path {
        Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../configs/cookbook-llm"))
    }

    #[test]
    fn the_list_is_the_folder() {
        let files: BTreeSet<String> = std::fs::read_dir(folder())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .filter_map(|name| Some(name.strip_suffix(".yaml")?.to_owned()))
            .collect();
        let listed: BTreeSet<String> = PLANS.iter().map(|plan| plan.slug.to_owned()).collect();
        assert_eq!(listed, files);
        assert_eq!(listed.len(), PLANS.len());
    }

    #[test]
    fn every_plan_is_complete_and_says_what_it_needs() {
        for entry in &PLANS {
            let reading = read(entry.yaml);
            assert_eq!((&reading.problems, &reading.warnings), (&vec![], &vec![]), "{}", entry.slug);
            assert_eq!(strict_problems(&reading), [], "{}", entry.slug);
            let plan = reading.plan.unwrap();
            assert_eq!(plan.source_kind, "llm_serving_cookbook", "{}", entry.slug);
            assert_eq!((plan.model.name.as_str(), plan.hardware.gpu_count), (entry.model, entry.gpu_count));
            assert!(plan.frameworks.keys().eq(&FRAMEWORKS), "{}", entry.slug);

            let notes = entry.notes();
            assert!(notes[0].starts_with("Needs: "), "{}: {notes:?}", entry.slug);
            assert!(notes[1].starts_with("Weights: "), "{}: {notes:?}", entry.slug);
            match entry.parameters {
                Some(parameters) => {
                    assert!(entry.model.to_lowercase().contains(&parameters.to_lowercase()), "{}", entry.slug);
                    assert!(notes[1].contains("estimate: "), "{}", entry.slug);
                }
                None => assert!(notes[1].contains("no estimate.") && notes[1].contains("To check: "), "{}", entry.slug),
            }
            assert!(entry.yaml.contains("# Unverified: "), "{}", entry.slug);
        }
    }

    #[test]
    fn the_knob_tables_hold_every_flag_and_tokenspeeds_hold_no_other() {
        let mut used: BTreeMap<Framework, BTreeSet<String>> = BTreeMap::new();
        for entry in &PLANS {
            for (framework, part) in read(entry.yaml).plan.unwrap().frameworks {
                let flags = part.base_server_flags.into_keys().chain(part.search_space.into_keys());
                used.entry(framework).or_default().extend(flags);
            }
        }
        for (framework, flags) in &used {
            let unknown: Vec<_> = flags.iter().filter(|flag| framework.knob(flag).is_none()).collect();
            assert!(unknown.is_empty(), "{framework}: {unknown:?}");
        }
        let table = Framework::Tokenspeed.spec().knobs.iter().map(|knob| knob.name.to_owned());
        assert_eq!(used[&Framework::Tokenspeed], table.collect());
        assert!(!Framework::Tokenspeed.evidence().verified);
    }

    /// The last four columns of the README's table, by file name: `n of m` for each framework.
    fn counts_of_readme() -> Vec<(String, Vec<String>)> {
        let readme = std::fs::read_to_string(folder().join("README.md")).unwrap();
        let cells = |line: &str| line.split('|').map(|cell| cell.trim().to_owned()).collect::<Vec<_>>();
        let rows = readme.lines().filter(|line| line.starts_with("| `")).map(cells);
        rows.map(|cells| (cells[1].trim_matches('`').to_owned(), cells[6..10].to_vec())).collect()
    }

    #[test]
    fn the_readme_lists_how_many_candidates_each_plan_has() {
        let listed = counts_of_readme();
        assert_eq!(listed.len(), PLANS.len());
        for (entry, (file, listed)) in PLANS.iter().zip(listed) {
            assert_eq!(file, format!("{}.yaml", entry.slug));
            let sets = generate_all(&read(entry.yaml).plan.unwrap()).unwrap();
            let counted: Vec<_> =
                sets.iter().map(|set| format!("{} of {}", set.candidates.len(), set.without_limit.unwrap())).collect();
            assert_eq!(counted, listed, "{file}");
        }
    }

    #[test]
    fn the_newest_vllm_rejects_exactly_what_it_dropped() {
        // The flags of the cookbook and a few more, as one release prints them; with the real text where there is one.
        let mut reduced = HelpSet::default();
        reduced.add(Framework::Vllm, help::parse(include_str!("fixtures/vllm-serve.txt")));
        let real = shared_dir("engines/help").map(|dir| help::folder(&dir).unwrap());
        for help in [Some(reduced), real].into_iter().flatten() {
            for entry in &PLANS {
                let problems = read_with_help(entry.yaml, Some(&help)).problems;
                let paths: Vec<_> = problems.iter().map(|problem| problem.path.as_str()).collect();
                let dropped = [
                    "frameworks.vllm.search_space.max_num_partial_prefills",
                    "frameworks.vllm.search_space.max_long_partial_prefills",
                ];
                assert_eq!(paths, dropped, "{}", entry.slug);
            }
        }
    }

    #[test]
    fn the_plans_hold_the_published_facts() {
        let Some(file) = shared_dir("cookbook/facts.json") else { return };
        let facts: Vec<Value> = serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap();
        assert_eq!(facts.len(), PLANS.len());
        for mut expected in facts {
            let slug = expected.as_object_mut().unwrap().shift_remove("slug").unwrap();
            let mut plan = parse_tree(find(slug.as_str().unwrap()).unwrap().yaml).unwrap().root.to_value();
            let top = plan.as_object_mut().unwrap();
            assert_eq!(top.shift_remove("schema_version"), Some(json!(1)));
            assert_eq!(top.shift_remove("source"), Some(json!({"kind": "llm_serving_cookbook"})));
            // As text, so that the order counts too.
            assert_eq!(plan.to_string(), expected.to_string(), "{slug}");
        }
    }
}
