//! Where tests find material that does not belong to the repository.

use std::path::PathBuf;

/// A folder of the shared material, where this machine has it: `PODIUM_SHARED_DIR`, else `shared` beside the workspace.
pub(crate) fn shared_dir(path: &str) -> Option<PathBuf> {
    let base = match std::env::var_os("PODIUM_SHARED_DIR") {
        Some(dir) => PathBuf::from(dir),
        None => PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared"),
    };
    let dir = base.join(path);
    dir.exists().then_some(dir)
}
