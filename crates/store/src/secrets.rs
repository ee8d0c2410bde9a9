//! What a person shows instead of a password: sessions of browsers and tokens of programs. Only hashes are kept.

use time::OffsetDateTime;
use uuid::Uuid;

use crate::error::{Error, Result};
use crate::pool::Store;

/// Whoever holds a secret, and what the secret allows at most.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    /// The person.
    pub person_id: Uuid,
    /// The person's role.
    pub person_role: String,
    /// The secret's own limit; `None` for a session.
    pub secret_role: Option<String>,
}

/// A program's token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiToken {
    /// The token.
    pub id: Uuid,
    /// Whose it is.
    pub person_id: Uuid,
    /// What its owner calls it.
    pub name: String,
    /// What it allows at most.
    pub role: String,
    /// When it was made.
    pub created_at: OffsetDateTime,
    /// When it ends.
    pub expires_at: OffsetDateTime,
    /// When it was last used, to the minute.
    pub last_used_at: Option<OffsetDateTime>,
    /// When it was revoked.
    pub revoked_at: Option<OffsetDateTime>,
}

/// A token to make.
#[derive(Debug, Clone)]
pub struct NewApiToken {
    /// Whose it is.
    pub person_id: Uuid,
    /// What its owner calls it.
    pub name: String,
    /// What it allows at most.
    pub role: String,
    /// SHA-256 of the secret.
    pub secret_sha256: [u8; 32],
    /// When it ends.
    pub expires_at: OffsetDateTime,
}

macro_rules! select_tokens {
    ($tail:tt $(, $arg:expr)*) => {
        sqlx::query_as!(
            ApiToken,
            "select id, person_id, name, role, created_at, expires_at, last_used_at, revoked_at from api_token " + $tail
            $(, $arg)*
        )
    };
}

impl Store {
    /// Begins a session, and forgets those that have ended by themselves.
    pub async fn begin_session(
        &self,
        person_id: Uuid,
        secret_sha256: &[u8; 32],
        expires_at: OffsetDateTime,
    ) -> Result<()> {
        sqlx::query!("delete from session where expires_at <= now()").execute(&self.pool).await?;
        sqlx::query!(
            "insert into session (secret_sha256, person_id, expires_at) values ($1, $2, $3)",
            &secret_sha256[..],
            person_id,
            expires_at
        )
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// Ends a session; one that is not there has ended already.
    pub async fn end_session(&self, secret_sha256: &[u8; 32]) -> Result<()> {
        sqlx::query!("delete from session where secret_sha256 = $1", &secret_sha256[..]).execute(&self.pool).await?;
        Ok(())
    }

    /// Whose session this is, while it holds and the person is not locked out.
    pub async fn session_holder(&self, secret_sha256: &[u8; 32]) -> Result<Option<Holder>> {
        Ok(sqlx::query_as!(
            Holder,
            r#"select person.id as person_id, person.role as person_role, null::text as secret_role
               from session join person on person.id = session.person_id
               where secret_sha256 = $1 and expires_at > now() and disabled_at is null"#,
            &secret_sha256[..]
        )
        .fetch_optional(&self.pool)
        .await?)
    }

    /// Whose token this is, while it holds and the person is not locked out. The use is noted once a minute.
    pub async fn token_holder(&self, secret_sha256: &[u8; 32]) -> Result<Option<Holder>> {
        let found = sqlx::query!(
            r#"select api_token.id, person.id as person_id, person.role as person_role, api_token.role as secret_role,
                   last_used_at is null or last_used_at < now() - interval '1 minute' as "is_news!"
               from api_token join person on person.id = api_token.person_id
               where secret_sha256 = $1 and expires_at > now() and revoked_at is null and disabled_at is null"#,
            &secret_sha256[..]
        )
        .fetch_optional(&self.pool)
        .await?;
        let Some(found) = found else { return Ok(None) };
        if found.is_news {
            sqlx::query!("update api_token set last_used_at = date_trunc('minute', now()) where id = $1", found.id)
                .execute(&self.pool)
                .await?;
        }
        Ok(Some(Holder {
            person_id: found.person_id,
            person_role: found.person_role,
            secret_role: Some(found.secret_role),
        }))
    }

    /// Makes a token.
    pub async fn insert_api_token(&self, new: &NewApiToken) -> Result<ApiToken> {
        let id = crate::new_id();
        sqlx::query!(
            "insert into api_token (id, person_id, name, role, secret_sha256, expires_at)
             values ($1, $2, $3, $4, $5, $6)",
            id,
            new.person_id,
            new.name,
            new.role,
            &new.secret_sha256[..],
            new.expires_at
        )
        .execute(&self.pool)
        .await?;
        select_tokens!("where id = $1", id).fetch_optional(&self.pool).await?.ok_or_else(Error::not_found("token"))
    }

    /// A person's tokens, newest first; revoked and expired ones too.
    pub async fn api_tokens(&self, person_id: Uuid) -> Result<Vec<ApiToken>> {
        Ok(select_tokens!("where person_id = $1 order by created_at desc, id desc", person_id)
            .fetch_all(&self.pool)
            .await?)
    }

    /// Revokes one of a person's tokens; one that was revoked before keeps its time.
    pub async fn revoke_api_token(&self, person_id: Uuid, id: Uuid) -> Result<()> {
        let done = sqlx::query!(
            "update api_token set revoked_at = coalesce(revoked_at, now()) where id = $1 and person_id = $2",
            id,
            person_id
        )
        .execute(&self.pool)
        .await?;
        if done.rows_affected() == 0 { Err(Error::NotFound { what: "token" }) } else { Ok(()) }
    }
}
