//! The dashboard over HTTP, as a client without JavaScript sees it: `podium serve` as a process.

use podium_domain::status::RunStatus;
use podium_service::{Caller, RunQuery};
use podium_tests::bench::{Bench, EndedRun};
use podium_tests::binaries::{podium, run};
use podium_tests::{plans, quiet};
use reqwest::{Client, Response, StatusCode};
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::Child;
use uuid::Uuid;

/// `podium serve` without a worker.
struct Served {
    base_url: String,
    client: Client,
    process: Child,
    _site: TempDir,
}

/// A site as the build leaves it. What the browser loads is another test's matter.
fn site() -> TempDir {
    let site = tempfile::tempdir().expect("a temporary folder");
    std::fs::create_dir(site.path().join("pkg")).expect("writable");
    for name in ["digest", "pkg/podium.js", "pkg/podium_bg.wasm", "pkg/podium.css"] {
        std::fs::write(site.path().join(name), "0").expect("writable");
    }
    site
}

impl Served {
    async fn over(bench: &Bench) -> Self {
        let site = site();
        let (site_dir, data_dir) = (site.path().display().to_string(), bench.folder().display().to_string());
        let arguments =
            ["serve", "--no-worker", "--listen", "127.0.0.1:0", "--site-dir", &site_dir, "--data-dir", &data_dir];
        let mut process = podium(arguments).env("DATABASE_URL", &bench.database_url).spawn().expect("a server starts");
        let stdout = process.stdout.take().expect("standard output is a pipe");
        let line = BufReader::new(stdout).lines().next_line().await.expect("a pipe that works").expect("a first line");
        let base_url = line.strip_prefix("listening on ").expect("the line says where").to_owned();
        Served { base_url, client: Client::new(), process, _site: site }
    }

    async fn get(&self, path: &str) -> Response {
        self.client.get(format!("{}{path}", self.base_url)).send().await.expect("an answer")
    }

    /// A page that is there.
    async fn page(&self, path: &str) -> String {
        let answer = self.get(path).await;
        assert_eq!(answer.status(), StatusCode::OK, "{path}");
        answer.text().await.expect("text")
    }

    /// Posts a form as a page of ours would; where it leads.
    async fn post(&self, path: &str, fields: &[(&str, &str)]) -> Response {
        self.post_from(&self.base_url, path, fields).await
    }

    async fn post_from(&self, origin: &str, path: &str, fields: &[(&str, &str)]) -> Response {
        let body: Vec<_> = fields.iter().map(|(name, value)| format!("{name}={}", percent_encoded(value))).collect();
        let request = self.client.post(format!("{}{path}", self.base_url)).header("origin", origin);
        let request = request.header("content-type", "application/x-www-form-urlencoded").body(body.join("&"));
        request.send().await.expect("an answer")
    }

    /// Stops it as a person would.
    async fn stop(mut self) {
        let pid = self.process.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw).expect("it runs");
        kill_process(pid, Signal::TERM).expect("it can be told to stop");
        let status = self.process.wait().await.expect("it can be waited for");
        assert!(status.success(), "{status}");
    }
}

fn percent_encoded(text: &str) -> String {
    text.bytes()
        .map(|b| if b.is_ascii_alphanumeric() { char::from(b).to_string() } else { format!("%{b:02X}") })
        .collect()
}

/// A run of a simulated engine with a path in its command, and of one that fails with a canary in its log.
async fn ended_run(bench: &Bench) -> EndedRun {
    let frameworks = [
        plans::with_flags("sglang", &plans::simulated("sglang", ""), "{download_dir: /srv/canary-path}", "{}"),
        plans::with_flags("vllm", &plans::script("canary.py"), "{max_model_len: 4096}", "{}"),
    ];
    bench.run(plans::plan("one_scenario.yaml", &frameworks)).await
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
    for secret in private {
        assert!(!shared.contains(secret), "`{secret}` is on the shared page: {shared}");
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
        let request = served.client.get(format!("{}{path}", served.base_url)).header("host", "evil.example");
        let refused = request.send().await.expect("an answer");
        assert_eq!(refused.status(), StatusCode::FORBIDDEN, "{path}");
        assert!(refused.headers().contains_key("content-security-policy"), "{path}");
    }
    let runs = bench.service.list_runs(Caller::owner(), &RunQuery::default(), 50).await.expect("the database answers");
    assert!(runs.is_empty());
    served.stop().await;
}

#[tokio::test]
async fn other_machines_are_not_listened_to() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let data_dir = folder.path().join("data");
    for address in ["0.0.0.0:0", "[::]:0"] {
        let ended =
            run(&mut podium(["serve", "--listen", address, "--data-dir", &data_dir.display().to_string()])).await;
        assert_eq!(ended.code, Some(1), "{ended:?}");
        assert!(ended.stderr.contains("loopback") && ended.stderr.contains("SSH tunnel"), "{ended:?}");
    }
    assert!(!data_dir.exists(), "nothing was set up before it refused");
}
