//! A preflight on its own, without a run.

use std::path::PathBuf;

use podium_domain::framework::Framework;
use podium_launcher::Host;
use tokio::sync::mpsc::UnboundedSender;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::{FrameworkPreflight, Preflight, PreflightCheck, PreflightReport, SmokeTest};
use crate::caller::{Caller, Role};
use crate::datasets::read_plan;
use crate::error::{Error, Result};
use crate::runs::exclude;
use crate::service::Service;
use crate::views::SmokeChoice;

/// What to look at.
#[derive(Debug, Clone)]
pub struct StartPreflight {
    /// The plan.
    pub yaml: String,
    /// Where; `None` is this machine.
    pub host_id: Option<Uuid>,
    /// Only these frameworks; `None` is all that the plan enables.
    pub frameworks: Option<Vec<Framework>>,
    /// Of which frameworks a minimal server is started.
    pub smoke: SmokeChoice,
    /// Whether what is known of the host is found out again: help texts and passed smoke tests.
    pub refresh: bool,
    /// Start engines at idle priority.
    pub idle_engines: bool,
    /// The load process's program.
    pub agent: PathBuf,
}

impl Service {
    /// Looks at a host for a plan, as a run begins. Each check is told as it is made. Nothing of it is stored but what
    /// later ones need not find out again.
    ///
    /// # Errors
    /// [`Error::Invalid`] with every problem of the plan, [`Error::Conflict`] for a host that this machine cannot reach.
    /// What is wrong on the host is in the answer.
    pub async fn preflight(
        &self,
        caller: Caller,
        start: StartPreflight,
        tell: UnboundedSender<PreflightCheck>,
        cancel: &CancellationToken,
    ) -> Result<PreflightReport> {
        caller.require(Role::Runner)?;
        let yaml = start.yaml.clone();
        let reading = tokio::task::spawn_blocking(move || read_plan(&yaml)).await.map_err(Error::internal)?;
        let Some(mut plan) = reading.plan else { return Err(Error::Invalid { problems: reading.problems }) };
        exclude(&mut plan, start.frameworks.as_deref())?;
        let stored = match start.host_id {
            Some(id) => self.store().host(id).await?,
            None => self.this_machine(caller).await?,
        };
        let place = self.launcher_host(&stored).map_err(Error::Conflict)?;
        let node = place.allocate(Uuid::new_v4(), 0, cancel, |waiting| tracing::info!("{waiting}")).await;
        let host = node.map_err(|error| Error::Conflict(error.to_string()))?.unwrap_or(place);
        let facts = host.facts().await;
        let preflight = Preflight {
            service: self,
            host: &host,
            host_id: stored.id,
            host_name: &stored.name,
            facts: &facts,
            plan: &plan,
            yaml: &start.yaml,
            refresh: start.refresh,
        };
        let looked = tokio::select! {
            looked = preflight.look(tell.clone()) => looked.map_err(Error::from),
            () = cancel.cancelled() => Err(Error::Conflict("the preflight was stopped".to_owned())),
        };
        let mut found = match looked {
            Ok(found) => found,
            Err(error) => {
                release(&host).await?;
                return Err(error);
            }
        };
        let smoked = preflight.smoke_alone(&start, &mut found, &tell, cancel).await;
        release(&host).await?;
        smoked?;
        Ok(found)
    }

    /// The text of a captured help.
    ///
    /// # Errors
    /// It was not captured.
    pub async fn help_text(&self, caller: Caller, artifact_id: Uuid) -> Result<Vec<u8>> {
        caller.require(Role::Viewer)?;
        Ok(self.store().artifact_bytes(artifact_id).await?)
    }
}

async fn release(host: &Host) -> Result<()> {
    host.release().await.map_err(|error| Error::Unavailable(error.to_string()))
}

impl Preflight<'_> {
    async fn smoke_alone(
        &self,
        start: &StartPreflight,
        found: &mut PreflightReport,
        tell: &UnboundedSender<PreflightCheck>,
        cancel: &CancellationToken,
    ) -> Result<()> {
        let plan = found.fitted(self.plan);
        let to_be_smoked = |found: &FrameworkPreflight| found.is_to_be_smoked(start.smoke).then_some(found.framework);
        let frameworks: Vec<_> = found.frameworks.iter().filter_map(to_be_smoked).collect();
        for framework in frameworks {
            let Some(part) = plan.frameworks.get(&framework) else { continue };
            let Some(own) = found.frameworks.iter_mut().find(|own| own.framework == framework) else { continue };
            let record = match self.known_smoke(own).await? {
                Some(known) => known,
                None => {
                    let test = SmokeTest {
                        host: self.host,
                        facts: self.facts,
                        plan: &plan,
                        framework,
                        eager_flag: own.eager_flag.as_deref(),
                        part,
                        agent: &start.agent,
                        data_dir: self.service.data_dir(),
                        idle_priority: start.idle_engines,
                        launch_id: podium_store::new_id(),
                    };
                    let end = match test.prepare().await {
                        Ok(prepared) => test.run(&prepared, cancel).await,
                        Err(failure) => Some(test.unprepared(failure)),
                    };
                    let stopped =
                        || Error::Conflict("the preflight was stopped, and the server that it had started".to_owned());
                    self.keep_smoke(own, end.ok_or_else(stopped)?).await?
                }
            };
            let check = record.check(framework);
            let _ = tell.send(check.clone());
            own.smoke = Some(record);
            found.checks.push(check);
        }
        Ok(())
    }
}
