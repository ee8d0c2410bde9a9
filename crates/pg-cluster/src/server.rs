//! PostgreSQL's programs: create a cluster, start and stop its server, create the database.

use std::env;
use std::fs::{self, DirBuilder};
use std::os::unix::fs::DirBuilderExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use crate::account::Account;
use crate::binaries::{Binaries, cluster_version};
use crate::error::ClusterError;
use crate::layout::{Layout, give_to};
use crate::postmaster::{self, PidFile, Postmaster};

/// The role and the database that Podium works with.
pub(crate) const DATABASE: &str = "podium";

/// The role that owns the cluster.
pub(crate) const SUPERUSER: &str = "postgres";

/// Lines of the log that go into an error.
const TAIL_LINES: usize = 20;

/// The programs, the account that runs them and the places they work on.
#[derive(Debug)]
pub(crate) struct Server {
    pub binaries: Binaries,
    pub account: Account,
    pub layout: Layout,
    /// Whether what was committed survives a power cut.
    pub durable: bool,
    /// How long a start, a stop or a state change may take.
    pub patience: Duration,
}

impl Server {
    /// Creates the cluster where there is none.
    ///
    /// It is made beside its place and moved there when it is whole, so that an interrupted creation leaves no folder
    /// that looks like a cluster.
    pub(crate) fn create_if_missing(&self) -> Result<(), ClusterError> {
        let pgdata = &self.layout.pgdata;
        if cluster_version(pgdata)?.is_some() {
            return Ok(());
        }
        tracing::info!(folder = %pgdata.display(), "creating the database cluster");
        let unfinished = self.layout.data_dir.join("postgres.new");
        if unfinished.exists() {
            fs::remove_dir_all(&unfinished).map_err(ClusterError::io("remove the folder", &unfinished))?;
        }
        DirBuilder::new()
            .mode(0o700)
            .create(&unfinished)
            .map_err(ClusterError::io("create the folder", &unfinished))?;
        give_to(&unfinished, &self.account)?;
        let mut initdb = self.command("initdb");
        initdb
            .arg("--pgdata")
            .arg(&unfinished)
            .args(["--username", SUPERUSER, "--encoding", "UTF8", "--locale", "C.UTF-8"])
            // The socket's folder is what keeps others out; TCP is closed.
            .args(["--auth-local", "trust", "--auth-host", "reject", "--no-instructions"]);
        initdb.arg(if self.durable { "--data-checksums" } else { "--no-sync" });
        run(initdb, "create the database cluster")?;
        let conf = unfinished.join("postgresql.conf");
        let text = fs::read_to_string(&conf).map_err(ClusterError::io("read", &conf))?;
        fs::write(&conf, format!("{text}\n# Written by Podium at every start.\ninclude = 'podium.conf'\n"))
            .map_err(ClusterError::io("write", &conf))?;
        fs::rename(&unfinished, pgdata).map_err(ClusterError::io("put in place", pgdata))
    }

    /// Starts the server. [`Server::settle`] tells whether it takes connections.
    pub(crate) fn start(&self) -> Result<(), ClusterError> {
        let Layout { pgdata, log, .. } = &self.layout;
        self.layout.prepare_run_dir(&self.account)?;
        self.layout.prepare_log(&self.account)?;
        let conf = pgdata.join("podium.conf");
        fs::write(&conf, self.settings()).map_err(ClusterError::io("write", &conf))?;
        give_to(&conf, &self.account)?;
        tracing::info!(folder = %pgdata.display(), "starting PostgreSQL");
        let deadline = Instant::now() + self.patience;
        loop {
            let mut pg_ctl = self.command("pg_ctl");
            pg_ctl.args(["start", "--silent", "--wait", "--timeout", &self.patience.as_secs().to_string()]);
            pg_ctl.arg("--pgdata").arg(pgdata).arg("--log").arg(log);
            let Err(error) = run(pg_ctl, "start PostgreSQL") else { return Ok(()) };
            // After a SIGKILL of the postmaster its children need a moment to notice and to let go of the shared memory.
            if tail(log).contains("is still in use") && Instant::now() < deadline {
                thread::sleep(Duration::from_millis(100));
                continue;
            }
            // One whose starter was killed may have come up in between; the caller waits for it.
            if matches!(postmaster::inspect(pgdata)?, PidFile::Live(_)) {
                return Ok(());
            }
            // Empty unless something else lives there, and then it stays.
            let _ = fs::remove_dir(&self.layout.run_dir);
            return Err(match error {
                ClusterError::Tool { output, .. } => self.start_failure(output.trim_end_matches('.')),
                other => other,
            });
        }
    }

    /// Ends every session and stops the server.
    pub(crate) fn stop(&self) -> Result<(), ClusterError> {
        let pgdata = &self.layout.pgdata;
        let PidFile::Live(postmaster) = postmaster::inspect(pgdata)? else { return Ok(()) };
        tracing::info!(folder = %pgdata.display(), pid = postmaster.pid, "stopping PostgreSQL");
        let mut pg_ctl = self.command("pg_ctl");
        pg_ctl.args(["stop", "--silent", "--wait", "--mode", "fast"]);
        pg_ctl.args(["--timeout", &self.patience.as_secs().to_string()]).arg("--pgdata").arg(pgdata);
        run(pg_ctl, "stop PostgreSQL")?;
        if let Some(dir) = postmaster.socket_dir {
            // Only ever an empty folder; made again at the next start.
            let _ = fs::remove_dir(dir);
        }
        Ok(())
    }

