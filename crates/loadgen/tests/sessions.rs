//! Conversations: a turn is sent when the one before has ended and its user has thought.

mod support;

use std::time::Duration;

use podium_domain::lengths::{Conversation, PromptShape};
use podium_domain::load::LoadPoint;
use podium_domain::plan::Endpoint;
use podium_loadgen::workload::{Arrivals, WorkloadSpec, build};
use podium_loadgen::{FailureClass, LoadJob, RequestSample};
use podium_sim::truth::{Fault, TruthConfig, TruthServer};
use support::{BOUND, assert_true, job, outcome, quick, workload};

const SESSIONS: u32 = 4;
const TURNS: u32 = 3;
const THINK_TIME_NS: u64 = 5_000_000;

fn conversations(endpoint: Endpoint) -> WorkloadSpec {
    let think_time_s = Duration::from_nanos(THINK_TIME_NS).as_secs_f64();
    let conversation = Some(Conversation { turns: TURNS, think_time_s });
    WorkloadSpec {
        shape: PromptShape { conversation, ..PromptShape::default() },
        ..workload(endpoint, SESSIONS * TURNS, 4)
    }
}

/// The samples of each session in the order of its turns.
fn by_session(job: &LoadJob, samples: &[RequestSample]) -> Vec<Vec<RequestSample>> {
    let requests = build(&job.workload).unwrap().measured;
    let mut sessions = vec![Vec::new(); SESSIONS as usize];
    let mut in_order = samples.to_vec();
    in_order.sort_by_key(|sample| sample.index);
    for sample in in_order {
        let step = requests[sample.index as usize].session.unwrap();
        assert_eq!(step.turn as usize, sessions[step.session as usize].len());
        sessions[step.session as usize].push(sample);
    }
    sessions
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_turn_starts_a_think_time_after_the_end_of_the_one_before() {
    let loads = [
        LoadPoint::Rate { rate_rps: 500.0, max_concurrency: Some(2) },
        LoadPoint::Burst { max_concurrency: None },
        LoadPoint::Concurrency { concurrency: 2 },
    ];
    for load in loads {
        for endpoint in [Endpoint::Completions, Endpoint::ChatCompletions] {
            let server = TruthServer::start(quick()).await.unwrap();
            let job = LoadJob { arrivals: Arrivals::Constant, ..job(&server, conversations(endpoint), load) };
            let outcome = outcome(job.clone()).await;
            let records = server.wait_for_records((SESSIONS * TURNS) as usize, BOUND).await;
            assert_true(&job, &outcome, &records, &quick());
            assert!(outcome.samples.is_sorted_by_key(|sample| sample.scheduled_at_ns));
            let closed = matches!(load, LoadPoint::Concurrency { .. });
            for session in by_session(&job, &outcome.samples) {
                for turns in session.windows(2) {
                    let due_ns = turns[0].done_at_ns.unwrap() + THINK_TIME_NS;
                    // In a closed loop a turn whose time has come may have to wait for a free slot.
                    assert!(turns[1].scheduled_at_ns == due_ns || closed && turns[1].scheduled_at_ns > due_ns);
                    assert!(turns[1].sent_at_ns.unwrap() >= due_ns);
                }
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_whose_turn_failed_goes_no_further() {
    // One session after the other, as one slot makes them: the second request that the server sees fails.
    let config = TruthConfig { fault: Some(Fault::Status(500)), fault_every: 2, ..quick() };
    let server = TruthServer::start(config).await.unwrap();
    let load = LoadPoint::Burst { max_concurrency: Some(1) };
    let job = support::job(&server, conversations(Endpoint::Completions), load);
    let outcome = outcome(job.clone()).await;
    assert_eq!(outcome.samples.len(), (SESSIONS * TURNS) as usize);
    let mut failed = 0;
    for session in by_session(&job, &outcome.samples) {
        if let Some(first) = session.iter().position(|sample| sample.failure.is_some()) {
            failed += 1;
            assert_eq!(session[first].failure, Some(FailureClass::HttpStatus));
            for later in &session[first + 1..] {
                assert_eq!((later.failure, later.sent_at_ns), (Some(FailureClass::Cancelled), None));
            }
        }
    }
    assert!(failed > 0);
    let cancelled = outcome.report.summary.failures.iter().find(|failure| failure.class == "cancelled");
    assert!(cancelled.is_none_or(|failure| failure.example.contains("earlier turn")), "{cancelled:?}");
}
