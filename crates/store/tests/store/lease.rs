use std::collections::HashSet;
use std::time::Duration;

use podium_domain::status::{CandidateStatus, RunStatus};
use podium_store::{CandidateOutcome, Claim, Error, NewMachine, RunEnd};

use crate::fixture::{
    OWNER, TTL, ask, candidate, claim, event, queue_run, queue_run_at, queue_run_on, run_with_candidate, store,
};

#[tokio::test]
async fn no_run_is_claimed_twice() {
    let store = store().await;
    let mut queued = HashSet::new();
    for host in 0..6 {
        queued.insert(queue_run_on(&store, &format!("host {host}")).await);
    }
    let claims = (0..8).map(|worker| {
        let store = store.clone();
        tokio::spawn(async move { store.claim_run(&ask(&format!("worker {worker}")), |_| vec![]).await.unwrap() })
    });
    let mut claimed = Vec::new();
    for claim in claims.collect::<Vec<_>>() {
        claimed.extend(claim.await.unwrap().map(|claimed| claimed.run.id));
    }
    assert_eq!(claimed.len(), 6, "two of eight workers get nothing");
    assert_eq!(claimed.into_iter().collect::<HashSet<_>>(), queued);
}

#[tokio::test]
async fn a_worker_whose_lease_ran_out_writes_nothing_more() {
    let store = store().await;
    let run_id = queue_run(&store).await;
    let old = store.claim_run(&Claim { ttl: Duration::ZERO, ..ask("old") }, |_| vec![]).await.unwrap().unwrap();
    let id = store.insert_candidates(&old.lease, &[candidate(0, "a")], &[]).await.unwrap()[0];
    assert!(!old.resumed);

    let new = claim(&store, "new").await;
    assert_eq!(new.run.id, run_id);
    assert!(new.resumed);
    assert_eq!(new.lease.epoch, old.lease.epoch + 1);

    let events_before = store.events_after(run_id, 0, 100).await.unwrap();
    let failed = CandidateOutcome::plain(CandidateStatus::Failed);
    let end = RunEnd { status: RunStatus::Failed, failure: None, summary: None };
    for result in [
        store.set_candidate(&old.lease, id, &failed, &[event("stale")]).await,
        store.append_events(&old.lease, &[event("stale")]).await.map(drop),
        store.finish_run(&old.lease, &end, &[event("stale")]).await,
        store.renew_lease(&old.lease, TTL).await.map(drop),
        store.release_lease(&old.lease).await,
    ] {
        assert!(matches!(result, Err(Error::LeaseLost)), "{result:?}");
    }
    assert_eq!(store.candidates(run_id).await.unwrap()[0].status, CandidateStatus::Pending);
    assert_eq!(store.run(run_id).await.unwrap().status, RunStatus::Running);
    assert_eq!(store.events_after(run_id, 0, 100).await.unwrap(), events_before);

    store.set_candidate(&new.lease, id, &failed, &[]).await.unwrap();
    assert_eq!(store.candidates(run_id).await.unwrap()[0].status, CandidateStatus::Failed);
}

#[tokio::test]
async fn a_live_lease_is_not_taken_and_a_released_one_is() {
    let store = store().await;
    queue_run(&store).await;
    let first = claim(&store, "first").await;
    assert!(store.claim_run(&ask("second"), |_| vec![]).await.unwrap().is_none());
    store.release_lease(&first.lease).await.unwrap();
    assert!(claim(&store, "second").await.resumed);
}

#[tokio::test]
async fn a_host_carries_one_run_at_a_time() {
    let store = store().await;
    let first = queue_run(&store).await;
    let second = queue_run(&store).await;
    let elsewhere = queue_run_on(&store, "elsewhere").await;
    let claimed = claim(&store, "a").await;
    assert_eq!(claimed.run.id, first);
    assert_eq!(claim(&store, "b").await.run.id, elsewhere);
    assert!(store.claim_run(&ask("c"), |_| vec![]).await.unwrap().is_none());
    let later = queue_run_on(&store, "far").await;
    let last = queue_run_on(&store, "away").await;
    let only = store.claim_run(&Claim { only: Some(last), ..ask("d") }, |_| vec![]).await.unwrap().unwrap();
    assert_eq!(only.run.id, last, "an older run is left to others");
    assert_eq!(claim(&store, "e").await.run.id, later);

    let end = RunEnd { status: RunStatus::Completed, failure: None, summary: None };
    store.finish_run(&claimed.lease, &end, &[]).await.unwrap();
    assert_eq!(claim(&store, "c").await.run.id, second);
}

