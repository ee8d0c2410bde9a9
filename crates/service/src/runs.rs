//! Starting runs, listing them, looking at one, and cancelling.

use std::collections::HashMap;

use podium_domain::confidence::{EndedMeasurement, Repeat, choose};
use podium_domain::framework::Framework;
use podium_domain::plan::Plan;
use podium_domain::status::{CandidateStatus, LaunchState, MeasurementStatus, RunStatus};
use podium_domain::telemetry::TelemetrySummary;
use podium_formats::plan::Problem;
use podium_store::{Candidate, Launch, Measurement, NewAuditEntry, NewRun, Run, RunKind};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::caller::{Caller, Role};
use crate::datasets::read_plan;
use crate::error::{Error, Result};
use crate::events::stored;
use crate::review::run_item;
use crate::service::Service;
use crate::views::{
    CandidateView, CellView, LaunchView, LogChunk, MeasurementView, RunEvent, RunView, SmokeChoice, StartRun,
};

/// How a run was asked for, as stored with it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct RunOptions {
    /// Frameworks of the plan that the user left out.
    #[serde(default)]
    pub(crate) excluded: Vec<Framework>,
    /// See [`StartRun::skip_missing`].
    #[serde(default)]
    pub(crate) skip_missing: bool,
    /// See [`StartRun::idle_engines`].
    #[serde(default)]
    pub(crate) idle_engines: bool,
    /// See [`StartRun::smoke`].
    #[serde(default)]
    pub(crate) smoke: SmokeChoice,
}

/// Bytes of a log that one request gets.
const LOG_CHUNK_BYTES: usize = 64 << 10;

/// In which pass of its run a measurement belongs, and which repeat it is.
pub(crate) fn repeat_of(plan: &Plan, measurement: &Measurement) -> Repeat {
    Repeat { number: u32::try_from(measurement.repeat).unwrap_or(0), of: plan.repeats() }
}

/// The measurements of one candidate and scenario that compete for the row: those of the plan's primary load mode that
/// have ended, as [`choose`] takes them.
pub(crate) fn ended_in_primary_mode<'a>(
    plan: &Plan,
    measurements: &[&'a Measurement],
) -> (Vec<&'a Measurement>, Vec<EndedMeasurement<'a>>) {
    let primary = plan.benchmark.primary_mode();
    let has_ended = |m: &&&Measurement| matches!(m.status, MeasurementStatus::Done | MeasurementStatus::Failed);
    let competing = measurements.iter().filter(|m| m.load_mode == primary).filter(has_ended).copied();
    competing
        .map(|m| {
            let holds = |summary| plan.sla.holds(summary, m.load_point.is_open_loop());
            let ended = EndedMeasurement {
                repeat: repeat_of(plan, m).number,
                load_point: m.load_point,
                measurement_id: m.id.to_string(),
                summary: m.summary.as_ref(),
                holds: m.summary.as_ref().is_some_and(holds),
                failure_reason: m.failure_reason.as_deref(),
            };
            (m, ended)
        })
        .unzip()
}

/// Whether a command starts one of Podium's simulated engines.
pub(crate) fn is_simulated(argv: &[String]) -> bool {
    let program = argv.first().and_then(|word| word.rsplit('/').next());
    program == Some("podium") && argv.get(1).is_some_and(|word| word == "sim")
}

/// Whether a launch was a minimal server of the preflight, by which nothing was measured.
pub(crate) fn is_smoke(launch: &Launch) -> bool {
    launch.facts.as_ref().and_then(|facts| facts.get("smoke")) == Some(&Value::Bool(true))
}

