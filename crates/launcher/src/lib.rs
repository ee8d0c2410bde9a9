//! Hosts, and the life of an engine on one: find what is installed, start a server as a process group of its own,
//! wait until it has answered a real request, keep its log, say why it failed, stop it, and leave nothing behind.
//!
//! A command is an argument list from here to the kernel: nothing in this crate starts a shell. Linux only, because
//! processes are found and proved ours through `/proc`.

#![forbid(unsafe_code)]

mod host;
mod local;
mod machine;

mod agent_host;
mod agent_program;
mod link;
mod remote_engine;
mod serve;
mod slurm;
mod ssh;
mod ssh_config;
mod wire;

mod command;
mod container;
mod environment;
mod piped;

mod facts;
mod frameworks;
mod gpus;
mod help_commands;
mod model_cache;

mod inject;
mod options;
mod resolve;

mod engine;
mod left_log;
mod leftovers;
mod loading;
mod log;
mod readiness;
mod scrub;
mod state;
mod stop;

mod ports;
mod processes;

mod failure;
pub mod recognise;

pub use agent_host::{AgentHost, HostError};
pub use command::{CommandError, CommandOutput, CommandSpec};
pub use container::{ContainerCommand, ContainerConfig, ContainerPlace, ImageFacts, Runtime};
pub use engine::{Engine, EngineSpec, EngineStatus};
pub use environment::Environment;
pub use facts::{ContainerRuntime, Disk, HostFacts};
pub use failure::{ExitFacts, FailureClass, LaunchFailure, LaunchStage};
pub use frameworks::{FoundBy, FrameworkInstall};
pub use gpus::{Gpu, GpuUser};
pub use help_commands::{HelpCommand, HelpOf, help_commands};
pub use host::Host;
pub use inject::{DEPLOY_HOST, ENGINE_HOST, InjectedCommand, deploy_port, inject};
pub use left_log::{left_log, left_out};
pub use leftovers::{Leftover, LeftoverKind};
pub use loading::{LoadingProgress, loading_progress};
pub use local::{LocalHost, LocalHostOptions};
pub use log::{EngineLog, LogChunk, LogLength, LogLimits};
pub use machine::{host_name, machine_id};
pub use model_cache::ModelCache;
pub use options::place_file;
pub use piped::PipedProcess;
pub use ports::{PortOwner, PortState};
pub use processes::{LAUNCH_VARIABLE, ProcessIdentity, ProcessInfo, RunningLaunch};
pub use readiness::ReadyFacts;
pub use resolve::ResolvedCommand;
pub use scrub::Scrubber;
pub use serve::serve_exec;
pub use slurm::{AllocateError, ClusterFacts, Interruption, Partition, SlurmCluster, SlurmConfig, Waiting};
pub use ssh_config::{LoadFrom, SshConfig};
pub use state::{IllegalTransition, may_move};
pub use stop::{StopReport, SweepReport};
