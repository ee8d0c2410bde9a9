//! The load generator over TLS, Unix sockets and HTTP/2, against a server whose every token is known.

#[path = "../support/certificate.rs"]
mod certificate;
mod gateway;
#[path = "../support/mod.rs"]
mod support;
mod wire;

use certificate::Certificate;
use gateway::{Speaks, open_plain, open_tcp, open_unix};
use podium_domain::load::LoadPoint;
use podium_domain::measure::Summary;
use podium_domain::plan::Endpoint;
use podium_loadgen::workload::WorkloadSpec;
use podium_loadgen::{LoadJob, LoadOutcome, TelemetrySpec};
use podium_sim::truth::{Fault, Framing, TruthConfig, TruthServer};
use support::{BOUND, assert_true, job, outcome, quick, workload};

const REQUESTS: u32 = 8;
const OUTPUT_LEN: u32 = 12;
const LOAD: LoadPoint = LoadPoint::Concurrency { concurrency: 3 };

/// Runs the load through `base_url` and compares every request with the server's record of it.
async fn measure_true(server: &TruthServer, config: &TruthConfig, change: impl Fn(LoadJob) -> LoadJob) -> LoadOutcome {
    let job = change(job(server, workload(Endpoint::Completions, REQUESTS, OUTPUT_LEN), LOAD));
    let before = server.records().len();
    let outcome = outcome(job.clone()).await;
    let records = server.wait_for_records(before + REQUESTS as usize, BOUND).await;
    assert_eq!(outcome.report.summary.completed, u64::from(REQUESTS), "{:?}", outcome.report.summary.failures);
    assert_true(&job, &outcome, &records[before..], config);
    outcome
}

/// The engine's own count came in the same way as the answers.
fn assert_telemetry(outcome: &LoadOutcome) {
    let telemetry = outcome.report.telemetry.as_ref().unwrap();
    assert_eq!(telemetry.problem, None);
    assert_eq!(telemetry.engine_ttft.map(|ttft| ttft.n), Some(u64::from(REQUESTS)));
}

