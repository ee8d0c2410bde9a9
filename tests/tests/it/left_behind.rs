//! What a run may leave: shown and removed by `podium clean`, and ended by the agent where nobody asks for it any more.

use podium_domain::status::{CandidateStatus, RunStatus};
use podium_launcher::{LeftoverKind, SshConfig};
use podium_service::{Caller, LeftoverState, StartRun};
use podium_tests::bench::Bench;
use podium_tests::binaries::{podium, run};
use podium_tests::sshd::Sshd;
use podium_tests::wait::until;
use podium_tests::{plans, quiet};
use tokio::process::Child;
use uuid::Uuid;

/// A run of one candidate with a long measurement.
fn plan() -> String {
    let flags = "{max_model_len: 4096}";
    plans::plan("quick_and_long.yaml", &[plans::with_flags("vllm", &plans::simulated("vllm", ""), flags, "{}")])
}

async fn queue(bench: &Bench, host: Option<&SshConfig>) -> Uuid {
    let host_id = match host {
        Some(config) => Some(bench.service.add_host(Caller::owner(), "far", config).await.expect("it is added").id),
        None => None,
    };
    let start = StartRun { host_id, ..StartRun::of(plan()) };
    bench.start_with(start).await
}

fn worker(bench: &Bench) -> Child {
    let folder = bench.folder().display().to_string();
    podium(["worker", "--data-dir", &folder, "--database-url", &bench.database_url]).spawn().expect("a worker starts")
}

/// Waits until an engine of the run is ready.
async fn ready(bench: &Bench, run_id: Uuid) -> Uuid {
    until("an engine is ready", async || {
        bench.launches(run_id).await.into_iter().find(|launch| launch.ready_at.is_some()).map(|launch| launch.id)
    })
    .await
}

