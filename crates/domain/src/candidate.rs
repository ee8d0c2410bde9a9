//! Candidates: the server command lines that a plan's search space stands for.

use std::collections::HashSet;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::flags::{self, FlagMap};
use crate::framework::{Framework, ModelArgument};
use crate::options_file::{FILE_FLAGS, OptionsFile, is_inside, options_file};
use crate::plan::{FrameworkPlan, Plan};

/// One framework with one set of flags.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Candidate {
    /// Whose server it is.
    pub framework: Framework,
    /// Stable across machines and versions, and readable: `vllm-max-num-seqs-64-1a2b3c4d`.
    pub candidate_id: String,
    /// The flags, in the order of the plan.
    pub flags: FlagMap,
    /// The command line, without what the launcher adds (host, port, served name, telemetry).
    pub argv: Vec<String>,
    /// `argv` quoted for a shell, for people to copy.
    pub command: String,
    /// Whether it is the base flags alone.
    pub baseline: bool,
}

impl Candidate {
    /// The file that the command names and that has to be written before it is started.
    pub fn options_file(&self) -> Option<OptionsFile> {
        options_file(self.framework, &self.flags)
    }
}

/// A value of the search space that no generated candidate holds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct UntriedValue {
    /// Whose knob it is.
    pub framework: Framework,
    /// The knob.
    pub knob: String,
    /// The value.
    pub value: Value,
}

/// The candidates of one framework.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CandidateSet {
    /// Baseline first, then in product order.
    pub candidates: Vec<Candidate>,
    /// How many there would be without the limit; `None` when the product is too large to count.
    pub without_limit: Option<u64>,
    /// The values that the limit leaves untried.
    pub untried: Vec<UntriedValue>,
    /// The smallest limit that tries every value at least once; `None` where it is not known.
    pub limit_for_all: Option<u64>,
}

/// Combinations that are looked at before the search for further distinct candidates ends.
const MAX_COMBINATIONS: u64 = 100_000;

/// A server command that cannot be split into words.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the server command `{0}` has an unclosed quote or is empty")]
pub struct BadServerCommand(pub String);

/// Generates the candidates of one framework: the base flags alone, then the cartesian product of the search space in
/// key order, last key fastest, each laid over the base. Equal flag maps and equal command lines are dropped; the
/// baseline counts towards the limit.
pub fn generate(plan: &Plan, framework: Framework, part: &FrameworkPlan) -> Result<CandidateSet, BadServerCommand> {
    let limit = plan.search.max_candidates_per_framework.max(1) as usize;
    let command = shlex::split(&part.server_command)
        .filter(|words| !words.is_empty())
        .ok_or_else(|| BadServerCommand(part.server_command.clone()))?;
    let space: Vec<(&String, &Vec<Value>)> =
        part.search_space.iter().filter(|(_, values)| !values.is_empty()).collect();
    let negatable: HashSet<&str> = space
        .iter()
        .filter(|(name, values)| {
            values.contains(&Value::Bool(false)) && framework.knob(name).is_some_and(|knob| knob.negatable)
        })
        .map(|(name, _)| name.as_str())
        .collect();

    let mut seen_argv = HashSet::new();
    let mut candidates = Vec::new();
    let mut distinct: u64 = 0;
    let mut limit_for_all = None;
    let mut unseen: Vec<(&String, &Value)> =
        space.iter().flat_map(|(name, values)| values.iter().map(move |value| (*name, value))).collect();
    let mut push = |flags: FlagMap, baseline: bool| {
        let argv = argv(plan, framework, part, &command, &flags, &negatable, baseline);
        if !seen_argv.insert(argv.clone()) {
            return;
        }
        distinct += 1;
        unseen.retain(|(name, value)| flags.get(*name) != Some(value));
        if unseen.is_empty() && limit_for_all.is_none() {
            limit_for_all = Some(distinct);
        }
        if candidates.len() < limit {
            let candidate_id = candidate_id(framework, &part.base_server_flags, &flags, baseline);
            let command = flags::shell_join(&argv);
            candidates.push(Candidate { framework, candidate_id, flags, argv, command, baseline });
        }
    };

    push(part.base_server_flags.clone(), true);
    let combinations = space.iter().try_fold(1u64, |product, (_, values)| product.checked_mul(values.len() as u64));
    let looked_at = combinations.unwrap_or(u64::MAX).min(MAX_COMBINATIONS);
    if !space.is_empty() {
        for index in 0..looked_at {
            push(combination(&part.base_server_flags, &space, index), false);
        }
    }
    let without_limit = combinations.filter(|&count| count <= MAX_COMBINATIONS).map(|_| distinct);
    let untried = untried(framework, &space, &candidates);
    Ok(CandidateSet { candidates, without_limit, untried, limit_for_all })
}

