//! `podium load` against a server that keeps the truth about every request: its files, margins and early ends.

use std::net::Ipv4Addr;
use std::path::Path;
use std::time::Duration;

use certificate::Certificate;

use podium_sim::truth::{Framing, TruthConfig, TruthRecord, TruthServer};
use podium_tests::binaries::{Ended, podium, run};
use podium_tests::quiet;
use podium_tests::wait::until;
use serde_json::Value;
use tempfile::TempDir;
use tokio::net::{TcpListener, TcpStream};

#[path = "../../../crates/loadgen/tests/support/certificate.rs"]
mod certificate;

/// What the result of a measurement holds, whatever else it does.
const KEYS: [&str; 17] = [
    "completed",
    "failed",
    "duration_s",
    "request_throughput",
    "output_token_throughput",
    "p50_ttft_ms",
    "p99_ttft_ms",
    "mean_ttft_ms",
    "p50_tpot_ms",
    "p99_tpot_ms",
    "p50_itl_ms",
    "p50_e2e_ms",
    "p99_e2e_ms",
    "schedule_lag_p99_ms",
    "output_tokens",
    "success_rate",
    "client_limited",
];

/// A server that answers soon.
async fn server(itl: Duration) -> TruthServer {
    let framing = Framing { head_with_first_event: true, ..Framing::default() };
    let config = TruthConfig { ttft: Duration::from_millis(2), itl, framing, ..TruthConfig::default() };
    TruthServer::start(config).await.expect("a server on the loopback address")
}

/// The arguments of a load of `server` that warms nothing up, so that the server's records are the measurement's.
fn arguments(server: &TruthServer, more: &[&str]) -> Vec<String> {
    let fixed = ["load", "--base-url", &server.base_url(), "--model", "truth", "--warmup", "0", "--json", "-"]
        .map(str::to_owned);
    fixed.into_iter().chain(more.iter().map(|&word| word.to_owned())).collect()
}

async fn load(server: &TruthServer, more: &[&str]) -> Ended {
    run(&mut podium(arguments(server, more))).await
}

/// What the server recorded of `count` requests that a client has seen the end of.
async fn records(server: &TruthServer, count: usize) -> Vec<TruthRecord> {
    until("the server has recorded the requests", async || {
        let records = server.records();
        (records.len() >= count).then_some(records)
    })
    .await
}

/// Runs a load that is told to end once the server has answered `count` requests.
async fn interrupted_after(count: usize, server: &TruthServer, more: &[&str]) -> Ended {
    let child = podium(arguments(server, more)).spawn().expect("the load starts");
    records(server, count).await;
    let id = child.id().and_then(|id| rustix::process::Pid::from_raw(i32::try_from(id).ok()?));
    rustix::process::kill_process(id.expect("it runs"), rustix::process::Signal::INT).expect("it can be told");
    Ended::from(child.wait_with_output().await.expect("it ends"))
}

fn tokens(records: &[TruthRecord]) -> u64 {
    records.iter().map(|record| u64::from(record.output_tokens())).sum()
}

