//! Running other programs.

use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, bail};

use crate::paths::Paths;

/// A program that ran to its end.
#[derive(Debug)]
pub struct Finished {
    /// Whether it exited with 0.
    pub success: bool,
    /// Standard output.
    pub stdout: String,
    /// Standard error.
    pub stderr: String,
}

impl Finished {
    /// Both streams, as far as they hold anything, without cargo's lines about what went well.
    #[must_use]
    pub fn output(&self) -> String {
        [&self.stdout, &self.stderr]
            .into_iter()
            .flat_map(|stream| stream.lines())
            .filter(|line| !is_cargo_progress(line))
            .collect::<Vec<_>>()
            .join("\n")
    }
}

/// `   Compiling serde v1.0.0` and its like: hundreds of them hide the one line that matters.
#[must_use]
pub fn is_cargo_progress(line: &str) -> bool {
    const VERBS: [&str; 7] =
        ["Compiling ", "Checking ", "Downloading ", "Downloaded ", "Updating ", "Blocking ", "Locking "];
    let verb = line.trim_start();
    line.starts_with(' ') && VERBS.iter().any(|known| verb.starts_with(known))
}

/// Runs to the end and keeps what was printed, whatever the exit code.
///
/// # Errors
/// When the program cannot be started.
pub fn capture(command: &mut Command) -> Result<Finished> {
    let shown = display(command);
    let output = command.stdin(Stdio::null()).output().with_context(|| format!("cannot start `{shown}`"))?;
    Ok(Finished {
        success: output.status.success(),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    })
}

/// Runs to the end; what it printed is in the error, or the result.
///
/// # Errors
/// When the program cannot be started or exits with another code than 0.
pub fn succeed(command: &mut Command) -> Result<Finished> {
    let finished = capture(command)?;
    if !finished.success {
        bail!("{}\n`{}` failed", finished.output(), display(command));
    }
    Ok(finished)
}

/// The command line as one would type it, for messages.
#[must_use]
pub fn display(command: &Command) -> String {
    std::iter::once(command.get_program())
        .chain(command.get_args())
        .map(OsStr::to_string_lossy)
        .collect::<Vec<_>>()
        .join(" ")
}

/// The cargo that runs this task, in the workspace, on the shared build folder.
#[must_use]
pub fn cargo(paths: &Paths) -> Command {
    let program = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    cargo_at(Path::new(&program), paths)
}

/// Another cargo, in the workspace, on the shared build folder.
#[must_use]
pub fn cargo_at(program: &Path, paths: &Paths) -> Command {
    let mut command = Command::new(program);
    command.current_dir(&paths.root).env("CARGO_TARGET_DIR", &paths.target).env("CARGO_TERM_COLOR", "never");
    for (name, _) in std::env::vars_os() {
        // Cargo sets these for xtask itself; to a build they would look like changed input. Leptos' macros read
        // LEPTOS_* while compiling, so a stray one changes the file names that the pages ask for.
        let name_text = name.to_string_lossy();
        if name_text.starts_with("CARGO_PKG_") || name_text.starts_with("LEPTOS_") || name_text == "CARGO_MANIFEST_DIR"
        {
            command.env_remove(&name);
        }
    }
    command
}

/// The first file of that name on PATH.
#[must_use]
pub fn on_path(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path).map(|dir| dir.join(program)).find(|file| file.is_file())
}

#[cfg(test)]
mod tests {
    use super::is_cargo_progress;

    #[test]
    fn only_indented_verbs_are_progress() {
        assert!(is_cargo_progress("   Compiling serde v1.0.0"));
        assert!(!is_cargo_progress("Compiling is what failed"));
        assert!(!is_cargo_progress("error: could not compile `app`"));
    }
}