/// The `index`-th combination of the product, last key fastest.
fn combination(base: &FlagMap, space: &[(&String, &Vec<Value>)], index: u64) -> FlagMap {
    let mut flags = base.clone();
    let mut picks = Vec::with_capacity(space.len());
    let mut rest = index;
    for (name, values) in space.iter().rev() {
        let count = values.len() as u64;
        picks.push((*name, &values[(rest % count) as usize]));
        rest /= count;
    }
    for (name, value) in picks.into_iter().rev() {
        flags.insert(name.clone(), value.clone());
    }
    flags
}

fn argv(
    plan: &Plan,
    framework: Framework,
    part: &FrameworkPlan,
    command: &[String],
    flags: &FlagMap,
    negatable: &HashSet<&str>,
    baseline: bool,
) -> Vec<String> {
    let spec = framework.spec();
    let mut argv = command.to_vec();
    match spec.model_argument {
        ModelArgument::Positional => argv.push(plan.model_location(framework, part).to_owned()),
        ModelArgument::Flag(flag) if !flags.contains_key(flag) => {
            argv.push(flags::spell(flag, spec.spelling));
            argv.push(plan.model_location(framework, part).to_owned());
        }
        ModelArgument::Flag(_) => {}
    }
    for (name, value) in flags.iter().filter(|(name, value)| !is_inside(framework, name, value)) {
        if *value == Value::Bool(false) && !baseline && negatable.contains(name.as_str()) {
            argv.push(flags::spell_negated(name, spec.spelling));
        } else {
            argv.extend(flags::render_flag(name, value, spec.spelling));
        }
    }
    if let Some(file) = options_file(framework, flags) {
        let given = flags.keys().map(String::as_str).find(|name| framework.names_options_file(name));
        argv.extend([flags::spell(given.unwrap_or(FILE_FLAGS[0]), spec.spelling), file.name]);
    }
    argv
}

/// Longest readable part of an id, in characters: room for seven searched knobs, and short enough for file names that
/// are made from an id. The fingerprint behind it keeps ids distinct where it is cut.
const MAX_SLUG: usize = 180;

fn candidate_id(framework: Framework, base: &FlagMap, flags: &FlagMap, baseline: bool) -> String {
    let changed = flags.iter().filter(|(name, value)| base.get(*name) != Some(value));
    let text: String = changed.map(|(name, value)| format!("{name}-{} ", flags::word(value))).collect();
    let mut slug = String::new();
    for c in text.trim_end().chars() {
        match c {
            c if c.is_ascii_alphanumeric() || c == '.' => slug.push(c.to_ascii_lowercase()),
            _ if !slug.ends_with('-') => slug.push('-'),
            _ => {}
        }
    }
    slug.truncate(MAX_SLUG);
    let slug = slug.trim_matches('-');
    // A combination can repeat the base's values and still differ in its command line (`--no-x`).
    let slug = match (baseline, slug.is_empty()) {
        (true, _) => "baseline",
        (false, true) => "same-as-base",
        (false, false) => slug,
    };
    format!("{}-{slug}-{}", framework.id(), flags::fingerprint(flags))
}

fn untried(framework: Framework, space: &[(&String, &Vec<Value>)], candidates: &[Candidate]) -> Vec<UntriedValue> {
    let mut untried = Vec::new();
    for (knob, values) in space {
        for value in *values {
            if !candidates.iter().any(|candidate| candidate.flags.get(*knob) == Some(value)) {
                untried.push(UntriedValue { framework, knob: (*knob).clone(), value: value.clone() });
            }
        }
    }
    untried
}

/// The candidates of every framework of the plan, in the plan's order.
pub fn generate_all(plan: &Plan) -> Result<Vec<CandidateSet>, BadServerCommand> {
    plan.frameworks.iter().map(|(&framework, part)| generate(plan, framework, part)).collect()
}

#[cfg(test)]
mod tests {
    use indexmap::IndexMap;
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::plan::*;
    use crate::sla::Sla;

