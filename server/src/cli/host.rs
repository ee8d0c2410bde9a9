//! `podium host`

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Subcommand, ValueEnum};
use podium_launcher::{HostFacts, LoadFrom, SshConfig};
use podium_service::{Caller, HostView, Service};

use super::{DataArgs, Opened, print};

/// Add, check, list and remove the machines that engines run on
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  podium host add gpu1                                    as `ssh gpu1` reaches it
  podium host add gpu1 me@10.0.0.7 --folder /data/models --env PODIUM_ENGINES_DIR=/opt/engines
  podium host check gpu1
  podium host list
  podium run plan.yaml --host gpu1

Keys, ports, users and jump hosts belong into ~/.ssh/config. The host's key must be known, and `ssh` must need no password.")]
pub(super) struct HostArgs {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    Add(AddArgs),
    /// Look at a host again: what the machine is, and which frameworks are on it
    #[command(after_help = "Examples:
  podium host check gpu1
  podium host check gpu1 && podium run plan.yaml --host gpu1      it fails where the host is out of reach")]
    Check(NameArgs),
    List(ListArgs),
    /// Take a host out of the lists; its runs and reports stay
    #[command(after_help = "Examples:
  podium host remove gpu1")]
    Remove(NameArgs),
}

/// Add a host that is reached by SSH, and look at it
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  podium host add gpu1
  podium host add gpu1 me@10.0.0.7 --folder /data/models")]
struct AddArgs {
    /// What the host is called here
    name: String,

    /// What `ssh` is given [default: the name]
    destination: Option<String>,

    /// An SSH configuration file to use instead of ~/.ssh/config
    #[arg(long, value_name = "FILE")]
    ssh_config: Option<PathBuf>,

    /// The working folder on the host: relative paths of a plan lead from there [default: the home folder]
    #[arg(long, value_name = "FOLDER")]
    folder: Option<PathBuf>,

    /// Where `podium` is on the host, for simulated engines [default: looked up on PATH]
    #[arg(long, value_name = "FILE")]
    podium: Option<PathBuf>,

    /// The podium-agent of this machine to copy there, for a host of another kind [default: the one beside podium]
    #[arg(long, value_name = "FILE")]
    agent: Option<PathBuf>,

    /// A variable for everything that is started there; no secrets
    #[arg(long = "env", value_name = "NAME=VALUE", value_parser = variable)]
    env: Vec<(String, String)>,

    /// Where the load comes from
    #[arg(long, value_enum, default_value_t = Load::Target)]
    load_from: Load,

    #[command(flatten)]
    data: DataArgs,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Load {
    /// The host itself, beside the engine
    Target,
    /// This machine, through a forwarded port
    Controller,
}

#[derive(Debug, Args)]
struct NameArgs {
    /// What the host is called here
    name: String,

