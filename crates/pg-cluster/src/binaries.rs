//! Where PostgreSQL's server programs are.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::error::ClusterError;

/// Where Debian keeps each major version's programs: `<here>/<major>/bin`.
const DEBIAN_ROOT: &str = "/usr/lib/postgresql";

/// The environment variable that names the programs' folder and ends the search.
const OVERRIDE: &str = "PODIUM_PG_BIN";

/// A folder of server programs of one major version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Binaries {
    /// The folder; holds at least `pg_ctl`, `initdb`, `postgres` and `psql`.
    pub dir: PathBuf,
    /// The major version, for example `15`.
    pub major: String,
}

impl Binaries {
    /// The programs that fit the cluster in `pgdata`, or the first ones found when there is no cluster yet.
    ///
    /// [`OVERRIDE`] alone counts where it is set; else the folder of the `pg_ctl` on `PATH` comes first and Debian's
    /// folders follow, newest version first.
    pub(crate) fn find(pgdata: &Path) -> Result<Self, ClusterError> {
        let dirs = candidate_dirs();
        let mut found: Vec<Binaries> = dirs.iter().filter_map(|dir| Binaries::in_dir(dir)).collect();
        if found.is_empty() {
            let searched = match env::var_os(OVERRIDE) {
                Some(dir) => format!("the folder {} that {OVERRIDE} names", Path::new(&dir).display()),
                None => format!("PATH and {DEBIAN_ROOT}/*/bin"),
            };
            return Err(ClusterError::BinariesMissing { searched });
        }
        let Some(cluster) = cluster_version(pgdata)? else { return Ok(found.swap_remove(0)) };
        match found.iter().position(|binaries| binaries.major == cluster) {
            Some(index) => Ok(found.swap_remove(index)),
            None => {
                let mut majors: Vec<String> = found.into_iter().map(|binaries| binaries.major).collect();
                majors.dedup();
                Err(ClusterError::Version { pgdata: pgdata.to_owned(), cluster, found: majors.join(", ") })
            }
        }
    }

    /// The programs in `dir`, where all of them are there and tell their version.
    fn in_dir(dir: &Path) -> Option<Self> {
        if !["pg_ctl", "initdb", "postgres", "psql"].iter().all(|name| dir.join(name).is_file()) {
            return None;
        }
        let output = Command::new(dir.join("postgres")).arg("--version").output().ok()?;
        let major = major_version(&String::from_utf8_lossy(&output.stdout))?;
        Some(Binaries { dir: dir.to_owned(), major })
    }
}

/// The folder of the first programs found: for work on a server that is not ours.
///
/// # Errors
/// When this machine has none.
pub fn newest_programs() -> Result<PathBuf, ClusterError> {
    // No cluster is there, so that no version is asked for.
    Binaries::find(Path::new("")).map(|found| found.dir)
}

/// Folders that may hold the programs, best first.
fn candidate_dirs() -> Vec<PathBuf> {
    if let Some(dir) = env::var_os(OVERRIDE) {
        return vec![PathBuf::from(dir)];
    }
    let mut dirs = Vec::new();
    if let Some(path) = env::var_os("PATH") {
        // Often a link to the version's own folder, the only one that holds all programs.
        let pg_ctl = env::split_paths(&path).map(|dir| dir.join("pg_ctl")).find_map(|file| fs::canonicalize(file).ok());
        dirs.extend(pg_ctl.as_deref().and_then(Path::parent).map(Path::to_owned));
    }
    let mut versions: Vec<(u32, PathBuf)> = fs::read_dir(DEBIAN_ROOT)
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| Some((entry.file_name().to_str()?.parse().ok()?, entry.path().join("bin"))))
        .collect();
    versions.sort_by_key(|(version, _)| std::cmp::Reverse(*version));
    dirs.extend(versions.into_iter().map(|(_, dir)| dir));
    dirs
}

/// The major version in a text like `postgres (PostgreSQL) 15.20 (Debian …)`.
fn major_version(text: &str) -> Option<String> {
    let number = text.split_whitespace().find(|word| word.starts_with(|c: char| c.is_ascii_digit()))?;
    let major: String = number.chars().take_while(char::is_ascii_digit).collect();
    Some(major)
}

/// The major version that made the cluster in `pgdata`; `None` when there is no cluster.
pub(crate) fn cluster_version(pgdata: &Path) -> Result<Option<String>, ClusterError> {
    let path = pgdata.join("PG_VERSION");
    match fs::read_to_string(&path) {
        Ok(text) => Ok(Some(text.trim().to_owned())),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(ClusterError::io("read", &path)(error)),
    }
}

#[cfg(test)]
mod tests {
    use super::major_version;

    #[test]
    fn reads_the_major_version() {
        assert_eq!(major_version("postgres (PostgreSQL) 15.20 (Debian 15.20-0+deb12u1)").as_deref(), Some("15"));
        assert_eq!(major_version("postgres (PostgreSQL) 18beta1").as_deref(), Some("18"));
        assert_eq!(major_version("no number"), None);
    }
}
