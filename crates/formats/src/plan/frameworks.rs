//! `frameworks`: server commands, base flags and search spaces.

use indexmap::IndexMap;
use podium_domain::flags::word;
use podium_domain::framework::Framework;
use podium_domain::knobs::{Knob, KnobKind, TENSORRT_LLM_OPTIONS, concepts};
use podium_domain::plan::FrameworkPlan;
use serde_json::Value;

use super::cautions;
use super::context::{At, Findings, Section};
use super::options_file;
use super::problem::{Problem, suggestion};
use super::sequence;
use super::tree::Content;
use super::values::{check_against_help, check_value, holds_secret, secret_reason};
use crate::help::{HelpFlags, HelpSet};

/// A flag of a plan: its name with underscores, and where its value stands.
#[derive(Debug, Clone)]
pub(super) struct ReadFlag<'a> {
    pub name: String,
    pub at: At<'a>,
    /// The searched values; for a base flag the one value.
    pub values: Vec<At<'a>>,
}

/// Flags of one mapping at most.
const MAX_FLAGS: usize = 300;
/// Values of one searched flag at most.
const MAX_VALUES: usize = 200;
/// Flags that the launcher sets itself.
const LAUNCHER_FLAGS: [&str; 2] = ["host", "port"];

/// What the rest of a plan says that the frameworks' flags are checked against.
pub(super) struct Setting<'p> {
    /// The longest sequence of all scenarios, tokens.
    pub longest: Option<u32>,
    /// `benchmark.framework_set`, where there is one.
    pub framework_set: Option<&'p [Framework]>,
    /// `hardware.gpu_model`
    pub gpu_model: Option<&'p str>,
    /// Captured help texts.
    pub help: Option<&'p HelpSet>,
}

/// Reads every enabled framework.
pub(super) fn frameworks(
    findings: &mut Findings,
    top: &mut Section<'_>,
    setting: &Setting<'_>,
) -> IndexMap<Framework, FrameworkPlan> {
    let mut plans = IndexMap::new();
    let Some(at) = top.get("frameworks") else {
        findings.missing(top, "frameworks", "is missing: give at least one framework with its flags");
        return plans;
    };
    let Some(section) = findings.section(&at) else { return plans };
    let (problems_before, mut enabled) = (findings.problems.len(), 0);
    for entry in section.entries {
        let part = At { node: &entry.value, path: section.child(&entry.key) };
        let framework: Framework = match entry.key.parse() {
            Ok(framework) => framework,
            Err(unknown) => {
                let near = suggestion(&entry.key, Framework::ALL.map(Framework::id));
                findings.problems.push(Problem::new(part.path, Some(entry.line), format!("{unknown}{near}")));
                continue;
            }
        };
        let Some(section) = findings.section(&part) else { continue };
        let help = setting.help.and_then(|help| help.get(framework));
        if setting.help.is_some() && help.is_none() {
            let message = format!(
                "no help text of {} was found that lists flags: they are checked against Podium's own table",
                framework.name()
            );
            findings.warning(&part, message);
        }
        let mut reader = PartReader { findings: &mut *findings, framework, help };
        if let Some(plan) = reader.part(section, setting) {
            if setting.framework_set.is_none_or(|set| set.contains(&framework)) {
                enabled += 1;
                plans.insert(framework, plan);
            } else {
                findings.warning(&part, "takes no part: `benchmark.framework_set` does not list it");
            }
        }
    }
    if enabled == 0 && findings.problems.len() == problems_before {
        findings.problem(&at, "no framework is enabled: enable at least one");
    }
    plans
}

struct PartReader<'f, 'h> {
    findings: &'f mut Findings,
    framework: Framework,
    help: Option<&'h HelpFlags>,
}

