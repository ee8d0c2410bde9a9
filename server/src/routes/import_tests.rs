//! Importing and reviewing over a real database.

use axum::Router;
use axum::body::Body;
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE, HOST, LOCATION, ORIGIN};
use axum::http::{Request, StatusCode};
use axum::response::Response;
use tower::ServiceExt as _;

use super::tests::post;
use crate::router::tests::{OWN, fixture, get, text};

const ROWS: &str = concat!(
    r#"{"framework": "vllm", "candidate_id": "vllm-a", "model": "org/Tiny-1B", "status": "ok", "workload": {"scenario": "chat", "num_prompts": 500}, "metrics": {"request_throughput": 2.0, "output_token_throughput": 80.0}, "sla": {"passed": true}}"#,
    "\n",
    r#"{"framework": "sglang", "candidate_id": "sglang-b", "model": "org/Tiny-1B", "status": "ok", "workload": {"scenario": "chat", "num_prompts": 500}, "metrics": {"request_throughput": 3.0, "output_token_throughput": 120.0}, "sla": {"passed": true}}"#,
    "\n",
);

/// Four requests of vLLM's client with their times.
const DETAILED: &str = r#"{"backend": "openai", "model_id": "org/Tiny-1B", "num_prompts": 4, "max_concurrency": 2, "duration": 2.0, "completed": 4, "failed": 0, "request_throughput": 2.0, "output_throughput": 6.0, "ttfts": [0.1, 0.2, 0.3, 0.4], "input_lens": [10, 10, 10, 10], "output_lens": [3, 3, 3, 3], "itls": [[0.02, 0.04], [0.02, 0.04], [0.02, 0.04], [0.02, 0.04]], "errors": ["", "", "", ""]}"#;

/// Posts a form with files as a browser would: a name without a file name is a field.
async fn import_from(router: &Router, origin: &str, parts: &[(&str, Option<&str>, &str)]) -> Response {
    let mut body = String::new();
    for (name, file, content) in parts {
        let file = file.map(|file| format!("; filename=\"{file}\"")).unwrap_or_default();
        body += &format!("--XX\r\nContent-Disposition: form-data; name=\"{name}\"{file}\r\n\r\n{content}\r\n");
    }
    body += "--XX--\r\n";
    let request = Request::post("/import")
        .header(HOST, OWN)
        .header(ORIGIN, origin)
        .header(CONTENT_TYPE, "multipart/form-data; boundary=XX")
        .body(Body::from(body))
        .expect("a request");
    router.clone().oneshot(request).await.expect("the router never fails")
}

async fn import(router: &Router, parts: &[(&str, Option<&str>, &str)]) -> Response {
    import_from(router, &format!("http://{OWN}"), parts).await
}

/// Imports the rows; the path of the run.
async fn imported(router: &Router, title: &str) -> String {
    let response = import(router, &[("files", Some("rows.jsonl"), ROWS), ("title", None, title)]).await;
    assert_eq!(response.status(), StatusCode::SEE_OTHER);
    response.headers()[LOCATION].to_str().expect("text").to_owned()
}

#[tokio::test]
async fn files_become_a_run_with_a_report_and_downloads() {
    let (router, _dir) = fixture().await;
    let parts =
        [("files", Some("rows.jsonl"), ROWS), ("files", Some("detailed.json"), DETAILED), ("scenario", None, "chat")];
    let response = import(&router, &parts).await;
    assert_eq!(response.status(), StatusCode::SEE_OTHER, "{}", text(response).await);
    let run = response.headers()[LOCATION].to_str().expect("text").to_owned();

    let page = text(get(&router, &run).await).await;
    for part in ["imported", "vllm-a", "sglang-b", "vllm-detailed", "vllm bench serve, 4 requests", "See the report"] {
        assert!(page.contains(part), "{part} in {page}");
    }
    let report = text(get(&router, &format!("{run}/report")).await).await;
    assert!(report.contains("data-scenario=\"chat\"") && report.contains("sglang-b"), "{report}");
    let markdown = text(get(&router, &format!("{run}/report.md")).await).await;
    assert!(markdown.contains("vllm bench serve"), "the definitions are not named in {markdown}");
    for extension in ["csv", "json", "html"] {
        assert_eq!(get(&router, &format!("{run}/report.{extension}")).await.status(), StatusCode::OK);
    }

    let address = page.split(&format!("{run}/files/")).nth(1).and_then(|rest| rest.split('"').next()).expect("a file");
    let file = get(&router, &format!("{run}/files/{address}")).await;
    assert_eq!(file.headers()[CONTENT_DISPOSITION], "attachment; filename=\"detailed.json\"");
    assert_eq!(text(file).await, DETAILED);
    assert!(text(get(&router, "/?kind=imported").await).await.contains(&run));
}

