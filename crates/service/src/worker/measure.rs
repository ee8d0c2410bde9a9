//! One measurement: a load process of its own drives the engine while its ticks are stored and shown.

use std::time::{Duration, Instant};

use podium_domain::status::{LaunchState, MeasurementStatus};
use podium_launcher::{Engine, FailureClass, Host, LaunchFailure, LaunchStage};
use podium_loadgen::{LoadJob, LoadReport, TelemetrySpec};
use podium_store::{Candidate, FinishedMeasurement, Measurement, Samples};
use serde_json::json;
use uuid::Uuid;

use super::Halt;
use super::agent::{Agent, AgentError, Progress};
use super::job::job;
use super::lease_keeper::StopCause;
use super::run_task::RunTask;
use super::second_pass::FIRST_PASS;
use crate::events::stored;
use crate::runs::{is_simulated, repeat_of};
use crate::service::launch_folder;
use crate::views::RunEvent;

/// A ready engine as the load process sees it.
pub(super) struct Server {
    pub(super) launch_id: Uuid,
    /// The name to ask for in requests.
    pub(super) model: String,
}

/// How a measurement ended.
pub(super) enum Measured {
    /// It was taken, and holds the SLA or not. An invalid one does not hold it.
    Taken { holds: bool },
    /// It could not be taken; the reason is stored.
    NotTaken,
    /// The engine failed under it.
    EngineFailed(Box<LaunchFailure>),
}

impl Measured {
    pub(super) fn failure(self) -> Option<LaunchFailure> {
        match self {
            Measured::EngineFailed(failure) => Some(*failure),
            Measured::Taken { .. } | Measured::NotTaken => None,
        }
    }
}

/// The samples are stored as the load process wrote them; the file says its own version.
const SAMPLES_CODEC: &str = "podium-samples";

/// How the load ended.
enum LoadEnd {
    Report(Box<LoadReport>),
    EngineFailed(Box<LaunchFailure>),
    Trouble(AgentError),
}

