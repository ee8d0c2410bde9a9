//! `podium preflight`

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context as _;
use clap::{Args, ValueEnum};
use podium_domain::framework::Framework;
use podium_service::{Caller, PreflightCheck, PreflightReport, Service, SmokeChoice, StartPreflight};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::{DataArgs, Opened, cancel_on_signal, plans, print, worker_options};

/// Look at a host for a plan, as a run begins: versions, flags, GPUs, disk, model, and a minimal server
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  podium preflight plan.yaml --host gpu1
  podium preflight plan.yaml --smoke never           no server is started
  podium preflight plan.yaml --save-help ./help      the captured texts, for `podium validate --help-dir ./help`
  podium preflight plan.yaml --json | jq .frameworks

Help texts are asked for once for each version on a host, and a smoke test that was passed is not repeated for the same
version and model: --refresh does both again. Exit code 0 only when no check failed.")]
pub(super) struct PreflightArgs {
    /// The plan
    plan: PathBuf,

    /// The host to look at, as `podium host list` names it [default: this machine]
    #[arg(long, value_name = "NAME")]
    host: Option<String>,

    /// Only these frameworks of the plan
    #[arg(long = "framework", value_name = "FRAMEWORK")]
    frameworks: Vec<Framework>,

    /// Of which frameworks a minimal server is started, asked and stopped
    #[arg(long, value_enum, default_value_t = Smoke::Auto, value_name = "WHEN")]
    smoke: Smoke,

    /// Find out again what is known of the host
    #[arg(long)]
    refresh: bool,

    /// Start engines at idle priority, so that they cannot starve the load generator on a small machine
    #[arg(long)]
    idle_engines: bool,

    /// Write the captured help texts into this folder
    #[arg(long, value_name = "FOLDER")]
    save_help: Option<PathBuf>,

    /// Print JSON for programs
    #[arg(long)]
    json: bool,

    #[command(flatten)]
    data: DataArgs,
}

/// When a minimal server is started before anything is measured.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(super) enum Smoke {
    /// Of real engines whose version has not passed on the host with the model before
    Auto,
    /// Of simulated engines as well
    Always,
    /// Of none
    Never,
}

impl From<Smoke> for SmokeChoice {
    fn from(smoke: Smoke) -> Self {
        match smoke {
            Smoke::Auto => SmokeChoice::Auto,
            Smoke::Always => SmokeChoice::Always,
            Smoke::Never => SmokeChoice::Never,
        }
    }
}

pub(super) async fn run(args: PreflightArgs) -> anyhow::Result<ExitCode> {
    let yaml = plans::text(&args.plan)?;
    if plans::read(&args.plan)?.is_none() {
        return Ok(ExitCode::FAILURE);
    }
    let Opened { database, service } = args.data.open().await?;
    let outcome = look(&args, yaml, &service).await;
    database.close().await?;
    outcome
}

async fn look(args: &PreflightArgs, yaml: String, service: &Service) -> anyhow::Result<ExitCode> {
    let caller = Caller::owner();
    let host_id = match &args.host {
        Some(name) => Some(service.host_named(caller, name).await?.id),
        None => None,
    };
    let start = StartPreflight {
        yaml,
        host_id,
        frameworks: (!args.frameworks.is_empty()).then(|| args.frameworks.clone()),
        smoke: args.smoke.into(),
        refresh: args.refresh,
        idle_engines: args.idle_engines,
        agent: worker_options()?.agent,
    };
    let cancel = CancellationToken::new();
    tokio::spawn(cancel_on_signal(cancel.clone()));
    let (tell, mut told) = mpsc::unbounded_channel();
    let json = args.json;
    // Python frameworks take their time: each line is printed when it is known.
    let printing = tokio::spawn(async move {
        while let Some(check) = told.recv().await {
            if !json {
                print(&line(&check))?;
            }
        }
        anyhow::Ok(())
    });
    let found = service.preflight(caller, start, tell, &cancel).await;
    printing.await??;
    let found = found?;
    if let Some(folder) = &args.save_help {
        save_help(service, &found, folder).await?;
    }
    if args.json {
        print(&format!("{}\n", serde_json::to_string_pretty(&found)?))?;
    } else if let Some(stop) = &found.stop {
        eprintln!("a run would stop here: {stop}");
    }
    Ok(if found.passed() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn line(check: &PreflightCheck) -> String {
    let advice = check.advice.as_ref().map(|advice| format!("{:36}→ {advice}\n", "")).unwrap_or_default();
    format!("{:8} {:14} {:11} {}\n{advice}", check.finding.word(), check.subject(), check.what, check.detail)
}

async fn save_help(service: &Service, found: &PreflightReport, folder: &Path) -> anyhow::Result<()> {
    let cannot = || format!("the help texts cannot be written to {}", folder.display());
    std::fs::create_dir_all(folder).with_context(cannot)?;
    for help in found.frameworks.iter().flat_map(|framework| &framework.help) {
        if let Some(artifact) = help.artifact_id {
            let text = service.help_text(Caller::owner(), artifact).await?;
            std::fs::write(folder.join(&help.file_name), text).with_context(cannot)?;
        }
    }
    Ok(())
}
