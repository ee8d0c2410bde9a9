//! What the load process sees of itself: its CPU time and how late its event loop runs.

use std::cell::RefCell;
use std::io;
use std::rc::Rc;
use std::time::{Duration, Instant};

use podium_domain::stats::percentile;

use crate::timer::PreciseTimer;

/// How often the event loop's delay is looked at.
const SAMPLE_EVERY: Duration = Duration::from_millis(10);

/// CPU time of this thread.
pub(crate) fn thread_cpu_time() -> Duration {
    let spent = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::new(u64::try_from(spent.tv_sec).unwrap_or(0), u32::try_from(spent.tv_nsec).unwrap_or(0))
}

/// How late the event loop woke for each of its samples. What became readable waits as long to be read as its sampler
/// waits to run, as long as both are tasks in the same line.
#[derive(Debug, Clone, Default)]
pub(crate) struct LoopDelays {
    delays_ms: Rc<RefCell<Vec<f64>>>,
}

impl LoopDelays {
    /// Samples until it is dropped.
    pub async fn sample(&self) -> io::Result<()> {
        let mut timer = PreciseTimer::new()?;
        let mut due = Instant::now();
        loop {
            due += SAMPLE_EVERY;
            timer.sleep_until(due).await?;
            let now = Instant::now();
            self.record(now.saturating_duration_since(due));
            // A long stall hides the samples that were due meanwhile: they were late too.
            while due + SAMPLE_EVERY <= now {
                due += SAMPLE_EVERY;
                self.record(now - due);
            }
        }
    }

    fn record(&self, delay: Duration) {
        self.delays_ms.borrow_mut().push(delay.as_secs_f64() * 1e3);
    }

    /// How late it was, taken together.
    pub fn summary_ms(&self) -> DelaySummary {
        let mut delays = self.delays_ms.borrow().clone();
        delays.sort_by(f64::total_cmp);
        DelaySummary {
            p50_ms: percentile(&delays, 50.0),
            p99_ms: percentile(&delays, 99.0),
            max_ms: delays.last().copied(),
        }
    }
}

/// How late the event loop woke; `None` where it was not looked at.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct DelaySummary {
    pub p50_ms: Option<f64>,
    pub p99_ms: Option<f64>,
    pub max_ms: Option<f64>,
}
