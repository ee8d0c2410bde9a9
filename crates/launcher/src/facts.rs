//! What a host is and what was found on it.

use std::path::Path;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;

use crate::command::{self, CommandError, CommandSpec};
use crate::environment::Environment;
use crate::frameworks::{self, FrameworkInstall};
use crate::gpus::{self, Gpu};

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
    /// Container programs on PATH.
    pub container_runtimes: Vec<ContainerRuntime>,
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
    pub(crate) fn unreachable(problem: String) -> Self {
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
            container_runtimes: Vec::new(),
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
    let (gpus, docker, podman, (frameworks, mut problems)) = tokio::join!(
        gpus_of(environment),
        container_runtime(environment, "docker"),
        container_runtime(environment, "podman"),
        frameworks::find(environment),
    );
    let gpus = gpus.unwrap_or_else(|problem| {
        problems.push(problem);
        Vec::new()
    });
    let meminfo = read("/proc/meminfo");
    HostFacts {
        host_name: read("/proc/sys/kernel/hostname").trim().to_owned(),
        os: os_name(&read("/etc/os-release")),
        kernel: read("/proc/sys/kernel/osrelease").trim().to_owned(),
        cpu_model: cpu_model(&read("/proc/cpuinfo")),
        cpu_cores: std::thread::available_parallelism().map_or(1, |cores| cores.get() as u32),
        memory_total_bytes: memory_bytes(&meminfo, "MemTotal:"),
        memory_available_bytes: memory_bytes(&meminfo, "MemAvailable:"),
        disk: disk(data_dir),
        gpus,
        container_runtimes: [docker, podman].into_iter().flatten().collect(),
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

async fn gpus_of(environment: &Environment) -> Result<Vec<Gpu>, String> {
    if environment.find_program(gpus::QUERY[0]).is_none() {
        return Ok(Vec::new());
    }
    let mut spec = CommandSpec::new(gpus::QUERY);
    spec.deadline = PROBE_DEADLINE;
    match command::run(&spec).await {
        Ok(output) if output.exit.success() => gpus::parse(&output.stdout)
            .map_err(|line| format!("`nvidia-smi` answered what could not be read: `{line}`; run it by hand")),
        Ok(output) => {
            let said = output.stdout.lines().chain(output.stderr.lines()).next().unwrap_or("nothing").to_owned();
            Err(format!("`nvidia-smi` ended with {} and said `{said}`: check the GPU driver", output.exit))
        }
        Err(CommandError::NotFound { .. }) => Ok(Vec::new()),
        Err(error) => Err(format!("{error}: check the GPU driver")),
    }
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

    #[test]
    fn the_systems_files_are_read() {
        assert_eq!(os_name("NAME=x\nPRETTY_NAME=\"Debian GNU/Linux 12\"\n"), "Debian GNU/Linux 12");
        assert_eq!(cpu_model("processor\t: 0\nmodel name\t: Some CPU @ 2 GHz\n"), "Some CPU @ 2 GHz");
        assert_eq!(memory_bytes("MemTotal:       24 kB\n", "MemTotal:"), 24 * 1024);
    }
}
