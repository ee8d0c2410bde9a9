//! What the pages, the API and the command line show: plain values, made by the use cases.

use podium_domain::candidate::UntriedValue;
use podium_domain::confidence::Repeat;
use podium_domain::form::PlanForm;
use podium_domain::framework::Framework;
use podium_domain::load::LoadPoint;
use podium_domain::measure::{SeriesPoint, Summary};
use podium_domain::report::Report;
use podium_domain::status::{CandidateStatus, LaunchState, MeasurementStatus, RunStatus};
use podium_domain::telemetry::TelemetrySummary;
use podium_formats::plan::{Filled, Problem};
use podium_store::{RunKind, Shelf};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::caller::Role;
use crate::preflight::{PreflightCheck, PreflightReport};

/// A plan text and everything that follows from it.
#[derive(Debug, Clone, Serialize)]
pub struct PlanCheck {
    /// The text that was checked.
    pub yaml: String,
    /// The form's projection; `None` while the YAML cannot be parsed, which freezes the form.
    pub form: Option<PlanForm>,
    /// What prevents a start.
    pub problems: Vec<Problem>,
    /// What does not.
    pub warnings: Vec<Problem>,
    /// Defaults that were filled in.
    pub filled: Vec<Filled>,
    /// The candidates, in order; empty while there are problems.
    pub candidates: Vec<CandidatePreview>,
    /// Searched values that the limit leaves untried.
    pub untried: Vec<UntriedValue>,
    /// The smallest limit with which no searched value is left untried; `None` where none is, or it is not known.
    pub limit_for_all: Option<u64>,
    /// Measurements of the first pass; a rate search counts with its largest number of probes.
    pub measurements: u64,
    /// Measurements of the second pass at most; 0 where there is none.
    pub repeated_measurements: u64,
    /// The plan's title.
    pub title: Option<String>,
    /// Whether a run of it is a flow check, which yields no winner.
    pub flow_check: bool,
}

/// A candidate before it ran.
#[derive(Debug, Clone, Serialize)]
pub struct CandidatePreview {
    /// Whose server it is.
    pub framework: Framework,
    /// Its id.
    pub candidate_id: String,
    /// The command line, quoted for a shell.
    pub command: String,
}

/// What to start.
#[derive(Debug, Clone)]
pub struct StartRun {
    /// The plan.
    pub yaml: String,
    /// Where; `None` is this machine.
    pub host_id: Option<Uuid>,
    /// Only these frameworks; `None` is all that the plan enables. The report names the others as excluded by the user.
    pub frameworks: Option<Vec<Framework>>,
    /// Frameworks whose command the host lacks are skipped with that reason instead of failing.
    pub skip_missing: bool,
    /// Start engines at idle priority, so that they cannot starve the load process on a small machine.
    pub idle_engines: bool,
    /// Which frameworks a minimal server is started of before anything is measured.
    pub smoke: SmokeChoice,
}

impl StartRun {
    /// All of a plan on this machine, nothing out of the ordinary.
    pub fn of(yaml: impl Into<String>) -> Self {
        StartRun {
            yaml: yaml.into(),
            host_id: None,
            frameworks: None,
            skip_missing: false,
            idle_engines: false,
            smoke: SmokeChoice::default(),
        }
    }
}

/// When a minimal server of each framework is started, asked and stopped before anything is measured.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SmokeChoice {
    /// Of real engines, unless their version passed on this host with this model before.
    #[default]
    Auto,
    /// Of simulated engines as well.
    Always,
    /// Of none.
    Never,
}

/// One line of the runs list.
#[derive(Debug, Clone, Serialize)]
pub struct RunListItem {
    /// The run.
    pub id: Uuid,
    /// Model, hardware and scenarios.
    pub title: String,
    /// Where it is.
    pub status: RunStatus,
    /// Whether any of its engines was simulated.
    pub simulated: bool,
    /// Whether it is a flow check.
    pub flow_check: bool,
    /// The frameworks compared.
    pub frameworks: Vec<Framework>,
    /// The host's name; empty for an imported run.
    pub host: String,
    /// Whether it was measured here.
    pub kind: RunKind,
    /// What people call it.
    pub tags: Vec<String>,
    /// Where it is kept.
    pub shelf: Shelf,
    /// When it was asked for.
    pub created_at: OffsetDateTime,
    /// When it ended.
    pub finished_at: Option<OffsetDateTime>,
    /// One sentence per scenario with the answer, once there is a report.
    pub answers: Vec<String>,
}

