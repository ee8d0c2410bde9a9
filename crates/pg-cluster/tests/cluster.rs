//! The private cluster on the real server. Works as root and as an ordinary user.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use podium_cluster::{ClusterError, ClusterOptions, ManagedCluster, ThrowAwayCluster};
use rustix::process::{Pid, Signal, geteuid, kill_process};
use tempfile::TempDir;

fn options(folder: &TempDir) -> ClusterOptions {
    ClusterOptions::new(folder.path()).without_durability()
}

/// Runs `sql` over `url` with psql; its output.
fn query(cluster: &ManagedCluster, url: &str, sql: &str) -> String {
    let output = Command::new(cluster.binaries_dir().join("psql"))
        .args(["-X", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-c", sql, url])
        .output()
        .unwrap();
    assert!(output.status.success(), "{sql}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

/// Whether the process lives; a zombie does not.
fn lives(pid: u32) -> bool {
    fs::read(format!("/proc/{pid}/cmdline")).is_ok_and(|command_line| !command_line.is_empty())
}

/// The session of a process. 0 where its leader is outside of this container, which `getsid` of rustix cannot say.
fn session(process: &str) -> i32 {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).unwrap();
    // The name may hold spaces and parentheses; then come state, parent, group and session.
    let (_, after_name) = stat.rsplit_once(')').unwrap();
    after_name.split_whitespace().nth(3).unwrap().parse().unwrap()
}

fn wait_until(what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(60);
    while !condition() {
        assert!(Instant::now() < deadline, "waited in vain: {what}");
        thread::sleep(Duration::from_millis(5));
    }
}

/// Runs one of the helpers below in a process of its own; what it printed after its marker.
fn run_helper(name: &str, data_dir: &Path) -> String {
    run_helper_with(name, data_dir, &[])
}

fn run_helper_with(name: &str, data_dir: &Path, environment: &[(&str, &str)]) -> String {
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", name, "--ignored", "--nocapture", "--test-threads=1"])
        .env("PODIUM_TEST_DATA_DIR", data_dir)
        .envs(environment.iter().copied())
        .stderr(Stdio::inherit())
        .output()
        .unwrap();
    let stdout = String::from_utf8(output.stdout).unwrap();
    let (_, answer) = stdout.split_once("answer=").unwrap_or_else(|| panic!("the helper said: {stdout}"));
    answer.lines().next().unwrap().to_owned()
}

#[test]
#[ignore = "a process that other tests start"]
fn helper_acquires_and_dies() {
    let data_dir = std::env::var_os("PODIUM_TEST_DATA_DIR").unwrap();
    let cluster = ManagedCluster::acquire(ClusterOptions::new(data_dir).without_durability()).unwrap();
    println!("\nanswer={}", cluster.postmaster_pid());
    // No destructor runs.
    std::process::exit(0);
}

#[test]
#[ignore = "a process that other tests start"]
fn helper_throws_away_and_dies() {
    let cluster = ThrowAwayCluster::start().unwrap();
    println!("\nanswer={} {}", cluster.cluster().postmaster_pid(), cluster.cluster().data_dir().display());
    std::process::exit(0);
}

#[test]
fn the_last_user_out_stops_the_server() {
    let folder = TempDir::new().unwrap();
    let first = ManagedCluster::acquire(options(&folder)).unwrap();
    let pid = first.postmaster_pid();
    assert_eq!(query(&first, &first.url(), "show listen_addresses"), "");
    assert_eq!(query(&first, &first.url(), "select current_user || ' ' || current_database()"), "podium podium");
    assert_eq!(
        query(&first, &first.superuser_url("postgres"), "show server_encoding; show lc_collate"),
        "UTF8\nC.UTF-8"
    );
    query(&first, &first.url(), "create table kept (n int); insert into kept values (7)");

    let second = ManagedCluster::acquire(options(&folder)).unwrap();
    assert_eq!(second.postmaster_pid(), pid, "two users share one server");
    let socket_dir = second.socket_dir().to_owned();
    first.release().unwrap();
    assert_eq!(query(&second, &second.url(), "select n from kept"), "7");
    drop(second);
    assert!(!lives(pid), "the last user stops the server, by dropping as well");
    assert!(!socket_dir.exists());

    let third = ManagedCluster::acquire(options(&folder)).unwrap();
    assert_eq!(query(&third, &third.url(), "select n from kept"), "7");
    third.release().unwrap();
}

#[test]
fn a_durable_cluster_syncs_and_has_checksums() {
    let folder = TempDir::new().unwrap();
    let cluster = ManagedCluster::acquire(ClusterOptions::new(folder.path().join("made").join("here"))).unwrap();
    assert_eq!(query(&cluster, &cluster.url(), "show fsync; show data_checksums; show max_connections"), "on\non\n60");
    cluster.release().unwrap();
}

#[test]
fn the_server_is_independent_of_its_starter() {
    let folder = TempDir::new().unwrap();
    let cluster = ManagedCluster::acquire(options(&folder)).unwrap();
    let pid = cluster.postmaster_pid();
    assert_ne!(session(&pid.to_string()), session("self"), "Ctrl-C and a closed terminal do not reach it");
    let open: Vec<_> = fs::read_dir(format!("/proc/{pid}/fd"))
        .unwrap()
        .filter_map(|file| fs::read_link(file.unwrap().path()).ok())
        .collect();
    assert!(open.contains(&folder.path().join("postgres.log")), "the list is the right one: {open:?}");
    assert!(!open.iter().any(|file| file.ends_with("users.lock") || file.ends_with("start.lock")), "{open:?}");
    let environment = fs::read(format!("/proc/{pid}/environ")).unwrap();
    let environment = String::from_utf8_lossy(&environment).into_owned();
    assert!(environment.contains("LC_ALL=C") && !environment.contains("CARGO"), "{environment}");
}

#[test]
fn users_that_come_at_once_get_one_server() {
    let folder = TempDir::new().unwrap();
    let clusters: Vec<ManagedCluster> = thread::scope(|scope| {
        let users: Vec<_> =
            (0..4).map(|_| scope.spawn(|| ManagedCluster::acquire(options(&folder)).unwrap())).collect();
        users.into_iter().map(|user| user.join().unwrap()).collect()
    });
    let pid = clusters[0].postmaster_pid();
    assert!(clusters.iter().all(|cluster| cluster.postmaster_pid() == pid));
    let other = run_helper("helper_acquires_and_dies", folder.path());
    assert_eq!(other, pid.to_string(), "a user in another process too");
    drop(clusters);
    assert!(!lives(pid), "a user that died does not keep the server");
}

#[test]
fn users_that_come_and_go_always_find_a_server() {
    let folder = TempDir::new().unwrap();
    thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                for _ in 0..2 {
                    let cluster = ManagedCluster::acquire(options(&folder)).unwrap();
                    assert_eq!(query(&cluster, &cluster.url(), "select 1"), "1");
                    cluster.release().unwrap();
                }
            });
        }
    });
    assert!(!folder.path().join("postgres/postmaster.pid").exists(), "and the last one stopped it");
}

