//! Fitting a framework's part of a plan to what its server on a host takes: flags that it does not know are passed by
//! another name, or leave the search, each with a reason. Nothing is passed that the help does not have.

use indexmap::IndexMap;
use podium_domain::flags::word;
use podium_domain::framework::Framework;
use podium_domain::options_file::is_inside;
use podium_domain::plan::FrameworkPlan;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::HelpFlags;
use crate::plan::{check_against_help, is_hopper};

/// What became of a flag of the plan, or of one of its searched values.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FlagChange {
    /// The flag as the plan has it; with `=value` where one value alone is meant.
    pub flag: String,
    /// The flag that is passed instead; `None` where it was removed.
    pub substitute: Option<String>,
    /// Why.
    pub reason: String,
}

/// How a part of a plan fits a server.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fit {
    /// What was changed, in the plan's order.
    pub changes: Vec<FlagChange>,
    /// Why no candidate of the framework can be started there: its base needs what the server does not take.
    pub blocked: Option<String>,
}

/// Changes `part` so that the server of `help` takes it. A listing from source proves nothing and changes nothing.
pub fn fit(framework: Framework, part: &mut FrameworkPlan, help: &HelpFlags) -> Fit {
    let mut fitting = Fitting { framework, help, fit: Fit::default() };
    if help.from_source || !help.is_usable() {
        return fitting.fit;
    }
    fitting.backend();
    fitting.base(part);
    fitting.search(part);
    fitting.fit
}

/// Takes values out of the search that the host's GPU cannot run: SGLang's `fa3` needs Hopper.
pub fn fit_gpu(framework: Framework, part: &mut FrameworkPlan, gpu_model: &str) -> Vec<FlagChange> {
    let mut changes = Vec::new();
    if framework == Framework::Sglang && !is_hopper(gpu_model) {
        for name in ["attention_backend", "prefill_attention_backend", "decode_attention_backend"] {
            let Some(values) = part.search_space.get_mut(name) else { continue };
            let before = values.len();
            values.retain(|value| value != "fa3");
            if values.len() < before {
                let reason = format!("fa3 needs a Hopper GPU, and the host has {gpu_model}");
                changes.push(FlagChange { flag: format!("{name}=fa3"), substitute: None, reason });
            }
        }
        part.search_space.retain(|_, values| !values.is_empty());
    }
    changes
}

struct Fitting<'a> {
    framework: Framework,
    help: &'a HelpFlags,
    fit: Fit,
}

