//! What can go wrong with the private cluster, in sentences for the person at the terminal.

use std::io;
use std::path::{Path, PathBuf};

/// Why the private cluster cannot be used. Each text says what to do.
#[derive(Debug, thiserror::Error)]
pub enum ClusterError {
    /// No PostgreSQL server programs were found.
    #[error(
        "PostgreSQL's server programs (pg_ctl, initdb, postgres, psql) were not found in {searched}. Install them \
         (`apt-get install postgresql`), name their folder in PODIUM_PG_BIN, or set DATABASE_URL to a server that runs"
    )]
    BinariesMissing {
        /// Where they were looked for.
        searched: String,
    },
    /// The cluster belongs to another major version than every PostgreSQL that was found.
    #[error(
        "the cluster in {} was made by PostgreSQL {cluster}, but only PostgreSQL {found} was found. Install version \
         {cluster} (`apt-get install postgresql-{cluster}`), name its folder in PODIUM_PG_BIN, or choose another \
         --data-dir", pgdata.display()
    )]
    Version {
        /// The cluster's folder.
        pgdata: PathBuf,
        /// Its major version.
        cluster: String,
        /// The major versions at hand.
        found: String,
    },
    /// Root may not run PostgreSQL, and there is no ordinary user to run it.
    #[error(
        "PostgreSQL refuses to run as root, and there is no user `postgres` to run it. Install the Debian package \
         (`apt-get install postgresql`), make the user (`useradd --system postgres`), run Podium as an ordinary user, \
         or set DATABASE_URL to a server that runs"
    )]
    NoOrdinaryUser,
    /// A parent of the data folder keeps the database's user out.
    #[error(
        "the folder {} does not let the user `{user}` through, who runs PostgreSQL when Podium is started by root. \
         Choose another --data-dir (for example /var/lib/podium), or allow it with `chmod o+x {}`",
        folder.display(), folder.display()
    )]
    FolderClosed {
        /// The parent folder.
        folder: PathBuf,
        /// The database's user.
        user: String,
    },
    /// PostgreSQL's start tool would misread this path.
    #[error(
        "the data folder {} holds a character that PostgreSQL's pg_ctl cannot take (one of \" $ ` \\ or a line break). \
         Choose another --data-dir", path.display()
    )]
    UnusablePath {
        /// The data folder.
        path: PathBuf,
    },
    /// The folder for the socket belongs to somebody else.
    #[error(
        "the folder {} should hold the database's socket, but it is not a folder owned by user {uid}. Remove it, or \
         choose another --data-dir", path.display()
    )]
    RunFolder {
        /// The run folder.
        path: PathBuf,
        /// Whose it should be.
        uid: u32,
    },
    /// A running server cannot be reached, and other processes use it, so that it cannot be restarted.
    #[error(
        "PostgreSQL runs on {} (process {pid}), but its socket in {} is gone. Stop the other podium processes that use \
         this data folder and try again", pgdata.display(), socket_dir.display()
    )]
    SocketGone {
        /// The cluster's folder.
        pgdata: PathBuf,
        /// Where the socket was.
        socket_dir: PathBuf,
        /// The postmaster.
        pid: u32,
    },
    /// The server did not start.
    #[error("PostgreSQL did not start: {reason}. The end of its log {} is:\n{tail}", log.display())]
    StartFailed {
        /// What `pg_ctl` said.
        reason: String,
        /// The log file.
        log: PathBuf,
        /// Its last lines.
        tail: String,
    },
    /// One of PostgreSQL's programs failed.
    #[error("could not {action}: {tool} said: {output}")]
    Tool {
        /// What was to be done, for example `create the database cluster`.
        action: &'static str,
        /// The program.
        tool: String,
        /// What it printed.
        output: String,
    },
    /// The file system or a program could not be used.
    #[error("could not {action} {}", path.display())]
    Io {
        /// What was to be done, for example `create the folder`.
        action: &'static str,
        /// With what.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
}

impl ClusterError {
    /// For `map_err` on file operations.
    pub(crate) fn io(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| ClusterError::Io { action, path, source }
    }
}
