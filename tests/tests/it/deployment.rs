//! What a report says about deploying its winner, run on a real llama.cpp server: the words of the compose file and of
//! the systemd unit, as their own rules read them, start a server that answers.

use std::process::Stdio;

use podium_domain::report::AnswerState;
use podium_domain::row::ResultRow;
use podium_domain::status::{CandidateStatus, RunStatus};
use podium_formats::deploy::Deployment;
use podium_tests::bench::Bench;
use podium_tests::wait::until;
use podium_tests::{engines, plans, quiet};
use saphyr_parser::{Event, Parser};
use serde_json::{Value, json};
use tokio::process::Command;

/// How often a winner is looked for: what a busy machine spoils is invalid and wins nothing.
const ATTEMPTS: usize = 3;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_compose_file_and_the_unit_of_a_winner_start_a_server_that_answers() {
    let _quiet = quiet::alone().await;
    let bench = Bench::new().await;
    let models = engines::working_folder();
    let program = engines::llama_server().display().to_string();
    let model = models.path().join("tiny-llama.gguf").display().to_string();
    let part = format!(
        "  llama_cpp:\n    server_command: {program:?}\n    model_path: {model:?}\n    \
         base_server_flags: {{ctx_size: 2048, parallel: 4, threads: 1}}\n    search_space: {{parallel: [2]}}\n"
    );
    let winner = winner(&bench, &plans::plan("llama_winner.yaml", &[part])).await;
    let forms = Deployment::of(&winner).expect("a winner can be deployed").forms();
    let text = |title: &str| &forms.iter().find(|form| form.title == title).expect("every form is there").text;

    for (form, argv) in [("Compose", compose_words(text("Compose"))), ("systemd", unit_words(text("systemd")))] {
        assert!(argv.contains(&program) && argv.contains(&model), "{form}: {argv:?}");
        let answer = first_token(&bench, argv).await;
        assert_eq!(answer["usage"]["completion_tokens"], 1, "{form}: {answer}");
    }
}

/// The row that wins a comparison of two real candidates.
async fn winner(bench: &Bench, yaml: &str) -> ResultRow {
    let mut last = None;
    for _ in 0..ATTEMPTS {
        let run = bench.run(yaml).await;
        assert_eq!(run.view.item.status, RunStatus::Completed);
        assert_eq!(run.view.candidates.len(), 2, "{:#?}", run.view.candidates);
        assert!(run.view.candidates.iter().all(|c| c.status == CandidateStatus::Ok), "{:#?}", run.view.candidates);
        let report = run.report.report;
        assert!(!report.is_simulated() && !report.flow_check);
        let won = report.leaders().find(|(comparison, _)| comparison.answer.state == AnswerState::Winner);
        if let Some((_, row)) = won {
            return row.clone();
        }
        last = Some(report);
    }
    panic!("no winner in {ATTEMPTS} runs: {:#?}", last.map(|report| report.rows));
}

/// Runs a command on a port of this machine that is free, and asks it for one token.
async fn first_token(bench: &Bench, mut argv: Vec<String>) -> Value {
    // The form names the framework's own port, which something else here may have.
    let port = bench.host.free_port().await.expect("a free port").to_string();
    let at = argv.iter().position(|word| word == "--port").expect("a deployed command names its port");
    argv[at + 1].clone_from(&port);
    let mut server = Command::new(&argv[0])
        .args(&argv[1..])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .unwrap_or_else(|error| panic!("{argv:?}: {error}"));
    let url = format!("http://127.0.0.1:{port}");
    let client = reqwest::Client::new();
    until("the deployed server is healthy", async || {
        let ended = server.try_wait().expect("its state can be asked for");
        assert_eq!(ended, None, "{argv:?} ended before it served");
        client.get(format!("{url}/health")).send().await.ok().filter(|answer| answer.status().is_success())
    })
    .await;
    let body = json!({"prompt": [100, 101, 102], "max_tokens": 1, "temperature": 0.0});
    let answer = client.post(format!("{url}/v1/completions")).json(&body).send().await.expect("an answer");
    assert!(answer.status().is_success(), "{answer:?}");
    let answer = answer.json().await.expect("JSON");
    server.kill().await.expect("it can be ended");
    answer
}

/// Entry point and command of the one service of a compose file, as Compose reads them.
fn compose_words(text: &str) -> Vec<String> {
    let (mut words, mut lists) = (Vec::new(), Vec::new());
    let mut key = String::new();
    for event in Parser::new_from_str(text) {
        match event.expect("YAML").0 {
            Event::SequenceStart(..) => lists.push(key.clone()),
            Event::SequenceEnd => drop(lists.pop()),
            Event::Scalar(word, ..) => match lists.last().map(String::as_str) {
                Some("entrypoint" | "command") => {
                    assert!(!word.replace("$$", "").contains('$'), "{word} would be replaced");
                    words.push(word.replace("$$", "$"));
                }
                Some(_) => {}
                None => key = word.into_owned(),
            },
            _ => {}
        }
    }
    words
}

/// The words of a unit's `ExecStart`, as systemd reads plain ones.
fn unit_words(text: &str) -> Vec<String> {
    let lines: Vec<_> = text.lines().filter_map(|line| line.strip_prefix("ExecStart=")).collect();
    let [line] = lines[..] else { panic!("not one ExecStart: {text}") };
    let words = shlex::split(line).expect("its quotes are closed");
    words.into_iter().map(|word| word.replace("%%", "%").replace("$$", "$")).collect()
}