#[tokio::test]
async fn a_cancel_reaches_the_worker() {
    let store = store().await;
    let run_id = queue_run(&store).await;
    let lease = claim(&store, "worker").await.lease;
    assert_eq!(store.renew_lease(&lease, TTL).await.unwrap(), RunStatus::Running);
    let status = store.request_cancel(run_id, |status| vec![event(status.word())]).await.unwrap();
    assert_eq!(status, RunStatus::Cancelling);
    assert_eq!(store.renew_lease(&lease, TTL).await.unwrap(), RunStatus::Cancelling);

    let end = RunEnd { status: RunStatus::Cancelled, failure: None, summary: None };
    store.finish_run(&lease, &end, &[event("end")]).await.unwrap();
    let run = store.run(run_id).await.unwrap();
    assert_eq!(run.status, RunStatus::Cancelled);
    assert!(run.finished_at.is_some());
    assert_eq!(run.last_event_seq, 4, "queued, claimed, cancelling, end");
    assert_eq!(store.request_cancel(run_id, |_| vec![event("late")]).await.unwrap(), RunStatus::Cancelled);
    assert_eq!(store.run(run_id).await.unwrap().last_event_seq, 4, "nothing happened");
}

#[tokio::test]
async fn a_waiting_run_is_cancelled_at_once_and_never_claimed() {
    let store = store().await;
    let run_id = queue_run(&store).await;
    assert_eq!(store.request_cancel(run_id, |_| vec![]).await.unwrap(), RunStatus::Cancelled);
    assert!(store.run(run_id).await.unwrap().finished_at.is_some());
    assert!(store.claim_run(&ask("worker"), |_| vec![]).await.unwrap().is_none());
}

#[tokio::test]
async fn a_run_ends_once_and_only_in_a_final_state() {
    let store = store().await;
    let (lease, _) = run_with_candidate(&store).await;
    let end = |status| RunEnd { status, failure: None, summary: Some(serde_json::json!(["a wins"])) };
    let result = store.finish_run(&lease, &end(RunStatus::Running), &[]).await;
    assert!(matches!(result, Err(Error::Value { .. })), "{result:?}");
    store.finish_run(&lease, &end(RunStatus::Completed), &[]).await.unwrap();
    let result = store.finish_run(&lease, &end(RunStatus::Failed), &[]).await;
    assert!(matches!(&result, Err(Error::Conflict { constraint }) if constraint == "run_is_unfinished"), "{result:?}");
    let run = store.run(lease.run_id).await.unwrap();
    assert_eq!((run.status, run.summary), (RunStatus::Completed, Some(serde_json::json!(["a wins"]))));
}

#[tokio::test]
async fn a_run_on_a_machine_is_for_the_workers_of_that_machine() {
    let store = store().await;
    let machine = |id: &str| NewMachine {
        machine: id.to_owned(),
        only_name: "this machine".to_owned(),
        host_name: id.to_owned(),
        created_by: OWNER,
    };
    let there = store.ensure_machine(&machine("there")).await.unwrap();
    let own = store.ensure_machine(&machine("box")).await.unwrap();
    let on_there = queue_run_at(&store, there.id).await;
    let on_own = queue_run_at(&store, own.id).await;
    let anywhere = queue_run_on(&store, "by ssh").await;

    assert_eq!(claim(&store, "a").await.run.id, on_own, "the oldest run is on another machine");
    let gone = store.claim_run(&Claim { ttl: Duration::ZERO, ..ask("b") }, |_| vec![]).await.unwrap().unwrap();
    assert_eq!(gone.run.id, anywhere, "a host that is reached by SSH belongs to no machine");
    let from_there = Claim { machine: "there", ..ask("c") };
    let claimed = store.claim_run(&from_there, |_| vec![]).await.unwrap().unwrap();
    assert_eq!(claimed.run.id, on_there);
    let taken_over = store.claim_run(&from_there, |_| vec![]).await.unwrap().unwrap();
    assert_eq!((taken_over.run.id, taken_over.resumed), (anywhere, true), "its worker died on another machine");
}

#[tokio::test]
async fn leases_that_ran_out_while_the_database_was_away_are_left_to_their_workers_for_a_while() {
    let store = store().await;
    let run_id = queue_run(&store).await;
    let holder = store.claim_run(&Claim { ttl: Duration::ZERO, ..ask("a") }, |_| vec![]).await.unwrap().unwrap();
    // The server of these tests has been up for less than this: to this claim the lease ran out around its start.
    let after_restart = Duration::from_secs(100_000);
    let early = Claim { after_restart, ..ask("b") };
    assert!(store.claim_run(&early, |_| vec![]).await.unwrap().is_none());
    assert_eq!(store.renew_lease(&holder.lease, Duration::ZERO).await.unwrap(), RunStatus::Running);
    assert_eq!(claim(&store, "c").await.run.id, run_id, "without a restart it is free");
}

#[tokio::test]
async fn a_lease_that_was_given_back_is_free_at_once_even_after_a_restart() {
    let store = store().await;
    let run_id = queue_run(&store).await;
    store.release_lease(&claim(&store, "a").await.lease).await.unwrap();
    let early = Claim { after_restart: Duration::from_secs(100_000), ..ask("b") };
    assert_eq!(store.claim_run(&early, |_| vec![]).await.unwrap().unwrap().run.id, run_id);
}
