//! The routes over a real database; nothing carries out the runs that are started here.

use axum::Router;
use axum::body::Body;
use axum::http::header::{CONTENT_TYPE, HOST, LOCATION, ORIGIN};
use axum::http::{HeaderName, Request, StatusCode};
use axum::response::Response;
use http_body_util::BodyExt as _;
use tower::ServiceExt as _;

use crate::router::tests::{OWN, fixture, get, text};

const PLAN: &str = include_str!("../../../configs/demo-simulated.yaml");

/// Posts a form as a browser would.
pub(super) async fn post(router: &Router, path: &str, fields: &[(&str, &str)]) -> Response {
    form(router, path, fields, None).await
}

/// As [`post`], with a header that says who it is.
pub(super) async fn form(
    router: &Router,
    path: &str,
    fields: &[(&str, &str)],
    who: Option<&(HeaderName, String)>,
) -> Response {
    let encode = |text: &str| text.bytes().map(|byte| format!("%{byte:02X}")).collect::<String>();
    let body: Vec<_> = fields.iter().map(|(name, value)| format!("{}={}", encode(name), encode(value))).collect();
    let mut request = Request::post(path)
        .header(HOST, OWN)
        .header(ORIGIN, format!("http://{OWN}"))
        .header(CONTENT_TYPE, "application/x-www-form-urlencoded");
    if let Some((name, value)) = who {
        request = request.header(name, value);
    }
    let request = request.body(Body::from(body.join("&"))).expect("a request");
    router.clone().oneshot(request).await.expect("the router never fails")
}

/// Starts the plan and gives the path of its run.
async fn start(router: &Router, fields: &[(&str, &str)]) -> String {
    let response = post(router, "/plans/start", fields).await;
    assert_eq!(response.status(), StatusCode::SEE_OTHER);
    response.headers()[LOCATION].to_str().expect("text").to_owned()
}

#[tokio::test]
async fn a_plan_is_started_listed_and_cancelled() {
    let (router, _dir) = fixture().await;
    assert!(text(get(&router, "/").await).await.contains("No runs yet"));

    let run = start(&router, &[("yaml", PLAN), ("exclude_vllm", "yes")]).await;
    let list = text(get(&router, "/").await).await;
    assert!(list.contains(&format!("href=\"{run}\"")), "{list}");
    let page = text(get(&router, &run).await).await;
    assert!(page.contains("queued"), "{page}");
    assert!(page.contains("Cancel the run"), "{page}");

    let response = post(&router, &format!("{run}/cancel"), &[]).await;
    assert_eq!(response.status(), StatusCode::SEE_OTHER);
    assert_eq!(response.headers()[LOCATION], run.as_str());
    assert!(!text(get(&router, &run).await).await.contains("Cancel the run"));
    // To ask again for what has happened is no error.
    assert_eq!(post(&router, &format!("{run}/cancel"), &[]).await.status(), StatusCode::SEE_OTHER);
}

#[tokio::test]
async fn a_wrong_plan_comes_back_as_it_was_typed_and_starts_nothing() {
    let (router, _dir) = fixture().await;
    let response = post(&router, "/plans/start", &[("yaml", "model: [1\r\n<b>"), ("source", "new")]).await;
    assert_eq!(response.status(), StatusCode::BAD_REQUEST);
    let page = text(response).await;
    assert!(page.contains("The plan has 1 problem"), "{page}");
    assert!(page.contains("model: [1\n&lt;b>"), "{page}");
    assert!(text(get(&router, "/").await).await.contains("No runs yet"));
}

#[tokio::test]
async fn a_plan_without_any_framework_left_says_so() {
    let (router, _dir) = fixture().await;
    let all = [("yaml", PLAN), ("exclude_sglang", "yes"), ("exclude_vllm", "yes"), ("exclude_tensorrt_llm", "yes")];
    let response = post(&router, "/plans/start", &all).await;
    assert_eq!(response.status(), StatusCode::BAD_REQUEST);
    let page = text(response).await;
    assert!(page.contains("The run was not started: none of the chosen frameworks"), "{page}");
}

