//! Which machine this is, for several that share a database.

use std::io;
use std::path::Path;

use sha2::{Digest as _, Sha256};
use uuid::Uuid;

/// Overrides what the machine says of itself: for machines that were copied from one image with its id.
const VARIABLE: &str = "PODIUM_MACHINE_ID";

/// The system's own id, the same for every user and every restart.
const SYSTEM_ID: &str = "/etc/machine-id";

/// What tells this machine from others: `PODIUM_MACHINE_ID`, else a hash of the system's id (which is not to be shown
/// around), else an id that is made once and kept in `data_dir`.
///
/// # Errors
/// The system has no id, and the folder can be neither read nor written.
pub fn machine_id(data_dir: &Path) -> io::Result<String> {
    if let Some(named) = std::env::var(VARIABLE).ok().filter(|id| !id.trim().is_empty()) {
        return Ok(named.trim().to_owned());
    }
    match std::fs::read_to_string(SYSTEM_ID) {
        Ok(id) if !id.trim().is_empty() => Ok(hashed(id.trim())),
        _ => kept(&data_dir.join("machine-id")),
    }
}

fn hashed(id: &str) -> String {
    let hash = hex::encode(Sha256::new().chain_update("podium machine ").chain_update(id).finalize());
    hash[..32].to_owned()
}

fn kept(path: &Path) -> io::Result<String> {
    match std::fs::read_to_string(path) {
        Ok(id) if !id.trim().is_empty() => return Ok(id.trim().to_owned()),
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let id = Uuid::new_v4().simple().to_string();
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder)?;
    }
    std::fs::write(path, format!("{id}\n"))?;
    Ok(id)
}

/// The machine's name.
pub fn host_name() -> String {
    std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default().trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_made_once_and_the_systems_is_not_shown() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("data/machine-id");
        let first = kept(&path).unwrap();
        assert_eq!(first.len(), 32);
        assert_eq!(kept(&path).unwrap(), first);
        let system = "0123456789abcdef0123456789abcdef";
        assert_eq!(hashed(system), hashed(system));
        assert!(!hashed(system).contains(&system[..8]));
    }
}
