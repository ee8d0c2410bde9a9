//! The product's own programs, as processes.

use std::path::PathBuf;
use std::process::{Output, Stdio};
use std::time::Duration;

use tokio::process::Command;

/// Nothing that a test starts and waits for may take longer than this: three real engines on a busy machine take half of
/// it. It only turns a hang into a failure.
const LONGEST_COMMAND: Duration = Duration::from_secs(3600);

/// The `podium` program that was built beside the tests.
///
/// # Panics
/// When it was not built.
pub fn podium_program() -> PathBuf {
    program("podium", "podium-server")
}

/// The load process's program.
///
/// # Panics
/// When it was not built.
pub fn agent_program() -> PathBuf {
    program("podium-agent", "podium-loadgen")
}

/// Cargo builds the binaries of a package for that package's own tests only, so that these are looked for.
fn program(name: &str, package: &str) -> PathBuf {
    let tests = std::env::current_exe().expect("a test knows its own program");
    // Test programs are in `deps` below the folder of the others, the drill is beside them.
    let found = tests.ancestors().skip(1).take(2).map(|folder| folder.join(name)).find(|path| path.is_file());
    found.unwrap_or_else(|| panic!("{name} is not there: run `cargo build -p {package} --bins` first"))
}

/// A `podium` command that knows nothing of this machine's settings, keeps quiet about what goes well, and ends with
/// its test.
pub fn podium<S: AsRef<str>>(arguments: impl IntoIterator<Item = S>) -> Command {
    let mut command = Command::new(podium_program());
    for (name, _) in std::env::vars_os() {
        if name.to_str().is_some_and(|name| name.starts_with("PODIUM_") || name == "DATABASE_URL") {
            command.env_remove(name);
        }
    }
    command
        .args(arguments.into_iter().map(|argument| argument.as_ref().to_owned()))
        .env("PODIUM_LOG", "warn")
        .env("PODIUM_AGENT", agent_program())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    command
}

/// A command that ran to its end.
#[derive(Debug)]
pub struct Ended {
    /// Its exit code; `None` when a signal ended it.
    pub code: Option<i32>,
    /// What it printed.
    pub stdout: String,
    /// What it complained about.
    pub stderr: String,
}

impl Ended {
    /// Its standard output as JSON.
    ///
    /// # Panics
    /// When it is none.
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("no JSON ({error}): {self:?}"))
    }
}

impl From<Output> for Ended {
    fn from(output: Output) -> Self {
        Ended {
            code: output.status.code(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}

/// Runs a command to its end.
///
/// # Panics
/// When it cannot be started or does not end.
pub async fn run(command: &mut Command) -> Ended {
    let output = tokio::time::timeout(LONGEST_COMMAND, command.output()).await;
    output.expect("the command ends").expect("the command starts").into()
}
