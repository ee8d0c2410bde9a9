//! From a plan to stored candidates and measurements. Everything that a run will do is in the database before it does it.

use std::collections::HashSet;

use podium_domain::candidate;
use podium_domain::load::PlannedLoad;
use podium_domain::status::CandidateStatus;
use podium_launcher::Host;
use podium_store::{NewCandidate, NewMeasurement};
use serde_json::Value;

use super::Halt;
use super::options_files::problem_of_own_file;
use super::run_task::RunTask;
use super::second_pass::FIRST_PASS;
use crate::events::stored;
use crate::runs::is_simulated;
use crate::views::RunEvent;

impl RunTask<'_> {
    /// Stores what is not stored yet. The inner error is why the plan has no candidates.
    pub(super) async fn expand(&self) -> Result<Result<(), String>, Halt> {
        if self.store().candidates(self.run.id).await?.is_empty() {
            match self.new_candidates().await {
                Ok((candidates, events)) => {
                    let events: Vec<_> = events.iter().map(stored).collect();
                    self.store().insert_candidates(&self.lease, &candidates, &events).await?;
                }
                Err(reason) => return Ok(Err(reason)),
            }
        }
        self.plan_measurements().await?;
        Ok(Ok(()))
    }

    async fn new_candidates(&self) -> Result<(Vec<NewCandidate>, Vec<RunEvent>), String> {
        let sets = candidate::generate_all(&self.plan).map_err(|error| error.to_string())?;
        let mut candidates = Vec::new();
        let mut events = Vec::new();
        for candidate in sets.into_iter().flat_map(|set| set.candidates) {
            let skipped = self.skip_reason(&candidate).await;
            let status = if skipped.is_some() { CandidateStatus::Skipped } else { CandidateStatus::Pending };
            events.push(RunEvent::Candidate {
                candidate_id: candidate.candidate_id.clone(),
                status,
                reason: skipped.clone(),
            });
            let flags = serde_json::to_value(&candidate.flags).unwrap_or(Value::Null);
            candidates.push(NewCandidate {
                ordinal: i32::try_from(candidates.len()).unwrap_or(i32::MAX),
                framework: candidate.framework,
                candidate_id: candidate.candidate_id,
                baseline: candidate.baseline,
                flags,
                argv: candidate.argv,
                command: candidate.command,
                status,
                failure_reason: skipped,
            });
        }
        Ok((candidates, events))
    }

    /// Why a candidate is not to be tried on this host: its server there does not take the base flags, its file of options
    /// breaks the plan's rules, or the framework is not here and the run was asked to leave such frameworks out.
    async fn skip_reason(&self, candidate: &candidate::Candidate) -> Option<String> {
        let found = self.preflight.as_ref().and_then(|preflight| preflight.framework(candidate.framework));
        if let Some(blocked) = found.and_then(|found| found.blocked.clone()) {
            return Some(blocked);
        }
        if let Some(problem) = problem_of_own_file(candidate.framework, &candidate.flags) {
            return Some(problem);
        }
        // A cluster without a node says nothing about what is installed.
        if !self.options.skip_missing || matches!(self.host(), Host::Cluster(_)) {
            return None;
        }
        let resolved = self.host().resolve_command(candidate.framework, &candidate.argv, &self.facts).await;
        let missing = resolved.err()?;
        Some(format!("environment gap: {missing}"))
    }

    async fn plan_measurements(&self) -> Result<(), Halt> {
        let known: HashSet<_> = self
            .store()
            .measurements(self.run.id)
            .await?
            .into_iter()
            .map(|m| (m.candidate_id, m.scenario, m.load_point.key()))
            .collect();
        let mut new = Vec::new();
        for candidate in self.store().candidates(self.run.id).await? {
            if candidate.status != CandidateStatus::Pending {
                continue;
            }
            for scenario in &self.plan.dataset.scenarios {
                for load in self.plan.benchmark.planned_loads() {
                    // The points of a rate search follow from what is measured.
                    let PlannedLoad::Fixed { point } = load else { continue };
                    if known.contains(&(candidate.id, scenario.name.clone(), point.key())) {
                        continue;
                    }
                    new.push(NewMeasurement {
                        candidate_id: candidate.id,
                        scenario: scenario.name.clone(),
                        load_mode: load.mode(),
                        load_point: point,
                        repeat: FIRST_PASS,
                        attempt: 1,
                        simulated: is_simulated(&candidate.argv),
                    });
                }
            }
        }
        if !new.is_empty() {
            self.store().insert_measurements(&self.lease, &new, &[]).await?;
        }
        Ok(())
    }
}
