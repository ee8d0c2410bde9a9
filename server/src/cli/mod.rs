//! The command line.

mod backup;
mod candidates;
mod ci;
mod clean;
mod compare;
mod dataset;
mod host;
mod import;
mod load;
mod plans;
mod preflight;
mod remote;
mod restore;
mod run;
mod runs;
mod serve;
mod sim;
mod user;
mod validate;
mod worker;

use std::io::{IsTerminal as _, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};
use podium_launcher::Host;
use podium_service::{Service, WorkerOptions};
use tokio_util::sync::CancellationToken;

use crate::database::{Database, data_dir};

/// Finds the serving framework and the flags to deploy for one model, one GPU budget and one latency target.
#[derive(Debug, Parser)]
#[command(name = "podium", version, propagate_version = true, max_term_width = 100)]
#[command(after_help = "Examples:
  podium serve                              the dashboard, on http://127.0.0.1:8080
  podium run configs/demo-simulated.yaml    one plan, from start to report
  podium validate plan.yaml                 every mistake of a plan at once

Each command has examples of its own: podium <command> --help")]
pub struct Cli {
    /// How the log on standard error is written
    #[arg(long, global = true, env = "PODIUM_LOG_FORMAT", value_enum, default_value_t = LogFormat::Text)]
    log_format: LogFormat,

    #[command(subcommand)]
    command: Command,
}

/// How the log is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum LogFormat {
    /// Lines for people
    Text,
    /// A JSON object a line, for programs
    Json,
}

#[derive(Debug, Subcommand)]
enum Command {
    Serve(serve::ServeArgs),
    Worker(worker::WorkerArgs),
    Preflight(preflight::PreflightArgs),
    Run(run::RunArgs),
    Runs(runs::RunsArgs),
    Validate(validate::ValidateArgs),
    Backup(backup::BackupArgs),
    Candidates(candidates::CandidatesArgs),
    Ci(ci::CiArgs),
    Clean(clean::CleanArgs),
    Compare(compare::CompareArgs),
    Dataset(dataset::DatasetArgs),
    Host(host::HostArgs),
    Import(import::ImportArgs),
    Load(Box<load::LoadArgs>),
    Restore(restore::RestoreArgs),
    Sim(sim::SimArgs),
    User(user::UserArgs),
}

impl Cli {
    /// What is logged unless `PODIUM_LOG` says otherwise: commands that tell a person what they do log only trouble.
    #[must_use]
    pub const fn log_level(&self) -> &'static str {
        match self.command {
            Command::Serve(_) | Command::Worker(_) => "info",
            _ => "warn",
        }
    }

    /// How the log is written.
    #[must_use]
    pub const fn log_format(&self) -> LogFormat {
        self.log_format
    }

    /// Runs the command to its end.
    ///
    /// # Errors
    /// With a sentence for the user: what happened, where, what to do.
    pub async fn run(self) -> anyhow::Result<ExitCode> {
        match self.command {
            Command::Serve(args) => serve::run(args).await,
            Command::Worker(args) => worker::run(args).await,
            Command::Preflight(args) => preflight::run(args).await,
            Command::Run(args) => run::run(args).await,
            Command::Runs(args) => runs::run(args).await,
            Command::Ci(args) => ci::run(args).await,
            Command::Validate(args) => validate::run(&args),
            Command::Backup(args) => backup::run(args).await,
            Command::Restore(args) => restore::run(args).await,
            Command::Candidates(args) => candidates::run(&args),
            Command::Clean(args) => clean::run(args).await,
            Command::Compare(args) => compare::run(&args),
            Command::Dataset(args) => dataset::run(&args),
            Command::Host(args) => host::run(args).await,
            Command::Import(args) => import::run(&args).await,
            Command::Load(args) => load::run(*args).await,
            Command::User(args) => user::run(args).await,
            Command::Sim(args) => Ok(sim::run(args).await),
        }
    }
}

/// Where podium keeps its things.
#[derive(Debug, Args)]
struct DataArgs {
    /// The folder for podium's data, its own database included
    /// [default: /var/lib/podium for root, else ~/.local/share/podium]
    #[arg(long, env = "PODIUM_DATA_DIR", value_name = "FOLDER")]
    data_dir: Option<PathBuf>,

    /// A PostgreSQL server to use instead of podium's own
    #[arg(long, env = "DATABASE_URL", value_name = "URL", hide_env_values = true)]
    database_url: Option<String>,
}

/// An open database with the use cases over it.
struct Opened {
    database: Database,
    service: Service,
}

impl DataArgs {
    /// The open, migrated database alone.
    async fn open_database(&self) -> anyhow::Result<Database> {
        Database::open(self.database_url.as_deref(), &data_dir(self.data_dir.clone())?).await
    }

    async fn open(&self) -> anyhow::Result<Opened> {
        let data_dir = data_dir(self.data_dir.clone())?;
        let database = Database::open(self.database_url.as_deref(), &data_dir).await?;
        let service = Service::new(database.store().clone(), Host::local(&data_dir)?, data_dir)?;
        Ok(Opened { database, service })
    }
}

/// How a worker shares runs with others.
#[derive(Debug, Clone, Copy, Args)]
struct LeaseArgs {
    /// Another worker takes a run over after so many seconds without a sign of life from this one
    #[arg(long, env = "PODIUM_LEASE_S", value_name = "SECONDS", default_value_t = 15,
          value_parser = clap::value_parser!(u64).range(3..=3600))]
    lease_s: u64,
}

impl LeaseArgs {
    fn worker_options(self) -> std::io::Result<WorkerOptions> {
        Ok(WorkerOptions { lease_ttl: Duration::from_secs(self.lease_s), ..worker_options()? })
    }
}

/// The load process: `PODIUM_AGENT`, else `podium-agent` beside this program.
fn worker_options() -> std::io::Result<WorkerOptions> {
    let agent = match std::env::var_os("PODIUM_AGENT") {
        Some(path) => PathBuf::from(path),
        None => std::env::current_exe()?.with_file_name("podium-agent"),
    };
    Ok(WorkerOptions::new(agent))
}

/// Writes a command's result. A reader that closes the pipe early (`| head`) has what it wanted.
fn print(text: &str) -> anyhow::Result<()> {
    let mut stdout = std::io::stdout().lock();
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(()),
    }
}

/// Whether a person watches standard error.
fn at_terminal() -> bool {
    std::io::stderr().is_terminal()
}

/// Cancels on the first Ctrl-C or TERM.
async fn cancel_on_signal(stop: CancellationToken) {
    use tokio::signal::unix::{SignalKind, signal};

    match signal(SignalKind::terminate()) {
        Ok(mut terminate) => {
            tokio::select! {
                _ = tokio::signal::ctrl_c() => {}
                _ = terminate.recv() => {}
            }
            tracing::info!("stopping");
            stop.cancel();
        }
        Err(error) => tracing::warn!(%error, "cannot listen for TERM; stop podium with KILL"),
    }
}
