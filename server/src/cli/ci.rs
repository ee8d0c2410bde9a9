//! `podium ci`

mod verdict;
mod write;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use uuid::Uuid;

use self::verdict::Verdict;
use super::compare::write_file;
use super::remote::{Podium, ServerArgs};
use super::run::carry_out_here;
use super::{DataArgs, plans, print};
use crate::routes::api::NewRun;

/// Carry out a plan and compare it with an earlier run: for pipelines
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  podium ci plan.yaml --baseline 0198c0de-0000-7000-8000-000000000000
  podium ci plan.yaml --baseline 0198c0de-0000-7000-8000-000000000000 --max-regression 5% --junit podium.xml
  PODIUM_TOKEN=podium_… podium ci plan.yaml --server https://podium.example.org --baseline 0198…

For each scenario and framework the best candidate is compared with the baseline's best. Exit code 0 where none is slower
by more than the limit, misses latency targets that the baseline held, or is gone; 1 otherwise.")]
pub(super) struct CiArgs {
    /// The plan
    plan: PathBuf,

    /// The run to compare with
    #[arg(long, value_name = "RUN")]
    baseline: Uuid,

    /// How much throughput may be lost
    #[arg(long, value_name = "PERCENT", default_value = "3%", value_parser = percent)]
    max_regression: f64,

    /// Write the comparison as Markdown to this file
    #[arg(long, value_name = "FILE")]
    markdown: Option<PathBuf>,

    /// Write the comparison as JUnit XML to this file: a test case for each scenario and framework
    #[arg(long, value_name = "FILE")]
    junit: Option<PathBuf>,

    /// Skip frameworks that the host lacks, with that reason, instead of recording a failure
    #[arg(long)]
    skip_missing: bool,

    /// The host to run it on, as `podium host list` names it
    #[arg(long, value_name = "NAME")]
    host: Option<String>,

    #[command(flatten)]
    server: ServerArgs,

    #[command(flatten)]
    data: DataArgs,
}

/// `3%` or `3` as a share.
fn percent(text: &str) -> Result<f64, String> {
    let number: Option<f64> = text.trim().trim_end_matches('%').trim_end().parse().ok();
    let share = number.filter(|number| (0.0..100.0).contains(number)).map(|number| number / 100.0);
    share.ok_or_else(|| format!("`{text}` is no percentage from 0% to below 100%"))
}

pub(super) async fn run(args: CiArgs) -> anyhow::Result<ExitCode> {
    let yaml = plans::text(&args.plan)?;
    if plans::read(&args.plan)?.is_none() {
        return Ok(ExitCode::FAILURE);
    }
    let podium = args.server.open(&args.data).await?;
    let outcome = carry_out(&args, yaml, &podium).await;
    podium.close().await?;
    outcome
}

async fn carry_out(args: &CiArgs, yaml: String, podium: &Podium) -> anyhow::Result<ExitCode> {
    // A baseline that is not there is told before hours are spent.
    let baseline = podium.report(args.baseline).await?;
    let new = NewRun {
        yaml,
        host: args.host.clone(),
        frameworks: None,
        skip_missing: args.skip_missing,
        idle_engines: false,
    };
    let run = match podium {
        Podium::Here(opened) => carry_out_here(&opened.service, &new).await?,
        Podium::There(remote) => {
            let run = remote.start(&new).await?;
            eprintln!("run {run}: {}", remote.page(&format!("/runs/{run}")));
            remote.follow(run).await?;
            run
        }
    };
    let verdict = Verdict::of(&baseline, &podium.report(run).await?, args.max_regression);
    let markdown = write::markdown(&verdict, args.baseline, run);
    if let Some(path) = &args.markdown {
        write_file(path, &markdown)?;
    }
    if let Some(path) = &args.junit {
        write_file(path, &write::junit(&verdict))?;
    }
    print(&markdown)?;
    Ok(if verdict.passed() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

#[cfg(test)]
mod tests {
    use super::percent;

    #[test]
    fn a_limit_is_a_percentage() {
        assert_eq!(percent("3%"), Ok(0.03));
        assert_eq!(percent(" 2.5 % "), Ok(0.025));
        assert_eq!(percent("0"), Ok(0.0));
        for wrong in ["", "-1%", "100%", "NaN", "three"] {
            assert!(percent(wrong).is_err(), "{wrong}");
        }
    }
}
