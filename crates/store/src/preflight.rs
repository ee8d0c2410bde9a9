//! What preflight found: for each run, and what is not asked again of a host.

use serde_json::Value;
use uuid::Uuid;

use crate::error::Result;
use crate::lease::Lease;
use crate::pool::Store;

/// What is known of the software on a host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HostKnowledge {
    /// A captured help text.
    Help,
    /// A smoke test that was passed.
    Smoke,
}

impl HostKnowledge {
    const fn word(self) -> &'static str {
        match self {
            HostKnowledge::Help => "help",
            HostKnowledge::Smoke => "smoke",
        }
    }
}

impl Store {
    /// What the preflight of a run found; `None` before it.
    pub async fn run_preflight(&self, run_id: Uuid) -> Result<Option<Value>> {
        let row = sqlx::query!("select preflight from run where id = $1", run_id).fetch_optional(&self.pool).await?;
        Ok(row.and_then(|row| row.preflight))
    }

    /// Stores what the preflight of the leased run found.
    pub async fn set_run_preflight(&self, lease: &Lease, found: &Value) -> Result<()> {
        let mut tx = self.fenced(lease).await?;
        sqlx::query!("update run set preflight = $2 where id = $1", lease.run_id, found).execute(&mut *tx).await?;
        tx.commit().await?;
        Ok(())
    }

    /// What is known of a host under this key.
    pub async fn host_knowledge(&self, host_id: Uuid, kind: HostKnowledge, key: &str) -> Result<Option<Value>> {
        let row = sqlx::query!(
            "select value from host_knowledge where host_id = $1 and kind = $2 and key = $3",
            host_id,
            kind.word(),
            key
        )
        .fetch_optional(&self.pool)
        .await?;
        Ok(row.map(|row| row.value))
    }

    /// Everything of a kind that is known of a host, oldest first.
    pub async fn all_host_knowledge(&self, host_id: Uuid, kind: HostKnowledge) -> Result<Vec<Value>> {
        let rows = sqlx::query!(
            "select value from host_knowledge where host_id = $1 and kind = $2 order by found_at, key",
            host_id,
            kind.word()
        )
        .fetch_all(&self.pool)
        .await?;
        Ok(rows.into_iter().map(|row| row.value).collect())
    }

    /// Keeps what was found on a host; what was known under this key is replaced.
    pub async fn keep_host_knowledge(
        &self,
        host_id: Uuid,
        kind: HostKnowledge,
        key: &str,
        value: &Value,
    ) -> Result<()> {
        sqlx::query!(
            "insert into host_knowledge (host_id, kind, key, value) values ($1, $2, $3, $4)
             on conflict on constraint host_knowledge_key do update set value = excluded.value, found_at = now()",
            host_id,
            kind.word(),
            key,
            value
        )
        .execute(&self.pool)
        .await?;
        Ok(())
    }
}
