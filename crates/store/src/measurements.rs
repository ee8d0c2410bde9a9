//! Measurements, from planned to done.

use std::time::Duration;

use podium_domain::load::{LoadMode, LoadPoint};
use podium_domain::measure::{SeriesPoint, Summary};
use podium_domain::stats::Distribution;
use podium_domain::status::MeasurementStatus;
use serde_json::Value;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::convert::{all, decode, encode, word};
use crate::error::{Error, Result};
use crate::events::{NewEvent, append};
use crate::lease::Lease;
use crate::pool::Store;

/// A measurement.
#[derive(Debug, Clone, PartialEq)]
pub struct Measurement {
    /// The measurement.
    pub id: Uuid,
    /// Whose it is.
    pub candidate_id: Uuid,
    /// The launch that it was taken on.
    pub launch_id: Option<Uuid>,
    /// The scenario's name.
    pub scenario: String,
    /// The kind of load that it belongs to; a probe of a rate search belongs to the search.
    pub load_mode: LoadMode,
    /// The load.
    pub load_point: LoadPoint,
    /// Which repeat, from 0.
    pub repeat: i32,
    /// Which attempt, from 1.
    pub attempt: i32,
    /// Where it is.
    pub status: MeasurementStatus,
    /// Why it failed or was skipped.
    pub failure_reason: Option<String>,
    /// Whether the engine was simulated.
    pub simulated: bool,
    /// When it was begun.
    pub started_at: Option<OffsetDateTime>,
    /// When it ended.
    pub ended_at: Option<OffsetDateTime>,
    /// Whether it held the SLA; `None` before it is done and where there is none.
    pub sla_passed: Option<bool>,
    /// Its figures, once done.
    pub summary: Option<Summary>,
    /// Its series, a point a second, once done.
    pub series: Option<Vec<SeriesPoint>>,
    /// What the engine and the host said meanwhile.
    pub telemetry: Option<Value>,
}

/// A measurement to plan, or to record as skipped.
#[derive(Debug, Clone)]
pub struct NewMeasurement {
    /// Whose it is.
    pub candidate_id: Uuid,
    /// The scenario's name.
    pub scenario: String,
    /// The kind of load that it belongs to.
    pub load_mode: LoadMode,
    /// The load.
    pub load_point: LoadPoint,
    /// Which repeat, from 0.
    pub repeat: i32,
    /// Which attempt, from 1.
    pub attempt: i32,
    /// Whether the engine is simulated.
    pub simulated: bool,
}

/// What a measurement yielded.
#[derive(Debug, Clone)]
pub struct FinishedMeasurement {
    /// Its figures, the verdict on its validity included.
    pub summary: Summary,
    /// Its series, a point a second.
    pub series: Vec<SeriesPoint>,
    /// What the engine and the host said meanwhile.
    pub telemetry: Option<Value>,
    /// Whether it held the SLA; `None` where there is none.
    pub sla_passed: Option<bool>,
    /// Its requests.
    pub samples: Option<Samples>,
    /// How long after its start it ended; `None` where it ends as it is stored. Not a time of day: the clocks of worker
    /// and database may differ, and one that is stored late keeps its end.
    pub took: Option<Duration>,
}

/// All requests of one measurement, compressed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Samples {
    /// How they are laid out and compressed, for example `columns-v1+zstd`.
    pub codec: String,
    /// The blob.
    pub bytes: Vec<u8>,
}

struct MeasurementRow {
    id: Uuid,
    candidate_id: Uuid,
    launch_id: Option<Uuid>,
    scenario: String,
    load_mode: String,
    load_point: Value,
    repeat: i32,
    attempt: i32,
    status: String,
    failure_reason: Option<String>,
    simulated: bool,
    started_at: Option<OffsetDateTime>,
    ended_at: Option<OffsetDateTime>,
    sla_passed: Option<bool>,
    summary: Option<Value>,
    series: Option<Value>,
    telemetry: Option<Value>,
}

impl TryFrom<MeasurementRow> for Measurement {
    type Error = Error;