/// One run, whole.
#[derive(Debug, Clone, Serialize)]
pub struct RunView {
    /// The line of the list.
    pub item: RunListItem,
    /// What people wrote about it, Markdown.
    pub notes: String,
    /// The rows of an imported run; empty for one that was measured here.
    pub imported: Vec<ImportedRowView>,
    /// The files of an imported run, as they were given.
    pub files: Vec<RunFile>,
    /// The plan as it was started.
    pub yaml: String,
    /// Why the run failed as a whole.
    pub failure: Option<String>,
    /// What was found on the host before anything was measured; `None` until then.
    pub preflight: Option<PreflightReport>,
    /// The scenarios' names, the columns of the matrix.
    pub scenarios: Vec<String>,
    /// The rows of the matrix.
    pub candidates: Vec<CandidateView>,
    /// What is going on, in words.
    pub activity: String,
    /// Measurements taken so far.
    pub measured: u64,
    /// Measurements in all, as far as is known.
    pub planned: u64,
    /// The number of the last event, to resume from.
    pub last_seq: i64,
    /// The report, once there is one.
    pub report_id: Option<Uuid>,
}

/// One row of an imported run, and where it comes from.
#[derive(Debug, Clone, Serialize)]
pub struct ImportedRowView {
    /// The framework's name for people.
    pub framework: String,
    /// The candidate's id.
    pub candidate_id: String,
    /// The scenario's name.
    pub scenario: String,
    /// The load in words.
    pub load: Option<String>,
    /// One of the five statuses of result rows.
    pub status: CandidateStatus,
    /// Why it is not `ok`.
    pub reason: Option<String>,
    /// The tool that measured it; `None` for a row that came as a row.
    pub tool: Option<String>,
    /// The requests in the file by which figures were computed again; 0 where it has summaries alone.
    pub samples: u64,
}

/// A file of a run.
#[derive(Debug, Clone, Serialize)]
pub struct RunFile {
    /// Its content.
    pub id: Uuid,
    /// Its name.
    pub name: String,
    /// Its size.
    pub size_bytes: u64,
}

/// One candidate of a run.
#[derive(Debug, Clone, Serialize)]
pub struct CandidateView {
    /// Whose server it is.
    pub framework: Framework,
    /// Its id.
    pub candidate_id: String,
    /// What differs from the baseline, `name=value` each.
    pub differs: Vec<String>,
    /// The command line.
    pub command: String,
    /// Where it is.
    pub status: CandidateStatus,
    /// Why it failed or was skipped.
    pub failure_reason: Option<String>,
    /// The log lines that prove it.
    pub evidence: Vec<String>,
    /// What to do about it, where that is known.
    pub hint: Option<String>,
    /// The newest launch.
    pub launch: Option<LaunchView>,
    /// One cell per scenario, in the order of [`RunView::scenarios`].
    pub cells: Vec<CellView>,
}

/// One launch of a candidate.
#[derive(Debug, Clone, Serialize)]
pub struct LaunchView {
    /// The launch.
    pub id: Uuid,
    /// Where it is.
    pub state: LaunchState,
    /// The command as executed.
    pub command: String,
    /// The framework's version, where it said so.
    pub version: Option<String>,
    /// From start to ready, seconds.
    pub ready_after_s: Option<f64>,
}

/// The measurements of one candidate in one scenario.
#[derive(Debug, Clone, Serialize)]
pub struct CellView {
    /// All of them, in the order of the plan.
    pub measurements: Vec<MeasurementView>,
    /// The index of the one that stands for the cell, once there is one.
    pub best: Option<usize>,
}

