//! A database with what most tests need.

use std::time::Duration;

use podium_domain::framework::Framework;
use podium_domain::load::{LoadMode, LoadPoint};
use podium_domain::status::CandidateStatus;
use podium_store::testing::TestDatabase;
use podium_store::{ClaimedRun, Lease, NewCandidate, NewEvent, NewHost, NewMeasurement, NewRun, Store};
use serde_json::json;
use uuid::Uuid;

/// The person that the first migration inserts.
pub const OWNER: Uuid = Uuid::from_u128(1);

/// Long enough for every test.
pub const TTL: Duration = Duration::from_secs(600);

/// An event of the given kind.
pub fn event(kind: &str) -> NewEvent {
    NewEvent { kind: kind.to_owned(), body: json!({ "kind": kind }) }
}

/// A fresh store.
pub async fn store() -> Store {
    TestDatabase::create().await.store
}

/// Queues a run on a host named `here`.
pub async fn queue_run(store: &Store) -> Uuid {
    queue_run_on(store, "here").await
}

/// Queues a run on the host of this name.
pub async fn queue_run_on(store: &Store, host: &str) -> Uuid {
    let host = NewHost { name: host.to_owned(), kind: "local".to_owned(), config: json!({}), created_by: OWNER };
    let host = store.ensure_host(&host).await.unwrap();
    let new = NewRun {
        plan: None,
        plan_yaml: "model: {}\n".to_owned(),
        plan_json: json!({ "z": 1, "a": 2 }),
        options: json!({}),
        title: "tiny on CPU".to_owned(),
        model: "tiny".to_owned(),
        frameworks: vec![Framework::Vllm, Framework::Sglang],
        flow_check: false,
        simulated: true,
        host_id: host.id,
        created_by: OWNER,
    };
    store.create_run(&new, &[event("queued")]).await.unwrap()
}

/// Claims the oldest run, which the test knows to be there.
pub async fn claim(store: &Store, worker: &str) -> ClaimedRun {
    store.claim_run(worker, TTL, None, |_| vec![event("claimed")]).await.unwrap().expect("a run waits")
}

/// A candidate of that id.
pub fn candidate(ordinal: i32, candidate_id: &str) -> NewCandidate {
    NewCandidate {
        ordinal,
        framework: Framework::Vllm,
        candidate_id: candidate_id.to_owned(),
        baseline: ordinal == 0,
        flags: json!({ "tensor_parallel_size": 1, "block_size": 16 }),
        argv: vec!["vllm".to_owned(), "serve".to_owned()],
        command: "vllm serve".to_owned(),
        status: CandidateStatus::Pending,
        failure_reason: None,
    }
}

/// A claimed run with one candidate.
pub async fn run_with_candidate(store: &Store) -> (Lease, Uuid) {
    queue_run(store).await;
    let lease = claim(store, "worker").await.lease;
    let ids = store.insert_candidates(&lease, &[candidate(0, "vllm-baseline-1")], &[]).await.unwrap();
    (lease, ids[0])
}

/// A planned measurement at 4 requests per second.
pub fn measurement(candidate_id: Uuid, repeat: i32) -> NewMeasurement {
    NewMeasurement {
        candidate_id,
        scenario: "chat".to_owned(),
        load_mode: LoadMode::Rate,
        load_point: LoadPoint::Rate { rate_rps: 4.0, max_concurrency: Some(32) },
        repeat,
        attempt: 1,
        simulated: true,
    }
}
