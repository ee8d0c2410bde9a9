//! Who may do what.

use time::OffsetDateTime;
use uuid::Uuid;

use crate::error::{Error, Result};
use crate::pool::Store;

/// A person with an account, or the implicit owner.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    /// The person; the implicit owner is `00000000-0000-0000-0000-000000000001`.
    pub id: Uuid,
    /// The name shown.
    pub name: String,
    /// `viewer`, `runner` or `admin`.
    pub role: String,
    /// Since when.
    pub created_at: OffsetDateTime,
}

impl Store {
    /// One person.
    pub async fn person(&self, id: Uuid) -> Result<Person> {
        sqlx::query_as!(Person, "select id, name, role, created_at from person where id = $1", id)
            .fetch_optional(&self.pool)
            .await?
            .ok_or_else(Error::not_found("person"))
    }
}