/// The only failure class of a run and its example.
fn failure(summary: &Summary) -> (&str, u64, &str) {
    assert_eq!(summary.failures.len(), 1, "{:?}", summary.failures);
    let failure = &summary.failures[0];
    (&failure.class, failure.count, &failure.example)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn encrypted_answers_are_as_true_as_plain_ones() {
    let config = TruthConfig { framing: Framing { split_events: true, ..Framing::default() }, ..quick() };
    let server = TruthServer::start(config.clone()).await.unwrap();
    let certificate = Certificate::new();
    let (_door, address) = open_tcp(&server, Some(certificate.acceptor(&["http/1.1"])), Speaks::Http1).await;
    // At a rate connections are opened while the clock runs, so that their times are seen.
    let load = LoadPoint::Rate { rate_rps: 100.0, max_concurrency: None };
    for load in [LOAD, load] {
        let outcome = measure_true(&server, &config, |job| LoadJob {
            base_url: format!("https://localhost:{}", address.port()),
            ca_file: Some(certificate.file()),
            load,
            telemetry: Some(TelemetrySpec::recognised()),
            ..job
        })
        .await;
        assert_telemetry(&outcome);
        let opened_in_time = load.rate_rps().is_some();
        let opened: Vec<_> = outcome.samples.iter().filter(|sample| sample.tls_ns > 0).collect();
        assert_eq!(!opened.is_empty(), opened_in_time);
        assert!(opened.iter().all(|sample| sample.connect_ns > 0));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failed_handshake_is_a_failure_of_its_own_class() {
    let server = TruthServer::start(quick()).await.unwrap();
    let (certificate, other) = (Certificate::new(), Certificate::new());
    let (_door, address) = open_tcp(&server, Some(certificate.acceptor(&["http/1.1"])), Speaks::Http1).await;
    let (_plain, plain) = open_plain().await;
    let encrypted = format!("https://localhost:{}", address.port());
    let cases = [
        // Signed by an authority that is not in the file.
        (encrypted.clone(), other.file(), false, "as the CA file"),
        // For another name.
        (format!("https://127.0.0.1:{}", address.port()), certificate.file(), false, "use the host name"),
        // In another HTTP version.
        (encrypted, certificate.file(), true, "does not offer the asked HTTP version"),
        // To a server that does not encrypt.
        (format!("https://localhost:{}", plain.port()), certificate.file(), false, "write the base URL with http://"),
    ];
    for (base_url, ca_file, http2, example) in cases {
        let job = job(&server, workload(Endpoint::Completions, 4, 2), LOAD);
        let outcome = outcome(LoadJob { base_url, ca_file: Some(ca_file), http2, ..job }).await;
        let (class, count, text) = failure(&outcome.report.summary);
        assert_eq!((class, count), ("tls", 4), "{text}");
        assert!(text.contains(example), "{example}: {text}");
        assert!(outcome.samples.iter().all(|sample| sample.sent_at_ns.is_none()));
    }
    assert!(server.records().is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_unix_socket_is_as_true_as_a_port() {
    let server = TruthServer::start(quick()).await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("engine.sock");
    let door = open_unix(&server, &path);
    let base_url = format!("unix:{}", path.display());
    let telemetry = Some(TelemetrySpec::recognised());
    let with = |job| LoadJob { base_url: base_url.clone(), telemetry: telemetry.clone(), ..job };
    assert_telemetry(&measure_true(&server, &quick(), with).await);

    drop(door);
    std::fs::remove_file(&path).unwrap();
    let job = job(&server, workload(Endpoint::Completions, 2, 2), LOAD);
    let outcome = outcome(LoadJob { base_url, ..job }).await;
    let (class, count, example) = failure(&outcome.report.summary);
    assert_eq!((class, count), ("connect", 2));
    assert!(example.contains("No such file"), "{example}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn http2_by_prior_knowledge_is_as_true_as_http1() {
    for framing in [Framing::default(), Framing { events_per_write: 5, split_events: true, ..Framing::default() }] {
        let config = TruthConfig { framing, ..quick() };
        let server = TruthServer::start(config.clone()).await.unwrap();
        let (_door, address) = open_tcp(&server, None, Speaks::Http2).await;
        let base_url = format!("http://{address}/v1");
        measure_true(&server, &config, |job| LoadJob { base_url: base_url.clone(), http2: true, ..job }).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn http2_is_agreed_on_in_the_handshake() {
    let server = TruthServer::start(quick()).await.unwrap();
    let certificate = Certificate::new();
    let (_door, address) = open_tcp(&server, Some(certificate.acceptor(&["h2"])), Speaks::Http2).await;
    measure_true(&server, &quick(), |job| LoadJob {
        base_url: format!("https://localhost:{}", address.port()),
        ca_file: Some(certificate.file()),
        http2: true,
        ..job
    })
    .await;
    // A server without ALPN agrees on nothing.
    let (_door, address) = open_tcp(&server, Some(certificate.acceptor(&[])), Speaks::Http2).await;
    let outcome = outcome(LoadJob {
        base_url: format!("https://localhost:{}", address.port()),
        ca_file: Some(certificate.file()),
        http2: true,
        ..job(&server, workload(Endpoint::Completions, 2, 2), LOAD)
    })
    .await;
    let (class, count, example) = failure(&outcome.report.summary);
    assert_eq!((class, count), ("tls", 2));
    assert!(example.contains("does not offer HTTP/2"), "{example}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn failures_keep_their_classes_over_http2() {
    let cases = [
        (Fault::Status(503), "http_status", "503"),
        // A reset overtakes what was not yet written.
        (Fault::CloseMidStream { after_tokens: 3 }, "protocol", "content events"),
        (Fault::EndWithoutDone { after_tokens: 3 }, "protocol", "without [DONE]"),
    ];
    for (fault, class, example) in cases {
        let config = TruthConfig { fault: Some(fault), fault_every: 2, ..quick() };
        let server = TruthServer::start(config).await.unwrap();
        let (_door, address) = open_tcp(&server, None, Speaks::Http2).await;
        let job = job(&server, workload(Endpoint::Completions, 8, 6), LOAD);
        let summary =
            outcome(LoadJob { base_url: format!("http://{address}"), http2: true, ..job }).await.report.summary;
        assert_eq!(summary.completed, 4, "{fault:?}");
        let (seen, count, text) = failure(&summary);
        assert_eq!((seen, count), (class, 4), "{fault:?}: {text}");
        assert!(text.contains(example), "{fault:?}: {text}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn http2_to_a_server_of_http1_fails_in_words() {
    let server = TruthServer::start(quick()).await.unwrap();
    let workload = WorkloadSpec { stream: false, ..workload(Endpoint::ChatCompletions, 2, 2) };
    let job = job(&server, workload, LOAD);
    let outcome = outcome(LoadJob { http2: true, ..job }).await;
    let (class, count, example) = failure(&outcome.report.summary);
    assert_eq!((class, count), ("protocol", 2), "{example}");
    assert!(example.contains("before it answered"), "{example}");
}
