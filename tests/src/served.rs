//! `podium serve` as a process, and a client that does what a browser without JavaScript would.

use reqwest::redirect::Policy;
use reqwest::{Client, RequestBuilder, Response, StatusCode};
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStdout};

use crate::bench::Bench;
use crate::binaries::podium;

/// `podium serve` without a worker.
#[derive(Debug)]
pub struct Served {
    /// Where it is reached.
    pub base_url: String,
    /// The rest of what it prints.
    pub lines: Lines<BufReader<ChildStdout>>,
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
    /// One that asks for no accounts.
    ///
    /// # Panics
    /// When it does not start, as everything here.
    pub async fn over(bench: &Bench) -> Self {
        Self::with(bench, &["--listen", "127.0.0.1:0"]).await
    }

    /// One with these arguments, which say where to listen.
    pub async fn with(bench: &Bench, arguments: &[&str]) -> Self {
        let site = site();
        let (site_dir, data_dir) = (site.path().display().to_string(), bench.folder().display().to_string());
        let own = ["serve", "--no-worker", "--site-dir", &site_dir, "--data-dir", &data_dir];
        let mut command = podium(own.into_iter().chain(arguments.iter().copied()));
        let mut process = command.env("DATABASE_URL", &bench.database_url).spawn().expect("a server starts");
        let stdout = process.stdout.take().expect("standard output is a pipe");
        let mut lines = BufReader::new(stdout).lines();
        let line = lines.next_line().await.expect("a pipe that works").expect("a first line");
        let base_url = line.strip_prefix("listening on ").expect("the line says where").replace("0.0.0.0", "127.0.0.1");
        // Redirects are followed where a test does not look at them.
        let client = Client::builder().redirect(Policy::limited(5)).build().expect("a client");
        Served { base_url, lines, client, process, _site: site }
    }

    /// A request to it.
    pub fn request(&self, method: &str, path: &str) -> RequestBuilder {
        let method = method.parse().expect("a method");
        self.client.request(method, format!("{}{path}", self.base_url))
    }

    /// What is at a path.
    pub async fn get(&self, path: &str) -> Response {
        self.request("GET", path).send().await.expect("an answer")
    }

    /// A page that is there.
    pub async fn page(&self, path: &str) -> String {
        let answer = self.get(path).await;
        assert_eq!(answer.status(), StatusCode::OK, "{path}");
        answer.text().await.expect("text")
    }

    /// Posts a form as a page of ours would; where it leads.
    pub async fn post(&self, path: &str, fields: &[(&str, &str)]) -> Response {
        self.post_from(&self.base_url, path, fields).await
    }

    /// Posts a form as a page of `origin` would.
    pub async fn post_from(&self, origin: &str, path: &str, fields: &[(&str, &str)]) -> Response {
        self.form(origin, path, fields).send().await.expect("an answer")
    }

    /// A form that is ready to be posted.
    pub fn form(&self, origin: &str, path: &str, fields: &[(&str, &str)]) -> RequestBuilder {
        let body: Vec<_> = fields.iter().map(|(name, value)| format!("{name}={}", percent_encoded(value))).collect();
        let request = self.request("POST", path).header("origin", origin);
        request.header("content-type", "application/x-www-form-urlencoded").body(body.join("&"))
    }

    /// Stops it as a person would.
    pub async fn stop(mut self) {
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
