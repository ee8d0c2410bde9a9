//! The API for programs: as JSON over HTTP, and as the command line uses it against a server.

use podium_domain::status::RunStatus;
use podium_service::{Caller, Role};
use podium_tests::bench::Bench;
use podium_tests::binaries::{Ended, podium, run};
use podium_tests::served::Served;
use podium_tests::{plans, quiet};
use reqwest::StatusCode;
use serde_json::{Value, json};
use uuid::Uuid;

/// A token of this role.
async fn token(bench: &Bench, role: Role) -> String {
    bench.service.create_api_token(Caller::owner(), role.word(), role, 1).await.expect("a token").secret
}

/// A request with a token: status and JSON of the answer.
async fn ask(served: &Served, token: &str, method: &str, path: &str, body: Option<Value>) -> (StatusCode, Value) {
    let mut request = served.request(method, path).header("authorization", format!("Bearer {token}"));
    if let Some(body) = body {
        request = request.json(&body);
    }
    let answer = request.send().await.expect("an answer");
    let status = answer.status();
    let is_problem = status.is_client_error() || status.is_server_error();
    if is_problem {
        assert_eq!(answer.headers()["content-type"], "application/problem+json", "{method} {path}");
    }
    let text = answer.text().await.expect("text");
    (status, serde_json::from_str(&text).unwrap_or(Value::Null))
}

