//! The life of engines, on real processes. The engines are small Python programs: what counts is how they behave
//! towards the launcher, and that they are processes like any other.

use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;
use std::time::Duration;

use podium_domain::plan::Endpoint;
use podium_domain::status::LaunchState;
use podium_launcher::{
    Engine, EngineSpec, Environment, FailureClass, Host, LaunchFailure, LaunchStage, LocalHost, LocalHostOptions,
    LogLimits, PortState,
};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

/// A server with the three pages that the launcher asks for. Its second argument is a fault.
const SERVER: &str = r#"
import http.server, json, os, subprocess, sys
port, fault = int(sys.argv[1]), sys.argv[2]
if fault == "leave-children":
    code = "import os, signal, time\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\nos.setsid()\nprint('child', os.getpid(), flush=True)\ntime.sleep(600)"
    subprocess.Popen([sys.executable, "-c", code])
    subprocess.Popen(["sleep", "600"], env={"PATH": os.environ["PATH"]}, start_new_session=True)
class Page(http.server.BaseHTTPRequestHandler):
    def log_message(self, *args): pass
    def answer(self, status, value):
        body = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    def do_GET(self):
        if self.path == "/health": self.answer(503 if fault == "never-healthy" else 200, {})
        elif self.path == "/v1/models": self.answer(200, {"data": [{"id": "tiny"}]})
        elif self.path == "/version": self.answer(200, {"version": "1.2.3"})
        else: self.answer(404, {})
    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        if fault == "broken":
            print("RuntimeError: NCCL error in: group.cpp:1", flush=True)
            return self.answer(500, {"error": "kernel missing"})
        if fault == "dies-on-request": os.abort()
        self.answer(200, {"choices": [{"text": ""}], "usage": {"completion_tokens": 4}})
server = http.server.ThreadingHTTPServer(("127.0.0.1", port), Page)
print("listening", "token=" + os.environ.get("HF_TOKEN", ""), os.environ["PODIUM_LAUNCH"], flush=True)
server.serve_forever()
"#;

struct Machine {
    host: Host,
    folder: TempDir,
}

impl Machine {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let host = Host::Local(LocalHost::new(LocalHostOptions {
            data_dir: folder.path().to_owned(),
            podium: "/opt/podium".into(),
            environment: Environment::of_this_process(),
            extra_env: Vec::new(),
        }));
        Self { host, folder }
    }

    async fn spec(&self, argv: &[&str]) -> EngineSpec {
        EngineSpec {
            launch_id: Uuid::new_v4(),
            argv: argv.iter().map(|word| (*word).to_owned()).collect(),
            env: vec![("HF_TOKEN".to_owned(), "a-very-secret-value".to_owned())],
            port: self.host.free_port().await.unwrap(),
            served_model_name: "tiny".to_owned(),
            endpoint: Endpoint::Completions,
            startup_timeout: Duration::from_secs(60),
            idle_priority: false,
            container: None,
            folder: self.folder.path().join("launch"),
            log_limits: LogLimits::default(),
        }
    }

    async fn server(&self, fault: &str) -> EngineSpec {
        let mut spec = self.spec(&["python3", "-c", SERVER]).await;
        spec.argv.extend([spec.port.to_string(), fault.to_owned()]);
        spec
    }

    async fn processes_of(&self, launch_id: Uuid) -> usize {
        let launches = self.host.running_launches().await.unwrap();
        launches.iter().filter(|launch| launch.launch_id == launch_id).map(|launch| launch.processes.len()).sum()
    }
}

async fn not_ready(engine: &Engine) -> LaunchFailure {
    let failure = engine.wait_ready(&CancellationToken::new()).await.unwrap_err();
    assert_eq!(engine.failure().as_ref(), Some(&failure));
    assert_eq!(engine.status().borrow().state, LaunchState::Failed);
    failure
}

/// Waits until a log line that begins with `start` is there.
async fn log_line(engine: &Engine, start: &str) -> String {
    let mut length = engine.log().length();
    loop {
        if let Some(line) = engine.log_tail(500).into_iter().find(|line| line.starts_with(start)) {
            return line;
        }
        tokio::time::timeout(Duration::from_secs(60), length.changed()).await.expect("no more output").expect("closed");
    }
}