#[tokio::test]
async fn wrong_files_are_told_by_name_and_line_and_nothing_is_stored() {
    let (router, _dir) = fixture().await;
    let wrong = ROWS.replace("\"sglang\"", "[1]");
    let parts =
        [("files", Some("<b>.jsonl"), wrong.as_str()), ("files", Some("b.json"), "{"), ("title", None, "<i>kept")];
    let response = import(&router, &parts).await;
    assert_eq!(response.status(), StatusCode::BAD_REQUEST);
    let page = text(response).await;
    assert!(page.contains("&lt;b>.jsonl, line 2") || page.contains("&lt;b&gt;.jsonl, line 2"), "{page}");
    assert!(page.contains("b.json") && page.contains("this is not JSON"), "{page}");
    assert!(page.contains("&lt;i>kept") || page.contains("&lt;i&gt;kept"), "{page}");
    assert!(!page.contains("<b>.jsonl") && !page.contains("<i>kept"), "{page}");

    let response = import(&router, &[("files", Some(""), "")]).await;
    assert!(text(response).await.contains("no file was chosen"));
    let parts = [("files", Some("rows.jsonl"), ROWS), ("max_p50_ttft_ms", None, "fast")];
    assert!(text(import(&router, &parts).await).await.contains("`fast` is not a number"));
    assert!(text(get(&router, "/").await).await.contains("No runs yet"));
}

#[tokio::test]
async fn too_much_is_refused_and_so_is_another_site() {
    let (router, _dir) = fixture().await;
    let much = "x".repeat(podium_service::MAX_IMPORT_BYTES + (2 << 20));
    let response = import(&router, &[("files", Some("a.json"), &much)]).await;
    assert_eq!(response.status(), StatusCode::BAD_REQUEST);
    assert!(text(response).await.contains("more than 64 MiB together"));
    let response = import_from(&router, "http://evil.example", &[("files", Some("rows.jsonl"), ROWS)]).await;
    assert_eq!(response.status(), StatusCode::FORBIDDEN);
    assert!(text(get(&router, "/").await).await.contains("No runs yet"));
}

#[tokio::test]
async fn runs_are_found_by_what_the_address_says() {
    let (router, _dir) = fixture().await;
    let (first, second) = (imported(&router, "alpha").await, imported(&router, "beta").await);
    let fields = [("tags", "nightly, <b>x"), ("notes", "seen **twice** <script>alert(1)</script>")];
    let response = post(&router, &format!("{first}/notes"), &fields).await;
    assert_eq!(response.status(), StatusCode::SEE_OTHER);
    let page = text(get(&router, &first).await).await;
    assert!(page.contains("<strong>twice</strong>") && page.contains("href=\"/?tag=nightly\""), "{page}");
    assert!(!page.contains("<script>alert") && !page.contains("<b>x"), "{page}");

    let link = |run: &str| format!("href=\"{run}\"");
    for (query, has_first, has_second) in [
        ("q=alp", true, false),
        ("q=twice", true, false),
        ("q=tiny", true, true),
        ("tag=nightly", true, false),
        ("framework=sglang", true, true),
        ("framework=llama_cpp", false, false),
        ("model=org%2FTiny-1B&q=beta", false, true),
        ("status=failed", false, false),
        ("kind=measured", false, false),
        ("to=2020-01-01", false, false),
        ("sort=title", true, true),
        ("shelf=archived", false, false),
    ] {
        let list = text(get(&router, &format!("/?{query}")).await).await;
        assert_eq!((list.contains(&link(&first)), list.contains(&link(&second))), (has_first, has_second), "{query}");
    }
    let list = text(get(&router, "/?sort=title").await).await;
    assert!(list.find(&link(&first)) < list.find(&link(&second)), "{list}");

    let long = "x".repeat(51);
    assert_eq!(
        post(&router, &format!("{first}/notes"), &[("tags", &long), ("notes", "")]).await.status(),
        StatusCode::BAD_REQUEST
    );
}

#[tokio::test]
async fn what_is_archived_or_deleted_comes_back() {
    let (router, _dir) = fixture().await;
    let run = imported(&router, "alpha").await;
    let id = run.trim_start_matches("/runs/").to_owned();
    for (what, back) in [("archive", "unarchive"), ("delete", "restore")] {
        let response = post(&router, &format!("{run}/{what}"), &[]).await;
        let list = response.headers()[LOCATION].to_str().expect("text").to_owned();
        let page = text(get(&router, &list).await).await;
        assert!(page.contains(&format!("action=\"/runs/{id}/{back}\"")), "{page}");
        assert!(!page.contains(&format!("href=\"{run}\"")), "{page}");
        let status = if what == "delete" { StatusCode::NOT_FOUND } else { StatusCode::OK };
        assert_eq!(get(&router, &run).await.status(), status);
        post(&router, &format!("{run}/{back}"), &[]).await;
        assert!(text(get(&router, "/").await).await.contains(&format!("href=\"{run}\"")));
    }
    let nothing = "/runs/00000000-0000-7000-8000-000000000000";
    for action in ["archive", "unarchive", "delete", "restore"] {
        assert_eq!(post(&router, &format!("{nothing}/{action}"), &[]).await.status(), StatusCode::NOT_FOUND);
    }
}
