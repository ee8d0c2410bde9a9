//! What a host's agent is asked and answers: JSON lines over the pipes of `podium-agent exec`. The command line that
//! starts it never changes, so no byte of a plan can reach a shell.

use std::path::PathBuf;
use std::time::Duration;

use podium_domain::framework::Framework;
use podium_domain::plan::Endpoint;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::command::CommandOutput;
use crate::container::{ContainerCommand, ContainerConfig};
use crate::engine::EngineSpec;
use crate::facts::HostFacts;
use crate::failure::{ExitFacts, LaunchFailure, LaunchStage};
use crate::leftovers::Leftover;
use crate::log::LogLimits;
use crate::ports::PortState;
use crate::processes::{ProcessIdentity, RunningLaunch};
use crate::readiness::ReadyFacts;
use crate::resolve::ResolvedCommand;
use crate::stop::{StopReport, SweepReport};

/// The version of everything in this module. The agent is copied by its hash, so that another version is only met when
/// somebody starts one by hand.
pub(crate) const WIRE_VERSION: u32 = 3;

/// How often each side of an engine's line lets the other hear that it is there.
pub(crate) const BEAT_INTERVAL: Duration = Duration::from_secs(4);

/// After so long without a word the other side counts as gone, though the connection may look whole: a network that
/// drops every packet says nothing. The agent then stops its engine, and this side takes the engine for stopped.
pub(crate) const SILENCE_LIMIT: Duration = Duration::from_secs(20);

/// The first line: what to do, and how the host is set up.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Request {
    pub(crate) version: u32,
    pub(crate) setup: Setup,
    pub(crate) job: Job,
}

/// What the host's owner configured; the same for every job.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Setup {
    /// The working folder of everything that is started; the user's home where absent.
    pub(crate) folder: Option<PathBuf>,
    /// The program that the word `podium` stands for.
    pub(crate) podium: Option<PathBuf>,
    /// Variables on top of the login's.
    pub(crate) env: Vec<(String, String)>,
    /// How engines are put into containers.
    #[serde(default)]
    pub(crate) container: Option<ContainerConfig>,
}

/// One thing to do.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Job {
    Facts,
    Run(RunJob),
    Resolve {
        framework: Framework,
        argv: Vec<String>,
        facts: Box<HostFacts>,
    },
    FreePort,
    PortState {
        port: u16,
    },
    RunningLaunches,
    Sweep {
        launches: Vec<Uuid>,
    },
    Leftovers,
    RemoveLeftover(Leftover),
    /// Answers a line with the same line until the input ends.
    Echo,
    /// Makes a file of the bytes that follow the request; `path` is relative to the agent's own folder.
    WriteFile {
        path: PathBuf,
        bytes: u64,
    },
    /// Answers with the length and then the bytes.
    ReadFile {
        path: PathBuf,
    },
    /// Removes a folder below the agent's own folder.
    RemoveFolder {
        path: PathBuf,
    },
    /// Starts an engine and stays with it; it answers with [`EngineNews`] and hears [`Order`]s. The end of the input stops
    /// the engine, and so does [`SILENCE_LIMIT`] without an order.
    Engine(Box<EngineJob>),
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct RunJob {
    pub(crate) argv: Vec<String>,
    pub(crate) env: Vec<(String, String)>,
    pub(crate) folder: Option<PathBuf>,
    pub(crate) stdin: Vec<u8>,
    pub(crate) deadline_ms: u64,
    pub(crate) output_limit_bytes: usize,
}

/// The answer to every job but [`Job::Echo`] and [`Job::Engine`].
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Reply {
    Facts(Box<HostFacts>),
    Run(CommandOutput),
    Resolved(Result<ResolvedCommand, LaunchFailure>),
    Port(u16),
    PortState(PortState),
    RunningLaunches(Vec<RunningLaunch>),
    Sweep(SweepReport),
    Leftovers(Vec<Leftover>),
    /// The absolute path of what was written.
    Written(PathBuf),
    /// This many bytes follow.
    File {
        bytes: u64,
    },
    Done,
    /// It could not be done; a sentence.
    Error(String),
}

/// An [`EngineSpec`] as it travels. Its folder is the agent's business.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct EngineJob {
    pub(crate) launch_id: Uuid,
    pub(crate) argv: Vec<String>,
    pub(crate) env: Vec<(String, String)>,
    pub(crate) port: u16,
    pub(crate) served_model_name: String,
    pub(crate) endpoint: Endpoint,
    pub(crate) startup_timeout_ms: u64,
    pub(crate) idle_priority: bool,
    pub(crate) container: Option<ContainerCommand>,
}

impl EngineJob {
    pub(crate) fn of(spec: &EngineSpec) -> Self {
        Self {
            launch_id: spec.launch_id,
            argv: spec.argv.clone(),
            env: spec.env.clone(),
            port: spec.port,
            served_model_name: spec.served_model_name.clone(),
            endpoint: spec.endpoint,
            startup_timeout_ms: u64::try_from(spec.startup_timeout.as_millis()).unwrap_or(u64::MAX),
            idle_priority: spec.idle_priority,
            container: spec.container.clone(),
        }
    }

    pub(crate) fn into_spec(self, folder: PathBuf) -> EngineSpec {
        EngineSpec {
            launch_id: self.launch_id,
            argv: self.argv,
            env: self.env,
            port: self.port,
            served_model_name: self.served_model_name,
            endpoint: self.endpoint,
            startup_timeout: std::time::Duration::from_millis(self.startup_timeout_ms),
            idle_priority: self.idle_priority,
            container: self.container,
            folder,
            // The whole log is streamed away while it grows; the far end keeps it. Here it is a buffer on disk.
            log_limits: LogLimits::default(),
        }
    }
}

/// What an engine's agent is told meanwhile.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Order {
    /// Somebody is there.
    Beat,
    /// Stop the engine.
    Stop,
}

/// What the agent tells of an engine.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum EngineNews {
    Started {
        process: Option<ProcessIdentity>,
        #[serde(with = "time::serde::rfc3339")]
        started_at: OffsetDateTime,
    },
    /// Nothing runs.
    NotStarted(LaunchFailure),
    /// The answer to a beat.
    Alive,
    /// The next piece of its log, scrubbed with what the host knows.
    Log(String),
    Stage(LaunchStage),
    Ready(ReadyFacts),
    Failed(LaunchFailure),
    /// Its first process has ended.
    Exited(ExitFacts),
    /// The last line.
    Stopped(StopReport),
}
