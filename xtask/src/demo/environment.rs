//! What the dashboard and the runs are started with: the same folder and variables for both, because either may be the
//! one whose worker takes a run.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::paths::Paths;
use crate::process::on_path;

/// Variables that would lead the demo to another database, address or load process than its own.
const FOREIGN: [&str; 6] =
    ["DATABASE_URL", "PODIUM_DATA_DIR", "PODIUM_LISTEN", "PODIUM_SITE_DIR", "PODIUM_URL", "PODIUM_AGENT"];

/// Variables of the user that name a path. They are kept, made absolute because the demo works in another folder.
const USER_PATHS: [&str; 4] = ["PODIUM_ENGINES_DIR", "PODIUM_LLAMA_SERVER", "PODIUM_SGLANG_PYTHON", "PODIUM_VLLM"];

/// Working folder and variables of every `podium` that the demo starts.
#[derive(Debug)]
pub struct Environment {
    folder: PathBuf,
    set: Vec<(&'static str, OsString)>,
    removed: Vec<OsString>,
}

impl Environment {
    /// Works in the folder of the tiny model below `engines`. Engines of the user's own choice go before ours.
    pub fn new(paths: &Paths, engines: &Path) -> Self {
        let lookup = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
        let mut set: Vec<(&str, OsString)> =
            USER_PATHS.iter().filter_map(|&name| Some((name, paths.root.join(lookup(name)?).into()))).collect();
        let llama = engines.join("llama/bin/llama-server");
        match set.iter().find(|(name, _)| *name == "PODIUM_ENGINES_DIR") {
            None => set.push(("PODIUM_ENGINES_DIR", engines.into())),
            Some((_, theirs)) => {
                let has_llama = Path::new(theirs).join("llama/bin/llama-server").is_file()
                    || lookup("PODIUM_LLAMA_SERVER").is_some()
                    || on_path("llama-server").is_some();
                if !has_llama {
                    set.push(("PODIUM_LLAMA_SERVER", llama.into()));
                }
            }
        }
        if lookup("OMP_NUM_THREADS").is_none() {
            // Engines on PyTorch would take every core, the load generator's as well.
            set.push(("OMP_NUM_THREADS", "1".into()));
        }
        if let Some(libraries) = lookup("LD_LIBRARY_PATH") {
            set.push(("LD_LIBRARY_PATH", without_cargos(paths, &libraries)));
        }
        let removed = std::env::vars_os()
            .map(|(name, _)| name)
            .filter(|name| {
                let text = name.to_string_lossy();
                FOREIGN.contains(&text.as_ref()) || text.starts_with("PODIUM_SIM_")
            })
            .collect();
        Self { folder: engines.join("llama/models"), set, removed }
    }

    /// Lays it over a command that has not been started.
    pub fn apply(&self, command: &mut Command) {
        command.current_dir(&self.folder).envs(self.set.iter().map(|(name, value)| (name, value)));
        for name in &self.removed {
            command.env_remove(name);
        }
    }
}

/// Cargo puts the compiler's libraries in front for xtask itself; engines must not find them.
fn without_cargos(paths: &Paths, libraries: &OsString) -> OsString {
    let cargos = |folder: &Path| {
        folder.starts_with(&paths.target)
            || folder.components().any(|part| part.as_os_str() == "rustlib" || part.as_os_str() == "toolchains")
    };
    // Parts of a list that was split can be joined again.
    std::env::join_paths(std::env::split_paths(libraries).filter(|folder| !cargos(folder))).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn engines_are_spared_the_compilers_libraries() {
        let paths = Paths { root: "/clone".into(), target: "/build".into(), cache: "/cache".into() };
        let libraries =
            "/build/debug/deps:/home/u/.rustup/toolchains/stable/lib:/opt/cuda/lib64:/usr/lib/rustlib/x/lib".into();
        assert_eq!(without_cargos(&paths, &libraries), "/opt/cuda/lib64");
    }
}
