//! Why an engine could not be used: where in its life, what kind of failure, and the log lines that prove it.

use std::fmt;
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;

use podium_domain::status::CandidateStatus;
use serde::{Deserialize, Serialize};

/// Where in its life an engine failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LaunchStage {
    /// Before there was a process: command, port, log folder.
    Start,
    /// From the first process to a healthy server.
    Loading,
    /// While the first real request was being answered.
    FirstRequest,
    /// After it had been ready.
    Serving,
}

impl fmt::Display for LaunchStage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            LaunchStage::Start => "start",
            LaunchStage::Loading => "loading",
            LaunchStage::FirstRequest => "first request",
            LaunchStage::Serving => "serving",
        })
    }
}

/// What kind of failure it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FailureClass {
    /// GPU memory did not suffice.
    GpuOutOfMemory,
    /// The machine's memory or a memory limit (cgroup) did not suffice.
    HostOutOfMemory,
    /// Another process holds the port.
    PortTaken,
    /// The server does not know one of its flags, or refuses its value.
    UnknownFlag,
    /// The model's files or repository were not found.
    MissingModel,
    /// The model needs an account that has access to it.
    GatedModel,
    /// GPU driver, CUDA runtime and kernels do not fit each other, or there is no GPU.
    DriverMismatch,
    /// The GPUs could not talk to each other.
    Nccl,
    /// The server's program is not there.
    CommandNotFound,
    /// The server is installed but cannot load one of its own parts.
    BrokenInstall,
    /// The server's own code failed.
    EngineError,
    /// Ended by a signal that nobody of ours sent.
    CrashSignal,
    /// Alive, silent, and never ready.
    Hang,
    /// Alive and busy at the deadline.
    TimedOut,
    /// Ended by itself for a reason that no recogniser knows.
    ExitedEarly,
    /// Healthy by its own account, but a real request was not answered.
    RequestFailed,
    /// Stopped because the run was cancelled.
    Cancelled,
    /// This machine could not do what starting needs (log folder, process limit).
    HostTrouble,
}

impl FailureClass {
    /// The class as the word that is stored and shown.
    pub fn word(self) -> &'static str {
        match self {
            FailureClass::GpuOutOfMemory => "gpu_out_of_memory",
            FailureClass::HostOutOfMemory => "host_out_of_memory",
            FailureClass::PortTaken => "port_taken",
            FailureClass::UnknownFlag => "unknown_flag",
            FailureClass::MissingModel => "missing_model",
            FailureClass::GatedModel => "gated_model",
            FailureClass::DriverMismatch => "driver_mismatch",
            FailureClass::Nccl => "nccl",
            FailureClass::CommandNotFound => "command_not_found",
            FailureClass::BrokenInstall => "broken_install",
            FailureClass::EngineError => "engine_error",
            FailureClass::CrashSignal => "crash_signal",
            FailureClass::Hang => "hang",
            FailureClass::TimedOut => "timed_out",
            FailureClass::ExitedEarly => "exited_early",
            FailureClass::RequestFailed => "request_failed",
            FailureClass::Cancelled => "cancelled",
            FailureClass::HostTrouble => "host_trouble",
        }
    }

    /// The status of a candidate that failed like this.
    pub fn candidate_status(self) -> CandidateStatus {
        match self {
            FailureClass::GpuOutOfMemory | FailureClass::HostOutOfMemory => CandidateStatus::Oom,
            FailureClass::Hang | FailureClass::TimedOut => CandidateStatus::Timeout,
            FailureClass::Cancelled => CandidateStatus::Skipped,
            _ => CandidateStatus::Failed,
        }
    }

    /// Whether the machine lacks something, so that the framework itself is not to blame.
    pub fn is_environment_gap(self) -> bool {
        matches!(self, FailureClass::CommandNotFound | FailureClass::BrokenInstall | FailureClass::HostTrouble)
    }
}

/// How a process ended. Exactly one of the two is set, unless the end could not be observed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExitFacts {
    /// The exit code of a process that ended by itself.
    pub code: Option<i32>,
    /// The number of the signal that ended it.
    pub signal: Option<i32>,
}

impl From<ExitStatus> for ExitFacts {
    fn from(status: ExitStatus) -> Self {
        Self { code: status.code(), signal: status.signal() }
    }
}

impl ExitFacts {
    /// Whether it ended with exit code 0.
    pub fn success(self) -> bool {
        self.code == Some(0)
    }

    /// Whether it was ended by SIGKILL, directly or inside a shell or container that reports 128 + 9.
    pub fn was_killed(self) -> bool {
        self.signal == Some(9) || self.code == Some(137)
    }
}

impl fmt::Display for ExitFacts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.code, self.signal) {
            (Some(code), _) => write!(f, "exit code {code}"),
            (None, Some(signal)) => match signal_name(signal) {
                Some(name) => write!(f, "{name} (signal {signal})"),
                None => write!(f, "signal {signal}"),
            },
            (None, None) => f.write_str("an unknown exit status"),
        }
    }
}

/// The names of the signals that end engines.
fn signal_name(signal: i32) -> Option<&'static str> {
    Some(match signal {
        1 => "SIGHUP",
        2 => "SIGINT",
        4 => "SIGILL",
        6 => "SIGABRT",
        7 => "SIGBUS",
        8 => "SIGFPE",
        9 => "SIGKILL",
        11 => "SIGSEGV",
        13 => "SIGPIPE",
        15 => "SIGTERM",
        _ => return None,
    })
}

/// Why an engine could not be used. Its `Display` is the reason, one sentence for people.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{reason}")]
pub struct LaunchFailure {
    /// Where in its life.
    pub stage: LaunchStage,
    /// What kind.
    pub class: FailureClass,
    /// What happened, in a sentence.
    pub reason: String,
    /// The log lines that prove it, or the last ones where none stands out; scrubbed of secrets.
    pub evidence: Vec<String>,
    /// What to do about it, where that is known.
    pub hint: Option<String>,
    /// How the process ended, if it did.
    pub exit: Option<ExitFacts>,
}

impl LaunchFailure {
    /// A failure without evidence, hint or exit.
    pub fn new(stage: LaunchStage, class: FailureClass, reason: impl Into<String>) -> Self {
        Self { stage, class, reason: reason.into(), evidence: Vec::new(), hint: None, exit: None }
    }

    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    pub(crate) fn evidence(mut self, lines: Vec<String>) -> Self {
        self.evidence = lines;
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exits_read_as_sentences() {
        assert_eq!(ExitFacts { code: Some(2), signal: None }.to_string(), "exit code 2");
        assert_eq!(ExitFacts { code: None, signal: Some(11) }.to_string(), "SIGSEGV (signal 11)");
        assert!(ExitFacts { code: Some(137), signal: None }.was_killed());
    }

    #[test]
    fn a_class_is_stored_as_its_word() {
        for class in [FailureClass::GpuOutOfMemory, FailureClass::Nccl, FailureClass::HostTrouble] {
            assert_eq!(serde_json::to_value(class).unwrap(), class.word());
        }
        assert_eq!(FailureClass::GpuOutOfMemory.candidate_status(), CandidateStatus::Oom);
        assert_eq!(FailureClass::Hang.candidate_status(), CandidateStatus::Timeout);
    }
}
