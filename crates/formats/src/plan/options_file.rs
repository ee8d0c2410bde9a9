//! The file that TensorRT-LLM's `extra_llm_api_options` names, and the mapping that may stand there instead.

use std::io;

use podium_domain::flags::word;
use podium_domain::framework::Framework;
use podium_domain::knobs::{Knob, TENSORRT_LLM_OPTIONS};
use podium_domain::options_file::FILE_FLAGS;
use serde_json::Value;

use super::problem::{Problem, nearest};
use super::tree::{self, Content, Node, Tree};
use super::values::{check_value, secret_reason};

/// What an options file says that it should not.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OptionsCheck {
    /// What is wrong, in the order of the text.
    pub problems: Vec<Problem>,
    /// What is odd and does not prevent a launch.
    pub warnings: Vec<Problem>,
}

/// Checks the text of an options file: another backend, values that do not suit their option, secrets, options that
/// are spelled almost like a known one. Lines are those of the file. A plan holds only the file's path, so whoever can
/// read the file calls this.
pub fn check_tensorrt_options(text: &str) -> OptionsCheck {
    let mut check = OptionsCheck::default();
    if text.lines().map(str::trim).all(|line| line.is_empty() || line.starts_with('#')) {
        return check;
    }
    match tree::parse(text) {
        Err(problem) => check.problems.push(problem),
        Ok(tree) => {
            check.problems = tree.problems;
            match &tree.root.content {
                Content::Mapping(_) => check.mapping(&tree.root, ""),
                _ => check.problems.push(Problem::new("", Some(tree.root.line), "expected a mapping of options")),
            }
        }
    }
    check
}

/// Checks options that a plan gives itself, in a mapping at `path`.
pub(super) fn check_mapping(node: &Node, path: &str) -> OptionsCheck {
    let mut check = OptionsCheck::default();
    check.mapping(node, "");
    for problem in check.problems.iter_mut().chain(&mut check.warnings) {
        problem.path = format!("{path}.{}", problem.path);
    }
    check
}

/// Checks every options file that a plan names, in the base flags and in the search space. `read` gives the text of a
/// file; one that it cannot read is a warning, since it may be there on the host that serves. Places are those of the
/// plan, and the messages name the file and the place in it.
pub fn check_options_files(plan: &str, read: &dyn Fn(&str) -> io::Result<String>) -> OptionsCheck {
    let mut check = OptionsCheck::default();
    let Ok(Tree { root, .. }) = tree::parse(super::read::without_bom(plan)) else { return check };
    let part = root.get("frameworks").and_then(|frameworks| frameworks.get(Framework::TensorrtLlm.id()));
    if part.is_some_and(|part| part.get("enabled").is_some_and(|enabled| enabled.to_value() == false)) {
        return check;
    }
    for section in ["base_server_flags", "search_space"] {
        let flags = part.and_then(|part| part.get(section)).and_then(Node::entries).unwrap_or_default();
        for entry in flags.iter().filter(|entry| FILE_FLAGS.contains(&entry.key.replace('-', "_").as_str())) {
            let path = format!("frameworks.{}.{section}.{}", Framework::TensorrtLlm.id(), entry.key);
            let names = entry.value.items().unwrap_or(std::slice::from_ref(&entry.value));
            for node in names {
                if let Content::Scalar(Value::String(name)) = &node.content {
                    check.named_file(&Problem::new(path.clone(), Some(node.line), ""), name, read(name));
                }
            }
        }
    }
    check
}

impl OptionsCheck {
    fn named_file(&mut self, place: &Problem, name: &str, text: io::Result<String>) {
        let at = |message: String| Problem { message, ..place.clone() };
        match text {
            Err(error) => self.warnings.push(at(format!("`{name}` cannot be read here and was not checked: {error}"))),
            Ok(text) => {
                let found = check_tensorrt_options(&text);
                let inside = |problem: Problem| at(format!("in `{name}`: {problem}"));
                self.problems.extend(found.problems.into_iter().map(inside));
                self.warnings.extend(found.warnings.into_iter().map(inside));
            }
        }
    }

    fn mapping(&mut self, node: &Node, prefix: &str) {
        for entry in node.entries().unwrap_or_default() {
            let path = if prefix.is_empty() { entry.key.clone() } else { format!("{prefix}.{}", entry.key) };
            let option = TENSORRT_LLM_OPTIONS.iter().find(|option| option.name == path);
            if let Err(problem) = checked(option, &path, &entry.key, &entry.value, entry.line) {
                self.problems.push(problem);
            } else if option.is_none() {
                match unlisted(&path, prefix.is_empty()) {
                    Some(message) => self.warnings.push(Problem::new(path, Some(entry.line), message)),
                    None => self.mapping(&entry.value, &path),
                }
            }
        }
    }
}

/// What to say about an option that the table does not have: only a near-miss and a flag are worth a word.
fn unlisted(path: &str, is_top: bool) -> Option<String> {
    if is_top && path != "backend" && Framework::TensorrtLlm.knob(path).is_some() {
        return Some(format!("`{path}` is a flag too, and the file wins over the flag: give it in the plan only"));
    }
    let depth = path.matches('.').count() + 1;
    let near = nearest(path, TENSORRT_LLM_OPTIONS.iter().filter_map(|option| leading(option.name, depth)))?;
    (near != path).then(|| format!("is no option that Podium knows; did you mean `{near}`?"))
}

