//! Which serving frameworks can be started on this machine, and where they are.

use std::path::{Path, PathBuf};
use std::time::Duration;

use podium_domain::framework::Framework;
use serde::{Deserialize, Serialize};

use crate::command::{self, CommandSpec};
use crate::environment::{Environment, is_executable, parse_env_file};

/// What led to a framework.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FoundBy {
    /// A variable that names its program, for example `PODIUM_VLLM`.
    Variable,
    /// Its program is on PATH.
    Path,
    /// It is in the folder that `PODIUM_ENGINES_DIR` names.
    EnginesDir,
    /// The host's settings name an image or a container for it.
    Container,
}

/// A framework that can be started.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FrameworkInstall {
    /// Which one.
    pub framework: Framework,
    /// The program to run: the server's own, or for SGLang the Python interpreter that has it.
    pub program: PathBuf,
    /// What led to it.
    pub found_by: FoundBy,
    /// Variables that it needs, from the file `env` beside its `bin` folder.
    pub env: Vec<(String, String)>,
    /// Its version, where that could be had without starting it or quickly.
    pub version: Option<String>,
    /// The commit that it was built from, where the install says so.
    #[serde(default)]
    pub commit: Option<String>,
}

impl FrameworkInstall {
    /// Its version and commit, as far as they are known.
    pub fn version_text(&self) -> String {
        let version = self.version.as_deref().unwrap_or("version not known");
        // llama.cpp's version holds the commit already.
        match self.commit.as_deref().filter(|commit| !version.contains(commit)) {
            Some(commit) => format!("{version}, commit {commit}"),
            None => version.to_owned(),
        }
    }
}

/// How one framework is looked for.
struct Search {
    framework: Framework,
    /// The variable that names the program.
    variable: Option<&'static str>,
    /// The program on PATH.
    program: &'static str,
    /// The Python package whose presence and version count; `None` for a program that tells its version quickly.
    package: Option<&'static str>,
    /// The folder below `PODIUM_ENGINES_DIR`, and the program in its `bin`.
    folder: &'static str,
    folder_program: &'static str,
}

const SEARCHES: [Search; 5] = [
    Search {
        framework: Framework::Sglang,
        variable: Some("PODIUM_SGLANG_PYTHON"),
        program: "python3",
        package: Some("sglang"),
        folder: "sglang",
        folder_program: "python",
    },
    Search {
        framework: Framework::Vllm,
        variable: Some("PODIUM_VLLM"),
        program: "vllm",
        package: Some("vllm"),
        folder: "vllm",
        folder_program: "vllm",
    },
    Search {
        framework: Framework::TensorrtLlm,
        variable: None,
        program: "trtllm-serve",
        package: Some("tensorrt_llm"),
        folder: "tensorrt_llm",
        folder_program: "trtllm-serve",
    },
    Search {
        framework: Framework::Tokenspeed,
        variable: None,
        program: "tokenspeed",
        package: Some("tokenspeed"),
        folder: "tokenspeed",
        folder_program: "tokenspeed",
    },
    Search {
        framework: Framework::LlamaCpp,
        variable: Some("PODIUM_LLAMA_SERVER"),
        program: "llama-server",
        package: None,
        folder: "llama",
        folder_program: "llama-server",
    },
];

/// The variable that names a folder of engines, laid out as `<folder>/bin/<program>` with an optional `<folder>/env`.
pub(crate) const ENGINES_DIR_VARIABLE: &str = "PODIUM_ENGINES_DIR";

/// The variable that names a framework's program, if it has one.
pub(crate) fn variable(framework: Framework) -> Option<&'static str> {
    SEARCHES.iter().find(|search| search.framework == framework)?.variable
}

/// The frameworks of this machine, in table order, and what is wrong with the settings that point at some.
pub(crate) async fn find(environment: &Environment) -> (Vec<FrameworkInstall>, Vec<String>) {
    let mut found = Vec::new();
    let mut problems = Vec::new();
    for search in &SEARCHES {
        match search.find(environment) {
            Ok(Some(mut install)) => {
                if search.package.is_none() {
                    install.version = asked_version(&install).await;
                    install.commit = install.version.as_deref().and_then(commit_in_version);
                }
                found.push(install);
            }
            Ok(None) => {}
            Err(problem) => problems.push(problem),
        }
    }
    (found, problems)
}