impl RunTask<'_> {
    /// Takes a measurement, unless it is there already.
    pub(super) async fn measure_once(
        &self,
        candidate: &Candidate,
        engine: &Engine,
        server: &Server,
        measurement: &Measurement,
    ) -> Result<Measured, Halt> {
        self.check_signal()?;
        match measurement.status {
            MeasurementStatus::Done => {
                let holds = measurement.summary.as_ref().is_some_and(|summary| self.passes(measurement, summary));
                return Ok(Measured::Taken { holds });
            }
            MeasurementStatus::Failed | MeasurementStatus::Skipped => return Ok(Measured::NotTaken),
            MeasurementStatus::Pending | MeasurementStatus::Measuring => {}
        }
        let events = [
            stored(&self.launch_event(candidate, server.launch_id, LaunchState::Measuring, None)),
            stored(&self.measurement_event(candidate, measurement, MeasurementStatus::Measuring)),
        ];
        self.store().start_measurement(&self.lease, measurement.id, server.launch_id, &events).await?;
        let began = Instant::now();
        // Refused only where the engine has failed, which the load will find out.
        let _ = engine.enter(LaunchState::Measuring);
        let end = self.load(candidate, engine, server, measurement).await?;
        let _ = engine.enter(LaunchState::Warm);
        match end {
            LoadEnd::Report(report) => self.keep(candidate, server, measurement, *report, began).await,
            // A measurement whose node was taken away is nobody's failure: it is taken again.
            LoadEnd::EngineFailed(failure) if self.host().interruption().await.is_some() => {
                Ok(Measured::EngineFailed(failure))
            }
            LoadEnd::EngineFailed(failure) => {
                let reason = format!("the engine failed: {failure}");
                self.give_up(candidate, measurement, MeasurementStatus::Failed, &reason).await?;
                Ok(Measured::EngineFailed(failure))
            }
            LoadEnd::Trouble(error) => {
                self.give_up(candidate, measurement, MeasurementStatus::Failed, &error.to_string()).await?;
                Ok(Measured::NotTaken)
            }
        }
    }

    async fn load(
        &self,
        candidate: &Candidate,
        engine: &Engine,
        server: &Server,
        measurement: &Measurement,
    ) -> Result<LoadEnd, Halt> {
        let samples_path =
            launch_folder(self.worker.data_dir(), server.launch_id).join(format!("{}.samples", measurement.id));
        let job = match job(&self.plan, &engine.base_url(), server, measurement) {
            Ok(job) => LoadJob {
                samples_path: Some(samples_path),
                telemetry: Some(telemetry(candidate)),
                // A repeat is no probe: its figures are wanted whatever they are.
                end_when_lost: measurement.load_mode.is_search() && measurement.repeat == FIRST_PASS,
                ..job
            },
            Err(reason) => return Ok(LoadEnd::Trouble(AgentError::Refused(reason))),
        };
        let mut agent = match Agent::start(self.host(), &self.worker.options.agent, server.launch_id, job).await {
            Ok(agent) => agent,
            Err(error) => return Ok(or_engine_end(self.host(), engine, LoadEnd::Trouble(error)).await),
        };
        let end = loop {
            tokio::select! {
                progress = agent.next() => match progress {
                    Ok(Progress::Tick { point, counters }) => {
                        let ended = counters.completed + counters.failed;
                        let tick = RunEvent::Tick { measurement_id: measurement.id, ended, planned: counters.planned, point };
                        self.append_tick(&tick).await?;
                    }
                    Ok(Progress::Done(report)) => break LoadEnd::Report(report),
                    Err(error) => break LoadEnd::Trouble(error),
                },
                _ = engine.exited() => {
                    break LoadEnd::EngineFailed(Box::new(end_of(engine)));
                }
                () = self.signal.token().cancelled() => {
                    agent.finish().await;
                    return Err(Halt::Stop(self.signal.cause().unwrap_or(StopCause::Shutdown)));
                }
            }
        };
        let end = or_engine_end(self.host(), engine, end).await;
        let end = match end {
            LoadEnd::Report(mut report) => {
                if let Err(error) = agent.bring_samples(&mut report).await {
                    self.remark(format!("the requests of a measurement could not be copied from the host: {error}"))
                        .await;
                }
                LoadEnd::Report(report)
            }
            other => other,
        };
        agent.finish().await;
        Ok(end)
    }

    /// Stores what was measured, with its requests, in one transaction.
    async fn keep(
        &self,
        candidate: &Candidate,
        server: &Server,
        measurement: &Measurement,
        report: LoadReport,
        began: Instant,
    ) -> Result<Measured, Halt> {
        let took = Some(began.elapsed());
        let samples = match &report.samples_path {
            Some(path) => match tokio::fs::read(path).await {
                Ok(bytes) => Some(Samples { codec: SAMPLES_CODEC.to_owned(), bytes }),
                Err(error) => {
                    self.remark(format!("the requests of a measurement could not be kept: {error}")).await;
                    None
                }
            },
            None => None,
        };
        let summary = report.summary;
        let holds_sla = self.plan.sla.holds(&summary, measurement.load_point.is_open_loop());
        let sla_passed = (!self.plan.sla.is_empty()).then_some(holds_sla);
        let holds = self.passes(measurement, &summary);
        let event = RunEvent::Measurement {
            measurement_id: measurement.id,
            candidate_id: candidate.candidate_id.clone(),
            scenario: measurement.scenario.clone(),
            load_point: measurement.load_point,
            repeat: repeat_of(&self.plan, measurement),
            status: MeasurementStatus::Done,
            request_throughput: summary.request_throughput,
            sla_passed,
        };
        let warm = self.launch_event(candidate, server.launch_id, LaunchState::Warm, None);
        let telemetry = report.telemetry.map(|telemetry| json!(telemetry));
        let finished = FinishedMeasurement { summary, series: report.series, telemetry, sla_passed, samples, took };
        self.store_result(measurement.id, finished, vec![event, warm]).await?;
        Ok(Measured::Taken { holds })
    }

    /// Stores one second for those who watch. One that is lost while the database is away is in the series at the end:
    /// the end of the load must not wait behind it.
    async fn append_tick(&self, tick: &RunEvent) -> Result<(), Halt> {
        let events = [stored(tick)];
        match tokio::time::timeout(TICK_PATIENCE, self.append(&events)).await {
            Ok(Err(Halt::Store(error))) if error.is_unavailable() => {
                tracing::warn!(%error, "a second of a measurement was not shown");
                Ok(())
            }
            Ok(other) => other,
            Err(_) => Ok(()),
        }
    }

    /// Tells watchers something that a finished measurement must not be lost for.
    async fn remark(&self, text: String) {
        if let Err(halt) = self.note(text).await {
            tracing::warn!(?halt, "a remark was not stored");
        }
    }

    pub(super) async fn give_up(
        &self,
        candidate: &Candidate,
        measurement: &Measurement,
        status: MeasurementStatus,
        reason: &str,
    ) -> Result<(), Halt> {
        let event = stored(&self.measurement_event(candidate, measurement, status));
        Ok(self.store().give_up_measurement(&self.lease, measurement.id, status, reason, &[event]).await?)
    }

    fn measurement_event(
        &self,
        candidate: &Candidate,
        measurement: &Measurement,
        status: MeasurementStatus,
    ) -> RunEvent {
        RunEvent::Measurement {
            measurement_id: measurement.id,
            candidate_id: candidate.candidate_id.clone(),
            scenario: measurement.scenario.clone(),
            load_point: measurement.load_point,
            repeat: repeat_of(&self.plan, measurement),
            status,
            request_throughput: None,
            sla_passed: None,
        }
    }
}

/// What is read from the engine meanwhile. A simulated one leaves the machine's GPUs alone.
fn telemetry(candidate: &Candidate) -> TelemetrySpec {
    let nvidia_smi = (!is_simulated(&candidate.argv)).then(|| "nvidia-smi".into());
    TelemetrySpec { nvidia_smi, ..TelemetrySpec::new(candidate.framework) }
}

/// How long a second of a measurement may take to be shown: the next one comes a second later.
const TICK_PATIENCE: Duration = Duration::from_secs(1);

/// How soon after a load with failed requests an engine's end is seen.
const ENGINE_END: Duration = Duration::from_millis(500);

/// How soon after a load that lost its connection the engine's is seen to be lost.
const CONNECTION_END: Duration = Duration::from_secs(5);

/// A load that met a dying engine ends with failed requests a moment before the engine is seen to be gone, and one beside a
/// remote engine may lose the connection that holds both.
async fn or_engine_end(host: &Host, engine: &Engine, end: LoadEnd) -> LoadEnd {
    let patience = match &end {
        LoadEnd::Report(report) if report.summary.failed > 0 => ENGINE_END,
        LoadEnd::Trouble(_) if host.is_remote() => CONNECTION_END,
        _ => return end,
    };
    match tokio::time::timeout(patience, engine.exited()).await {
        Ok(_) => LoadEnd::EngineFailed(Box::new(end_of(engine))),
        Err(_) => end,
    }
}

/// Why an engine that has ended did so.
fn end_of(engine: &Engine) -> LaunchFailure {
    engine.failure().unwrap_or_else(|| LaunchFailure {
        stage: LaunchStage::Serving,
        class: FailureClass::ExitedEarly,
        reason: "the engine ended while it was being measured".to_owned(),
        evidence: engine.log_tail(20),
        hint: None,
        exit: None,
    })
}
