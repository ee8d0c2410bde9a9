//! Searching, filtering, marking and importing runs.

use podium_domain::framework::Framework;
use podium_domain::status::{CandidateStatus, RunStatus};
use podium_store::{
    Error, NewImportedRun, NewReport, NewRow, RunKind, RunQuery, RunSort, RunWords, Shelf, Store, new_id,
};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::fixture::{OWNER, event, queue_run, queue_run_on, store};

async fn ids(store: &Store, query: RunQuery) -> Vec<Uuid> {
    store.listed_runs(&query, 50).await.unwrap().iter().map(|run| run.id).collect()
}

async fn import(store: &Store, title: &str, model: &str) -> Uuid {
    let row = NewRow {
        candidate_id: None,
        framework: "vllm".to_owned(),
        scenario: "chat".to_owned(),
        status: CandidateStatus::Ok,
        sla_passed: None,
        request_throughput: Some(1.5),
        output_token_throughput: None,
        p50_ttft_ms: None,
        p50_tpot_ms: None,
        simulated: false,
        row: json!({ "z": 1, "a": 2 }),
        original: Some("{\"z\": 1,  \"a\": 2}".to_owned()),
    };
    let artifact = store.put_artifact(&b"the file"[..], "application/json", Default::default()).await.unwrap();
    let new = NewImportedRun {
        id: new_id(),
        title: title.to_owned(),
        model: model.to_owned(),
        frameworks: vec![Framework::Vllm],
        flow_check: false,
        simulated: false,
        summary: json!({ "answers": ["vLLM wins"] }),
        created_by: OWNER,
        // More rows than one statement takes.
        rows: vec![row; 1001],
        report: NewReport {
            id: new_id(),
            schema_version: 1,
            title: title.to_owned(),
            model: json!({}),
            simulated: false,
            created_by: OWNER,
        },
        files: vec![(artifact.id, "a.json".to_owned()), (artifact.id, "b.json".to_owned())],
    };
    store.create_imported_run(&new, &[event("imported")]).await.unwrap();
    new.id
}

