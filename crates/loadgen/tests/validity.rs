//! Each fault alone, from live data: the verdict names it and no other.

#[path = "support/certificate.rs"]
mod certificate;

use std::net::Ipv4Addr;
use std::sync::mpsc;
use std::time::Duration;

use certificate::Certificate;

use podium_domain::framework::Framework;
use podium_domain::load::LoadPoint;
use podium_domain::plan::Endpoint;
use podium_domain::validity::Reason;
use podium_loadgen::workload::{DatasetSpec, TextCalibration, WorkloadSpec};
use podium_loadgen::{AgentMessage, LoadJob, LoadOutcome, StopHandle, TelemetrySpec, run};
use podium_sim::cli::{self, Command};
use podium_sim::serve_on;
use podium_sim::truth::{Fault, Framing, TruthConfig, TruthServer};
use tokio::net::{TcpListener, TcpStream};

const BURST: LoadPoint = LoadPoint::Burst { max_concurrency: None };
const CLOSED: LoadPoint = LoadPoint::Concurrency { concurrency: 2 };
const OUTPUT_LEN: u32 = 20;
/// No condition is waited for longer than this.
const BOUND: Duration = Duration::from_secs(60);

/// Measurements of one kind at most, until one is not spoiled by the machine.
const ATTEMPTS: u32 = 5;

/// What a machine that does other things too may add to any verdict: the client really was late then.
const OF_THE_MACHINE: [&str; 3] = ["client_limited", "event_loop_delay", "schedule_lag"];

fn job(server: &TruthServer, load: LoadPoint, requests: u32) -> LoadJob {
    let dataset = DatasetSpec::Random {
        input_len: 24,
        output_len: OUTPUT_LEN,
        vocab_size: None,
        prompt_form: None,
        text_calibration: TextCalibration::default(),
    };
    let workload = WorkloadSpec::new(dataset, Endpoint::Completions, "truth", requests);
    let telemetry = Some(TelemetrySpec { every_s: 0.5, ..TelemetrySpec::new(Framework::Vllm) });
    LoadJob { request_timeout_s: 60.0, telemetry, ..LoadJob::new(server.base_url(), workload, load) }
}

/// 50 ms to the first of 20 tokens, 2 ms between them.
fn clean() -> TruthConfig {
    TruthConfig { ttft: Duration::from_millis(50), itl: Duration::from_millis(2), ..TruthConfig::default() }
}

async fn measured(job: LoadJob, on_message: impl Fn(&AgentMessage, &StopHandle) + Send + 'static) -> LoadOutcome {
    let task = tokio::task::spawn_blocking(move || {
        let stop = StopHandle::new();
        run(&job, &stop, |message| on_message(&message, &stop)).unwrap()
    });
    task.await.unwrap()
}

fn codes(outcome: &LoadOutcome) -> Vec<&str> {
    outcome.report.summary.validity.reasons().iter().map(|reason: &Reason| reason.code.as_str()).collect()
}

/// The verdict over a server of this kind names these and nothing but what the machine itself does.
async fn expect(config: TruthConfig, load: LoadPoint, requests: u32, word: &str, expected: &[&str]) {
    let server = TruthServer::start(config).await.unwrap();
    expect_of(job(&server, load, requests), word, expected).await;
    server.shutdown().await;
}

