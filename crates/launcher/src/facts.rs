//! What a host is and what was found on it.

use std::path::Path;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use crate::command::{self, CommandError, CommandSpec};
use crate::environment::Environment;
use crate::frameworks::{self, FrameworkInstall};
use crate::gpus::{self, Gpu};
use crate::model_cache::{self, ModelCache};
use crate::slurm::ClusterFacts;

/// Space of the file system that holds the data folder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Disk {
    /// The folder that was asked about.
    pub path: String,
    /// Its file system's size in bytes.
    pub total_bytes: u64,
    /// What an ordinary user may still write, in bytes.
    pub available_bytes: u64,
}

/// A program that runs containers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContainerRuntime {
    /// `docker` or `podman`.
    pub name: String,
    /// Where it is.
    pub path: String,
    /// Its own version line; `None` where it did not answer in time.
    pub version: Option<String>,
}

/// What was found on a host. Everything that could not be read is empty or `None`, never a guess.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct HostFacts {
    /// The machine's own name.
    pub host_name: String,
    /// The operating system, for example `Debian GNU/Linux 12 (bookworm)`.
    pub os: String,
    /// The kernel's release.
    pub kernel: String,
    /// The processor's model.
    pub cpu_model: String,
    /// Processors that this process may use.
    pub cpu_cores: u32,
    /// Memory in bytes.
    pub memory_total_bytes: u64,
    /// Memory that can be had without swapping, in bytes.
    pub memory_available_bytes: u64,
    /// The file system of the data folder.
    pub disk: Option<Disk>,
    /// NVIDIA GPUs; empty where there is no `nvidia-smi`.
    pub gpus: Vec<Gpu>,
    /// `CUDA_VISIBLE_DEVICES` as everything that is started there gets it.
    #[serde(default)]
    pub visible_devices: Option<String>,
    /// The newest CUDA version that the GPU driver takes; `None` where it was not found out.
    #[serde(default)]
    pub cuda_version: Option<String>,
    /// Where downloaded models are kept.
    #[serde(default)]
    pub model_caches: Vec<ModelCache>,
    /// Container programs on PATH.
    pub container_runtimes: Vec<ContainerRuntime>,
    /// The cluster that the machine is the login node of.
    #[serde(default)]
    pub cluster: Option<ClusterFacts>,
    /// Frameworks that can be started here.
    pub frameworks: Vec<FrameworkInstall>,
    /// What was looked for and is wrong, each a sentence that says what to do.
    pub problems: Vec<String>,
    /// When this was looked at.
    #[serde(with = "time::serde::rfc3339")]
    pub checked_at: OffsetDateTime,
}

impl HostFacts {
    /// What is known of a host that could not be looked at: why.
    pub fn unreachable(problem: String) -> Self {
        HostFacts {
            host_name: String::new(),
            os: String::new(),
            kernel: String::new(),
            cpu_model: String::new(),
            cpu_cores: 0,
            memory_total_bytes: 0,
            memory_available_bytes: 0,
            disk: None,
            gpus: Vec::new(),
            visible_devices: None,
            cuda_version: None,
            model_caches: Vec::new(),
            container_runtimes: Vec::new(),
            cluster: None,
            frameworks: Vec::new(),
            problems: vec![problem],
            checked_at: OffsetDateTime::now_utc(),
        }
    }

    /// Whether the host was looked at: it has a name then.
    pub fn is_reached(&self) -> bool {
        !self.host_name.is_empty()
    }
}

/// What one of the host's own programs may take to tell its version or list its devices.
const PROBE_DEADLINE: Duration = Duration::from_secs(8);

