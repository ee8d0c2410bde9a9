//! The load process: a job on standard input, messages on standard output.

use std::process::Stdio;
use std::time::Duration;

use podium_domain::load::LoadPoint;
use podium_domain::plan::Endpoint;
use podium_loadgen::workload::{DatasetSpec, TextCalibration, WorkloadSpec};
use podium_loadgen::{AgentMessage, LoadJob, LoadReport};
use podium_sim::truth::{Fault, TruthConfig, TruthServer};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};

/// No agent is waited for longer than this.
const BOUND: Duration = Duration::from_secs(60);

struct Agent {
    child: Child,
    input: Option<ChildStdin>,
    output: Lines<BufReader<ChildStdout>>,
}

impl Agent {
    async fn start(job: &str) -> Agent {
        let mut child = Command::new(env!("CARGO_BIN_EXE_podium-agent"))
            .arg("load")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut input = child.stdin.take().unwrap();
        let output = BufReader::new(child.stdout.take().unwrap()).lines();
        input.write_all(format!("{job}\n").as_bytes()).await.unwrap();
        Agent { child, input: Some(input), output }
    }

    async fn next(&mut self) -> AgentMessage {
        let line = tokio::time::timeout(BOUND, self.output.next_line()).await.expect("the agent says something");
        serde_json::from_str(&line.unwrap().expect("the agent has not ended")).unwrap()
    }

    /// Reads up to the report.
    async fn report(mut self) -> LoadReport {
        loop {
            if let AgentMessage::Done { report } = self.next().await {
                let status = tokio::time::timeout(BOUND, self.child.wait()).await.unwrap().unwrap();
                assert!(status.success());
                return *report;
            }
        }
    }

    /// Reads until two requests are complete.
    async fn wait_for_two(&mut self) {
        while !matches!(self.next().await, AgentMessage::Tick { counters, .. } if counters.completed == 2) {}
    }
}

fn job(server: &TruthServer) -> String {
    let dataset = DatasetSpec::Random {
        input_len: 8,
        output_len: 4,
        vocab_size: None,
        prompt_form: None,
        text_calibration: TextCalibration::default(),
    };
    let workload = WorkloadSpec::new(dataset, Endpoint::Completions, "truth", 4);
    let job = LoadJob::new(server.base_url(), workload, LoadPoint::Burst { max_concurrency: None });
    serde_json::to_string(&job).unwrap()
}

async fn hanging_server() -> TruthServer {
    let config = TruthConfig { fault: Some(Fault::NeverRespond), fault_every: 2, ..TruthConfig::default() };
    TruthServer::start(config).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_ends_with_its_report() {
    let server = TruthServer::start(TruthConfig::default()).await.unwrap();
    let mut agent = Agent::start(&job(&server)).await;
    let AgentMessage::Started { planned, prompt_set_hash, .. } = agent.next().await else { panic!("no start") };
    let report = agent.report().await;
    assert_eq!((planned, report.summary.completed, report.summary.output_tokens), (4, 4, Some(16)));
    assert_eq!(report.prompt_set_hash, prompt_set_hash);
    let set = report.summary.prompt_set.expect("the summary says what was sent");
    assert_eq!((set.sha256, set.wrong_answers), (prompt_set_hash, 0));
    assert_eq!(set.checked_answers, planned);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_end_of_input_stops_the_run_and_what_was_measured_is_reported() {
    let server = hanging_server().await;
    let mut agent = Agent::start(&job(&server)).await;
    agent.wait_for_two().await;
    agent.input = None;
    let report = agent.report().await;
    assert_eq!((report.summary.completed, report.summary.failed), (2, 2));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_line_does_the_same() {
    let server = hanging_server().await;
    let mut agent = Agent::start(&job(&server)).await;
    agent.wait_for_two().await;
    agent.input.as_mut().unwrap().write_all(b"stop\n").await.unwrap();
    assert_eq!(agent.report().await.summary.completed, 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn signals_do_the_same() {
    use rustix::process::{Pid, Signal, kill_process};
    for signal in [Signal::INT, Signal::TERM] {
        let server = hanging_server().await;
        let mut agent = Agent::start(&job(&server)).await;
        agent.wait_for_two().await;
        let pid = agent.child.id().and_then(|id| Pid::from_raw(id.cast_signed())).unwrap();
        kill_process(pid, signal).unwrap();
        assert_eq!(agent.report().await.summary.completed, 2, "{signal:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_that_cannot_be_read_is_an_error_message() {
    for (bad, part) in [("{}", "missing field"), ("", "no job"), ("{\"version\": 1, \"surprise\": 2}", "surprise")] {
        let mut agent = Agent::start(bad).await;
        let AgentMessage::Error { message } = agent.next().await else { panic!("no error") };
        assert!(message.contains(part), "{message}");
        assert!(!tokio::time::timeout(BOUND, agent.child.wait()).await.unwrap().unwrap().success());
    }
}
