//! From a plan's server command to the program that this machine has for it.

use std::path::{Path, PathBuf};

use podium_domain::framework::Framework;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::container::{ContainerCommand, run_to_end};
use crate::environment::{Environment, is_executable};
use crate::facts::HostFacts;
use crate::failure::{FailureClass, LaunchFailure, LaunchStage};
use crate::frameworks::{ENGINES_DIR_VARIABLE, FrameworkInstall, variable};

/// A command that can be started as it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResolvedCommand {
    /// The argument list; its first word is a path.
    pub argv: Vec<String>,
    /// Variables that the program needs, on top of the inherited ones.
    pub env: Vec<(String, String)>,
    /// The framework's version, where it is known before the start.
    pub version: Option<String>,
    /// Where it runs, for a host whose engines are put into containers.
    #[serde(default)]
    pub container: Option<ContainerCommand>,
}

impl ResolvedCommand {
    /// The words that run it to its end on the host, in a container of its own where engines are in some.
    pub fn to_the_end(&self) -> Vec<String> {
        match &self.container {
            Some(container) => run_to_end(container, Uuid::new_v4(), &self.argv),
            None => self.argv.clone(),
        }
    }
}

/// Finds the program for the first words of a server command: `podium` is this very program, a word with a slash is
/// a path, a framework's own command is run by the install that was found, and anything else is looked up on PATH.
///
/// # Errors
/// [`FailureClass::CommandNotFound`]: the machine lacks the program; the sentence says where it was looked for.
pub(crate) fn resolve(
    framework: Framework,
    argv: &[String],
    facts: &HostFacts,
    environment: &Environment,
    podium: &Path,
) -> Result<ResolvedCommand, LaunchFailure> {
    let Some((first, rest)) = argv.split_first() else {
        return Err(not_found("the server command is empty").hint("name the server's command in the plan"));
    };
    let with = |program: &Path, env: Vec<(String, String)>, version: Option<String>| {
        let argv = std::iter::once(program.display().to_string()).chain(rest.iter().cloned()).collect();
        Ok(ResolvedCommand { argv, env, version, container: None })
    };
    if first == "podium" {
        return with(podium, Vec::new(), Some(env!("CARGO_PKG_VERSION").to_owned()));
    }
    let install = facts.frameworks.iter().find(|install| install.framework == framework);
    if first.contains('/') {
        let path = PathBuf::from(first);
        if !is_executable(&path) {
            let reason = format!("`{first}` is not a program on this machine");
            return Err(not_found(reason).hint("check the path in the plan's server_command"));
        }
        let (env, version) = install
            .filter(|install| install.program == path)
            .map_or_else(Default::default, |install| (install.env.clone(), install.version.clone()));
        return with(&path, env, version);
    }
    if let Some(install) = install
        && let Some(program) = program_of(install, first)
    {
        return with(&program, install.env.clone(), install.version.clone());
    }
    let Some(program) = environment.find_program(first) else {
        return Err(not_found(format!("`{first}` was not found on PATH of this machine")).hint(hint(framework)));
    };
    // An interpreter alone proves nothing: `python -m` of a framework that no interpreter here has would start and
    // fail a moment later. A script of the user's own is another matter: it may find the framework by itself.
    if install.is_none()
        && is_python(first)
        && let Some(module) = module_of(rest)
    {
        let reason = format!(
            "{} was not found on this machine, so `{first} -m {module}` would have no such module to run",
            framework.name()
        );
        return Err(not_found(reason).hint(hint(framework)));
    }
    with(&program, Vec::new(), None)
}

/// The module that an interpreter with these words runs; `None` where it runs a script.
fn module_of(words: &[String]) -> Option<&str> {
    let at = words.iter().position(|word| !word.starts_with('-') || word == "-m")?;
    (words[at] == "-m").then(|| words.get(at + 1).map(String::as_str))?
}

/// The program of an install for the first word of a command: its own, or a neighbour in the same folder (the Python
/// interpreter of the environment that holds `vllm`).
fn program_of(install: &FrameworkInstall, first: &str) -> Option<PathBuf> {
    let own = install.program.file_name()?.to_str()?;
    if own == first || (is_python(own) && is_python(first)) {
        return Some(install.program.clone());
    }
    let neighbour = install.program.with_file_name(first);
    is_executable(&neighbour).then_some(neighbour)
}

fn is_python(word: &str) -> bool {
    word.strip_prefix("python").is_some_and(|rest| rest.chars().all(|c| c.is_ascii_digit() || c == '.'))
}

