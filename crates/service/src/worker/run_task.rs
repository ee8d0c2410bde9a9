//! One run, from the claim to its end. It owns the run's state and is the only one to write it.

use podium_domain::plan::Plan;
use podium_domain::status::{CandidateStatus, LaunchState};
use podium_launcher::{Host, HostFacts, left_log, left_out};
use podium_store::{Candidate, CandidateOutcome, ClaimedRun, LaunchUpdate, Lease, NewEvent, Run, Store};
use serde_json::json;
use uuid::Uuid;

use super::lease_keeper::{StopCause, StopSignal};
use super::load_site::{LoadSite, reach};
use super::{Halt, Worker};
use crate::events::stored;
use crate::preflight::PreflightReport;
use crate::runs::RunOptions;
use crate::service::launch_folder;
use crate::views::RunEvent;

pub(super) struct RunTask<'w> {
    pub(super) worker: &'w Worker,
    pub(super) run: Run,
    pub(super) lease: Lease,
    pub(super) plan: Plan,
    pub(super) options: RunOptions,
    /// The run's host as it is registered.
    pub(super) place: Host,
    /// Which node of a cluster this is for.
    pub(super) slot: u32,
    /// The models of the GPUs that the run began on, where it runs on a cluster.
    pub(super) gpus: Option<Vec<String>>,
    /// The machine that engines run on: the same, or a node of it once there is one.
    pub(super) host: Host,
    pub(super) load_site: LoadSite,
    pub(super) facts: HostFacts,
    /// What the preflight found, once it was made.
    pub(super) preflight: Option<PreflightReport>,
    pub(super) signal: StopSignal,
}

impl<'w> RunTask<'w> {
    /// Prepares a claimed run: reads its plan, and connects to its host. The inner error is why the run cannot be carried
    /// out at all.
    pub(super) async fn begin(
        worker: &'w Worker,
        claimed: ClaimedRun,
        signal: StopSignal,
    ) -> Result<Result<Self, String>, Halt> {
        let ClaimedRun { run, lease, .. } = claimed;
        let plan = match serde_json::from_value(run.plan.clone()) {
            Ok(plan) => plan,
            Err(error) => return Ok(Err(format!("the stored plan cannot be read by this version of Podium: {error}"))),
        };
        let options = match serde_json::from_value(run.options.clone()) {
            Ok(options) => options,
            Err(error) => return Ok(Err(format!("the run's options cannot be read by this version: {error}"))),
        };
        let place = match reach(worker, run.host_id).await? {
            Ok(reached) => reached,
            Err(reason) => return Ok(Err(reason)),
        };
        Ok(Ok(RunTask {
            worker,
            run,
            lease,
            plan,
            options,
            host: place.clone(),
            place,
            slot: 0,
            gpus: None,
            load_site: LoadSite::Here,
            facts: HostFacts::unreachable("it was not looked at".to_owned()),
            preflight: None,
            signal,
        }))
    }

    /// The same run, to be worked on on another node of its cluster.
    pub(super) fn for_slot(&self, slot: u32) -> Self {
        RunTask {
            worker: self.worker,
            run: self.run.clone(),
            lease: self.lease,
            plan: self.plan.clone(),
            options: self.options.clone(),
            place: self.place.clone(),
            slot,
            gpus: self.gpus.clone(),
            host: self.place.clone(),
            load_site: self.load_site,
            facts: self.facts.clone(),
            preflight: self.preflight.clone(),
            signal: self.signal.clone(),
        }
    }

    pub(super) fn store(&self) -> &Store {
        self.worker.service.store()
    }

    pub(super) fn host(&self) -> &Host {
        &self.host
    }

    pub(super) fn host_id(&self) -> Result<Uuid, Halt> {
        Ok(self.run.host_id.ok_or(podium_store::Error::NotFound { what: "host of the run" })?)
    }

    /// Fails when work on the run is to stop.
    pub(super) fn check_signal(&self) -> Result<(), Halt> {
        self.signal.cause().map_or(Ok(()), |cause| Err(Halt::Stop(cause)))
    }

    /// Tries every candidate that was not tried to its end yet, and measures the best ones again.
    pub(super) async fn carry_out(&mut self) -> Result<(), Halt> {
        self.take_up().await?;
        self.prepare_images().await?;
        self.prepare().await?;
        let mut candidates = self.store().candidates(self.run.id).await?;
        candidates.retain(|one| matches!(one.status, CandidateStatus::Pending | CandidateStatus::Running));
        self.try_all(candidates).await?;
        self.check_signal()?;
        self.second_pass().await?;
        self.check_signal()
    }