impl Service {
    /// Queues a run of a plan; its id.
    ///
    /// # Errors
    /// [`Error::Invalid`] with every problem of the plan; nothing is started then.
    pub async fn start_run(&self, caller: Caller, start: StartRun) -> Result<Uuid> {
        caller.require(Role::Runner)?;
        let yaml = start.yaml.clone();
        let reading = tokio::task::spawn_blocking(move || read_plan(&yaml)).await.map_err(Error::internal)?;
        let Some(mut plan) = reading.plan else { return Err(Error::Invalid { problems: reading.problems }) };
        let excluded = exclude(&mut plan, start.frameworks.as_deref())?;
        let sets = podium_domain::candidate::generate_all(&plan)
            .map_err(|error| Error::Invalid { problems: vec![Problem::new("frameworks", None, error.to_string())] })?;
        let simulated = sets.iter().flat_map(|set| &set.candidates).any(|candidate| is_simulated(&candidate.argv));
        let host = match start.host_id {
            Some(id) => self.store().host(id).await?,
            None => self.this_machine(caller).await?,
        };
        let options = RunOptions {
            excluded,
            skip_missing: start.skip_missing,
            idle_engines: start.idle_engines,
            smoke: start.smoke,
        };
        let new = NewRun {
            plan: None,
            plan_yaml: start.yaml,
            plan_json: serde_json::to_value(&plan).map_err(Error::internal)?,
            options: serde_json::to_value(&options).map_err(Error::internal)?,
            title: plan.title(),
            model: plan.model.name.clone(),
            frameworks: plan.frameworks.keys().copied().collect(),
            flow_check: plan.is_flow_check(),
            simulated,
            host_id: host.id,
            created_by: caller.person,
        };
        let queued = stored(&RunEvent::Run { status: RunStatus::Queued, failure: None });
        let id = self.store().create_run(&new, &[queued]).await?;
        self.audit(caller, "run.start", format!("run {id}"), json!({ "title": new.title })).await?;
        Ok(id)
    }

    /// One run, whole.
    pub async fn run(&self, caller: Caller, id: Uuid) -> Result<RunView> {
        caller.require(Role::Viewer)?;
        let store = self.store();
        let run = store.run(id).await?;
        if run.kind == RunKind::Imported {
            return self.imported_run(run).await;
        }
        let plan: Plan = serde_json::from_value(run.plan.clone()).map_err(Error::internal)?;
        let candidates = store.candidates(id).await?;
        let mut launches = store.launches(id).await?;
        launches.retain(|launch| !is_smoke(launch));
        let preflight = store.run_preflight(id).await?.and_then(|found| serde_json::from_value(found).ok());
        let measurements = store.measurements(id).await?;
        let report_id = store.report_of_run(id).await?.map(|report| report.id);
        let ended = measurements.iter().filter(|m| m.ended_at.is_some()).count() as u64;
        let scenarios: Vec<String> = plan.dataset.scenarios.iter().map(|scenario| scenario.name.clone()).collect();
        let activity = activity(&run, &plan, &candidates, &launches, &measurements);
        let baselines: HashMap<Framework, Value> =
            candidates.iter().filter(|c| c.baseline).map(|c| (c.framework, c.flags.clone())).collect();
        let candidates = candidates
            .iter()
            .map(|candidate| candidate_view(&plan, &scenarios, candidate, &baselines, &launches, &measurements))
            .collect();
        Ok(RunView {
            item: run_item(&run),
            notes: run.notes,
            imported: Vec::new(),
            files: Vec::new(),
            yaml: run.plan_yaml,
            failure: run.failure,
            preflight,
            scenarios,
            candidates,
            activity,
            measured: ended,
            planned: measurements.len() as u64,
            last_seq: run.last_event_seq,
            report_id,
        })
    }

    /// Asks for the end of a run. Its worker stops what it started and keeps what was measured.
    ///
    /// # Errors
    /// [`Error::Conflict`] when the run has ended already.
    pub async fn cancel_run(&self, caller: Caller, id: Uuid) -> Result<()> {
        caller.require(Role::Runner)?;
        let status =
            self.store().request_cancel(id, |status| vec![stored(&RunEvent::Run { status, failure: None })]).await?;
        if matches!(status, RunStatus::Completed | RunStatus::Failed) {
            return Err(Error::Conflict(format!("the run is {status} already")));
        }
        self.audit(caller, "run.cancel", format!("run {id}"), json!({})).await
    }

