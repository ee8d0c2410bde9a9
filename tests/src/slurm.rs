//! A real Slurm on the loopback address: a controller and two nodes of one machine, each with two GPUs in name.

use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use podium_launcher::{SlurmConfig, SshConfig};
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;
use tokio::process::Child;

use crate::binaries::podium_program;
use crate::wait::until;

/// What every node has.
const GPUS: &str = "gpu:h100:2";

/// A running cluster. It ends with its owner, and so does every job.
#[derive(Debug)]
pub struct Slurm {
    folder: TempDir,
    daemons: Vec<Child>,
}

impl Slurm {
    /// Starts one and waits until its nodes are idle.
    ///
    /// # Panics
    /// When it cannot be had: `apt-get install slurmctld slurmd slurm-client munge`.
    pub async fn start() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let mut slurm = Slurm { folder, daemons: Vec::new() };
        for name in ["home", "state", "spool"] {
            std::fs::create_dir(slurm.at(name)).expect("a folder");
        }
        let key: Vec<u8> = (0..64).flat_map(|_| *uuid::Uuid::new_v4().as_bytes()).collect();
        std::fs::write(slurm.at("munge.key"), key).expect("a file");
        let private = std::os::unix::fs::PermissionsExt::from_mode(0o400);
        std::fs::set_permissions(slurm.at("munge.key"), private).expect("a file of ours");
        for gpu in ["gpu0", "gpu1"] {
            slurm.write(gpu, "");
        }
        let devices = format!("NodeName=n[1-2] Name=gpu Type=h100 File={}", slurm.at("gpu[0-1]").display());
        slurm.write("gres.conf", &devices);
        let text = slurm.settings();
        slurm.write("slurm.conf", &text);

