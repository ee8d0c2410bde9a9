//! Files and folders: where the cluster, its log and its socket are, and whose they are.

use std::env;
use std::fs::{self, DirBuilder, File, Permissions};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};

use rustix::process::geteuid;

use crate::account::{Account, DropTo};
use crate::error::ClusterError;

/// The cluster's folder within the data folder.
pub(crate) const PGDATA: &str = "postgres";

/// Longest socket path that the system takes (`sockaddr_un` holds 108 bytes, one of them the final zero).
const SOCKET_PATH_MAX_BYTES: usize = 107;

/// The socket's name within its folder; the number is the port that clients are told.
const SOCKET_NAME: &str = ".s.PGSQL.5432";

/// At this size the server's log is set aside before a start, bytes.
const LOG_ROTATE_BYTES: u64 = 8 << 20;

/// The data folder that is used unless the user names one: `/var/lib/podium` for root, else `podium` below
/// `XDG_DATA_HOME` (`~/.local/share`). `None` when an ordinary user has neither that variable nor a home.
pub fn default_data_dir() -> Option<PathBuf> {
    if geteuid().is_root() {
        return Some(PathBuf::from("/var/lib/podium"));
    }
    let absolute = |name| env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let base = absolute("XDG_DATA_HOME").or_else(|| Some(absolute("HOME")?.join(".local/share")))?;
    Some(base.join("podium"))
}

/// The places of one cluster.
#[derive(Debug, Clone)]
pub(crate) struct Layout {
    /// The data folder, absolute and without links, so that every process derives the same names from it.
    pub data_dir: PathBuf,
    /// The cluster itself, owned by the database's user.
    pub pgdata: PathBuf,
    /// The server's log.
    pub log: PathBuf,
    /// Where a newly started server puts its socket.
    pub run_dir: PathBuf,
}

impl Layout {
    /// Creates the data folder where it is missing, and sees to it that `account` can reach it.
    pub(crate) fn prepare(data_dir: &Path, account: &Account) -> Result<Self, ClusterError> {
        let existed = data_dir.exists();
        // Root's folder is passed through by the database's user, an ordinary user's is private.
        let mode = if account.drop_to.is_some() { 0o711 } else { 0o700 };
        let parent = data_dir.parent().unwrap_or(Path::new("/"));
        fs::create_dir_all(parent).map_err(ClusterError::io("create the folder", parent))?;
        if !existed {
            DirBuilder::new()
                .recursive(true)
                .mode(mode)
                .create(data_dir)
                .map_err(ClusterError::io("create the folder", data_dir))?;
        }
        let data_dir = fs::canonicalize(data_dir).map_err(ClusterError::io("find the folder", data_dir))?;
        if data_dir.as_os_str().as_bytes().iter().any(|byte| b"\"$`\\\n\r".contains(byte)) {
            return Err(ClusterError::UnusablePath { path: data_dir });
        }
        if let Some(user) = &account.drop_to {
            open_for(&data_dir, user)?;
        }
        let run_dir = run_dir(&data_dir, account);
        Ok(Layout { pgdata: data_dir.join(PGDATA), log: data_dir.join("postgres.log"), run_dir, data_dir })
    }

    /// Makes the server's log writable by `account`, and sets aside one that has grown large.
    pub(crate) fn prepare_log(&self, account: &Account) -> Result<(), ClusterError> {
        if fs::metadata(&self.log).is_ok_and(|file| file.len() > LOG_ROTATE_BYTES) {
            let old = self.data_dir.join("postgres.log.1");
            fs::rename(&self.log, &old).map_err(ClusterError::io("rename", &self.log))?;
        }
        File::options()
            .create(true)
            .append(true)
            .open(&self.log)
            .and_then(|file| file.set_permissions(Permissions::from_mode(0o600)))
            .map_err(ClusterError::io("create the log", &self.log))?;
        give_to(&self.log, account)
    }

