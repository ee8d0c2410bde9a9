//! What the rounds share: a copy of the programs, a database, a service over it, and processes that are started anew when
//! they die.

use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use podium_cluster::{ClusterOptions, ManagedCluster};
use podium_launcher::{Environment, Host, LocalHost, LocalHostOptions};
use podium_service::Service;
use podium_store::Store;
use podium_tests::binaries::{agent_program, podium_program};
use rustix::process::Signal;
use tempfile::TempDir;
use tokio::process::{Child, Command};

use crate::procs;

/// How long a worker's lease lasts here: a round is not to wait for the usual one.
pub const LEASE: Duration = Duration::from_secs(4);

/// The place where the rounds take place.
pub struct Stage {
    folder: TempDir,
    /// This machine.
    pub host: Host,
    /// The use cases.
    pub service: Service,
    /// The database behind them.
    pub store: Store,
    cluster: ManagedCluster,
}

impl Stage {
    pub async fn set_up() -> Self {
        let folder = TempDir::with_prefix("podium-drill-").expect("a temporary folder");
        // The database's own user passes through it.
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).expect("ours");
        let bin = folder.path().join("bin");
        fs::create_dir_all(folder.path().join("site/pkg")).expect("writable");
        fs::create_dir(&bin).expect("writable");
        for name in ["digest", "pkg/podium.js", "pkg/podium_bg.wasm", "pkg/podium.css"] {
            fs::write(folder.path().join("site").join(name), "0").expect("writable");
        }
        // Programs of its own, so that its processes are told from others' by their file.
        for (from, name) in [(podium_program(), "podium"), (agent_program(), "podium-agent")] {
            let own = bin.join(name);
            if fs::hard_link(&from, &own).is_err() {
                fs::copy(&from, &own).expect("the programs can be copied");
            }
        }
        let data = folder.path().join("data");
        let options = ClusterOptions::new(&data);
        let cluster = tokio::task::spawn_blocking(move || ManagedCluster::acquire(options));
        let cluster = cluster.await.expect("no panic").expect("a database starts");
        let store = Store::connect(&cluster.url()).await.expect("the database takes connections");
        store.migrate().await.expect("the migrations run");
        let host = Host::Local(LocalHost::new(LocalHostOptions {
            data_dir: data.clone(),
            podium: bin.join("podium"),
            environment: Environment::of_this_process(),
            extra_env: Vec::new(),
        }));
        let service = Service::new(store.clone(), host.clone(), &data).expect("this machine has an id");
        Stage { folder, host, service, store, cluster }
    }

    pub fn bin(&self) -> PathBuf {
        self.folder.path().join("bin")
    }

    pub fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// A folder for a round's own things.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    fn log(&self) -> PathBuf {
        self.folder.path().join("worker.log")
    }

    /// Starts with an empty log.
    pub fn forget_log(&self) {
        let _ = fs::remove_file(self.log());
    }

    /// Puts the log of the round's workers where it stays.
    pub fn keep_log(&self, number: u32) -> PathBuf {
        let kept = std::env::temp_dir().join(format!("podium-drill-{}-{number}.log", std::process::id()));
        // Without it there is nothing to keep.
        let _ = fs::copy(self.log(), &kept);
        kept
    }

    /// The database's process.
    pub fn postmaster(&self) -> Option<i32> {
        let text = fs::read_to_string(self.data().join("postgres/postmaster.pid")).ok()?;
        text.lines().next()?.trim().parse().ok()
    }

    /// The database's URL.
    pub fn database_url(&self) -> String {
        self.cluster.url()
    }

    /// A worker, alone or in a server, with its data in `data`.
    pub fn start(&self, worker: &WorkerKind, data: &Path) -> Child {
        let log = File::options().create(true).append(true).open(self.log()).expect("the log can be written");
        let mut command = Command::new(self.bin().join("podium"));
        match worker {
            WorkerKind::Worker => command.arg("worker"),
            WorkerKind::Server => {
                command.args(["serve", "--listen", "127.0.0.1:0", "--site-dir"]).arg(self.folder.path().join("site"))
            }
        };
        command.arg("--data-dir").arg(data).args(["--lease-s", &LEASE.as_secs().to_string()]);
        if data != self.data() {
            command.arg("--database-url").arg(self.database_url());
        }
        command
            .env("PODIUM_AGENT", self.bin().join("podium-agent"))
            .env("PODIUM_LOG", "info")
            .env_remove("DATABASE_URL")
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("a file"))
            .stderr(log)
            .kill_on_drop(true);
        command.spawn().expect("a worker starts")
    }

    /// A worker whose clock can be moved by writing an offset into a file; `None` where that cannot be had.
    pub fn start_with_clock(&self, clock: &Path) -> Option<Child> {
        const LIBRARY: &str = "/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1";
        if !Path::new(LIBRARY).is_file() {
            return None;
        }
        let log = File::options().create(true).append(true).open(self.log()).expect("the log can be written");
        let mut command = Command::new(self.bin().join("podium"));
        command.arg("worker").arg("--data-dir").arg(self.data()).args(["--lease-s", &LEASE.as_secs().to_string()]);
        command
            .env("PODIUM_AGENT", self.bin().join("podium-agent"))
            .env("LD_PRELOAD", LIBRARY)
            .env("FAKETIME_TIMESTAMP_FILE", clock)
            // A step of the clock leaves the time since the start alone.
            .env("FAKETIME_DONT_FAKE_MONOTONIC", "1")
            .env("FAKETIME_NO_CACHE", "1")
            .stdin(Stdio::null())
            .stdout(log.try_clone().expect("a file"))
            .stderr(log)
            .kill_on_drop(true);
        Some(command.spawn().expect("a worker starts"))
    }

    pub async fn take_down(self) {
        self.store.close().await;
        let released = tokio::task::spawn_blocking(|| self.cluster.release());
        released.await.expect("no panic").expect("the database stops");
        for (pid, command) in procs::of_folder(&self.folder.path().join("bin")) {
            println!("ending {pid}, which should have ended: {command}");
            procs::signal(pid, Signal::KILL);
        }
    }
}

/// What carries out runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WorkerKind {
    /// `podium worker`.
    Worker,
    /// `podium serve`.
    Server,
}
