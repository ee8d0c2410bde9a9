//! Ending: what asks the demo to end, and how it ends what it started.

use std::process::{Child, ExitStatus};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use rustix::process::{Pid, Signal, kill_process};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::flag;

/// How often a child and the signals are looked at.
const LOOK: Duration = Duration::from_millis(100);

/// Whether the user asked for the end: Ctrl-C, TERM, or a closed terminal.
#[derive(Clone, Debug)]
pub struct Interrupt(Arc<AtomicBool>);

impl Interrupt {
    /// Listens from now on. The second signal ends this program at once.
    ///
    /// # Errors
    /// When the system does not let it.
    pub fn listen() -> Result<Self> {
        let came = Arc::new(AtomicBool::new(false));
        for signal in [SIGINT, SIGTERM, SIGHUP] {
            // In this order: the first signal finds the flag unset and only sets it.
            flag::register_conditional_shutdown(signal, 130, Arc::clone(&came))
                .and_then(|_| flag::register(signal, Arc::clone(&came)))
                .context("cannot listen for the signals that end the demo")?;
        }
        Ok(Self(came))
    }

    /// Whether it came.
    pub fn came(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }

    /// Fails once it came.
    ///
    /// # Errors
    /// With a sentence that says so.
    pub fn check(&self) -> Result<()> {
        if self.came() {
            bail!("interrupted");
        }
        Ok(())
    }
}

/// A child that is stopped when it is dropped.
#[derive(Debug)]
pub struct Guarded {
    child: Child,
    name: &'static str,
    /// The time that it gets to stop what it started itself.
    grace: Duration,
}

impl Guarded {
    /// Guards a child that was just started.
    pub const fn new(child: Child, name: &'static str, grace: Duration) -> Self {
        Self { child, name, grace }
    }

    /// How it ended, if it has.
    ///
    /// # Errors
    /// When the system does not say.
    pub fn ended(&mut self) -> Result<Option<ExitStatus>> {
        self.child.try_wait().with_context(|| format!("cannot ask how {} is", self.name))
    }

    /// Waits for its own end; stops it when `interrupt` comes first.
    ///
    /// # Errors
    /// When it was interrupted.
    pub fn wait(&mut self, interrupt: &Interrupt) -> Result<ExitStatus> {
        loop {
            if let Some(status) = self.ended()? {
                return Ok(status);
            }
            if interrupt.came() {
                self.stop()?;
            }
            interrupt.check()?;
            thread::sleep(LOOK);
        }
    }

    /// Asks it to end, and kills it when it does not within its grace. Nothing happens to one that has ended.
    ///
    /// # Errors
    /// When the system does not let it.
    pub fn stop(&mut self) -> Result<()> {
        if self.ended()?.is_some() {
            return Ok(());
        }
        // Not waited for yet, so the number is still its own.
        kill_process(Pid::from_child(&self.child), Signal::TERM)
            .with_context(|| format!("cannot stop {}", self.name))?;
        let deadline = Instant::now() + self.grace;
        while self.ended()?.is_none() {
            if Instant::now() >= deadline {
                self.child
                    .kill()
                    .and_then(|()| self.child.wait())
                    .with_context(|| format!("cannot kill {}", self.name))?;
                bail!("{} did not end within {} s and was killed", self.name, self.grace.as_secs());
            }
            thread::sleep(LOOK);
        }
        Ok(())
    }
}

impl Drop for Guarded {
    fn drop(&mut self) {
        if let Err(error) = self.stop() {
            eprintln!("{error:#}");
        }
    }
}
