//! `podium worker`

use std::process::ExitCode;

use clap::Args;
use podium_service::Worker;
use tokio_util::sync::CancellationToken;

use super::{DataArgs, LeaseArgs, Opened, cancel_on_signal};

/// Carry out queued runs without serving the dashboard
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  podium worker
  DATABASE_URL=postgres://podium@db/podium podium worker      one of several, on this or on another machine

A run on a machine itself is carried out by that machine's workers alone, one on a host that is reached by SSH by any.")]
pub(super) struct WorkerArgs {
    #[command(flatten)]
    lease: LeaseArgs,

    #[command(flatten)]
    data: DataArgs,
}

pub(super) async fn run(args: WorkerArgs) -> anyhow::Result<ExitCode> {
    let Opened { database, service } = args.data.open().await?;
    let stop = CancellationToken::new();
    tokio::spawn(cancel_on_signal(stop.clone()));
    Worker::new(service, args.lease.worker_options()?).run_until_stopped(stop).await;
    database.close().await?;
    Ok(ExitCode::SUCCESS)
}
