//! No byte of a plan or of a host's settings is read by a shell: hostile words reach the engine as they are.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use podium_domain::plan::Endpoint;
use podium_formats::plan::read;
use podium_launcher::{EngineSpec, Environment, Host, LocalHost, LocalHostOptions, LogLimits, SshConfig, inject};
use podium_tests::binaries::podium_program;
use podium_tests::plans;
use podium_tests::sshd::Sshd;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestCaseError, TestError, TestRunner};
use tempfile::TempDir;
use tokio::runtime::Runtime;
use uuid::Uuid;

/// Plans that are tried on each kind of host.
const CASES: u32 = 12;

/// What a plan and a host's settings hold.
#[derive(Debug, Clone)]
struct Hostile {
    model: String,
    command: Vec<String>,
    flags: Vec<String>,
}

/// The names of vLLM flags that take any text.
const FLAGS: [&str; 4] = ["revision", "tokenizer_revision", "download_dir", "chat_template"];

/// Pieces that do something where a shell reads them: `canary` is the file that they would make.
fn attacks(canary: &Path) -> Vec<String> {
    let canary = canary.display().to_string();
    vec![
        format!("$(touch {canary})"),
        format!("`touch {canary}`"),
        format!("; touch {canary} ;"),
        format!("'; touch {canary}; '"),
        format!("\"; touch {canary}; \""),
        format!("| touch {canary}"),
        format!("&& touch {canary}"),
        format!("\ntouch {canary}\n"),
        format!("x > {canary}"),
        "$HOME ~ * ? [a-z] {1,2} !! \\".to_owned(),
        "%s %n \\0 \\x41 \u{1b}[31m".to_owned(),
        "--host=0.0.0.0 -oProxyCommand=x".to_owned(),
    ]
}

fn word(canary: &Path) -> impl Strategy<Value = String> + use<> {
    let piece = prop_oneof![prop::sample::select(attacks(canary)), "[^\0]{1,12}", "\\PC{1,8}"];
    // A word that begins with a hyphen could be another flag to the plan's reader, an empty one is none to it.
    prop::collection::vec(piece, 1..4).prop_map(|pieces| format!("w{}", pieces.concat()))
}

fn hostile(canary: &Path) -> impl Strategy<Value = Hostile> + use<> {
    let words = |count| prop::collection::vec(word(canary), count);
    let all = (word(canary), words(3), words(FLAGS.len()));
    all.prop_map(|(model, command, flags)| Hostile { model, command, flags })
}

/// The command of the plan's one candidate, with host and port.
fn command_of(hostile: &Hostile, port: u16) -> Result<Vec<String>, TestCaseError> {
    let quoted = hostile.command.iter().map(|word| shlex::try_quote(word).map(|word| word.into_owned()));
    let quoted: Vec<_> = quoted.collect::<Result<_, _>>().map_err(|error| TestCaseError::fail(error.to_string()))?;
    let server = format!("{} {}", plans::script("words.py"), quoted.join(" "));
    let text = |value: &str| serde_json::Value::from(value).to_string();
    let flags: Vec<_> =
        FLAGS.iter().zip(&hostile.flags).map(|(name, value)| format!("{name}: {}", text(value))).collect();
    let yaml = format!(
        "model: {{name: {}}}\nhardware: {{gpu_count: 1}}\ndataset: {{input_len: [8], output_len: [2]}}\n\
         frameworks:\n  vllm:\n    server_command: {}\n    base_server_flags: {{max_model_len: 64, {}}}\n    search_space: {{}}\n",
        text(&hostile.model),
        text(&server),
        flags.join(", ")
    );
    let reading = read(&yaml);
    let Some(plan) = reading.plan else {
        return Err(TestCaseError::fail(format!("the plan is refused: {:?}", reading.problems)));
    };
    let sets = podium_domain::candidate::generate_all(&plan).map_err(|error| TestCaseError::fail(error.to_string()))?;
    let candidate = &sets[0].candidates[0];
    let argv = inject(candidate.framework, &candidate.argv, &plan.model.name, port).argv;
    let given = hostile.command.iter().chain(&hostile.flags).chain([&hostile.model]);
    for word in given {
        prop_assert!(
            argv.iter().any(|own| own == word || own.ends_with(&format!("={word}"))),
            "{word:?} is not in {argv:?}"
        );
    }
    Ok(argv)
}

