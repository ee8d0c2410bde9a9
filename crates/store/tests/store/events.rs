use std::time::Duration;

use podium_store::{Error, NewEvent, Wake};
use serde_json::json;

use crate::fixture::{candidate, claim, event, queue_run, store};

#[tokio::test]
async fn events_are_numbered_without_gaps_by_however_many_writers() {
    let store = store().await;
    let run_id = queue_run(&store).await;
    let lease = claim(&store, "worker").await.lease;
    let writers: Vec<_> = (0..4)
        .map(|_| {
            let store = store.clone();
            tokio::spawn(async move {
                for _ in 0..10 {
                    store.append_events(&lease, &[event("tick"), event("tock")]).await.unwrap();
                }
            })
        })
        .collect();
    // A write that fails after it took numbers gives them back.
    let twice = [candidate(0, "same"), candidate(1, "same")];
    let rejected = store.insert_candidates(&lease, &twice, &[event("never")]).await;
    assert!(matches!(rejected, Err(Error::Conflict { constraint }) if constraint == "candidate_id_key"));
    for writer in writers {
        writer.await.unwrap();
    }
    let events = store.events_after(run_id, 0, 1000).await.unwrap();
    assert_eq!(events.iter().map(|event| event.seq).collect::<Vec<_>>(), (1..=82).collect::<Vec<_>>());
    assert_eq!((events[0].kind.as_str(), events[1].kind.as_str()), ("queued", "claimed"));
    assert!(events[2..].chunks(2).all(|pair| pair[0].kind == "tick" && pair[1].kind == "tock"), "pairs stay together");
    assert!(events.is_sorted_by_key(|event| event.at));

    let page = store.events_after(run_id, 80, 1).await.unwrap();
    assert_eq!(page.iter().map(|event| event.seq).collect::<Vec<_>>(), [81]);
    assert_eq!(store.run(run_id).await.unwrap().last_event_seq, 82);
}

#[tokio::test]
async fn a_listener_hears_of_committed_events() {
    let store = store().await;
    let mut listener = store.listen().await.unwrap();
    let run_id = queue_run(&store).await;
    let wake = tokio::time::timeout(Duration::from_secs(30), listener.next()).await.unwrap().unwrap();
    assert_eq!(wake, Wake::Run(run_id));
    assert_eq!(store.events_after(run_id, 0, 10).await.unwrap().len(), 1, "what was announced can be read");
}

#[test]
fn a_tagged_event_names_its_kind() {
    let event = NewEvent::tagged(&json!({ "kind": "note", "text": "hello" })).unwrap();
    assert_eq!((event.kind.as_str(), &event.body["text"]), ("note", &json!("hello")));
    assert!(matches!(NewEvent::tagged(&json!({ "text": "hello" })), Err(Error::Value { .. })));
    assert!(matches!(NewEvent::tagged(&"note"), Err(Error::Value { .. })));
}