    /// Takes a machine for the engines, and clears away what an earlier worker left.
    async fn take_up(&mut self) -> Result<(), Halt> {
        let settled = self.settle().await;
        if matches!(settled, Err(Halt::Stop(StopCause::Cancelled))) {
            // No node is needed to say what the run would have measured.
            self.place.release_run(self.run.id).await.map_err(|error| Halt::Failed(error.to_string()))?;
            self.clear_leftovers().await?;
            self.replay_spool().await?;
            self.expand().await?.map_err(Halt::Refused)?;
        }
        settled?;
        self.clear_leftovers().await?;
        self.replay_spool().await
    }

    /// Stops the engines that a worker of this run left behind when it died.
    async fn clear_leftovers(&self) -> Result<(), Halt> {
        let open = self.store().open_launches(self.run.id).await?;
        if open.is_empty() {
            return Ok(());
        }
        let ids: Vec<_> = open.iter().map(|launch| launch.id).collect();
        let report = self.host().sweep(&ids).await;
        if let Some(problem) = report.problem {
            self.note(format!("engines of an earlier worker could not be looked for: {problem}")).await?;
        }
        if !report.left.is_empty() {
            self.note(format!("{} processes of an earlier worker's engines could not be ended", report.left.len()))
                .await?;
        }
        let candidates = self.store().candidates(self.run.id).await?;
        for launch in open {
            let owner = candidates.iter().find(|candidate| candidate.id == launch.candidate_id);
            let candidate_id = owner.map(|candidate| candidate.candidate_id.clone()).unwrap_or_default();
            let reason = "its worker ended before it did";
            let update = LaunchUpdate {
                failure: Some(json!({ "class": "abandoned", "reason": reason })),
                log_artifact_id: self.rescue_log(&candidate_id, launch.id).await?,
                ..LaunchUpdate::state(LaunchState::Failed)
            };
            let detail = Some(reason.to_owned());
            let event = RunEvent::Launch { launch_id: launch.id, candidate_id, state: LaunchState::Failed, detail };
            self.store().update_launch(&self.lease, launch.id, &update, &[stored(&event)]).await?;
        }
        Ok(())
    }

    /// Stores what an abandoned engine's log holds: all of it where this machine has it, else what its worker had told.
    async fn rescue_log(&self, candidate_id: &str, launch_id: Uuid) -> Result<Option<Uuid>, Halt> {
        let folder = launch_folder(self.worker.data_dir(), launch_id);
        let read = tokio::task::spawn_blocking(move || left_log(&folder)).await;
        let log = match read.map_err(std::io::Error::from).flatten() {
            Ok(log) => log,
            Err(_) => self.told_log(launch_id).await?,
        };
        let artifact = match log.is_empty() {
            true => None,
            false => Some(self.keep_log(candidate_id, launch_id, &log).await?),
        };
        self.remove_folder(launch_id).await;
        Ok(artifact)
    }

    async fn told_log(&self, launch_id: Uuid) -> Result<Vec<u8>, Halt> {
        let mut log = Vec::new();
        let mut offset = 0;
        while let Some(part) = self.store().live_log(launch_id, offset).await? {
            if part.start_offset > offset {
                log.extend_from_slice(left_out(part.start_offset.abs_diff(offset)).as_bytes());
            }
            offset = part.next_offset();
            log.extend_from_slice(part.text.as_bytes());
        }
        Ok(log)
    }

    pub(super) async fn set_candidate(&self, candidate: &Candidate, outcome: CandidateOutcome) -> Result<(), Halt> {
        let event = RunEvent::Candidate {
            candidate_id: candidate.candidate_id.clone(),
            status: outcome.status,
            reason: outcome.failure_reason.clone(),
        };
        Ok(self.store().set_candidate(&self.lease, candidate.id, &outcome, &[stored(&event)]).await?)
    }

    pub(super) async fn note(&self, text: String) -> Result<(), Halt> {
        self.append(&[stored(&RunEvent::Note { text })]).await
    }

    pub(super) async fn append(&self, events: &[NewEvent]) -> Result<(), Halt> {
        self.store().append_events(&self.lease, events).await?;
        Ok(())
    }
}
