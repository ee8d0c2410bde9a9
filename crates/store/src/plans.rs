//! Plans and their versions. The YAML text is what is kept.

use time::OffsetDateTime;
use uuid::Uuid;

use crate::error::{Error, Result};
use crate::pool::Store;

/// A plan in one of its versions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// The plan.
    pub id: Uuid,
    /// Its name.
    pub name: String,
    /// The version, from 1.
    pub version: i32,
    /// The version's text.
    pub yaml: String,
    /// Who made this version.
    pub created_by: Uuid,
    /// When.
    pub created_at: OffsetDateTime,
}

/// A plan to keep.
#[derive(Debug, Clone)]
pub struct NewPlan {
    /// Its name.
    pub name: String,
    /// The text of its first version.
    pub yaml: String,
    /// Who makes it.
    pub created_by: Uuid,
}

macro_rules! select_plans {
    ($tail:tt $(, $arg:expr)*) => {
        sqlx::query_as!(
            Plan,
            "select plan.id, plan.name, v.version, v.yaml, v.created_by, v.created_at
             from plan join plan_version v on v.plan_id = plan.id
             where plan.deleted_at is null " + $tail
            $(, $arg)*
        )
    };
}

impl Store {
    /// Keeps a plan as its version 1; its id.
    pub async fn create_plan(&self, new: &NewPlan) -> Result<Uuid> {
        let id = crate::new_id();
        let mut tx = self.pool.begin().await?;
        sqlx::query!("insert into plan (id, name, created_by) values ($1, $2, $3)", id, new.name, new.created_by)
            .execute(&mut *tx)
            .await?;
        sqlx::query!(
            "insert into plan_version (plan_id, version, yaml, created_by) values ($1, 1, $2, $3)",
            id,
            new.yaml,
            new.created_by
        )
        .execute(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok(id)
    }

    /// Adds a version to a plan; its number.
    pub async fn add_plan_version(&self, plan_id: Uuid, yaml: &str, created_by: Uuid) -> Result<i32> {
        let mut tx = self.pool.begin().await?;
        // The lock makes two writers take numbers one after the other.
        sqlx::query!("select id from plan where id = $1 and deleted_at is null for update", plan_id)
            .fetch_optional(&mut *tx)
            .await?
            .ok_or_else(Error::not_found("plan"))?;
        let version = sqlx::query_scalar!(
            "insert into plan_version (plan_id, version, yaml, created_by)
             select $1, max(version) + 1, $2, $3 from plan_version where plan_id = $1
             returning version",
            plan_id,
            yaml,
            created_by
        )
        .fetch_one(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok(version)
    }

    /// The newest version of every plan, newest plan first.
    pub async fn plans(&self, limit: i64) -> Result<Vec<Plan>> {
        Ok(select_plans!(
            "and v.version = (select max(version) from plan_version where plan_id = plan.id)
             order by plan.created_at desc limit $1",
            limit
        )
        .fetch_all(&self.pool)
        .await?)
    }

    /// A plan in the given version, or in its newest.
    pub async fn plan(&self, id: Uuid, version: Option<i32>) -> Result<Plan> {
        select_plans!(
            "and plan.id = $1 and ($2::int is null or v.version = $2) order by v.version desc limit 1",
            id,
            version
        )
        .fetch_optional(&self.pool)
        .await?
        .ok_or_else(Error::not_found("plan"))
    }

    /// Takes a plan out of the lists; runs keep their own text.
    pub async fn delete_plan(&self, id: Uuid) -> Result<()> {
        let done = sqlx::query!("update plan set deleted_at = now() where id = $1 and deleted_at is null", id)
            .execute(&self.pool)
            .await?;
        if done.rows_affected() == 0 { Err(Error::NotFound { what: "plan" }) } else { Ok(()) }
    }
}
