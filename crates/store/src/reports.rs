//! Reports: frozen views of runs.

use serde_json::Value;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::convert::ordered;
use crate::error::{Error, Result};
use crate::events::{NewEvent, append};
use crate::lease::Lease;
use crate::pool::Store;

/// A report.
#[derive(Debug, Clone, PartialEq)]
pub struct Report {
    /// The report.
    pub id: Uuid,
    /// Its run.
    pub run_id: Uuid,
    /// The version of the model's form.
    pub schema_version: i32,
    /// Its title.
    pub title: String,
    /// The frozen model; keys keep their order.
    pub model: Value,
    /// Whether anything in it was simulated.
    pub simulated: bool,
    /// Who made it.
    pub created_by: Uuid,
    /// When.
    pub created_at: OffsetDateTime,
}

/// A report to store.
#[derive(Debug, Clone)]
pub struct NewReport {
    /// The report, chosen by its maker so that the events can name it.
    pub id: Uuid,
    /// The version of the model's form.
    pub schema_version: i32,
    /// Its title.
    pub title: String,
    /// The frozen model.
    pub model: Value,
    /// Whether anything in it was simulated.
    pub simulated: bool,
    /// Who makes it.
    pub created_by: Uuid,
}

macro_rules! select_reports {
    ($tail:tt $(, $arg:expr)*) => {
        sqlx::query_as!(
            Report,
            "select report.id, report.run_id, report.schema_version, report.title, report.model, report.simulated,
                 report.created_by, report.created_at
             from report join run on run.id = report.run_id
             where run.deleted_at is null " + $tail
            $(, $arg)*
        )
    };
}

impl Store {
    /// Stores a report of the leased run.
    pub async fn insert_report(&self, lease: &Lease, new: &NewReport, events: &[NewEvent]) -> Result<()> {
        let mut tx = self.fenced(lease).await?;
        sqlx::query!(
            "insert into report (id, run_id, schema_version, title, model, simulated, created_by)
             values ($1, $2, $3, $4, $5::text::json, $6, $7)",
            new.id,
            lease.run_id,
            new.schema_version,
            new.title,
            ordered(&new.model),
            new.simulated,
            new.created_by
        )
        .execute(&mut *tx)
        .await?;
        append(&mut tx, lease.run_id, events).await?;
        tx.commit().await?;
        Ok(())
    }

    /// One report.
    pub async fn report(&self, id: Uuid) -> Result<Report> {
        select_reports!("and report.id = $1", id)
            .fetch_optional(&self.pool)
            .await?
            .ok_or_else(Error::not_found("report"))
    }

    /// The newest report of a run; `None` before there is one.
    pub async fn report_of_run(&self, run_id: Uuid) -> Result<Option<Report>> {
        Ok(select_reports!("and report.run_id = $1 order by report.created_at desc, report.id desc limit 1", run_id)
            .fetch_optional(&self.pool)
            .await?)
    }
}