/// One measurement.
#[derive(Debug, Clone, Serialize)]
pub struct MeasurementView {
    /// The measurement.
    pub id: Uuid,
    /// The load.
    pub load_point: LoadPoint,
    /// In which pass, and which repeat.
    pub repeat: Repeat,
    /// Where it is.
    pub status: MeasurementStatus,
    /// Why it failed or was skipped.
    pub failure_reason: Option<String>,
    /// Whether it held the SLA.
    pub sla_passed: Option<bool>,
    /// Its figures, once taken.
    pub summary: Option<Summary>,
    /// Its series, a point a second, once taken.
    pub series: Vec<SeriesPoint>,
    /// What the engine and its GPUs said of themselves meanwhile; `None` where they were not asked.
    pub telemetry: Option<TelemetrySummary>,
}

/// A part of a launch's log.
#[derive(Debug, Clone, Serialize)]
pub struct LogChunk {
    /// Where the part begins, bytes from the log's start.
    pub offset: u64,
    /// The text; invalid UTF-8 is replaced.
    pub text: String,
    /// Where to go on.
    pub next_offset: u64,
}

/// An event of a run, as stored.
#[derive(Debug, Clone, Serialize)]
pub struct RunEventView {
    /// Its number within the run, from 1 without gaps.
    pub seq: i64,
    /// When.
    pub at: OffsetDateTime,
    /// What happened.
    pub event: RunEvent,
}

/// What can happen in a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum RunEvent {
    /// The run changed its status.
    Run {
        /// The new status.
        status: RunStatus,
        /// Why, where it failed.
        failure: Option<String>,
    },
    /// Something was looked at before anything is measured.
    Preflight {
        /// What was found.
        check: PreflightCheck,
    },
    /// A candidate changed its status.
    Candidate {
        /// Which.
        candidate_id: String,
        /// The new status.
        status: CandidateStatus,
        /// Why, where it failed or was skipped.
        reason: Option<String>,
    },
    /// A launch changed its state.
    Launch {
        /// Which.
        launch_id: Uuid,
        /// Whose.
        candidate_id: String,
        /// The new state.
        state: LaunchState,
        /// Progress or evidence, in words.
        detail: Option<String>,
    },
    /// A measurement changed its status.
    Measurement {
        /// Which.
        measurement_id: Uuid,
        /// Whose.
        candidate_id: String,
        /// In which scenario.
        scenario: String,
        /// At which load.
        load_point: LoadPoint,
        /// In which pass, and which repeat.
        #[serde(default)]
        repeat: Repeat,
        /// The new status.
        status: MeasurementStatus,
        /// The headline once done: requests per second.
        request_throughput: Option<f64>,
        /// Whether it held the SLA, once done.
        sla_passed: Option<bool>,
    },
    /// One second of a measurement that is being taken.
    Tick {
        /// Which.
        measurement_id: Uuid,
        /// Requests that ended so far.
        ended: u64,
        /// Requests in all.
        planned: u64,
        /// The second.
        point: SeriesPoint,
    },
    /// The report is there.
    Report {
        /// Which.
        report_id: Uuid,
    },
    /// Something worth a line in the run's history.
    Note {
        /// The line.
        text: String,
    },
}

/// A host and what was found on it.
#[derive(Debug, Clone, Serialize)]
pub struct HostView {
    /// The host.
    pub id: Uuid,
    /// Its name.
    pub name: String,
    /// `local` or `ssh`.
    pub kind: String,
    /// When its facts were taken.
    pub checked_at: Option<OffsetDateTime>,
    /// The facts, as the launcher reports them.
    pub facts: Option<podium_launcher::HostFacts>,
    /// How it is reached, where that is by SSH.
    pub ssh: Option<podium_launcher::SshConfig>,
}

/// A stored report.
#[derive(Debug, Clone, Serialize)]
pub struct ReportView {
    /// The report.
    pub id: Uuid,
    /// Its run.
    pub run_id: Uuid,
    /// When it was made.
    pub created_at: OffsetDateTime,
    /// The frozen model.
    pub report: Report,
    /// Its links, newest first; empty in a shared view.
    pub shares: Vec<ShareView>,
}

