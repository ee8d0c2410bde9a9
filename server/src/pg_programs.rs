//! PostgreSQL's programs that come with a server: `pg_dump`, `pg_restore`, `psql`.

use std::path::PathBuf;
use std::process::Stdio;

use anyhow::{Context as _, bail};
use tokio::process::Command;

use crate::database::Database;

/// The folder of the programs that fit a database.
#[derive(Debug)]
pub(crate) struct PgPrograms {
    dir: PathBuf,
}

impl PgPrograms {
    /// Those of the private cluster, or for an outer server the newest ones of this machine.
    pub(crate) fn of(database: &Database) -> anyhow::Result<Self> {
        let dir = match database.programs_dir() {
            Some(dir) => dir.to_owned(),
            None => podium_cluster::newest_programs()?,
        };
        Ok(Self { dir })
    }

    /// A command of one of the programs. Nothing is read from the environment or from the terminal.
    pub(crate) fn command(&self, program: &str) -> Command {
        let mut command = Command::new(self.dir.join(program));
        command.stdin(Stdio::null()).kill_on_drop(true);
        command
    }

    /// Runs it to its end; its output.
    pub(crate) async fn run(&self, mut command: Command, task: &str) -> anyhow::Result<String> {
        let program = command.as_std().get_program().to_string_lossy().into_owned();
        let output = command.output().await.with_context(|| format!("cannot {task}: {program} does not start"))?;
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr);
            bail!("cannot {task}: {}", said.trim());
        }
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// What `sql` yields, without heads.
    pub(crate) async fn query(&self, url: &str, sql: &str) -> anyhow::Result<String> {
        let mut psql = self.command("psql");
        psql.args(["--no-psqlrc", "--quiet", "--tuples-only", "--no-align", "--set=ON_ERROR_STOP=1", "--command", sql]);
        psql.arg("--dbname").arg(url);
        self.run(psql, "ask the database").await
    }
}
