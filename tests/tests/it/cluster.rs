//! Podium's own database: `podium` processes on one data folder share it, and the last one out stops it.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use podium_tests::binaries::{podium, run};
use podium_tests::wait::until;
use podium_tests::{plans, quiet};
use rustix::process::{Pid, Signal, kill_process};
use tokio::process::Child;

/// The process id of the folder's database server, once it takes connections.
async fn server_pid(data_dir: &Path) -> i32 {
    let file = data_dir.join("postgres/postmaster.pid");
    until("the database server is ready", async || {
        let text = std::fs::read_to_string(&file).ok()?;
        let mut lines = text.lines();
        let pid = lines.next()?.trim().parse().ok()?;
        lines.any(|line| line.trim() == "ready").then_some(pid)
    })
    .await
}

/// Whether the process lives; one that ended and was not waited for does not.
fn lives(pid: i32) -> bool {
    std::fs::read(format!("/proc/{pid}/cmdline")).is_ok_and(|command_line| !command_line.is_empty())
}

fn worker(data_dir: &str) -> Child {
    podium(["worker", "--data-dir", data_dir]).spawn().expect("a worker starts")
}

/// Stops a process as a person would, and waits until it has ended well.
async fn terminate(mut process: Child) {
    let pid = process.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw).expect("it runs");
    kill_process(pid, Signal::TERM).expect("it can be told to stop");
    let status = process.wait().await.expect("it can be waited for");
    assert!(status.success(), "{status}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn processes_share_it_and_the_last_one_out_stops_it() {
    let _quiet = quiet::shared().await;
    let folder = tempfile::tempdir().expect("a temporary folder");
    std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o755)).expect("ours");
    let data_dir = folder.path().join("data");
    let name = data_dir.display().to_string();

    // Both at once on a folder that does not exist: one of them makes it.
    let (first, second) = (worker(&name), worker(&name));
    let pid = server_pid(&data_dir).await;

    // A third one works on the same database while they do, and does not stop it.
    let plan = folder.path().join("plan.yaml");
    let framework = plans::with_flags("vllm", "no-such-engine serve", "{max_model_len: 4096}", "{}");
    std::fs::write(&plan, plans::plan("one_scenario.yaml", &[framework])).expect("writable");
    let ended = run(&mut podium(["run", &plan.display().to_string(), "--data-dir", &name])).await;
    assert!(ended.stdout.contains("/report\n"), "{ended:?}");
    assert_eq!(server_pid(&data_dir).await, pid);

    terminate(first).await;
    assert!(lives(pid), "the second process still uses it");
    terminate(second).await;
    assert!(!lives(pid), "nobody uses it any more");
    assert!(!data_dir.join("postgres/postmaster.pid").exists());

    // What was stored is there for the next one, on a server of its own.
    let ended = run(&mut podium(["run", &plan.display().to_string(), "--data-dir", &name])).await;
    assert!(ended.stdout.contains("/report\n"), "{ended:?}");
    assert!(!data_dir.join("postgres/postmaster.pid").exists());
}
