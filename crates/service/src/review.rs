//! Looking through the runs, and what people do to them: tags, notes, the archive, deleting with a way back.

use podium_formats::plan::Problem;
use podium_store::{ListedRun, OnConstraint as _, Run, RunQuery, Shelf};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::caller::{Caller, Role};
use crate::error::{Error, Result};
use crate::service::Service;
use crate::views::RunListItem;

/// What the list can be filtered by.
#[derive(Debug, Clone, Default)]
pub struct RunFacets {
    /// Models, in name order.
    pub models: Vec<String>,
    /// Tags, in name order.
    pub tags: Vec<String>,
    /// Hosts: id and name.
    pub hosts: Vec<(Uuid, String)>,
}

/// Most tags of a run.
const MAX_TAGS: usize = 20;
/// Most characters of a tag.
const MAX_TAG_CHARS: usize = 50;
/// Most characters of a run's notes.
const MAX_NOTES_CHARS: usize = 20_000;

impl Service {
    /// At most `limit` (and never more than 500) of the runs that a query asks for, in its order.
    pub async fn list_runs(&self, caller: Caller, query: &RunQuery, limit: u32) -> Result<Vec<RunListItem>> {
        caller.require(Role::Viewer)?;
        let runs = self.store().listed_runs(query, limit.min(500).into()).await?;
        Ok(runs.into_iter().map(listed_item).collect())
    }

    /// What the list can be filtered by.
    pub async fn run_facets(&self, caller: Caller) -> Result<RunFacets> {
        caller.require(Role::Viewer)?;
        let hosts = self.store().hosts().await?;
        Ok(RunFacets {
            models: self.store().run_models().await?,
            tags: self.store().run_tags().await?,
            hosts: hosts.into_iter().map(|host| (host.id, host.name)).collect(),
        })
    }

    /// Replaces a run's tags (separated by commas) and notes (Markdown).
    ///
    /// # Errors
    /// [`Error::Invalid`] with every tag or text that is too long.
    pub async fn annotate_run(&self, caller: Caller, id: Uuid, tags: &str, notes: &str) -> Result<()> {
        caller.require(Role::Runner)?;
        let tags = read_tags(tags);
        let mut problems: Vec<_> = tags
            .iter()
            .filter(|tag| tag.chars().count() > MAX_TAG_CHARS)
            .map(|tag| Problem::new("tags", None, format!("`{tag}` is longer than {MAX_TAG_CHARS} characters")))
            .collect();
        if tags.len() > MAX_TAGS {
            problems.push(Problem::new("tags", None, format!("{} tags are more than {MAX_TAGS}", tags.len())));
        }
        if notes.chars().count() > MAX_NOTES_CHARS {
            problems.push(Problem::new("notes", None, format!("longer than {MAX_NOTES_CHARS} characters")));
        }
        if !problems.is_empty() {
            return Err(Error::Invalid { problems });
        }
        let notes = notes.replace("\r\n", "\n").replace('\0', "");
        self.store().set_run_notes(id, &tags, notes.trim()).await?;
        self.audit(caller, "run.annotate", format!("run {id}"), json!({ "tags": tags })).await
    }

    /// Puts a run into the archive, or takes it out.
    pub async fn archive_run(&self, caller: Caller, id: Uuid, archived: bool) -> Result<()> {
        caller.require(Role::Runner)?;
        self.store().archive_run(id, archived).await?;
        let action = if archived { "run.archive" } else { "run.unarchive" };
        self.audit(caller, action, format!("run {id}"), json!({})).await
    }

    /// Takes a run out of the lists, and with it its report's links. [`Service::restore_run`] brings it back.
    ///
    /// # Errors
    /// [`Error::Conflict`] for a run that has not ended.
    pub async fn delete_run(&self, caller: Caller, id: Uuid) -> Result<()> {
        caller.require(Role::Runner)?;
        let unfinished = || Error::Conflict("the run has not ended: cancel it, then delete it".to_owned());
        self.store().delete_run(id).await.on_constraint("run_is_finished", unfinished)?;
        self.audit(caller, "run.delete", format!("run {id}"), json!({})).await
    }

    /// Brings a deleted run back, with its report and links.
    pub async fn restore_run(&self, caller: Caller, id: Uuid) -> Result<()> {
        caller.require(Role::Runner)?;
        self.store().restore_run(id).await?;
        self.audit(caller, "run.restore", format!("run {id}"), json!({})).await
    }
}

/// The tags of a text: separated by commas, each once, without space around.
fn read_tags(text: &str) -> Vec<String> {
    let mut tags: Vec<String> = Vec::new();
    for tag in text.split([',', '\n']).map(|tag| tag.trim().replace('\0', "")) {
        if !tag.is_empty() && !tags.contains(&tag) {
            tags.push(tag);
        }
    }
    tags
}

fn sentences(answers: Option<Value>) -> Vec<String> {
    answers.and_then(|answers| serde_json::from_value(answers).ok()).unwrap_or_default()
}

fn listed_item(run: ListedRun) -> RunListItem {
    RunListItem {
        id: run.id,
        title: run.title,
        status: run.status,
        simulated: run.simulated,
        flow_check: run.flow_check,
        frameworks: run.frameworks,
        host: run.host_name,
        kind: run.kind,
        tags: run.tags,
        shelf: run.shelf,
        created_at: run.created_at,
        finished_at: run.finished_at,
        answers: sentences(run.answers),
    }
}

/// A run as a line of the list.
pub(crate) fn run_item(run: &Run) -> RunListItem {
    RunListItem {
        id: run.id,
        title: run.title.clone(),
        status: run.status,
        simulated: run.simulated,
        flow_check: run.flow_check,
        frameworks: run.frameworks.clone(),
        host: run.host_name.clone(),
        kind: run.kind,
        tags: run.tags.clone(),
        // A deleted run is never loaded.
        shelf: if run.archived_at.is_some() { Shelf::Archived } else { Shelf::Active },
        created_at: run.created_at,
        finished_at: run.finished_at,
        answers: sentences(run.summary.as_ref().and_then(|summary| summary.get("answers")).cloned()),
    }
}

#[cfg(test)]
mod tests {
    use super::read_tags;

    #[test]
    fn tags_are_separated_by_commas_and_stand_once() {
        assert_eq!(read_tags(" nightly, h100 ,,nightly\nb b "), ["nightly", "h100", "b b"]);
        assert!(read_tags(" , ").is_empty());
    }
}
