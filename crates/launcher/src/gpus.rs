//! NVIDIA GPUs, as `nvidia-smi` lists them.

use serde::{Deserialize, Serialize};

/// One GPU of a host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gpu {
    /// Its number, as `CUDA_VISIBLE_DEVICES` takes it.
    pub index: u32,
    /// Its model, for example `NVIDIA H100 80GB HBM3`.
    pub model: String,
    /// Its id that never changes.
    pub uuid: String,
    /// Its memory in MiB.
    pub memory_total_mib: u64,
    /// Memory in use in MiB.
    pub memory_used_mib: u64,
    /// The driver's version.
    pub driver_version: String,
    /// For example `9.0`; `None` where this driver does not say.
    pub compute_capability: Option<String>,
    /// The processes that compute on it. A container's processes are not seen from inside another one.
    #[serde(default)]
    pub users: Vec<GpuUser>,
}

/// A process that holds memory of a GPU.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GpuUser {
    /// Its id on the host.
    pub pid: u32,
    /// Its program.
    pub program: String,
    /// The GPU memory that it holds, in MiB; `None` where the driver does not say.
    pub memory_mib: Option<u64>,
}

/// An idle GPU holds less memory than this, in MiB: drivers keep some for themselves.
const IDLE_MEMORY_MIB: u64 = 1024;

impl Gpu {
    /// Who uses it, in words; `None` for an idle one. A process that `nvidia-smi` cannot show is told from the memory.
    pub fn in_use_by(&self) -> Option<String> {
        if self.users.is_empty() {
            return (self.memory_used_mib >= IDLE_MEMORY_MIB).then(|| {
                format!("a process that nvidia-smi does not show from here ({} MiB in use)", self.memory_used_mib)
            });
        }
        let users = self.users.iter().map(|user| {
            let memory = user.memory_mib.map(|mib| format!(", {mib} MiB")).unwrap_or_default();
            format!("{} (pid {}{memory})", user.program, user.pid)
        });
        Some(users.collect::<Vec<_>>().join(", "))
    }
}

/// The command whose output [`parse`] reads.
pub(crate) const QUERY: [&str; 3] = [
    "nvidia-smi",
    "--query-gpu=index,name,uuid,memory.total,memory.used,driver_version,compute_cap",
    "--format=csv,noheader,nounits",
];

/// The command whose output [`add_users`] reads.
pub(crate) const USERS_QUERY: [&str; 3] =
    ["nvidia-smi", "--query-compute-apps=gpu_uuid,pid,process_name,used_memory", "--format=csv,noheader,nounits"];

/// The command whose head [`cuda_version`] reads.
pub(crate) const PLAIN: [&str; 1] = ["nvidia-smi"];

/// Tells each GPU its users. A line that is none is left out: older drivers write a sentence where nothing runs.
pub(crate) fn add_users(gpus: &mut [Gpu], output: &str) {
    for line in output.lines() {
        let Some((uuid, rest)) = line.split_once(',') else { continue };
        // A program's path may hold commas; the fields around it may not.
        let Some(((pid, program), memory)) = rest
            .split_once(',')
            .and_then(|(pid, rest)| Some((pid, rest.rsplit_once(',')?)))
            .map(|(p, (n, m))| ((p, n), m))
        else {
            continue;
        };
        let Ok(pid) = pid.trim().parse() else { continue };
        if let Some(gpu) = gpus.iter_mut().find(|gpu| gpu.uuid == uuid.trim()) {
            let memory_mib = memory.trim().parse().ok();
            gpu.users.push(GpuUser { pid, program: program.trim().to_owned(), memory_mib });
        }
    }
}

/// The newest CUDA version that the driver takes, from the head of the plain table.
pub(crate) fn cuda_version(output: &str) -> Option<String> {
    let (_, rest) = output.split_once("CUDA Version:")?;
    let version: String = rest.trim_start().chars().take_while(|c| c.is_ascii_digit() || *c == '.').collect();
    (!version.is_empty()).then_some(version)
}

/// The GPUs of `nvidia-smi`'s answer, or the line that could not be read.
pub(crate) fn parse(output: &str) -> Result<Vec<Gpu>, String> {
    output.lines().filter(|line| !line.trim().is_empty()).map(|line| gpu(line).ok_or_else(|| line.to_owned())).collect()
}

fn gpu(line: &str) -> Option<Gpu> {
    let fields: Vec<&str> = line.split(',').map(str::trim).collect();
    let [index, model, uuid, total, used, driver, capability] = fields[..] else { return None };
    Some(Gpu {
        index: index.parse().ok()?,
        model: model.to_owned(),
        uuid: uuid.to_owned(),
        memory_total_mib: total.parse().ok()?,
        memory_used_mib: used.parse().ok()?,
        driver_version: driver.to_owned(),
        compute_capability: capability.starts_with(|c: char| c.is_ascii_digit()).then(|| capability.to_owned()),
        users: Vec::new(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_documented_format_is_read() {
        let output = "0, NVIDIA H100 80GB HBM3, GPU-1f2e, 81559, 3, 550.54.15, 9.0\n\
                      1, NVIDIA H100 80GB HBM3, GPU-2f2e, 81559, 70112, 550.54.15, [N/A]\n";
        let gpus = parse(output).unwrap();
        assert_eq!(gpus.len(), 2);
        assert_eq!((gpus[0].index, gpus[0].memory_total_mib), (0, 81559));
        assert_eq!(gpus[0].compute_capability.as_deref(), Some("9.0"));
        assert_eq!((gpus[1].memory_used_mib, gpus[1].compute_capability.as_deref()), (70112, None));
        assert!(gpus[0].in_use_by().is_none());
        assert!(gpus[1].in_use_by().is_some_and(|who| who.contains("70112 MiB")), "its process is hidden");
        assert_eq!(parse("Failed to initialize NVML"), Err("Failed to initialize NVML".to_owned()));
    }

    #[test]
    fn users_and_the_cuda_version_are_read() {
        let mut gpus =
            parse("0, A100, GPU-a, 81559, 70500, 550.1, 8.0\n1, A100, GPU-b, 81559, 3, 550.1, 8.0\n").unwrap();
        add_users(&mut gpus, "GPU-a, 4242, /opt/a,b/python3, 70112\nGPU-a, 4243, vllm, [N/A]\nNo running processes\n");
        assert_eq!(gpus[0].in_use_by().unwrap(), "/opt/a,b/python3 (pid 4242, 70112 MiB), vllm (pid 4243)");
        assert_eq!(gpus[1].in_use_by(), None);
        let head = "| NVIDIA-SMI 550.54.15     Driver Version: 550.54.15     CUDA Version: 12.4     |\n";
        assert_eq!(cuda_version(head).as_deref(), Some("12.4"));
        assert_eq!(cuda_version("CUDA Version: N/A"), None);
    }
}