/// A link to a report. The token itself is shown once, when it is made.
#[derive(Debug, Clone, Serialize)]
pub struct ShareView {
    /// The link.
    pub id: Uuid,
    /// When it was made.
    pub created_at: OffsetDateTime,
    /// When it ends.
    pub expires_at: Option<OffsetDateTime>,
    /// When it was revoked.
    pub revoked_at: Option<OffsetDateTime>,
    /// Whether it shows hosts' names, paths and logs.
    pub include_private: bool,
    /// Whether it asks for a password.
    pub has_password: bool,
}

/// What a link is to be.
#[derive(Debug, Clone, Default)]
pub struct ShareOptions {
    /// Whether it shows hosts' names, paths and logs.
    pub include_private: bool,
    /// In how many days it ends; `None` is never.
    pub days: Option<u32>,
    /// The password that it asks for.
    pub password: Option<String>,
}

/// What a link answers.
#[derive(Debug, Clone)]
pub enum SharedReport {
    /// The report.
    Open(Box<ReportView>),
    /// The link asks for its password first.
    Locked,
}

/// A link that was just made.
#[derive(Debug, Clone, Serialize)]
pub struct NewShare {
    /// The link.
    pub share: ShareView,
    /// The secret part of `/r/<token>`.
    pub token: String,
}

/// A person.
#[derive(Debug, Clone, Serialize)]
pub struct PersonView {
    /// The person.
    pub id: Uuid,
    /// The name.
    pub name: String,
    /// What the person may do.
    pub role: Role,
    /// Whether it is the owner, who stays admin.
    pub is_owner: bool,
    /// Whether the person can sign in.
    pub state: PersonState,
    /// Since when.
    pub created_at: OffsetDateTime,
}

/// Whether a person can sign in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum PersonState {
    /// By name and password.
    Active,
    /// Once the invitation is accepted.
    Invited,
    /// Not before somebody invites the person anew.
    NoPassword,
    /// Locked out.
    Disabled,
}

/// The way to a password. Whoever has it is let in as the person.
#[derive(Debug, Clone)]
pub struct Invitation {
    /// Whom it is for.
    pub person: PersonView,
    /// The secret part of `/invite/<secret>`.
    pub secret: String,
    /// Until when it holds.
    pub until: OffsetDateTime,
}

/// A session that just began.
#[derive(Debug, Clone)]
pub struct Session {
    /// What the browser shows from now on.
    pub secret: String,
}

/// A program's token.
#[derive(Debug, Clone, Serialize)]
pub struct ApiTokenView {
    /// The token.
    pub id: Uuid,
    /// What its owner calls it.
    pub name: String,
    /// What it allows at most.
    pub role: Role,
    /// When it was made.
    pub created_at: OffsetDateTime,
    /// When it ends.
    pub expires_at: OffsetDateTime,
    /// When it was last used, to the minute.
    pub last_used_at: Option<OffsetDateTime>,
    /// When it was revoked.
    pub revoked_at: Option<OffsetDateTime>,
}

/// A token that was just made.
#[derive(Debug, Clone, Serialize)]
pub struct NewApiTokenView {
    /// The token.
    pub token: ApiTokenView,
    /// What the program shows; told this once.
    pub secret: String,
}

/// A line of the audit log.
#[derive(Debug, Clone, Serialize)]
pub struct AuditLine {
    /// The line.
    pub id: Uuid,
    /// When.
    pub at: OffsetDateTime,
    /// Who, as the person is called now.
    pub person: String,
    /// What was done, for example `run.start`.
    pub action: String,
    /// To what, for example `run 0198…`.
    pub subject: String,
    /// Anything else.
    pub detail: serde_json::Value,
}

/// A plan that is kept, in one of its versions.
#[derive(Debug, Clone, Serialize)]
pub struct KeptPlan {
    /// The plan.
    pub id: Uuid,
    /// Its name.
    pub name: String,
    /// The version, from 1.
    pub version: i32,
    /// The version's text.
    pub yaml: String,
    /// When the version was made.
    pub created_at: OffsetDateTime,
}
