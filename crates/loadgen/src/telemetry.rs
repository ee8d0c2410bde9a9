//! What the engine and its GPUs say of themselves while they are measured.
//!
//! All of it is read on a thread of its own, so that the measuring thread is never disturbed: once before the first
//! request, every few seconds, and once after the last answer.

mod engine_source;
mod fetch;
mod gpu;
mod names;
mod prometheus;
mod reading;

use std::io;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use podium_domain::framework::Framework;
use podium_domain::telemetry::{Level, TelemetryPoint, TelemetrySummary};
use serde::{Deserialize, Serialize};

use engine_source::EngineSource;
use gpu::{GpuReading, Gpus};
use reading::{Reading, increase, mean_between};

/// Engines count an answer a moment after they sent it: the last reading is repeated this often, this far apart, until
/// all answers are counted.
const LAST_READINGS: u32 = 10;
const LAST_READING_GAP: Duration = Duration::from_millis(100);
/// The second reading comes this soon, so that short measurements have one while the load is on.
const FIRST_PAUSE: Duration = Duration::from_millis(500);

/// What is read beside a measurement.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TelemetrySpec {
    /// Whose names the engine's metrics have; absent, the metrics themselves tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub framework: Option<Framework>,
    /// Where the metrics are, where that is not the framework's own path on the server that is measured: the whole
    /// address, or that of another server without a path.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// Seconds between two readings; above 0.
    #[serde(default = "two_seconds")]
    pub every_s: f64,
    /// The program that reads NVIDIA GPUs, `nvidia-smi` or a path; none are read where it is absent. A machine without
    /// that program has no GPUs to read, which is no error.
    #[serde(default)]
    pub nvidia_smi: Option<PathBuf>,
}

fn two_seconds() -> f64 {
    2.0
}

impl TelemetrySpec {
    /// The engine's metrics every two seconds, and no GPUs.
    pub fn new(framework: Framework) -> Self {
        TelemetrySpec { framework: Some(framework), ..TelemetrySpec::recognised() }
    }

    /// The same for a server of which nobody said whose it is.
    pub fn recognised() -> Self {
        TelemetrySpec { framework: None, url: None, every_s: two_seconds(), nvidia_smi: None }
    }
}

enum Command {
    /// Take the first reading, then one after each pause.
    Begin(Sender<()>),
    /// Take the last reading and sum up.
    Finish { end: End, reply: Sender<TelemetrySummary> },
}

/// What the measurement itself saw.
#[derive(Debug, Clone, Copy)]
pub(crate) struct End {
    /// Answers whose first token came.
    pub answered: u64,
    /// Output tokens, where the server counted.
    pub output_tokens: Option<u64>,
}

/// The thread that reads. It ends when this is dropped.
#[derive(Debug)]
pub(crate) struct Monitor {
    commands: Sender<Command>,
}

impl Monitor {
    /// Starts the thread; nothing is read yet.
    ///
    /// # Errors
    /// When the system has no thread to give.
    pub fn start(spec: &TelemetrySpec, base_url: &str, ca_file: Option<&Path>) -> io::Result<Self> {
        let (commands, received) = channel();
        let (spec, base_url, ca_file) = (spec.clone(), base_url.to_owned(), ca_file.map(Path::to_owned));
        let watching = move || watch(&spec, Record::new(&spec, &base_url, ca_file.as_deref()), &received);
        thread::Builder::new().name("telemetry".to_owned()).spawn(watching)?;
        Ok(Monitor { commands })
    }

    /// Takes the first reading, and returns when it is taken.
    pub fn begin(&self) {
        let (reply, done) = channel();
        if self.commands.send(Command::Begin(reply)).is_ok() {
            // An error means that the thread is gone, which `finish` tells.
            let _ = done.recv();
        }
    }

    /// Takes the last reading and sums up; `None` where the thread has failed.
    pub fn finish(self, end: End) -> Option<TelemetrySummary> {
        let (reply, summary) = channel();
        self.commands.send(Command::Finish { end, reply }).ok()?;
        summary.recv().ok()
    }
}

fn watch(spec: &TelemetrySpec, mut record: Record, commands: &Receiver<Command>) {
    let Ok(Command::Begin(begun)) = commands.recv() else { return };
    record.begun = Instant::now();
    record.read();
    // Whoever waits may have left, and then the next command never comes.
    let _ = begun.send(());
    // A pause of a day at most keeps the sum of instants from overflowing.
    let pause = Duration::try_from_secs_f64(spec.every_s.clamp(0.1, 86_400.0)).unwrap_or(Duration::from_secs(2));
    let mut due = Instant::now() + pause.min(FIRST_PAUSE);
    loop {
        match commands.recv_timeout(due.saturating_duration_since(Instant::now())) {
            Err(RecvTimeoutError::Timeout) => {
                record.read();
                due = Instant::now() + pause;
            }
            Err(RecvTimeoutError::Disconnected) => return,
            Ok(Command::Begin(again)) => {
                let _ = again.send(());
            }
            Ok(Command::Finish { end, reply }) => {
                record.read_to_the_end(end.answered);
                let _ = reply.send(record.summary(end));
                return;
            }
        }
    }
}

/// Everything that was read.
struct Record {
    engine: Option<EngineSource>,
    gpus: Gpus,
    readings: Vec<Reading>,
    failed_readings: u32,
    problem: Option<String>,
    series: Vec<TelemetryPoint>,
    begun: Instant,
    /// Whether the first reading succeeded: without it nothing can be counted.
    has_baseline: bool,
}

