//! `podium serve`

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use podium_service::Worker;
use tokio_util::sync::CancellationToken;

use super::{DataArgs, LeaseArgs, Opened, cancel_on_signal, print};
use crate::settings::{PublicUrl, Settings};
use crate::startup::Application;

/// Serve the dashboard and carry out the runs that are started in it
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  podium serve
  podium serve --listen 127.0.0.1:9000 --data-dir ./data
  podium serve --listen 0.0.0.0:8080                               for others: with accounts
  podium serve --accounts --url https://podium.example.org         behind a proxy that does TLS
  DATABASE_URL=postgres://podium@db/podium podium serve --no-worker

With accounts, the first start prints a link, with which the owner chooses a password; `podium user` adds the others.")]
pub(super) struct ServeArgs {
    /// Where to listen; port 0 takes a free one. Any address but a loopback one demands accounts
    #[arg(long, env = "PODIUM_LISTEN", value_name = "ADDRESS", default_value = "127.0.0.1:8080")]
    listen: SocketAddr,

    /// Demand accounts on a loopback address too, as behind a proxy on this machine
    #[arg(long, env = "PODIUM_ACCOUNTS")]
    accounts: bool,

    /// Where browsers reach podium, where a proxy stands before it; https makes its cookies secure
    #[arg(long, env = "PODIUM_URL", value_name = "URL")]
    url: Option<PublicUrl>,

    /// The folder with the built site [default: `site` beside this program]
    #[arg(long, env = "PODIUM_SITE_DIR", value_name = "FOLDER")]
    site_dir: Option<PathBuf>,

    /// Only serve; `podium worker` carries out the runs
    #[arg(long)]
    no_worker: bool,

    #[command(flatten)]
    lease: LeaseArgs,

    #[command(flatten)]
    data: DataArgs,
}

pub(super) async fn run(args: ServeArgs) -> anyhow::Result<ExitCode> {
    let settings =
        Settings { listen: args.listen, accounts: args.accounts, public_url: args.url, site_dir: args.site_dir };
    let Opened { database, service } = args.data.open().await?;
    let stop = CancellationToken::new();
    tokio::spawn(cancel_on_signal(stop.clone()));
    let served = async {
        let application = Application::build(&settings, service.clone()).await?;
        let invitation = if settings.demands_accounts() { service.set_up().await? } else { None };
        let worker = if args.no_worker {
            None
        } else {
            let worker = Worker::new(service, args.lease.worker_options()?);
            let stop = stop.clone();
            Some(tokio::spawn(async move { worker.run_until_stopped(stop).await }))
        };
        // On its own line and flushed: whoever asked for port 0 reads it from a pipe.
        print(&format!("listening on http://{}\n", application.address()))?;
        if let Some(invitation) = invitation {
            let base_url = settings.base_url(application.address());
            // It holds until the next start, and makes whoever opens it the owner.
            print(&format!("set up: choose the owner's password at {base_url}/invite/{}\n", invitation.secret))?;
        }
        let served = application.run_until_stopped(stop.clone()).await;
        stop.cancel();
        if let Some(worker) = worker {
            worker.await?;
        }
        anyhow::Ok(served?)
    }
    .await;
    database.close().await?;
    served?;
    Ok(ExitCode::SUCCESS)
}