impl Fitting<'_> {
    /// TensorRT-LLM is measured with its PyTorch backend or not at all.
    fn backend(&mut self) {
        if self.framework != Framework::TensorrtLlm {
            return;
        }
        let takes_it = match self.help.choices("backend") {
            Some(choices) => choices.iter().any(|choice| choice == "pytorch"),
            None => self.help.knows("backend"),
        };
        if !takes_it {
            let reason = "unsupported in this environment: its server does not take `--backend pytorch`".to_owned();
            self.fit.blocked = Some(reason);
        }
    }

    fn base(&mut self, part: &mut FrameworkPlan) {
        let old = std::mem::take(&mut part.base_server_flags);
        let names: Vec<String> = old.keys().cloned().collect();
        for (name, value) in old {
            // Null and false put nothing on the command line; a searched true may lie over them.
            let absent = matches!(value, Value::Null | Value::Bool(false));
            if absent || self.takes(&name, &value) {
                if let Some(problem) = self.problem_of_value(&name, &value) {
                    self.block(format!("its base flag `{name}` is not accepted: {problem}"));
                }
                part.base_server_flags.insert(name, value);
                continue;
            }
            match self.alias(&name) {
                // Both names of one flag: the one that the server knows is there already.
                Some(alias) if names.iter().any(|other| other.replace('-', "_") == alias) => {
                    self.change(&name, Some(alias), "its other name is given as well");
                }
                Some(alias) => {
                    self.change(&name, Some(alias), "the server knows it by this name");
                    part.base_server_flags.insert(alias.to_owned(), value);
                }
                None => {
                    self.block(format!("its base flags need `{name}`, which its server does not know"));
                    part.base_server_flags.insert(name, value);
                }
            }
        }
    }

    fn search(&mut self, part: &mut FrameworkPlan) {
        let old = std::mem::take(&mut part.search_space);
        let mut fitted = IndexMap::new();
        for (name, values) in old {
            let meant = values.iter().find(|value| !value.is_null()).unwrap_or(&Value::Null);
            let name = if self.takes(&name, meant) {
                name
            } else if let Some(alias) = self.alias(&name) {
                self.change(&name, Some(alias), "the server knows it by this name");
                alias.to_owned()
            } else {
                self.change(&name, None, "its server does not know it; it was taken out of the search");
                continue;
            };
            let kept: Vec<Value> = values.into_iter().filter(|value| self.keeps(&name, value)).collect();
            if !kept.is_empty() {
                fitted.insert(name, kept);
            }
        }
        part.search_space = fitted;
    }

    /// Whether a searched value stays.
    fn keeps(&mut self, name: &str, value: &Value) -> bool {
        let problem = match value {
            Value::Bool(false) => self.no_negative_form(name),
            value => self.problem_of_value(name, value),
        };
        let Some(problem) = problem else { return true };
        self.change(&format!("{name}={}", word(value)), None, &format!("{problem}; the value was taken out"));
        false
    }

    /// Why `--no-name` cannot be passed, where a candidate's `false` is rendered so.
    fn no_negative_form(&self, name: &str) -> Option<String> {
        let rendered = self.framework.knob(name).is_some_and(|knob| knob.negatable);
        let flag = self.help.flags.get(&name.replace('-', "_"));
        (rendered && flag.is_some_and(|flag| !flag.negatable))
            .then(|| "its server has no `--no-` form of it".to_owned())
    }

    fn problem_of_value(&self, name: &str, value: &Value) -> Option<String> {
        if matches!(value, Value::Bool(false)) || !self.help.knows(name) {
            return None;
        }
        let types_too = self.framework.knob(name).is_none();
        check_against_help(self.framework, self.help, name, types_too, value).err()
    }

    /// Whether the server takes the flag, or it is none: options of a file are no flags.
    fn takes(&self, name: &str, value: &Value) -> bool {
        let base = name.split('.').next().unwrap_or(name);
        is_inside(self.framework, name, value) || self.help.knows(base)
    }

    fn alias(&self, name: &str) -> Option<&'static str> {
        self.help.alias_of(self.framework, name)
    }

    fn change(&mut self, flag: &str, substitute: Option<&str>, reason: &str) {
        self.fit.changes.push(FlagChange {
            flag: flag.to_owned(),
            substitute: substitute.map(str::to_owned),
            reason: reason.to_owned(),
        });
    }

    /// The first reason counts.
    fn block(&mut self, reason: String) {
        self.fit.blocked.get_or_insert(reason);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::help::{HelpSet, folder, parse};

    fn part(base: Value, space: Value) -> FrameworkPlan {
        FrameworkPlan {
            server_command: "x".into(),
            model_path: None,
            base_server_flags: serde_json::from_value(base).unwrap(),
            search_space: serde_json::from_value(space).unwrap(),
            backend_policy: None,
        }
    }

    fn help(lines: &str) -> HelpFlags {
        let filler: String = ('a'..='l').map(|name| format!("  --filler-{name} X\n")).collect();
        parse(&format!("{filler}{lines}"))
    }

    fn told(fit: &Fit) -> Vec<(&str, Option<&str>)> {
        fit.changes.iter().map(|change| (change.flag.as_str(), change.substitute.as_deref())).collect()
    }

    #[test]
    fn an_unknown_flag_leaves_the_search_and_an_alias_stands_in() {
        let mut part = part(
            json!({"max_model_len": 2048, "device_memory_utilization": 0.9}),
            json!({"max_num_seqs": [8, 16], "max_num_partial_prefills": [1, 2], "kv_cache_dtype": ["auto", "fp7"]}),
        );
        let help = help(
            "  --max-model-len N\n  --gpu-memory-utilization F\n  --max-num-seqs N\n  --kv-cache-dtype {auto,fp8}\n",
        );
        let fit = fit(Framework::Vllm, &mut part, &help);
        assert_eq!(fit.blocked, None);
        let expected = [
            ("device_memory_utilization", Some("gpu_memory_utilization")),
            ("max_num_partial_prefills", None),
            ("kv_cache_dtype=fp7", None),
        ];
        assert_eq!(told(&fit), expected);
        assert_eq!(json!(part.base_server_flags), json!({"max_model_len": 2048, "gpu_memory_utilization": 0.9}));
        assert_eq!(json!(part.search_space), json!({"max_num_seqs": [8, 16], "kv_cache_dtype": ["auto"]}));
        assert!(fit.changes.iter().all(|change| !change.reason.is_empty()));
    }

    #[test]
    fn a_base_that_needs_an_unknown_flag_blocks_the_framework() {
        let lines = "  --max-model-len N\n  --dtype {auto,half}\n";
        let blocked = |base| fit(Framework::Vllm, &mut part(base, json!({})), &help(lines)).blocked;
        assert!(blocked(json!({"max_num_seqs": 4})).unwrap().contains("`max_num_seqs`"));
        assert!(blocked(json!({"dtype": "bfloat16"})).unwrap().contains("does not list `bfloat16`"));
        assert_eq!(blocked(json!({"max_model_len": 1, "enable_dbo": false, "quantization": null})), None);
    }

    #[test]
    fn a_false_needs_the_negative_form() {
        let search = json!({"enable_prefix_caching": [true, false]});
        let run = |lines| {
            let mut part = part(json!({}), search.clone());
            (fit(Framework::Vllm, &mut part, &help(lines)), json!(part.search_space))
        };
        let (with, kept) = run("  --enable-prefix-caching, --no-enable-prefix-caching\n");
        assert_eq!((with.changes.len(), kept), (0, search.clone()));
        let (without, kept) = run("  --enable-prefix-caching\n");
        assert_eq!(told(&without), [("enable_prefix_caching=false", None)]);
        assert_eq!(kept, json!({"enable_prefix_caching": [true]}));
    }

    #[test]
    fn tensorrt_llm_needs_its_pytorch_backend() {
        let blocked = |lines| {
            let mut part = part(json!({"backend": "pytorch", "kv_cache_config.dtype": "fp8"}), json!({}));
            fit(Framework::TensorrtLlm, &mut part, &help(lines)).blocked
        };
        assert_eq!(blocked("  --backend [pytorch|tensorrt]\n"), None, "an option of the file is no flag");
        let reason = blocked("  --backend [tensorrt|_autodeploy]\n").unwrap();
        assert!(reason.contains("unsupported in this environment"), "{reason}");
        assert!(blocked("  --tp_size N\n").unwrap().contains("--backend pytorch"));
    }

    #[test]
    fn what_proves_nothing_changes_nothing() {
        let original = part(json!({"no_such_flag": 1}), json!({}));
        for text in ["listed from source\n  --max-model-len int\n", "  --only\n"] {
            let mut part = original.clone();
            assert_eq!(fit(Framework::Vllm, &mut part, &parse(text)), Fit::default());
            assert_eq!(part, original);
        }
    }

    #[test]
    fn fa3_is_for_hopper() {
        let space = json!({"attention_backend": ["fa3", "flashinfer"], "prefill_attention_backend": ["fa3"]});
        let mut on_ampere = part(json!({}), space.clone());
        assert_eq!(fit_gpu(Framework::Sglang, &mut on_ampere, "NVIDIA A100-SXM4-80GB").len(), 2);
        assert_eq!(json!(on_ampere.search_space), json!({"attention_backend": ["flashinfer"]}));
        assert!(fit_gpu(Framework::Sglang, &mut part(json!({}), space.clone()), "NVIDIA H100 80GB HBM3").is_empty());
        assert!(fit_gpu(Framework::Vllm, &mut part(json!({}), space), "A100").is_empty());
    }

    /// The cookbook's plans search flags that newest vLLM has no more; every other flag of theirs is taken as it is.
    #[test]
    fn plans_of_the_cookbook_fit_real_releases() {
        let Some(dir) = crate::test_support::shared_dir("engines/help") else { return };
        let set: HelpSet = folder(&dir).unwrap();
        let mut gone = std::collections::BTreeSet::new();
        for entry in crate::cookbook::PLANS.iter() {
            let plan = crate::plan::read(entry.yaml).plan.unwrap();
            for (framework, mut part) in plan.frameworks {
                let Some(help) = set.get(framework) else { continue };
                let fit = fit(framework, &mut part, help);
                assert_eq!(fit.blocked, None, "{} {framework}", entry.slug);
                gone.extend(fit.changes.into_iter().map(|change| format!("{framework} {}", change.flag)));
            }
        }
        assert!(gone.contains("vllm max_num_partial_prefills"), "{gone:?}");
        assert!(gone.iter().all(|flag| flag.starts_with("vllm ")), "{gone:?}");
    }
}
