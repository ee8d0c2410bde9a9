//! One candidate: launch, measure every scenario at every load point, stop, and check that nothing is left.

use std::time::Duration;

use podium_domain::load::{LoadMode, LoadPoint, PlannedLoad};
use podium_domain::load_search::Step;
use podium_domain::status::{CandidateStatus, LaunchState, MeasurementStatus};
use podium_launcher::{Engine, EngineSpec, FailureClass, LaunchFailure, LaunchStage, LogLimits, ReadyFacts, inject};
use podium_store::{
    ArtifactLimits, Candidate, CandidateOutcome, LaunchUpdate, Measurement, NewArtifactLink, NewLaunch, NewMeasurement,
};
use serde_json::{Value, json};
use uuid::Uuid;

use super::Halt;
use super::image::with_container;
use super::measure::{Measured, Server};
use super::node::Losses;
use super::run_task::RunTask;
use super::second_pass::FIRST_PASS;
use crate::events::stored;
use crate::runs::is_simulated;
use crate::service::launch_folder;
use crate::views::RunEvent;

/// How long the log of a stopped engine may take to end.
const LOG_END: Duration = Duration::from_secs(2);

/// Why a candidate whose engine served to the end has no figures.
fn why_unanswered(measurements: &[Measurement]) -> String {
    let failures = measurements.iter().filter_map(|m| m.summary.as_ref()).flat_map(|summary| &summary.failures);
    if let Some(most) = failures.max_by_key(|failure| failure.count) {
        return format!("no request was answered to its end: {}: {}", most.class, most.example);
    }
    let reason = measurements.iter().find_map(|m| m.failure_reason.clone());
    reason.unwrap_or_else(|| "nothing could be measured".to_owned())
}

fn no_port(error: &std::io::Error) -> LaunchFailure {
    let reason = format!("the machine has no free port for the engine: {error}");
    LaunchFailure::new(LaunchStage::Start, FailureClass::HostTrouble, reason)
}

