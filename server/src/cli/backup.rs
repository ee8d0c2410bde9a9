//! `podium backup`

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, bail};
use clap::Args;

use super::{DataArgs, print};
use crate::database::Database;
use crate::pg_programs::PgPrograms;

/// Write everything that podium keeps into one file
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  podium backup podium.backup
  DATABASE_URL=postgres://podium@db/podium podium backup podium.backup

Runs may go on meanwhile: the file holds one moment. Plans, runs, rows, reports, logs, people and links are in it; it is
as secret as they are. `podium restore` reads it.")]
pub(super) struct BackupArgs {
    /// The file to write; it must not exist
    #[arg(value_name = "FILE")]
    file: PathBuf,

    #[command(flatten)]
    data: DataArgs,
}

pub(super) async fn run(args: BackupArgs) -> anyhow::Result<ExitCode> {
    if args.file.exists() {
        bail!("{} exists already; name another file, or remove it first", args.file.display());
    }
    let database = args.data.open_database().await?;
    let outcome = dump(&args, &database).await;
    database.close().await?;
    let bytes = outcome?;
    print(&format!("{} written, {}\n", args.file.display(), podium_app::format::bytes(bytes)))?;
    Ok(ExitCode::SUCCESS)
}

async fn dump(args: &BackupArgs, database: &Database) -> anyhow::Result<u64> {
    let programs = PgPrograms::of(database)?;
    // Written beside its place: a backup that was interrupted does not look like one.
    let unfinished = args.file.with_extension("unfinished");
    let mut dump = programs.command("pg_dump");
    dump.args(["--format=custom", "--no-owner", "--no-privileges", "--file"]).arg(&unfinished);
    dump.arg("--dbname").arg(database.url());
    if let Err(error) = programs.run(dump, "write the backup").await {
        // What is there of it is of no use; that it cannot be removed changes nothing.
        let _ = std::fs::remove_file(&unfinished);
        return Err(error);
    }
    std::fs::rename(&unfinished, &args.file).with_context(|| format!("cannot write {}", args.file.display()))?;
    Ok(std::fs::metadata(&args.file)?.len())
}
