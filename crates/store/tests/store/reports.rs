use podium_domain::status::{CandidateStatus, RunStatus};
use podium_store::{Error, NewReport, NewRow, NewShare, RunEnd, RunQuery, Store, new_id};
use serde_json::json;
use time::{Duration, OffsetDateTime};
use uuid::Uuid;

use crate::fixture::{OWNER, event, run_with_candidate, store};

fn report(id: Uuid, title: &str) -> NewReport {
    NewReport {
        id,
        schema_version: 1,
        title: title.to_owned(),
        model: json!({ "z": 1, "a": { "y": 1, "b": 2 } }),
        simulated: true,
        created_by: OWNER,
    }
}

fn share(report_id: Uuid, token: u8, expires_at: Option<OffsetDateTime>) -> NewShare {
    NewShare {
        report_id,
        token_sha256: [token; 32],
        include_private: false,
        password_hash: None,
        expires_at,
        created_by: OWNER,
    }
}

fn is_missing<T: std::fmt::Debug>(result: Result<T, Error>) -> bool {
    matches!(result, Err(Error::NotFound { .. }))
}

async fn finish(store: &Store, lease: &podium_store::Lease) {
    let end = RunEnd { status: RunStatus::Completed, failure: None, summary: None };
    store.finish_run(lease, &end, &[]).await.unwrap();
}

#[tokio::test]
async fn the_newest_report_stands_for_its_run_and_keeps_its_order() {
    let store = store().await;
    let (lease, _) = run_with_candidate(&store).await;
    assert_eq!(store.report_of_run(lease.run_id).await.unwrap(), None);
    store.insert_report(&lease, &report(new_id(), "first"), &[event("report")]).await.unwrap();
    store.insert_report(&lease, &report(new_id(), "second"), &[]).await.unwrap();
    let newest = store.report_of_run(lease.run_id).await.unwrap().unwrap();
    assert_eq!(newest.title, "second");
    assert_eq!(newest.model.to_string(), r#"{"z":1,"a":{"y":1,"b":2}}"#);
}

#[tokio::test]
async fn a_link_is_found_by_its_token_until_it_is_revoked() {
    let store = store().await;
    let (lease, _) = run_with_candidate(&store).await;
    let id = new_id();
    store.insert_report(&lease, &report(id, "r"), &[]).await.unwrap();
    let made = store.create_share(&share(id, 1, None)).await.unwrap();
    let found = store.share_by_token(&[1; 32]).await.unwrap();
    assert_eq!(found, made);
    assert_eq!(found.report_id, id);
    assert!(is_missing(store.share_by_token(&[2; 32]).await));
    let taken = store.create_share(&share(id, 1, None)).await;
    assert!(matches!(taken, Err(Error::Conflict { constraint }) if constraint == "share_token_key"));

    store.revoke_share(made.id).await.unwrap();
    assert!(is_missing(store.share_by_token(&[1; 32]).await));
    let revoked_at = store.shares(id).await.unwrap()[0].revoked_at;
    assert!(revoked_at.is_some(), "the list still shows it");
    store.revoke_share(made.id).await.unwrap();
    assert_eq!(store.shares(id).await.unwrap()[0].revoked_at, revoked_at);
    assert!(is_missing(store.revoke_share(new_id()).await));
}

#[tokio::test]
async fn a_link_ends_at_its_time_or_with_its_run() {
    let store = store().await;
    let (lease, _) = run_with_candidate(&store).await;
    let id = new_id();
    store.insert_report(&lease, &report(id, "r"), &[]).await.unwrap();
    let now = OffsetDateTime::now_utc();
    store.create_share(&share(id, 1, Some(now - Duration::hours(1)))).await.unwrap();
    store.create_share(&share(id, 2, Some(now + Duration::hours(1)))).await.unwrap();
    assert!(is_missing(store.share_by_token(&[1; 32]).await));
    store.share_by_token(&[2; 32]).await.unwrap();

    let running = store.delete_run(lease.run_id).await;
    assert!(matches!(running, Err(Error::Conflict { constraint }) if constraint == "run_is_finished"));
    finish(&store, &lease).await;
    store.delete_run(lease.run_id).await.unwrap();
    assert!(is_missing(store.share_by_token(&[2; 32]).await));
    assert!(is_missing(store.report(id).await));
    assert!(is_missing(store.run(lease.run_id).await));
    assert!(is_missing(store.delete_run(lease.run_id).await));
    assert!(store.listed_runs(&RunQuery::default(), 10).await.unwrap().is_empty());
}

#[tokio::test]
async fn rows_are_replaced_and_keep_their_order() {
    let store = store().await;
    let (lease, candidate_id) = run_with_candidate(&store).await;
    let row = |scenario: &str| NewRow {
        candidate_id: Some(candidate_id),
        framework: "vllm".to_owned(),
        scenario: scenario.to_owned(),
        status: CandidateStatus::Ok,
        sla_passed: Some(true),
        request_throughput: Some(4.0),
        output_token_throughput: None,
        p50_ttft_ms: Some(20.0),
        p50_tpot_ms: None,
        simulated: true,
        row: json!({ "z": scenario, "a": 1 }),
        original: None,
    };
    store.replace_rows(&lease, &[row("old")], &[]).await.unwrap();
    store.replace_rows(&lease, &[row("second"), row("first")], &[]).await.unwrap();
    let rows = store.rows(lease.run_id).await.unwrap();
    assert_eq!(rows.iter().map(|row| row.scenario.as_str()).collect::<Vec<_>>(), ["second", "first"]);
    assert_eq!(rows[0].row.to_string(), r#"{"z":"second","a":1}"#);
    let unfit = store.replace_rows(&lease, &[NewRow { status: CandidateStatus::Pending, ..row("x") }], &[]).await;
    assert!(matches!(unfit, Err(Error::Conflict { constraint }) if constraint == "result_row_status_check"));
    assert_eq!(store.rows(lease.run_id).await.unwrap().len(), 2, "all or nothing");
}
