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
}

/// The command whose output [`parse`] reads.
pub(crate) const QUERY: [&str; 3] = [
    "nvidia-smi",
    "--query-gpu=index,name,uuid,memory.total,memory.used,driver_version,compute_cap",
    "--format=csv,noheader,nounits",
];

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
        assert_eq!(parse("Failed to initialize NVML"), Err("Failed to initialize NVML".to_owned()));
    }
}