async fn started_with(host: &Host, argv: Vec<String>, port: u16, folder: &Path) -> (Vec<String>, String) {
    let spec = EngineSpec {
        launch_id: Uuid::new_v4(),
        argv,
        env: Vec::new(),
        port,
        served_model_name: "model".to_owned(),
        endpoint: Endpoint::Completions,
        startup_timeout: Duration::from_secs(60),
        idle_priority: false,
        folder: folder.join(Uuid::new_v4().to_string()),
        log_limits: LogLimits::default(),
        container: None,
    };
    let engine = host.start(spec).await.expect("the server starts");
    engine.exited().await;
    engine.stop().await;
    engine.log().length().wait_for(|length| length.closed).await.expect("the log ends");
    let said = String::from_utf8(engine.log().collect().expect("the log can be read")).expect("text");
    let line = |name: &str| {
        let line = said.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_else(|| panic!("no {name}: {said}"));
        line.split_ascii_whitespace().map(text).collect::<Vec<_>>()
    };
    (line("words"), line("probe").concat())
}

/// Text from its bytes in hexadecimal.
fn text(hexadecimal: &str) -> String {
    let pairs = (0..hexadecimal.len()).step_by(2).map(|at| u8::from_str_radix(&hexadecimal[at..at + 2], 16));
    String::from_utf8(pairs.collect::<Result<_, _>>().expect("hexadecimal")).expect("words are text")
}

/// Tries plans on the host that `connect` makes of this machine's folder and the value of a variable of its own.
fn try_on(runtime: &Runtime, connect: impl FnOnce(&TempDir, String) -> Host) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let canary = folder.path().join("canary");
    let variable = attacks(&canary).concat();
    let host = connect(&folder, variable.clone());
    let config = Config { cases: CASES, failure_persistence: None, max_shrink_iters: 0, ..Config::default() };
    let outcome = TestRunner::new(config).run(&hostile(&canary), |hostile| {
        runtime.block_on(async {
            let port = host.free_port().await.expect("a free port");
            let argv = command_of(&hostile, port)?;
            let own = argv[3..].to_vec();
            let (words, probe) = started_with(&host, argv, port, folder.path()).await;
            prop_assert_eq!(words, own);
            prop_assert_eq!(&probe, &variable);
            prop_assert!(!canary.exists(), "a shell read a word");
            Ok(())
        })
    });
    runtime.block_on(host.close());
    match outcome {
        Ok(()) => {}
        Err(TestError::Fail(reason, hostile)) => panic!("{reason}\n{hostile:#?}"),
        Err(TestError::Abort(reason)) => panic!("{reason}"),
    }
}

fn this_machine(folder: &TempDir, extra_env: Vec<(String, String)>) -> LocalHost {
    LocalHost::new(LocalHostOptions {
        data_dir: folder.path().to_owned(),
        podium: podium_program(),
        environment: Environment::of_this_process(),
        extra_env,
    })
}

#[test]
fn hostile_words_reach_an_engine_on_this_machine_byte_for_byte() {
    let runtime = Runtime::new().expect("a runtime");
    try_on(&runtime, |folder, variable| Host::Local(this_machine(folder, vec![("PROBE".to_owned(), variable)])));
}

#[test]
fn hostile_words_reach_an_engine_by_ssh_byte_for_byte() {
    let runtime = Runtime::new().expect("a runtime");
    let sshd = runtime.block_on(Sshd::start());
    try_on(&runtime, |folder, variable| {
        let env = BTreeMap::from([("PROBE".to_owned(), variable)]);
        Host::ssh(&this_machine(folder, Vec::new()), SshConfig { env, ..sshd.config() })
    });
}

#[test]
fn a_word_with_a_zero_byte_is_an_error_and_not_a_shorter_word() {
    let runtime = Runtime::new().expect("a runtime");
    let folder = tempfile::tempdir().expect("a temporary folder");
    let host = Host::Local(this_machine(&folder, Vec::new()));
    let command = podium_launcher::CommandSpec::new(["printf", "%s", "a\0b"]);
    assert!(runtime.block_on(host.run(&command)).is_err());
}
