//! The dashboard over HTTP, as a client without JavaScript sees it: `podium serve` as a process.

use podium_domain::status::RunStatus;
use podium_service::{Caller, RunQuery};
use podium_tests::bench::{Bench, EndedRun};
use podium_tests::served::Served;
use podium_tests::{plans, quiet};
use reqwest::StatusCode;
use uuid::Uuid;

/// A run of a simulated engine with a path in its command, and of one that fails with a canary in its log.
async fn ended_run(bench: &Bench) -> EndedRun {
    let frameworks = [
        plans::with_flags("sglang", &plans::simulated("sglang", ""), "{download_dir: /srv/canary-path}", "{}"),
        plans::with_flags("vllm", &plans::script("canary.py"), "{max_model_len: 4096}", "{}"),
    ];
    bench.run(plans::plan("one_scenario.yaml", &frameworks)).await
}

/// Whether the text is among the bytes. A machine may be called `vm`, which chance writes as well: a text that short counts
/// only as a word of its own, and not in what is no text.
fn holds(bytes: &[u8], text: &str) -> bool {
    let is_short = text.len() < 8;
    if is_short && std::str::from_utf8(bytes).is_err() {
        return false;
    }
    let is_edge = |byte: Option<&u8>| byte.is_none_or(|byte| !byte.is_ascii_alphanumeric());
    let mut begins = (0..bytes.len()).filter(|&at| bytes[at..].starts_with(text.as_bytes()));
    let is_word =
        |at: usize| is_edge(at.checked_sub(1).and_then(|at| bytes.get(at))) && is_edge(bytes.get(at + text.len()));
    begins.any(|at| !is_short || is_word(at))
}

/// In the log of the engine that fails.
const LOG_CANARY: &str = "canary-in-the-log";

