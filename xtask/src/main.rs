//! The build tasks: `cargo xtask <task>`.
//!
//! `make test` and `make demo` come here after `scripts/bootstrap.sh` has seen to a Rust toolchain. Everything else
//! that a task needs it gets itself, and says so.

mod api;
mod apt;
mod bench;
mod browser;
mod checks;
mod demo;
mod dependencies;
mod drill;
mod engines;
mod licences;
mod metadata;
mod paths;
mod process;
mod site;
mod sqlx;
mod steps;
mod style;
mod tally;
mod test_task;
mod wasm;

use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};

use crate::paths::Paths;

/// Build tasks of Podium
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Debug, Subcommand)]
enum Task {
    /// Build what the browser loads, into `<target>/site`
    Site,
    /// Formatting, both clippy runs, query cache, unused dependencies, licences
    Check,
    /// Every check and every test
    Test,
    /// The CPU plan over llama.cpp, vLLM and SGLang, which have to be there
    TestEngines,
    /// Build in release, start the dashboard on an empty data folder, and carry out both demo plans
    Demo {
        /// Serve until Ctrl-C afterwards, even where standard output is no terminal
        #[arg(long)]
        keep: bool,
    },
    /// The load generator against a server's own truth, in release
    Bench {
        /// Put the figures into docs/benchmarks.md
        #[arg(long)]
        write: bool,
    },
    /// What a token costs the load generator and `vllm bench serve`, in release; installs vLLM where there is none
    BenchPeers {
        /// Put the figures into docs/benchmarks.md
        #[arg(long)]
        write: bool,
    },
    /// Whole runs with faults at random moments: nothing lost, nothing left
    Drill(drill::DrillArgs),
    /// Get a compiler for the browser code, and say which one it is
    WasmSetup,
    /// Write `.sqlx/` from the queries and the migrations
    SqlxPrepare,
    /// The browser tests alone, on a debug build
    Browser,
    /// The API against its OpenAPI document alone, on a debug build
    Api,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match run(&arguments.task) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("\nxtask: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Whether everything passed; an error is a task that could not go on.
fn run(task: &Task) -> Result<bool> {
    let paths = Paths::find()?;
    match task {
        Task::Site => site::run(&paths),
        Task::Check => checks::run(&paths),
        Task::Test => test_task::run(&paths),
        Task::TestEngines => engines::test(&paths),
        Task::Demo { keep } => demo::run(&paths, *keep),
        Task::Bench { write } => bench::run(&paths, *write),
        Task::BenchPeers { write } => bench::run_peers(&paths, *write),
        Task::Drill(arguments) => drill::run(&paths, arguments),
        Task::WasmSetup => wasm::run(&paths),
        Task::SqlxPrepare => sqlx::run_prepare(&paths),
        Task::Browser => browser::run(&paths),
        Task::Api => api::run(&paths),
    }
}
