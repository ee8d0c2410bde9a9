//! A database with what most tests need.

use std::time::Duration;

use podium_domain::framework::Framework;
use podium_domain::load::{LoadMode, LoadPoint};
use podium_domain::status::CandidateStatus;
use podium_store::testing::TestDatabase;
use podium_store::{
    Claim, ClaimedRun, Lease, NewCandidate, NewEvent, NewHost, NewLaunch, NewMeasurement, NewRun, Store, new_id,
};
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

/// Queues a run on the host of this name, which every worker reaches.
pub async fn queue_run_on(store: &Store, host: &str) -> Uuid {
    let host = NewHost {
        name: host.to_owned(),
        kind: "local".to_owned(),
        config: json!({}),
        machine: None,
        created_by: OWNER,
    };
    let host = store.ensure_host(&host).await.unwrap();
    queue_run_at(store, host.id).await
}

/// Queues a run on this host.
pub async fn queue_run_at(store: &Store, host_id: Uuid) -> Uuid {
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
        host_id,
        created_by: OWNER,
    };
    store.create_run(&new, &[event("queued")]).await.unwrap()
}

/// Claims the oldest run, which the test knows to be there.
pub async fn claim(store: &Store, worker: &str) -> ClaimedRun {
    store.claim_run(&ask(worker), |_| vec![event("claimed")]).await.unwrap().expect("a run waits")
}

/// A worker on the machine `box`, which asks for any run. The database is as good as never restarted.
pub fn ask(worker: &str) -> Claim<'_> {
    Claim { worker, machine: "box", ttl: TTL, only: None, after_restart: Duration::ZERO }
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

/// A launch that is about to be made.
pub async fn launch(store: &Store, lease: &Lease, candidate_id: Uuid) -> Uuid {
    let id = new_id();
    let new = NewLaunch {
        id,
        candidate_id,
        host_id: store.run(lease.run_id).await.unwrap().host_id.unwrap(),
        argv: vec!["vllm".to_owned(), "serve".to_owned(), "--port".to_owned(), "1".to_owned()],
        command: "vllm serve --port 1".to_owned(),
        deploy_command: "vllm serve".to_owned(),
        port: Some(8000),
        facts: None,
    };
    store.insert_launch(lease, &new, &[]).await.unwrap();
    id
}
