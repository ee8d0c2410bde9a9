//! The first phase of a run: preflight, the candidates that fit the host, and the smoke tests.

use podium_domain::flags::shell_join;
use podium_domain::framework::Framework;
use podium_domain::status::{CandidateStatus, LaunchState};
use podium_launcher::{FailureClass, HelpOf, LaunchFailure};
use podium_store::{ArtifactLimits, Candidate, LaunchUpdate, NewArtifactLink, NewLaunch};
use serde_json::json;
use tokio::sync::mpsc;
use uuid::Uuid;

use super::Halt;
use super::lease_keeper::StopCause;
use super::run_task::RunTask;
use crate::events::stored;
use crate::preflight::{Preflight, PreflightCheck, PreflightReport, SmokeEnd, SmokeRecord, SmokeTest};
use crate::views::RunEvent;

impl RunTask<'_> {
    /// Looks at the host and stores the run's candidates. What an earlier worker of the run found counts: the candidates
    /// were made from it.
    pub(super) async fn prepare(&mut self) -> Result<(), Halt> {
        let known = self.store().run_preflight(self.run.id).await?;
        let looked = match known.and_then(|found| serde_json::from_value(found).ok()) {
            Some(found) => Ok(found),
            None => self.preflight().await,
        };
        match looked {
            Ok(found) => {
                if let Some(reason) = found.stop {
                    return Err(Halt::Refused(reason));
                }
                self.plan = found.fitted(&self.plan);
                self.preflight = Some(found);
            }
            // A run that was cancelled before it began lists its candidates all the same.
            Err(Halt::Stop(StopCause::Cancelled)) => {
                self.expand().await?.map_err(Halt::Refused)?;
                return Err(Halt::Stop(StopCause::Cancelled));
            }
            Err(halt) => return Err(halt),
        }
        self.expand().await?.map_err(Halt::Refused)?;
        self.smoke_tests().await
    }

    async fn preflight(&self) -> Result<PreflightReport, Halt> {
        self.check_signal()?;
        let (tell, mut told) = mpsc::unbounded_channel();
        let preflight = self.preflight_of_host()?;
        let found = {
            let look = preflight.look(tell);
            tokio::pin!(look);
            loop {
                tokio::select! {
                    biased;
                    Some(check) = told.recv() => self.tell(check).await?,
                    found = &mut look => break found?,
                    () = self.signal.token().cancelled() => {
                        return Err(Halt::Stop(self.signal.cause().unwrap_or(StopCause::Shutdown)));
                    }
                }
            }
        };
        while let Ok(check) = told.try_recv() {
            self.tell(check).await?;
        }
        for help in found.frameworks.iter().flat_map(|framework| &framework.help) {
            let kind = match help.of {
                HelpOf::Server => "server_help",
                HelpOf::Benchmark => "benchmark_help",
            };
            self.link(help.artifact_id, None, kind, help.file_name.clone()).await?;
        }
        self.keep_preflight(&found).await?;
        Ok(found)
    }

    fn preflight_of_host(&self) -> Result<Preflight<'_>, Halt> {
        Ok(Preflight {
            service: &self.worker.service,
            host: &self.host,
            host_id: self.host_id()?,
            host_name: &self.run.host_name,
            facts: &self.facts,
            plan: &self.plan,
            yaml: &self.run.plan_yaml,
            refresh: false,
        })
    }

    async fn keep_preflight(&self, found: &PreflightReport) -> Result<(), Halt> {
        Ok(self.store().set_run_preflight(&self.lease, &json!(found)).await?)
    }

    async fn tell(&self, check: PreflightCheck) -> Result<(), Halt> {
        self.append(&[stored(&RunEvent::Preflight { check })]).await
    }

    /// Makes a stored content a file of the run.
    async fn link(
        &self,
        artifact: Option<Uuid>,
        launch_id: Option<Uuid>,
        kind: &str,
        name: String,
    ) -> Result<(), Halt> {
        let Some(artifact_id) = artifact else { return Ok(()) };
        let link = NewArtifactLink { artifact_id, launch_id, kind: kind.to_owned(), name };
        Ok(self.store().link_artifact(&self.lease, &link).await?)
    }

    /// A minimal server of each framework that has not passed on this host before. Only real ones, unless the run was
    /// asked for all: a simulated engine proves nothing about the host.
    async fn smoke_tests(&mut self) -> Result<(), Halt> {
        let Some(mut found) = self.preflight.take() else { return Ok(()) };
        let outcome = self.smoke_each(&mut found).await;
        let file = serde_json::to_vec_pretty(&found).unwrap_or_default();
        self.preflight = Some(found);
        outcome?;
        let artifact =
            self.store().put_artifact(file.as_slice(), "application/json", ArtifactLimits::default()).await?;
        self.link(Some(artifact.id), None, "preflight", "preflight.json".to_owned()).await
    }

    async fn smoke_each(&self, found: &mut PreflightReport) -> Result<(), Halt> {
        for index in 0..found.frameworks.len() {
            let framework = &found.frameworks[index];
            if framework.smoke.is_some() || !framework.is_to_be_smoked(self.options.smoke) {
                continue;
            }
            let candidates = self.store().candidates(self.run.id).await?;
            let own = |candidate: &&Candidate| {
                candidate.framework == framework.framework && candidate.status == CandidateStatus::Pending
            };
            // Without a candidate that is to be tried there is nothing to prepare for.
            let Some(baseline) = candidates.iter().filter(own).find(|candidate| candidate.baseline) else { continue };
            let (record, check, failure) = self.smoke(found, index, baseline).await?;
            found.checks.push(check.clone());
            self.tell(check).await?;
            let name = found.frameworks[index].framework.id();
            self.link(record.log, None, "smoke_log", format!("smoke-{name}.log")).await?;
            self.link(record.benchmark, None, "smoke_benchmark", format!("smoke-{name}.json")).await?;
            found.frameworks[index].smoke = Some(record);
            self.keep_preflight(found).await?;
            if let Some(failure) = failure.filter(|failure| decides_for_all(failure.class)) {
                self.give_up_framework(found.frameworks[index].framework, &failure).await?;
            }
        }
        Ok(())
    }

    async fn smoke(
        &self,
        found: &PreflightReport,
        index: usize,
        baseline: &Candidate,
    ) -> Result<(SmokeRecord, PreflightCheck, Option<LaunchFailure>), Halt> {
        self.check_signal()?;
        let preflight = self.preflight_of_host()?;
        let framework = &found.frameworks[index];
        if let Some(known) = preflight.known_smoke(framework).await? {
            let check = known.check(framework.framework);
            return Ok((known, check, None));
        }
        let launch_id = podium_store::new_id();
        let part = &self.plan.frameworks[&framework.framework];
        let test = SmokeTest {
            host: &self.host,
            facts: &self.facts,
            plan: &self.plan,
            framework: framework.framework,
            eager_flag: framework.eager_flag.as_deref(),
            part,
            agent: &self.worker.options.agent,
            data_dir: self.worker.data_dir(),
            idle_priority: self.options.idle_engines,
            launch_id,
        };
        let begun = PreflightCheck::about(framework.framework, "smoke test");
        self.tell(begun.skip("a minimal server is being started")).await?;
        let end = match test.prepare().await {
            Err(failure) => test.unprepared(failure),
            Ok(prepared) => {
                // Stored before it is started, so that a worker that takes over ends what this one leaves.
                let shown = self.host.scrubber().scrub_argv(&prepared.injected.argv);
                let new = NewLaunch {
                    id: launch_id,
                    candidate_id: baseline.id,
                    host_id: self.host_id()?,
                    command: shell_join(&shown),
                    argv: shown,
                    deploy_command: shell_join(&self.host.scrubber().scrub_argv(&prepared.injected.deploy_argv)),
                    port: Some(prepared.port.into()),
                    facts: Some(json!({ "smoke": true })),
                };
                let detail = Some("smoke test".to_owned());
                let starting = self.launch_event(baseline, launch_id, LaunchState::Starting, detail);
                self.store().insert_launch(&self.lease, &new, &[stored(&starting)]).await?;
                let end = test.run(&prepared, self.signal.token()).await;
                self.end_smoke_launch(baseline, launch_id, framework.version.clone(), end.as_ref()).await?;
                self.check_signal()?;
                end.ok_or(Halt::Stop(StopCause::Shutdown))?
            }
        };
        let failure = end.failure.clone();
        let record = preflight.keep_smoke(framework, end).await?;
        let check = record.check(framework.framework);
        Ok((record, check, failure))
    }

    async fn end_smoke_launch(
        &self,
        baseline: &Candidate,
        launch_id: Uuid,
        version: Option<String>,
        end: Option<&SmokeEnd>,
    ) -> Result<(), Halt> {
        let failure = end.and_then(|end| end.failure.as_ref());
        let state = if failure.is_some() { LaunchState::Failed } else { LaunchState::Stopped };
        let log = match end {
            Some(end) => Some(self.keep_log(&baseline.candidate_id, launch_id, &end.log).await?),
            None => None,
        };
        let update = LaunchUpdate {
            failure: failure.map(|failure| json!(failure)),
            log_artifact_id: log,
            version,
            ..LaunchUpdate::state(state)
        };
        let event = self.launch_event(baseline, launch_id, state, failure.map(ToString::to_string));
        Ok(self.store().update_launch(&self.lease, launch_id, &update, &[stored(&event)]).await?)
    }

    /// Records a framework whose environment is broken: its baseline has failed so, and the others need not be tried.
    async fn give_up_framework(&self, framework: Framework, failure: &LaunchFailure) -> Result<(), Halt> {
        for candidate in self.store().candidates(self.run.id).await? {
            if candidate.framework != framework || candidate.status != CandidateStatus::Pending {
                continue;
            }
            if candidate.baseline {
                self.record_failure(&candidate, failure).await?;
                continue;
            }
            let reason = format!("the smoke test of {} failed: {failure}", framework.name());
            self.skip_candidate(&candidate, reason).await?;
        }
        Ok(())
    }
}

/// Whether a failure of the minimal server is one of the environment, which no other flags avoid. Memory that did not
/// suffice, or a server that was too slow, says nothing about a candidate with other flags.
fn decides_for_all(class: FailureClass) -> bool {
    matches!(
        class,
        FailureClass::MissingModel
            | FailureClass::GatedModel
            | FailureClass::DriverMismatch
            | FailureClass::BrokenInstall
            | FailureClass::CommandNotFound
    )
}
