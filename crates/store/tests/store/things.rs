//! Hosts, plans, lists and the audit log.

use podium_store::{Error, NewAuditEntry, NewHost, NewMachine, NewPlan, OnConstraint, RunQuery, new_id};
use serde_json::json;

use crate::fixture::{OWNER, queue_run, store};

#[tokio::test]
async fn a_host_is_made_once_and_its_name_is_free_after_its_deletion() {
    let store = store().await;
    let new = NewHost {
        name: "here".to_owned(),
        kind: "local".to_owned(),
        config: json!({}),
        machine: None,
        created_by: OWNER,
    };
    let (first, second) = tokio::join!(store.ensure_host(&new), store.ensure_host(&new));
    let first = first.unwrap();
    assert_eq!(first.id, second.unwrap().id);
    store.set_host_facts(first.id, &json!({ "cpus": 2 })).await.unwrap();
    let stored = store.host(first.id).await.unwrap();
    assert_eq!(stored.facts, Some(json!({ "cpus": 2 })));
    assert!(stored.checked_at.is_some());

    store.delete_host(first.id).await.unwrap();
    assert!(matches!(store.host(first.id).await, Err(Error::NotFound { what: "host" })));
    assert!(store.hosts().await.unwrap().is_empty());
    assert_ne!(store.ensure_host(&new).await.unwrap().id, first.id);

    let unknown = NewHost { kind: "cloud".to_owned(), name: "there".to_owned(), ..new };
    let error = store.ensure_host(&unknown).await.on_constraint("host_kind_check", || Error::NotFound { what: "kind" });
    assert!(matches!(error, Err(Error::NotFound { what: "kind" })), "{error:?}");
}

#[tokio::test]
async fn the_first_machine_has_no_name_of_its_own_until_there_is_a_second() {
    let store = store().await;
    let new = |machine: &str, host_name: &str| NewMachine {
        machine: machine.to_owned(),
        only_name: "this machine".to_owned(),
        host_name: host_name.to_owned(),
        created_by: OWNER,
    };
    // One of an older Podium, which knew no machines, is the first one's to ask.
    let old = NewHost {
        name: "this machine".to_owned(),
        kind: "local".to_owned(),
        config: json!({}),
        machine: None,
        created_by: OWNER,
    };
    let old = store.ensure_host(&old).await.unwrap();
    let (a, b) = (new("aaaa", "boxa"), new("bbbb", "boxb"));
    let (first, again) = tokio::join!(store.ensure_machine(&a), store.ensure_machine(&a));
    let first = first.unwrap();
    assert_eq!((first.id, first.machine.as_deref(), first.name.as_str()), (old.id, Some("aaaa"), "this machine"));
    assert_eq!(again.unwrap().id, first.id);

    let second = store.ensure_machine(&b).await.unwrap();
    assert_eq!(second.name, "boxb");
    assert_eq!(store.host(first.id).await.unwrap().name, "boxa", "`this machine` would be either");
    let twin = store.ensure_machine(&new("cccccccccc", "boxb")).await.unwrap();
    assert_eq!(twin.name, "boxb cccccccc");
    assert_eq!(store.hosts().await.unwrap().len(), 3);
}

#[tokio::test]
async fn a_plan_keeps_its_versions() {
    let store = store().await;
    let new = NewPlan { name: "chat".to_owned(), yaml: "one".to_owned(), created_by: OWNER };
    let id = store.create_plan(&new).await.unwrap();
    let (second, third) =
        tokio::join!(store.add_plan_version(id, "two", OWNER), store.add_plan_version(id, "two", OWNER));
    let mut versions = [second.unwrap(), third.unwrap()];
    versions.sort_unstable();
    assert_eq!(versions, [2, 3]);
    assert_eq!(store.plan(id, Some(1)).await.unwrap().yaml, "one");
    assert_eq!(store.plan(id, None).await.unwrap().version, 3);
    assert!(matches!(store.plan(id, Some(4)).await, Err(Error::NotFound { .. })));
    let listed = store.plans(10).await.unwrap();
    assert_eq!(listed.iter().map(|plan| (plan.id, plan.version)).collect::<Vec<_>>(), [(id, 3)]);
    store.delete_plan(id).await.unwrap();
    assert!(store.plans(10).await.unwrap().is_empty());
    assert!(matches!(store.add_plan_version(id, "four", OWNER).await, Err(Error::NotFound { what: "plan" })));
}

#[tokio::test]
async fn runs_are_listed_newest_first_in_pages() {
    let store = store().await;
    let mut queued = Vec::new();
    for _ in 0..5 {
        queued.insert(0, queue_run(&store).await);
    }
    let mut listed = Vec::new();
    let mut cursor = None;
    loop {
        let page = store.listed_runs(&RunQuery { after: cursor, ..RunQuery::default() }, 2).await.unwrap();
        let Some(last) = page.last() else { break };
        cursor = Some(last.id);
        listed.extend(page.iter().map(|run| run.id));
    }
    assert_eq!(listed, queued);
    let run = store.run(queued[0]).await.unwrap();
    assert_eq!(run.plan.to_string(), r#"{"z":1,"a":2}"#, "keys keep their order");
    assert_eq!(run.host_name, "here");
    assert!(matches!(store.run(new_id()).await, Err(Error::NotFound { what: "run" })));
}

#[tokio::test]
async fn the_audit_log_is_newest_first() {
    let store = store().await;
    for action in ["run.start", "share.create"] {
        let new = NewAuditEntry { person: OWNER, action: action.into(), subject: "x".into(), detail: json!({}) };
        store.audit(&new).await.unwrap();
    }
    let entries = store.audit_entries(None, 10).await.unwrap();
    assert_eq!(entries.iter().map(|entry| entry.action.as_str()).collect::<Vec<_>>(), ["share.create", "run.start"]);
}