    #[command(flatten)]
    data: DataArgs,
}

/// Every host, with what was last found on it
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  podium host list")]
struct ListArgs {
    #[command(flatten)]
    data: DataArgs,
}

fn variable(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or_else(|| format!("`{text}` is not NAME=VALUE"))?;
    Ok((name.to_owned(), value.to_owned()))
}

pub(super) async fn run(args: HostArgs) -> anyhow::Result<ExitCode> {
    let data = match &args.action {
        Action::Add(args) => &args.data,
        Action::Check(args) | Action::Remove(args) => &args.data,
        Action::List(args) => &args.data,
    };
    let Opened { database, service } = data.open().await?;
    let outcome = act(&args.action, &service).await;
    database.close().await?;
    outcome
}

async fn act(action: &Action, service: &Service) -> anyhow::Result<ExitCode> {
    let caller = Caller::owner();
    match action {
        Action::Add(args) => {
            let added = service.add_host(caller, &args.name, &config(args)).await?;
            checked(service, &added).await
        }
        Action::Check(args) => {
            let host = service.host_named(caller, &args.name).await?;
            checked(service, &host).await
        }
        Action::List(_) => {
            let lines: String = service.hosts(caller).await?.iter().map(line).collect();
            print(&lines)?;
            Ok(ExitCode::SUCCESS)
        }
        Action::Remove(args) => {
            let host = service.host_named(caller, &args.name).await?;
            service.remove_host(caller, host.id).await?;
            print(&format!("{} was removed; its runs stay\n", host.name))?;
            Ok(ExitCode::SUCCESS)
        }
    }
}

fn config(args: &AddArgs) -> SshConfig {
    SshConfig {
        destination: args.destination.clone().unwrap_or_else(|| args.name.clone()),
        config_file: args.ssh_config.clone(),
        folder: args.folder.clone(),
        podium: args.podium.clone(),
        agent: args.agent.clone(),
        env: args.env.iter().cloned().collect::<BTreeMap<_, _>>(),
        load_from: match args.load_from {
            Load::Target => LoadFrom::Target,
            Load::Controller => LoadFrom::Controller,
        },
    }
}

/// Looks at a host and tells what was found. A host that is out of reach is a failure of the command.
async fn checked(service: &Service, host: &HostView) -> anyhow::Result<ExitCode> {
    let host = service.check_host(Caller::owner(), host.id).await?;
    print(&described(&host))?;
    Ok(if host.facts.is_some_and(|facts| facts.is_reached()) { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn line(host: &HostView) -> String {
    let reached_by = host.ssh.as_ref().map_or_else(String::new, |ssh| format!(" ({})", ssh.destination));
    let state = match &host.facts {
        None => "not checked yet".to_owned(),
        Some(facts) if !facts.is_reached() => "out of reach when last checked".to_owned(),
        Some(facts) => {
            let frameworks: Vec<_> = facts.frameworks.iter().map(|install| install.framework.id()).collect();
            let frameworks = if frameworks.is_empty() { "no framework".to_owned() } else { frameworks.join(", ") };
            format!("{} GPUs, {} cores, {frameworks}", facts.gpus.len(), facts.cpu_cores)
        }
    };
    format!("{}{reached_by}: {state}\n", host.name)
}

fn described(host: &HostView) -> String {
    let Some(facts) = &host.facts else { return format!("{}: nothing is known about it\n", host.name) };
    let problems: String = facts.problems.iter().map(|problem| format!("  problem: {problem}\n")).collect();
    if !facts.is_reached() {
        return format!("{}: out of reach\n{problems}", host.name);
    }
    format!("{}: {}\n{}{problems}", host.name, facts.host_name, found(facts))
}

fn found(facts: &HostFacts) -> String {
    let gib = |bytes: u64| format!("{:.1} GiB", bytes as f64 / f64::from(1u32 << 30));
    let or_none = |found: Vec<String>| if found.is_empty() { "none".to_owned() } else { found.join(", ") };
    let gpus = facts.gpus.iter().map(|gpu| {
        let used = format!("{} of {} MiB in use", gpu.memory_used_mib, gpu.memory_total_mib);
        format!("{} {} ({used}, driver {})", gpu.index, gpu.model, gpu.driver_version)
    });
    let runtimes = facts.container_runtimes.iter();
    let runtimes = runtimes.map(|runtime| runtime.version.clone().unwrap_or_else(|| runtime.name.clone()));
    let frameworks = facts.frameworks.iter().map(|install| {
        let version = install.version.as_deref().unwrap_or("version not known");
        format!("{} {version} ({})", install.framework.name(), install.program.display())
    });
    let disk = facts.disk.as_ref().map_or_else(
        || "not known".to_owned(),
        |disk| format!("{} free of {} ({})", gib(disk.available_bytes), gib(disk.total_bytes), disk.path),
    );
    let lines = [
        ("system", format!("{}, kernel {}", facts.os, facts.kernel)),
        ("processor", format!("{}, {} cores", facts.cpu_model, facts.cpu_cores)),
        ("memory", format!("{} free of {}", gib(facts.memory_available_bytes), gib(facts.memory_total_bytes))),
        ("GPUs", or_none(gpus.collect())),
        ("containers", or_none(runtimes.collect())),
        ("frameworks", or_none(frameworks.collect())),
        ("disk", disk),
    ];
    lines.iter().map(|(what, value)| format!("  {what}: {value}\n")).collect()
}