#[tokio::test]
async fn events_resume_behind_the_last_one_that_was_seen() {
    let (router, _dir) = fixture().await;
    let run = start(&router, &[("yaml", PLAN)]).await;
    post(&router, &format!("{run}/cancel"), &[]).await;

    // A run that has ended has a last event, behind which the stream ends.
    let whole = text(get(&router, &format!("{run}/events")).await).await;
    let ids: Vec<i64> = whole.lines().filter_map(|line| line.strip_prefix("id:")?.trim().parse().ok()).collect();
    assert!(ids.len() >= 2, "{whole}");
    assert_eq!(ids, (1..=ids.len() as i64).collect::<Vec<_>>(), "{whole}");
    assert!(whole.contains("\"is_final\":true"), "{whole}");

    let request = Request::get(format!("{run}/events?after=0")).header(HOST, OWN).header("last-event-id", "1");
    let response = router.clone().oneshot(request.body(Body::empty()).expect("a request")).await.expect("an answer");
    assert_eq!(response.headers()[CONTENT_TYPE], "text/event-stream");
    let rest = response.into_body().collect().await.expect("a whole body").to_bytes();
    let rest = String::from_utf8_lossy(&rest);
    assert!(rest.contains("id: 2") && !rest.contains("id: 1\n"), "{rest}");
}

#[tokio::test]
async fn a_shared_page_gives_nothing_away() {
    let (router, _dir) = fixture().await;
    let response = get(&router, &format!("/r/{}", "0".repeat(64))).await;
    assert_eq!(response.status(), StatusCode::NOT_FOUND);
    assert_eq!(response.headers()["x-robots-tag"], "noindex, nofollow");
    assert_eq!(response.headers()["referrer-policy"], "no-referrer");
    assert_eq!(response.headers()["cache-control"], "private, no-store");
    let page = text(response).await;
    for private in ["/plans/new", "/hosts", "href=\"/\""] {
        assert!(!page.contains(private), "{private} in {page}");
    }
}

#[tokio::test]
async fn what_is_not_there_is_404_in_every_form() {
    let (router, _dir) = fixture().await;
    let nothing = "00000000-0000-7000-8000-000000000000";
    for path in ["events", "report", "report.md", "report.csv", "report.json", "report.html"] {
        for run in [nothing, "nonsense"] {
            let response = get(&router, &format!("/runs/{run}/{path}")).await;
            assert_eq!(response.status(), StatusCode::NOT_FOUND, "{run}/{path}");
        }
    }
    assert_eq!(get(&router, &format!("/launches/{nothing}/log")).await.status(), StatusCode::NOT_FOUND);
    assert_eq!(post(&router, &format!("/runs/{nothing}/cancel"), &[]).await.status(), StatusCode::NOT_FOUND);
    for verb in ["check", "edit", "remove"] {
        assert_eq!(post(&router, &format!("/hosts/x/{verb}"), &[]).await.status(), StatusCode::NOT_FOUND, "{verb}");
    }
    let revoke = post(&router, &format!("/shares/{nothing}/revoke"), &[("run", nothing)]).await;
    assert_eq!(revoke.status(), StatusCode::NOT_FOUND);
    // The way back is an id: it cannot be made to lead elsewhere.
    let elsewhere = post(&router, &format!("/shares/{nothing}/revoke"), &[("run", "//evil.example")]).await;
    assert_eq!(elsewhere.status(), StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn no_name_that_somebody_chose_becomes_markup() {
    let (router, _dir) = fixture().await;
    let plan = PLAN
        .replace("demo/simulated-8b", "'</title></textarea><b>model'")
        .replace("[chat, summarization]", "['</textarea><b>chat', 'a\"><b>summary']");
    let run = start(&router, &[("yaml", &plan)]).await;
    for path in [run.clone(), "/".to_owned(), format!("/plans/new?run={}", run.trim_start_matches("/runs/"))] {
        let page = text(get(&router, &path).await).await;
        assert!(page.contains("&lt;b>") || page.contains("&lt;b&gt;"), "{path}: {page}");
        assert!(!page.contains("<b>"), "{path}: {page}");
    }
}