    fn try_from(row: MeasurementRow) -> Result<Self> {
        Ok(Measurement {
            id: row.id,
            candidate_id: row.candidate_id,
            launch_id: row.launch_id,
            scenario: row.scenario,
            load_mode: decode("measurement.load_mode", Value::String(row.load_mode))?,
            load_point: decode("measurement.load_point", row.load_point)?,
            repeat: row.repeat,
            attempt: row.attempt,
            status: word("measurement.status", &row.status)?,
            failure_reason: row.failure_reason,
            simulated: row.simulated,
            started_at: row.started_at,
            ended_at: row.ended_at,
            sla_passed: row.sla_passed,
            summary: row.summary.map(|value| decode("measurement.summary", value)).transpose()?,
            series: row.series.map(|value| decode("measurement.series", value)).transpose()?,
            telemetry: row.telemetry,
        })
    }
}

macro_rules! select_measurements {
    ($tail:tt $(, $arg:expr)*) => {
        sqlx::query_as!(
            MeasurementRow,
            "select m.id, m.candidate_id, m.launch_id, m.scenario, m.load_mode, m.load_point, m.repeat, m.attempt,
                 m.status, m.failure_reason, m.simulated, m.started_at, m.ended_at, m.sla_passed, m.summary, m.series,
                 m.telemetry
             from measurement m join candidate on candidate.id = m.candidate_id " + $tail
            $(, $arg)*
        )
    };
}