/// The same of any load. What the machine spoiled is measured again; where it always does, its own codes are left out.
async fn expect_of(job: LoadJob, word: &str, expected: &[&str]) -> LoadOutcome {
    let is_of_the_machine = |code: &&str| OF_THE_MACHINE.contains(code);
    let mut outcome = measured(job.clone(), |_, _| ()).await;
    for _ in 1..ATTEMPTS {
        if !codes(&outcome).iter().any(is_of_the_machine) {
            break;
        }
        outcome = measured(job.clone(), |_, _| ()).await;
    }
    let (machine, own): (Vec<&str>, Vec<&str>) = codes(&outcome).into_iter().partition(is_of_the_machine);
    assert_eq!(own, expected, "{:?}", outcome.report.summary.validity);
    if machine.is_empty() {
        assert_eq!(outcome.report.summary.validity.word(), word);
    }
    outcome
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_wrong_with_a_clean_server() {
    expect(clean(), CLOSED, 12, "valid", &[]).await;
    expect(clean(), BURST, 12, "valid", &[]).await;
    let rate = LoadPoint::Rate { rate_rps: 50.0, max_concurrency: None };
    expect(clean(), rate, 25, "valid", &[]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cached_prefix_is_named() {
    let hits = |cached_tokens| TruthConfig { prompt_tokens: Some(24), cached_tokens, ..clean() };
    expect(hits(2), CLOSED, 8, "valid", &[]).await;
    expect(hits(6), CLOSED, 8, "doubtful", &["cached_prefix"]).await;
    expect(hits(23), CLOSED, 8, "invalid", &["cached_prefix"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn short_answers_and_wrong_counts_are_named() {
    let fault = |fault| TruthConfig { fault: Some(fault), ..clean() };
    expect(fault(Fault::StopEarly { after_tokens: 12 }), CLOSED, 8, "invalid", &["output_lengths"]).await;
    expect(fault(Fault::WrongUsage { extra_tokens: 1 }), CLOSED, 8, "doubtful", &["output_lengths"]).await;
    expect(fault(Fault::WrongUsage { extra_tokens: 15 }), CLOSED, 8, "invalid", &["output_lengths"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_only_fails_is_named() {
    let config = TruthConfig { fault: Some(Fault::Status(503)), ..clean() };
    expect(config, CLOSED, 8, "invalid", &["nothing_completed"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rate_lost_to_the_cap_is_named() {
    // An answer takes 88 ms at least, so that one at a time makes at most 12 a second.
    let load = LoadPoint::Rate { rate_rps: 100.0, max_concurrency: Some(1) };
    expect(clean(), load, 15, "doubtful", &["rate_capped"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_rate_lost_to_the_server_s_door_is_named() {
    // One handshake after another, slower than the requests come: what is due waits for its connection.
    const HANDSHAKE: Duration = Duration::from_millis(200);
    let server = TruthServer::start(clean()).await.unwrap();
    let certificate = Certificate::new();
    let (listener, acceptor) =
        (TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap(), certificate.acceptor(&["http/1.1"]));
    let (port, behind) = (listener.local_addr().unwrap().port(), server.addr());
    let door = tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::time::sleep(HANDSHAKE).await;
            let Ok(mut client) = acceptor.accept(stream).await else { continue };
            tokio::spawn(async move {
                let mut server = TcpStream::connect(behind).await.unwrap();
                // However the connection ends, it has ended.
                let _ = tokio::io::copy_bidirectional(&mut client, &mut server).await;
            });
        }
    });
    let plain = job(&server, LoadPoint::Rate { rate_rps: 100.0, max_concurrency: None }, 30);
    let job = LoadJob {
        base_url: format!("https://localhost:{port}"),
        ca_file: Some(certificate.file()),
        // Not through that door.
        telemetry: Some(TelemetrySpec { url: Some(server.base_url()), ..TelemetrySpec::new(Framework::Vllm) }),
        ..plain
    };
    expect_of(job, "invalid", &["rate_not_reached"]).await;
    door.abort();
    server.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn time_in_front_of_the_engine_is_named_and_told_apart() {
    let line = "--model-path truth --enable-metrics --sim-startup-s 0 --sim-pre-scheduler-ms 200";
    let words: Vec<String> = line.split(' ').map(str::to_owned).collect();
    let Ok(Command::Serve(options)) = cli::parse(Framework::Sglang, &words, &|_| None) else { panic!("{line}") };
    let simulated = serve_on(TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap(), *options).unwrap();
    simulated.ready().await;
    let server = TruthServer::start(clean()).await.unwrap();
    let job = LoadJob {
        base_url: format!("http://{}", simulated.addr()),
        telemetry: Some(TelemetrySpec::recognised()),
        ..job(&server, CLOSED, 10)
    };
    let outcome = expect_of(job, "doubtful", &["engine_ttft"]).await;
    let telemetry = outcome.report.telemetry.unwrap();
    let (front, engine) = (telemetry.pre_scheduler.unwrap(), telemetry.engine_ttft.unwrap());
    assert_eq!((front.n, engine.n), (10, 10), "the warm-up is in neither");
    let client_ms = outcome.report.summary.ttft_ms.unwrap().mean;
    assert!(
        front.mean_ms >= 200.0 && client_ms >= front.mean_ms + engine.mean_ms - 0.1,
        "{front:?} {engine:?} {client_ms}"
    );
    simulated.shutdown().await;
    server.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tokens_that_the_server_holds_back_are_named() {
    let framing = Framing { events_per_write: OUTPUT_LEN, ..Framing::default() };
    let config = TruthConfig { ttft: Duration::from_secs(2), itl: Duration::ZERO, framing, ..clean() };
    expect(config, CLOSED, 4, "doubtful", &["answers_at_once"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_lets_new_connections_wait_is_named() {
    // Connecting succeeds at once, and the server's own clock starts when it looks at the connection.
    let config = TruthConfig { accept_delay: Duration::from_millis(400), ..clean() };
    let load = LoadPoint::Rate { rate_rps: 50.0, max_concurrency: None };
    expect(config, load, 60, "doubtful", &["slow_accept"]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn twenty_clean_measurements_give_no_reason() {
    let rate = LoadPoint::Rate { rate_rps: 100.0, max_concurrency: None };
    for round in 0..20 {
        expect(clean(), if round % 2 == 0 { CLOSED } else { rate }, 10, "valid", &[]).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_early_stop_is_named() {
    let config = TruthConfig { fault: Some(Fault::NeverRespond), fault_every: 4, ..clean() };
    let server = TruthServer::start(config).await.unwrap();
    let outcome = measured(job(&server, CLOSED, 12), |message, stop| {
        if matches!(message, AgentMessage::Tick { counters, .. } if counters.completed > 0) {
            stop.stop();
        }
    });
    let outcome = outcome.await;
    assert!(codes(&outcome).contains(&"stopped_early"), "{:?}", codes(&outcome));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_does_not_run_is_named() {
    // The answers are due between the first and the third second; the load thread is held from its first second until
    // the server has written all of them.
    let config = TruthConfig { ttft: Duration::from_millis(1_800), ..clean() };
    let server = TruthServer::start(config).await.unwrap();
    let job = job(&server, BURST, 10);
    let (all_written, written) = mpsc::channel();
    let watch = async {
        let records = server.wait_for_records(10, BOUND).await;
        all_written.send(records.len()).unwrap();
    };
    let held = measured(job, move |message, _| {
        if matches!(message, AgentMessage::Tick { point, .. } if point.t_s == 0) {
            assert_eq!(written.recv_timeout(BOUND), Ok(10));
        }
    });
    let ((), outcome) = tokio::join!(watch, held);
    assert_eq!(codes(&outcome), ["client_limited"]);
    assert!(outcome.report.summary.client_limited);
}
