//! What the API takes and gives. The shapes are the API's own, so that it stays as it is when the pages change.

use podium_service::{CandidatePreview, CandidateView, HostView, KeptPlan, PlanCheck, RunListItem, RunView, ShareView};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

/// A plan's text.
#[derive(Debug, Deserialize, ToSchema)]
pub(super) struct PlanText {
    /// The plan in YAML.
    #[schema(example = "model: {name: Qwen/Qwen3-8B}")]
    pub(super) yaml: String,
}

/// Everything that follows from a plan's text.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct PlanAnswer {
    /// Whether a run of it can be started.
    ok: bool,
    /// The plan's title, once it can be read.
    title: Option<String>,
    /// What prevents a start.
    problems: Vec<PlanProblem>,
    /// What does not.
    warnings: Vec<PlanProblem>,
    /// The candidates, in order.
    candidates: Vec<PlanCandidate>,
    /// Measurements of the first pass.
    measurements: u64,
    /// Measurements of the second pass at most.
    repeated_measurements: u64,
}

/// A problem with a plan.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct PlanProblem {
    /// Where in the plan.
    path: String,
    /// The line of the text, from 1.
    line: Option<u32>,
    /// What is wrong and what to do about it.
    message: String,
}

/// A candidate before it ran.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct PlanCandidate {
    /// Whose server it is.
    framework: String,
    /// Its id.
    candidate_id: String,
    /// The command line, quoted for a shell.
    command: String,
}

impl From<PlanCheck> for PlanAnswer {
    fn from(check: PlanCheck) -> Self {
        let problem = |problem: podium_formats::plan::Problem| PlanProblem {
            path: problem.path,
            line: problem.line,
            message: problem.message,
        };
        let candidate = |candidate: CandidatePreview| PlanCandidate {
            framework: candidate.framework.id().to_owned(),
            candidate_id: candidate.candidate_id,
            command: candidate.command,
        };
        Self {
            ok: check.problems.is_empty(),
            title: check.title,
            problems: check.problems.into_iter().map(problem).collect(),
            warnings: check.warnings.into_iter().map(problem).collect(),
            candidates: check.candidates.into_iter().map(candidate).collect(),
            measurements: check.measurements,
            repeated_measurements: check.repeated_measurements,
        }
    }
}

/// A plan to keep.
#[derive(Debug, Deserialize, ToSchema)]
pub(super) struct NewPlan {
    /// Its name.
    #[schema(min_length = 1, max_length = 60)]
    pub(super) name: String,
    /// The plan in YAML; mistakes do not matter yet.
    pub(super) yaml: String,
}

/// Which version of a plan.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct VersionQuery {
    /// From 1; the newest where it is left out.
    #[param(minimum = 1)]
    pub(super) version: Option<i32>,
}

/// A plan that is kept, in one of its versions.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Plan {
    /// The plan.
    id: Uuid,
    /// Its name.
    name: String,
    /// The version, from 1.
    version: i32,
    /// The version's text.
    yaml: String,
    /// When the version was made.
    #[serde(with = "time::serde::rfc3339")]
    created_at: OffsetDateTime,
}

impl From<KeptPlan> for Plan {
    fn from(kept: KeptPlan) -> Self {
        Self { id: kept.id, name: kept.name, version: kept.version, yaml: kept.yaml, created_at: kept.created_at }
    }
}

/// What to start.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct NewRun {
    /// The plan in YAML.
    pub(crate) yaml: String,
    /// The host's name; this machine where it is left out.
    pub(crate) host: Option<String>,
    /// Only these frameworks of the plan.
    pub(crate) frameworks: Option<Vec<String>>,
    /// Skip frameworks that the host lacks instead of recording a failure.
    #[serde(default)]
    pub(crate) skip_missing: bool,
    /// Start engines at idle priority.
    #[serde(default)]
    pub(crate) idle_engines: bool,
}

/// A thing that was made.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct Made {
    /// Its id.
    pub(crate) id: Uuid,
}

/// Which runs to list.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct RunsQuery {
    /// Beginnings of words of title, model, frameworks, tags and notes.
    pub(super) search: Option<String>,
    /// How many; 50 where it is left out.
    #[param(minimum = 1, maximum = 500)]
    pub(super) limit: Option<u32>,
}

/// One run in a list.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct RunLine {
    /// The run.
    pub(crate) id: Uuid,
    /// Model, hardware and scenarios.
    pub(crate) title: String,
    /// `queued`, `running`, `cancelling`, `cancelled`, `completed` or `failed`.
    pub(crate) status: String,
    /// Whether it goes on no longer.
    pub(crate) is_final: bool,
    /// Whether any of its engines was simulated.
    pub(crate) simulated: bool,
    /// Whether it is a flow check, which names no winner.
    pub(crate) flow_check: bool,
    /// The frameworks compared.
    pub(crate) frameworks: Vec<String>,
    /// The host's name; empty for an imported run.
    pub(crate) host: String,
    /// What people call it.
    pub(crate) tags: Vec<String>,
    /// When it was asked for.
    #[serde(with = "time::serde::rfc3339")]
    pub(crate) created_at: OffsetDateTime,
    /// When it ended.
    #[serde(with = "time::serde::rfc3339::option")]
    pub(crate) finished_at: Option<OffsetDateTime>,
    /// One sentence per scenario with the answer, once there is a report.
    pub(crate) answers: Vec<String>,
}