#[test]
fn a_server_left_by_a_crash_is_adopted() {
    let folder = TempDir::new().unwrap();
    let left: u32 = run_helper("helper_acquires_and_dies", folder.path()).parse().unwrap();
    assert!(lives(left));
    let cluster = ManagedCluster::acquire(options(&folder)).unwrap();
    assert_eq!(cluster.postmaster_pid(), left);
    cluster.release().unwrap();
    assert!(!lives(left));
}

#[test]
fn a_killed_server_is_started_again() {
    let folder = TempDir::new().unwrap();
    let first = ManagedCluster::acquire(options(&folder)).unwrap();
    let killed = first.postmaster_pid();
    kill_process(Pid::from_raw(i32::try_from(killed).unwrap()).unwrap(), Signal::KILL).unwrap();
    wait_until("the postmaster is gone", || !lives(killed));
    assert!(folder.path().join("postgres/postmaster.pid").exists(), "it left its pid file");

    let second = ManagedCluster::acquire(options(&folder)).unwrap();
    assert_ne!(second.postmaster_pid(), killed);
    assert_eq!(query(&first, &first.url(), "select 1"), "1", "the address stays the same");
    first.release().unwrap();
    second.release().unwrap();
}

#[test]
fn a_user_starts_the_server_again_where_it_dies_and_only_there() {
    let folder = TempDir::new().unwrap();
    let cluster = ManagedCluster::acquire(options(&folder)).unwrap();
    assert!(!cluster.revive().unwrap(), "it lives");
    let pid = cluster.postmaster_pid();
    kill_process(Pid::from_raw(i32::try_from(pid).unwrap()).unwrap(), Signal::KILL).unwrap();
    wait_until("the server is gone", || !lives(pid));
    assert!(cluster.revive().unwrap());
    assert!(!cluster.revive().unwrap());
    assert_eq!(query(&cluster, &cluster.url(), "select 1"), "1", "the same URL leads to it");
}

