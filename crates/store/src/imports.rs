//! Runs whose results another tool measured.

use podium_domain::framework::Framework;
use serde_json::Value;
use uuid::Uuid;

use crate::convert::ordered;
use crate::error::Result;
use crate::events::{NewEvent, append};
use crate::pool::Store;
use crate::reports::NewReport;
use crate::rows::{self, NewRow};

/// An imported run, whole: nothing about it happens later.
#[derive(Debug, Clone)]
pub struct NewImportedRun {
    /// The run, chosen by its maker so that the report can name it.
    pub id: Uuid,
    /// What lists show as its name.
    pub title: String,
    /// The model's name; empty where the files do not say.
    pub model: String,
    /// Those frameworks of the rows that are ours.
    pub frameworks: Vec<Framework>,
    /// Whether it yields no winner.
    pub flow_check: bool,
    /// Whether any row is simulated.
    pub simulated: bool,
    /// What lists show of its result.
    pub summary: Value,
    /// Who imports it.
    pub created_by: Uuid,
    /// Its rows, in order, without candidates.
    pub rows: Vec<NewRow>,
    /// Its report.
    pub report: NewReport,
    /// The files as they were given: stored contents and their names, which differ.
    pub files: Vec<(Uuid, String)>,
}

/// The kind of an imported file among a run's artifacts.
pub(crate) const FILE_KIND: &str = "import";

impl Store {
    /// Stores an imported run with its rows, its report, its files and its events, all or nothing.
    pub async fn create_imported_run(&self, new: &NewImportedRun, events: &[NewEvent]) -> Result<()> {
        let frameworks: Vec<String> = new.frameworks.iter().map(|framework| framework.id().to_owned()).collect();
        let mut tx = self.pool.begin().await?;
        sqlx::query!(
            "insert into run (id, kind, plan_yaml, plan, title, model, frameworks, flow_check, simulated, status,
                 summary, created_by, started_at, finished_at)
             values ($1, 'imported', '', 'null', $2, $3, $4, $5, $6, 'completed', $7, $8, now(), now())",
            new.id,
            new.title,
            new.model,
            &frameworks,
            new.flow_check,
            new.simulated,
            new.summary,
            new.created_by
        )
        .execute(&mut *tx)
        .await?;
        rows::insert(&mut tx, new.id, &new.rows).await?;
        sqlx::query!(
            "insert into report (id, run_id, schema_version, title, model, simulated, created_by)
             values ($1, $2, $3, $4, $5::text::json, $6, $7)",
            new.report.id,
            new.id,
            new.report.schema_version,
            new.report.title,
            ordered(&new.report.model),
            new.report.simulated,
            new.report.created_by
        )
        .execute(&mut *tx)
        .await?;
        for (artifact_id, name) in &new.files {
            sqlx::query!(
                "insert into run_artifact (run_id, artifact_id, kind, name) values ($1, $2, $3, $4)",
                new.id,
                artifact_id,
                FILE_KIND,
                name
            )
            .execute(&mut *tx)
            .await?;
        }
        append(&mut tx, new.id, events).await?;
        tx.commit().await?;
        Ok(())
    }
}