/// `podium` against a server.
async fn remote(served: &Served, token: &str, arguments: &[&str]) -> Ended {
    let all = arguments.iter().copied().chain(["--server", &served.base_url]);
    run(podium(all).env("PODIUM_TOKEN", token)).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_program_checks_starts_watches_and_shares() {
    let _quiet = quiet::shared().await;
    let bench = Bench::new().await;
    let served = Served::with(&bench, &["--listen", "127.0.0.1:0", "--accounts"]).await;
    let (runner, viewer) = (token(&bench, Role::Runner).await, token(&bench, Role::Viewer).await);
    let yaml = plans::plan("one_scenario.yaml", &[plans::framework("sglang", &plans::simulated("sglang", ""))]);

    let wrong = json!({ "yaml": plans::text("five_mistakes.yaml") });
    let (status, check) = ask(&served, &viewer, "POST", "/api/v1/plans/validate", Some(wrong.clone())).await;
    assert_eq!((status, check["ok"].as_bool()), (StatusCode::OK, Some(false)));
    assert_eq!(check["problems"].as_array().map(Vec::len), Some(5), "{check}");
    let (status, problem) = ask(&served, &runner, "POST", "/api/v1/runs", Some(wrong)).await;
    assert_eq!((status, problem["status"].as_u64()), (StatusCode::BAD_REQUEST, Some(400)));
    assert_eq!(problem["errors"].as_array().map(Vec::len), Some(5), "{problem}");

    let draft = json!({ "name": "chat", "yaml": "model: [" });
    assert_eq!(ask(&served, &viewer, "POST", "/api/v1/plans", Some(draft.clone())).await.0, StatusCode::FORBIDDEN);
    let (status, kept) = ask(&served, &runner, "POST", "/api/v1/plans", Some(draft)).await;
    assert_eq!((status, &kept["version"]), (StatusCode::CREATED, &json!(1)), "{kept}");
    let plan = format!("/api/v1/plans/{}", kept["id"].as_str().expect("an id"));
    let (_, newer) = ask(&served, &runner, "POST", &format!("{plan}/versions"), Some(json!({ "yaml": yaml }))).await;
    assert_eq!(newer["version"], 2);
    let (_, first) = ask(&served, &viewer, "GET", &format!("{plan}?version=1"), None).await;
    assert_eq!((&first["yaml"], &first["name"]), (&json!("model: ["), &json!("chat")));
    let (_, plans) = ask(&served, &viewer, "GET", "/api/v1/plans", None).await;
    assert_eq!((plans.as_array().map(Vec::len), &plans[0]["yaml"]), (Some(1), &json!(yaml)));
    let (status, _) = ask(&served, &runner, "POST", "/api/v1/plans", Some(json!({ "name": "", "yaml": "" }))).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);

    let new = json!({ "yaml": yaml });
    let (status, _) = ask(&served, &viewer, "POST", "/api/v1/runs", Some(new.clone())).await;
    assert_eq!(status, StatusCode::FORBIDDEN, "a viewer starts nothing");
    let (status, _) = ask(&served, "podium_none", "GET", "/api/v1/runs", None).await;
    assert_eq!(status, StatusCode::UNAUTHORIZED);
    let (status, made) = ask(&served, &runner, "POST", "/api/v1/runs", Some(new)).await;
    assert_eq!(status, StatusCode::CREATED);
    let id: Uuid = made["id"].as_str().and_then(|id| id.parse().ok()).expect("an id");
    let path = |more: &str| format!("/api/v1/runs/{id}{more}");
    assert_eq!(ask(&served, &viewer, "GET", &path("/report"), None).await.0, StatusCode::NOT_FOUND);

    bench.carry_out(id).await;
    let (_, detail) = ask(&served, &viewer, "GET", &path(""), None).await;
    assert_eq!((&detail["run"]["status"], &detail["has_report"]), (&json!("completed"), &json!(true)), "{detail}");
    let (_, rows) = ask(&served, &viewer, "GET", &path("/rows"), None).await;
    assert_eq!(rows[0]["framework"], "sglang", "{rows}");
    let (_, runs) = ask(&served, &viewer, "GET", "/api/v1/runs?search=no-such-model", None).await;
    assert_eq!(runs, json!([]));
    let (status, _) = ask(&served, &viewer, "GET", "/api/v1/runs?limit=many", None).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);

    let shares = path("/shares");
    let (status, _) = ask(&served, &viewer, "POST", &shares, Some(json!({}))).await;
    assert_eq!(status, StatusCode::FORBIDDEN);
    let (status, link) = ask(&served, &runner, "POST", &shares, Some(json!({ "days": 7 }))).await;
    assert_eq!(status, StatusCode::CREATED);
    let page = link["path"].as_str().expect("the secret path");
    assert_eq!(served.get(page).await.status(), StatusCode::OK);
    let (_, listed) = ask(&served, &runner, "GET", &shares, None).await;
    assert!(listed[0]["id"] == link["id"] && listed[0].get("path").is_none(), "{listed}");
    let revoke = format!("/api/v1/shares/{}", link["id"].as_str().expect("an id"));
    assert_eq!(ask(&served, &runner, "DELETE", &revoke, None).await.0, StatusCode::NO_CONTENT);
    assert_eq!(served.get(page).await.status(), StatusCode::NOT_FOUND);

    let (_, document) = ask(&served, &viewer, "GET", "/api/v1/openapi.json", None).await;
    assert!(document["openapi"].as_str().is_some_and(|version| version.starts_with("3.")), "{document}");
    let foreign = served.request("POST", "/api/v1/runs").header("origin", "http://evil.example");
    assert_eq!(foreign.send().await.expect("an answer").status(), StatusCode::FORBIDDEN);
    served.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_command_line_works_against_a_server_and_tells_a_pipeline() {
    let _quiet = quiet::shared().await;
    let bench = Bench::new().await;
    let served = Served::with(&bench, &["--listen", "127.0.0.1:0", "--accounts"]).await;
    let working = bench.work();
    let runner = token(&bench, Role::Runner).await;
    let folder = tempfile::tempdir().expect("a temporary folder");
    let plan = folder.path().join("plan.yaml");
    let yaml = plans::plan("one_scenario.yaml", &[plans::framework("sglang", &plans::simulated("sglang", ""))]);
    std::fs::write(&plan, yaml).expect("writable");
    let plan = plan.display().to_string();

    let stranger = remote(&served, "podium_none", &["runs", "list"]).await;
    assert!(stranger.code == Some(1) && stranger.stderr.contains("PODIUM_TOKEN"), "{stranger:?}");
    let markdown = folder.path().join("report.md").display().to_string();
    let ran = remote(&served, &runner, &["run", &plan, "--markdown", &markdown]).await;
    assert!(std::fs::read_to_string(&markdown).is_ok_and(|text| text.contains("simulated")), "{ran:?}");

    let listed = remote(&served, &runner, &["runs", "list", "--json"]).await.json();
    let id = listed[0]["id"].as_str().expect("an id").to_owned();
    assert_eq!(listed[0]["status"], RunStatus::Completed.word());
    let shown = remote(&served, &runner, &["runs", "show", &id]).await;
    assert!(shown.stdout.contains("completed: every candidate was tried"), "{shown:?}");
    let csv = remote(&served, &runner, &["runs", "report", &id, "--format", "csv"]).await;
    assert_eq!(csv.stdout.lines().count(), 2, "{csv:?}");

    let junit = folder.path().join("podium.xml").display().to_string();
    let limit = ["--max-regression", "99%", "--junit", &junit];
    let arguments: Vec<&str> = ["ci", &plan, "--baseline", &id].into_iter().chain(limit).collect();
    let passed = remote(&served, &runner, &arguments).await;
    assert_eq!(passed.code, Some(0), "{passed:?}");
    assert!(passed.stdout.starts_with("**No regression"), "{passed:?}");
    let xml = std::fs::read_to_string(&junit).expect("the file was written");
    assert!(xml.contains("tests=\"1\" failures=\"0\""), "{xml}");

    let nothing = Uuid::new_v4().to_string();
    let no_baseline = remote(&served, &runner, &["ci", &plan, "--baseline", &nothing]).await;
    assert!(no_baseline.code == Some(1) && no_baseline.stderr.contains("not found"), "{no_baseline:?}");
    let runs = bench.service.list_runs(Caller::owner(), &podium_service::RunQuery::default(), 9).await.expect("runs");
    assert_eq!(runs.len(), 2, "a run without a baseline was not started");
    working.stop().await;
    served.stop().await;
}
