//! `podium serve`

use std::io::Write as _;
use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Args;
use tokio_util::sync::CancellationToken;

use crate::settings::Settings;
use crate::startup::Application;

/// Serve the dashboard
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  podium serve
  podium serve --listen 127.0.0.1:9000")]
pub struct ServeArgs {
    /// Where to listen; loopback addresses only, port 0 takes a free one
    #[arg(long, env = "PODIUM_LISTEN", value_name = "ADDRESS", default_value = "127.0.0.1:8080")]
    listen: SocketAddr,

    /// The folder with the built site [default: `site` beside this program]
    #[arg(long, env = "PODIUM_SITE_DIR", value_name = "FOLDER")]
    site_dir: Option<PathBuf>,
}

pub(super) async fn run(args: ServeArgs) -> anyhow::Result<()> {
    let stop = CancellationToken::new();
    let application = Application::build(&Settings { listen: args.listen, site_dir: args.site_dir }).await?;

    // On its own line and flushed: whoever asked for port 0 reads it from a pipe.
    let mut stdout = std::io::stdout().lock();
    writeln!(stdout, "listening on http://{}", application.address())?;
    stdout.flush()?;
    drop(stdout);

    tokio::spawn(cancel_on_signal(stop.clone()));
    application.run_until_stopped(stop).await?;
    Ok(())
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
