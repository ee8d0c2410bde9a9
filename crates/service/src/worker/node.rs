//! The machine that a run's engines run on: the run's host itself, or a node of a cluster that is waited for, may be taken
//! away, and is given back.

use podium_domain::status::MeasurementStatus;
use podium_launcher::{AllocateError, Host};
use podium_store::Candidate;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

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
        let always = self.signal.token().clone();
        self.settle_while(&always).await.map(drop)
    }

    /// As [`RunTask::settle`], for as long as the machine is wanted; whether there is one.
    pub(super) async fn settle_while(&mut self, unwanted: &CancellationToken) -> Result<bool, Halt> {
        if matches!(self.place, Host::Cluster(_)) {
            let Some(node) = self.wait_for_node(unwanted).await? else { return Ok(false) };
            self.host = node;
        }
        let refused = |error: podium_launcher::HostError| Halt::Refused(error.to_string());
        self.load_site = load_site::measure(self.host()).await.map_err(refused)?;
        self.facts = self.host().facts().await;
        if let Some(text) = self.load_site.text() {
            self.note(text).await?;
        }
        self.check_same_gpus().await?;
        Ok(true)
    }

    async fn wait_for_node(&self, unwanted: &CancellationToken) -> Result<Option<Host>, Halt> {
        self.check_signal()?;
        let (tell, mut told) = mpsc::unbounded_channel();
        let tell = move |waiting: podium_launcher::Waiting| {
            // Nobody listens once the node is there.
            let _ = tell.send(waiting.to_string());
        };
        let allocated = self.place.allocate(self.run.id, self.slot, unwanted, tell);
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
                Ok(Some(node))
            }
            Ok(None) => Ok(Some(self.place.clone())),
            Err(AllocateError::Cancelled) => self.check_signal().map(|()| None),
            Err(AllocateError::Host(error)) => Err(Halt::Refused(error.to_string())),
        }
    }

    /// Figures of different GPUs say nothing about candidates: every node of a run must have the ones that it began on.
    async fn check_same_gpus(&mut self) -> Result<(), Halt> {
        let Some(node) = self.host().node().map(str::to_owned) else { return Ok(()) };
        let here = self.gpu_models();
        if self.gpus.is_none() {
            let launches = self.store().launches(self.run.id).await?;
            let measured = launches.iter().find_map(|launch| launch.facts.as_ref()?.get("gpus").cloned());
            self.gpus =
                Some(measured.and_then(|gpus| serde_json::from_value(gpus).ok()).unwrap_or_else(|| here.clone()));
        }
        match &self.gpus {
            Some(first) if *first != here => Err(Halt::Failed(format!(
                "node {node} has {}, and the run began on {}: their figures do not compare. Name the GPUs in the host's \
                 settings (gres, constraint), then start the plan again",
                shown(&here),
                shown(first)
            ))),
            _ => Ok(()),
        }
    }

    /// The models of the machine's GPUs, one word each.
    pub(super) fn gpu_models(&self) -> Vec<String> {
        self.facts.gpus.iter().map(|gpu| gpu.model.clone()).collect()
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
        // A job that Slurm put back keeps its place in the queue: it is the one that is waited for now.
        self.host().close().await;
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

fn shown(models: &[String]) -> String {
    if models.is_empty() { "no GPU".to_owned() } else { models.join(", ") }
}