/// Looks at this machine.
pub(crate) async fn gather(environment: &Environment, data_dir: &Path) -> HostFacts {
    let (nvidia, docker, podman, (frameworks, mut problems)) = tokio::join!(
        nvidia(environment),
        container_runtime(environment, "docker"),
        container_runtime(environment, "podman"),
        frameworks::find(environment),
    );
    let (gpus, cuda_version) = nvidia.unwrap_or_else(|problem| {
        problems.push(problem);
        (Vec::new(), None)
    });
    let disk = disk(data_dir);
    problems.extend(disk.as_ref().and_then(full_disk));
    let meminfo = read("/proc/meminfo");
    HostFacts {
        host_name: crate::machine::host_name(),
        os: os_name(&read("/etc/os-release")),
        kernel: read("/proc/sys/kernel/osrelease").trim().to_owned(),
        cpu_model: cpu_model(&read("/proc/cpuinfo")),
        cpu_cores: std::thread::available_parallelism().map_or(1, |cores| cores.get() as u32),
        memory_total_bytes: memory_bytes(&meminfo, "MemTotal:"),
        memory_available_bytes: memory_bytes(&meminfo, "MemAvailable:"),
        disk,
        gpus,
        visible_devices: environment.get("CUDA_VISIBLE_DEVICES").map(str::to_owned),
        cuda_version,
        model_caches: model_cache::find(environment),
        container_runtimes: [docker, podman].into_iter().flatten().collect(),
        cluster: None,
        frameworks,
        problems,
        checked_at: OffsetDateTime::now_utc(),
    }
}

fn read(path: &str) -> String {
    std::fs::read_to_string(path).unwrap_or_default()
}

fn os_name(os_release: &str) -> String {
    let value = os_release.lines().find_map(|line| line.strip_prefix("PRETTY_NAME="));
    value.map_or_else(|| std::env::consts::OS.to_owned(), |value| value.trim_matches('"').to_owned())
}

fn cpu_model(cpuinfo: &str) -> String {
    let line = cpuinfo.lines().find(|line| line.starts_with("model name"));
    let model = line.and_then(|line| line.split_once(':')).map(|(_, model)| model.trim().to_owned());
    model.unwrap_or_else(|| std::env::consts::ARCH.to_owned())
}

fn memory_bytes(meminfo: &str, key: &str) -> u64 {
    let value = meminfo.lines().find_map(|line| line.strip_prefix(key));
    value.and_then(|value| value.split_ascii_whitespace().next()?.parse::<u64>().ok()).unwrap_or(0) * 1024
}

fn disk(folder: &Path) -> Option<Disk> {
    // The data folder may not have been made yet; its nearest ancestor is on the same file system.
    let existing = folder.ancestors().find(|path| path.exists())?;
    let stat = rustix::fs::statvfs(existing).ok()?;
    Some(Disk {
        path: folder.display().to_string(),
        total_bytes: stat.f_blocks * stat.f_frsize,
        available_bytes: stat.f_bavail * stat.f_frsize,
    })
}

/// Less free space than this is told as a problem: logs and downloads need room.
const LITTLE_SPACE_BYTES: u64 = 2 << 30;

fn full_disk(disk: &Disk) -> Option<String> {
    (disk.available_bytes < LITTLE_SPACE_BYTES).then(|| {
        format!(
            "only {:.1} GiB are free in {}: remove files, or give Podium a data folder on another disk",
            disk.available_bytes as f64 / f64::from(1u32 << 30),
            disk.path
        )
    })
}

/// The GPUs with their users, and the newest CUDA version that their driver takes.
async fn nvidia(environment: &Environment) -> Result<(Vec<Gpu>, Option<String>), String> {
    let Some(program) = environment.find_program(gpus::QUERY[0]) else { return Ok((Vec::new(), None)) };
    let program = program.display().to_string();
    let ask = |words: &[&str]| {
        let mut spec = CommandSpec::new(std::iter::once(program.as_str()).chain(words[1..].iter().copied()));
        spec.deadline = PROBE_DEADLINE;
        spec
    };
    let queries = [ask(&gpus::QUERY), ask(&gpus::USERS_QUERY), ask(&gpus::PLAIN)];
    let (list, users, plain) =
        tokio::join!(command::run(&queries[0]), command::run(&queries[1]), command::run(&queries[2]));
    let mut gpus = match list {
        Ok(output) if output.exit.success() => gpus::parse(&output.stdout)
            .map_err(|line| format!("`nvidia-smi` answered what could not be read: `{line}`; run it by hand"))?,
        Ok(output) => {
            let said = output.stdout.lines().chain(output.stderr.lines()).next().unwrap_or("nothing").to_owned();
            return Err(format!("`nvidia-smi` ended with {} and said `{said}`: check the GPU driver", output.exit));
        }
        Err(CommandError::NotFound { .. }) => return Ok((Vec::new(), None)),
        Err(error) => return Err(format!("{error}: check the GPU driver")),
    };
    if let Ok(users) = users {
        gpus::add_users(&mut gpus, &users.stdout);
    }
    Ok((gpus, plain.ok().and_then(|output| gpus::cuda_version(&output.stdout))))
}

