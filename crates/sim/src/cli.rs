//! The command lines of the simulated frameworks.
//!
//! Each framework's own syntax is accepted: the model as a positional argument or a flag, `--a-b` and `--a_b`,
//! `--flag=value`, `--no-flag`, short forms, lists, JSON values. Flags that the real server has and the model does not
//! are accepted and have no effect; flags that nobody knows are an error, worded as the real server words it.
//!
//! What the simulation itself needs comes as `--sim-*` flags or, weaker, from the environment (`PODIUM_SIM_GPU` for
//! `--sim-gpu`, and so on).

mod apply;
mod effects;
mod flags;
mod help;
mod options_file;
mod syntax;

use std::time::Duration;

use podium_domain::framework::Framework;

pub use apply::parse;

use crate::engine::EngineConfig;

/// What a command line asks for.
#[derive(Debug, Clone, PartialEq)]
pub enum Command {
    /// To serve.
    Serve(Box<ServerOptions>),
    /// To print this text and exit with 0 (`--help`, `--version`).
    Print(String),
}

/// A command line that is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CliError {
    /// It is not understood; exit code 2, as the real parsers exit.
    #[error("{0}")]
    Usage(String),
    /// It is understood, but the server would not start with these values; exit code 1.
    #[error("{0}")]
    Refused(String),
}

impl CliError {
    /// The exit code that belongs to it.
    pub fn exit_code(&self) -> u8 {
        match self {
            CliError::Usage(_) => 2,
            CliError::Refused(_) => 1,
        }
    }
}

/// Everything that a simulated server is started with.
#[derive(Debug, Clone, PartialEq)]
pub struct ServerOptions {
    /// Whose manners the server has.
    pub framework: Framework,
    /// The address to bind.
    pub host: String,
    /// The port to bind.
    pub port: u16,
    /// The model as it was given.
    pub model: String,
    /// The names that requests may use; never empty, the first is the main one.
    pub served_names: Vec<String>,
    /// Whether `/metrics` answers.
    pub metrics: bool,
    /// The engine.
    pub engine: EngineConfig,
    /// How long loading takes.
    pub startup: Duration,
    /// How long the front end holds a request before the engine has it.
    pub pre_scheduler: Duration,
    /// What goes wrong on purpose.
    pub fault: Option<Fault>,
}

/// Faults for tests of whatever starts the server. None of them is needed to run out of memory or to saturate: that
/// comes from the engine itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Exits with this code before it listens.
    Exit(u8),
    /// Listens, and never becomes ready.
    Hang,
    /// Every generation request answers 500.
    Http500,
    /// The process dies with exit code 134 on the first generation request after this many have ended.
    CrashAfter(u64),
    /// SIGTERM is ignored.
    IgnoreTerm,
}

impl std::str::FromStr for Fault {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (name, value) = text.split_once('=').unwrap_or((text, ""));
        let wrong = || {
            format!(
                "invalid choice: '{text}' (choose from exit, exit=CODE, hang, http500, crash-after=REQUESTS, ignore-term)"
            )
        };
        match (name, value) {
            ("exit", "") => Ok(Fault::Exit(1)),
            ("exit", code) => code.parse().map(Fault::Exit).map_err(|_| wrong()),
            ("hang", "") => Ok(Fault::Hang),
            ("http500", "") => Ok(Fault::Http500),
            ("crash-after", requests) => requests.parse().map(Fault::CrashAfter).map_err(|_| wrong()),
            ("ignore-term", "") => Ok(Fault::IgnoreTerm),
            _ => Err(wrong()),
        }
    }
}

#[cfg(test)]
mod tests;
