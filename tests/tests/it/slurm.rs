//! A Slurm cluster: a real controller with two nodes, the real agent in steps of real jobs, whole plans.

use std::collections::{BTreeSet, HashMap};
use std::path::PathBuf;

use podium_domain::framework::Framework;
use podium_domain::report::Caveat;
use podium_domain::status::{CandidateStatus, MeasurementStatus, RunStatus};
use podium_launcher::{Host, LeftoverKind, SshConfig};
use podium_service::{Caller, LeftoverState, RunEvent, SmokeChoice, StartRun};
use podium_tests::bench::{Bench, EndedRun};
use podium_tests::binaries::podium;
use podium_tests::slurm::Slurm;
use podium_tests::sshd::Sshd;
use podium_tests::wait::until;
use podium_tests::{engines, plans, quiet};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

async fn bench(slurm: &Slurm) -> Bench {
    Bench::with_variables([("HOME".to_owned(), slurm.home().display().to_string())]).await
}

/// What is started on a host.
fn on(host_id: Option<Uuid>, yaml: String) -> StartRun {
    StartRun { host_id, smoke: SmokeChoice::Never, ..StartRun::of(yaml) }
}

async fn start(bench: &Bench, config: &SshConfig, yaml: String) -> Uuid {
    let added = bench.service.add_host(Caller::owner(), "cluster", config).await.expect("the host is added");
    bench.start_with(on(Some(added.id), yaml)).await
}

/// One candidate with a quick measurement and a long one.
fn quick_and_long() -> String {
    let framework = plans::with_flags("vllm", &plans::simulated("vllm", ""), "{max_model_len: 4096}", "{}");
    plans::plan("quick_and_long.yaml", &[framework])
}

/// What watchers of a run were told in words.
async fn notes(bench: &Bench, run_id: Uuid) -> Vec<String> {
    let events = bench.store.events_after(run_id, 0, 10_000).await.expect("the database answers");
    let read = events.into_iter().filter_map(|event| match serde_json::from_value(event.body).ok()? {
        RunEvent::Note { text } => Some(text),
        _ => None,
    });
    read.collect()
}

async fn interrupt_here(bench: &Bench, run_id: Uuid) {
    until("the long measurement is being taken", async || {
        let measurements = bench.measurements(run_id).await;
        let is = |scenario: &str, status| measurements.iter().any(|m| m.scenario == scenario && m.status == status);
        (is("quick", MeasurementStatus::Done) && is("long", MeasurementStatus::Measuring)).then_some(())
    })
    .await;
}

async fn assert_nothing_is_left(slurm: &Slurm) {
    until("no step works any more", async || slurm.at_work().is_empty().then_some(())).await;
    assert_eq!(slurm.jobs(), []);
}