#[tokio::test]
async fn an_imported_run_is_whole_at_once() {
    let store = store().await;
    let id = import(&store, "Qwen3-32B · 4×H100 · chat", "Qwen/Qwen3-32B").await;
    let run = store.run(id).await.unwrap();
    assert_eq!((run.kind, run.status, run.host_id), (RunKind::Imported, RunStatus::Completed, None));
    assert_eq!((run.last_event_seq, run.plan), (1, Value::Null));
    let rows = store.rows(id).await.unwrap();
    assert_eq!(rows.len(), 1001);
    assert!(rows.iter().zip(0..).all(|(row, ordinal)| row.ordinal == ordinal));
    assert_eq!(rows[1000].original.as_deref(), Some("{\"z\": 1,  \"a\": 2}"));
    assert_eq!(rows[1000].row.to_string(), r#"{"z":1,"a":2}"#);
    assert!(store.report_of_run(id).await.unwrap().is_some());
    let files = store.run_artifacts(id).await.unwrap();
    assert_eq!(files.iter().map(|file| file.name.as_str()).collect::<Vec<_>>(), ["a.json", "b.json"]);
    // No worker ever takes it up.
    let claimed = store.claim_run(&crate::fixture::ask("w"), |_| Vec::new()).await.unwrap();
    assert!(claimed.is_none());
}

#[tokio::test]
async fn words_of_a_name_are_found_by_their_beginnings() {
    let store = store().await;
    let id = import(&store, "Qwen3-32B · 4×H100 · chat", "Qwen/Qwen3-32B").await;
    import(&store, "other", "org/other").await;
    let found = async |text: &str| ids(&store, RunQuery { words: RunWords::of(text), ..RunQuery::default() }).await;
    for text in ["qwen3", "Qwen/Qwen3-32B", "h100 chat", "32b", "QWEN vllm"] {
        assert_eq!(found(text).await, [id], "{text}");
    }
    assert_eq!(found("wen3").await, Vec::<Uuid>::new());
    store.set_run_notes(id, &["Nightly".to_owned()], "seen **twice**").await.unwrap();
    assert_eq!(found("twice nightly").await, [id]);
}

#[tokio::test]
async fn each_filter_keeps_what_it_names() {
    let store = store().await;
    let queued = queue_run_on(&store, "there").await;
    let imported = import(&store, "b", "org/m").await;
    let host_id = store.run(queued).await.unwrap().host_id;
    store.set_run_notes(imported, &["x".to_owned(), "y".to_owned()], "").await.unwrap();
    let created = store.run(imported).await.unwrap().created_at;
    let cases = [
        (RunQuery { model: Some("org/m".to_owned()), ..RunQuery::default() }, imported),
        (RunQuery { framework: Some(Framework::Sglang), ..RunQuery::default() }, queued),
        (RunQuery { host_id, ..RunQuery::default() }, queued),
        (RunQuery { status: Some(RunStatus::Queued), ..RunQuery::default() }, queued),
        (RunQuery { tag: Some("y".to_owned()), ..RunQuery::default() }, imported),
        (RunQuery { kind: Some(RunKind::Imported), ..RunQuery::default() }, imported),
        (RunQuery { from: Some(created), ..RunQuery::default() }, imported),
        (RunQuery { before: Some(created), ..RunQuery::default() }, queued),
    ];
    for (query, expected) in cases {
        assert_eq!(ids(&store, query.clone()).await, [expected], "{query:?}");
    }
    assert_eq!(store.run_models().await.unwrap(), ["org/m", "tiny"]);
    assert_eq!(store.run_tags().await.unwrap(), ["x", "y"]);
}

#[tokio::test]
async fn every_order_goes_through_all_pages_once() {
    let store = store().await;
    for title in ["c", "a", "b", "a"] {
        import(&store, title, title).await;
    }
    for &sort in RunSort::ALL {
        let mut seen = Vec::new();
        let mut after = None;
        loop {
            let page = store.listed_runs(&RunQuery { sort, after, ..RunQuery::default() }, 3).await.unwrap();
            let Some(last) = page.last() else { break };
            after = Some(last.id);
            seen.extend(page.iter().map(|run| (run.title.clone(), run.id)));
        }
        assert_eq!(seen.len(), 4, "{sort:?}");
        let mut expected = seen.clone();
        match sort {
            RunSort::Newest => expected.sort_by_key(|run| std::cmp::Reverse(run.1)),
            RunSort::Oldest => expected.sort_by_key(|run| run.1),
            RunSort::Title | RunSort::Model => expected.sort(),
        }
        assert_eq!(seen, expected, "{sort:?}");
    }
}

#[tokio::test]
async fn the_archive_and_deleting_have_a_way_back() {
    let store = store().await;
    let id = import(&store, "a", "m").await;
    let on = async |shelf| ids(&store, RunQuery { shelf, ..RunQuery::default() }).await;
    store.archive_run(id, true).await.unwrap();
    assert_eq!((on(Shelf::Active).await, on(Shelf::Archived).await), (vec![], vec![id]));
    store.archive_run(id, false).await.unwrap();
    assert_eq!(on(Shelf::Active).await, [id]);

    store.delete_run(id).await.unwrap();
    assert_eq!((on(Shelf::Active).await, on(Shelf::Deleted).await), (vec![], vec![id]));
    assert!(matches!(store.set_run_notes(id, &[], "").await, Err(Error::NotFound { .. })));
    assert!(matches!(store.archive_run(id, true).await, Err(Error::NotFound { .. })));
    store.restore_run(id).await.unwrap();
    assert_eq!(on(Shelf::Active).await, [id]);
    assert!(store.run(id).await.is_ok());
    assert!(matches!(store.restore_run(new_id()).await, Err(Error::NotFound { .. })));
    let unfinished = queue_run(&store).await;
    assert!(matches!(store.delete_run(unfinished).await, Err(Error::Conflict { .. })));
}