#[tokio::test]
async fn a_server_becomes_ready_and_stops_without_a_trace() {
    let machine = Machine::new();
    let mut spec = machine.server("none").await;
    spec.idle_priority = true;
    let (port, launch_id) = (spec.port, spec.launch_id);
    let engine = machine.host.start(spec).await.unwrap();
    let ready = engine.wait_ready(&CancellationToken::new()).await.unwrap();
    assert_eq!((ready.model.as_str(), ready.first_answer_tokens), ("tiny", 4));
    assert_eq!(ready.version.as_deref(), Some("1.2.3"));
    assert_eq!(machine.processes_of(launch_id).await, 1);
    assert!(matches!(machine.host.port_state(port).await, Ok(PortState::Taken { owner: Some(_) })));

    let line = log_line(&engine, "listening").await;
    assert_eq!(line, format!("listening token=[secret] {launch_id}"));
    engine.enter(LaunchState::Warm).unwrap();
    engine.enter(LaunchState::Measuring).unwrap();
    assert!(engine.enter(LaunchState::Ready).is_err());

    let report = engine.stop().await;
    assert!(report.is_clean(), "{report:?}");
    assert_eq!((report.killed, report.exit.unwrap().signal), (0, Some(15)));
    assert_eq!(engine.status().borrow().state, LaunchState::Stopped);
    assert_eq!(engine.failure(), None);
    assert_eq!(machine.processes_of(launch_id).await, 0);
}

#[tokio::test]
async fn children_that_leave_the_group_or_lose_the_variable_are_stopped_too() {
    let machine = Machine::new();
    let spec = machine.server("leave-children").await;
    let launch_id = spec.launch_id;
    let engine = machine.host.start(spec).await.unwrap();
    engine.wait_ready(&CancellationToken::new()).await.unwrap();
    let child: i32 = log_line(&engine, "child ").await["child ".len()..].parse().unwrap();
    assert!(machine.processes_of(launch_id).await >= 2);
    let report = engine.stop().await;
    assert!(report.is_clean(), "{report:?}");
    assert_eq!(report.killed, 1, "the child that ignores SIGTERM");
    assert!(!is_alive(child));
    // Nobody else's `sleep` counts: the log closes only once every process that held its pipe has ended.
    let mut length = engine.log().length();
    tokio::time::timeout(Duration::from_secs(60), length.wait_for(|length| length.closed)).await.unwrap().unwrap();
}

#[tokio::test]
async fn what_a_dead_worker_left_is_found_and_swept() {
    let machine = Machine::new();
    let launch_id = Uuid::new_v4();
    // As after a crash: a process of the launch, and no `Engine` that knows it.
    let mut left = std::process::Command::new("sleep")
        .arg("600")
        .env(podium_launcher::LAUNCH_VARIABLE, launch_id.to_string())
        .spawn()
        .unwrap();
    let reaper = std::thread::spawn(move || left.wait().unwrap());
    assert_eq!(machine.processes_of(launch_id).await, 1);
    assert_eq!(machine.host.sweep(&[Uuid::new_v4()]).await, Default::default());
    assert_eq!(machine.processes_of(launch_id).await, 1, "another launch's sweep must not touch it");
    let report = machine.host.sweep(&[launch_id]).await;
    assert_eq!((report.found, report.left), (vec![(launch_id, 1)], vec![]));
    assert!(!reaper.join().unwrap().success());
    assert_eq!(machine.processes_of(launch_id).await, 0);
}

#[tokio::test]
async fn a_dropped_engine_leaves_nothing() {
    let machine = Machine::new();
    let spec = machine.spec(&["sleep", "600"]).await;
    let launch_id = spec.launch_id;
    let engine = machine.host.start(spec).await.unwrap();
    let mut length = engine.log().length();
    drop(engine);
    length.wait_for(|length| length.closed).await.unwrap();
    assert_eq!(machine.processes_of(launch_id).await, 0);
}

