//! From the service's values to what crosses to the browser.

use podium_service::{Error, HostView, LogChunk, RunEvent, RunEventView};

use crate::dto::{HostChoice, LiveChange, LiveTick, LogPart, Measured};
use crate::error::{AppError, FieldProblem};
use crate::format::{bytes, counted, figure};
use crate::words;

impl From<Error> for AppError {
    fn from(error: Error) -> Self {
        match error {
            Error::Invalid { problems } => Self::Invalid {
                message: format!("the plan has {}", counted(problems.len() as u64, "problem", "problems")),
                fields: problems
                    .into_iter()
                    .map(|problem| FieldProblem { path: problem.path, message: problem.message })
                    .collect(),
            },
            Error::Forbidden { .. } => Self::Forbidden { message: error.to_string() },
            Error::NotFound { what } => Self::NotFound { what },
            Error::Conflict(message) => Self::Conflict { message },
            Error::Unavailable(message) => Self::Unavailable { message },
            Error::Internal { reference } => Self::Internal { reference: reference.to_string() },
        }
    }
}

impl From<HostView> for HostChoice {
    fn from(host: HostView) -> Self {
        let label = match &host.facts {
            Some(facts) => {
                let gpus = match facts.gpus.as_slice() {
                    [] => "no GPU".to_owned(),
                    [first, ..] => format!("{}×{}", facts.gpus.len(), first.model),
                };
                let memory = bytes(facts.memory_total_bytes);
                format!("{} · {gpus} · {} cores, {memory}", host.name, facts.cpu_cores)
            }
            None => format!("{} · not looked at yet", host.name),
        };
        Self { id: host.id.to_string(), label }
    }
}

impl From<LogChunk> for LogPart {
    fn from(chunk: LogChunk) -> Self {
        Self { text: chunk.text, next_offset: chunk.next_offset }
    }
}

/// What a watching page is told about one event.
#[derive(Clone, Debug, PartialEq)]
pub enum LiveEvent {
    /// One second of a measurement.
    Tick(LiveTick),
    /// Anything else.
    Change(LiveChange),
}

impl From<RunEventView> for LiveEvent {
    fn from(view: RunEventView) -> Self {
        let plain = |text: String| LiveChange { text, began: None, ended: None, is_final: false };
        let because = |reason: Option<String>| reason.map(|reason| format!(": {reason}")).unwrap_or_default();
        Self::Change(match view.event {
            RunEvent::Tick { measurement_id, ended, planned, point } => {
                return Self::Tick(LiveTick {
                    measurement_id: measurement_id.to_string(),
                    ended,
                    planned,
                    t_s: point.t_s,
                    completed: point.completed,
                    failed: point.failed,
                    in_flight: point.in_flight,
                    output_tokens: point.output_tokens,
                    ttft_p50_ms: point.ttft_p50_ms,
                });
            }
            RunEvent::Run { status, failure } => {
                LiveChange { is_final: status.is_final(), ..plain(format!("the run is {status}{}", because(failure))) }
            }
            RunEvent::Candidate { candidate_id, status, reason } => {
                plain(format!("{candidate_id} is {status}{}", because(reason)))
            }
            RunEvent::Launch { candidate_id, state, detail, .. } => {
                plain(format!("{candidate_id} is {state}{}", because(detail)))
            }
            RunEvent::Measurement {
                measurement_id,
                candidate_id,
                scenario,
                load_point,
                repeat,
                status,
                request_throughput,
                ..
            } => {
                let load = repeat.appended_to(&format!("{scenario} at {load_point}"));
                let headline = request_throughput.map(|rate| format!(", {} req/s", figure(rate))).unwrap_or_default();
                let text = format!("{candidate_id}: {load} is {status}{headline}");
                let id = measurement_id.to_string();
                if words::is_being_taken(status) {
                    LiveChange { began: Some(Measured { measurement_id: id, load, candidate_id }), ..plain(text) }
                } else {
                    LiveChange { ended: words::is_settled(status).then_some(id), ..plain(text) }
                }
            }
            RunEvent::Report { .. } => plain("the report is ready".to_owned()),
            RunEvent::Preflight { check } => plain(check.line()),
            RunEvent::Note { text } => plain(text),
        })
    }
}