    /// A part of a launch's log from byte `offset` on, at most 64 KiB. While the engine runs, this is what its worker has
    /// told so far, a second ago at most; a middle that came too fast is left out then.
    pub async fn launch_log(&self, caller: Caller, launch_id: Uuid, offset: u64) -> Result<LogChunk> {
        caller.require(Role::Viewer)?;
        let launch = self.store().launch(launch_id).await?;
        let chunk = |offset: u64, bytes: &[u8]| LogChunk {
            offset,
            text: String::from_utf8_lossy(bytes).into_owned(),
            next_offset: offset + bytes.len() as u64,
        };
        if let Some(artifact) = launch.log_artifact_id {
            let start = i64::try_from(offset).unwrap_or(i64::MAX);
            let Some(part) = self.store().artifact_part(artifact, start).await? else { return Ok(chunk(offset, &[])) };
            let kept = whole_characters(&part.bytes[..part.bytes.len().min(LOG_CHUNK_BYTES)]);
            return Ok(chunk(u64::try_from(part.offset).unwrap_or(offset), kept));
        }
        let start = i64::try_from(offset).unwrap_or(i64::MAX);
        let Some(part) = self.store().live_log(launch_id, start).await? else { return Ok(chunk(offset, &[])) };
        let skipped = usize::try_from(start - part.start_offset).unwrap_or(0);
        let bytes = &part.text.as_bytes()[skipped.min(part.text.len())..];
        let kept = whole_characters(&bytes[..bytes.len().min(LOG_CHUNK_BYTES)]);
        Ok(chunk(u64::try_from(part.start_offset).unwrap_or(0).max(offset), kept))
    }

    pub(crate) async fn audit(&self, caller: Caller, action: &str, subject: String, detail: Value) -> Result<()> {
        let entry = NewAuditEntry { person: caller.person, action: action.to_owned(), subject, detail };
        self.store().audit(&entry).await?;
        Ok(())
    }
}

/// Leaves out the frameworks that are not in `only`; which ones those were.
pub(crate) fn exclude(plan: &mut Plan, only: Option<&[Framework]>) -> Result<Vec<Framework>> {
    let Some(only) = only else { return Ok(Vec::new()) };
    let excluded = plan.frameworks.keys().copied().filter(|framework| !only.contains(framework)).collect();
    plan.frameworks.retain(|framework, _| only.contains(framework));
    if plan.frameworks.is_empty() {
        let message = "none of the chosen frameworks is enabled in the plan; choose at least one of its own";
        return Err(Error::Invalid { problems: vec![Problem::new("frameworks", None, message)] });
    }
    Ok(excluded)
}

/// The bytes without a character that is cut off at their end.
fn whole_characters(bytes: &[u8]) -> &[u8] {
    match std::str::from_utf8(bytes) {
        Err(error) if error.error_len().is_none() && error.valid_up_to() > 0 => &bytes[..error.valid_up_to()],
        _ => bytes,
    }
}

fn candidate_view(
    plan: &Plan,
    scenarios: &[String],
    candidate: &Candidate,
    baselines: &HashMap<Framework, Value>,
    launches: &[Launch],
    measurements: &[Measurement],
) -> CandidateView {
    let text_list = |key: &str| match candidate.failure.as_ref().and_then(|failure| failure.get(key)) {
        Some(Value::Array(lines)) => lines.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        Some(Value::String(text)) => vec![text.clone()],
        _ => Vec::new(),
    };
    let launch = launches.iter().rev().find(|launch| launch.candidate_id == candidate.id);
    CandidateView {
        framework: candidate.framework,
        candidate_id: candidate.candidate_id.clone(),
        differs: differences(&candidate.flags, baselines.get(&candidate.framework)),
        command: candidate.command.clone(),
        status: candidate.status,
        failure_reason: candidate.failure_reason.clone(),
        evidence: text_list("evidence"),
        hint: text_list("hint").into_iter().next(),
        launch: launch.map(launch_view),
        cells: scenarios.iter().map(|scenario| cell(plan, scenario, candidate, measurements)).collect(),
    }
}

