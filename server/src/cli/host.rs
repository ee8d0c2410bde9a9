//! `podium host`

mod settings;
mod slurm;

use std::process::ExitCode;

use clap::{Args, Subcommand};
use podium_launcher::{HostFacts, ModelCache, Partition, SshConfig};
use podium_service::{Caller, HostView, Service};

use self::settings::Settings;
use super::{DataArgs, Opened, print};

/// Add, change, check, list and remove the machines that engines run on
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  podium host add gpu1                                    as `ssh gpu1` reaches it
  podium host add gpu1 me@10.0.0.7 --folder /data/models --env PODIUM_ENGINES_DIR=/opt/engines
  podium host add gpu1 --container docker --image vllm=vllm/vllm-openai:v0.12.0 --mount /data/models
  podium host add box --here --container podman --image llama_cpp=ghcr.io/ggml-org/llama.cpp:server
  podium host add cluster me@login.example --slurm --partition gpu --gres gpu:h100:8 --time-limit 8:00:00
  podium host edit gpu1 --container-flag=--shm-size=32g
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
    Add(Box<AddArgs>),
    Edit(Box<EditArgs>),
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

/// Add a host that is reached by SSH, containers of this machine, or a Slurm cluster, and look at it
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  podium host add gpu1
  podium host add gpu1 me@10.0.0.7 --folder /data/models
  podium host add gpu1 --container docker --image vllm=vllm/vllm-openai:v0.12.0 --mount /data/models --gpus 6,7
  podium host add box --here --container podman --exec sglang=my-container
  podium host add cluster --here --slurm --gres gpu:8 --sbatch mem=256G --sbatch exclusive")]
struct AddArgs {
    /// What the host is called here
    name: String,

    /// What `ssh` is given [default: the name]
    destination: Option<String>,

    /// Without SSH: containers of this machine, or a cluster whose login node it is
    #[arg(long, conflicts_with = "destination")]
    here: bool,

    #[command(flatten)]
    settings: Settings,

    #[command(flatten)]
    data: DataArgs,
}

/// Change how a host is reached and used, and look at it; what is not named stays as it is
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  podium host edit gpu1 --folder /data/models
  podium host edit gpu1 --container docker --image vllm=vllm/vllm-openai:v0.12.0 --mount /data/models
  podium host edit gpu1 --container none                  engines are plain processes again")]
struct EditArgs {
    /// What the host is called here
    name: String,

    /// What `ssh` is given
    #[arg(long)]
    destination: Option<String>,

    /// What it is to be called
    #[arg(long, value_name = "NAME")]
    rename: Option<String>,

    #[command(flatten)]
    settings: Settings,

