//! Real engines on this machine, and the tiny model that they serve.

use std::path::{Path, PathBuf};

use podium_domain::plan::Plan;
use tempfile::TempDir;
use uuid::Uuid;

use crate::bench::Bench;

/// The variable that names a folder of engines, `<engine>/bin/<program>` each.
pub const ENGINES_DIR: &str = "PODIUM_ENGINES_DIR";

/// The folder of engines: the named one, else where `make test` puts llama.cpp.
pub fn folder() -> PathBuf {
    std::env::var_os(ENGINES_DIR).map_or_else(own_folder, PathBuf::from)
}

/// Where `make test` puts llama.cpp and the model.
fn own_folder() -> PathBuf {
    let variable = |name| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let cache = variable("XDG_CACHE_HOME").or_else(|| Some(variable("HOME")?.join(".cache")));
    cache.expect("XDG_CACHE_HOME or HOME is set").join("podium/engines")
}

/// The llama.cpp server.
///
/// # Panics
/// When it is not there.
pub fn llama_server() -> PathBuf {
    let folder = folder().join("llama");
    let program = folder.join("bin/llama-server");
    assert!(program.is_file(), "there is no {}: run `engines/setup.sh {}` first", program.display(), folder.display());
    program
}

/// A folder to start a worker in: the paths of `configs/demo-cpu.yaml` lead to the tiny model from there.
///
/// # Panics
/// When there is no model.
pub fn working_folder() -> TempDir {
    let places = [folder().join("llama/models"), own_folder().join("llama/models")];
    let has_model = |place: &&PathBuf| place.join("tiny-llama.gguf").is_file() && place.join("tiny-llama").is_dir();
    let models = places.iter().find(has_model).unwrap_or_else(|| {
        let wanted = own_folder().join("llama");
        panic!("there is no tiny model in {places:?}: run `engines/setup.sh {}` first", wanted.display())
    });
    let folder = tempfile::tempdir().expect("a temporary folder");
    for name in ["tiny-llama", "tiny-llama.gguf"] {
        link(&models.join(name), &folder.path().join(name));
    }
    folder
}

/// What a container has to see for the llama.cpp server in a folder of [`working_folder`]: the folder, the model that it
/// links to, the engine, and the interpreter where the engine has one of its own.
///
/// # Panics
/// When any of it is not there.
pub fn seen_by_llama(working_folder: &Path) -> Vec<PathBuf> {
    let engine = folder().join("llama");
    let model = working_folder.join("tiny-llama.gguf").canonicalize().expect("the model is there");
    let interpreter = engine.join("venv/bin/python").canonicalize().ok();
    let interpreter = interpreter.and_then(|program| Some(program.parent()?.parent()?.to_owned()));
    let mut seen = vec![working_folder.to_owned(), model.parent().expect("it is in a folder").to_owned(), engine];
    seen.extend(interpreter.filter(|home| !home.starts_with("/usr")));
    seen.sort();
    seen.dedup();
    seen
}

fn link(from: &Path, to: &Path) {
    std::os::unix::fs::symlink(from, to).unwrap_or_else(|error| panic!("{}: {error}", to.display()));
}

/// What the plan of a run asks of every request.
#[derive(Debug)]
pub struct CpuPlan {
    /// Requests of one measurement.
    pub num_prompts: u64,
    plan: Plan,
}

impl CpuPlan {
    /// The plan of a run.
    ///
    /// # Panics
    /// When there is no such run.
    pub async fn of(bench: &Bench, run_id: Uuid) -> Self {
        let run = bench.store.run(run_id).await.expect("the run is there");
        let plan: Plan = serde_json::from_value(run.plan).expect("the stored plan can be read");
        CpuPlan { num_prompts: u64::from(plan.dataset.num_prompts), plan }
    }

    /// Prompt and output tokens of a scenario's requests.
    ///
    /// # Panics
    /// When the plan has no such scenario, or its lengths are those of a file.
    pub fn lengths(&self, scenario: &str) -> (u32, u32) {
        let found = self.plan.dataset.scenarios.iter().find(|known| known.name == scenario);
        let lengths = found.and_then(|found| Some((found.input_len?, found.output_len?)));
        lengths.unwrap_or_else(|| panic!("the plan has no lengths for {scenario}"))
    }
}
