//! The folders that the tasks work in.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};

/// Where things are. All absolute.
#[derive(Clone, Debug)]
pub struct Paths {
    /// The workspace.
    pub root: PathBuf,
    /// Cargo's build folder, outside the clone so that a fresh clone finds it warm.
    pub target: PathBuf,
    /// What set-up makes once: the sysroot of the browser code, the tests' node modules.
    pub cache: PathBuf,
}

impl Paths {
    /// Takes `CARGO_TARGET_DIR` where it is set, else `target` in the user's cache folder.
    ///
    /// # Errors
    /// When there is neither a cache folder nor a home to put it in.
    pub fn find() -> Result<Self> {
        // Asked at run time: two clones may share a build folder, and then this binary may be the other's.
        let manifest_dir = std::env::var_os("CARGO_MANIFEST_DIR")
            .context("CARGO_MANIFEST_DIR is not set; start this program by `cargo xtask`")?;
        let root = Path::new(&manifest_dir)
            .parent()
            .context("xtask's own folder has no parent; run it from the workspace")?
            .to_path_buf();
        let cache = cache_folder()?.join("podium");
        let target = match std::env::var_os("CARGO_TARGET_DIR") {
            Some(dir) if !dir.is_empty() => root.join(dir),
            _ => cache.join("target"),
        };
        Ok(Self { root, target, cache })
    }

    /// The built site.
    #[must_use]
    pub fn site(&self) -> PathBuf {
        self.target.join("site")
    }
}

fn cache_folder() -> Result<PathBuf> {
    let named = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from).filter(|dir| dir.is_absolute());
    match named {
        Some(dir) => Ok(dir),
        None => {
            let home = std::env::var_os("HOME").context("neither XDG_CACHE_HOME nor HOME is set; set one of them")?;
            Ok(PathBuf::from(home).join(".cache"))
        }
    }
}
