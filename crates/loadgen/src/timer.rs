//! Waiting for an instant more exactly than the event loop's own timers do.

use std::io;
use std::time::Instant;

/// A timer that wakes within the kernel's timer slack (about 50 µs), where tokio's wheel rounds up to milliseconds.
#[cfg(target_os = "linux")]
#[derive(Debug)]
pub(crate) struct PreciseTimer {
    timer: tokio::io::unix::AsyncFd<std::os::fd::OwnedFd>,
}

#[cfg(target_os = "linux")]
impl PreciseTimer {
    /// A timer on the current event loop.
    pub fn new() -> io::Result<Self> {
        use rustix::time::{TimerfdClockId, TimerfdFlags, timerfd_create};
        let timer = timerfd_create(TimerfdClockId::Monotonic, TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC)?;
        #[expect(
            deprecated,
            reason = "its successor is an unsafe function; an OwnedFd keeps its descriptor open, which is all that it asks"
        )]
        let timer = tokio::io::unix::AsyncFd::new(timer)?;
        Ok(PreciseTimer { timer })
    }

    /// Returns at `deadline`, or at once when that is past.
    pub async fn sleep_until(&mut self, deadline: Instant) -> io::Result<()> {
        use rustix::time::{Itimerspec, TimerfdTimerFlags, Timespec, timerfd_settime};
        // The wait is always computed from the absolute deadline, so that errors do not add up.
        let wait = deadline.saturating_duration_since(Instant::now());
        if wait.is_zero() {
            return Ok(());
        }
        let once = Itimerspec {
            it_interval: Timespec { tv_sec: 0, tv_nsec: 0 },
            it_value: Timespec {
                tv_sec: i64::try_from(wait.as_secs()).unwrap_or(i64::MAX),
                tv_nsec: i64::from(wait.subsec_nanos()),
            },
        };
        timerfd_settime(self.timer.get_ref(), TimerfdTimerFlags::empty(), &once)?;
        loop {
            let mut ready = self.timer.readable().await?;
            let mut expirations = [0; 8];
            match ready.try_io(|timer| Ok(rustix::io::read(timer.get_ref(), &mut expirations)?)) {
                Ok(read) => return read.map(drop),
                // Readiness left from an earlier, cancelled wait.
                Err(_would_block) => {}
            }
        }
    }
}

/// The event loop's own timer, exact to a millisecond.
#[cfg(not(target_os = "linux"))]
#[derive(Debug)]
pub(crate) struct PreciseTimer;

#[cfg(not(target_os = "linux"))]
impl PreciseTimer {
    /// A timer on the current event loop.
    pub fn new() -> io::Result<Self> {
        Ok(PreciseTimer)
    }

    /// Returns at `deadline`, or at once when that is past.
    pub async fn sleep_until(&mut self, deadline: Instant) -> io::Result<()> {
        tokio::time::sleep_until(deadline.into()).await;
        Ok(())
    }
}
