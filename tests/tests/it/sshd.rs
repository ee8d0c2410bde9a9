//! A host that is reached by SSH: a real server, the real agent on it, whole plans.

use std::path::PathBuf;
use std::time::Duration;

use podium_domain::framework::Framework;
use podium_domain::status::{CandidateStatus, MeasurementStatus, RunStatus};
use podium_launcher::{CommandSpec, Environment, Host, HostError, LoadFrom, LocalHost, LocalHostOptions, SshConfig};
use podium_service::Caller;
use podium_tests::bench::Bench;
use podium_tests::binaries::{podium, podium_program, run};
use podium_tests::hostile::HOSTILE;
use podium_tests::sshd::Sshd;
use podium_tests::wait::until;
use podium_tests::{engines, plans, quiet};

fn this_machine(folder: &std::path::Path) -> LocalHost {
    LocalHost::new(LocalHostOptions {
        data_dir: folder.to_owned(),
        podium: podium_program(),
        environment: Environment::of_this_process(),
        extra_env: Vec::new(),
    })
}

fn host(config: SshConfig) -> Host {
    Host::ssh(&this_machine(&std::env::temp_dir()), config)
}

async fn carry_out(bench: &Bench, config: &SshConfig, yaml: String) -> podium_tests::bench::EndedRun {
    let run_id = bench.start_on("far", config, yaml).await;
    bench.carry_out(run_id).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_whole_plan_runs_on_the_host_with_the_load_beside_the_engine() {
    let _quiet = quiet::shared().await;
    let (bench, sshd) = (Bench::new().await, Sshd::start().await);
    let run = carry_out(&bench, &sshd.config(), plans::text("simulated.yaml")).await;

    assert_eq!(run.view.item.status, RunStatus::Completed, "{:?}", run.view.failure);
    assert_eq!(run.view.candidates.len(), 4);
    assert!(run.view.candidates.iter().all(|c| c.status == CandidateStatus::Ok), "{:#?}", run.view.candidates);
    assert!(run.measurements.iter().all(|m| m.status == MeasurementStatus::Done), "{:#?}", run.measurements);
    for measurement in &run.measurements {
        let summary = measurement.summary.as_ref().expect("a measurement that is done has figures");
        assert_eq!((summary.planned, summary.completed), (24, 24), "{summary:#?}");
        let samples = bench.store.samples(measurement.id).await.expect("the database answers");
        assert!(samples.is_some_and(|samples| !samples.bytes.is_empty()), "the requests were not copied back");
    }
    for launch in &run.launches {
        let log = bench.service.launch_log(Caller::owner(), launch.id, 0).await.expect("the log was kept");
        assert!(!log.text.is_empty(), "the log was not streamed back");
        let facts = launch.facts.as_ref().expect("a ready engine has facts");
        let load = facts["load"].as_str().expect("it says where the load came from");
        assert!(load.contains("beside the engine") && load.contains(" ms "), "{load}");
    }
    let report = run.report.report.hardware.host.expect("a report names its host");
    assert_eq!(report.name, "far");
    assert!(report.facts.iter().any(|(what, how)| what == "Load" && how.contains("beside the engine")), "{report:?}");

    // The agent is there once, and nothing of the run is left beside it.
    let kept = sshd.home().join(".cache/podium");
    let agents = std::fs::read_dir(&kept).expect("the agent was copied").flatten();
    assert_eq!(agents.filter(|entry| entry.file_name().to_string_lossy().starts_with("agent-")).count(), 1);
    for folder in ["work", "work/loads"] {
        let left: Vec<_> = std::fs::read_dir(kept.join(folder)).expect("the agent worked there").flatten().collect();
        assert!(left.iter().all(|entry| entry.file_name() == "loads"), "{folder}: {left:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_load_can_come_through_a_forwarded_port() {
    let _quiet = quiet::shared().await;
    let (bench, sshd) = (Bench::new().await, Sshd::start().await);
    let framework = plans::with_flags("vllm", &plans::simulated("vllm", ""), "{max_model_len: 4096}", "{}");
    let config = SshConfig { load_from: LoadFrom::Controller, ..sshd.config() };
    let run = carry_out(&bench, &config, plans::plan("one_scenario.yaml", &[framework])).await;
    assert_eq!(run.view.item.status, RunStatus::Completed, "{:?}", run.view.failure);
    assert!(run.measurements.iter().any(|m| m.status == MeasurementStatus::Done), "{:#?}", run.measurements);
    let loads = run.launches.iter().filter_map(|launch| launch.facts.as_ref()?["load"].as_str());
    assert!(loads.clone().count() > 0);
    assert!(loads.into_iter().all(|load| load.contains("forwarded port")), "{:#?}", run.launches);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_real_llama_server_is_measured_from_the_command_line() {
    let _quiet = quiet::shared().await;
    let (bench, sshd) = (Bench::new().await, Sshd::start().await);
    let (llama_server, models) = (engines::llama_server(), engines::working_folder());
    let podium = |arguments: &[&str]| {
        let mut command = podium(arguments);
        command.args(["--data-dir", &bench.folder().display().to_string()]).env("DATABASE_URL", &bench.database_url);
        command
    };
    let ssh_config = sshd.config().config_file.expect("it has one").display().to_string();
    let (folder, variable) =
        (models.path().display().to_string(), format!("PODIUM_LLAMA_SERVER={}", llama_server.display()));
    let add = ["host", "add", "gpu1", "far", "--ssh-config", &ssh_config, "--folder", &folder, "--env", &variable];
    let added = run(&mut podium(&add)).await;
    assert_eq!(added.code, Some(0), "{added:?}");
    assert!(added.stdout.contains("llama.cpp"), "{added:?}");

    let plan = plans::shipped("demo-cpu.yaml").canonicalize().expect("a plan that is shipped").display().to_string();
    let arguments = ["run", &plan, "--host", "gpu1", "--framework", "llama_cpp", "--idle-engines"];
    let ended = run(&mut podium(&arguments)).await;
    let [only] =
        &bench.service.list_runs(Caller::owner(), &Default::default(), 50).await.expect("the database answers")[..]
    else {
        panic!("not one run: {ended:?}")
    };
    let measured = bench.ended(only.id).await;
    assert_eq!(measured.view.item.status, RunStatus::Completed, "{ended:?}");
    let own = |c: &&podium_service::CandidateView| c.framework == Framework::LlamaCpp;
    assert_eq!(measured.view.candidates.iter().filter(own).count(), 4, "{ended:?}");
    assert!(measured.measurements.iter().all(|m| m.status == MeasurementStatus::Done), "{ended:?}");
    assert!(!measured.view.item.simulated);

    assert!(run(&mut podium(&["host", "list"])).await.stdout.contains("gpu1 (far)"));
    assert_eq!(run(&mut podium(&["host", "remove", "gpu1"])).await.code, Some(0));
    let gone = run(&mut podium(&["host", "check", "gpu1"])).await;
    assert_ne!(gone.code, Some(0), "{gone:?}");
    assert!(gone.stderr.contains("gpu1"), "{gone:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn arguments_arrive_byte_for_byte_on_this_machine_and_over_ssh() {
    let sshd = Sshd::start().await;
    let folder = tempfile::tempdir().expect("a temporary folder");
    let hosts = [Host::Local(this_machine(folder.path())), host(sshd.config())];
    assert_arguments_arrive(&hosts, 20).await;
    let stray = [PathBuf::from("pwned"), sshd.home().join("pwned")];
    assert!(stray.iter().all(|path| !path.exists()), "a shell took a word for a command");
    hosts[1].close().await;
}

/// Sends hostile words to a program on each host, so many times, and compares what it was given.
pub(crate) async fn assert_arguments_arrive(hosts: &[Host], rounds: usize) {
    let mut random = 0x9e37_79b9_7f4a_7c15_u64;
    for round in 0..rounds {
        // Any order and neighbourhood of them, the same ones every time.
        let mut words: Vec<String> = HOSTILE.iter().map(|word| (*word).to_owned()).collect();
        for place in (1..words.len()).rev() {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let other = (random >> 33) as usize % (place + 1);
            words.swap(place, other);
            let joined = format!("{}{}", words[place], words[other]);
            words.push(joined);
        }
        let code = "import json, os, sys; print(json.dumps([sys.argv[1:], os.environ['WORD']]))";
        let mut spec = CommandSpec::new(["python3".to_owned(), "-c".to_owned(), code.to_owned()]);
        spec.argv.extend(words.iter().cloned());
        let word = HOSTILE[round % HOSTILE.len()].to_owned();
        spec.env = vec![("WORD".to_owned(), word.clone())];
        spec.deadline = Duration::from_secs(60);
        for host in hosts {
            let output = host.run(&spec).await.expect("the command runs");
            let (arrived, value): (Vec<String>, String) =
                serde_json::from_str(&output.stdout).expect("a list of words");
            assert_eq!((&arrived, &value), (&words, &word));
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_unknown_key_is_refused_and_the_facts_say_what_to_do() {
    let (bench, sshd) = (Bench::new().await, Sshd::start().await);
    let added = bench.service.add_host(Caller::owner(), "far", &sshd.config()).await.expect("the host is added");
    let known = bench.service.check_host(Caller::owner(), added.id).await.expect("it is looked at");
    assert!(known.facts.is_some_and(|facts| facts.is_reached() && facts.problems.is_empty()));

    sshd.forget_key();
    let refused = host(sshd.config()).connect().await;
    assert!(matches!(&refused, Err(HostError { .. })), "{refused:?}");
    let unknown = bench.service.check_host(Caller::owner(), added.id).await.expect("the answer is stored");
    let facts = unknown.facts.expect("it was looked at");
    assert!(!facts.is_reached());
    assert!(facts.problems[0].contains("the host's key must be known"), "{:?}", facts.problems);
}

/// A plan of two candidates, each with a quick measurement and a long one.
fn two_candidates() -> String {
    let frameworks = [("vllm", "{max_model_len: 4096}"), ("sglang", "{context_length: 4096}")]
        .map(|(id, flags)| plans::with_flags(id, &plans::simulated(id, ""), flags, "{}"));
    plans::plan("quick_and_long.yaml", &frameworks)
}

/// Waits until the load process of the long measurement works on the host.
async fn interrupt_here(bench: &Bench, sshd: &Sshd, run_id: uuid::Uuid) {
    let is_load =
        |pid: i32| std::fs::read(format!("/proc/{pid}/cmdline")).is_ok_and(|line| line.ends_with(b"\0load\0"));
    until("the long measurement is being taken", async || {
        let measurements = bench.measurements(run_id).await;
        let long = measurements.iter().any(|m| m.scenario == "long" && m.status == MeasurementStatus::Measuring);
        (long && sshd.at_work().into_iter().any(is_load)).then_some(())
    })
    .await;
}

async fn assert_nothing_is_left(sshd: &Sshd) {
    until("nothing that came by SSH works any more", async || sshd.at_work().is_empty().then_some(())).await;
    assert_eq!(sshd.files_left(), Vec::<PathBuf>::new());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cut_connection_fails_one_candidate_with_its_reason_and_the_run_goes_on() {
    let _quiet = quiet::shared().await;
    let (bench, sshd) = (Bench::new().await, Sshd::start().await);
    let run_id = bench.start_on("far", &sshd.config(), two_candidates()).await;
    let working = bench.work();
    interrupt_here(&bench, &sshd, run_id).await;
    sshd.cut();
    let run = bench.wait_for_end(run_id).await;
    working.stop().await;

    let by_status = |status| run.view.candidates.iter().filter(move |c| c.status == status).collect::<Vec<_>>();
    let ([failed], [_]) = (&by_status(CandidateStatus::Failed)[..], &by_status(CandidateStatus::Ok)[..]) else {
        panic!("not one candidate failed and the other was measured: {:#?}", run.view.candidates)
    };
    let reason = failed.failure_reason.as_deref().expect("a failed candidate has a reason");
    assert!(reason.contains("the connection to the host was lost"), "{reason}");
    assert_eq!(run.view.item.status, RunStatus::Completed, "{:?}", run.view.failure);
    let cut: Vec<_> = run.measurements.iter().filter(|m| m.status != MeasurementStatus::Done).collect();
    assert!(
        matches!(&cut[..], [only] if only.scenario == "long" && only.status == MeasurementStatus::Failed),
        "{cut:#?}"
    );
    let reason = cut[0].failure_reason.as_deref().expect("a failed measurement has a reason");
    assert!(reason.contains("the connection to the host was lost"), "{reason}");
    assert_nothing_is_left(&sshd).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cancelled_run_leaves_nothing_on_the_host() {
    let _quiet = quiet::shared().await;
    let (bench, sshd) = (Bench::new().await, Sshd::start().await);
    let lengths = bench.folder().join("lengths");
    std::fs::write(&lengths, "100\n90\n").expect("a file");
    let spread = format!("input_len_distribution: {{kind: empirical, path: {}}}", lengths.display());
    let yaml = two_candidates().replace("num_prompts: 24", &format!("num_prompts: 24\n  {spread}"));
    let run_id = bench.start_on("far", &sshd.config(), yaml).await;
    let working = bench.work();
    interrupt_here(&bench, &sshd, run_id).await;
    assert!(!sshd.at_work().is_empty(), "the engine works on the host");
    // What the load reads is a copy there, while it is needed.
    until("the file of lengths was copied", async || {
        let files = sshd.files_left().into_iter().map(|folder| folder.join("input-lengths.txt"));
        files.filter_map(|path| std::fs::read_to_string(path).ok()).find(|text| text == "100\n90\n")
    })
    .await;
    bench.service.cancel_run(Caller::owner(), run_id).await.expect("a run that goes on can be cancelled");
    let run = bench.wait_for_end(run_id).await;
    working.stop().await;
    assert_eq!(run.view.item.status, RunStatus::Cancelled);
    let long = run.measurements.iter().find(|m| m.scenario == "long").expect("it was begun");
    assert_eq!(long.failure_reason.as_deref(), Some("the run was cancelled"));
    assert_nothing_is_left(&sshd).await;
}
