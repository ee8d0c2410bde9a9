//! `podium clean`

use std::process::ExitCode;

use clap::Args;
use podium_domain::report::THIS_MACHINE;
use podium_launcher::{Leftover, LeftoverKind};
use podium_service::{Caller, HostView, LeftoverState, LeftoverView, Service};

use super::{DataArgs, Opened, print};

/// Show, and remove, what earlier runs left on a host
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  podium clean                      what is on this machine: processes, folders, old agents
  podium clean --yes                and away with what no run uses any more
  podium clean --host gpu1 --yes    the same on a host
  podium clean --yes --foreign      what another database's runs left, too

What a run that goes on uses is never touched: neither while its worker lives, nor for ten minutes after it was last heard
of. A process is signalled only while its start time is the one that was seen.")]
pub(super) struct CleanArgs {
    /// The host [default: this machine]
    #[arg(long, value_name = "NAME")]
    host: Option<String>,

    /// Remove it; without this it is only shown
    #[arg(long)]
    yes: bool,

    /// Also remove what this database knows nothing of: another podium may still use it
    #[arg(long)]
    foreign: bool,

    #[command(flatten)]
    data: DataArgs,
}

pub(super) async fn run(args: CleanArgs) -> anyhow::Result<ExitCode> {
    let Opened { database, service } = args.data.open().await?;
    let outcome = act(&args, &service).await;
    database.close().await?;
    outcome
}

async fn act(args: &CleanArgs, service: &Service) -> anyhow::Result<ExitCode> {
    let caller = Caller::owner();
    let host: HostView = match &args.host {
        Some(name) => service.host_named(caller, name).await?,
        None => service.this_host(caller).await?,
    };
    if args.yes {
        let cleaned = service.clean_host(caller, host.id, args.foreign).await?;
        let removed = cleaned.removed.iter().map(|one| format!("removed: {}\n", described(one)));
        let kept = cleaned.kept.iter().map(|(one, reason)| format!("not removed: {}: {reason}\n", described(one)));
        print(&removed.chain(kept).collect::<String>())?;
        if !cleaned.kept.is_empty() {
            return Ok(ExitCode::FAILURE);
        }
    }
    let found = service.leftovers(caller, host.id).await?;
    let (used, left): (Vec<_>, Vec<_>) = found.iter().partition(|one| one.state == LeftoverState::InUse);
    print(&left.iter().map(|one| line(one)).collect::<String>())?;
    let place = if args.host.is_none() { THIS_MACHINE } else { &host.name };
    let mut end = match left.len() {
        0 => format!("nothing is left on {place}"),
        _ if args.yes => format!("this stays on {place}: `--foreign` removes what another database's runs left"),
        _ => format!("`--yes` removes what is left on {place}"),
    };
    if !used.is_empty() {
        end += &format!("; runs that go on use {} more", used.len());
    }
    print(&(end + "\n"))?;
    Ok(ExitCode::SUCCESS)
}

fn line(one: &LeftoverView) -> String {
    let whose = if one.state == LeftoverState::Foreign { "of another database" } else { "left" };
    format!("{whose}: {}\n", described(&one.leftover))
}

fn described(one: &Leftover) -> String {
    let what = match one.kind {
        LeftoverKind::Processes => "processes of launch",
        LeftoverKind::Folder => "folder",
        LeftoverKind::Agent => "agent",
        LeftoverKind::Container => "container",
        LeftoverKind::Job => "job",
    };
    format!("{what} {}: {}", one.name, one.detail)
}