impl Record {
    fn new(spec: &TelemetrySpec, base_url: &str, ca_file: Option<&Path>) -> Self {
        let (engine, problem) = match EngineSource::new(spec, base_url, ca_file) {
            Ok(engine) => (Some(engine), None),
            Err(problem) => (None, Some(problem)),
        };
        Record {
            engine,
            gpus: Gpus::new(spec.nvidia_smi.as_deref()),
            readings: Vec::new(),
            failed_readings: 0,
            problem,
            series: Vec::new(),
            begun: Instant::now(),
            has_baseline: false,
        }
    }

    /// Reads engine and GPUs once.
    fn read(&mut self) {
        let t_s = self.begun.elapsed().as_secs_f64();
        let first = self.series.is_empty();
        let engine = self.read_engine();
        self.has_baseline |= first && engine;
        let gpu = self.gpus.read().unwrap_or_default();
        self.push_point(t_s, engine, &gpu);
    }

    /// Reads the engine's metrics; whether that succeeded.
    fn read_engine(&mut self) -> bool {
        let Some(engine) = &mut self.engine else { return false };
        match engine.read() {
            Ok(reading) => {
                self.readings.push(reading);
                true
            }
            Err(problem) => {
                self.failed_readings += 1;
                self.problem.get_or_insert(problem);
                false
            }
        }
    }

    fn push_point(&mut self, t_s: f64, engine: bool, gpu: &GpuReading) {
        let reading = self.readings.last().filter(|_| engine).cloned().unwrap_or_default();
        self.series.push(TelemetryPoint {
            t_s,
            running: reading.running,
            waiting: reading.waiting,
            kv_usage: reading.kv_usage,
            gpu_power_w: gpu.power_w,
            gpu_utilization: gpu.utilization,
        });
    }

    fn read_to_the_end(&mut self, answered: u64) {
        self.read();
        for _ in 1..LAST_READINGS {
            if self.counted().is_none_or(|counted| counted >= answered as f64) {
                return;
            }
            thread::sleep(LAST_READING_GAP);
            // Only the newest of the last readings counts: the others are as late and know less.
            if self.readings.len() > 1 {
                self.readings.pop();
            }
            if !self.read_engine() {
                return;
            }
        }
    }

    /// Answers that the engine counted since the first reading, where it counts them.
    fn counted(&self) -> Option<f64> {
        let (first, last) = (self.readings.first()?, self.readings.last()?);
        increase(first.ttft.map(|times| times.count), last.ttft.map(|times| times.count))
    }

    fn summary(&self, end: End) -> TelemetrySummary {
        // The first reading and the last are from before and after the load.
        let loaded = self.series.get(1..self.series.len().saturating_sub(1)).unwrap_or_default();
        let level = |get: fn(&TelemetryPoint) -> Option<f64>| Level::of(loaded.iter().filter_map(get));
        let mut summary = TelemetrySummary {
            readings: self.readings.len() as u32,
            failed_readings: self.failed_readings,
            problem: self.problem.clone(),
            running: level(|point| point.running),
            waiting: level(|point| point.waiting),
            kv_usage: level(|point| point.kv_usage),
            gpu: self.gpus.summary(end.output_tokens),
            series: self.series.clone(),
            ..TelemetrySummary::default()
        };
        if let (true, [first, .., last]) = (self.has_baseline, self.readings.as_slice()) {
            count(first, last, &mut summary);
        }
        if let Some(last) = self.readings.last() {
            self.describe(last, &mut summary);
        }
        summary
    }

    /// Figures that a single reading holds.
    fn describe(&self, last: &Reading, summary: &mut TelemetrySummary) {
        // A gauge at 0 has not been set: no draft was verified, nothing was allocated.
        let set = |gauge: Option<f64>| gauge.filter(|value| *value > 0.0);
        let mean = |get: fn(&Reading) -> Option<f64>| {
            Level::of(self.readings.iter().filter_map(|reading| set(get(reading)))).map(|level| level.mean)
        };
        summary.kv_cache_tokens = last.kv_tokens;
        summary.draft_steps = set(last.draft_steps);
        summary.draft_tokens = set(last.draft_width);
        summary.weight_memory_gb = set(last.weight_gb);
        summary.accept_length = summary.accept_length.or_else(|| mean(|reading| reading.accept_length));
        summary.acceptance_rate = summary.acceptance_rate.or_else(|| mean(|reading| reading.accept_rate));
    }
}

/// What the engine counted between two readings.
fn count(first: &Reading, last: &Reading, summary: &mut TelemetrySummary) {
    let grown = |get: fn(&Reading) -> Option<f64>| increase(get(first), get(last));
    let some = |value: Option<f64>| value.filter(|value| *value > 0.0);
    summary.engine_ttft = mean_between(first.ttft, last.ttft);
    summary.queue = mean_between(first.queue, last.queue);
    summary.pre_scheduler = mean_between(first.pre_scheduler, last.pre_scheduler);
    summary.preemptions = grown(|reading| reading.preemptions).map(|count| count as u64);
    summary.prompt_tokens = grown(|reading| reading.prompt_tokens);
    summary.cached_tokens = grown(|reading| reading.cached_tokens);
    let accepted = grown(|reading| reading.accepted_tokens);
    let share = |of: Option<f64>| accepted.zip(some(of)).map(|(accepted, all)| accepted / all);
    summary.accept_length = share(grown(|reading| reading.drafts)).map(|accepted| 1.0 + accepted);
    summary.acceptance_rate = share(grown(|reading| reading.draft_tokens));
}
