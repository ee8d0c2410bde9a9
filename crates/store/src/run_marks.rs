//! What people do to a run that has ended or goes on: tags, notes, the archive, and deleting with a way back.

use uuid::Uuid;

use crate::error::{Error, Result};
use crate::pool::Store;

impl Store {
    /// Replaces a run's tags and notes.
    pub async fn set_run_notes(&self, id: Uuid, tags: &[String], notes: &str) -> Result<()> {
        let done =
            sqlx::query!("update run set tags = $2, notes = $3 where id = $1 and deleted_at is null", id, tags, notes)
                .execute(&self.pool)
                .await?;
        found(done.rows_affected())
    }

    /// Puts a run into the archive, or takes it out. Asking for what is so already changes nothing.
    pub async fn archive_run(&self, id: Uuid, archived: bool) -> Result<()> {
        let done = sqlx::query!(
            "update run set archived_at = case when $2 then coalesce(archived_at, now()) end
             where id = $1 and deleted_at is null",
            id,
            archived
        )
        .execute(&self.pool)
        .await?;
        found(done.rows_affected())
    }

    /// Takes a run out of the lists, and with it its report's links. One that has not ended is a conflict
    /// (`run_is_finished`).
    pub async fn delete_run(&self, id: Uuid) -> Result<()> {
        let mut tx = self.pool.begin().await?;
        let finished_at =
            sqlx::query_scalar!("select finished_at from run where id = $1 and deleted_at is null for update", id)
                .fetch_optional(&mut *tx)
                .await?
                .ok_or_else(Error::not_found("run"))?;
        if finished_at.is_none() {
            return Err(Error::Conflict { constraint: "run_is_finished".to_owned() });
        }
        sqlx::query!("update run set deleted_at = now() where id = $1", id).execute(&mut *tx).await?;
        tx.commit().await?;
        Ok(())
    }

    /// Takes back [`Store::delete_run`]; the links to its report open again. A run that is not deleted stays as it is.
    pub async fn restore_run(&self, id: Uuid) -> Result<()> {
        let done = sqlx::query!("update run set deleted_at = null where id = $1", id).execute(&self.pool).await?;
        found(done.rows_affected())
    }
}

fn found(rows: u64) -> Result<()> {
    if rows == 0 { Err(Error::NotFound { what: "run" }) } else { Ok(()) }
}
