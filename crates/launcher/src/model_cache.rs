//! Where engines keep the models that they download.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::environment::Environment;

/// A folder of downloaded models.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModelCache {
    /// The folder.
    pub path: PathBuf,
    /// The variable that names it; `None` for the usual place.
    pub named_by: Option<String>,
    /// Whether it is there.
    pub exists: bool,
    /// The models in it as `organisation/name`, in name order, at most [`MAX_MODELS`].
    pub models: Vec<String>,
}

/// More models than this are not listed.
const MAX_MODELS: usize = 500;

/// Variables that name the folder of the Hugging Face hub itself, the strongest first.
const HUB_VARIABLES: [&str; 2] = ["HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE"];

/// The caches of this machine: the hub's, and llama.cpp's own where it is there.
pub(crate) fn find(environment: &Environment) -> Vec<ModelCache> {
    let home = environment.get("HOME").map(PathBuf::from);
    let cache_home = environment.get("XDG_CACHE_HOME").map(PathBuf::from).or_else(|| Some(home?.join(".cache")));
    let named = HUB_VARIABLES.iter().find_map(|name| Some((PathBuf::from(environment.get(name)?), Some(*name))));
    let by_home = || environment.get("HF_HOME").map(|folder| (Path::new(folder).join("hub"), Some("HF_HOME")));
    let usual = || cache_home.as_ref().map(|folder| (folder.join("huggingface/hub"), None));
    let hub = named.or_else(by_home).or_else(usual);
    let llama = match environment.get("LLAMA_CACHE") {
        Some(folder) => Some((PathBuf::from(folder), Some("LLAMA_CACHE"))),
        None => cache_home.as_ref().map(|folder| (folder.join("llama.cpp"), None)).filter(|(path, _)| path.is_dir()),
    };
    hub.into_iter().chain(llama).map(|(path, named_by)| cache(path, named_by)).collect()
}

fn cache(path: PathBuf, named_by: Option<&str>) -> ModelCache {
    let entries = std::fs::read_dir(&path).into_iter().flatten().flatten();
    let mut models: Vec<_> = entries.filter_map(|entry| model(entry.file_name().to_str()?)).collect();
    models.sort();
    models.truncate(MAX_MODELS);
    ModelCache { exists: path.is_dir(), named_by: named_by.map(str::to_owned), models, path }
}

/// The model of a cache entry: `models--org--name` of the hub, or a file of llama.cpp.
fn model(entry: &str) -> Option<String> {
    if let Some(name) = entry.strip_prefix("models--") {
        return Some(name.replacen("--", "/", 1));
    }
    entry.ends_with(".gguf").then(|| entry.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn caches_are_found_by_variable_and_in_the_usual_place() {
        let folder = tempfile::tempdir().unwrap();
        let at = |path: &str| folder.path().join(path);
        std::fs::create_dir_all(at("home/.cache/huggingface/hub/models--Qwen--Qwen3-8B")).unwrap();
        std::fs::create_dir_all(at("home/.cache/huggingface/hub/datasets--x--y")).unwrap();
        let text = |path: &str| at(path).display().to_string();

        let usual = find(&Environment::from_pairs([("HOME", text("home"))]));
        assert_eq!(usual.len(), 1);
        assert_eq!((usual[0].exists, usual[0].named_by.as_deref()), (true, None));
        assert_eq!(usual[0].models, ["Qwen/Qwen3-8B"]);

        let pairs = [("HOME", text("home")), ("HF_HOME", text("big")), ("LLAMA_CACHE", text("llama"))];
        let named = find(&Environment::from_pairs(pairs.clone()));
        assert_eq!((named[0].path.clone(), named[0].named_by.as_deref()), (at("big/hub"), Some("HF_HOME")));
        assert_eq!((named[1].path.clone(), named[1].exists), (at("llama"), false));

        let stronger = find(&Environment::from_pairs(pairs.into_iter().chain([("HF_HUB_CACHE", text("hub"))])));
        assert_eq!(stronger[0].named_by.as_deref(), Some("HF_HUB_CACHE"));
        assert!(find(&Environment::default()).is_empty());
    }
}