/// A local path in the command of the engine that serves.
const PATH_CANARY: &str = "/srv/canary-path";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_page_is_complete_without_javascript() {
    let _quiet = quiet::shared().await;
    let bench = Bench::new().await;
    let run = ended_run(&bench).await;
    let id = run.view.item.id;
    let served = Served::over(&bench).await;

    let runs = served.page("/").await;
    assert!(runs.contains(&format!("/runs/{id}")) && runs.to_lowercase().contains("simulated"), "{runs}");
    let one = served.page(&format!("/runs/{id}")).await;
    for candidate in run.candidate_ids() {
        assert!(one.contains(candidate), "{candidate} is not on {one}");
    }
    assert!(one.contains("exit code 3"), "{one}");
    let report = served.page(&format!("/runs/{id}/report")).await;
    assert!(report.contains("<svg") && report.contains(PATH_CANARY), "{report}");
    assert!(served.page("/plans/new").await.contains("<textarea"));
    assert!(served.page("/hosts").await.contains("this machine"));

    let csv = served.page(&format!("/runs/{id}/report.csv")).await;
    assert_eq!(csv.lines().count(), 3, "{csv}");
    assert!(served.page(&format!("/runs/{id}/report.md")).await.contains("**simulated**"));
    assert!(served.page(&format!("/runs/{id}/report.html")).await.contains("(simulated)</title>"));
    let json: serde_json::Value =
        serde_json::from_str(&served.page(&format!("/runs/{id}/report.json")).await).expect("JSON");
    assert_eq!(json["schema_version"], 1, "{json}");

    let failed = run.launches.iter().find(|launch| launch.failure.is_some()).expect("one launch failed");
    assert!(served.page(&format!("/launches/{}/log", failed.id)).await.contains(LOG_CANARY));
    let events = served.page(&format!("/runs/{id}/events")).await;
    assert_eq!(events.matches("id:").count() as i64, run.view.last_seq, "{events}");
    let last = run.view.last_seq - 1;
    let rest = served.page(&format!("/runs/{id}/events?after={last}")).await;
    assert_eq!(rest.matches("id:").count(), 1, "{rest}");

    for path in ["/no/such/page", &format!("/runs/{}", Uuid::new_v4()), "/runs/none", "/r/none"] {
        assert_eq!(served.get(path).await.status(), StatusCode::NOT_FOUND, "{path}");
    }
    served.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_link_shows_the_report_and_nothing_private_until_it_is_revoked() {
    let _quiet = quiet::shared().await;
    let bench = Bench::new().await;
    let run = ended_run(&bench).await;
    let id = run.view.item.id;
    let served = Served::over(&bench).await;

    let report_id = run.report.id.to_string();
    let made = served.post(&format!("/runs/{id}/report"), &[("report", &report_id)]).await;
    assert_eq!(made.status(), StatusCode::OK);
    let made = made.text().await.expect("text");
    let token: String = made
        .split("/r/")
        .nth(1)
        .expect("the page shows the link")
        .chars()
        .take_while(char::is_ascii_hexdigit)
        .collect();
    assert_eq!(token.len(), 64, "{made}");

    let path = format!("/r/{token}");
    let answer = served.get(&path).await;
    assert_eq!(answer.headers()["x-robots-tag"], "noindex, nofollow");
    let shared = answer.text().await.expect("text");
    for expected in [run.candidate_ids()[0], "<svg", "exit code 3", "&lt;path&gt;"] {
        assert!(shared.contains(expected), "no {expected} in {shared}");
    }
    assert!(shared.to_lowercase().contains("simulated"), "{shared}");
    let host = run.report.report.hardware.host.as_ref().expect("the owner's report knows its host");
    let private: Vec<&str> = host
        .facts
        .iter()
        .filter(|(what, _)| ["Machine", "Kernel", "CPU"].contains(&what.as_str()))
        .map(|(_, value)| value.as_str())
        .chain([host.name.as_str(), LOG_CANARY, PATH_CANARY, "/launches/", "/runs/"])
        .filter(|value| !value.is_empty())
        .collect();
    assert!(private.len() >= 7, "{private:?}");
    // The page, and every file that it leads to, as bytes.
    let mut files = vec![(path.clone(), shared.clone().into_bytes())];
    for number in 1..=shared.matches("<figure").count() {
        for form in ["svg", "csv", "png"] {
            let file = format!("{path}/charts/{number}.{form}");
            let answer = served.get(&file).await;
            if answer.status() == StatusCode::OK {
                files.push((file, answer.bytes().await.expect("a whole body").to_vec()));
            }
        }
    }
    assert!(files.len() >= 4, "the charts of the report are files as well");
    for secret in private {
        for (file, bytes) in &files {
            assert!(!holds(bytes, secret), "`{secret}` is in {file}: {}", String::from_utf8_lossy(bytes));
        }
    }
    for expected in ["og:title", "og:description", "og:image", "/charts/1.png"] {
        assert!(shared.contains(expected), "no {expected} in {shared}");
    }

    let with_links = served.page(&format!("/runs/{id}/report")).await;
    assert!(!with_links.contains(&token), "the secret is shown once");
    let share =
        with_links.split("data-share=\"").nth(1).and_then(|rest| rest.split('"').next()).expect("a link is listed");
    let revoked = served.post(&format!("/shares/{share}/revoke"), &[("run", &id.to_string())]).await;
    assert_eq!(revoked.status(), StatusCode::OK);
    let gone = served.get(&path).await;
    assert_eq!(gone.status(), StatusCode::NOT_FOUND);
    assert!(!gone.text().await.expect("text").contains(run.candidate_ids()[0]));
    served.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_posted_plan_starts_a_run_or_shows_every_mistake() {
    let bench = Bench::new().await;
    let served = Served::over(&bench).await;
    let runs = async || {
        bench.service.list_runs(Caller::owner(), &RunQuery::default(), 50).await.expect("the database answers")
    };

    let wrong = served.post("/plans/start", &[("yaml", &plans::text("five_mistakes.yaml"))]).await;
    let page = wrong.text().await.expect("text");
    for path in
        ["dataset.num_prompts", "dataset.scenario_names", "sla.max_p50_latency_ms", "frameworks.vllm.search_space"]
    {
        assert!(page.contains(path), "{path} is not named on {page}");
    }
    assert!(page.contains("a key that the SLA does not have"), "the text is lost: {page}");
    assert!(runs().await.is_empty());

    let started = served.post("/plans/start", &[("yaml", &plans::text("simulated.yaml").replace('\n', "\r\n"))]).await;
    assert_eq!(started.status(), StatusCode::OK);
    let [run] = &runs().await[..] else { panic!("not one run") };
    assert_eq!(started.url().path(), format!("/runs/{}", run.id));
    assert_eq!(run.status, RunStatus::Queued);

    let cancelled = served.post(&format!("/runs/{}/cancel", run.id), &[]).await;
    assert_eq!(cancelled.status(), StatusCode::OK);
    assert_eq!(bench.status(run.id).await, RunStatus::Cancelled);
    served.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn other_sites_and_other_names_are_refused() {
    let bench = Bench::new().await;
    let served = Served::over(&bench).await;
    let yaml = plans::text("simulated.yaml");
    for origin in ["http://evil.example", "null", "http://127.0.0.1:1"] {
        let refused = served.post_from(origin, "/plans/start", &[("yaml", &yaml)]).await;
        assert_eq!(refused.status(), StatusCode::FORBIDDEN, "{origin}");
    }
    for path in ["/", "/hosts", "/r/none"] {
        let request = served.request("GET", path).header("host", "evil.example");
        let refused = request.send().await.expect("an answer");
        assert_eq!(refused.status(), StatusCode::FORBIDDEN, "{path}");
        assert!(refused.headers().contains_key("content-security-policy"), "{path}");
    }
    let runs = bench.service.list_runs(Caller::owner(), &RunQuery::default(), 50).await.expect("the database answers");
    assert!(runs.is_empty());
    served.stop().await;
}
