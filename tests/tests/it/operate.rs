//! Operating Podium: health, its own figures, backups that come back.

use podium_tests::bench::Bench;
use podium_tests::binaries::{podium, run};
use podium_tests::served::Served;

/// Two rows of another tool.
const ROWS: &str = "{\"framework\": \"vllm\", \"candidate_id\": \"a\", \"status\": \"ok\", \
    \"metrics\": {\"request_throughput\": 4.0}, \"workload\": {\"scenario\": \"chat\"}}\n";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_tells_that_it_is_well_and_what_it_did() {
    let bench = Bench::new().await;
    let served = Served::over(&bench).await;
    assert_eq!(served.page("/healthz").await, "ok\n");
    assert_eq!(served.page("/readyz").await, "ready\n");
    let text = served.page("/metrics").await;
    let counted = "podium_http_requests_total{method=\"GET\",route=\"/readyz\",status=\"200\"} 1";
    assert!(text.contains(counted), "{text}");
}

#[tokio::test]
async fn a_backup_comes_back_whole_and_never_over_runs_unasked() {
    // The private cluster: `pg_dump` and `pg_restore` of the same version are beside its server.
    let folder = tempfile::tempdir().expect("a folder");
    let path = |name: &str| folder.path().join(name).display().to_string();
    let (data, other, file, rows) = (path("data"), path("other"), path("podium.backup"), path("rows.jsonl"));
    std::fs::write(&rows, ROWS).expect("a file");
    let ended = run(&mut podium(["import", &rows, "--save", "--title", "nightly", "--data-dir", &data])).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");

    let ended = run(&mut podium(["backup", &file, "--data-dir", &data])).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let again = run(&mut podium(["backup", &file, "--data-dir", &data])).await;
    assert!(again.code == Some(1) && again.stderr.contains("exists already"), "{again:?}");

    let ended = run(&mut podium(["restore", &file, "--data-dir", &other])).await;
    assert_eq!((ended.code, ended.stdout.ends_with("is restored: 1 runs\n")), (Some(0), true), "{ended:?}");
    let second = path("second.backup");
    let ended = run(&mut podium(["backup", &second, "--data-dir", &other])).await;
    assert_eq!(ended.code, Some(0), "what came back is a whole podium: {ended:?}");

    let unasked = run(&mut podium(["restore", &file, "--data-dir", &other])).await;
    assert!(unasked.code == Some(1) && unasked.stderr.contains("--replace"), "{unasked:?}");
    let asked = run(&mut podium(["restore", &second, "--replace", "--data-dir", &other])).await;
    assert_eq!(asked.code, Some(0), "{asked:?}");

    let wrong = run(&mut podium(["restore", &rows, "--replace", "--data-dir", &other])).await;
    assert!(wrong.code == Some(1) && wrong.stderr.contains("cannot read the backup"), "{wrong:?}");
    let kept = run(&mut podium(["backup", &path("third.backup"), "--data-dir", &other])).await;
    assert_eq!(kept.code, Some(0), "a file that is no backup takes nothing away: {kept:?}");
}

#[tokio::test]
async fn nothing_is_restored_under_a_server_that_runs() {
    let bench = Bench::new().await;
    let served = Served::over(&bench).await;
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("podium.backup").display().to_string();
    let ended = run(podium(["backup", &file]).env("DATABASE_URL", &bench.database_url)).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let refused = run(podium(["restore", &file]).env("DATABASE_URL", &bench.database_url)).await;
    assert!(refused.code == Some(1) && refused.stderr.contains("another podium"), "{refused:?}");
    assert_eq!(served.page("/readyz").await, "ready\n");
}