    #[command(flatten)]
    data: DataArgs,
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

pub(super) async fn run(args: HostArgs) -> anyhow::Result<ExitCode> {
    let data = match &args.action {
        Action::Add(args) => &args.data,
        Action::Edit(args) => &args.data,
        Action::Check(args) | Action::Remove(args) => &args.data,
        Action::List(args) => &args.data,
    };
    let Opened { database, service } = data.open().await?;
    let outcome = act(args.action, &service).await;
    database.close().await?;
    outcome
}

async fn act(action: Action, service: &Service) -> anyhow::Result<ExitCode> {
    let caller = Caller::owner();
    match action {
        Action::Add(args) => {
            let (name, config) = added(*args);
            let added = service.add_host(caller, &name, &config).await?;
            checked(service, &added).await
        }
        Action::Edit(args) => {
            let host = service.host_named(caller, &args.name).await?;
            let mut config = host.ssh.clone().unwrap_or_default();
            config.destination = args.destination.unwrap_or(config.destination);
            args.settings.apply(&mut config);
            let name = args.rename.unwrap_or(args.name);
            let edited = service.edit_host(caller, host.id, &name, &config).await?;
            checked(service, &edited).await
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

fn added(args: AddArgs) -> (String, SshConfig) {
    let destination = match (args.here, args.destination) {
        (true, _) => String::new(),
        (false, named) => named.unwrap_or_else(|| args.name.clone()),
    };
    let mut config = SshConfig { destination, ..SshConfig::default() };
    args.settings.apply(&mut config);
    (args.name, config)
}

/// Looks at a host and tells what was found. A host that is out of reach is a failure of the command.
async fn checked(service: &Service, host: &HostView) -> anyhow::Result<ExitCode> {
    let host = service.check_host(Caller::owner(), host.id).await?;
    print(&described(&host))?;
    Ok(if host.facts.is_some_and(|facts| facts.is_reached()) { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn line(host: &HostView) -> String {
    let reached_by = host.ssh.as_ref().map_or_else(String::new, |ssh| format!(" ({})", reached_by(ssh)));
    let state = match &host.facts {
        None => "not checked yet".to_owned(),
        Some(facts) if !facts.is_reached() => "out of reach when last checked".to_owned(),
        Some(HostFacts { cluster: Some(cluster), .. }) => {
            let nodes: u32 = cluster.partitions.iter().map(|nodes| nodes.nodes).sum();
            format!("{nodes} nodes in partitions, Slurm {}", cluster.version)
        }
        Some(facts) => {
            let frameworks: Vec<_> = facts.frameworks.iter().map(|install| install.framework.id()).collect();
            let frameworks = if frameworks.is_empty() { "no framework".to_owned() } else { frameworks.join(", ") };
            format!("{} GPUs, {} cores, {frameworks}", facts.gpus.len(), facts.cpu_cores)
        }
    };
    format!("{}{reached_by}: {state}\n", host.name)
}

/// The way to a host, and whether its engines are in containers.
fn reached_by(ssh: &SshConfig) -> String {
    if ssh.slurm.is_some() {
        let login = if ssh.is_cluster_here() { "this machine" } else { &ssh.destination };
        return format!("Slurm, through {login}");
    }
    let runtime = ssh.container.as_ref().map(|container| container.runtime);
    match (ssh.is_here(), runtime) {
        (true, Some(runtime)) => format!("{runtime} of this machine"),
        (_, Some(runtime)) => format!("{}, {runtime} there", ssh.destination),
        (_, None) => ssh.destination.clone(),
    }
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
        let by = gpu.in_use_by().map(|who| format!(" by {who}")).unwrap_or_default();
        let used = format!("{} of {} MiB in use{by}", gpu.memory_used_mib, gpu.memory_total_mib);
        format!("{} {} ({used}, driver {})", gpu.index, gpu.model, gpu.driver_version)
    });
    let runtimes = facts.container_runtimes.iter();
    let runtimes = runtimes.map(|runtime| runtime.version.clone().unwrap_or_else(|| runtime.name.clone()));
    let frameworks = facts.frameworks.iter().map(|install| {
        format!("{} {} ({})", install.framework.name(), install.version_text(), install.program.display())
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
        ("CUDA", facts.cuda_version.as_ref().map_or_else(|| "none".to_owned(), |version| format!("up to {version}"))),
        ("containers", or_none(runtimes.collect())),
        ("frameworks", or_none(frameworks.collect())),
        ("disk", disk),
        ("model cache", or_none(facts.model_caches.iter().map(cache).collect())),
    ];
    let partitions = facts.cluster.iter().flat_map(|cluster| &cluster.partitions).map(partition);
    let lines = lines.iter().map(|(what, value)| format!("  {what}: {value}\n"));
    lines.chain(partitions).collect()
}

fn partition(nodes: &Partition) -> String {
    let Partition { name, available, nodes, state, gres, time_limit } = nodes;
    let gres = if gres.is_empty() { "no GPUs" } else { gres };
    format!("  partition {name} ({available}): {nodes} nodes {state}, each with {gres}; jobs up to {time_limit}\n")
}

fn cache(cache: &ModelCache) -> String {
    let content = match (cache.exists, cache.models.len()) {
        (false, _) => "not there yet".to_owned(),
        (true, 1) => "1 model".to_owned(),
        (true, models) => format!("{models} models"),
    };
    format!("{} ({content})", cache.path.display())
}
