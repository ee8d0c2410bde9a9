//! The dashboard of the demo: `podium serve` as a child.

use std::fs::{self, File};
use std::io::{BufRead as _, BufReader};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{ChildStdout, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};

use super::environment::Environment;
use super::folder::DemoFolder;
use super::page;
use super::stop::{Guarded, Interrupt};

/// The port that people expect, and how many after it are tried.
const PORTS: std::ops::Range<u16> = 8080..8100;

/// From the start to the first page. Making the database takes a few seconds of it.
const START_DEADLINE: Duration = Duration::from_secs(120);

/// To stop engines and the database.
const STOP_GRACE: Duration = Duration::from_secs(60);

/// A dashboard that answers.
#[derive(Debug)]
pub struct Server {
    process: Guarded,
    address: SocketAddr,
}

impl Server {
    /// Starts it with its worker and waits for its first page.
    ///
    /// # Errors
    /// With the end of its log, when it ends or does not answer in time.
    pub fn start(
        podium: &Path,
        site: &Path,
        folder: &DemoFolder,
        environment: &Environment,
        interrupt: &Interrupt,
    ) -> Result<Self> {
        let log_path = folder.log();
        let log = File::create(&log_path).with_context(|| format!("cannot write {}", log_path.display()))?;
        let mut command = Command::new(podium);
        environment.apply(&mut command);
        command.arg("serve").arg("--listen").arg(free_address().to_string());
        command.arg("--data-dir").arg(folder.data()).arg("--site-dir").arg(site);
        // A group of its own: Ctrl-C reaches the demo, which ends it in order.
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(log).process_group(0);
        let mut child = command.spawn().with_context(|| format!("cannot start {}", podium.display()))?;
        let stdout = child.stdout.take();
        let mut process = Guarded::new(child, "the dashboard", STOP_GRACE);
        let lines = lines_of(stdout.context("the dashboard's standard output is a pipe")?);
        let with_log = |error: anyhow::Error| match fs::read_to_string(&log_path) {
            Ok(log) => error.context(format!("{}\n(from {})", tail(&log), log_path.display())),
            Err(_) => error,
        };
        let address = wait_for_address(&lines, &mut process, interrupt).map_err(with_log)?;
        let first = page::get(address, "/").map_err(with_log)?;
        if first.status != 200 {
            return Err(with_log(anyhow::anyhow!("http://{address}/ answers with status {}", first.status)));
        }
        Ok(Self { process, address })
    }

    /// Where it listens.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where a browser finds it, without a slash at the end.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Waits until the user ends it.
    ///
    /// # Errors
    /// When it ends by itself.
    pub fn wait(&mut self, interrupt: &Interrupt) -> Result<()> {
        match self.process.wait(interrupt) {
            Ok(status) => bail!("the dashboard ended by itself ({status})"),
            Err(_) if interrupt.came() => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Ends it, its worker and the database.
    ///
    /// # Errors
    /// When it had to be killed.
    pub fn stop(&mut self) -> Result<()> {
        self.process.stop()
    }
}

/// The first free address of the usual ones, else one of the system's choice.
fn free_address() -> SocketAddr {
    let address = |port| SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    PORTS.map(address).find(|address| TcpListener::bind(address).is_ok()).unwrap_or_else(|| address(0))
}

/// Reads to the end, so that the writer never waits for a full pipe.
fn lines_of(stdout: ChildStdout) -> Receiver<String> {
    let (sender, receiver) = channel();
    thread::spawn(move || {
        for line in BufReader::new(stdout).lines().map_while(Result::ok) {
            // Whoever waited for the address may be gone; the pipe is emptied all the same.
            let _ = sender.send(line);
        }
    });
    receiver
}

fn wait_for_address(lines: &Receiver<String>, process: &mut Guarded, interrupt: &Interrupt) -> Result<SocketAddr> {
    let deadline = Instant::now() + START_DEADLINE;
    while Instant::now() < deadline {
        interrupt.check()?;
        match lines.recv_timeout(Duration::from_millis(100)) {
            Ok(line) => {
                if let Some(address) = line.strip_prefix("listening on http://") {
                    return address.parse().with_context(|| format!("the dashboard's address is unreadable: {line}"));
                }
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => match process.ended()? {
                Some(status) => bail!("the dashboard ended before it listened ({status})"),
                None => thread::sleep(Duration::from_millis(100)),
            },
        }
    }
    bail!("the dashboard did not listen within {} s", START_DEADLINE.as_secs())
}

/// The last lines, which say why.
fn tail(log: &str) -> String {
    const LINES: usize = 20;
    let lines: Vec<&str> = log.lines().collect();
    lines[lines.len().saturating_sub(LINES)..].join("\n")
}
