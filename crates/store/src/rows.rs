//! Result rows: what a run says about each candidate in each scenario, as exported.

use podium_domain::status::CandidateStatus;
use serde_json::Value;
use sqlx::PgConnection;
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

/// Rows of one statement: an import has tens of thousands.
const ROWS_PER_STATEMENT: usize = 1000;

/// Adds the rows of a run that has none, in the given order.
pub(crate) async fn insert(tx: &mut PgConnection, run_id: Uuid, rows: &[NewRow]) -> Result<()> {
    let mut next = 0_i32;
    for rows in rows.chunks(ROWS_PER_STATEMENT) {
        let ids: Vec<Uuid> = rows.iter().map(|_| crate::new_id()).collect();
        let candidates: Vec<Option<Uuid>> = rows.iter().map(|row| row.candidate_id).collect();
        let ordinals: Vec<i32> = (next..).take(rows.len()).collect();
        let frameworks: Vec<&str> = rows.iter().map(|row| row.framework.as_str()).collect();
        let scenarios: Vec<&str> = rows.iter().map(|row| row.scenario.as_str()).collect();
        let statuses: Vec<&str> = rows.iter().map(|row| row.status.word()).collect();
        let passed: Vec<Option<bool>> = rows.iter().map(|row| row.sla_passed).collect();
        let figures = |figure: fn(&NewRow) -> Option<f64>| rows.iter().map(figure).collect::<Vec<_>>();
        let simulated: Vec<bool> = rows.iter().map(|row| row.simulated).collect();
        let texts: Vec<String> = rows.iter().map(|row| ordered(&row.row)).collect();
        let originals: Vec<Option<&str>> = rows.iter().map(|row| row.original.as_deref()).collect();
        sqlx::query!(
            r#"insert into result_row (id, run_id, candidate_id, ordinal, framework, scenario, status, sla_passed,
                   request_throughput, output_token_throughput, p50_ttft_ms, p50_tpot_ms, simulated, "row", original)
               select id, $1, candidate_id, ordinal, framework, scenario, status, sla_passed, requests, tokens, ttft,
                   tpot, simulated, "row"::json, original
               from unnest($2::uuid[], $3::uuid[], $4::int[], $5::text[], $6::text[], $7::text[], $8::bool[],
                   $9::float8[], $10::float8[], $11::float8[], $12::float8[], $13::bool[], $14::text[], $15::text[])
                   as new (id, candidate_id, ordinal, framework, scenario, status, sla_passed, requests, tokens, ttft,
                       tpot, simulated, "row", original)"#,
            run_id,
            &ids,
            &candidates as &[Option<Uuid>],
            &ordinals,
            &frameworks as &[&str],
            &scenarios as &[&str],
            &statuses as &[&str],
            &passed as &[Option<bool>],
            &figures(|row| row.request_throughput) as &[Option<f64>],
            &figures(|row| row.output_token_throughput) as &[Option<f64>],
            &figures(|row| row.p50_ttft_ms) as &[Option<f64>],
            &figures(|row| row.p50_tpot_ms) as &[Option<f64>],
            &simulated,
            &texts,
            &originals as &[Option<&str>]
        )
        .execute(&mut *tx)
        .await?;
        next += i32::try_from(rows.len()).unwrap_or(i32::MAX);
    }
    Ok(())
}

impl Store {
    /// Stores a run's rows in the given order, in place of the ones it had.
    pub async fn replace_rows(&self, lease: &Lease, rows: &[NewRow], events: &[NewEvent]) -> Result<()> {
        let mut tx = self.fenced(lease).await?;
        sqlx::query!("delete from result_row where run_id = $1", lease.run_id).execute(&mut *tx).await?;
        insert(&mut tx, lease.run_id, rows).await?;
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
