//! `podium run`

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Instant;

use clap::Args;
use futures::StreamExt as _;
use podium_domain::framework::Framework;
use podium_domain::report::Report;
use podium_domain::status::{CandidateStatus, LaunchState, MeasurementStatus};
use podium_formats::report;
use podium_service::{Caller, Error, RunEvent, Service, StartRun, Worker, WorkerOptions, charts};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::compare::write_file;
use super::preflight::Smoke;
use super::remote::{Remote, ServerArgs};
use super::{DataArgs, Opened, at_terminal, cancel_on_signal, plans, print, worker_options};
use crate::routes::api::NewRun;

/// Carry out a plan from start to report
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  podium run configs/demo-simulated.yaml
  podium run plan.yaml --framework vllm --framework sglang --markdown report.md
  podium run configs/demo-cpu.yaml --skip-missing --idle-engines
  podium run plan.yaml --host gpu1
  PODIUM_TOKEN=podium_… podium run plan.yaml --server https://podium.example.org

Exit code 0 only when some candidate won. Ctrl-C cancels the run and keeps what was measured.")]
pub(super) struct RunArgs {
    /// The plan
    plan: PathBuf,

    /// Only these frameworks of the plan
    #[arg(long = "framework", value_name = "FRAMEWORK")]
    frameworks: Vec<Framework>,

    /// The host to run it on, as `podium host list` names it [default: this machine]
    #[arg(long, value_name = "NAME")]
    host: Option<String>,

    /// Skip frameworks that the host lacks, with that reason, instead of recording a failure
    #[arg(long)]
    skip_missing: bool,

    /// Start engines at idle priority, so that they cannot starve the load generator on a small machine
    #[arg(long)]
    idle_engines: bool,

    /// Of which frameworks a minimal server is started, asked and stopped first
    #[arg(long, value_enum, default_value_t = Smoke::Auto, value_name = "WHEN")]
    smoke: Smoke,

    /// Where `podium serve` is reached: the report's link begins with it
    #[arg(long, env = "PODIUM_URL", value_name = "URL", default_value = "http://127.0.0.1:8080")]
    url: String,

    /// Write the report as Markdown to this file
    #[arg(long, value_name = "FILE")]
    markdown: Option<PathBuf>,

    /// Write the report as one self-contained page to this file
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,

    #[command(flatten)]
    server: ServerArgs,

    #[command(flatten)]
    data: DataArgs,
}

pub(super) async fn run(args: RunArgs) -> anyhow::Result<ExitCode> {
    let yaml = plans::text(&args.plan)?;
    if plans::read(&args.plan)?.is_none() {
        return Ok(ExitCode::FAILURE);
    }
    if let Some(remote) = args.server.remote()? {
        return carry_out_there(&args, yaml, &remote).await;
    }
    let Opened { database, service } = args.data.open().await?;
    let outcome = carry_out(&args, yaml, &service).await;
    database.close().await?;
    outcome
}

/// Starts the run on a server, follows it there, and concludes as for one of this machine.
async fn carry_out_there(args: &RunArgs, yaml: String, remote: &Remote) -> anyhow::Result<ExitCode> {
    let frameworks: Vec<_> = args.frameworks.iter().map(|framework| framework.id().to_owned()).collect();
    let new = NewRun {
        yaml,
        host: args.host.clone(),
        frameworks: (!frameworks.is_empty()).then_some(frameworks),
        skip_missing: args.skip_missing,
        idle_engines: args.idle_engines,
    };
    let run_id = remote.start(&new).await?;
    let page = remote.page(&format!("/runs/{run_id}"));
    eprintln!("run {run_id}: {page}");
    if !remote.follow(run_id).await?.has_report {
        eprintln!("the run ended without a report; see {page}");
        return Ok(ExitCode::FAILURE);
    }
    tell_report(args, &remote.report(run_id).await?, &format!("{page}/report"))
}

/// Carries a run out by a worker of this process, which is named by nothing but its plan and its host; the run.
pub(super) async fn carry_out_here(service: &Service, new: &NewRun) -> anyhow::Result<Uuid> {
    let host_id = match &new.host {
        Some(name) => Some(service.host_named(Caller::owner(), name).await?.id),
        None => None,
    };
    let start = StartRun {
        yaml: new.yaml.clone(),
        host_id,
        frameworks: None,
        skip_missing: new.skip_missing,
        idle_engines: new.idle_engines,
        smoke: podium_service::SmokeChoice::default(),
    };
    start_and_follow(service, start).await
}

async fn carry_out(args: &RunArgs, yaml: String, service: &Service) -> anyhow::Result<ExitCode> {
    let caller = Caller::owner();
    let host_id = match &args.host {
        Some(name) => Some(service.host_named(caller, name).await?.id),
        None => None,
    };
    let start = StartRun {
        yaml,
        host_id,
        frameworks: (!args.frameworks.is_empty()).then(|| args.frameworks.clone()),
        skip_missing: args.skip_missing,
        idle_engines: args.idle_engines,
        smoke: args.smoke.into(),
    };
    let run_id = start_and_follow(service, start).await?;
    conclude(args, service, caller, run_id).await
}

