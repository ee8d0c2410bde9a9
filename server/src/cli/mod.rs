//! The command line.

mod serve;

use clap::{Parser, Subcommand};

/// Finds the serving framework and the flags to deploy for one model, one GPU budget and one latency target.
#[derive(Debug, Parser)]
#[command(name = "podium", version, propagate_version = true, max_term_width = 100)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Serve(serve::ServeArgs),
}

impl Cli {
    /// Runs the command to its end.
    ///
    /// # Errors
    /// With a sentence for the user: what happened, where, what to do.
    pub async fn run(self) -> anyhow::Result<()> {
        match self.command {
            Command::Serve(args) => serve::run(args).await,
        }
    }
}