    fn plan(limit: u32) -> Plan {
        Plan {
            source_kind: "podium".into(),
            model: Model { name: "org/model".into(), tokenizer: None, precision: None, quantization: None },
            hardware: Hardware { gpu_model: None, gpu_count: 1, multi_node: false },
            dataset: Dataset {
                kind: "random".into(),
                path: None,
                num_prompts: 80,
                seed: 0,
                scenarios: vec![],
                shape: Default::default(),
                trace_path: None,
            },
            benchmark: Benchmark {
                endpoint: Endpoint::Completions,
                max_concurrency: vec![None],
                request_rates: vec![],
                qps: None,
                concurrency_search: None,
                load_matrix: LoadMatrix::FirstCap,
                extra_request_body: Default::default(),
                warmup_requests: 1,
                request_timeout_s: 60.0,
                startup_timeout_s: 60.0,
            },
            sla: Sla::default(),
            search: Search {
                tier: 2,
                max_candidates_per_framework: limit,
                eager_serving: false,
                repeats: 1,
                parallelism: 1,
            },
            frameworks: IndexMap::new(),
        }
    }

    fn part(base: Value, space: Value) -> FrameworkPlan {
        FrameworkPlan {
            server_command: "vllm serve".into(),
            model_path: None,
            base_server_flags: serde_json::from_value(base).unwrap(),
            search_space: serde_json::from_value(space).unwrap(),
            backend_policy: None,
        }
    }

    #[test]
    fn the_product_runs_last_key_fastest_over_the_base() {
        let part = part(json!({"a": 1, "s": false}), json!({"b": [1, 2], "a": [1, 3]}));
        let set = generate(&plan(10), Framework::Vllm, &part).unwrap();
        let commands: Vec<_> = set.candidates.iter().map(|c| c.command.as_str()).collect();
        assert_eq!(
            commands,
            [
                "vllm serve org/model --a 1",
                "vllm serve org/model --a 1 --b 1",
                "vllm serve org/model --a 3 --b 1",
                "vllm serve org/model --a 1 --b 2",
                "vllm serve org/model --a 3 --b 2",
            ]
        );
        assert!(set.candidates[0].candidate_id.starts_with("vllm-baseline-"));
        assert!(set.candidates[2].candidate_id.starts_with("vllm-a-3-b-1-"), "{}", set.candidates[2].candidate_id);
        assert_eq!(set.without_limit, Some(5));
        assert_eq!(set.untried, []);
    }

    #[test]
    fn the_limit_names_what_it_leaves_untried() {
        let set = generate(&plan(2), Framework::Vllm, &part(json!({}), json!({"b": [1, 2, 3]}))).unwrap();
        assert_eq!(set.candidates.len(), 2);
        assert_eq!(set.without_limit, Some(4));
        let values: Vec<_> = set.untried.iter().map(|u| u.value.clone()).collect();
        assert_eq!(values, [json!(2), json!(3)]);
        assert_eq!(set.limit_for_all, Some(4));
        let two = part(json!({"a": 1}), json!({"a": [1, 2], "b": [1, 2, 3]}));
        let set = generate(&plan(1), Framework::Vllm, &two).unwrap();
        assert_eq!((set.limit_for_all, set.without_limit), (Some(5), Some(7)), "a=2 comes with the fifth");
        assert!(generate(&plan(5), Framework::Vllm, &two).unwrap().untried.is_empty());
        assert!(!generate(&plan(4), Framework::Vllm, &two).unwrap().untried.is_empty());
    }

    #[test]
    fn llama_cpp_gets_its_model_as_a_flag() {
        let mut part = part(json!({"parallel": 2}), json!({}));
        part.server_command = "llama-server".into();
        part.model_path = Some("tiny model.gguf".into());
        let set = generate(&plan(2), Framework::LlamaCpp, &part).unwrap();
        assert_eq!(set.candidates[0].command, "llama-server --model 'tiny model.gguf' --parallel 2");
    }

    /// Ids stand in databases, files and links: a change of how they are made would break all of them.
    #[test]
    fn ids_are_the_same_for_ever() {
        let part = part(
            json!({"tensor_parallel_size": 8, "max_model_len": 12288, "dtype": "auto"}),
            json!({"max_num_seqs": [32], "speculative_config": [null, {"method": "ngram", "n": [1, 2]}]}),
        );
        let set = generate(&plan(8), Framework::Vllm, &part).unwrap();
        let ids: Vec<_> = set.candidates.iter().map(|candidate| candidate.candidate_id.as_str()).collect();
        let expected = [
            "vllm-baseline-93c79ea5",
            "vllm-max-num-seqs-32-speculative-config-null-b4d12dfd",
            "vllm-max-num-seqs-32-speculative-config-method-ngram-n-1-2-9fb60ca3",
        ];
        assert_eq!(ids, expected);
    }