async fn start_and_follow(service: &Service, start: StartRun) -> anyhow::Result<Uuid> {
    let caller = Caller::owner();
    let run_id = service.start_run(caller, start).await?;
    let view = service.run(caller, run_id).await?;
    eprintln!("{} (run {run_id})", view.item.title);

    // Another worker on this database may be the one that takes the run; it is followed all the same.
    let stop = CancellationToken::new();
    let worker = Worker::new(service.clone(), WorkerOptions { only: Some(run_id), ..worker_options()? });
    let working = tokio::spawn({
        let stop = stop.clone();
        async move { worker.run_until_stopped(stop).await }
    });
    let followed = follow(service, caller, run_id).await;
    stop.cancel();
    working.await?;
    followed?;
    Ok(run_id)
}

/// Prints what happens until the run has ended. Ctrl-C cancels the run; a second one changes nothing, since an engine
/// that is left running would keep its GPUs.
async fn follow(service: &Service, caller: Caller, run_id: Uuid) -> anyhow::Result<()> {
    let interrupted = CancellationToken::new();
    tokio::spawn(cancel_on_signal(interrupted.clone()));
    let mut events = Box::pin(service.run_events(caller, run_id, 0).await?);
    let began = Instant::now();
    let mut cancelling = false;
    loop {
        tokio::select! {
            event = events.next() => match event {
                Some(event) => tell(began, &event.event),
                None => return Ok(()),
            },
            () = interrupted.cancelled(), if !cancelling => {
                cancelling = true;
                eprintln!("cancelling: the engine is being stopped, what was measured is kept");
                match service.cancel_run(caller, run_id).await {
                    // It ended in this very moment.
                    Ok(()) | Err(Error::Conflict(_)) => {}
                    Err(error) => return Err(error.into()),
                }
            }
        }
    }
}

fn tell(began: Instant, event: &RunEvent) {
    let line = match event {
        RunEvent::Run { status, failure } => match failure {
            Some(failure) => format!("run {status}: {failure}"),
            None => format!("run {status}"),
        },
        RunEvent::Candidate { status: CandidateStatus::Pending, .. } => return,
        RunEvent::Candidate { candidate_id, status, reason } => match reason {
            Some(reason) => format!("{candidate_id}: {status}: {reason}"),
            None => format!("{candidate_id}: {status}"),
        },
        RunEvent::Launch {
            candidate_id,
            state: LaunchState::Ready | LaunchState::Loading,
            detail: Some(detail),
            ..
        } => {
            format!("{candidate_id}: {detail}")
        }
        RunEvent::Launch { .. } | RunEvent::Report { .. } => return,
        RunEvent::Measurement { scenario, load_point, repeat, status: MeasurementStatus::Measuring, .. } => {
            repeat.appended_to(&format!("  measuring {scenario} at {load_point}"))
        }
        RunEvent::Measurement { scenario, load_point, request_throughput, sla_passed, status, .. } => {
            let figure = request_throughput.map(|rps| format!(", {rps:.2} req/s")).unwrap_or_default();
            let sla = match sla_passed {
                Some(true) => ", SLA held",
                Some(false) => ", SLA missed",
                None => "",
            };
            format!("  {status} {scenario} at {load_point}{figure}{sla}")
        }
        RunEvent::Tick { ended, planned, point, .. } => {
            if at_terminal() {
                eprint!("\r    {ended} of {planned} requests, {} in flight \x1b[K\r", point.in_flight);
            }
            return;
        }
        RunEvent::Preflight { check } => format!("preflight: {}: {}", check.finding.word(), check.line()),
        RunEvent::Note { text } => text.clone(),
    };
    eprintln!("[{:6.1} s] {line}", began.elapsed().as_secs_f64());
}

async fn conclude(args: &RunArgs, service: &Service, caller: Caller, run_id: Uuid) -> anyhow::Result<ExitCode> {
    let Some(view) = service.run_report(caller, run_id).await? else {
        eprintln!("the run ended without a report; see {}/runs/{run_id}", args.url);
        return Ok(ExitCode::FAILURE);
    };
    tell_report(args, &view.report, &format!("{}/runs/{run_id}/report", args.url))
}

/// Writes the files that were asked for, and prints the answers with the commands to deploy.
fn tell_report(args: &RunArgs, report: &Report, address: &str) -> anyhow::Result<ExitCode> {
    if let Some(path) = &args.markdown {
        write_file(path, &report::markdown(report))?;
    }
    if let Some(path) = &args.html {
        write_file(path, &report::html(report, &charts::for_report(report)))?;
    }
    let answers: String = report.answers().iter().map(|answer| format!("{answer}\n")).collect();
    let winners: String = report
        .leaders()
        .filter_map(|(comparison, row)| Some(format!("{}: {}\n", comparison.scenario, row.launch_command()?)))
        .collect();
    print(&format!("{answers}\n{winners}\nreport: {address}\n"))?;
    Ok(if report.has_winner() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
