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
    /// The person's name as it is now.
    pub person_name: String,
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

    /// Lines of the audit log, newest first: `limit` of them that are older than the line `before`, or the newest.
    pub async fn audit_entries(&self, before: Option<Uuid>, limit: i64) -> Result<Vec<AuditEntry>> {
        Ok(sqlx::query_as!(
            AuditEntry,
            "select audit.id, at, person, person.name as person_name, action, subject, detail
             from audit join person on person.id = audit.person
             where $1::uuid is null or (at, audit.id) < (select at, id from audit where id = $1)
             order by at desc, audit.id desc limit $2",
            before,
            limit
        )
        .fetch_all(&self.pool)
        .await?)
    }
}