#[test]
fn a_pid_that_belongs_to_another_process_is_not_adopted() {
    let folder = TempDir::new().unwrap();
    ManagedCluster::acquire(options(&folder)).unwrap().release().unwrap();
    let pgdata = folder.path().join("postgres");
    let text = format!("{}\n{}\n1\n5432\n/nowhere\n\n1 1\nready\n", std::process::id(), pgdata.display());
    fs::write(pgdata.join("postmaster.pid"), text).unwrap();
    let cluster = ManagedCluster::acquire(options(&folder)).unwrap();
    assert_ne!(cluster.postmaster_pid(), std::process::id());
    assert_eq!(query(&cluster, &cluster.url(), "select 1"), "1");
    cluster.release().unwrap();
}

#[test]
fn a_lost_socket_is_healed_when_nobody_else_needs_the_server() {
    let folder = TempDir::new().unwrap();
    let first = ManagedCluster::acquire(options(&folder)).unwrap();
    fs::remove_file(first.socket_dir().join(".s.PGSQL.5432")).unwrap();
    let error = ManagedCluster::acquire(options(&folder)).unwrap_err();
    assert!(matches!(error, ClusterError::SocketGone { .. }), "{error}");
    first.release().unwrap();

    run_helper("helper_acquires_and_dies", folder.path());
    let adopted = ManagedCluster::acquire(options(&folder)).unwrap();
    assert_eq!(query(&adopted, &adopted.url(), "select 1"), "1");
}

#[test]
fn what_prevents_a_start_is_said() {
    let folder = TempDir::new().unwrap();
    ManagedCluster::acquire(options(&folder)).unwrap().release().unwrap();
    let pgdata = folder.path().join("postgres");
    let conf = pgdata.join("postgresql.conf");
    let text = fs::read_to_string(&conf).unwrap();
    fs::write(&conf, format!("{text}\nno_such_setting = 1\n")).unwrap();
    let error = ManagedCluster::acquire(options(&folder)).unwrap_err().to_string();
    assert!(error.contains("no_such_setting"), "the log's end is in the error: {error}");

    fs::write(pgdata.join("PG_VERSION"), "9\n").unwrap();
    let error = ManagedCluster::acquire(options(&folder)).unwrap_err().to_string();
    assert!(error.contains("made by PostgreSQL 9") && error.contains("postgresql-9"), "{error}");
}

#[test]
#[ignore = "a process that other tests start"]
fn helper_fails_to_acquire() {
    let data_dir = std::env::var_os("PODIUM_TEST_DATA_DIR").unwrap();
    println!("\nanswer={}", ManagedCluster::acquire(ClusterOptions::new(data_dir)).unwrap_err());
}

#[test]
fn missing_programs_are_named_with_the_ways_out() {
    let folder = TempDir::new().unwrap();
    let error = run_helper_with("helper_fails_to_acquire", folder.path(), &[("PODIUM_PG_BIN", "/no/such/folder")]);
    for part in ["/no/such/folder", "apt-get install postgresql", "DATABASE_URL"] {
        assert!(error.contains(part), "{error}");
    }
}

#[test]
fn a_closed_parent_is_named() {
    let folder = TempDir::new().unwrap();
    fs::set_permissions(folder.path(), Permissions::from_mode(0o700)).unwrap();
    let acquired = ManagedCluster::acquire(ClusterOptions::new(folder.path().join("data")).without_durability());
    if geteuid().is_root() {
        let error = acquired.unwrap_err();
        assert!(
            matches!(&error, ClusterError::FolderClosed { folder: closed, .. } if closed == folder.path()),
            "{error}"
        );
        assert!(error.to_string().contains("chmod o+x"));
    } else {
        acquired.unwrap();
    }
}

#[test]
fn a_thrown_away_cluster_leaves_nothing() {
    let cluster = ThrowAwayCluster::start().unwrap();
    let pid = cluster.cluster().postmaster_pid();
    let folders = [cluster.cluster().data_dir().to_owned(), cluster.cluster().socket_dir().to_owned()];
    drop(cluster);
    assert!(!lives(pid));
    assert!(folders.iter().all(|folder| !folder.exists()));

    let answer = run_helper("helper_throws_away_and_dies", Path::new("/unused"));
    let (pid, data_dir) = answer.split_once(' ').unwrap();
    wait_until("the server of the dead process is stopped", || !lives(pid.parse().unwrap()));
    wait_until("its folder is removed", || !Path::new(data_dir).exists());
}
