//! The connection pool and the schema's version.

use std::time::Duration;

use sqlx::migrate::{MigrateError, Migrator};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::{PgPool, Postgres, Transaction};

use crate::error::{Error, Result};
use crate::lease::Lease;

static MIGRATIONS: Migrator = sqlx::migrate!("../../migrations");

/// Connections of one process; the private cluster takes 60 in all.
const MAX_CONNECTIONS: u32 = 10;

/// How long a query waits for a connection before the database counts as unavailable.
const ACQUIRE_TIMEOUT: Duration = Duration::from_secs(10);

/// The database. Clones share one pool.
#[derive(Debug, Clone)]
pub struct Store {
    pub(crate) pool: PgPool,
}

impl Store {
    /// Connects to the database at `url` (`postgres://…`, a socket folder as `?host=` included).
    pub async fn connect(url: &str) -> Result<Self> {
        let options = PgPoolOptions::new().max_connections(MAX_CONNECTIONS).acquire_timeout(ACQUIRE_TIMEOUT);
        // By its name other programs of ours tell who is connected.
        let connection = url.parse::<PgConnectOptions>()?.application_name("podium");
        let pool = options.connect_with(connection).await.map_err(|error| match Error::from(error) {
            Error::Database(error) => Error::Refused(error),
            other => other,
        })?;
        Ok(Store { pool })
    }

    /// Brings the schema to this program's version; does nothing when it is there already.
    ///
    /// Processes that start at once wait for each other. A database that is newer than this program is refused.
    pub async fn migrate(&self) -> Result<()> {
        MIGRATIONS.run(&self.pool).await.map_err(|error| match error {
            MigrateError::VersionMissing(found) => {
                let known = MIGRATIONS.iter().map(|migration| migration.version).max().unwrap_or_default();
                if found > known { Error::NewerDatabase { found, known } } else { Error::Migration(error) }
            }
            MigrateError::Execute(error) => match Error::from(error) {
                unavailable @ Error::Unavailable(_) => unavailable,
                Error::Database(error) => Error::Migration(MigrateError::Execute(error)),
                other => other,
            },
            other => Error::Migration(other),
        })
    }

    /// Whether the database answers.
    pub async fn ping(&self) -> Result<()> {
        sqlx::query!("select 1 as one").fetch_one(&self.pool).await?;
        Ok(())
    }

    /// Closes every connection; later calls fail as unavailable.
    pub async fn close(&self) {
        self.pool.close().await;
    }

    /// A transaction that commits only while `lease` is the newest claim on its run. The run's row stays locked until
    /// its end, so that no other worker can claim the run in between.
    pub(crate) async fn fenced(&self, lease: &Lease) -> Result<Transaction<'static, Postgres>> {
        let mut tx = self.pool.begin().await?;
        sqlx::query!("select id from run where id = $1 and lease_epoch = $2 for update", lease.run_id, lease.epoch)
            .fetch_optional(&mut *tx)
            .await?
            .ok_or(Error::LeaseLost)?;
        Ok(tx)
    }
}