impl PartReader<'_, '_> {
    /// One framework's part; `None` where it is disabled.
    fn part(&mut self, mut section: Section<'_>, setting: &Setting<'_>) -> Option<FrameworkPlan> {
        let enabled = section.get("enabled").is_none_or(|at| self.findings.switch(&at).unwrap_or(true));
        if !enabled {
            return None;
        }
        let server_command = self.server_command(&mut section);
        let model_path = section.get("model_path").and_then(|at| self.findings.text(&at));
        let base = self.mapping(&mut section, "base_server_flags");
        let space = self.mapping(&mut section, "search_space");
        let backend_policy = self.backend_policy(&mut section);
        section.ignore(&["config_source"]);

        let base_flags = base.as_ref().map(|base| self.base_flags(base)).unwrap_or_default();
        let searched = space.as_ref().map(|space| self.searched_flags(space)).unwrap_or_default();
        if self.framework == Framework::TensorrtLlm {
            self.tensorrt_policy(base.as_ref(), &base_flags, &searched);
        }
        self.switches_without_effect(&base_flags, &searched);
        cautions::warn(self.findings, self.framework, &base_flags, &searched, setting.gpu_model);
        if let (Some(base), Some(longest)) = (&base, setting.longest) {
            sequence::check(self.findings, self.framework, base, &base_flags, &searched, longest);
        }
        self.findings.finish(section);
        Some(FrameworkPlan {
            server_command,
            model_path,
            base_server_flags: base_flags.iter().map(|flag| (flag.name.clone(), flag.at.node.to_value())).collect(),
            search_space: searched
                .iter()
                .map(|flag| (flag.name.clone(), flag.values.iter().map(|at| at.node.to_value()).collect()))
                .collect(),
            backend_policy,
        })
    }

    fn server_command(&mut self, section: &mut Section<'_>) -> String {
        let default = self.framework.spec().server_command;
        let Some(at) = section.get("server_command") else {
            self.findings.fill_demanded(section, "server_command", default);
            return default.to_owned();
        };
        let Some(command) = self.findings.text(&at) else { return default.to_owned() };
        match shlex::split(&command) {
            None => self.findings.problem(&at, format!("`{command}` has an unclosed quote")),
            Some(words) if words.is_empty() => self.findings.problem(&at, format!("`{command}` has no words")),
            Some(words) if holds_secret(&words) => {
                let message = "would show a secret in commands and reports: set the variable where podium is started";
                self.findings.problem(&at, message.to_owned());
            }
            Some(words) if self.framework == Framework::TensorrtLlm => self.backend_in_command(&at, &words),
            Some(_) => {}
        }
        command
    }

    fn backend_in_command(&mut self, at: &At<'_>, words: &[String]) {
        for (index, word) in words.iter().enumerate() {
            let value = match word.strip_prefix("--backend") {
                Some("") => words.get(index + 1).map(String::as_str),
                Some(rest) => rest.strip_prefix('='),
                None => None,
            };
            if let Some(value) = value
                && value != "pytorch"
            {
                self.findings.problem(at, format!("the command asks for the backend `{value}`: {PYTORCH_ONLY}"));
            }
        }
    }

    fn mapping<'a>(&mut self, section: &mut Section<'a>, key: &'static str) -> Option<Section<'a>> {
        match section.get_or_null(key) {
            Some(at) if at.node.is_null() => {
                self.findings.problem(&at, "expected a mapping, found nothing: write {} for none");
                None
            }
            Some(at) => self.findings.section(&at),
            None => {
                self.findings.missing(section, key, "is missing: every enabled framework has it; write {} for none");
                None
            }
        }
    }

    fn backend_policy(&mut self, section: &mut Section<'_>) -> Option<String> {
        let at = section.get("backend_policy");
        if self.framework != Framework::TensorrtLlm {
            if let Some(at) = at {
                self.findings.warning(&at, "only TensorRT-LLM has a backend policy; it is ignored here");
            }
            return None;
        }
        match at {
            None => self.findings.fill(section.child("backend_policy"), FIXED_PYTORCH),
            Some(at) => {
                if let Some(policy) = self.findings.text(&at)
                    && policy != FIXED_PYTORCH
                {
                    self.findings.problem(&at, format!("must be {FIXED_PYTORCH}, found `{policy}`: {PYTORCH_ONLY}"));
                }
            }
        }
        Some(FIXED_PYTORCH.to_owned())
    }