        let [key, socket, pid, seed, log] =
            ["munge.key", "munge.socket", "munged.pid", "munged.seed", "munged.log"].map(|name| slurm.text(name));
        let munged = ["--force", "--foreground", "--socket", &socket, "--key-file", &key, "--pid-file", &pid];
        slurm.daemon("munged", &[&munged[..], &["--seed-file", &seed, "--log-file", &log]].concat());
        until("munged listens", async || slurm.at("munge.socket").exists().then_some(())).await;
        let conf = slurm.text("slurm.conf");
        slurm.daemon("slurmctld", &["-D", "-f", &conf]);
        for node in ["n1", "n2"] {
            slurm.daemon("slurmd", &["-D", "-f", &conf, "-N", node]);
        }
        until("both nodes are idle", async || {
            let nodes = slurm.try_run(&["sinfo", "--noheader", "--Node", "--format=%t"])?;
            (nodes.lines().map(str::trim).eq(["idle", "idle"])).then_some(())
        })
        .await;
        slurm
    }

    fn settings(&self) -> String {
        let user = Command::new("id").arg("-un").output().expect("id starts").stdout;
        let user = String::from_utf8(user).expect("a name").trim().to_owned();
        // Held until all are known, so that no two are the same.
        let listeners = [(); 3].map(|()| TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port"));
        let [controller, first, second] = listeners.each_ref().map(|one| one.local_addr().expect("it is bound").port());
        let at = |name: &str| self.text(name);
        let nodes = [("n1", first), ("n2", second)].map(|(node, port)| {
            format!(
                "NodeName={node} NodeHostname=localhost NodeAddr=127.0.0.1 Port={port} CPUs=8 RealMemory=1000 Gres={GPUS}"
            )
        });
        let lines = [
            "ClusterName=test".to_owned(),
            "SlurmctldHost=localhost(127.0.0.1)".to_owned(),
            format!("SlurmctldPort={controller}"),
            format!("SlurmUser={user}"),
            format!("SlurmdUser={user}"),
            format!("AuthInfo=socket={}", at("munge.socket")),
            // No cgroups: a container has none to give.
            "ProctrackType=proctrack/linuxproc".to_owned(),
            "TaskPlugin=task/none".to_owned(),
            "JobAcctGatherType=jobacct_gather/none".to_owned(),
            "SelectType=select/cons_tres".to_owned(),
            "SelectTypeParameters=CR_Core".to_owned(),
            "GresTypes=gpu".to_owned(),
            "MpiDefault=none".to_owned(),
            "ReturnToService=2".to_owned(),
            // The nodes are said to have more processors than the machine has.
            "SlurmdParameters=config_overrides".to_owned(),
            "SchedulerParameters=sched_interval=1".to_owned(),
            format!("StateSaveLocation={}", at("state")),
            format!("SlurmdSpoolDir={}", at("spool/%n")),
            format!("SlurmctldPidFile={}", at("slurmctld.pid")),
            format!("SlurmdPidFile={}", at("slurmd-%n.pid")),
            format!("SlurmctldLogFile={}", at("slurmctld.log")),
            format!("SlurmdLogFile={}", at("slurmd-%n.log")),
        ];
        let partition = "PartitionName=main Nodes=n1,n2 Default=YES MaxTime=INFINITE State=UP".to_owned();
        lines.into_iter().chain(nodes).chain([partition]).collect::<Vec<_>>().join("\n")
    }

    fn daemon(&mut self, program: &str, arguments: &[&str]) {
        let log = std::fs::File::create(self.at(&format!("{program}-{}.out", self.daemons.len()))).expect("a file");
        let started = tokio::process::Command::new(program)
            .args(arguments)
            .env("SLURM_CONF", self.at("slurm.conf"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .kill_on_drop(true)
            .spawn();
        let advice = "`apt-get install slurmctld slurmd slurm-client munge`";
        self.daemons.push(started.unwrap_or_else(|error| panic!("{program} does not start ({error}): {advice}")));
    }

    fn at(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn text(&self, name: &str) -> String {
        self.at(name).display().to_string()
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.at(name), format!("{text}\n")).expect("a file");
    }

    /// The cluster as a host whose login node is this machine. A job takes all GPUs of a node.
    pub fn config(&self) -> SshConfig {
        let slurm = SlurmConfig {
            gres: GPUS.to_owned(),
            time_limit: "30".to_owned(),
            conf: Some(self.conf()),
            ..SlurmConfig::default()
        };
        SshConfig { podium: Some(podium_program()), slurm: Some(slurm), ..SshConfig::default() }
    }

    /// The cluster's `slurm.conf`.
    pub fn conf(&self) -> PathBuf {
        self.at("slurm.conf")
    }

    /// A home folder for those who use the cluster from this machine.
    pub fn home(&self) -> PathBuf {
        self.at("home")
    }

    /// What one of Slurm's commands printed.
    ///
    /// # Panics
    /// When it refused.
    pub fn run(&self, words: &[&str]) -> String {
        self.try_run(words).unwrap_or_else(|| panic!("{words:?} refused"))
    }

    /// What a command of Slurm's says; `None` where it refuses.
    pub fn try_run(&self, words: &[&str]) -> Option<String> {
        let output =
            Command::new(words[0]).args(&words[1..]).env("SLURM_CONF", self.conf()).output().expect("it starts");
        output.status.success().then(|| String::from_utf8(output.stdout).expect("text"))
    }

    /// The jobs in the queue: number, state and name.
    pub fn jobs(&self) -> Vec<(u32, String, String)> {
        let queue = self.run(&["squeue", "--noheader", "--format=%A|%T|%j"]);
        let jobs = queue.lines().map(|line| {
            let fields: Vec<&str> = line.trim().split('|').collect();
            (fields[0].parse().expect("a number"), fields[1].to_owned(), fields[2].to_owned())
        });
        jobs.collect()
    }

    /// The number of the only job in the queue.
    pub fn only_job(&self) -> u32 {
        let jobs = self.jobs();
        let [(job, ..)] = jobs[..] else { panic!("not one job: {jobs:?}") };
        job
    }

    /// Takes both nodes away from everybody else, by jobs that only hold them; their numbers.
    pub fn occupy(&self) -> Vec<String> {
        let words = ["sbatch", "--parsable", "--job-name=other", "--output=/dev/null", "--nodes=1"];
        let gres = format!("--gres={GPUS}");
        let words = [&words[..], &[&gres, "--wrap=exec sleep infinity"]].concat();
        [(); 2].map(|()| self.run(&words).trim().to_owned()).to_vec()
    }

    /// What works in the home folder, which every step does: ids of processes.
    pub fn at_work(&self) -> Vec<i32> {
        let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
        let ids = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
        let in_home = |pid: &i32| at_home(Path::new(&format!("/proc/{pid}/cwd")), &self.home());
        ids.filter(in_home).collect()
    }
}

fn at_home(link: &Path, home: &Path) -> bool {
    std::fs::read_link(link).is_ok_and(|at| at.starts_with(home))
}

impl Drop for Slurm {
    fn drop(&mut self) {
        // Jobs outlive the daemons, whose end is no end of theirs.
        let _ = self.try_run(&["scancel", "--full", "--signal=KILL", "--state=RUNNING"]);
        let _ = self.try_run(&["scancel", "--state=PENDING"]);
        for _ in 0..100 {
            if self.try_run(&["squeue", "--noheader"]).is_none_or(|queue| queue.trim().is_empty()) {
                break;
            }
            std::thread::sleep(std::time::Duration::from_millis(50));
        }
        for daemon in &self.daemons {
            if let Some(pid) = daemon.id().and_then(|pid| Pid::from_raw(pid.cast_signed())) {
                // It may have ended by itself.
                let _ = kill_process(pid, Signal::KILL);
            }
        }
    }
}
