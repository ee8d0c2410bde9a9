//! Links to reports. Only a token's hash is kept.

use time::OffsetDateTime;
use uuid::Uuid;

use crate::error::{Error, Result};
use crate::pool::Store;

/// A link to a report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Share {
    /// The link.
    pub id: Uuid,
    /// The report that it shows.
    pub report_id: Uuid,
    /// Whether it shows hosts' names, paths and logs.
    pub include_private: bool,
    /// The hash of the password that it asks for, if any.
    pub password_hash: Option<String>,
    /// Who made it.
    pub created_by: Uuid,
    /// When.
    pub created_at: OffsetDateTime,
    /// When it ends.
    pub expires_at: Option<OffsetDateTime>,
    /// When it was revoked.
    pub revoked_at: Option<OffsetDateTime>,
}

/// A link to make.
#[derive(Debug, Clone)]
pub struct NewShare {
    /// The report that it shows.
    pub report_id: Uuid,
    /// SHA-256 of the token.
    pub token_sha256: [u8; 32],
    /// Whether it shows hosts' names, paths and logs.
    pub include_private: bool,
    /// The hash of the password that it asks for, if any.
    pub password_hash: Option<String>,
    /// When it ends.
    pub expires_at: Option<OffsetDateTime>,
    /// Who makes it.
    pub created_by: Uuid,
}

macro_rules! select_shares {
    ($tail:tt $(, $arg:expr)*) => {
        sqlx::query_as!(
            Share,
            "select share.id, share.report_id, share.include_private, share.password_hash, share.created_by,
                 share.created_at, share.expires_at, share.revoked_at
             from share join report on report.id = share.report_id join run on run.id = report.run_id
             where run.deleted_at is null " + $tail
            $(, $arg)*
        )
    };
}

impl Store {
    /// Makes a link.
    pub async fn create_share(&self, new: &NewShare) -> Result<Share> {
        let id = crate::new_id();
        sqlx::query!(
            "insert into share (id, report_id, token_sha256, include_private, password_hash, expires_at, created_by)
             values ($1, $2, $3, $4, $5, $6, $7)",
            id,
            new.report_id,
            &new.token_sha256[..],
            new.include_private,
            new.password_hash,
            new.expires_at,
            new.created_by
        )
        .execute(&self.pool)
        .await?;
        select_shares!("and share.id = $1", id).fetch_optional(&self.pool).await?.ok_or_else(Error::not_found("report"))
    }

    /// A report's links, newest first; revoked and expired ones too.
    pub async fn shares(&self, report_id: Uuid) -> Result<Vec<Share>> {
        Ok(select_shares!("and share.report_id = $1 order by share.created_at desc, share.id desc", report_id)
            .fetch_all(&self.pool)
            .await?)
    }

    /// The link whose token has this SHA-256, while it is good: neither revoked nor expired, its run not deleted.
    pub async fn share_by_token(&self, token_sha256: &[u8; 32]) -> Result<Share> {
        select_shares!(
            "and share.token_sha256 = $1 and share.revoked_at is null
             and (share.expires_at is null or share.expires_at > now())",
            &token_sha256[..]
        )
        .fetch_optional(&self.pool)
        .await?
        .ok_or_else(Error::not_found("share"))
    }

    /// Revokes a link; one that was revoked before keeps its time.
    pub async fn revoke_share(&self, id: Uuid) -> Result<()> {
        let done = sqlx::query!("update share set revoked_at = coalesce(revoked_at, now()) where id = $1", id)
            .execute(&self.pool)
            .await?;
        if done.rows_affected() == 0 { Err(Error::NotFound { what: "share" }) } else { Ok(()) }
    }
}