async fn clean(bench: &Bench, more: &[&str]) -> String {
    let folder = bench.folder().display().to_string();
    let arguments = ["clean", "--data-dir", &folder, "--database-url", &bench.database_url];
    let ended = run(&mut podium(arguments.iter().chain(more).copied())).await;
    assert_eq!(ended.code, Some(0), "{ended:?}");
    ended.stdout
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dead_workers_engine_is_shown_and_ended_and_a_living_ones_is_left_alone() {
    let _quiet = quiet::shared().await;
    let bench = Bench::new().await;
    let run_id = queue(&bench, None).await;
    let mut working = worker(&bench);
    let launch = ready(&bench, run_id).await;
    let host = bench.service.this_host(Caller::owner()).await.expect("this machine is a host").id;
    let own = async || {
        let found = bench.service.leftovers(Caller::owner(), host).await.expect("this machine is in reach");
        found.into_iter().filter(|one| one.leftover.launch == Some(launch)).collect::<Vec<_>>()
    };
    let in_use = own().await;
    assert!(in_use.iter().any(|one| one.leftover.kind == LeftoverKind::Processes), "{in_use:#?}");
    assert!(in_use.iter().all(|one| one.state == LeftoverState::InUse), "{in_use:#?}");
    let said = clean(&bench, &["--yes"]).await;
    assert!(!said.contains(&launch.to_string()) && said.contains("runs that go on use"), "{said}");
    assert!(own().await.iter().any(|one| one.leftover.kind == LeftoverKind::Processes), "a living run lost its engine");

    working.kill().await.expect("the worker can be killed");
    // As if another worker had given the run up: nobody looks after the engine any more.
    let claim = podium_store::Claim {
        worker: "another",
        machine: "another",
        ttl: std::time::Duration::from_secs(60),
        only: None,
        after_restart: std::time::Duration::ZERO,
    };
    assert!(bench.store.claim_run(&claim, |_| Vec::new()).await.expect("the database answers").is_none());
    let machine = bench.store.host(host).await.expect("it is there").machine.expect("a machine has an id");
    let claim = podium_store::Claim { machine: &machine, ..claim };
    let claimed = until("the dead worker's lease has run out", async || {
        bench.store.claim_run(&claim, |_| Vec::new()).await.expect("the database answers")
    })
    .await;
    let end = podium_store::RunEnd {
        status: RunStatus::Failed,
        failure: Some("nobody carries it on".to_owned()),
        summary: None,
    };
    bench.store.finish_run(&claimed.lease, &end, &[]).await.expect("it ends");
    let said = clean(&bench, &[]).await;
    assert!(said.contains(&format!("left: processes of launch {launch}: podium (")), "{said}");
    assert!(said.contains("`--yes` removes"), "{said}");
    let said = clean(&bench, &["--yes"]).await;
    assert!(said.contains(&format!("removed: processes of launch {launch}")), "{said}");
    assert_eq!(own().await, []);
    bench.assert_nothing_runs(run_id).await;

    // What waited and went on when the run ended says so.
    let candidates = bench.view(run_id).await.candidates;
    assert!(candidates.iter().all(|candidate| candidate.status == CandidateStatus::Skipped), "{candidates:#?}");
    assert!(bench.launches(run_id).await.iter().all(|launch| launch.ended_at.is_some()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn old_agents_and_folders_go_from_a_host_that_is_reached_by_ssh() {
    let (bench, sshd) = (Bench::new().await, Sshd::start().await);
    let host = bench.service.add_host(Caller::owner(), "far", &sshd.config()).await.expect("the host is added");
    let kept = sshd.home().join(".cache/podium");
    let foreign = kept.join("work").join(Uuid::new_v4().to_string());
    for folder in [&kept.join("agent-of-another-version"), &foreign] {
        std::fs::create_dir_all(folder).expect("a folder");
    }
    let found = bench.service.leftovers(Caller::owner(), host.id).await.expect("the host is in reach");
    let of = |kind| found.iter().filter(move |one| one.leftover.kind == kind && one.leftover.name.contains("podium"));
    let [agent] = of(LeftoverKind::Agent).collect::<Vec<_>>()[..] else { panic!("not one agent: {found:#?}") };
    assert!(agent.leftover.name.ends_with("agent-of-another-version"));
    assert_eq!(agent.state, LeftoverState::Left);
    assert!(of(LeftoverKind::Folder).all(|one| one.state == LeftoverState::Foreign), "{found:#?}");

    let cleaned = bench.service.clean_host(Caller::owner(), host.id, false).await.expect("the host is in reach");
    assert_eq!((cleaned.removed.len(), cleaned.kept.len()), (1, 0), "{cleaned:#?}");
    assert!(foreign.is_dir(), "another database's folder was removed without being asked for");
    assert!(!kept.join("agent-of-another-version").exists());
}

/// The connection stays and nothing comes over it: the engine ends, the run goes on to its end, and says what was.
async fn partitioned(stop_whom: impl Fn(&Sshd)) {
    let _quiet = quiet::shared().await;
    let (bench, sshd) = (Bench::new().await, Sshd::start().await);
    let run_id = queue(&bench, Some(&sshd.config())).await;
    let working = bench.work();
    ready(&bench, run_id).await;
    let engines = async || {
        let running = bench.host.running_launches().await.expect("this machine is in reach");
        let own: Vec<_> = bench.launches(run_id).await.into_iter().map(|launch| launch.id).collect();
        running.into_iter().any(|launch| own.contains(&launch.launch_id))
    };
    assert!(engines().await);
    stop_whom(&sshd);
    until("the agent has stopped its engine", async || (!engines().await).then_some(())).await;
    let run = bench.wait_for_end(run_id).await;
    working.stop().await;
    assert_eq!(run.view.item.status, RunStatus::Completed, "{:?}", run.view.failure);
    let [candidate] = &run.view.candidates[..] else { panic!("{:#?}", run.view.candidates) };
    let reason = candidate.failure_reason.as_deref().expect("a failed candidate has a reason");
    assert!(reason.contains("the connection to the host was lost"), "{reason}");
    sshd.cut_if_any();
    until("nothing that came by SSH works any more", async || sshd.at_work().is_empty().then_some(())).await;
    assert_eq!(sshd.files_left(), Vec::<std::path::PathBuf>::new());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_network_that_falls_silent_ends_the_engine() {
    partitioned(Sshd::freeze).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_ssh_client_that_hangs_ends_the_engine_and_is_ended() {
    partitioned(Sshd::freeze_client).await;
}