fn lines(path: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(path).expect("the file of requests was written");
    text.lines().map(|line| serde_json::from_str(line).expect("each line is JSON")).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_figures_and_the_lines_of_requests_agree_with_the_server() {
    let _quiet = quiet::shared().await;
    let server = server(Duration::from_millis(1)).await;
    let folder = TempDir::new().expect("a folder");
    let path = folder.path().join("requests.jsonl");
    let file = path.display().to_string();
    let lengths = ["--input-len", "16", "--output-len", "7", "--concurrency", "4", "--num-prompts", "24"];
    let ended = load(&server, &[&lengths[..], &["--requests", &file]].concat()).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");

    let figures = ended.json();
    for key in KEYS {
        assert!(figures.get(key).is_some_and(|value| !value.is_null()), "no {key} in {figures}");
    }
    assert_eq!(figures["completed"].as_u64().zip(figures["failed"].as_u64()), Some((24, 0)), "{figures}");
    assert_eq!(figures["success_rate"], 1.0, "{figures}");
    let records = records(&server, 24).await;
    assert_eq!(records.len(), 24);
    assert_eq!(figures["output_tokens"], tokens(&records), "{figures}");
    let number = |key: &str| figures[key].as_f64().expect("a number");
    let close = |a: f64, b: f64| (a / b - 1.0).abs() < 1e-6;
    assert!(close(number("request_throughput") * number("duration_s"), 24.0), "{figures}");
    assert!(close(number("output_token_throughput") * number("duration_s"), number("output_tokens")), "{figures}");
    for kind in ["ttft", "tpot", "e2e"] {
        assert!(number(&format!("p50_{kind}_ms")) <= number(&format!("p99_{kind}_ms")), "{kind}: {figures}");
    }

    let lines = lines(&path);
    let mut indices: Vec<_> = lines.iter().filter_map(|line| line["index"].as_u64()).collect();
    indices.sort_unstable();
    assert_eq!(indices, (0..24).collect::<Vec<_>>());
    for line in &lines {
        assert_eq!(line["output_tokens"], 7, "{line}");
        assert!(line["failure"].is_null(), "{line}");
        assert!(line["sent_at_ns"].as_u64() <= line["first_token_at_ns"].as_u64(), "{line}");
    }
    server.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn margins_are_sent_and_written_but_not_counted() {
    let _quiet = quiet::shared().await;
    let server = server(Duration::ZERO).await;
    let folder = TempDir::new().expect("a folder");
    let path = folder.path().join("requests.jsonl");
    let file = path.display().to_string();
    let lengths = ["--input-len", "16", "--output-len", "5", "--concurrency", "2", "--num-prompts", "20"];
    let margins = ["--skip-first", "4", "--skip-last", "3", "--requests", &file];
    let ended = load(&server, &[&lengths[..], &margins].concat()).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let figures = ended.json();
    assert_eq!(figures["completed"], 13, "{figures}");
    assert_eq!(figures["output_tokens"], 13 * 5, "{figures}");
    assert_eq!(records(&server, 20).await.len(), 20);
    assert_eq!(lines(&path).len(), 20);
    server.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_of_requests_is_sent_and_the_peers_form_written() {
    let _quiet = quiet::shared().await;
    let server = server(Duration::ZERO).await;
    let folder = TempDir::new().expect("a folder");
    let path = folder.path().join("dataset.jsonl");
    let text: String = (1..=6).map(|n| format!("{{\"prompt\": \"request {n}\", \"output_len\": {n}}}\n")).collect();
    std::fs::write(&path, text).expect("writable");
    let dataset = ["--dataset", &path.display().to_string(), "--num-prompts", "6", "--burst", "--format", "vllm"];
    let ended = load(&server, &dataset).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");

    let mut asked: Vec<_> = records(&server, 6).await.iter().map(TruthRecord::output_tokens).collect();
    asked.sort_unstable();
    assert_eq!(asked, [1, 2, 3, 4, 5, 6]);
    let result = ended.json();
    assert_eq!(result["completed"], 6, "{result}");
    assert_eq!(result["num_prompts"], 6, "{result}");
    assert_eq!(result["total_output_tokens"], 21, "{result}");
    for key in ["ttfts", "itls", "latencies", "input_lens", "output_lens", "start_times", "errors"] {
        assert_eq!(result[key].as_array().map(Vec::len), Some(6), "{key} in {result}");
    }
    for key in ["median_ttft_ms", "p99_tpot_ms", "mean_itl_ms", "std_e2el_ms", "output_throughput", "duration"] {
        assert!(result[key].is_number(), "{key} in {result}");
    }
    server.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_interrupted_load_reports_what_it_measured() {
    let _quiet = quiet::shared().await;
    let server = server(Duration::from_millis(2)).await;
    // Far more than anybody waits for.
    let lengths = ["--input-len", "16", "--output-len", "50", "--concurrency", "2", "--num-prompts", "100000"];
    let ended = interrupted_after(6, &server, &lengths).await;

    assert_eq!(ended.code, Some(130), "it did not come to its end: {ended:?}");
    let figures = ended.json();
    let completed = figures["completed"].as_u64().expect("a count");
    assert!((1..100_000).contains(&completed), "{figures}");
    assert_eq!(figures["output_tokens"], completed * 50, "{figures}");
    let answered = records(&server, completed as usize).await;
    assert!(completed * 50 <= tokens(&answered), "more than {} answers: {figures}", answered.len());
    assert!(figures["p50_ttft_ms"].is_number(), "{figures}");
    server.shutdown().await;
}

const LENGTHS: [&str; 4] = ["--input-len", "16", "--output-len", "50"];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sweep_measures_every_load_and_writes_an_object_for_each() {
    let _quiet = quiet::shared().await;
    let server = server(Duration::from_millis(1)).await;
    let sweep = ["--sweep-concurrency", "1,4", "--num-prompts", "16"];
    let ended = load(&server, &[&LENGTHS[..], &sweep].concat()).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let figures = ended.json();
    assert_eq!(figures["interrupted"], false, "{figures}");
    let points = figures["points"].as_array().expect("a list");
    assert_eq!(points.iter().map(|point| &point["concurrency"]).collect::<Vec<_>>(), [1, 4]);
    for point in points {
        for key in KEYS {
            assert!(point.get(key).is_some_and(|value| !value.is_null()), "no {key} in {point}");
        }
        assert_eq!(point["completed"], 16, "{point}");
    }
    let throughput = |point: usize| points[point]["request_throughput"].as_f64().expect("a figure");
    assert!(throughput(1) > throughput(0), "four at a time are more than one: {figures}");
    assert_ne!(points[0]["prompt_set_hash"], points[1]["prompt_set_hash"], "prompts of its own");
    assert_eq!(records(&server, 32).await.len(), 32);
    server.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sweep_of_rates_is_printed_as_a_table() {
    let _quiet = quiet::shared().await;
    let server = server(Duration::ZERO).await;
    let base_url = server.base_url();
    let fixed = ["load", "--base-url", &base_url, "--model", "truth", "--warmup", "0"];
    let ended =
        run(&mut podium([&fixed[..], &LENGTHS, &["--sweep-rate", "40,80", "--num-prompts", "20"]].concat())).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    for part in ["40 req/s", "80 req/s", "TTFT p50", "validity"] {
        assert!(ended.stdout.contains(part), "{part}: {}", ended.stdout);
    }
    server.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_interrupted_sweep_keeps_the_loads_that_it_came_to() {
    let _quiet = quiet::shared().await;
    let server = server(Duration::from_millis(2)).await;
    // The first load is over at once; nobody waits for the second.
    let sweep = ["--sweep-rate", "200,0.001,0.001", "--num-prompts", "10"];
    let ended = interrupted_after(10, &server, &[&LENGTHS[..], &sweep].concat()).await;
    assert_eq!(ended.code, Some(130), "{ended:?}");
    let figures = ended.json();
    assert_eq!(figures["interrupted"], true, "{figures}");
    let points = figures["points"].as_array().expect("a list");
    assert!((1..3).contains(&points.len()), "{figures}");
    assert_eq!(points[0]["rate_rps"], 200.0, "{figures}");
    assert!(points[0]["completed"].as_u64() >= Some(9), "{figures}");
    server.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_https_server_is_trusted_by_its_authority_and_asked_for_telemetry_too() {
    let _quiet = quiet::shared().await;
    let server = server(Duration::ZERO).await;
    let (certificate, other) = (Certificate::new(), Certificate::new());
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a free port");
    let (port, behind, acceptor) =
        (listener.local_addr().expect("bound").port(), server.addr(), certificate.acceptor(&["http/1.1"]));
    let door = tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                // A client that does not trust the certificate leaves.
                let Ok(mut client) = acceptor.accept(client).await else { return };
                let mut server = TcpStream::connect(behind).await.expect("the server runs");
                let _ = tokio::io::copy_bidirectional(&mut client, &mut server).await;
            });
        }
    });
    let base_url = format!("https://localhost:{port}");
    let with = async |ca: &Certificate, more: &[&str]| {
        let ca = ca.file().display().to_string();
        let fixed = ["load", "--base-url", &base_url, "--ca", &ca, "--model", "truth", "--json", "-", "--burst"];
        run(&mut podium([&fixed[..], &LENGTHS, &["--num-prompts", "6", "--warmup", "0"], more].concat())).await
    };
    let trusted = with(&certificate, &[]).await;
    assert_eq!(trusted.code, Some(0), "{trusted:?}");
    let figures = trusted.json();
    assert_eq!((&figures["completed"], &figures["telemetry"]["engine_ttft"]["n"]), (&6.into(), &6.into()), "{figures}");
    let silent = with(&certificate, &["--no-telemetry"]).await.json();
    assert!(silent["telemetry"].is_null(), "{silent}");
    let distrusted = with(&other, &[]).await;
    assert_eq!(distrusted.code, Some(1), "no request was answered: {distrusted:?}");
    assert_eq!(distrusted.json()["summary"]["failures"][0]["class"], "tls");
    door.abort();
    server.shutdown().await;
}
