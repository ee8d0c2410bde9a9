//! One load against a server process, with the client's own cost.

use std::cell::Cell;
use std::time::{Duration, Instant};

use podium_domain::load::LoadPoint;
use podium_domain::plan::Endpoint;
use podium_loadgen::workload::{DatasetSpec, TextCalibration, WorkloadSpec, build};
use podium_loadgen::{AgentMessage, LoadJob, LoadOutcome, StopHandle, run};

use crate::truth_process::{Monotonic, Truth, TruthProcess, body_key};

/// A measurement and what it cost.
pub struct Measured {
    pub job: LoadJob,
    pub outcome: LoadOutcome,
    /// CPU time of the process from the first send to the final JSON.
    pub cpu: Duration,
    pub truth: Truth,
    monotonic: Monotonic,
}

/// Requests of 32 prompt tokens; the server waits `ttft`, then `itl` between tokens.
pub fn measure(
    (ttft_ms, itl_ms): (u64, u64),
    load: LoadPoint,
    requests: u32,
    output_len: u32,
) -> Result<Measured, Box<dyn std::error::Error>> {
    let server = TruthProcess::start(Duration::from_millis(ttft_ms), Duration::from_millis(itl_ms))?;
    // The limit bounds the benchmark on a machine that cannot carry it.
    let job = LoadJob {
        request_timeout_s: 60.0,
        ..LoadJob::new(server.base_url.clone(), workload(requests, output_len), load)
    };
    let monotonic = Monotonic::now();
    let cpu_at_start = Cell::new(Duration::ZERO);
    let outcome = run(&job, &StopHandle::new(), |message| {
        if matches!(message, AgentMessage::Started { .. }) {
            cpu_at_start.set(process_cpu_time());
        }
    })?;
    // The final JSON is part of the cost.
    let json = serde_json::to_vec(&outcome.report)?;
    let cpu = process_cpu_time().saturating_sub(cpu_at_start.get());
    std::hint::black_box(json);
    Ok(Measured { job, outcome, cpu, truth: server.finish()?, monotonic })
}

/// What every benchmark sends.
pub fn workload(requests: u32, output_len: u32) -> WorkloadSpec {
    let dataset = DatasetSpec::Random {
        input_len: 32,
        output_len,
        vocab_size: None,
        prompt_form: None,
        text_calibration: TextCalibration::default(),
    };
    WorkloadSpec::new(dataset, Endpoint::Completions, "truth", requests)
}

/// CPU time of all threads of this process.
pub fn process_cpu_time() -> Duration {
    let spent = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    Duration::new(u64::try_from(spent.tv_sec).unwrap_or(0), u32::try_from(spent.tv_nsec).unwrap_or(0))
}

/// Differences between the client's figures and the server's, request by request; each list is unsorted.
#[derive(Debug, Default)]
pub struct Errors {
    /// Client's TTFT less the server's, ms.
    pub ttft_ms: Vec<f64>,
    /// From the first token written to the first token read, ms.
    pub read_late_ms: Vec<f64>,
    /// From the request sent to the request read by the server, ms.
    pub sent_to_read_ms: Vec<f64>,
    /// Client's TPOT over the server's.
    pub tpot_ratio: Vec<f64>,
}

impl Measured {
    /// Compares each complete request with the server's record of it.
    pub fn errors(&self) -> Result<Errors, Box<dyn std::error::Error>> {
        let requests = build(&self.job.workload)?.measured;
        let zero_ns = self.monotonic.ns(self.outcome.started_at);
        let ms = |ns: i128| ns as f64 / 1e6;
        let mut errors = Errors::default();
        for sample in self.outcome.samples.iter().filter(|sample| sample.is_complete()) {
            let truth = requests
                .get(sample.index as usize)
                .and_then(|request| self.truth.requests.get(&body_key(&request.body)))
                .ok_or("the server has no record of a request that it answered")?;
            let (Some(sent), Some(first)) = (sample.sent_at_ns, sample.first_token_at_ns) else { continue };
            let (sent, first) = (zero_ns + i128::from(sent), zero_ns + i128::from(first));
            errors.ttft_ms.push(ms((first - sent) - (truth.first_ns - truth.read_ns)));
            errors.read_late_ms.push(ms(first - truth.first_ns));
            errors.sent_to_read_ms.push(ms(truth.read_ns - sent));
            let truth_tpot_ms = ms(truth.last_ns - truth.first_ns) / f64::from(truth.tokens.max(2) - 1);
            errors.tpot_ratio.extend(sample.tpot_ms().map(|seen| seen / truth_tpot_ms));
        }
        Ok(errors)
    }

    /// Output tokens for each second of the client's CPU time.
    pub fn tokens_per_cpu_s(&self) -> f64 {
        self.outcome.report.summary.output_tokens.unwrap_or(0) as f64 / self.cpu.as_secs_f64()
    }
}

/// The time that `work` took.
pub fn timed<T>(work: impl FnOnce() -> T) -> (T, Duration) {
    let began = Instant::now();
    let result = work();
    (result, began.elapsed())
}
