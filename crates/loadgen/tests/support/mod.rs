//! What the tests against a server of known timing share.

use std::collections::HashMap;
use std::time::Duration;

use podium_domain::load::LoadPoint;
use podium_domain::plan::Endpoint;
use podium_loadgen::workload::{DatasetSpec, TextCalibration, WorkloadSpec};
use podium_loadgen::{AgentMessage, FinishReason, LoadJob, LoadOutcome, RequestSample, StopHandle, run};
use podium_sim::truth::{TruthConfig, TruthRecord, TruthServer};

/// The server notes a request just after its last byte; its notes are not waited for longer than this.
pub const BOUND: Duration = Duration::from_secs(60);

pub fn workload(endpoint: Endpoint, num_prompts: u32, output_len: u32) -> WorkloadSpec {
    let dataset = DatasetSpec::Random {
        input_len: 24,
        output_len,
        vocab_size: None,
        prompt_form: None,
        text_calibration: TextCalibration::default(),
    };
    WorkloadSpec::new(dataset, endpoint, "truth", num_prompts)
}

pub fn job(server: &TruthServer, workload: WorkloadSpec, load: LoadPoint) -> LoadJob {
    LoadJob { request_timeout_s: 60.0, ..LoadJob::new(server.base_url(), workload, load) }
}

/// A fast server.
pub fn quick() -> TruthConfig {
    TruthConfig { ttft: Duration::from_millis(4), itl: Duration::from_millis(1), ..TruthConfig::default() }
}

/// Runs `job` beside the server; `on_message` may stop it.
pub async fn measure(
    job: LoadJob,
    on_message: impl Fn(&AgentMessage, &StopHandle) + Send + 'static,
) -> (LoadOutcome, Vec<AgentMessage>) {
    let task = tokio::task::spawn_blocking(move || {
        let stop = StopHandle::new();
        let mut messages = Vec::new();
        let outcome = run(&job, &stop, |message| {
            on_message(&message, &stop);
            messages.push(message);
        });
        (outcome.unwrap(), messages)
    });
    task.await.unwrap()
}

pub async fn outcome(job: LoadJob) -> LoadOutcome {
    measure(job, |_, _| ()).await.0
}

/// Each sample with the server's record of the same request; prompts are unique, so bodies identify requests.
pub fn pairs<'a>(
    job: &LoadJob,
    outcome: &'a LoadOutcome,
    records: &'a [TruthRecord],
) -> Vec<(&'a RequestSample, &'a TruthRecord)> {
    let by_body: HashMap<_, _> = records.iter().map(|record| (record.body.clone(), record)).collect();
    let requests = podium_loadgen::workload::build(&job.workload).unwrap().measured;
    outcome.samples.iter().map(|sample| (sample, by_body[&requests[sample.index as usize].body])).collect()
}

/// Counts are exact and no time lies before its cause.
pub fn assert_true(job: &LoadJob, outcome: &LoadOutcome, records: &[TruthRecord], config: &TruthConfig) {
    for (sample, record) in pairs(job, outcome, records) {
        let at = |ns: Option<u64>| outcome.started_at + Duration::from_nanos(ns.unwrap());
        assert!(sample.is_complete(), "{sample:?}");
        assert_eq!(sample.output_tokens, Some(record.output_tokens()));
        assert_eq!(sample.input_tokens, Some(record.prompt_tokens));
        assert_eq!(sample.content_events() as usize, record.events.len());
        assert_eq!(sample.finish, FinishReason::Length);
        assert!(at(sample.sent_at_ns) <= record.read_at);
        assert!(at(sample.first_token_at_ns) >= record.read_at + config.ttft);
        let last = config.ttft + config.itl * (record.output_tokens() - config.tokens_per_event);
        assert!(at(sample.last_token_at_ns) >= record.read_at + last);
        let in_order = [
            Some(sample.scheduled_at_ns),
            sample.sent_at_ns,
            sample.first_byte_at_ns,
            sample.first_token_at_ns,
            sample.first_visible_token_at_ns,
            sample.last_token_at_ns,
            sample.done_at_ns,
        ];
        assert!(in_order.is_sorted(), "{in_order:?}");
        assert_eq!(
            sample.first_token_at_ns.unwrap() + sample.gaps.iter().sum::<u64>(),
            sample.last_token_at_ns.unwrap()
        );
    }
}
