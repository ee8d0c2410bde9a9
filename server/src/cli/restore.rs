//! `podium restore`

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::bail;
use clap::Args;

use super::{DataArgs, print};
use crate::database::Database;
use crate::pg_programs::PgPrograms;

/// Put a backup in the place of everything that podium keeps
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  podium restore podium.backup                          into a podium without runs
  podium restore podium.backup --replace                what is there is lost
  podium restore podium.backup --data-dir ./elsewhere   look at a backup without touching the real data

Stop every other podium on the same data first. A backup of an older podium is brought up to this one; one of a newer
podium is refused.")]
pub(super) struct RestoreArgs {
    /// A file that `podium backup` wrote
    #[arg(value_name = "FILE")]
    file: PathBuf,

    /// Do it although there are runs, which are lost
    #[arg(long)]
    replace: bool,

    #[command(flatten)]
    data: DataArgs,
}

pub(super) async fn run(args: RestoreArgs) -> anyhow::Result<ExitCode> {
    if !args.file.is_file() {
        bail!("there is no file {}", args.file.display());
    }
    let database = args.data.open_database().await?;
    let outcome = restore(&args, &database).await;
    database.close().await?;
    let runs = outcome?;
    print(&format!("{} is restored: {runs} runs\n", args.file.display()))?;
    Ok(ExitCode::SUCCESS)
}

/// The number of runs that there are then.
async fn restore(args: &RestoreArgs, database: &Database) -> anyhow::Result<i64> {
    let store = database.store();
    let count = |counts: Vec<(String, i64)>| counts.iter().map(|(_, count)| count).sum::<i64>();
    let runs = count(store.run_counts().await?);
    if runs > 0 && !args.replace {
        bail!("there are {runs} runs already, which would be lost; add --replace to do it all the same");
    }
    let programs = PgPrograms::of(database)?;
    // Before anything is taken away: is this a backup at all?
    let mut list = programs.command("pg_restore");
    list.arg("--list").arg(&args.file);
    programs.run(list, "read the backup").await?;
    let others = "select count(*) from pg_stat_activity where datname = current_database() \
                  and application_name = 'podium' and pid <> pg_backend_pid()";
    store.close().await;
    if programs.query(database.url(), others).await?.trim() != "0" {
        bail!("another podium uses this database; stop it (podium serve, podium worker), then restore");
    }
    programs.query(database.url(), "drop schema public cascade; create schema public").await?;
    let mut restore = programs.command("pg_restore");
    restore.args(["--no-owner", "--no-privileges", "--single-transaction", "--exit-on-error", "--schema=public"]);
    restore.arg("--dbname").arg(database.url()).arg(&args.file);
    programs.run(restore, "restore the backup").await?;
    let restored = podium_store::Store::connect(database.url()).await?;
    restored.migrate().await?;
    let runs = count(restored.run_counts().await?);
    restored.close().await;
    Ok(runs)
}