impl RunTask<'_> {
    /// Tries one candidate. Its own failure is a result; an error stops the run.
    pub(super) async fn try_candidate(&mut self, candidate: &Candidate) -> Result<(), Halt> {
        self.set_candidate(candidate, CandidateOutcome::plain(CandidateStatus::Running)).await?;
        let mut losses = Losses::default();
        loop {
            let failure = match self.launch(candidate, podium_store::new_id()).await? {
                Err(failure) => Some(failure),
                Ok((engine, server)) => {
                    let outcome = self.measure_all(candidate, &engine, &server).await;
                    self.stop_after(candidate, &engine, outcome).await?
                }
            };
            match failure {
                None => return self.conclude(candidate).await,
                Some(failure) => {
                    if !self.regained(candidate, &mut losses).await? {
                        return self.record_failure(candidate, &failure).await;
                    }
                }
            }
        }
    }

    /// What is kept of a launch: where it ran, and what it said when it was ready.
    fn ready_facts(&self, ready: &ReadyFacts) -> Value {
        let mut facts = json!({ "ready": ready, "load": self.load_site.text() });
        if let (Some(node), Some(facts)) = (self.host().node(), facts.as_object_mut()) {
            facts.insert("node".to_owned(), json!(node));
            facts.insert("gpus".to_owned(), json!(self.gpu_models()));
        }
        facts
    }

    /// Stops the engine whatever `outcome` measuring had, a halt of the run included, and gives the outcome.
    pub(super) async fn stop_after(
        &self,
        candidate: &Candidate,
        engine: &Engine,
        outcome: Result<Option<LaunchFailure>, Halt>,
    ) -> Result<Option<LaunchFailure>, Halt> {
        let stopped = self.stop(candidate, engine).await;
        let failure = outcome?;
        stopped?;
        Ok(failure)
    }

    /// Starts the engine and waits until it has answered a real request.
    pub(super) async fn launch(
        &self,
        candidate: &Candidate,
        launch_id: Uuid,
    ) -> Result<Result<(Engine, Server), LaunchFailure>, Halt> {
        let framework = candidate.framework;
        let port = match self.host().free_port().await {
            Ok(port) => port,
            Err(error) => return Ok(Err(no_port(&error))),
        };
        let injected = inject(framework, &candidate.argv, &self.plan.model.name, port);
        let scrubber = self.host().scrubber();
        let shown = scrubber.scrub_argv(&injected.argv);
        let deploy = scrubber.scrub_argv(&injected.deploy_argv);
        let new = NewLaunch {
            id: launch_id,
            candidate_id: candidate.id,
            host_id: self.host_id()?,
            command: podium_domain::flags::shell_join(&shown),
            argv: shown,
            deploy_command: podium_domain::flags::shell_join(&deploy),
            port: Some(port.into()),
            facts: None,
        };
        let starting = self.launch_event(candidate, launch_id, LaunchState::Starting, None);
        self.store().insert_launch(&self.lease, &new, &[stored(&starting)]).await?;

        let mut executed = injected.argv.clone();
        if let Err(failure) = self.place_options(candidate, launch_id, &mut executed).await? {
            self.end_launch(candidate, launch_id, Some(&failure), None).await?;
            self.remove_folder(launch_id).await;
            return Ok(Err(failure));
        }
        let started = async {
            let resolved = self.host().resolve_command(framework, &executed, &self.facts).await?;
            let spec = EngineSpec {
                launch_id,
                argv: resolved.argv,
                env: resolved.env,
                port,
                served_model_name: injected.served_model_name.clone(),
                endpoint: self.plan.benchmark.endpoint,
                startup_timeout: Duration::from_secs_f64(self.plan.benchmark.startup_timeout_s),
                idle_priority: self.options.idle_engines,
                container: resolved.container,
                folder: launch_folder(self.worker.data_dir(), launch_id),
                log_limits: LogLimits::default(),
            };
            let contained = self.contained(&spec).await;
            Ok((self.host().start(spec).await?, resolved.version, contained))
        };
        let (engine, version, contained) = match started.await {
            Ok(started) => started,
            Err(failure) => {
                self.end_launch(candidate, launch_id, Some(&failure), None).await?;
                self.remove_folder(launch_id).await;
                return Ok(Err(failure));
            }
        };
        super::live_log::follow(self.store().clone(), self.lease, launch_id, engine.log().clone());
        let update = LaunchUpdate {
            pid: engine.process().map(|process| process.pid),
            process_started_at: Some(engine.started_at()),
            version: version.clone(),
            facts: (!contained.is_empty()).then(|| json!(contained)),
            ..LaunchUpdate::state(LaunchState::Loading)
        };
        let loading = self.launch_event(candidate, launch_id, LaunchState::Loading, None);
        self.store().update_launch(&self.lease, launch_id, &update, &[stored(&loading)]).await?;

        match self.until_ready(candidate, &engine).await {
            Ok(ready) => {
                let detail = format!("ready after {:.1} s", ready.ready_after_ms as f64 / 1000.0);
                let event = self.launch_event(candidate, launch_id, LaunchState::Ready, Some(detail));
                let update = LaunchUpdate {
                    version: ready.version.clone().or(version),
                    facts: Some(with_container(self.ready_facts(&ready), &contained)),
                    ..LaunchUpdate::state(LaunchState::Ready)
                };
                self.store().update_launch(&self.lease, launch_id, &update, &[stored(&event)]).await?;
                if ready.simulated && !self.run.simulated {
                    self.store().mark_run_simulated(&self.lease).await?;
                }
                Ok(Ok((engine, Server { launch_id, model: ready.model })))
            }
            Err(failure) => {
                let stopped = self.stop(candidate, &engine).await;
                self.check_signal()?;
                stopped?;
                Ok(Err(failure))
            }
        }
    }

    /// The first pass: measures every scenario at every load point once; the inner value is the engine's failure, if it
    /// failed.
    async fn measure_all(
        &self,
        candidate: &Candidate,
        engine: &Engine,
        server: &Server,
    ) -> Result<Option<LaunchFailure>, Halt> {
        for scenario in &self.plan.dataset.scenarios {
            for load in self.plan.benchmark.planned_loads() {
                let failure = match (load, load.search()) {
                    (PlannedLoad::Fixed { point }, _) => {
                        let measurement = self.measurement(candidate, &scenario.name, load.mode(), point).await?;
                        self.measure_once(candidate, engine, server, &measurement).await?.failure()
                    }
                    (_, None) => None,
                    (_, Some(mut search)) => loop {
                        let Step::Probe(point) = search.next() else { break None };
                        let measurement = self.measurement(candidate, &scenario.name, load.mode(), point).await?;
                        match self.measure_once(candidate, engine, server, &measurement).await? {
                            Measured::Taken { holds } => search.record(point, holds),
                            Measured::NotTaken => search.record(point, false),
                            Measured::EngineFailed(failure) => break Some(*failure),
                        }
                    },
                };
                if failure.is_some() {
                    return Ok(failure);
                }
            }
        }
        Ok(None)
    }

    /// The stored measurement of this load, planned now if it was not before.
    async fn measurement(
        &self,
        candidate: &Candidate,
        scenario: &str,
        load_mode: LoadMode,
        load_point: LoadPoint,
    ) -> Result<Measurement, Halt> {
        let known = self
            .measurements_of(candidate)
            .await?
            .into_iter()
            .find(|m| m.scenario == scenario && m.load_point.key() == load_point.key() && m.repeat == FIRST_PASS);
        if let Some(known) = known {
            return Ok(known);
        }
        let new = NewMeasurement {
            candidate_id: candidate.id,
            scenario: scenario.to_owned(),
            load_mode,
            load_point,
            repeat: FIRST_PASS,
            attempt: 1,
            simulated: is_simulated(&candidate.argv),
        };
        let ids = self.store().insert_measurements(&self.lease, &[new], &[]).await?;
        let id = ids.first().copied().ok_or(podium_store::Error::NotFound { what: "measurement" })?;
        Ok(self.store().measurement(id).await?)
    }

    /// Stops the engine and everything that came out of it, and keeps its log.
    async fn stop(&self, candidate: &Candidate, engine: &Engine) -> Result<(), Halt> {
        let launch_id = engine.launch_id();
        let report = engine.stop().await;
        let mut log_end = engine.log().length();
        // A log that does not end by then is stored as far as it came.
        let _ = tokio::time::timeout(LOG_END, log_end.wait_for(|length| length.closed)).await;
        let log = engine.log().clone();
        let log = tokio::task::spawn_blocking(move || log.collect()).await.map_err(std::io::Error::from).flatten();
        let log = log.map_err(podium_store::Error::Read)?;
        let artifact = self.keep_log(&candidate.candidate_id, launch_id, &log).await?;
        self.end_launch(candidate, launch_id, engine.failure().as_ref(), Some(artifact)).await?;
        if !report.is_clean() {
            // Whose the port is now stays out: another process's command line may hold anything.
            let port = if report.port.is_free() { "free" } else { "taken by another process" };
            let left = report.left.len();
            let text = format!("after {}: {left} processes are left, the port is {port}", candidate.candidate_id);
            self.note(text).await?;
        }
        self.remove_folder(launch_id).await;
        Ok(())
    }

    /// Stores an engine's log as a file of the run; the artifact.
    pub(super) async fn keep_log(&self, candidate_id: &str, launch_id: Uuid, log: &[u8]) -> Result<Uuid, Halt> {
        let artifact = self.store().put_artifact(log, "text/plain", ArtifactLimits::default()).await?;
        let link = NewArtifactLink {
            artifact_id: artifact.id,
            launch_id: Some(launch_id),
            kind: "server_log".to_owned(),
            name: format!("{candidate_id}-{}.log", launch_id.simple()),
        };
        self.store().link_artifact(&self.lease, &link).await?;
        Ok(artifact.id)
    }

    /// Removes a launch's folder: what it held is in the database now.
    pub(super) async fn remove_folder(&self, launch_id: Uuid) {
        let folder = launch_folder(self.worker.data_dir(), launch_id);
        if let Err(error) = tokio::fs::remove_dir_all(&folder).await {
            tracing::debug!(folder = %folder.display(), %error, "a launch's folder was not removed");
        }
    }

    async fn end_launch(
        &self,
        candidate: &Candidate,
        launch_id: Uuid,
        failure: Option<&LaunchFailure>,
        log_artifact_id: Option<Uuid>,
    ) -> Result<(), Halt> {
        let state = if failure.is_some() { LaunchState::Failed } else { LaunchState::Stopped };
        let update = LaunchUpdate {
            failure: failure.map(|failure| json!(failure)),
            log_artifact_id,
            ..LaunchUpdate::state(state)
        };
        let event = self.launch_event(candidate, launch_id, state, failure.map(ToString::to_string));
        Ok(self.store().update_launch(&self.lease, launch_id, &update, &[stored(&event)]).await?)
    }

    pub(super) fn launch_event(
        &self,
        candidate: &Candidate,
        launch_id: Uuid,
        state: LaunchState,
        detail: Option<String>,
    ) -> RunEvent {
        RunEvent::Launch { launch_id, candidate_id: candidate.candidate_id.clone(), state, detail }
    }

    /// The status of a candidate whose engine served to the end.
    async fn conclude(&self, candidate: &Candidate) -> Result<(), Halt> {
        let measurements = self.measurements_of(candidate).await?;
        let answered = measurements.iter().filter_map(|m| m.summary.as_ref()).any(|summary| summary.completed > 0);
        let outcome = if answered {
            CandidateOutcome::plain(CandidateStatus::Ok)
        } else {
            CandidateOutcome {
                status: CandidateStatus::Failed,
                failure_reason: Some(why_unanswered(&measurements)),
                failure: None,
            }
        };
        self.set_candidate(candidate, outcome).await
    }

    pub(super) async fn record_failure(&self, candidate: &Candidate, failure: &LaunchFailure) -> Result<(), Halt> {
        for measurement in self.measurements_of(candidate).await? {
            if matches!(measurement.status, MeasurementStatus::Pending | MeasurementStatus::Measuring) {
                self.give_up(candidate, &measurement, MeasurementStatus::Skipped, "its engine failed").await?;
            }
        }
        let outcome = CandidateOutcome {
            status: failure.class.candidate_status(),
            failure_reason: Some(failure.to_string()),
            failure: Some(json!(failure)),
        };
        self.set_candidate(candidate, outcome).await
    }

    pub(super) async fn measurements_of(&self, candidate: &Candidate) -> Result<Vec<Measurement>, Halt> {
        let mut measurements = self.store().measurements(self.run.id).await?;
        measurements.retain(|m| m.candidate_id == candidate.id);
        Ok(measurements)
    }
}