    fn base_flags<'a>(&mut self, base: &Section<'a>) -> Vec<ReadFlag<'a>> {
        let flags = self.flags(base);
        for flag in &flags {
            if LAUNCHER_FLAGS.contains(&flag.name.as_str()) {
                self.findings.warning(&flag.at, "Podium chooses it for each launch; this value has no effect");
            }
            self.value(flag, &flag.at);
        }
        flags
    }

    fn searched_flags<'a>(&mut self, space: &Section<'a>) -> Vec<ReadFlag<'a>> {
        let mut flags = self.flags(space);
        for flag in &mut flags {
            if LAUNCHER_FLAGS.contains(&flag.name.as_str()) {
                self.findings.problem(&flag.at, "cannot be searched: Podium chooses it for each launch");
            }
            if self.knob(&flag.name).is_some_and(|knob| knob.pinned) {
                let message =
                    "searching it makes the runs a study of this knob: comparisons keep it fixed in the base flags";
                self.findings.warning(&flag.at, message);
            }
            flag.values = self.searched_values(&flag.at);
            for (index, value) in flag.values.iter().enumerate() {
                let json = value.node.to_value();
                if flag.values[..index].iter().any(|earlier| earlier.node.to_value() == json) {
                    self.findings.warning(value, format!("`{}` is listed twice", word(&json)));
                }
                self.value(flag, value);
            }
        }
        flags
    }

    /// The values of one searched flag; a scalar is a list of one.
    fn searched_values<'a>(&mut self, at: &At<'a>) -> Vec<At<'a>> {
        match &at.node.content {
            Content::Scalar(Value::Null) => {
                self.findings.problem(at, "has no values: list them, or remove the key");
                Vec::new()
            }
            Content::List(items) if items.is_empty() => {
                self.findings.problem(at, "the list is empty: give it values, or remove the key");
                Vec::new()
            }
            Content::Mapping(_) => self.findings.wrong_type(at, "a list of values").unwrap_or_default(),
            Content::Scalar(_) => vec![at.clone()],
            Content::List(items) if items.len() > MAX_VALUES => {
                self.findings.problem(at, format!("has {} values: at most {MAX_VALUES} are searched", items.len()));
                Vec::new()
            }
            Content::List(_) => at.items().unwrap_or_default(),
        }
    }

    /// The flags of a mapping, each checked to exist.
    fn flags<'a>(&mut self, section: &Section<'a>) -> Vec<ReadFlag<'a>> {
        if section.entries.len() > MAX_FLAGS {
            let message = format!("has {} flags: no server takes more than {MAX_FLAGS}", section.entries.len());
            self.findings.problems.push(Problem::new(section.path.clone(), Some(section.line), message));
            return Vec::new();
        }
        let mut flags: Vec<ReadFlag<'a>> = Vec::with_capacity(section.entries.len());
        for entry in section.entries {
            let name = entry.key.replace('-', "_");
            let at = At { node: &entry.value, path: section.child(&entry.key) };
            if flags.iter().any(|flag| flag.name == name && flag.at.path != at.path) {
                let message = format!("`{name}` is given twice, with `-` and with `_`: keep one");
                self.findings.problems.push(Problem::new(at.path, Some(entry.line), message));
                continue;
            }
            self.known(entry.line, &at, &name);
            flags.push(ReadFlag { name, values: vec![at.clone()], at });
        }
        flags
    }

    /// Known = knob table ∪ flags of the newest release ∪ captured help; what only the help lacks is rejected.
    fn known(&mut self, line: u32, at: &At<'_>, name: &str) {
        let framework = self.framework.name();
        let in_help = self.help.map(|help| help.knows(name));
        if in_help == Some(true) || self.framework.option(name).is_some() {
            return;
        }
        if !self.framework.knows_flag(name) {
            let message = format!("`{name}` is not a flag of {framework}{}", self.instead_of(name));
            self.findings.problems.push(Problem::new(at.path.clone(), Some(line), message));
        } else if let Some(help) = self.help {
            let advice = match help.alias_of(self.framework, name) {
                Some(alias) => format!("write `{alias}`, which means the same"),
                None => "remove it".to_owned(),
            };
            let message = format!("the captured help of {framework} ({}) has no `{name}`: {advice}", help.source());
            let problem = Problem::new(at.path.clone(), Some(line), message);
            if help.from_source { self.findings.warnings.push(problem) } else { self.findings.problems.push(problem) }
        }
    }

    /// What to write instead of a flag that the framework does not have: its own name for what another framework calls
    /// so, else the name that is spelled most like it.
    fn instead_of(&self, name: &str) -> String {
        if let Some(found) = concepts::translate(name, self.framework) {
            let caution = found.caution.map(|caution| format!(" ({caution})")).unwrap_or_default();
            return format!("; it is {}'s name for what is `{}` here{caution}", found.from.name(), found.name);
        }
        let knobs = self.framework.spec().knobs.iter().map(|knob| knob.name);
        let options = TENSORRT_LLM_OPTIONS.iter().filter(|_| self.framework == Framework::TensorrtLlm);
        suggestion(name, knobs.chain(self.framework.released_flags()).chain(options.map(|option| option.name)))
    }

    /// The flag, or the option of a file, of this name.
    fn knob(&self, name: &str) -> Option<&'static Knob> {
        self.framework.knob(name).or_else(|| self.framework.option(name))
    }

    fn value(&mut self, flag: &ReadFlag<'_>, at: &At<'_>) {
        let value = at.node.to_value();
        if let Some(reason) = secret_reason(&flag.name, &value) {
            self.findings.problem(at, reason);
            return;
        }
        if self.framework == Framework::TensorrtLlm && flag.name == "backend" {
            return;
        }
        if self.framework.names_options_file(&flag.name) && value.is_object() {
            let found = options_file::check_mapping(at.node, &at.path);
            self.findings.problems.extend(found.problems);
            self.findings.warnings.extend(found.warnings);
            return;
        }
        let captured = self.help.filter(|help| !help.from_source);
        let listed = captured.and_then(|help| help.choices(&flag.name)).is_some();
        let knob = self.knob(&flag.name);
        // The words that the release at hand lists are the right ones, older or newer than the table's.
        if let Some(knob) = knob.filter(|knob| !(listed && matches!(knob.kind, KnobKind::Choice(_))))
            && let Err(message) = check_value(self.framework, knob, &value)
        {
            self.findings.problem(at, message);
        } else if let Some(help) = self.help
            && let Err(message) = check_against_help(self.framework, help, &flag.name, knob.is_none(), &value)
        {
            if help.from_source {
                self.findings.warning(at, message);
            } else {
                self.findings.problem(at, message);
            }
        }
    }

    /// `backend: pytorch` in the base, and never searched.
    fn tensorrt_policy(&mut self, base: Option<&Section<'_>>, flags: &[ReadFlag<'_>], searched: &[ReadFlag<'_>]) {
        match (flags.iter().find(|flag| flag.name == "backend"), base) {
            (None, Some(base)) => {
                self.findings.missing(base, "backend", format!("is missing: write `backend: pytorch`; {PYTORCH_ONLY}"));
            }
            (Some(flag), _) if flag.at.node.to_value() != "pytorch" => {
                let found = word(&flag.at.node.to_value());
                self.findings.problem(&flag.at, format!("must be pytorch, found `{found}`: {PYTORCH_ONLY}"));
            }
            _ => {}
        }
        if let Some(flag) = searched.iter().find(|flag| flag.name == "backend") {
            self.findings.problem(&flag.at, format!("may not be searched: {PYTORCH_ONLY}"));
        }
        self.one_options_file(flags, searched);
    }

    /// A file of the user's own is passed as it is, so options that the plan gives itself would be lost beside it.
    fn one_options_file(&mut self, base: &[ReadFlag<'_>], searched: &[ReadFlag<'_>]) {
        let all = || base.iter().chain(searched);
        let file = all().filter(|flag| self.framework.names_options_file(&flag.name));
        let own = file.flat_map(|flag| &flag.values).find(|at| at.node.to_value().is_string());
        let Some(own) = own.map(|at| word(&at.node.to_value())) else { return };
        let inside = all().filter(|flag| self.framework.option(&flag.name).is_some());
        for flag in inside {
            let message = format!(
                "goes into a file of options, and the plan names `{own}` for that: write all options into that file, or \
                 name none"
            );
            self.findings.problem(&flag.at, message);
        }
    }

    /// `false` that is tried against `true` must be able to switch the flag off.
    fn switches_without_effect(&mut self, base: &[ReadFlag<'_>], searched: &[ReadFlag<'_>]) {
        for flag in searched {
            // An option of a file is written as false.
            let in_file = self.framework.option(&flag.name).is_some();
            if in_file || self.framework.knob(&flag.name).is_some_and(|knob| knob.negatable) {
                continue;
            }
            let base = base.iter().find(|base| base.name == flag.name);
            let is = |at: &At<'_>, switch: bool| at.node.to_value() == Value::Bool(switch);
            let against_true = flag.values.iter().chain(base.map(|base| &base.at)).any(|at| is(at, true));
            for at in flag.values.iter().filter(|at| against_true && is(at, false)) {
                let message = format!(
                    "has no effect: {} has no `no_{}`, so false only leaves the flag out; write null to try the server \
                     without it",
                    self.framework.name(),
                    flag.name
                );
                self.findings.problem(at, message);
            }
        }
    }
}

const FIXED_PYTORCH: &str = "fixed_pytorch";
pub(super) const PYTORCH_ONLY: &str = "TensorRT-LLM is served with its PyTorch backend only";

/// Base flags by name.
pub(super) fn by_name<'f, 'a>(flags: &'f [ReadFlag<'a>], name: &str) -> Option<&'f ReadFlag<'a>> {
    flags.iter().find(|flag| flag.name == name)
}
