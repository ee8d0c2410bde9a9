//! The machine that a run's engines run on: the run's host itself, or a node of a cluster that is waited for, may be taken
//! away, and is given back.

use podium_domain::status::MeasurementStatus;
use podium_launcher::{AllocateError, Host};
use podium_store::Candidate;
use tokio::sync::mpsc;

use super::Halt;
use super::lease_keeper::StopCause;
use super::load_site;
use super::run_task::RunTask;

/// A candidate that loses its node so often without a measurement between has failed: its time limit may be too short
/// for a single one.
const LOSSES: u32 = 3;

/// How often a candidate lost its node since it last got on.
#[derive(Debug, Default)]
pub(super) struct Losses {
    count: u32,
    done: usize,
}

impl RunTask<'_> {
    /// Takes a machine for the run's engines, and looks at it.
    pub(super) async fn settle(&mut self) -> Result<(), Halt> {
        if matches!(self.place, Host::Cluster(_)) {
            self.host = self.wait_for_node().await?;
        }
        let refused = |error: podium_launcher::HostError| Halt::Refused(error.to_string());
        self.load_site = load_site::measure(self.host()).await.map_err(refused)?;
        self.facts = self.host().facts().await;
        if let Some(text) = self.load_site.text() {
            self.note(text).await?;
        }
        self.check_same_gpus().await
    }

    async fn wait_for_node(&self) -> Result<Host, Halt> {
        let stopped = || Halt::Stop(self.signal.cause().unwrap_or(StopCause::Shutdown));
        if self.check_signal().is_err() {
            return Err(stopped());
        }
        let (tell, mut told) = mpsc::unbounded_channel();
        let tell = move |waiting: podium_launcher::Waiting| {
            // Nobody listens once the node is there.
            let _ = tell.send(waiting.to_string());
        };
        let allocated = self.place.allocate(self.run.id, 0, self.signal.token(), tell);
        tokio::pin!(allocated);
        let outcome = loop {
            tokio::select! {
                biased;
                Some(text) = told.recv() => self.note(text).await?,
                outcome = &mut allocated => break outcome,
            }
        };
        match outcome {
            Ok(Some(node)) => {
                self.note(format!("Slurm gave node {}", node.node().unwrap_or_default())).await?;
                Ok(node)
            }
            Ok(None) => Ok(self.place.clone()),
            Err(AllocateError::Cancelled) => Err(stopped()),
            Err(AllocateError::Host(error)) => Err(Halt::Refused(error.to_string())),
        }
    }

    /// Figures of different GPUs say nothing about candidates: every node of a run must have the ones that it began on.
    async fn check_same_gpus(&self) -> Result<(), Halt> {
        let Some(node) = self.host().node() else { return Ok(()) };
        let launches = self.store().launches(self.run.id).await?;
        let first = launches.iter().find_map(|launch| launch.facts.as_ref()?.get("gpus")?.as_array().cloned());
        let Some(first) = first else { return Ok(()) };
        let first: Vec<&str> = first.iter().filter_map(|model| model.as_str()).collect();
        let here = self.gpu_models();
        if here == first {
            return Ok(());
        }
        let shown = |models: &[&str]| if models.is_empty() { "no GPU".to_owned() } else { models.join(", ") };
        Err(Halt::Failed(format!(
            "node {node} has {}, and the run began on {}: their figures do not compare. Name the GPUs in the host's \
             settings (gres, constraint), then start the plan again",
            shown(&here),
            shown(&first)
        )))
    }

    /// The models of the machine's GPUs, one word each.
    pub(super) fn gpu_models(&self) -> Vec<&str> {
        self.facts.gpus.iter().map(|gpu| gpu.model.as_str()).collect()
    }

    /// Whether a candidate is to be tried again because its node was taken away and there is another one now.
    pub(super) async fn regained(&mut self, candidate: &Candidate, losses: &mut Losses) -> Result<bool, Halt> {
        let Some(interruption) = self.host().interruption().await else { return Ok(false) };
        if !interruption.again {
            return Err(Halt::Failed(interruption.text));
        }
        let measurements = self.measurements_of(candidate).await?;
        let done = measurements.iter().filter(|m| m.status == MeasurementStatus::Done).count();
        losses.count = if done > losses.done { 1 } else { losses.count + 1 };
        losses.done = done;
        let again = losses.count < LOSSES;
        let then = if again { "what was being measured is measured again" } else { "it is not tried again" };
        self.note(format!("{}: {}; {then}", candidate.candidate_id, interruption.text)).await?;
        if let Err(error) = self.host().release().await {
            tracing::debug!(%error, "a job that lost its node was not cancelled");
        }
        self.settle().await?;
        Ok(again)
    }

    /// Gives nodes of a cluster back; another worker that has the run now goes on with them.
    pub(super) async fn give_back(&self) {
        if self.signal.cause() == Some(StopCause::LeaseLost) {
            return;
        }
        if let Err(error) = self.place.release_run(self.run.id).await {
            tracing::warn!(run_id = %self.run.id, %error, "a job of the run may still be in the queue");
            // Where not even that can be stored, the log has it.
            let _ = self.note(format!("a job of the run may still be in the queue: {error}")).await;
        }
    }
}
