//! The committed query cache `.sqlx/`: what the compiler knows about the database when none is there.
//!
//! A throw-away PostgreSQL gets the migrations, and the store's queries are compiled against it. What that writes
//! must equal what is committed.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{MetadataExt as _, chown};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail};
use tempfile::TempDir;

use crate::apt;
use crate::paths::Paths;
use crate::process::{cargo, succeed};
use crate::steps::Steps;

/// What to do when the cache is stale.
pub const ADVICE: &str = "run `cargo xtask sqlx-prepare` and commit .sqlx/; where a query does not compile, mend the \
     query or add a migration";

/// The package whose queries are checked: the only one with SQL.
const PACKAGE: &str = "podium-store";

/// `cargo xtask sqlx-prepare`.
///
/// # Errors
/// Never by itself: what fails is printed as a step.
pub fn run_prepare(paths: &Paths) -> Result<bool> {
    let mut steps = Steps::new(1);
    steps.run("queries against the migrations", ADVICE, || {
        let queries = describe_queries(paths)?;
        let folder = paths.root.join(".sqlx");
        fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
        for name in read_folder(&folder)?.keys().filter(|name| !queries.contains_key(*name)) {
            fs::remove_file(folder.join(name))?;
        }
        for (name, text) in &queries {
            fs::write(folder.join(name), text)?;
        }
        Ok(format!("{} queries written to .sqlx/", queries.len()))
    });
    Ok(steps.finish())
}

/// Compares the committed cache with the queries as they are.
///
/// # Errors
/// With every file that is missing, left over or different.
pub fn check(paths: &Paths) -> Result<String> {
    let described = describe_queries(paths)?;
    let committed = read_folder(&paths.root.join(".sqlx"))?;
    let missing = described.keys().filter(|name| !committed.contains_key(*name)).map(|name| format!("missing: {name}"));
    let left_over = committed.keys().filter(|name| !described.contains_key(*name)).map(|name| format!("stale: {name}"));
    let different = described
        .iter()
        .filter(|(name, text)| committed.get(*name).is_some_and(|other| other != *text))
        .map(|(name, _)| format!("different: {name}"));
    let problems: Vec<String> = missing.chain(left_over).chain(different).collect();
    if !problems.is_empty() {
        bail!(".sqlx/ does not match the queries in {PACKAGE}\n{}", problems.join("\n"));
    }
    Ok(format!("{} queries", described.len()))
}

/// Compiles the store against a fresh database. File name → content.
fn describe_queries(paths: &Paths) -> Result<BTreeMap<String, String>> {
    let cluster = Cluster::start()?;
    for migration in migrations(&paths.root.join("migrations"))? {
        cluster.apply(&migration)?;
    }
    let output = tempfile::tempdir()?;
    // An argument that was never used before makes cargo run the compiler, and with it the queries' macros, again;
    // it belongs to this one unit, so nothing else is built anew.
    let run = format!("podium_query_check=\"{}\"", output.path().display());
    succeed(
        cargo(paths)
            .env("SQLX_OFFLINE", "false")
            .env("SQLX_OFFLINE_DIR", output.path())
            .env("DATABASE_URL", cluster.url())
            .args(["rustc", "--package", PACKAGE, "--lib", "--profile", "check", "--", "--cfg", &run]),
    )?;
    read_folder(output.path())
}

/// The migrations in the order in which they are applied.
fn migrations(folder: &Path) -> Result<Vec<PathBuf>> {
    let entries = fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))?;
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.map(|entry| entry.path())).collect::<Result<_, _>>()?;
    files.retain(|file| file.extension().is_some_and(|extension| extension == "sql"));
    files.sort();
    if files.is_empty() {
        bail!("{} holds no migrations", folder.display());
    }
    Ok(files)
}

