//! What earlier runs left on a host: shown and, when asked for, removed. What a run that goes on uses is left alone.

use podium_launcher::{Leftover, LeftoverKind};
use serde_json::json;
use uuid::Uuid;

use crate::caller::{Caller, Role};
use crate::error::{Error, Result};
use crate::service::Service;
use crate::worker::{OUTAGE_LIMIT, spool_folder};

/// Whose a leftover is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LeftoverState {
    /// Nobody's any more: it can go.
    Left,
    /// A run that goes on, or whose worker may come back, uses it.
    InUse,
    /// This database knows nothing of it: another Podium may use it.
    Foreign,
}

/// A thing on a host that came out of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeftoverView {
    /// The thing.
    pub leftover: Leftover,
    /// Whose it is.
    pub state: LeftoverState,
}

/// What became of the things that could go.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Cleaned {
    /// What was removed.
    pub removed: Vec<Leftover>,
    /// What could not be, with the reason.
    pub kept: Vec<(Leftover, String)>,
}

impl Service {
    /// What runs left on a host, and what runs that go on use there.
    ///
    /// # Errors
    /// The host is unknown, or out of reach.
    pub async fn leftovers(&self, caller: Caller, host_id: Uuid) -> Result<Vec<LeftoverView>> {
        caller.require(Role::Viewer)?;
        let host = self.reachable(host_id).await?;
        let found = host.leftovers().await;
        host.close().await;
        let mut found = found.map_err(|error| Error::Unavailable(error.to_string()))?;
        if !host.is_remote() {
            found.extend(self.waiting_results().await?);
        }
        let (jobs, found): (Vec<_>, Vec<_>) = found.into_iter().partition(|found| found.kind == LeftoverKind::Job);
        let mut views = Vec::new();
        for leftover in jobs {
            views.push(LeftoverView { state: self.state_of_job(&leftover).await?, leftover });
        }
        let ids: Vec<Uuid> = found.iter().filter_map(|leftover| leftover.launch).collect();
        let in_use = self.store().launches_in_use(&ids, OUTAGE_LIMIT).await?;
        let known = self.store().known_launches(&ids).await?;
        let host_in_use = self.store().host_is_in_use(host_id, OUTAGE_LIMIT).await?;
        let state = |leftover: &Leftover| match leftover.launch {
            Some(id) if in_use.contains(&id) => LeftoverState::InUse,
            Some(id) if !known.contains(&id) => LeftoverState::Foreign,
            Some(_) => LeftoverState::Left,
            // It belongs to no launch that could be asked for.
            None if host_in_use => LeftoverState::InUse,
            None => LeftoverState::Left,
        };
        views.extend(found.into_iter().map(|leftover| LeftoverView { state: state(&leftover), leftover }));
        Ok(views)
    }

    /// A job holds a node for its run until that has ended: whoever resumes the run takes it over.
    async fn state_of_job(&self, job: &Leftover) -> Result<LeftoverState> {
        let Some(run_id) = job.launch else { return Ok(LeftoverState::Foreign) };
        match self.store().run(run_id).await {
            Ok(run) if run.status.is_final() => Ok(LeftoverState::Left),
            Ok(_) => Ok(LeftoverState::InUse),
            Err(podium_store::Error::NotFound { .. }) => Ok(LeftoverState::Foreign),
            Err(error) => Err(error.into()),
        }
    }

    /// Removes what is left on a host; with `foreign`, what this database knows nothing of too. Every signal goes to a
    /// process whose start time was compared.
    ///
    /// # Errors
    /// As [`Service::leftovers`].
    pub async fn clean_host(&self, caller: Caller, host_id: Uuid, foreign: bool) -> Result<Cleaned> {
        caller.require(Role::Admin)?;
        let mut cleaned = Cleaned::default();
        let mut found = self.leftovers(caller, host_id).await?;
        found.retain(|one| one.state == LeftoverState::Left || (foreign && one.state == LeftoverState::Foreign));
        // Processes first: a folder that is written to would come back.
        found.sort_by_key(|one| one.leftover.kind != LeftoverKind::Processes);
        let host = self.reachable(host_id).await?;
        for LeftoverView { leftover, .. } in found {
            let outcome = match leftover.launch.is_none() && leftover.kind == LeftoverKind::Folder {
                true => tokio::fs::remove_dir_all(&leftover.name).await.map_err(|error| error.to_string()),
                false => host.remove_leftover(&leftover).await.map_err(|error| error.to_string()),
            };
            match outcome {
                Ok(()) => cleaned.removed.push(leftover),
                Err(reason) => cleaned.kept.push((leftover, reason)),
            }
        }
        host.close().await;
        let names: Vec<_> = cleaned.removed.iter().map(|leftover| &leftover.name).collect();
        self.audit(caller, "host.clean", format!("host {host_id}"), json!({ "removed": names })).await?;
        Ok(cleaned)
    }

    async fn reachable(&self, host_id: Uuid) -> Result<podium_launcher::Host> {
        let host = self.store().host(host_id).await?;
        self.launcher_host(&host).map_err(Error::Conflict)
    }

    /// Results on this machine's disk that waited for a database whose run has ended since.
    async fn waiting_results(&self) -> Result<Vec<Leftover>> {
        let mut left = Vec::new();
        let entries = std::fs::read_dir(spool_folder(self.data_dir())).into_iter().flatten().flatten();
        for entry in entries {
            let Some(run_id) = entry.file_name().to_str().and_then(|name| Uuid::try_parse(name).ok()) else { continue };
            let ended = match self.store().run(run_id).await {
                Ok(run) => run.status.is_final(),
                Err(podium_store::Error::NotFound { .. }) => false,
                Err(error) => return Err(error.into()),
            };
            if ended {
                left.push(Leftover {
                    kind: LeftoverKind::Folder,
                    launch: None,
                    name: entry.path().display().to_string(),
                    detail: "results that came too late".to_owned(),
                });
            }
        }
        Ok(left)
    }
}
