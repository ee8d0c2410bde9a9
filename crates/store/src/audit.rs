//! Who did what.

use serde_json::Value;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::error::Result;
use crate::pool::Store;

/// A line of the audit log.
#[derive(Debug, Clone, PartialEq)]
pub struct AuditEntry {
    /// The line.
    pub id: Uuid,
    /// When.
    pub at: OffsetDateTime,
    /// Who.
    pub person: Uuid,
    /// What was done, for example `share.create`.
    pub action: String,
    /// To what, for example the report's id.
    pub subject: String,
    /// Anything else; no secrets.
    pub detail: Value,
}

/// A line to add.
#[derive(Debug, Clone)]
pub struct NewAuditEntry {
    /// Who.
    pub person: Uuid,
    /// What was done.
    pub action: String,
    /// To what.
    pub subject: String,
    /// Anything else; no secrets.
    pub detail: Value,
}

impl Store {
    /// Adds a line to the audit log.
    pub async fn audit(&self, new: &NewAuditEntry) -> Result<()> {
        sqlx::query!(
            "insert into audit (id, person, action, subject, detail) values ($1, $2, $3, $4, $5)",
            crate::new_id(),
            new.person,
            new.action,
            new.subject,
            new.detail
        )
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// The newest lines of the audit log, newest first.
    pub async fn audit_entries(&self, limit: i64) -> Result<Vec<AuditEntry>> {
        Ok(sqlx::query_as!(
            AuditEntry,
            "select id, at, person, action, subject, detail from audit order by at desc, id desc limit $1",
            limit
        )
        .fetch_all(&self.pool)
        .await?)
    }
}
