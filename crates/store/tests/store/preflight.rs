//! What preflight found, for a run and for a host.

use std::time::Duration;

use podium_store::{Claim, Error, HostKnowledge, new_id};
use serde_json::json;

use crate::fixture::{ask, claim, queue_run, store};

#[tokio::test]
async fn a_run_keeps_what_its_own_worker_found() {
    let store = store().await;
    let run_id = queue_run(&store).await;
    let old = store.claim_run(&Claim { ttl: Duration::ZERO, ..ask("old") }, |_| vec![]).await.unwrap().unwrap();
    assert_eq!(store.run_preflight(run_id).await.unwrap(), None);
    let new = claim(&store, "new").await;
    let found = json!({ "checks": [] });
    store.set_run_preflight(&new.lease, &found).await.unwrap();
    let stale = store.set_run_preflight(&old.lease, &json!({})).await;
    assert!(matches!(stale, Err(Error::LeaseLost)), "{stale:?}");
    assert_eq!(store.run_preflight(run_id).await.unwrap(), Some(found));
    assert_eq!(store.run_preflight(new_id()).await.unwrap(), None);
}

#[tokio::test]
async fn what_is_known_of_a_host_is_told_by_kind_and_key_and_replaced() {
    let store = store().await;
    let run = queue_run(&store).await;
    let host = store.run(run).await.unwrap().host_id.unwrap();
    let known = |kind, key| {
        let store = store.clone();
        async move { store.host_knowledge(host, kind, key).await.unwrap() }
    };
    assert_eq!(known(HostKnowledge::Help, "vllm 1").await, None);
    for (key, value) in [("vllm 1", 1), ("vllm 2", 2), ("vllm 1", 3)] {
        store.keep_host_knowledge(host, HostKnowledge::Help, key, &json!(value)).await.unwrap();
    }
    assert_eq!(known(HostKnowledge::Help, "vllm 1").await, Some(json!(3)));
    assert_eq!(known(HostKnowledge::Smoke, "vllm 1").await, None);
    let all = store.all_host_knowledge(host, HostKnowledge::Help).await.unwrap();
    assert_eq!(all, [json!(2), json!(3)], "what was found last comes last");
}
