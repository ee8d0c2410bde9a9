//! Who may do what, and how they are known: passwords and invitations.

use time::OffsetDateTime;
use uuid::Uuid;

use crate::error::{Error, Result};
use crate::pool::Store;

/// A person with an account, or the owner.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    /// The person; the owner is `00000000-0000-0000-0000-000000000001`.
    pub id: Uuid,
    /// The name shown and signed in with; unique without regard to case.
    pub name: String,
    /// `viewer`, `runner` or `admin`.
    pub role: String,
    /// The argon2 hash of the password; `None` until the person chose one.
    pub password_hash: Option<String>,
    /// Until when the open invitation holds.
    pub invitation_until: Option<OffsetDateTime>,
    /// Since when the person is locked out.
    pub disabled_at: Option<OffsetDateTime>,
    /// Since when.
    pub created_at: OffsetDateTime,
}

/// A person to add.
#[derive(Debug, Clone)]
pub struct NewPerson {
    /// The name.
    pub name: String,
    /// `viewer`, `runner` or `admin`.
    pub role: String,
    /// SHA-256 of the invitation's secret.
    pub invitation_sha256: [u8; 32],
    /// Until when the invitation holds.
    pub invitation_until: OffsetDateTime,
}

macro_rules! select_people {
    ($tail:tt $(, $arg:expr)*) => {
        sqlx::query_as!(
            Person,
            "select id, name, role, password_hash, invitation_until, disabled_at, created_at from person " + $tail
            $(, $arg)*
        )
    };
}

impl Store {
    /// One person.
    pub async fn person(&self, id: Uuid) -> Result<Person> {
        select_people!("where id = $1", id).fetch_optional(&self.pool).await?.ok_or_else(Error::not_found("person"))
    }

    /// Everybody, by name.
    pub async fn people(&self) -> Result<Vec<Person>> {
        Ok(select_people!("order by lower(name)").fetch_all(&self.pool).await?)
    }

    /// The person of this name, without regard to case.
    pub async fn person_named(&self, name: &str) -> Result<Person> {
        select_people!("where lower(name) = lower($1)", name)
            .fetch_optional(&self.pool)
            .await?
            .ok_or_else(Error::not_found("person"))
    }

    /// The person whom the invitation with this SHA-256 is for, while it holds.
    pub async fn invited_person(&self, invitation_sha256: &[u8; 32]) -> Result<Person> {
        select_people!(
            "where invitation_sha256 = $1 and invitation_until > now() and disabled_at is null",
            &invitation_sha256[..]
        )
        .fetch_optional(&self.pool)
        .await?
        .ok_or_else(Error::not_found("invitation"))
    }

    /// Adds a person who is invited. The name may be taken: constraint `person_name_key`.
    pub async fn insert_person(&self, new: &NewPerson) -> Result<Person> {
        let id = crate::new_id();
        sqlx::query!(
            "insert into person (id, name, role, invitation_sha256, invitation_until) values ($1, $2, $3, $4, $5)",
            id,
            new.name,
            new.role,
            &new.invitation_sha256[..],
            new.invitation_until
        )
        .execute(&self.pool)
        .await?;
        self.person(id).await
    }

    /// Invites a person anew: an earlier invitation holds no longer. With `forget_password` the old password, all
    /// sessions and all tokens of the person end as well.
    pub async fn invite_person(
        &self,
        id: Uuid,
        invitation_sha256: &[u8; 32],
        until: OffsetDateTime,
        forget_password: bool,
    ) -> Result<()> {
        let mut tx = self.pool.begin().await?;
        let done = sqlx::query!(
            "update person set invitation_sha256 = $2, invitation_until = $3,
                 password_hash = case when $4 then null else password_hash end
             where id = $1",
            id,
            &invitation_sha256[..],
            until,
            forget_password
        )
        .execute(&mut *tx)
        .await?;
        if done.rows_affected() == 0 {
            return Err(Error::NotFound { what: "person" });
        }
        if forget_password {
            sqlx::query!("delete from session where person_id = $1", id).execute(&mut *tx).await?;
            sqlx::query!("update api_token set revoked_at = now() where person_id = $1 and revoked_at is null", id)
                .execute(&mut *tx)
                .await?;
        }
        tx.commit().await?;
        Ok(())
    }

    /// Uses up an invitation: the person gets a name and a password. Whoever comes second finds no invitation.
    pub async fn accept_invitation(
        &self,
        invitation_sha256: &[u8; 32],
        name: &str,
        password_hash: &str,
    ) -> Result<Person> {
        let accepted = sqlx::query!(
            "update person set name = $2, password_hash = $3, invitation_sha256 = null, invitation_until = null
             where invitation_sha256 = $1 and invitation_until > now() and disabled_at is null returning id",
            &invitation_sha256[..],
            name,
            password_hash
        )
        .fetch_optional(&self.pool)
        .await?;
        self.person(accepted.ok_or_else(Error::not_found("invitation"))?.id).await
    }

    /// Gives a person another password; every session of the person ends.
    pub async fn set_password(&self, id: Uuid, password_hash: &str) -> Result<()> {
        let mut tx = self.pool.begin().await?;
        let done = sqlx::query!(
            "update person set password_hash = $2, invitation_sha256 = null, invitation_until = null where id = $1",
            id,
            password_hash
        )
        .execute(&mut *tx)
        .await?;
        if done.rows_affected() == 0 {
            return Err(Error::NotFound { what: "person" });
        }
        sqlx::query!("delete from session where person_id = $1", id).execute(&mut *tx).await?;
        tx.commit().await?;
        Ok(())
    }

    /// Gives a person another role.
    pub async fn set_role(&self, id: Uuid, role: &str) -> Result<()> {
        let done = sqlx::query!("update person set role = $2 where id = $1", id, role).execute(&self.pool).await?;
        if done.rows_affected() == 0 { Err(Error::NotFound { what: "person" }) } else { Ok(()) }
    }

    /// Locks a person out, which ends all sessions, or lets the person in again. Tokens rest meanwhile.
    pub async fn set_disabled(&self, id: Uuid, disabled: bool) -> Result<()> {
        let mut tx = self.pool.begin().await?;
        let done = sqlx::query!(
            "update person set disabled_at = case when $2 then coalesce(disabled_at, now()) end where id = $1",
            id,
            disabled
        )
        .execute(&mut *tx)
        .await?;
        if done.rows_affected() == 0 {
            return Err(Error::NotFound { what: "person" });
        }
        if disabled {
            sqlx::query!("delete from session where person_id = $1", id).execute(&mut *tx).await?;
        }
        tx.commit().await?;
        Ok(())
    }
}