impl Search {
    fn find(&self, environment: &Environment) -> Result<Option<FrameworkInstall>, String> {
        if let Some((variable, path)) = self.variable.and_then(|name| Some((name, environment.get(name)?))) {
            let path = PathBuf::from(path);
            if !is_executable(&path) {
                return Err(format!(
                    "{variable} names `{}`, which is not a program: correct or unset it",
                    path.display()
                ));
            }
            return self.install(path, FoundBy::Variable).map(Some);
        }
        if let Some(path) = environment.find_program(self.program) {
            // An interpreter on PATH counts only where it has the package.
            let generic = self.program == "python3";
            if !generic || self.package.is_some_and(|package| find_package(&path, package).is_some()) {
                return self.install(path, FoundBy::Path).map(Some);
            }
        }
        if let Some(folder) = environment.get(ENGINES_DIR_VARIABLE) {
            let path = Path::new(folder).join(self.folder).join("bin").join(self.folder_program);
            if is_executable(&path) {
                return self.install(path, FoundBy::EnginesDir).map(Some);
            }
        }
        Ok(None)
    }

    fn install(&self, program: PathBuf, found_by: FoundBy) -> Result<FrameworkInstall, String> {
        let env = match found_by {
            FoundBy::Path | FoundBy::Container => Vec::new(),
            FoundBy::Variable | FoundBy::EnginesDir => env_of(&program)?,
        };
        let package = self.package.and_then(|package| find_package(&program, package));
        let commit = package.as_ref().and_then(Package::commit);
        let version = package.map(|package| package.version);
        Ok(FrameworkInstall { framework: self.framework, program, found_by, env, version, commit })
    }
}

/// The variables of the file `env` beside the `bin` folder that holds the program.
fn env_of(program: &Path) -> Result<Vec<(String, String)>, String> {
    let bin = program.parent().filter(|folder| folder.ends_with("bin"));
    let Some(file) = bin.and_then(Path::parent).map(|folder| folder.join("env")).filter(|file| file.is_file()) else {
        return Ok(Vec::new());
    };
    let text = std::fs::read_to_string(&file).map_err(|error| format!("{} cannot be read: {error}", file.display()))?;
    parse_env_file(&text).map_err(|problem| format!("{}, {problem}: keep to lines `export A=B`", file.display()))
}

/// A Python package as its files describe it.
struct Package {
    version: String,
    /// Its own folder.
    folder: PathBuf,
    /// The folder of its metadata.
    metadata: PathBuf,
}

/// A Python package by the metadata folder in the environment of a program of its `bin`: asking the framework itself
/// takes many seconds.
fn find_package(program: &Path, package: &str) -> Option<Package> {
    // Not the link's target: a private environment's interpreter is a link to the system's.
    let prefix = program.parent()?.parent()?;
    let pythons = std::fs::read_dir(prefix.join("lib")).ok()?.flatten();
    let sites = pythons.filter(|entry| entry.file_name().to_string_lossy().starts_with("python3"));
    let sites = sites.flat_map(|entry| ["site-packages", "dist-packages"].map(|name| entry.path().join(name)));
    let entries = sites.flat_map(|site| std::fs::read_dir(site).into_iter().flatten());
    entries.flatten().find_map(|entry| {
        let name = entry.file_name();
        let (found, version) = name.to_str()?.strip_suffix(".dist-info")?.split_once('-')?;
        let metadata = entry.path();
        (found.eq_ignore_ascii_case(package)).then(|| Package {
            version: version.to_owned(),
            folder: metadata.with_file_name(package),
            metadata,
        })
    })
}

impl Package {
    /// The commit that it was built from: released wheels say it in their version file, and installs from a repository
    /// in their metadata.
    fn commit(&self) -> Option<String> {
        let said = std::fs::read_to_string(self.folder.join("_version.py")).ok().and_then(|text| {
            let line = text.lines().find(|line| line.contains("commit_id = '"))?;
            let (_, rest) = line.rsplit_once(" = '")?;
            // The tools that write this file put a `g` before the hash, as git describes a commit.
            Some(rest.split('\'').next()?.trim_start_matches('g').to_owned())
        });
        said.or_else(|| {
            let text = std::fs::read_to_string(self.metadata.join("direct_url.json")).ok()?;
            let value: serde_json::Value = serde_json::from_str(&text).ok()?;
            Some(value.pointer("/vcs_info/commit_id")?.as_str()?.to_owned())
        })
    }
}