fn read_folder(folder: &Path) -> Result<BTreeMap<String, String>> {
    let mut files = BTreeMap::new();
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(files),
        Err(error) => return Err(error).with_context(|| format!("cannot read {}", folder.display())),
    };
    for entry in entries {
        let path = entry?.path();
        let is_query = path.extension().is_some_and(|extension| extension == "json");
        if let (true, Some(name)) = (is_query, path.file_name()) {
            files.insert(name.to_string_lossy().into_owned(), fs::read_to_string(&path)?);
        }
    }
    Ok(files)
}

/// A PostgreSQL that lives as long as this value: one Unix socket, no TCP, nothing synced to disk.
struct Cluster {
    folder: TempDir,
    programs: PathBuf,
    as_postgres: bool,
}

impl Cluster {
    fn start() -> Result<Self> {
        let programs = match newest_programs() {
            Some(programs) => programs,
            None => {
                apt::ensure(&["postgresql", "postgresql-client"])?;
                newest_programs().context("PostgreSQL was installed, but /usr/lib/postgresql holds no initdb")?
            }
        };
        // Socket paths are limited to about a hundred bytes, so the folder lies in /tmp, whatever TMPDIR says.
        let folder = tempfile::Builder::new().prefix("podium-pg-").tempdir_in("/tmp")?;
        // The server refuses to run as root.
        let as_postgres = fs::metadata(folder.path())?.uid() == 0;
        if as_postgres {
            let id = |flag: &str| -> Result<u32> {
                Ok(succeed(Command::new("id").args([flag, "postgres"]))?.stdout.trim().parse()?)
            };
            chown(folder.path(), Some(id("-u")?), Some(id("-g")?))?;
        }
        let cluster = Self { folder, programs, as_postgres };
        let arguments = ["--username=podium", "--auth=trust", "--encoding=UTF8", "--locale=C.UTF-8", "--no-sync"];
        succeed(cluster.program("initdb").args(arguments).arg("--pgdata").arg(cluster.data()))?;
        let socket_only = format!("-c listen_addresses='' -c fsync=off -k {}", cluster.folder.path().display());
        let log = cluster.folder.path().join("log");
        // Without a log file the server would keep this process's pipe open, and reading it would never end.
        succeed(cluster.control("start").arg("-o").arg(socket_only).arg("-l").arg(log))?;
        Ok(cluster)
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    fn program(&self, name: &str) -> Command {
        let program = self.programs.join(name);
        let mut command = if self.as_postgres {
            let mut command = Command::new("runuser");
            command.args(["-u", "postgres", "--"]).arg(program);
            command
        } else {
            Command::new(program)
        };
        command.current_dir(self.folder.path());
        command
    }

    fn control(&self, action: &str) -> Command {
        let mut command = self.program("pg_ctl");
        command.arg(action).args(["--wait", "--silent", "--pgdata"]).arg(self.data());
        command
    }

    fn apply(&self, migration: &Path) -> Result<()> {
        // psql runs as the caller, who may read the clone; the user postgres may not.
        succeed(
            Command::new(self.programs.join("psql"))
                .args(["--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1", "--single-transaction"])
                .args(["--username=podium", "--dbname=postgres", "--host"])
                .arg(self.folder.path())
                .arg("--file")
                .arg(migration),
        )
        .with_context(|| format!("the migration {} fails", migration.display()))?;
        Ok(())
    }

    fn url(&self) -> String {
        format!("postgres://podium@localhost/postgres?host={}", self.folder.path().display())
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        if let Err(error) = succeed(self.control("stop").args(["--mode", "immediate"])) {
            eprintln!("xtask: the throw-away database in {} did not stop: {error:#}", self.folder.path().display());
        }
    }
}

/// The newest installed server's programs.
fn newest_programs() -> Option<PathBuf> {
    let versions = fs::read_dir("/usr/lib/postgresql").ok()?;
    versions
        .flatten()
        .filter_map(|version| {
            let number: u32 = version.file_name().to_str()?.parse().ok()?;
            let programs = version.path().join("bin");
            programs.join("initdb").is_file().then_some((number, programs))
        })
        .max()
        .map(|(_, programs)| programs)
}