#[tokio::test]
async fn a_port_in_use_is_found_before_anything_starts() {
    let machine = Machine::new();
    let mut spec = machine.server("none").await;
    let holder = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    spec.port = holder.local_addr().unwrap().port();
    let failure = machine.host.start(spec.clone()).await.unwrap_err();
    assert_eq!((failure.stage, failure.class), (LaunchStage::Start, FailureClass::PortTaken));
    assert!(failure.reason.contains(&format!("process {}", std::process::id())), "{failure}");
    assert!(!spec.folder.exists());
}

#[tokio::test]
async fn another_server_on_the_port_is_not_taken_for_the_engine() {
    let machine = Machine::new();
    let other = machine.server("none").await;
    let port = other.port;
    // An engine that listens nowhere, and a stranger that takes its port once it has started.
    let mut spec = machine.spec(&["sleep", "600"]).await;
    spec.port = port;
    spec.folder = machine.folder.path().join("idle");
    let engine = machine.host.start(spec).await.unwrap();
    let stranger = machine.host.start(other).await.unwrap();
    stranger.wait_ready(&CancellationToken::new()).await.unwrap();
    let failure = not_ready(&engine).await;
    assert_eq!(failure.class, FailureClass::PortTaken, "{failure}");
    assert!(stranger.stop().await.is_clean());
    assert!(engine.stop().await.is_clean());
}

#[tokio::test]
async fn a_program_that_is_not_there_is_an_environment_gap() {
    let machine = Machine::new();
    for idle_priority in [false, true] {
        let mut spec = machine.spec(&["no-such-engine-of-podium", "serve"]).await;
        spec.idle_priority = idle_priority;
        let failure = machine.host.start(spec).await.unwrap_err();
        assert_eq!(failure.class, FailureClass::CommandNotFound);
        assert_eq!(failure.to_string(), "`no-such-engine-of-podium` was not found on PATH of this machine");
    }
}

#[tokio::test]
async fn an_engine_that_exits_at_once_fails_with_its_code_and_last_words() {
    let machine = Machine::new();
    let code = "import sys; print('bye'); sys.exit(3)";
    let engine = machine.host.start(machine.spec(&["python3", "-c", code]).await).await.unwrap();
    let failure = not_ready(&engine).await;
    assert_eq!((failure.class, failure.exit.unwrap().code), (FailureClass::ExitedEarly, Some(3)));
    assert_eq!(failure.evidence, ["bye"]);
    assert_eq!(failure.to_string(), "it ended before it was ready with exit code 3");
    let report = engine.stop().await;
    assert!(report.is_clean(), "{report:?}");
    assert_eq!(engine.status().borrow().state, LaunchState::Failed, "stopping does not hide the failure");
}

#[tokio::test]
async fn an_unknown_flag_is_told_by_its_log_line() {
    let machine = Machine::new();
    let code = "import argparse; argparse.ArgumentParser(prog='engine').parse_args(['--no-such-flag'])";
    let engine = machine.host.start(machine.spec(&["python3", "-c", code]).await).await.unwrap();
    let failure = not_ready(&engine).await;
    assert_eq!(failure.class, FailureClass::UnknownFlag);
    assert_eq!(failure.evidence, ["engine: error: unrecognized arguments: --no-such-flag"]);
    assert!(failure.hint.is_some());
}

#[tokio::test]
async fn a_healthy_server_that_answers_no_request_is_not_ready() {
    let machine = Machine::new();
    let engine = machine.host.start(machine.server("broken").await).await.unwrap();
    let failure = not_ready(&engine).await;
    assert_eq!((failure.stage, failure.class), (LaunchStage::FirstRequest, FailureClass::Nccl));
    assert!(failure.reason.contains("500") && failure.reason.contains("kernel missing"), "{failure}");
    assert_eq!(failure.evidence, ["RuntimeError: NCCL error in: group.cpp:1"]);
    assert!(engine.stop().await.is_clean());
}

#[tokio::test]
async fn a_server_that_dies_on_its_first_request_fails_with_the_signal() {
    let machine = Machine::new();
    let engine = machine.host.start(machine.server("dies-on-request").await).await.unwrap();
    let failure = not_ready(&engine).await;
    assert_eq!((failure.stage, failure.class), (LaunchStage::FirstRequest, FailureClass::CrashSignal));
    assert_eq!(failure.exit.unwrap().signal, Some(6));
}