impl Store {
    /// Plans measurements as `pending`; their ids in the same order. One that exists already (same candidate, scenario,
    /// load, repeat and attempt) is a conflict (`measurement_tuple_key`), and then none is stored.
    pub async fn insert_measurements(
        &self,
        lease: &Lease,
        measurements: &[NewMeasurement],
        events: &[NewEvent],
    ) -> Result<Vec<Uuid>> {
        let mut tx = self.fenced(lease).await?;
        let mut ids = Vec::with_capacity(measurements.len());
        for new in measurements {
            let id = crate::new_id();
            let done = sqlx::query!(
                "insert into measurement (id, candidate_id, scenario, load_mode, load_point, load_key, repeat, attempt,
                     simulated)
                 select $1, candidate.id, $4, $5, $6, $7, $8, $9, $10
                 from candidate where candidate.id = $2 and candidate.run_id = $3",
                id,
                new.candidate_id,
                lease.run_id,
                new.scenario,
                new.load_mode.word(),
                encode("measurement.load_point", &new.load_point)?,
                new.load_point.key(),
                new.repeat,
                new.attempt,
                new.simulated
            )
            .execute(&mut *tx)
            .await?;
            if done.rows_affected() == 0 {
                return Err(Error::NotFound { what: "candidate" });
            }
            ids.push(id);
        }
        append(&mut tx, lease.run_id, events).await?;
        tx.commit().await?;
        Ok(ids)
    }

    /// Marks a measurement as being taken on `launch_id`. Also one whose worker died while it took it.
    pub async fn start_measurement(&self, lease: &Lease, id: Uuid, launch_id: Uuid, events: &[NewEvent]) -> Result<()> {
        let mut tx = self.fenced(lease).await?;
        let done = sqlx::query!(
            "update measurement set status = 'measuring', launch_id = $3, started_at = now()
             where id = $1 and status in ('pending', 'measuring')
               and candidate_id in (select candidate.id from candidate where candidate.run_id = $2)",
            id,
            lease.run_id,
            launch_id
        )
        .execute(&mut *tx)
        .await?;
        if done.rows_affected() == 0 {
            return Err(Error::Conflict { constraint: "measurement_is_unfinished".to_owned() });
        }
        append(&mut tx, lease.run_id, events).await?;
        tx.commit().await?;
        Ok(())
    }

    /// Stores what a measurement yielded, its requests and its events in one transaction.
    ///
    /// Answers whether it was new: storing the same measurement once more changes nothing, so that a result that was
    /// kept on disk while the database was away can be replayed.
    pub async fn finish_measurement(
        &self,
        lease: &Lease,
        id: Uuid,
        finished: &FinishedMeasurement,
        events: &[NewEvent],
    ) -> Result<bool> {
        let summary = &finished.summary;
        let p50 = |distribution: &Option<Distribution>| distribution.as_ref().map(|values| values.p50);
        let mut tx = self.fenced(lease).await?;
        let done = sqlx::query!(
            "update measurement set status = 'done', failure_reason = null,
                 ended_at = coalesce(started_at + make_interval(secs => $16), now()),
                 request_throughput = $3, output_token_throughput = $4, total_token_throughput = $5,
                 p50_ttft_ms = $6, p50_user_ttft_ms = $7, p50_tpot_ms = $8, p50_e2e_ms = $9, success_rate = $10,
                 sla_passed = $11, validity = $12, summary = $13, series = $14, telemetry = $15
             where id = $1 and status in ('pending', 'measuring')
               and candidate_id in (select candidate.id from candidate where candidate.run_id = $2)",
            id,
            lease.run_id,
            summary.request_throughput,
            summary.output_token_throughput,
            summary.total_token_throughput,
            p50(&summary.ttft_ms),
            p50(&summary.user_ttft_ms),
            p50(&summary.tpot_ms),
            p50(&summary.e2e_ms),
            summary.success_rate,
            finished.sla_passed,
            summary.validity.word(),
            encode("measurement.summary", summary)?,
            encode("measurement.series", &finished.series)?,
            finished.telemetry,
            finished.took.map(|took| took.as_secs_f64())
        )
        .execute(&mut *tx)
        .await?;
        if done.rows_affected() == 0 {
            let status = sqlx::query_scalar!(
                "select m.status from measurement m join candidate on candidate.id = m.candidate_id
                 where m.id = $1 and candidate.run_id = $2",
                id,
                lease.run_id
            )
            .fetch_optional(&mut *tx)
            .await?
            .ok_or_else(Error::not_found("measurement"))?;
            return match word("measurement.status", &status)? {
                MeasurementStatus::Done => Ok(false),
                _ => Err(Error::Conflict { constraint: "measurement_is_unfinished".to_owned() }),
            };
        }
        if let Some(samples) = &finished.samples {
            sqlx::query!(
                "insert into measurement_samples (measurement_id, codec, bytes) values ($1, $2, $3)",
                id,
                samples.codec,
                samples.bytes
            )
            .execute(&mut *tx)
            .await?;
        }
        append(&mut tx, lease.run_id, events).await?;
        tx.commit().await?;
        Ok(true)
    }

    /// Ends a measurement without a result: `failed` or `skipped`, with the reason.
    pub async fn give_up_measurement(
        &self,
        lease: &Lease,
        id: Uuid,
        status: MeasurementStatus,
        reason: &str,
        events: &[NewEvent],
    ) -> Result<()> {
        if !matches!(status, MeasurementStatus::Failed | MeasurementStatus::Skipped) {
            let reason = format!("`{status}` does not give up a measurement");
            return Err(Error::Value { column: "measurement.status", reason });
        }
        let mut tx = self.fenced(lease).await?;
        let done = sqlx::query!(
            "update measurement set status = $3, failure_reason = $4, ended_at = now()
             where id = $1 and status in ('pending', 'measuring')
               and candidate_id in (select candidate.id from candidate where candidate.run_id = $2)",
            id,
            lease.run_id,
            status.word(),
            reason
        )
        .execute(&mut *tx)
        .await?;
        if done.rows_affected() == 0 {
            return Err(Error::Conflict { constraint: "measurement_is_unfinished".to_owned() });
        }
        append(&mut tx, lease.run_id, events).await?;
        tx.commit().await?;
        Ok(())
    }

    /// A run's measurements, by candidate and in the order in which they were planned.
    pub async fn measurements(&self, run_id: Uuid) -> Result<Vec<Measurement>> {
        let rows = select_measurements!("where candidate.run_id = $1 order by candidate.ordinal, m.id", run_id)
            .fetch_all(&self.pool)
            .await?;
        all(rows)
    }

    /// One measurement.
    pub async fn measurement(&self, id: Uuid) -> Result<Measurement> {
        select_measurements!("where m.id = $1", id)
            .fetch_optional(&self.pool)
            .await?
            .ok_or_else(Error::not_found("measurement"))?
            .try_into()
    }

    /// A measurement's requests; `None` where none were stored.
    pub async fn samples(&self, measurement_id: Uuid) -> Result<Option<Samples>> {
        Ok(sqlx::query_as!(
            Samples,
            "select codec, bytes from measurement_samples where measurement_id = $1",
            measurement_id
        )
        .fetch_optional(&self.pool)
        .await?)
    }
}