    #[test]
    fn an_id_names_everything_that_differs_from_the_base() {
        let names =
            ["max_num_batched_tokens", "max_num_partial_prefills", "long_prefill_token_threshold", "block_size"];
        let space: serde_json::Map<_, _> = names.iter().map(|name| (name.to_string(), json!([16384]))).collect();
        let set = generate(&plan(2), Framework::Vllm, &part(json!({}), Value::Object(space))).unwrap();
        let id = &set.candidates[1].candidate_id;
        for name in names {
            assert!(id.contains(&format!("{}-16384", name.replace('_', "-"))), "{id}");
        }
        let long = json!({"hf_overrides": ["x".repeat(10_000)]});
        let set = generate(&plan(2), Framework::Vllm, &part(json!({}), long)).unwrap();
        assert!(set.candidates[1].candidate_id.len() < 200);
    }

    #[test]
    fn options_without_a_flag_go_into_a_file_that_the_command_names() {
        let mut part = part(json!({"backend": "pytorch"}), json!({"kv_cache_config.dtype": [null, "fp8"]}));
        part.server_command = "trtllm-serve serve".into();
        let set = generate(&plan(5), Framework::TensorrtLlm, &part).unwrap();
        let [base, fp8] = &set.candidates[..] else { panic!("{:?}", set.candidates) };
        assert_eq!(
            (base.command.as_str(), base.options_file()),
            ("trtllm-serve serve org/model --backend pytorch", None)
        );
        let file = fp8.options_file().unwrap();
        assert_eq!(file.text, "kv_cache_config:\n  dtype: \"fp8\"\n");
        assert_eq!(fp8.command, format!("{} --extra_llm_api_options {}", base.command, file.name));
        assert!(fp8.candidate_id.contains("kv-cache-config.dtype-fp8"), "{}", fp8.candidate_id);
    }

    /// Values of every kind that a plan can hold.
    fn any_value() -> impl Strategy<Value = Value> {
        prop_oneof![
            (0..3i64).prop_map(Value::from),
            any::<bool>().prop_map(Value::from),
            Just(Value::Null),
            "[a-b ]{0,2}".prop_map(Value::from),
            (0..2i64).prop_map(|n| json!([n])),
            (0..2i64).prop_map(|n| json!({"k": n})),
        ]
    }

    /// Names of switches with and without a negative form, and made-up ones.
    fn any_name() -> impl Strategy<Value = &'static str> {
        prop::sample::select(vec![
            "enforce_eager",
            "enable_prefix_caching",
            "disable_log_stats",
            "max_num_seqs",
            "a",
            "b",
        ])
    }

    proptest! {
        #[test]
        fn baseline_first_no_duplicates_bounded_deterministic(
            base in prop::collection::hash_map(any_name(), any_value(), 0..4),
            space in prop::collection::hash_map(any_name(), prop::collection::vec(any_value(), 0..4), 0..4),
            limit in 1..12u32,
        ) {
            let part = part(json!(base), json!(space));
            let set = generate(&plan(limit), Framework::Vllm, &part).unwrap();
            prop_assert!(set.candidates[0].baseline);
            prop_assert!(set.candidates.iter().skip(1).all(|c| !c.baseline));
            prop_assert!(set.candidates.len() <= limit as usize);
            let ids: HashSet<_> = set.candidates.iter().map(|c| &c.candidate_id).collect();
            prop_assert_eq!(ids.len(), set.candidates.len());
            let commands: HashSet<_> = set.candidates.iter().map(|c| &c.command).collect();
            prop_assert_eq!(commands.len(), set.candidates.len());
            prop_assert_eq!(&generate(&plan(limit), Framework::Vllm, &part).unwrap(), &set);

            // A higher limit only adds behind, and what it leaves untried shrinks.
            let more = generate(&plan(limit + 1), Framework::Vllm, &part).unwrap();
            prop_assert_eq!(&more.candidates[..set.candidates.len()], set.candidates.as_slice());
            prop_assert!(more.untried.iter().all(|value| set.untried.contains(value)));
            prop_assert_eq!(more.without_limit, set.without_limit);
        }
    }
}