fn assert_all_measured(run: &EndedRun) {
    assert_eq!(run.view.item.status, RunStatus::Completed, "{:?}", run.view.failure);
    assert!(run.view.candidates.iter().all(|c| c.status == CandidateStatus::Ok), "{:#?}", run.view.candidates);
    assert!(run.measurements.iter().all(|m| m.status == MeasurementStatus::Done), "{:#?}", run.measurements);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_whole_plan_runs_on_a_node_and_the_job_ends_with_it() {
    let _quiet = quiet::shared().await;
    let slurm = Slurm::start().await;
    let bench = bench(&slurm).await;
    let run_id = start(&bench, &slurm.config(), plans::text("simulated.yaml")).await;
    let run = bench.carry_out(run_id).await;
    assert_all_measured(&run);
    assert_eq!(run.view.candidates.len(), 4);
    for measurement in &run.measurements {
        let samples = bench.store.samples(measurement.id).await.expect("the database answers");
        assert!(samples.is_some_and(|samples| !samples.bytes.is_empty()), "the requests were not copied back");
    }
    for launch in &run.launches {
        let facts = launch.facts.as_ref().expect("a ready engine has facts");
        assert_eq!(facts["node"], "n1");
        assert!(facts["load"].as_str().is_some_and(|load| load.contains("beside the engine")), "{facts}");
        let log = bench.service.launch_log(Caller::owner(), launch.id, 0).await.expect("the log was kept");
        assert!(!log.text.is_empty(), "the log was not streamed back");
    }
    assert_nothing_is_left(&slurm).await;
}

/// The simulated plan on two nodes at once.
fn on_two_nodes() -> String {
    plans::text("simulated.yaml").replace("search:\n", "search:\n  parallelism: 2\n")
}

fn nodes(run: &EndedRun) -> BTreeSet<&str> {
    run.launches.iter().filter_map(|launch| launch.facts.as_ref()?["node"].as_str()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn candidates_are_measured_on_two_nodes_at_once_and_the_report_says_which_where() {
    let _quiet = quiet::shared().await;
    let slurm = Slurm::start().await;
    let bench = bench(&slurm).await;
    let run_id = start(&bench, &slurm.config(), on_two_nodes()).await;
    let run = bench.carry_out(run_id).await;
    assert_all_measured(&run);
    assert_eq!(nodes(&run), BTreeSet::from(["n1", "n2"]));
    assert_eq!(run.launches.len(), 4, "each candidate was launched once");
    let report = &run.report.report;
    let told: Vec<_> = report.caveats.iter().filter(|one| matches!(one, Caveat::SeveralNodes { .. })).collect();
    let [Caveat::SeveralNodes { nodes }] = told[..] else { panic!("not one: {:?}", report.caveats) };
    assert_eq!(nodes.iter().map(|(_, candidates)| candidates.len()).sum::<usize>(), 4);
    for row in &report.rows {
        let node = row.podium.as_ref().and_then(|podium| podium.node.as_ref()).expect("a row names its node");
        assert!(nodes.iter().any(|(known, own)| known == node && own.contains(&row.candidate_id)), "{nodes:?}");
    }
    let shared = serde_json::to_string(&report.redacted().expect("figures are numbers")).expect("text");
    assert!(!shared.contains("\"n1\"") && !shared.contains("n2 measured"), "{shared}");
    assert_nothing_is_left(&slurm).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_with_other_gpus_is_not_measured_on() {
    let _quiet = quiet::shared().await;
    let slurm = Slurm::start().await;
    let programs = tempfile::tempdir().expect("a temporary folder");
    let program = programs.path().join("nvidia-smi");
    let script = "#!/bin/sh\n[ \"$SLURMD_NODENAME\" = n1 ] && model=H100 || model=A100\n\
                  case \"$1\" in --query-gpu=*) echo \"0, NVIDIA $model, GPU-x, 81559, 3, 550.1, 9.0\" ;; esac\n";
    std::fs::write(&program, script).expect("a file");
    std::fs::set_permissions(&program, std::os::unix::fs::PermissionsExt::from_mode(0o755)).expect("a file of ours");
    let path = format!("{}:{}", programs.path().display(), std::env::var("PATH").expect("there is one"));
    let home = slurm.home().display().to_string();
    let bench = Bench::with_variables([("HOME".to_owned(), home), ("PATH".to_owned(), path)]).await;
    let run_id = start(&bench, &slurm.config(), on_two_nodes()).await;
    let run = bench.carry_out(run_id).await;
    assert_all_measured(&run);
    assert_eq!(nodes(&run), BTreeSet::from(["n1"]));
    let notes = notes(&bench, run_id).await;
    let refused = "node n2 has NVIDIA A100, and the run began on NVIDIA H100";
    assert!(notes.iter().any(|note| note.contains(refused)), "{notes:#?}");
    assert_nothing_is_left(&slurm).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_plan_runs_through_a_login_node_by_ssh() {
    let _quiet = quiet::shared().await;
    let (slurm, sshd) = (Slurm::start().await, Sshd::start().await);
    let bench = Bench::new().await;
    let config = SshConfig { slurm: slurm.config().slurm, ..sshd.config() };
    let framework = plans::with_flags("vllm", &plans::simulated("vllm", ""), "{max_model_len: 4096}", "{}");
    let run_id = start(&bench, &config, plans::plan("one_scenario.yaml", &[framework])).await;
    let run = bench.carry_out(run_id).await;
    assert_all_measured(&run);
    until("nothing that came by SSH works any more", async || sshd.at_work().is_empty().then_some(())).await;
    assert_eq!(slurm.jobs(), []);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn arguments_arrive_on_a_node_byte_for_byte() {
    let slurm = Slurm::start().await;
    let bench = bench(&slurm).await;
    let Host::Local(this) = &bench.host else { panic!("the bench is this machine") };
    let cluster = Host::cluster(this, slurm.config());
    let run_id = Uuid::new_v4();
    let node = cluster.allocate(run_id, 0, &CancellationToken::new(), |_| {}).await.expect("there is a node");
    let node = node.expect("a cluster has nodes");
    super::sshd::assert_arguments_arrive(std::slice::from_ref(&node), 5).await;
    let stray = [PathBuf::from("pwned"), slurm.home().join("pwned")];
    assert!(stray.iter().all(|path| !path.exists()), "a shell took a word for a command");
    node.release().await.expect("Slurm answers");
    assert_nothing_is_left(&slurm).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_run_that_waits_says_why_and_a_cancelled_one_leaves_no_job() {
    let _quiet = quiet::shared().await;
    let slurm = Slurm::start().await;
    let bench = bench(&slurm).await;
    let others = slurm.occupy();
    let run_id = start(&bench, &slurm.config(), quick_and_long()).await;
    let working = bench.work();
    let name = format!("podium-{run_id}-0");
    let job = until("the job waits", async || {
        slurm.jobs().into_iter().find(|(_, state, job)| *job == name && state == "PENDING").map(|(id, ..)| id)
    })
    .await;
    let waits = format!("waiting in Slurm's queue: job {job}, reason Resources");
    until("the reason is told", async || notes(&bench, run_id).await.contains(&waits).then_some(())).await;

    // Cancelled while it waits: its candidates are listed, and only the others' jobs are left.
    bench.service.cancel_run(Caller::owner(), run_id).await.expect("a run that waits can be cancelled");
    let run = bench.wait_for_end(run_id).await;
    assert_eq!(run.view.item.status, RunStatus::Cancelled);
    assert_eq!(run.view.candidates.len(), 1);
    until("the job is gone", async || slurm.jobs().iter().all(|(.., job)| job == "other").then_some(())).await;
    assert_eq!(slurm.jobs().len(), others.len());

    // Cancelled while it measures.
    slurm.run(&[&["scancel"][..], &others.iter().map(String::as_str).collect::<Vec<_>>()].concat());
    let host_id = bench.store.run(run_id).await.expect("the run is there").host_id;
    let run_id = bench.start_with(on(host_id, quick_and_long())).await;
    interrupt_here(&bench, run_id).await;
    assert!(!slurm.at_work().is_empty(), "the engine works on the node");
    bench.service.cancel_run(Caller::owner(), run_id).await.expect("a run that goes on can be cancelled");
    let run = bench.wait_for_end(run_id).await;
    working.stop().await;
    assert_eq!(run.view.item.status, RunStatus::Cancelled);
    assert_nothing_is_left(&slurm).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_workers_job_is_taken_over_by_the_next() {
    let _quiet = quiet::shared().await;
    let slurm = Slurm::start().await;
    let bench = bench(&slurm).await;
    let run_id = start(&bench, &slurm.config(), quick_and_long()).await;
    let folder = bench.folder().display().to_string();
    let mut worker = podium(["worker", "--data-dir", &folder, "--database-url", &bench.database_url])
        .env("HOME", slurm.home())
        .spawn()
        .expect("a worker starts");
    interrupt_here(&bench, run_id).await;
    let before = bench.measurements(run_id).await;
    let job = slurm.only_job();
    worker.kill().await.expect("the worker can be killed");

    let working = bench.work();
    interrupt_here(&bench, run_id).await;
    until("the next worker goes on", async || (bench.launches(run_id).await.len() == 2).then_some(())).await;
    assert!(slurm.jobs().iter().all(|(id, ..)| *id == job), "another job was asked for: {:?}", slurm.jobs());
    let run = bench.wait_for_end(run_id).await;
    working.stop().await;
    assert_all_measured(&run);
    let quick = |measurements: &[podium_store::Measurement]| {
        let quick = measurements.iter().find(|m| m.scenario == "quick").expect("it was measured");
        (quick.id, quick.started_at, quick.ended_at)
    };
    assert_eq!(quick(&run.measurements), quick(&before));
    assert_nothing_is_left(&slurm).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_requeued_job_is_waited_for_and_its_measurement_is_taken_again() {
    let _quiet = quiet::shared().await;
    let slurm = Slurm::start().await;
    let bench = bench(&slurm).await;
    let run_id = start(&bench, &slurm.config(), quick_and_long()).await;
    let working = bench.work();
    interrupt_here(&bench, run_id).await;
    let job = slurm.only_job().to_string();
    slurm.run(&["scontrol", "requeue", &job]);
    until("the run tells of it", async || {
        let notes = notes(&bench, run_id).await;
        notes.iter().any(|note| note.contains(&format!("Slurm took the node of job {job} away"))).then_some(())
    })
    .await;
    // Slurm lets a job that was put back rest for two minutes. It takes no order for one that still leaves its node.
    let now = ["scontrol", "update", &format!("JobId={job}"), "StartTime=now"];
    until("the job may start at once", async || slurm.try_run(&now).map(|_said| ())).await;
    let run = bench.wait_for_end(run_id).await;
    working.stop().await;
    assert_all_measured(&run);
    assert_eq!(run.launches.len(), 2);
    assert_eq!(run.measurements.len(), 2);
    assert_nothing_is_left(&slurm).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_that_somebody_else_cancels_ends_the_run_with_that_reason() {
    let _quiet = quiet::shared().await;
    let slurm = Slurm::start().await;
    let bench = bench(&slurm).await;
    let run_id = start(&bench, &slurm.config(), quick_and_long()).await;
    let working = bench.work();
    interrupt_here(&bench, run_id).await;
    let job = slurm.only_job();
    slurm.run(&["scancel", &job.to_string()]);
    let run = bench.wait_for_end(run_id).await;
    working.stop().await;
    assert_eq!(run.view.item.status, RunStatus::Failed);
    let reason = run.view.failure.as_deref().expect("a failed run has a reason");
    assert!(reason.contains(&format!("Slurm job {job} was cancelled by somebody else")), "{reason}");
    assert_eq!(run.view.candidates[0].status, CandidateStatus::Skipped);
    assert_eq!(run.view.candidates[0].failure_reason.as_deref(), Some(reason));
    let quick = run.measurements.iter().find(|m| m.scenario == "quick").expect("it was measured");
    assert_eq!(quick.status, MeasurementStatus::Done, "what was measured before is kept");
    assert_nothing_is_left(&slurm).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_real_llama_server_is_measured_on_a_node() {
    let _quiet = quiet::shared().await;
    let slurm = Slurm::start().await;
    let bench = bench(&slurm).await;
    let (llama_server, models) = (engines::llama_server(), engines::working_folder());
    let mut config = SshConfig { folder: Some(models.path().to_owned()), ..slurm.config() };
    config.env.insert("PODIUM_LLAMA_SERVER".to_owned(), llama_server.display().to_string());
    let added = bench.service.add_host(Caller::owner(), "cluster", &config).await.expect("the host is added");
    let yaml = std::fs::read_to_string(plans::shipped("demo-cpu.yaml")).expect("a plan that is shipped");
    let frameworks = Some(vec![Framework::LlamaCpp]);
    let start = StartRun { frameworks, idle_engines: true, ..on(Some(added.id), yaml) };
    let run_id = bench.start_with(start).await;
    let run = bench.carry_out(run_id).await;
    assert_eq!(run.view.item.status, RunStatus::Completed, "{:?}", run.view.failure);
    assert_eq!(run.view.candidates.len(), 4);
    assert!(run.measurements.iter().all(|m| m.status == MeasurementStatus::Done), "{:#?}", run.measurements);
    assert!(!run.view.item.simulated);
    assert_nothing_is_left(&slurm).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_check_tells_the_partitions_and_what_slurm_would_refuse() {
    let slurm = Slurm::start().await;
    let bench = bench(&slurm).await;
    let added = bench.service.add_host(Caller::owner(), "cluster", &slurm.config()).await.expect("the host is added");
    let checked = bench.service.check_host(Caller::owner(), added.id).await.expect("it is looked at");
    let facts = checked.facts.expect("it was looked at");
    assert_eq!(facts.problems, Vec::<String>::new());
    let cluster = facts.cluster.expect("it is a cluster");
    assert_eq!((cluster.partitions[0].name.as_str(), cluster.partitions[0].nodes), ("main*", 2));
    assert_eq!(cluster.partitions[0].gres, "gpu:h100:2");

    let mut wrong = slurm.config();
    wrong.slurm.get_or_insert_default().partition = "nowhere".to_owned();
    bench.service.edit_host(Caller::owner(), added.id, "cluster", &wrong).await.expect("the host is changed");
    let checked = bench.service.check_host(Caller::owner(), added.id).await.expect("it is looked at");
    let problems = checked.facts.expect("it was looked at").problems;
    assert!(problems.iter().any(|problem| problem.contains("invalid partition")), "{problems:?}");
    assert_nothing_is_left(&slurm).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_that_no_run_needs_is_shown_and_one_of_another_podium_is_left_alone() {
    let _quiet = quiet::shared().await;
    let slurm = Slurm::start().await;
    let bench = bench(&slurm).await;
    let run_id = start(&bench, &slurm.config(), quick_and_long()).await;
    let stored = bench.store.run(run_id).await.expect("the run is there");
    let host_id = stored.host_id.expect("it has a host");
    let Host::Local(this) = &bench.host else { panic!("the bench is this machine") };
    let cluster = Host::cluster(this, slurm.config());
    let cancel = CancellationToken::new();
    for run in [run_id, Uuid::new_v4()] {
        cluster.allocate(run, 0, &cancel, |_| {}).await.expect("there is a node");
    }
    let states = async || {
        let found = bench.service.leftovers(Caller::owner(), host_id).await.expect("Slurm answers");
        let jobs = found.into_iter().filter(|one| one.leftover.kind == LeftoverKind::Job);
        jobs.map(|one| (one.leftover.launch == Some(run_id), one.state)).collect::<HashMap<_, _>>()
    };
    let known = |own| HashMap::from([(true, own), (false, LeftoverState::Foreign)]);
    assert_eq!(states().await, known(LeftoverState::InUse), "the run may need it yet");

    bench.service.cancel_run(Caller::owner(), run_id).await.expect("a queued run can be cancelled");
    assert_eq!(states().await, known(LeftoverState::Left));
    let cleaned = bench.service.clean_host(Caller::owner(), host_id, false).await.expect("Slurm answers");
    assert_eq!((cleaned.removed.len(), cleaned.kept.len()), (1, 0), "{cleaned:?}");
    assert_eq!(slurm.jobs().len(), 1, "another Podium's job stays");
    let cleaned = bench.service.clean_host(Caller::owner(), host_id, true).await.expect("Slurm answers");
    assert_eq!(cleaned.removed.len(), 1, "{cleaned:?}");
    assert_nothing_is_left(&slurm).await;
}