async fn container_runtime(environment: &Environment, name: &str) -> Option<ContainerRuntime> {
    let path = environment.find_program(name)?.display().to_string();
    let mut spec = CommandSpec::new([path.as_str(), "--version"]);
    spec.deadline = PROBE_DEADLINE;
    let output = command::run(&spec).await.ok().filter(|output| output.exit.success());
    let version = output.and_then(|output| output.stdout.lines().next().map(|line| line.trim().to_owned()));
    Some(ContainerRuntime { name: name.to_owned(), path, version })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn this_machine_is_described() {
        let folder = tempfile::tempdir().unwrap();
        let facts = gather(&Environment::of_this_process(), &folder.path().join("not/made/yet")).await;
        assert!(!facts.os.is_empty() && !facts.kernel.is_empty() && !facts.host_name.is_empty());
        assert!(facts.cpu_cores >= 1 && facts.memory_total_bytes > facts.memory_available_bytes);
        let disk = facts.disk.clone().unwrap();
        assert!(disk.total_bytes >= disk.available_bytes && disk.total_bytes > 0);
        let text = serde_json::to_string(&facts).unwrap();
        assert_eq!(serde_json::from_str::<HostFacts>(&text).unwrap(), facts);
    }

    #[tokio::test]
    async fn gpus_are_asked_of_the_nvidia_smi_on_path() {
        let folder = tempfile::tempdir().unwrap();
        let program = folder.path().join("nvidia-smi");
        let script = "#!/bin/sh\ncase \"$1\" in\n\
            --query-gpu=*) echo '0, NVIDIA L40S, GPU-x, 46068, 40000, 550.1, 8.9' ;;\n\
            --query-compute-apps=*) echo 'GPU-x, 77, python, 39000' ;;\n\
            *) echo 'Driver Version: 550.1   CUDA Version: 12.4' ;;\nesac\n";
        std::fs::write(&program, script).unwrap();
        std::fs::set_permissions(&program, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
        let environment = Environment::from_pairs([("PATH", folder.path().to_str().unwrap())]);
        let (gpus, cuda_version) = nvidia(&environment).await.unwrap();
        assert_eq!(cuda_version.as_deref(), Some("12.4"));
        assert_eq!(gpus[0].in_use_by().as_deref(), Some("python (pid 77, 39000 MiB)"));
    }

    #[test]
    fn little_space_is_a_problem_that_says_what_to_do() {
        let disk = |available_bytes| Disk { path: "/d".into(), total_bytes: 1 << 40, available_bytes };
        assert_eq!(full_disk(&disk(1 << 40)), None);
        assert!(full_disk(&disk(1 << 30)).unwrap().starts_with("only 1.0 GiB are free in /d: "));
    }

    #[test]
    fn the_systems_files_are_read() {
        assert_eq!(os_name("NAME=x\nPRETTY_NAME=\"Debian GNU/Linux 12\"\n"), "Debian GNU/Linux 12");
        assert_eq!(cpu_model("processor\t: 0\nmodel name\t: Some CPU @ 2 GHz\n"), "Some CPU @ 2 GHz");
        assert_eq!(memory_bytes("MemTotal:       24 kB\n", "MemTotal:"), 24 * 1024);
    }
}
