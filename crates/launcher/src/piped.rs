//! Programs that are talked to through their pipes while they run.

use std::fmt;
use std::process::Stdio;

use rustix::process::Signal;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite};
use tokio::process::{Child, Command};
use tokio::task::JoinHandle;

use crate::command::{CommandError, failed};
use crate::failure::ExitFacts;
use crate::link::{Exec, ExecChild};
use crate::processes::{self, ProcessIdentity};
use crate::scrub::Scrubber;

/// A running program with its pipes. Dropping it kills the program.
pub struct PipedProcess {
    /// What it reads; drop it to let the program see the end of its input.
    pub stdin: Option<Box<dyn AsyncWrite + Send + Unpin>>,
    /// What it writes.
    pub stdout: Option<Box<dyn AsyncRead + Send + Unpin>>,
    program: String,
    identity: Option<ProcessIdentity>,
    child: Process,
    complaints: JoinHandle<String>,
}

impl fmt::Debug for PipedProcess {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PipedProcess").field("program", &self.program).field("identity", &self.identity).finish()
    }
}

enum Process {
    Here(Child),
    Remote(ExecChild),
}

/// How much of the end of standard error is kept, in bytes.
const COMPLAINTS_LIMIT: usize = 16 * 1024;

impl PipedProcess {
    pub(crate) fn start(argv: &[String], env: &[(String, String)], scrubber: Scrubber) -> Result<Self, CommandError> {
        let (program, arguments) = argv.split_first().ok_or(CommandError::Empty)?;
        let mut command = Command::new(program);
        command.args(arguments).envs(env.iter().map(|(name, value)| (name, value)));
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        // A terminal's interrupt reaches its own group only: whoever started this program decides when it ends.
        command.process_group(0).kill_on_drop(true);
        let mut child = command.spawn().map_err(|source| failed(program, source))?;
        let stderr = child.stderr.take();
        let complaints = tokio::spawn(async move { scrubber.scrub(&last_of(stderr).await).into_owned() });
        Ok(Self {
            stdin: child.stdin.take().map(|pipe| Box::new(pipe) as _),
            stdout: child.stdout.take().map(|pipe| Box::new(pipe) as _),
            program: program.clone(),
            identity: child.id().and_then(|pid| processes::identify(pid as i32)),
            child: Process::Here(child),
            complaints,
        })
    }

    /// The agent on another machine.
    pub(crate) fn remote(exec: Exec, scrubber: Scrubber) -> Self {
        let Exec { stdin, stdout, mut child } = exec;
        let stderr = child.stderr();
        let complaints = tokio::spawn(async move { scrubber.scrub(&last_of(stderr).await).into_owned() });
        Self {
            stdin: Some(stdin),
            stdout: Some(Box::new(stdout)),
            program: "podium-agent".to_owned(),
            identity: None,
            child: Process::Remote(child),
            complaints,
        }
    }

    /// The process, for the record of what a run started.
    pub fn process(&self) -> Option<ProcessIdentity> {
        self.identity
    }

    /// Asks the program to end (SIGTERM). A program that has ended already is no error.
    pub fn terminate(&self) {
        if let Some(Err(error)) = self.identity.map(|identity| processes::send_signal(identity, Signal::TERM)) {
            tracing::warn!(program = %self.program, %error, "a program could not be told to end");
        }
    }

    /// Waits for the end; returns how it ended and the last 16 KiB of what it wrote to standard error, scrubbed.
    ///
    /// # Errors
    /// The system could not wait for it.
    pub async fn wait(mut self) -> Result<(ExitFacts, String), CommandError> {
        self.stdin = None;
        let status = match self.child {
            Process::Here(mut child) => child.wait().await.map_err(|source| failed(&self.program, source))?,
            Process::Remote(child) => {
                child.wait().await.map_err(|error| CommandError::Host { reason: error.to_string() })?
            }
        };
        Ok((status.into(), self.complaints.await.unwrap_or_default()))
    }
}

/// Reads to the end and keeps the last bytes.
async fn last_of(pipe: Option<impl AsyncRead + Unpin>) -> String {
    let Some(mut pipe) = pipe else { return String::new() };
    let mut kept = Vec::new();
    let mut buffer = vec![0; 8 * 1024];
    while let Ok(read @ 1..) = pipe.read(&mut buffer).await {
        kept.extend_from_slice(&buffer[..read]);
        let excess = kept.len().saturating_sub(COMPLAINTS_LIMIT);
        kept.drain(..excess);
    }
    String::from_utf8_lossy(&kept).into_owned()
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};

    use super::*;

    fn start(words: &[&str]) -> PipedProcess {
        let argv: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
        PipedProcess::start(&argv, &[], Scrubber::default()).unwrap()
    }

    #[tokio::test]
    async fn lines_go_both_ways_and_the_end_of_input_ends_it() {
        let mut cat = start(&["cat"]);
        let mut lines = BufReader::new(cat.stdout.take().unwrap()).lines();
        for line in ["one", "two"] {
            cat.stdin.as_mut().unwrap().write_all(format!("{line}\n").as_bytes()).await.unwrap();
            assert_eq!(lines.next_line().await.unwrap().as_deref(), Some(line));
        }
        let (exit, complaints) = cat.wait().await.unwrap();
        assert!(exit.success());
        assert_eq!(complaints, "");
    }

    #[tokio::test]
    async fn complaints_are_kept_and_scrubbed_and_termination_is_seen() {
        let code = "import sys, time; print('bad hf_0123456789abcdefghij', file=sys.stderr, flush=True); print('up', flush=True); time.sleep(600)";
        let mut program = start(&["python3", "-c", code]);
        let mut lines = BufReader::new(program.stdout.take().unwrap()).lines();
        assert_eq!(lines.next_line().await.unwrap().as_deref(), Some("up"));
        program.terminate();
        let (exit, complaints) = program.wait().await.unwrap();
        assert_eq!(exit.signal, Some(15));
        assert_eq!(complaints, "bad [secret]\n");
    }
}