fn not_found(reason: impl Into<String>) -> LaunchFailure {
    LaunchFailure::new(LaunchStage::Start, FailureClass::CommandNotFound, reason)
}

fn hint(framework: Framework) -> String {
    let name = framework.name();
    match variable(framework) {
        Some(variable) => format!(
            "install {name}, or point {variable} at its program, or {ENGINES_DIR_VARIABLE} at a folder of engines, \
             and check the host again"
        ),
        None => format!("install {name} so that its command is on PATH, and check the host again"),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use time::OffsetDateTime;

    use super::*;
    use crate::frameworks::FoundBy;

    fn facts(frameworks: Vec<FrameworkInstall>) -> HostFacts {
        HostFacts {
            host_name: "here".into(),
            os: String::new(),
            kernel: String::new(),
            cpu_model: String::new(),
            cpu_cores: 1,
            memory_total_bytes: 0,
            memory_available_bytes: 0,
            disk: None,
            gpus: vec![],
            visible_devices: None,
            cuda_version: None,
            model_caches: vec![],
            container_runtimes: vec![],
            cluster: None,
            frameworks,
            problems: vec![],
            checked_at: OffsetDateTime::UNIX_EPOCH,
        }
    }

    fn install(framework: Framework, program: &Path) -> FrameworkInstall {
        let env = vec![("A".to_owned(), "1".to_owned())];
        FrameworkInstall {
            framework,
            program: program.into(),
            found_by: FoundBy::Variable,
            env,
            version: Some("9".into()),
            commit: None,
        }
    }

    fn words(text: &str) -> Vec<String> {
        text.split(' ').map(str::to_owned).collect()
    }

    #[test]
    fn commands_run_through_what_was_found() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["vllm", "python"] {
            let path = folder.path().join(name);
            std::fs::write(&path, "").unwrap();
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        }
        let (vllm, python) = (folder.path().join("vllm"), folder.path().join("python"));
        let facts = facts(vec![install(Framework::Vllm, &vllm), install(Framework::Sglang, &python)]);
        let environment = Environment::from_pairs([("PATH", folder.path().to_str().unwrap())]);
        let run = |framework, text: &str| {
            resolve(framework, &words(text), &facts, &environment, Path::new("/opt/podium")).map(|r| r.argv.join(" "))
        };
        let vllm = vllm.display();
        let python = python.display();
        assert_eq!(run(Framework::Vllm, "vllm serve m --x 1"), Ok(format!("{vllm} serve m --x 1")));
        assert_eq!(run(Framework::Vllm, "python -m vllm.entrypoints x"), Ok(format!("{python} -m vllm.entrypoints x")));
        assert_eq!(
            run(Framework::Sglang, "python3 -m sglang.launch_server"),
            Ok(format!("{python} -m sglang.launch_server"))
        );
        assert_eq!(run(Framework::Vllm, "podium sim vllm m"), Ok("/opt/podium sim vllm m".into()));
        assert_eq!(run(Framework::LlamaCpp, &format!("{vllm} a")), Ok(format!("{vllm} a")));
    }

    #[test]
    fn a_missing_command_says_where_it_was_looked_for_and_what_to_do() {
        let folder = tempfile::tempdir().unwrap();
        let python = folder.path().join("python3");
        std::fs::write(&python, "").unwrap();
        std::fs::set_permissions(&python, std::fs::Permissions::from_mode(0o755)).unwrap();
        let environment = Environment::from_pairs([("PATH", folder.path().to_str().unwrap())]);
        let error = |framework, text: &str| {
            resolve(framework, &words(text), &facts(vec![]), &environment, Path::new("/opt/podium")).unwrap_err()
        };
        let missing = error(Framework::Vllm, "no-such-engine serve");
        assert_eq!(missing.to_string(), "`no-such-engine` was not found on PATH of this machine");
        assert!(missing.hint.unwrap().contains("PODIUM_VLLM"));
        assert!(missing.class.is_environment_gap());
        let module = error(Framework::Sglang, "python3 -m sglang.launch_server");
        assert_eq!(
            module.to_string(),
            "SGLang was not found on this machine, so `python3 -m sglang.launch_server` would have no such module to run"
        );
        let script = words("python3 -u wrapper.py --model m");
        let script = resolve(Framework::Vllm, &script, &facts(vec![]), &environment, Path::new("/opt/podium"));
        assert_eq!(script.unwrap().argv[0], python.display().to_string(), "a wrapper is the user's own affair");
        assert_eq!(error(Framework::Vllm, "/no/such/engine").class, FailureClass::CommandNotFound);
    }
}