    /// Creates the socket's folder, private to `account`. The caller knows that no server of this cluster runs.
    ///
    /// Its parent may be writable by everybody, so what is there already is taken only when it is a real folder of ours.
    pub(crate) fn prepare_run_dir(&self, account: &Account) -> Result<(), ClusterError> {
        let path = &self.run_dir;
        match DirBuilder::new().mode(0o700).create(path) {
            Ok(()) => {}
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(ClusterError::io("create the folder", path)(error)),
        }
        let found = fs::symlink_metadata(path).map_err(ClusterError::io("look at", path))?;
        if !found.is_dir() || (found.uid() != account.uid && found.uid() != geteuid().as_raw()) {
            return Err(ClusterError::RunFolder { path: path.clone(), uid: account.uid });
        }
        fs::set_permissions(path, Permissions::from_mode(0o700)).map_err(ClusterError::io("close the folder", path))?;
        self.remove_dead_socket();
        give_to(path, account)
    }

    /// Removes what a killed server of this cluster left at its socket. A starting server does that itself, unless the
    /// dead one's number was given to another process, or it waits as a zombie where no init process collects it.
    fn remove_dead_socket(&self) {
        let lock = self.run_dir.join(format!("{SOCKET_NAME}.lock"));
        let Ok(text) = fs::read_to_string(&lock) else { return };
        // The second line is the server's data folder. What cannot be removed is for the server to complain about.
        if text.lines().nth(1).is_some_and(|owner| Path::new(owner) == self.pgdata) {
            let _ = fs::remove_file(&lock);
            let _ = fs::remove_file(self.run_dir.join(SOCKET_NAME));
        }
    }
}

/// Whether a server's socket is in `dir`.
pub(crate) fn has_socket(dir: &Path) -> bool {
    dir.join(SOCKET_NAME).exists()
}

/// Makes `path` belong to the database's user.
pub(crate) fn give_to(path: &Path, account: &Account) -> Result<(), ClusterError> {
    match &account.drop_to {
        Some(user) => {
            chown(path, Some(user.uid), Some(user.gid)).map_err(ClusterError::io("change the owner of", path))
        }
        None => Ok(()),
    }
}

/// Lets `user` pass through the data folder, and checks that its parents do.
fn open_for(data_dir: &Path, user: &DropTo) -> Result<(), ClusterError> {
    for folder in data_dir.ancestors().skip(1) {
        let found = fs::metadata(folder).map_err(ClusterError::io("look at", folder))?;
        let shift = if found.uid() == user.uid {
            6
        } else if found.gid() == user.gid {
            3
        } else {
            0
        };
        if (found.mode() >> shift) & 0o1 == 0 {
            return Err(ClusterError::FolderClosed { folder: folder.to_owned(), user: user.name.clone() });
        }
    }
    // The data folder itself is ours to open: passing through shows nothing, listing stays closed.
    let mode = fs::metadata(data_dir).map_err(ClusterError::io("look at", data_dir))?.mode();
    if mode & 0o011 != 0o011 {
        let mode = (mode & 0o7777) | 0o011;
        fs::set_permissions(data_dir, Permissions::from_mode(mode))
            .map_err(ClusterError::io("change the mode of", data_dir))?;
    }
    Ok(())
}

/// A short folder for the socket, the same for every process of one user that works on `data_dir`.
fn run_dir(data_dir: &Path, account: &Account) -> PathBuf {
    let hash = fold_hash(data_dir.as_os_str().as_bytes());
    if account.drop_to.is_some() {
        return PathBuf::from(format!("/run/podium-{hash:08x}"));
    }
    let session = env::var_os("XDG_RUNTIME_DIR")
        .map(PathBuf::from)
        .filter(|dir| dir.is_absolute() && fs::metadata(dir).is_ok_and(|dir| dir.is_dir() && dir.uid() == account.uid));
    session
        .map(|dir| dir.join(format!("podium-{hash:08x}")))
        .filter(|dir| dir.join(SOCKET_NAME).as_os_str().len() <= SOCKET_PATH_MAX_BYTES)
        .unwrap_or_else(|| PathBuf::from(format!("/tmp/podium-{}-{hash:08x}", account.uid)))
}

/// FNV-1a folded to 32 bits: stable over releases, which the standard library's hashers do not promise.
fn fold_hash(bytes: &[u8]) -> u32 {
    let hash = bytes
        .iter()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3));
    ((hash >> 32) ^ hash) as u32
}
