//! Engines in containers: a real Podman, on this machine and over SSH.

use std::path::PathBuf;
use std::time::Duration;

use podium_domain::framework::Framework;
use podium_domain::plan::Endpoint;
use podium_domain::status::{CandidateStatus, MeasurementStatus, RunStatus};
use podium_formats::deploy::Deployment;
use podium_launcher::{
    ContainerConfig, ContainerPlace, EngineSpec, Environment, FailureClass, Host, LeftoverKind, LocalHost,
    LocalHostOptions, LogLimits, SshConfig,
};
use podium_service::Caller;
use podium_tests::bench::{Bench, EndedRun};
use podium_tests::binaries::{podium, podium_program, run};
use podium_tests::hostile::HOSTILE;
use podium_tests::podman::{IMAGE, Podman};
use podium_tests::sshd::Sshd;
use podium_tests::wait::until;
use podium_tests::{engines, plans, quiet};
use serde_json::Value;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

fn assert_measured_in_containers(run: &EndedRun, candidates: usize) {
    assert_eq!(run.view.item.status, RunStatus::Completed, "{:?}", run.view.failure);
    assert_eq!(run.view.candidates.len(), candidates);
    assert!(run.view.candidates.iter().all(|c| c.status == CandidateStatus::Ok), "{:#?}", run.view.candidates);
    assert!(run.measurements.iter().all(|m| m.status == MeasurementStatus::Done), "{:#?}", run.measurements);
    for launch in &run.launches {
        let facts = launch.facts.as_ref().expect("a ready engine has facts");
        let text = |pointer: &str| facts.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned();
        assert_eq!(text("/image/reference"), IMAGE);
        assert!(text("/image/digest").starts_with("sha256:"), "{facts:#}");
        let name = format!("podium-{}", launch.id.simple());
        assert!(text("/container/launch").contains(&format!("run --name {name} ")), "{facts:#}");
        assert!(text("/container/clean_up").ends_with(&name), "{facts:#}");
        assert!(text("/container/pull").contains(" pull "), "{facts:#}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_whole_plan_runs_in_containers_of_this_machine_and_its_image_is_recorded() {
    let _quiet = quiet::shared().await;
    let (bench, podman) = (Bench::new().await, Podman::start());
    let run_id = bench.start_on("box", &podman.host(&[]), plans::text("simulated.yaml")).await;
    let run = bench.carry_out(run_id).await;
    assert_measured_in_containers(&run, 4);
    assert_eq!(podman.containers(), Vec::<String>::new());

    let digest = run.launches[0].facts.as_ref().and_then(|facts| facts.pointer("/image/digest")).cloned();
    let report = run.report.report;
    for row in &report.rows {
        let podium = row.podium.as_ref().expect("a row of Podium's own");
        let image = podium.conditions.as_ref().and_then(|conditions| conditions.image.clone());
        assert_eq!(image.map(Value::from), digest, "the proof of fairness knows the image");
        let forms = Deployment::of(row).expect("a measured row can be deployed").forms();
        for title in ["docker run", "Compose"] {
            let form = forms.iter().find(|form| form.title == title).expect("every form is there");
            assert!(form.text.contains(&format!("{IMAGE}@sha256:")), "{}", form.text);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_whole_plan_runs_in_containers_of_a_host_behind_ssh() {
    let _quiet = quiet::shared().await;
    let (bench, podman, sshd) = (Bench::new().await, Podman::start(), Sshd::start().await);
    let config = SshConfig { container: Some(podman.config(&[])), ..sshd.config() };
    let run_id = bench.start_on("box", &config, plans::text("simulated.yaml")).await;
    let run = bench.carry_out(run_id).await;
    assert_measured_in_containers(&run, 4);
    assert_eq!(podman.containers(), Vec::<String>::new());
    assert_eq!(sshd.files_left(), Vec::<PathBuf>::new());
}

/// A plan of one candidate with a quick measurement and a long one.
fn quick_and_long() -> String {
    let framework = plans::with_flags("vllm", &plans::simulated("vllm", ""), "{max_model_len: 4096}", "{}");
    plans::plan("quick_and_long.yaml", &[framework])
}

/// Waits until the long measurement is being taken.
async fn interrupt_here(bench: &Bench, run_id: Uuid) {
    until("the long measurement is being taken", async || {
        let measurements = bench.measurements(run_id).await;
        measurements.iter().any(|m| m.scenario == "long" && m.status == MeasurementStatus::Measuring).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cancelled_run_leaves_no_container() {
    let _quiet = quiet::shared().await;
    let (bench, podman) = (Bench::new().await, Podman::start());
    let run_id = bench.start_on("box", &podman.host(&[]), quick_and_long()).await;
    let working = bench.work();
    interrupt_here(&bench, run_id).await;
    assert_eq!(podman.containers(), [format!("podium-{}", bench.launches(run_id).await[0].id.simple())]);
    bench.service.cancel_run(Caller::owner(), run_id).await.expect("a run that goes on can be cancelled");
    let run = bench.wait_for_end(run_id).await;
    working.stop().await;
    assert_eq!(run.view.item.status, RunStatus::Cancelled);
    assert_eq!(podman.containers(), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cut_connection_leaves_no_container_on_the_host() {
    let _quiet = quiet::shared().await;
    let (bench, podman, sshd) = (Bench::new().await, Podman::start(), Sshd::start().await);
    let config = SshConfig { container: Some(podman.config(&[])), ..sshd.config() };
    let run_id = bench.start_on("box", &config, quick_and_long()).await;
    let working = bench.work();
    interrupt_here(&bench, run_id).await;
    assert_eq!(podman.containers().len(), 1);
    sshd.cut();
    bench.wait_for_end(run_id).await;
    working.stop().await;
    until("the agent has removed its container", async || podman.containers().is_empty().then_some(())).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_container_of_a_killed_worker_is_removed_by_the_next() {
    let _quiet = quiet::shared().await;
    let (bench, podman) = (Bench::new().await, Podman::start());
    let run_id = bench.start_on("box", &podman.host(&[]), quick_and_long()).await;
    let folder = bench.folder().display().to_string();
    let mut worker = podium(["worker", "--data-dir", &folder, "--database-url", &bench.database_url])
        .spawn()
        .expect("a worker starts");
    interrupt_here(&bench, run_id).await;
    worker.kill().await.expect("the worker can be killed");
    let left = podman.containers();
    assert_eq!(left.len(), 1, "a container outlives its worker");

    let working = bench.work();
    let run = bench.wait_for_end(run_id).await;
    working.stop().await;
    assert_measured_in_containers(&EndedRun { launches: run.launches[1..].to_vec(), ..run }, 1);
    assert_eq!(podman.containers(), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn engines_in_a_container_that_runs_already_leave_it_as_it_was() {
    let _quiet = quiet::shared().await;
    let (bench, podman) = (Bench::new().await, Podman::start());
    let program = podium_program().display().to_string();
    podman.idle("own", &["--volume", &format!("{program}:{program}:ro")]);
    let place = ContainerPlace::Exec { container: "own".to_owned() };
    let places = [(Framework::Vllm, place)].into_iter().collect();
    let config =
        SshConfig { container: Some(ContainerConfig { places, ..podman.config(&[]) }), ..SshConfig::default() };
    let run_id =
        bench.start_on("box", &config, quick_and_long().replace("podium sim", &format!("{program} sim"))).await;
    let working = bench.work();
    interrupt_here(&bench, run_id).await;
    let inside = || podman.must(&["exec", "own", "sh", "-c", "cat /proc/[0-9]*/cmdline | tr '\\0' ' '"]);
    assert!(inside().contains("podium sim vllm"), "{}", inside());
    bench.service.cancel_run(Caller::owner(), run_id).await.expect("a run that goes on can be cancelled");
    let run = bench.wait_for_end(run_id).await;
    working.stop().await;
    assert_eq!(run.view.item.status, RunStatus::Cancelled);
    let facts = run.launches[0].facts.as_ref().expect("a ready engine has facts");
    assert_eq!(facts.pointer("/image/reference").and_then(Value::as_str), Some(IMAGE));
    assert!(!inside().contains("podium sim"), "{}", inside());
    assert_eq!(podman.containers(), ["own"]);
}

fn this_machine(folder: &std::path::Path) -> LocalHost {
    LocalHost::new(LocalHostOptions {
        data_dir: folder.to_owned(),
        podium: podium_program(),
        environment: Environment::of_this_process(),
        extra_env: Vec::new(),
    })
}

/// Starts a command where vLLM's servers run, and waits for its end: how it failed, as it is no server, and its log.
async fn ended(host: &Host, argv: &[String], env: &[(String, String)]) -> (podium_launcher::LaunchFailure, String) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let facts = host.facts().await;
    let resolved = host.resolve_command(Framework::Vllm, argv, &facts).await.expect("it has a place");
    let spec = EngineSpec {
        launch_id: Uuid::new_v4(),
        argv: resolved.argv,
        env: env.to_vec(),
        port: host.free_port().await.expect("a free port"),
        served_model_name: "m".to_owned(),
        endpoint: Endpoint::Completions,
        startup_timeout: Duration::from_secs(60),
        idle_priority: false,
        container: resolved.container,
        folder: folder.path().to_owned(),
        log_limits: LogLimits::default(),
    };
    let engine = host.start(spec).await.expect("it starts");
    let failure = engine.wait_ready(&CancellationToken::new()).await.expect_err("it is no server");
    let report = engine.stop().await;
    assert!(report.is_clean(), "{report:?}");
    let mut length = engine.log().length();
    length.wait_for(|length| length.closed).await.expect("the log ends");
    (failure, String::from_utf8_lossy(&engine.log().collect().expect("the log can be read")).into_owned())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn arguments_and_variables_arrive_byte_for_byte_in_containers() {
    let (podman, sshd) = (Podman::start(), Sshd::start().await);
    podman.idle("own", &[]);
    let folder = tempfile::tempdir().expect("a temporary folder");
    let here = this_machine(folder.path());
    let config = podman.config(&[]);
    let exec = ContainerPlace::Exec { container: "own".to_owned() };
    let in_running = ContainerConfig { places: [(Framework::Vllm, exec)].into_iter().collect(), ..config.clone() };
    let hosts = [
        Host::Local(here.clone().with_container(Some(config.clone()))),
        Host::Local(here.clone().with_container(Some(in_running))),
        Host::ssh(&here, SshConfig { container: Some(config), ..sshd.config() }),
    ];
    let code = "import json, os, sys; print('SEEN', json.dumps([sys.argv[1:], os.environ['WORD']]))";
    let mut argv = vec!["python3".to_owned(), "-c".to_owned(), code.to_owned()];
    argv.extend(HOSTILE.iter().map(|word| (*word).to_owned()));
    argv.extend(HOSTILE.windows(2).map(|pair| pair.concat()));
    for host in &hosts {
        for word in ["$(touch pwned)", "a\nb=\"c\" 'd'", "é"] {
            let (_, log) = ended(host, &argv, &[("WORD".to_owned(), word.to_owned())]).await;
            let seen = log.lines().find_map(|line| line.strip_prefix("SEEN ")).unwrap_or_else(|| panic!("{log}"));
            let (words, value): (Vec<String>, String) = serde_json::from_str(seen).expect("a list of words");
            assert_eq!((&words[..], value.as_str()), (&argv[3..], word));
        }
        host.close().await;
    }
    assert!(
        !PathBuf::from("pwned").exists() && !sshd.home().join("pwned").exists(),
        "a shell took a word for a command"
    );
    assert_eq!(podman.containers(), ["own"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_goes_wrong_with_a_container_says_what_it_was() {
    let podman = Podman::start();
    let folder = tempfile::tempdir().expect("a temporary folder");
    let with = |config| Host::Local(this_machine(folder.path()).with_container(Some(config)));
    let words = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
    let host = with(podman.config(&[]));

    let (missing, log) = ended(&host, &words("no-such-engine serve"), &[]).await;
    assert_eq!(missing.class, FailureClass::CommandNotFound, "{missing:?} {log}");
    assert!(missing.hint.is_some_and(|hint| hint.contains("server_command")));

    let killed = ["sh", "-c", "sh -c 'kill -9 $$'"].map(str::to_owned);
    let (killed, log) = ended(&host, &killed, &[]).await;
    assert_eq!(killed.class, FailureClass::HostOutOfMemory, "{killed:?} {log}");
    let crashed = ["sh", "-c", "sh -c 'kill -SEGV $$'; exit 139"].map(str::to_owned);
    let (crashed, log) = ended(&host, &crashed, &[]).await;
    assert_eq!(crashed.class, FailureClass::CrashSignal, "{crashed:?} {log}");

    let image = ContainerPlace::Image { image: "localhost/no-such-image:1".to_owned(), entrypoint: None };
    let unknown = ContainerConfig { places: [(Framework::Vllm, image)].into_iter().collect(), ..podman.config(&[]) };
    let facts = with(unknown.clone()).facts().await;
    assert!(facts.problems.iter().any(|problem| problem.contains("not on the host yet")), "{:?}", facts.problems);
    let (unknown, log) = ended(&with(unknown), &words("vllm serve"), &[]).await;
    assert_eq!(unknown.class, FailureClass::HostTrouble, "{unknown:?} {log}");
    assert_eq!(podman.containers(), Vec::<String>::new());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_left_container_is_found_and_removed_and_a_strangers_is_not() {
    let podman = Podman::start();
    let folder = tempfile::tempdir().expect("a temporary folder");
    let host = Host::Local(this_machine(folder.path()).with_container(Some(podman.config(&[]))));
    let (left, strange) = (Uuid::new_v4(), Uuid::new_v4());
    let name = |launch: Uuid| format!("podium-{}", launch.simple());
    podman.idle(&name(left), &["--label", &format!("podium.launch={left}")]);
    // The same kind of name, and the label of another launch.
    podman.idle(&name(strange), &["--label", &format!("podium.launch={left}")]);
    podman.idle("other", &[]);

    let found = host.leftovers().await.expect("this machine is in reach");
    let own = |launch: Uuid| found.iter().find(|one| one.kind == LeftoverKind::Container && one.launch == Some(launch));
    let leftover = own(left).expect("it is found");
    assert_eq!(leftover.name, name(left));
    host.remove_leftover(leftover).await.expect("it is removed");
    let refused = host.remove_leftover(own(strange).expect("it is found by its name")).await;
    assert!(refused.is_err_and(|error| error.to_string().contains("left alone")));
    let mut rest = podman.containers();
    rest.sort();
    let mut expected = ["other".to_owned(), name(strange)];
    expected.sort();
    assert_eq!(rest, expected);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_real_llama_server_is_measured_in_a_container_from_the_command_line() {
    let _quiet = quiet::shared().await;
    let (bench, podman) = (Bench::new().await, Podman::start());
    let (llama_server, models) = (engines::llama_server(), engines::working_folder());
    let podium = |arguments: &[&str]| {
        let mut command = podium(arguments);
        command.args(["--data-dir", &bench.folder().display().to_string()]).env("DATABASE_URL", &bench.database_url);
        command.current_dir(models.path());
        command
    };
    let mut add: Vec<String> = ["host", "add", "box", "--here", "--container", "podman"].map(str::to_owned).to_vec();
    add.push(format!("--image=llama_cpp={IMAGE}"));
    add.push(format!("--entrypoint=llama_cpp={}", llama_server.display()));
    add.push("--mount=/usr:/usr:ro".to_owned());
    add.extend(engines::seen_by_llama(models.path()).iter().map(|path| format!("--mount={}", path.display())));
    add.extend(podman.global_flags().iter().map(|word| format!("--runtime-flag={word}")));
    add.extend(podman.run_flags().iter().map(|word| format!("--container-flag={word}")));
    let added = run(&mut podium(&add.iter().map(String::as_str).collect::<Vec<_>>())).await;
    assert_eq!(added.code, Some(0), "{added:?}");
    assert!(added.stdout.contains(IMAGE), "{added:?}");

    let plan = plans::shipped("demo-cpu.yaml").canonicalize().expect("a plan that is shipped").display().to_string();
    let arguments = ["run", &plan, "--host", "box", "--framework", "llama_cpp", "--idle-engines"];
    let ended = run(&mut podium(&arguments)).await;
    let [only] =
        &bench.service.list_runs(Caller::owner(), &Default::default(), 50).await.expect("the database answers")[..]
    else {
        panic!("not one run: {ended:?}")
    };
    let measured = bench.ended(only.id).await;
    assert!(!measured.view.item.simulated);
    let own: Vec<_> = measured.view.candidates.iter().filter(|c| c.framework == Framework::LlamaCpp).collect();
    assert_eq!(own.len(), 4, "{ended:?}");
    assert!(own.iter().all(|c| c.status == CandidateStatus::Ok), "{own:#?} {ended:?}");
    assert!(measured.measurements.iter().all(|m| m.status == MeasurementStatus::Done), "{ended:?}");
    assert_eq!(podman.containers(), Vec::<String>::new());
    assert!(run(&mut podium(&["host", "list"])).await.stdout.contains("box (podman of this machine)"));
}