#[tokio::test]
async fn a_server_that_is_never_healthy_runs_into_its_deadline() {
    let machine = Machine::new();
    let mut silent = machine.spec(&["sleep", "600"]).await;
    silent.startup_timeout = Duration::from_millis(300);
    let engine = machine.host.start(silent).await.unwrap();
    let failure = not_ready(&engine).await;
    assert_eq!((failure.stage, failure.class), (LaunchStage::Loading, FailureClass::Hang));
    assert!(failure.reason.contains("/health did not answer"), "{failure}");
    assert!(engine.stop().await.is_clean());

    let code = "import time\nwhile True: print('busy', flush=True); time.sleep(0.01)";
    let mut busy = machine.spec(&["python3", "-c", code]).await;
    busy.folder = machine.folder.path().join("busy");
    busy.startup_timeout = Duration::from_secs(2);
    let engine = machine.host.start(busy).await.unwrap();
    log_line(&engine, "busy").await;
    assert_eq!(not_ready(&engine).await.class, FailureClass::TimedOut);
    assert!(engine.stop().await.is_clean());
}

#[tokio::test]
async fn arguments_reach_the_engine_byte_for_byte() {
    let machine = Machine::new();
    let hostile = ["--x", "$(touch /tmp/never)", "`id`", "a b", "'", "\"", "", "*", "x;y&z|w>v", "grün\n"];
    for idle_priority in [false, true] {
        let mut spec = machine.spec(&["python3", "-c", "import json, sys; print(json.dumps(sys.argv[1:]))"]).await;
        spec.argv.extend(hostile.map(str::to_owned));
        spec.idle_priority = idle_priority;
        let engine = machine.host.start(spec).await.unwrap();
        let failure = not_ready(&engine).await;
        assert_eq!(serde_json::from_str::<Vec<String>>(&failure.evidence[0]).unwrap(), hostile);
    }
}

#[tokio::test]
async fn a_cancel_ends_the_wait() {
    let machine = Machine::new();
    let engine = machine.host.start(machine.spec(&["sleep", "600"]).await).await.unwrap();
    let cancel = CancellationToken::new();
    cancel.cancel();
    let failure = engine.wait_ready(&cancel).await.unwrap_err();
    assert_eq!(failure.class, FailureClass::Cancelled);
    assert!(engine.stop().await.is_clean());
}

#[tokio::test]
async fn an_engine_that_dies_while_it_serves_is_noticed() {
    let machine = Machine::new();
    let engine = machine.host.start(machine.server("none").await).await.unwrap();
    engine.wait_ready(&CancellationToken::new()).await.unwrap();
    let pid = rustix::process::Pid::from_raw(engine.process().unwrap().pid).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
    assert_eq!(engine.exited().await.signal, Some(9));
    let failure = engine.failure().unwrap();
    assert_eq!((failure.stage, failure.class), (LaunchStage::Serving, FailureClass::HostOutOfMemory));
    assert!(engine.enter(LaunchState::Measuring).is_err());
}

#[tokio::test]
async fn a_flood_of_output_costs_a_bounded_amount_of_disk() {
    let machine = Machine::new();
    let megabytes = 200;
    let code = format!("import sys\nfor _ in range({megabytes}): sys.stdout.write(('x' * 99 + '\\n') * 10486)");
    let mut spec = machine.spec(&["python3", "-c", &code]).await;
    spec.log_limits = LogLimits { head_bytes: 1 << 20, tail_bytes: 1 << 20 };
    let folder = spec.folder.clone();
    let engine = machine.host.start(spec).await.unwrap();
    engine.exited().await;
    let mut length = engine.log().length();
    let total = length.wait_for(|length| length.closed).await.unwrap().bytes;
    assert_eq!(total, megabytes * 10486 * 100);
    assert!(size_of(&folder) <= 3 << 20, "{} bytes", size_of(&folder));
    assert!(engine.log().collect().unwrap().len() <= 3 << 20);
}

fn size_of(folder: &Path) -> u64 {
    std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().metadata().unwrap().len()).sum()
}

fn is_alive(pid: i32) -> bool {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    !status.is_empty() && !status.lines().any(|line| line.starts_with("State:") && line.contains('Z'))
}
