//! Where engines run.

use serde_json::Value;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::error::{Error, Result};
use crate::pool::Store;

/// A host.
#[derive(Debug, Clone, PartialEq)]
pub struct Host {
    /// The host.
    pub id: Uuid,
    /// Its name, unique among hosts that are not deleted.
    pub name: String,
    /// `local`, `ssh`, `container` or `slurm`.
    pub kind: String,
    /// How it is reached; no secrets.
    pub config: Value,
    /// The machine whose workers alone reach it; `None` where every worker does.
    pub machine: Option<String>,
    /// What was found on it.
    pub facts: Option<Value>,
    /// When that was.
    pub checked_at: Option<OffsetDateTime>,
    /// Who added it.
    pub created_by: Uuid,
    /// When.
    pub created_at: OffsetDateTime,
}

/// A host to add.
#[derive(Debug, Clone)]
pub struct NewHost {
    /// Its name.
    pub name: String,
    /// `local`, `ssh`, `container` or `slurm`.
    pub kind: String,
    /// How it is reached; no secrets.
    pub config: Value,
    /// The machine whose workers alone reach it; `None` where every worker does.
    pub machine: Option<String>,
    /// Who adds it.
    pub created_by: Uuid,
}

/// A machine that Podium runs on, as a host.
#[derive(Debug, Clone)]
pub struct NewMachine {
    /// What tells it from other machines.
    pub machine: String,
    /// Its host's name while there is no other machine.
    pub only_name: String,
    /// Its host's name beside others.
    pub host_name: String,
    /// Who adds it.
    pub created_by: Uuid,
}

/// The key of the advisory lock under which machines are added.
const MACHINE_LOCK: i64 = 0x706f_6469_756e;

macro_rules! select_hosts {
    ($tail:tt $(, $arg:expr)*) => {
        sqlx::query_as!(
            Host,
            "select id, name, kind, config, machine, facts, checked_at, created_by, created_at from host where deleted_at is null "
                + $tail
            $(, $arg)*
        )
    };
}

impl Store {
    /// The host of this name; it is added where there is none. Safe to call from several processes at once.
    pub async fn ensure_host(&self, new: &NewHost) -> Result<Host> {
        if let Some(host) = self.insert_host(new).await? {
            return Ok(host);
        }
        select_hosts!("and name = $1", new.name).fetch_optional(&self.pool).await?.ok_or_else(Error::not_found("host"))
    }

    /// The host that is this machine; it is added where it is not known yet. Once there are several machines, each is
    /// called by its own name. Safe to call from several processes at once.
    pub async fn ensure_machine(&self, new: &NewMachine) -> Result<Host> {
        if let Some(known) = self.machine_host(&new.machine).await? {
            return Ok(known);
        }
        let mut tx = self.pool.begin().await?;
        sqlx::query!("select pg_advisory_xact_lock($1) as locked", MACHINE_LOCK).fetch_one(&mut *tx).await?;
        // One that was stored before hosts knew their machine is the first one's to ask.
        let adopted = sqlx::query!(
            "update host set machine = $1, config = config || jsonb_build_object('host_name', $2::text)
             where kind = 'local' and machine is null and deleted_at is null
               and not exists (select from host other where other.kind = 'local' and other.machine = $1
                               and other.deleted_at is null)",
            new.machine,
            new.host_name
        )
        .execute(&mut *tx)
        .await?;
        if adopted.rows_affected() == 0 {
            sqlx::query!(
                "update host set name = config ->> 'host_name'
                 where kind = 'local' and name = $1 and machine <> $2 and deleted_at is null
                   and config ->> 'host_name' <> ''
                   and not exists (select from host other where other.name = host.config ->> 'host_name'
                                   and other.deleted_at is null)",
                new.only_name,
                new.machine
            )
            .execute(&mut *tx)
            .await?;
            sqlx::query!(
                "insert into host (id, name, kind, config, machine, created_by)
                 select $1,
                     case when not exists (select from host where kind = 'local' and deleted_at is null) then $2
                          when not exists (select from host where name = $3 and deleted_at is null) then $3
                          else $3 || ' ' || left($4, 8) end,
                     'local', jsonb_build_object('host_name', $3::text), $4, $5
                 where not exists (select from host where kind = 'local' and machine = $4 and deleted_at is null)",
                crate::new_id(),
                new.only_name,
                new.host_name,
                new.machine,
                new.created_by
            )
            .execute(&mut *tx)
            .await?;
        }
        tx.commit().await?;
        self.machine_host(&new.machine).await?.ok_or_else(Error::not_found("host"))
    }

    async fn machine_host(&self, machine: &str) -> Result<Option<Host>> {
        Ok(select_hosts!("and kind = 'local' and machine = $1", machine).fetch_optional(&self.pool).await?)
    }

    /// Adds a host; `None` where its name is taken.
    pub async fn insert_host(&self, new: &NewHost) -> Result<Option<Host>> {
        let id = crate::new_id();
        let done = sqlx::query!(
            "insert into host (id, name, kind, config, machine, created_by) values ($1, $2, $3, $4, $5, $6)
             on conflict (name) where deleted_at is null do nothing",
            id,
            new.name,
            new.kind,
            new.config,
            new.machine,
            new.created_by
        )
        .execute(&self.pool)
        .await?;
        if done.rows_affected() == 0 { Ok(None) } else { self.host(id).await.map(Some) }
    }

    /// Changes a host's name and settings, and forgets what was found on it; `false` where another host has the name.
    pub async fn update_host(&self, id: Uuid, name: &str, config: &Value) -> Result<bool> {
        let done = sqlx::query!(
            "update host set name = $2, config = $3, facts = null, checked_at = null
             where id = $1 and deleted_at is null and not exists
                 (select from host other where other.name = $2 and other.id <> $1 and other.deleted_at is null)",
            id,
            name,
            config
        )
        .execute(&self.pool)
        .await?;
        Ok(done.rows_affected() > 0)
    }

    /// Every host, by name.
    pub async fn hosts(&self) -> Result<Vec<Host>> {
        Ok(select_hosts!("order by name").fetch_all(&self.pool).await?)
    }

    /// One host.
    pub async fn host(&self, id: Uuid) -> Result<Host> {
        select_hosts!("and id = $1", id).fetch_optional(&self.pool).await?.ok_or_else(Error::not_found("host"))
    }

    /// Stores what was just found on a host.
    pub async fn set_host_facts(&self, id: Uuid, facts: &Value) -> Result<()> {
        let done = sqlx::query!(
            "update host set facts = $2, checked_at = now() where id = $1 and deleted_at is null",
            id,
            facts
        )
        .execute(&self.pool)
        .await?;
        if done.rows_affected() == 0 { Err(Error::NotFound { what: "host" }) } else { Ok(()) }
    }

    /// Takes a host out of the lists; runs keep naming it.
    pub async fn delete_host(&self, id: Uuid) -> Result<()> {
        let done = sqlx::query!("update host set deleted_at = now() where id = $1 and deleted_at is null", id)
            .execute(&self.pool)
            .await?;
        if done.rows_affected() == 0 { Err(Error::NotFound { what: "host" }) } else { Ok(()) }
    }
}