    /// The error of a start, with the end of the log.
    pub(crate) fn start_failure(&self, reason: &str) -> ClusterError {
        let log = self.layout.log.clone();
        ClusterError::StartFailed { reason: reason.to_owned(), tail: tail(&log), log }
    }

    /// Waits until a server that starts takes connections, or one that stops is gone (`None`).
    pub(crate) fn settle(&self) -> Result<Option<Postmaster>, ClusterError> {
        let deadline = Instant::now() + self.patience;
        loop {
            let postmaster = match postmaster::inspect(&self.layout.pgdata)? {
                PidFile::Live(postmaster) => postmaster,
                PidFile::Absent | PidFile::Dead => return Ok(None),
                PidFile::Reused => {
                    // Verified not to be a server, and nobody else starts one while we hold the start lock.
                    let path = postmaster::pid_path(&self.layout.pgdata);
                    fs::remove_file(&path).map_err(ClusterError::io("remove", &path))?;
                    return Ok(None);
                }
            };
            if postmaster.ready {
                return Ok(Some(postmaster));
            }
            if Instant::now() >= deadline {
                let change = if postmaster.stopping { "stop" } else { "become ready" };
                let (pid, wait_s) = (postmaster.pid, self.patience.as_secs());
                return Err(self.start_failure(&format!("its process {pid} did not {change} within {wait_s} s")));
            }
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// Creates Podium's role and database where they are missing.
    pub(crate) fn create_database_if_missing(&self, socket_dir: &Path) -> Result<(), ClusterError> {
        let psql = |sql: &str| {
            let mut psql = self.command("psql");
            psql.args([
                "-X",
                "-q",
                "-A",
                "-t",
                "-v",
                "ON_ERROR_STOP=1",
                "-U",
                SUPERUSER,
                "-d",
                "postgres",
                "-p",
                "5432",
            ]);
            psql.arg("-h").arg(socket_dir).arg("-c").arg(sql);
            run(psql, "create the database")
        };
        let found = psql(&format!(
            "select (select count(*) from pg_roles where rolname = '{DATABASE}'), \
             (select count(*) from pg_database where datname = '{DATABASE}')"
        ))?;
        let (role, database) = found.trim().split_once('|').unwrap_or(("0", "0"));
        if role == "0" {
            psql(&format!("create role {DATABASE} login"))?;
        }
        if database == "0" {
            psql(&format!("create database {DATABASE} owner {DATABASE}"))?;
        }
        Ok(())
    }

    /// The server's settings, for a machine that has better things to do than to serve a database.
    fn settings(&self) -> String {
        let socket_dir = self.layout.run_dir.display().to_string().replace('\'', "''");
        let durability = if self.durable { "on" } else { "off" };
        format!(
            "# Written by Podium at every start; changes are lost.\n\
             listen_addresses = ''\n\
             port = 5432\n\
             unix_socket_directories = '\"{socket_dir}\"'\n\
             unix_socket_permissions = 0700\n\
             cluster_name = 'podium'\n\
             shared_buffers = 128MB\n\
             max_connections = 60\n\
             fsync = {durability}\n\
             full_page_writes = {durability}\n\
             synchronous_commit = {durability}\n\
             logging_collector = off\n\
             log_destination = 'stderr'\n\
             log_timezone = 'UTC'\n\
             timezone = 'UTC'\n"
        )
    }

    /// One of the programs, run by the database's account.
    ///
    /// Nothing of our environment reaches it but the search paths: neither the user's PostgreSQL settings, which would
    /// redirect it, nor the tokens, which the account has no business to see.
    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(self.binaries.dir.join(program));
        command.env_clear();
        for name in ["PATH", "LD_LIBRARY_PATH"] {
            if let Some(value) = env::var_os(name) {
                command.env(name, value);
            }
        }
        // Messages in English, so that they can be told apart; and a folder that the account may be in.
        command.env("LC_ALL", "C").current_dir("/");
        if let Some(user) = &self.account.drop_to {
            // The standard library drops the supplementary groups together with the user.
            command.uid(user.uid).gid(user.gid);
        }
        command
    }
}

/// Runs `command` to its end; its standard output, or an error with what it printed.
fn run(mut command: Command, action: &'static str) -> Result<String, ClusterError> {
    let program = Path::new(command.get_program()).to_owned();
    let output = command.output().map_err(ClusterError::io("run", &program))?;
    let stdout = String::from_utf8_lossy(&output.stdout).into_owned();
    if output.status.success() {
        return Ok(stdout);
    }
    let stderr = String::from_utf8_lossy(&output.stderr);
    let printed = format!("{}\n{}", stderr.trim(), stdout.trim());
    let printed = printed.trim();
    let output = if printed.is_empty() { format!("nothing ({})", output.status) } else { printed.to_owned() };
    let tool = program.file_name().unwrap_or_default().to_string_lossy().into_owned();
    Err(ClusterError::Tool { action, tool, output })
}

/// The last lines of the log at `path`.
fn tail(path: &Path) -> String {
    let Ok(bytes) = fs::read(path) else { return "(the log cannot be read)".to_owned() };
    let text = String::from_utf8_lossy(&bytes);
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(TAIL_LINES)..].join("\n")
}
