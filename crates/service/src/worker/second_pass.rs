//! The second pass: the baseline and the best of each framework are launched and measured again, several times in
//! alternating order, so that what changes slowly on the machine meets all of them alike.

use podium_domain::confidence::finalists;
use podium_domain::row::ResultRow;
use podium_domain::status::MeasurementStatus;
use podium_launcher::{Engine, LaunchFailure};
use podium_store::{Candidate, Measurement, NewMeasurement};

use super::Halt;
use super::measure::Server;
use super::node::Losses;
use super::run_task::RunTask;
use crate::events::stored;
use crate::views::RunEvent;

/// The repeat of every measurement of the first pass; those of the second count from 1.
pub(super) const FIRST_PASS: i32 = 0;

impl RunTask<'_> {
    /// Carries out what is left of the second pass.
    pub(super) async fn second_pass(&mut self) -> Result<(), Halt> {
        let rounds = i32::try_from(self.plan.repeats()).unwrap_or(0);
        if rounds == 0 {
            return Ok(());
        }
        // Once they are stored, who takes part is settled, whatever a later worker would find.
        let measurements = self.store().measurements(self.run.id).await?;
        if measurements.iter().all(|m| m.repeat == FIRST_PASS) {
            self.plan_second_pass(rounds).await?;
        }
        let candidates = self.store().candidates(self.run.id).await?;
        for round in 1..=rounds {
            for candidate in order_of_round(&candidates, round) {
                self.check_signal()?;
                self.repeat(candidate, round).await?;
            }
        }
        Ok(())
    }

    /// Stores all measurements of the second pass, in one transaction.
    async fn plan_second_pass(&self, rounds: i32) -> Result<(), Halt> {
        let (candidates, rows): (Vec<Candidate>, Vec<ResultRow>) = self.rows().await?.listed.into_iter().unzip();
        let chosen = finalists(&rows, self.plan.benchmark.primary_mode());
        let mut names = Vec::new();
        let mut planned = Vec::new();
        for index in chosen {
            let (candidate, row) = (&candidates[index], &rows[index]);
            let load = row.podium.as_ref().and_then(|podium| Some((podium.load_mode?, podium.load_point?)));
            let Some((load_mode, load_point)) = load else { continue };
            if !names.contains(&candidate.candidate_id) {
                names.push(candidate.candidate_id.clone());
            }
            planned.extend((1..=rounds).map(|repeat| NewMeasurement {
                candidate_id: candidate.id,
                scenario: row.scenario().to_owned(),
                load_mode,
                load_point,
                repeat,
                attempt: 1,
                simulated: row.is_simulated(),
            }));
        }
        if planned.is_empty() {
            return Ok(());
        }
        let text = format!("second pass: {rounds} repeats of {}", names.join(", "));
        self.store().insert_measurements(&self.lease, &planned, &[stored(&RunEvent::Note { text })]).await?;
        Ok(())
    }

    /// One repeat of one candidate: a launch of its own for what is left of it. A failure is a result of the repeat; the
    /// candidate stays what the first pass made it.
    async fn repeat(&mut self, candidate: &Candidate, round: i32) -> Result<(), Halt> {
        let mut losses = Losses::default();
        loop {
            let left = self.left_of(candidate, round).await?;
            if left.is_empty() {
                return Ok(());
            }
            let failure = match self.launch(candidate, podium_store::new_id()).await? {
                Err(failure) => Some(failure),
                Ok((engine, server)) => {
                    let outcome = self.measure_each(candidate, &engine, &server, &left).await;
                    self.stop_after(candidate, &engine, outcome).await?
                }
            };
            let Some(failure) = failure else { return Ok(()) };
            if self.regained(candidate, &mut losses).await? {
                continue;
            }
            let reason = format!("the engine failed: {failure}");
            for measurement in self.left_of(candidate, round).await? {
                self.give_up(candidate, &measurement, MeasurementStatus::Failed, &reason).await?;
            }
            return Ok(());
        }
    }

    /// Takes these measurements; the inner value is the engine's failure, if it failed.
    async fn measure_each(
        &self,
        candidate: &Candidate,
        engine: &Engine,
        server: &Server,
        measurements: &[Measurement],
    ) -> Result<Option<LaunchFailure>, Halt> {
        for measurement in measurements {
            let failure = self.measure_once(candidate, engine, server, measurement).await?.failure();
            if failure.is_some() {
                return Ok(failure);
            }
        }
        Ok(None)
    }

    /// The measurements of a candidate's repeat that have not ended.
    async fn left_of(&self, candidate: &Candidate, round: i32) -> Result<Vec<Measurement>, Halt> {
        let mut measurements = self.measurements_of(candidate).await?;
        measurements.retain(|m| {
            m.repeat == round && matches!(m.status, MeasurementStatus::Pending | MeasurementStatus::Measuring)
        });
        Ok(measurements)
    }
}

/// Every other round goes backwards: A B C, then C B A.
fn order_of_round(candidates: &[Candidate], round: i32) -> Vec<&Candidate> {
    let mut order: Vec<_> = candidates.iter().collect();
    if round % 2 == 0 {
        order.reverse();
    }
    order
}
