//! Commands that are run to their end, with a deadline and a limit on what they may print.

use std::io;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::process::Command;

use crate::failure::ExitFacts;

/// A command to run to its end. The environment is inherited.
#[derive(Debug, Clone)]
pub struct CommandSpec {
    /// Program and arguments; never seen by a shell.
    pub argv: Vec<String>,
    /// Variables on top of the inherited ones.
    pub env: Vec<(String, String)>,
    /// Where it runs; `None` is where this process runs.
    pub folder: Option<PathBuf>,
    /// What it reads on its standard input; nothing when empty.
    pub stdin: Vec<u8>,
    /// How long it may take. Its whole process group is killed at the deadline.
    pub deadline: Duration,
    /// Bytes of standard output and of standard error that are kept, each; the rest is read and dropped.
    pub output_limit_bytes: usize,
}

impl CommandSpec {
    /// A command with 10 seconds, 1 MiB of output, and no input.
    pub fn new<W: Into<String>>(argv: impl IntoIterator<Item = W>) -> Self {
        Self {
            argv: argv.into_iter().map(Into::into).collect(),
            env: Vec::new(),
            folder: None,
            stdin: Vec::new(),
            deadline: Duration::from_secs(10),
            output_limit_bytes: 1 << 20,
        }
    }
}

/// What a command printed and how it ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CommandOutput {
    /// How it ended.
    pub exit: ExitFacts,
    /// Its standard output, up to the limit; bytes that are not UTF-8 are replaced.
    pub stdout: String,
    /// Its standard error, likewise.
    pub stderr: String,
    /// Whether the limit cut anything off.
    pub truncated: bool,
}

/// Why a command has no output to show.
#[derive(Debug, thiserror::Error)]
pub enum CommandError {
    /// The program is not there.
    #[error("`{program}` was not found on PATH of this machine")]
    NotFound {
        /// The first word of the command.
        program: String,
    },
    /// There is no first word.
    #[error("the command is empty")]
    Empty,
    /// It was killed at its deadline.
    #[error("`{program}` did not end within {} s and was stopped", deadline.as_secs_f64())]
    TimedOut {
        /// The first word of the command.
        program: String,
        /// The time it had.
        deadline: Duration,
    },
    /// The host could not be reached, or said why it did not run the command.
    #[error("{reason}")]
    Host {
        /// A sentence with what to do.
        reason: String,
    },
    /// The system refused.
    #[error("`{program}` could not be run on this machine")]
    Io {
        /// The first word of the command.
        program: String,
        /// What the system said.
        source: io::Error,
    },
}

/// Runs a command on this machine.
pub(crate) async fn run(spec: &CommandSpec) -> Result<CommandOutput, CommandError> {
    let program = spec.argv.first().ok_or(CommandError::Empty)?.clone();
    let failed = |source| failed(&program, source);
    let mut command = Command::new(&program);
    command.args(&spec.argv[1..]).envs(spec.env.iter().map(|(n, v)| (n, v)));
    command.stdin(if spec.stdin.is_empty() { Stdio::null() } else { Stdio::piped() });
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0).kill_on_drop(true);
    if let Some(folder) = &spec.folder {
        command.current_dir(folder);
    }
    let mut child = command.spawn().map_err(failed)?;
    let group = child.id().and_then(|id| rustix::process::Pid::from_raw(id as i32));
    let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
    let conversation = async {
        let feed = async {
            if let Some(mut pipe) = stdin {
                // A program that does not read its input to the end is no failure of ours.
                let _ = pipe.write_all(&spec.stdin).await;
            }
        };
        let limit = spec.output_limit_bytes;
        let ((), out, err) = tokio::join!(feed, read_limited(stdout, limit), read_limited(stderr, limit));
        Ok::<_, io::Error>((child.wait().await?, out?, err?))
    };
    match tokio::time::timeout(spec.deadline, conversation).await {
        Ok(outcome) => {
            let (status, (stdout, out_cut), (stderr, err_cut)) = outcome.map_err(failed)?;
            Ok(CommandOutput { exit: status.into(), stdout, stderr, truncated: out_cut || err_cut })
        }
        Err(_) => {
            // The leader has not been waited for, so the group's number is still its own.
            if let Some(group) = group {
                let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
            }
            Err(CommandError::TimedOut { program, deadline: spec.deadline })
        }
    }
}

/// What the system said when `program` was started or waited for.
pub(crate) fn failed(program: &str, source: io::Error) -> CommandError {
    let program = program.to_owned();
    match source.kind() {
        io::ErrorKind::NotFound => CommandError::NotFound { program },
        _ => CommandError::Io { program, source },
    }
}

/// Reads to the end, keeps `limit` bytes, and says whether there were more.
async fn read_limited(pipe: Option<impl AsyncRead + Unpin>, limit: usize) -> io::Result<(String, bool)> {
    let Some(mut pipe) = pipe else { return Ok((String::new(), false)) };
    let mut kept = Vec::new();
    let mut truncated = false;
    let mut buffer = vec![0; 16 * 1024];
    loop {
        let read = pipe.read(&mut buffer).await?;
        if read == 0 {
            return Ok((String::from_utf8_lossy(&kept).into_owned(), truncated));
        }
        let room = (limit - kept.len()).min(read);
        kept.extend_from_slice(&buffer[..room]);
        truncated |= room < read;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn output_is_kept_up_to_its_limit() {
        let mut spec = CommandSpec::new(["cat"]);
        spec.stdin = vec![b'x'; 300_000];
        spec.output_limit_bytes = 1000;
        let output = run(&spec).await.unwrap();
        assert!(output.exit.success());
        assert_eq!((output.stdout.len(), output.truncated), (1000, true));
    }

    #[tokio::test]
    async fn arguments_and_variables_arrive_byte_for_byte() {
        let hostile = "$(id) `id` ; rm -rf / 'x' \"y\" \n*";
        let mut spec = CommandSpec::new(["printenv", "PODIUM_PROBE"]);
        spec.env = vec![("PODIUM_PROBE".into(), hostile.into())];
        assert_eq!(run(&spec).await.unwrap().stdout, format!("{hostile}\n"));
        let output = run(&CommandSpec::new(["printf", "%s", hostile])).await.unwrap();
        assert_eq!(output.stdout, hostile);
    }

    #[tokio::test]
    async fn a_command_that_is_not_there_and_one_that_hangs_say_so() {
        let error = run(&CommandSpec::new(["no-such-program-of-podium"])).await.unwrap_err();
        assert_eq!(error.to_string(), "`no-such-program-of-podium` was not found on PATH of this machine");
        let mut hangs = CommandSpec::new(["sleep", "600"]);
        hangs.deadline = Duration::from_millis(50);
        assert!(matches!(run(&hangs).await, Err(CommandError::TimedOut { .. })));
        assert!(matches!(run(&CommandSpec::new(Vec::<String>::new())).await, Err(CommandError::Empty)));
    }
}