/// The commit in llama.cpp's version, `6123 (79c1160b)`.
fn commit_in_version(version: &str) -> Option<String> {
    let (_, rest) = version.split_once('(')?;
    let commit = rest.split(')').next()?;
    (commit.len() >= 7 && commit.chars().all(|c| c.is_ascii_hexdigit())).then(|| commit.to_owned())
}

/// The first line of what the program prints for `--version`.
async fn asked_version(install: &FrameworkInstall) -> Option<String> {
    let mut spec = CommandSpec::new([install.program.display().to_string(), "--version".to_owned()]);
    spec.env = install.env.clone();
    spec.deadline = Duration::from_secs(8);
    let output = command::run(&spec).await.ok().filter(|output| output.exit.success())?;
    // llama.cpp prints its version to standard error, below what its backends say.
    let lines: Vec<&str> = output.stdout.lines().chain(output.stderr.lines()).collect();
    let line = lines.iter().find(|line| line.starts_with("version")).or(lines.first())?;
    Some(line.trim().trim_start_matches("version: ").to_owned())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    fn program(path: &Path) {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, "").unwrap();
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
    }

    #[tokio::test]
    async fn variables_come_before_path_and_path_before_the_engines_folder() {
        let folder = tempfile::tempdir().unwrap();
        let at = |path: &str| folder.path().join(path);
        program(&at("engines/vllm/bin/vllm"));
        std::fs::write(at("engines/vllm/env"), "export A=1 B=2\n").unwrap();
        std::fs::create_dir_all(at("engines/vllm/lib/python3.11/site-packages/vllm-0.32.0+cpu.dist-info")).unwrap();
        std::fs::create_dir_all(at("engines/vllm/lib/python3.11/site-packages/vllm")).unwrap();
        let version_file = at("engines/vllm/lib/python3.11/site-packages/vllm/_version.py");
        std::fs::write(version_file, "commit_id: str | None\n__commit_id__ = commit_id = 'g0123abcde'\n").unwrap();
        program(&at("path/vllm"));
        program(&at("own/vllm"));
        let text = |path: &str| at(path).display().to_string();

        let mut pairs = vec![("PODIUM_ENGINES_DIR", text("engines"))];
        let (found, problems) = find(&Environment::from_pairs(pairs.clone())).await;
        assert_eq!(problems, Vec::<String>::new());
        assert_eq!(found.len(), 1);
        assert_eq!((found[0].framework, found[0].found_by), (Framework::Vllm, FoundBy::EnginesDir));
        assert_eq!(found[0].env, [("A".into(), "1".into()), ("B".into(), "2".into())]);
        assert_eq!(found[0].version.as_deref(), Some("0.32.0+cpu"));
        assert_eq!(found[0].commit.as_deref(), Some("0123abcde"));

        pairs.push(("PATH", text("path")));
        let (found, _) = find(&Environment::from_pairs(pairs.clone())).await;
        assert_eq!((found[0].program.clone(), found[0].found_by), (at("path/vllm"), FoundBy::Path));

        pairs.push(("PODIUM_VLLM", text("own/vllm")));
        let (found, _) = find(&Environment::from_pairs(pairs.clone())).await;
        assert_eq!((found[0].program.clone(), found[0].found_by), (at("own/vllm"), FoundBy::Variable));

        pairs.push(("PODIUM_VLLM", text("missing")));
        let (found, problems) = find(&Environment::from_pairs(pairs)).await;
        assert_eq!(found, []);
        assert!(problems[0].starts_with("PODIUM_VLLM names `"), "{problems:?}");
    }

    #[test]
    fn commits_are_read_from_where_each_install_says_them() {
        assert_eq!(commit_in_version("6123 (79c1160b)").as_deref(), Some("79c1160b"));
        assert_eq!(commit_in_version("xllamacpp 2026.10.11549"), None);
        assert_eq!(commit_in_version("1 (no hash)"), None);
        let folder = tempfile::tempdir().unwrap();
        let metadata = folder.path().join("x-1.dist-info");
        std::fs::create_dir_all(&metadata).unwrap();
        let package = Package { version: "1".into(), folder: folder.path().join("x"), metadata: metadata.clone() };
        assert_eq!(package.commit(), None);
        std::fs::write(metadata.join("direct_url.json"), r#"{"vcs_info": {"commit_id": "abc123"}}"#).unwrap();
        assert_eq!(package.commit().as_deref(), Some("abc123"));
    }
}
