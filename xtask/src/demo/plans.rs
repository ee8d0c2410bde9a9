//! One plan of the demo, from `podium run` to its report in the dashboard.

use std::io::Read as _;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};

use super::environment::Environment;
use super::folder::DemoFolder;
use super::page;
use super::server::Server;
use super::stop::{Guarded, Interrupt};
use crate::paths::Paths;

/// To stop an engine and store what was measured.
const STOP_GRACE: Duration = Duration::from_secs(60);

/// A plan in `configs/`.
#[derive(Debug)]
pub struct DemoPlan {
    /// For people.
    pub title: &'static str,
    /// Its file's name.
    pub file: &'static str,
    /// More options of `podium run`.
    pub options: &'static [&'static str],
}

/// A run that ended with a report.
#[derive(Debug)]
pub struct Outcome {
    /// The plan's.
    pub title: &'static str,
    /// Where the dashboard shows it.
    pub report_url: String,
    /// From the start of the run to its report.
    pub elapsed: Duration,
    has_winner: bool,
}

impl Outcome {
    /// A few words for the step's line.
    pub fn remark(&self) -> String {
        let winner = if self.has_winner { "" } else { ", no winner" };
        format!("report{winner}: {}", self.report_url)
    }
}

impl DemoPlan {
    /// Carries it out on the dashboard's data folder and gets the report from the dashboard. Progress is printed.
    ///
    /// # Errors
    /// When there is no report in the end. A report without a winner is one.
    pub fn carry_out(
        &self,
        paths: &Paths,
        podium: &Path,
        server: &Server,
        folder: &DemoFolder,
        environment: &Environment,
        interrupt: &Interrupt,
    ) -> Result<Outcome> {
        let began = Instant::now();
        let mut command = Command::new(podium);
        environment.apply(&mut command);
        command.arg("run").arg(paths.root.join("configs").join(self.file)).args(self.options);
        command.arg("--data-dir").arg(folder.data()).arg("--url").arg(server.url());
        command.stdin(Stdio::null()).stdout(Stdio::piped()).process_group(0);
        let mut child = command.spawn().with_context(|| format!("cannot start {}", podium.display()))?;
        let stdout = child.stdout.take();
        let mut process = Guarded::new(child, "the run", STOP_GRACE);
        let mut stdout = stdout.context("the run's standard output is a pipe")?;
        let reader = thread::spawn(move || {
            let mut text = String::new();
            stdout.read_to_string(&mut text).map(|_| text)
        });
        let status = process.wait(interrupt)?;
        let answer = match reader.join() {
            Ok(text) => text.context("cannot read what the run answered")?,
            Err(_) => bail!("cannot read what the run answered"),
        };
        let Some(report_url) = answer.lines().find_map(|line| line.strip_prefix("report: ")) else {
            bail!("`podium run` ended without a report ({status}); its words are above");
        };
        print!("{answer}");
        check_report(server, report_url)?;
        Ok(Outcome {
            title: self.title,
            report_url: report_url.to_owned(),
            elapsed: began.elapsed(),
            has_winner: status.success(),
        })
    }
}

/// Whether the dashboard shows the report, not only a page for one.
fn check_report(server: &Server, url: &str) -> Result<()> {
    let path = url.strip_prefix(&server.url()).with_context(|| format!("{url} is not an address of the dashboard"))?;
    let page = page::get(server.address(), path)?;
    if page.status != 200 {
        bail!("{url} answers with status {}", page.status);
    }
    // Only a report that exists can be taken along.
    let download = format!("{path}.md");
    if !page.body.contains("<title>Report of ") || !page.body.contains(&download) {
        bail!("{url} answers, but shows no report");
    }
    Ok(())
}