fn checked(option: Option<&Knob>, path: &str, key: &str, value: &Node, line: u32) -> Result<(), Problem> {
    let json = value.to_value();
    let problem = |message| Err(Problem::new(path, Some(line), message));
    if path == "backend" && json != "pytorch" {
        return problem(format!("must be pytorch, found `{}`: {}", word(&json), super::frameworks::PYTORCH_ONLY));
    }
    let leaf = !matches!(value.content, Content::Mapping(_));
    if leaf && let Some(reason) = secret_reason(key, &json) {
        return problem(reason);
    }
    match option.map(|option| check_value(Framework::TensorrtLlm, option, &json)) {
        Some(Err(message)) => problem(message),
        _ => Ok(()),
    }
}

/// The first `count` parts of a dotted name, where it has that many.
fn leading(name: &str, count: usize) -> Option<&str> {
    match count.checked_sub(1).and_then(|index| name.match_indices('.').nth(index)) {
        Some((end, _)) => Some(&name[..end]),
        None => (name.matches('.').count() + 1 == count).then_some(name),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_files_of_a_plan_are_checked_where_they_can_be_read() {
        let read = |name: &str| match name {
            "good.yaml" => Ok("stream_interval: 4\n".to_owned()),
            "bad.yaml" => Ok("x: 1\nbackend: trt\n".to_owned()),
            _ => Err(io::Error::from(io::ErrorKind::NotFound)),
        };
        let plan = |part: &str| format!("model: {{name: m}}\nframeworks:\n  tensorrt_llm:\n{part}");
        let check = check_options_files(
            &plan(
                "    base_server_flags: {extra-llm-api-options: good.yaml}\n    search_space:\n      config: [good.yaml, \
                 bad.yaml, gone.yaml, 3]\n",
            ),
            &read,
        );
        let place = ("frameworks.tensorrt_llm.search_space.config", Some(6));
        assert_eq!((paths(&check.problems), paths(&check.warnings)), (vec![place], vec![place]));
        let message = &check.problems[0].message;
        assert!(
            message.starts_with("in `bad.yaml`: backend: must be pytorch") && message.ends_with("(line 2)"),
            "{message}"
        );
        assert!(check.warnings[0].message.starts_with("`gone.yaml` cannot be read here"), "{}", check.warnings[0]);

        let off = plan("    enabled: false\n    base_server_flags: {extra_llm_api_options: bad.yaml}\n");
        assert_eq!(check_options_files(&off, &read), OptionsCheck::default());
        assert_eq!(check_options_files("[", &read), OptionsCheck::default());
    }

    fn paths(problems: &[Problem]) -> Vec<(&str, Option<u32>)> {
        problems.iter().map(|problem| (problem.path.as_str(), problem.line)).collect()
    }

    #[test]
    fn a_right_file_has_nothing_to_say() {
        let text = "backend: pytorch\nkv_cache_config: {dtype: fp8, enable_block_reuse: true}\n\
                    scheduler_config:\n  capacity_scheduler_policy: MAX_UTILIZATION\n\
                    moe_config: {backend: CUTLASS}\nsomething_of_a_newer_release: {a: 1}\n";
        assert_eq!(check_tensorrt_options(text), OptionsCheck::default());
        assert_eq!(check_tensorrt_options("# nothing\n"), OptionsCheck::default());
    }

    #[test]
    fn wrong_values_and_other_backends_are_problems_all_at_once() {
        let check = check_tensorrt_options(
            "backend: _autodeploy\nkv_cache_config:\n  enable_block_reuse: 1\n  max_tokens: many\n\
             scheduler_config: {capacity_scheduler_policy: max}\nhf_token: abc\n",
        );
        let wrong = [
            ("backend", Some(1)),
            ("kv_cache_config.enable_block_reuse", Some(3)),
            ("kv_cache_config.max_tokens", Some(4)),
            ("scheduler_config.capacity_scheduler_policy", Some(5)),
            ("hf_token", Some(6)),
        ];
        assert_eq!(paths(&check.problems), wrong);
        assert_eq!(paths(&check_tensorrt_options("[1]").problems), [("", Some(1))]);
        assert_eq!(check_tensorrt_options("a: [").problems.len(), 1);
    }

    #[test]
    fn near_misses_and_flags_are_warnings() {
        let check = check_tensorrt_options(
            "kv_cache_conf: {dtype: fp8}\nkv_cache_config:\n  free_gpu_mem_fraction: 0.8\nmax_batch_size: 64\n",
        );
        assert_eq!(check.problems, []);
        let odd = [
            ("kv_cache_conf", Some(1)),
            ("kv_cache_config.free_gpu_mem_fraction", Some(3)),
            ("max_batch_size", Some(4)),
        ];
        assert_eq!(paths(&check.warnings), odd);
        assert!(check.warnings[1].message.ends_with("did you mean `kv_cache_config.free_gpu_memory_fraction`?"));
    }
}
