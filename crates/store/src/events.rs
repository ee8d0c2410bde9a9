//! What happened in a run, numbered without gaps.

use serde::Serialize;
use serde_json::Value;
use sqlx::PgConnection;
use sqlx::postgres::PgListener;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::convert::encode;
use crate::error::{Error, Result};
use crate::lease::Lease;
use crate::pool::Store;

/// The notification channel; the payload is the run's id.
const CHANNEL: &str = "run_event";

/// An event to store. The kind is told apart by whoever writes and reads events, not by the store.
#[derive(Debug, Clone, PartialEq)]
pub struct NewEvent {
    /// For example `candidate` or `tick`.
    pub kind: String,
    /// The event, its kind included.
    pub body: Value,
}

impl NewEvent {
    /// From a value that serialises as an object with the text field `kind`.
    pub fn tagged(event: &impl Serialize) -> Result<Self> {
        let body = encode("run_event.body", event)?;
        match body.get("kind").and_then(Value::as_str) {
            Some(kind) => Ok(NewEvent { kind: kind.to_owned(), body }),
            None => Err(Error::Value { column: "run_event.kind", reason: "the event has no field `kind`".to_owned() }),
        }
    }
}

/// A stored event.
#[derive(Debug, Clone, PartialEq)]
pub struct RunEvent {
    /// Its number within the run, from 1 without gaps.
    pub seq: i64,
    /// When it was stored.
    pub at: OffsetDateTime,
    /// Its kind.
    pub kind: String,
    /// The event, its kind included.
    pub body: Value,
}

/// Why a listener woke up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wake {
    /// This run has new events.
    Run(Uuid),
    /// The connection was lost and made again: any run may have new events.
    Any,
}

/// Hears of new events of all runs, over a connection of its own.
#[derive(Debug)]
pub struct EventListener {
    listener: PgListener,
}

impl EventListener {
    /// Waits for the next wake-up. May be dropped and called again without losing one.
    pub async fn next(&mut self) -> Result<Wake> {
        loop {
            let Some(notification) = self.listener.try_recv().await? else { return Ok(Wake::Any) };
            match notification.payload().parse() {
                Ok(run_id) => return Ok(Wake::Run(run_id)),
                Err(_) => tracing::warn!(payload = notification.payload(), "a notification that is no run id"),
            }
        }
    }
}

impl Store {
    /// Appends events that come with no other change, for example a measurement's ticks; the last one's number.
    pub async fn append_events(&self, lease: &Lease, events: &[NewEvent]) -> Result<Option<i64>> {
        let mut tx = self.fenced(lease).await?;
        let last = append(&mut tx, lease.run_id, events).await?;
        tx.commit().await?;
        Ok(last)
    }

    /// At most `limit` events of a run after number `seq`, in order.
    pub async fn events_after(&self, run_id: Uuid, seq: i64, limit: i64) -> Result<Vec<RunEvent>> {
        Ok(sqlx::query_as!(
            RunEvent,
            "select seq, at, kind, body from run_event where run_id = $1 and seq > $2 order by seq limit $3",
            run_id,
            seq,
            limit
        )
        .fetch_all(&self.pool)
        .await?)
    }

    /// Starts to hear of new events. What was stored before is not told: read [`Store::events_after`] once afterwards.
    pub async fn listen(&self) -> Result<EventListener> {
        let mut listener = PgListener::connect_with(&self.pool).await?;
        listener.listen(CHANNEL).await?;
        Ok(EventListener { listener })
    }
}

/// Appends within a transaction; the last number, `None` for no events.
///
/// Taking the numbers locks the run's row until the transaction ends: numbers appear in order and without gaps, and
/// a reader that saw number n will never see a smaller one appear later.
pub(crate) async fn append(tx: &mut PgConnection, run_id: Uuid, events: &[NewEvent]) -> Result<Option<i64>> {
    if events.is_empty() {
        return Ok(None);
    }
    let kinds: Vec<String> = events.iter().map(|event| event.kind.clone()).collect();
    let bodies: Vec<Value> = events.iter().map(|event| event.body.clone()).collect();
    let count = i64::try_from(events.len()).unwrap_or(i64::MAX);
    let first = sqlx::query_scalar!(
        r#"update run set next_event_seq = next_event_seq + $2 where id = $1 returning next_event_seq - $2 as "first!""#,
        run_id,
        count
    )
    .fetch_optional(&mut *tx)
    .await?
    .ok_or_else(Error::not_found("run"))?;
    sqlx::query!(
        "insert into run_event (run_id, seq, at, kind, body)
         select $1, $2 + e.n - 1, clock_timestamp(), e.kind, e.body
         from unnest($3::text[], $4::jsonb[]) with ordinality as e (kind, body, n)",
        run_id,
        first,
        &kinds,
        &bodies
    )
    .execute(&mut *tx)
    .await?;
    sqlx::query!("select pg_notify($1, $2) as sent", CHANNEL, run_id.to_string()).fetch_one(&mut *tx).await?;
    Ok(Some(first + count - 1))
}