/// The flags that differ from the baseline's, `name=value` each.
fn differences(flags: &Value, baseline: Option<&Value>) -> Vec<String> {
    let Some(flags) = flags.as_object() else { return Vec::new() };
    let same = |name: &String, value: &Value| baseline.and_then(|baseline| baseline.get(name)) == Some(value);
    flags
        .iter()
        .filter(|(name, value)| !same(name, value))
        .map(|(name, value)| format!("{name}={}", podium_domain::flags::word(value)))
        .collect()
}

fn launch_view(launch: &Launch) -> LaunchView {
    LaunchView {
        id: launch.id,
        state: launch.state,
        command: launch.command.clone(),
        version: launch.version.clone(),
        ready_after_s: launch.ready_at.map(|ready| (ready - launch.started_at).as_seconds_f64()),
    }
}

fn cell(plan: &Plan, scenario: &str, candidate: &Candidate, measurements: &[Measurement]) -> CellView {
    let own: Vec<&Measurement> =
        measurements.iter().filter(|m| m.candidate_id == candidate.id && m.scenario == scenario).collect();
    let (competing, ended) = ended_in_primary_mode(plan, &own);
    let best = choose(&ended).index.map(|index| competing[index].id);
    CellView {
        best: own.iter().position(|m| Some(m.id) == best),
        measurements: own
            .into_iter()
            .map(|m| MeasurementView {
                id: m.id,
                load_point: m.load_point,
                repeat: repeat_of(plan, m),
                status: m.status,
                failure_reason: m.failure_reason.clone(),
                sla_passed: m.sla_passed,
                summary: m.summary.clone(),
                series: m.series.clone().unwrap_or_default(),
                telemetry: telemetry_of(m),
            })
            .collect(),
    }
}

/// What was read beside a measurement. What another version wrote in another form is as good as nothing.
pub(crate) fn telemetry_of(measurement: &Measurement) -> Option<TelemetrySummary> {
    serde_json::from_value(measurement.telemetry.clone()?).ok()
}

/// What is going on, in words.
fn activity(
    run: &Run,
    plan: &Plan,
    candidates: &[Candidate],
    launches: &[Launch],
    measurements: &[Measurement],
) -> String {
    match run.status {
        RunStatus::Queued => return "waiting for a worker".to_owned(),
        RunStatus::Cancelling => return "stopping what was started".to_owned(),
        RunStatus::Cancelled => return "cancelled".to_owned(),
        RunStatus::Completed => return "every candidate was tried".to_owned(),
        RunStatus::Failed => return "failed".to_owned(),
        RunStatus::Running => {}
    }
    let name = |id: Uuid| candidates.iter().find(|c| c.id == id).map_or("a candidate", |c| c.candidate_id.as_str());
    if let Some(m) = measurements.iter().find(|m| m.status == MeasurementStatus::Measuring) {
        let what = format!("measuring {} at {} on {}", m.scenario, m.load_point, name(m.candidate_id));
        return repeat_of(plan, m).appended_to(&what);
    }
    // A candidate of the second pass has ended its own; what is launched of it tells.
    let launched = launches.iter().find(|launch| launch.ended_at.is_none()).map(|launch| launch.candidate_id);
    let running = candidates
        .iter()
        .find(|candidate| candidate.status == CandidateStatus::Running)
        .or_else(|| candidates.iter().find(|candidate| Some(candidate.id) == launched));
    let Some(candidate) = running else { return "preparing".to_owned() };
    let launch = launches.iter().rev().find(|launch| launch.candidate_id == candidate.id);
    let doing = match launch.map(|launch| launch.state) {
        Some(LaunchState::Starting | LaunchState::Loading) | None => "starting",
        Some(LaunchState::Draining | LaunchState::Stopped | LaunchState::Failed) => "stopping",
        Some(LaunchState::Ready | LaunchState::Warm | LaunchState::Measuring) => "measuring",
    };
    let doing = format!("{doing} {}", candidate.candidate_id);
    let is_next = |m: &&Measurement| m.candidate_id == candidate.id && m.status == MeasurementStatus::Pending;
    match measurements.iter().find(is_next) {
        Some(next) => repeat_of(plan, next).appended_to(&doing),
        None => doing,
    }
}