impl From<RunListItem> for RunLine {
    fn from(item: RunListItem) -> Self {
        Self {
            id: item.id,
            title: item.title,
            status: item.status.word().to_owned(),
            is_final: item.status.is_final(),
            simulated: item.simulated,
            flow_check: item.flow_check,
            frameworks: item.frameworks.iter().map(|framework| framework.id().to_owned()).collect(),
            host: item.host,
            tags: item.tags,
            created_at: item.created_at,
            finished_at: item.finished_at,
            answers: item.answers,
        }
    }
}

/// One run with its candidates.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct RunDetail {
    /// The line of the list.
    pub(crate) run: RunLine,
    /// What people wrote about it, Markdown.
    pub(crate) notes: String,
    /// The plan as it was started.
    pub(crate) yaml: String,
    /// Why the run failed as a whole.
    pub(crate) failure: Option<String>,
    /// What is going on, in words.
    pub(crate) activity: String,
    /// Measurements taken so far.
    pub(crate) measured: u64,
    /// Measurements in all, as far as is known.
    pub(crate) planned: u64,
    /// The candidates, in order.
    pub(crate) candidates: Vec<RunCandidate>,
    /// Whether there is a report.
    pub(crate) has_report: bool,
}

/// One candidate of a run.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct RunCandidate {
    /// Whose server it is.
    pub(crate) framework: String,
    /// Its id.
    pub(crate) candidate_id: String,
    /// The command line, quoted for a shell.
    pub(crate) command: String,
    /// `pending`, `running`, `ok`, `failed`, `oom`, `timeout` or `skipped`.
    pub(crate) status: String,
    /// Why it failed or was skipped.
    pub(crate) failure_reason: Option<String>,
    /// The log lines that prove it.
    pub(crate) evidence: Vec<String>,
    /// What to do about it, where that is known.
    pub(crate) hint: Option<String>,
}

impl From<CandidateView> for RunCandidate {
    fn from(view: CandidateView) -> Self {
        Self {
            framework: view.framework.id().to_owned(),
            candidate_id: view.candidate_id,
            command: view.command,
            status: view.status.word().to_owned(),
            failure_reason: view.failure_reason,
            evidence: view.evidence,
            hint: view.hint,
        }
    }
}

impl From<RunView> for RunDetail {
    fn from(view: RunView) -> Self {
        Self {
            run: view.item.into(),
            notes: view.notes,
            yaml: view.yaml,
            failure: view.failure,
            activity: view.activity,
            measured: view.measured,
            planned: view.planned,
            candidates: view.candidates.into_iter().map(Into::into).collect(),
            has_report: view.report_id.is_some(),
        }
    }
}

/// A host.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct HostLine {
    /// The host.
    id: Uuid,
    /// Its name.
    name: String,
    /// How it is reached: `local`, `ssh`, …
    kind: String,
    /// When it was last looked at.
    #[serde(with = "time::serde::rfc3339::option")]
    checked_at: Option<OffsetDateTime>,
    /// What was found then; the shape grows.
    #[schema(value_type = Option<Object>)]
    facts: serde_json::Value,
}

impl TryFrom<HostView> for HostLine {
    type Error = serde_json::Error;

    fn try_from(view: HostView) -> Result<Self, Self::Error> {
        let facts = serde_json::to_value(&view.facts)?;
        Ok(Self { id: view.id, name: view.name, kind: view.kind, checked_at: view.checked_at, facts })
    }
}

/// A link to make.
#[derive(Debug, Deserialize, ToSchema)]
pub(super) struct NewLink {
    /// Whether it shows hosts' names, paths and logs.
    #[serde(default)]
    pub(super) include_private: bool,
    /// In how many days it ends; never where it is left out.
    #[schema(minimum = 1, maximum = 3650)]
    pub(super) days: Option<u32>,
    /// The password that it asks for.
    pub(super) password: Option<String>,
}

/// A link to a report.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Link {
    /// The link.
    pub(super) id: Uuid,
    /// Its path, told once: when it is made.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) path: Option<String>,
    /// When it was made.
    #[serde(with = "time::serde::rfc3339")]
    created_at: OffsetDateTime,
    /// When it ends.
    #[serde(with = "time::serde::rfc3339::option")]
    expires_at: Option<OffsetDateTime>,
    /// When it was revoked.
    #[serde(with = "time::serde::rfc3339::option")]
    revoked_at: Option<OffsetDateTime>,
    /// Whether it shows hosts' names, paths and logs.
    include_private: bool,
    /// Whether it asks for a password.
    has_password: bool,
}

impl From<ShareView> for Link {
    fn from(view: ShareView) -> Self {
        Self {
            id: view.id,
            path: None,
            created_at: view.created_at,
            expires_at: view.expires_at,
            revoked_at: view.revoked_at,
            include_private: view.include_private,
            has_password: view.has_password,
        }
    }
}
