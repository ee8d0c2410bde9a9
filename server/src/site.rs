//! The folder with what the browser loads: script, WebAssembly module, style sheet, icon.

use std::path::{Path, PathBuf};

use leptos::config::LeptosOptions;

/// The base name of the built files: `pkg/podium.js`, `pkg/podium_bg.wasm`, `pkg/podium.css`.
const OUTPUT_NAME: &str = "podium";

/// The file in which the build leaves the digest of everything else in the folder.
const DIGEST_FILE: &str = "digest";

/// The site folder cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SiteError {
    /// Neither named nor beside the executable.
    #[error(
        "no site folder was found (looked in {}); build it with `cargo xtask site`, or name it with --site-dir or \
         PODIUM_SITE_DIR",
        .looked_in.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(", ")
    )]
    Missing {
        /// Every place that was tried.
        looked_in: Vec<PathBuf>,
    },
    /// It is there but not a whole build.
    #[error("the site folder {} is not a complete build ({detail}); run `cargo xtask site` again", .path.display())]
    Incomplete {
        /// The folder.
        path: PathBuf,
        /// What is missing or wrong.
        detail: String,
    },
}

/// A complete site folder.
#[derive(Clone, Debug)]
pub struct Site {
    dir: PathBuf,
    digest: String,
}

impl Site {
    /// Takes the named folder, or else `site` beside the executable or one level above it (where cargo's profile
    /// folders put the executable).
    ///
    /// # Errors
    /// When there is no such folder, or it holds no complete build.
    pub fn find(named: Option<&Path>) -> Result<Self, SiteError> {
        let candidates = match named {
            Some(dir) => vec![dir.to_path_buf()],
            None => beside_executable(),
        };
        match candidates.iter().find(|dir| dir.is_dir()) {
            Some(dir) => Self::open(dir),
            None => Err(SiteError::Missing { looked_in: candidates }),
        }
    }

    fn open(dir: &Path) -> Result<Self, SiteError> {
        let incomplete = |detail: String| SiteError::Incomplete { path: dir.to_path_buf(), detail };
        let digest = std::fs::read_to_string(dir.join(DIGEST_FILE))
            .map_err(|error| incomplete(format!("its file `{DIGEST_FILE}` cannot be read: {error}")))?;
        let digest = digest.trim().to_owned();
        // It becomes a path segment of every page.
        if digest.is_empty() || !digest.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
            return Err(incomplete(format!("its file `{DIGEST_FILE}` does not hold a digest")));
        }
        for name in ["podium.js", "podium_bg.wasm", "podium.css"] {
            if !dir.join("pkg").join(name).is_file() {
                return Err(incomplete(format!("pkg/{name} is missing")));
            }
        }
        Ok(Self { dir: dir.to_path_buf(), digest })
    }

    /// The folder.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The path under which this build's files are served: it names the content, so an answer from it never changes.
    #[must_use]
    pub fn root_path(&self) -> String {
        format!("/assets/{}", self.digest)
    }

    /// What Leptos has to know to render a page. Everything is set here: no `LEPTOS_*` variable is read.
    #[must_use]
    pub fn leptos_options(&self) -> LeptosOptions {
        LeptosOptions::builder()
            .output_name(OUTPUT_NAME)
            .site_root(self.dir.to_string_lossy().into_owned())
            .site_pkg_dir("pkg")
            .build()
    }
}

fn beside_executable() -> Vec<PathBuf> {
    let Ok(executable) = std::env::current_exe() else { return Vec::new() };
    executable.ancestors().skip(1).take(2).map(|dir| dir.join("site")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_without_a_build_says_what_is_missing() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let error = Site::find(Some(dir.path())).expect_err("an empty folder is no site");
        assert!(error.to_string().contains("`digest` cannot be read"), "{error}");

        std::fs::write(dir.path().join("digest"), "0123abcd\n").expect("writable");
        let error = Site::find(Some(dir.path())).expect_err("a digest alone is no site");
        assert!(error.to_string().contains("pkg/podium.js is missing"), "{error}");
    }

    #[test]
    fn a_digest_that_would_change_the_path_is_refused() {
        let dir = tempfile::tempdir().expect("a temporary folder");
        std::fs::write(dir.path().join("digest"), "../../etc").expect("writable");
        assert!(matches!(Site::find(Some(dir.path())), Err(SiteError::Incomplete { .. })));
    }
}
