//! `podium serve`

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use podium_service::Worker;
use tokio_util::sync::CancellationToken;

use super::{DataArgs, Opened, cancel_on_signal, print, worker_options};
use crate::settings::Settings;
use crate::startup::Application;

/// Serve the dashboard and carry out the runs that are started in it
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  podium serve
  podium serve --listen 127.0.0.1:9000 --data-dir ./data
  DATABASE_URL=postgres://podium@db/podium podium serve --no-worker")]
pub(super) struct ServeArgs {
    /// Where to listen; loopback addresses only, port 0 takes a free one
    #[arg(long, env = "PODIUM_LISTEN", value_name = "ADDRESS", default_value = "127.0.0.1:8080")]
    listen: SocketAddr,

    /// The folder with the built site [default: `site` beside this program]
    #[arg(long, env = "PODIUM_SITE_DIR", value_name = "FOLDER")]
    site_dir: Option<PathBuf>,

    /// Only serve; `podium worker` carries out the runs
    #[arg(long)]
    no_worker: bool,

    #[command(flatten)]
    data: DataArgs,
}

pub(super) async fn run(args: ServeArgs) -> anyhow::Result<ExitCode> {
    let settings = Settings { listen: args.listen, site_dir: args.site_dir };
    settings.check()?;
    let Opened { database, service } = args.data.open().await?;
    let stop = CancellationToken::new();
    tokio::spawn(cancel_on_signal(stop.clone()));
    let served = async {
        let application = Application::build(&settings, service.clone()).await?;
        let worker = if args.no_worker {
            None
        } else {
            let worker = Worker::new(service, worker_options()?);
            let stop = stop.clone();
            Some(tokio::spawn(async move { worker.run_until_stopped(stop).await }))
        };
        // On its own line and flushed: whoever asked for port 0 reads it from a pipe.
        print(&format!("listening on http://{}\n", application.address()))?;
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
