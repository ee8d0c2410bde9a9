//! Result rows: what a run says about each candidate in each scenario, as exported.

use podium_domain::status::CandidateStatus;
use serde_json::Value;
use uuid::Uuid;

use crate::convert::{all, ordered, word};
use crate::error::{Error, Result};
use crate::events::{NewEvent, append};
use crate::lease::Lease;
use crate::pool::Store;

/// A stored result row.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// Its candidate; `None` for a foreign row.
    pub candidate_id: Option<Uuid>,
    /// Its place, from 0.
    pub ordinal: i32,
    /// The framework, as the row spells it.
    pub framework: String,
    /// The scenario's name.
    pub scenario: String,
    /// One of the five statuses of result rows.
    pub status: CandidateStatus,
    /// Whether its engine was simulated.
    pub simulated: bool,
    /// The row; keys keep their order.
    pub row: Value,
    /// A foreign row's own text.
    pub original: Option<String>,
}

/// A result row to store.
#[derive(Debug, Clone)]
pub struct NewRow {
    /// Its candidate; `None` for a foreign row.
    pub candidate_id: Option<Uuid>,
    /// The framework, as the row spells it.
    pub framework: String,
    /// The scenario's name.
    pub scenario: String,
    /// One of the five statuses of result rows.
    pub status: CandidateStatus,
    /// Whether it holds the SLA.
    pub sla_passed: Option<bool>,
    /// Requests per second.
    pub request_throughput: Option<f64>,
    /// Output tokens per second.
    pub output_token_throughput: Option<f64>,
    /// Median TTFT, ms.
    pub p50_ttft_ms: Option<f64>,
    /// Median TPOT, ms.
    pub p50_tpot_ms: Option<f64>,
    /// Whether its engine was simulated.
    pub simulated: bool,
    /// The row.
    pub row: Value,
    /// A foreign row's own text.
    pub original: Option<String>,
}

struct ResultRow {
    candidate_id: Option<Uuid>,
    ordinal: i32,
    framework: String,
    scenario: String,
    status: String,
    simulated: bool,
    row: Value,
    original: Option<String>,
}

impl TryFrom<ResultRow> for Row {
    type Error = Error;

    fn try_from(row: ResultRow) -> Result<Self> {
        Ok(Row {
            candidate_id: row.candidate_id,
            ordinal: row.ordinal,
            framework: row.framework,
            scenario: row.scenario,
            status: word("result_row.status", &row.status)?,
            simulated: row.simulated,
            row: row.row,
            original: row.original,
        })
    }
}

impl Store {
    /// Stores a run's rows in the given order, in place of the ones it had.
    pub async fn replace_rows(&self, lease: &Lease, rows: &[NewRow], events: &[NewEvent]) -> Result<()> {
        let mut tx = self.fenced(lease).await?;
        sqlx::query!("delete from result_row where run_id = $1", lease.run_id).execute(&mut *tx).await?;
        for (ordinal, new) in (0_i32..).zip(rows) {
            sqlx::query!(
                r#"insert into result_row (id, run_id, candidate_id, ordinal, framework, scenario, status, sla_passed,
                       request_throughput, output_token_throughput, p50_ttft_ms, p50_tpot_ms, simulated, "row", original)
                   values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14::text::json, $15)"#,
                crate::new_id(),
                lease.run_id,
                new.candidate_id,
                ordinal,
                new.framework,
                new.scenario,
                new.status.word(),
                new.sla_passed,
                new.request_throughput,
                new.output_token_throughput,
                new.p50_ttft_ms,
                new.p50_tpot_ms,
                new.simulated,
                ordered(&new.row),
                new.original
            )
            .execute(&mut *tx)
            .await?;
        }
        append(&mut tx, lease.run_id, events).await?;
        tx.commit().await?;
        Ok(())
    }

    /// A run's rows, in order.
    pub async fn rows(&self, run_id: Uuid) -> Result<Vec<Row>> {
        let rows = sqlx::query_as!(
            ResultRow,
            r#"select candidate_id, ordinal, framework, scenario, status, simulated, "row", original
               from result_row where run_id = $1 order by ordinal"#,
            run_id
        )
        .fetch_all(&self.pool)
        .await?;
        all(rows)
    }
}
