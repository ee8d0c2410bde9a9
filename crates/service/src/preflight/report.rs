//! What a preflight found, as it is stored with a run and shown.

use podium_domain::framework::Framework;
use podium_domain::plan::{FrameworkPlan, Plan};
use podium_domain::report::Substitution;
use podium_formats::help::FlagChange;
use podium_launcher::HelpOf;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::views::SmokeChoice;

/// How a check ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Finding {
    /// It is as it should be.
    Pass,
    /// A run goes on, and its report says so where it matters.
    Warn,
    /// Something cannot be measured so.
    Fail,
    /// It does not apply.
    Skip,
}

impl Finding {
    /// The finding as a word.
    pub const fn word(self) -> &'static str {
        match self {
            Finding::Pass => "ok",
            Finding::Warn => "warning",
            Finding::Fail => "failed",
            Finding::Skip => "skipped",
        }
    }
}

/// One check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PreflightCheck {
    /// Whose software was looked at; `None` for the host itself.
    pub framework: Option<Framework>,
    /// What was looked at, for example `GPUs`.
    pub what: String,
    /// How it ended.
    pub finding: Finding,
    /// What was seen.
    pub detail: String,
    /// What to do about it.
    pub advice: Option<String>,
}

impl PreflightCheck {
    pub(crate) fn host(what: &str) -> Self {
        let (detail, advice) = (String::new(), None);
        PreflightCheck { framework: None, what: what.to_owned(), finding: Finding::Skip, detail, advice }
    }

    pub(crate) fn about(framework: Framework, what: &str) -> Self {
        PreflightCheck { framework: Some(framework), ..Self::host(what) }
    }

    pub(crate) fn pass(self, detail: impl Into<String>) -> Self {
        PreflightCheck { finding: Finding::Pass, detail: detail.into(), ..self }
    }

    pub(crate) fn warn(self, detail: impl Into<String>, advice: Option<String>) -> Self {
        PreflightCheck { finding: Finding::Warn, detail: detail.into(), advice, ..self }
    }

    pub(crate) fn fail(self, detail: impl Into<String>, advice: Option<String>) -> Self {
        PreflightCheck { finding: Finding::Fail, detail: detail.into(), advice, ..self }
    }

    pub(crate) fn skip(self, detail: impl Into<String>) -> Self {
        PreflightCheck { finding: Finding::Skip, detail: detail.into(), ..self }
    }

    /// Whose software, in words.
    pub fn subject(&self) -> &'static str {
        self.framework.map_or("host", Framework::name)
    }

    /// The check in one line.
    pub fn line(&self) -> String {
        let advice = self.advice.as_ref().map(|advice| format!(" → {advice}")).unwrap_or_default();
        format!("{} {}: {}{advice}", self.subject(), self.what, self.detail)
    }
}

/// A help text that was captured.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HelpSnapshot {
    /// Whose flags it lists.
    pub of: HelpOf,
    /// The name of its file.
    pub file_name: String,
    /// The command that printed it, quoted for a shell.
    pub command: String,
    /// Its text; `None` where it could not be had.
    pub artifact_id: Option<Uuid>,
    /// The flags in it.
    pub flags: usize,
    /// Why it could not be had.
    pub problem: Option<String>,
    /// When it was captured.
    #[serde(with = "time::serde::rfc3339")]
    pub captured_at: OffsetDateTime,
    /// Whether it was known from before: this version on this host was asked then.
    #[serde(default)]
    pub reused: bool,
}

/// A minimal server that was started, asked and stopped.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SmokeRecord {
    /// Whether the server listed its model and answered every request.
    pub passed: bool,
    /// Why not.
    pub failure: Option<String>,
    /// The server's command, quoted for a shell.
    pub launch_command: String,
    /// The command that repeats the benchmark against a deployed server.
    pub benchmark_command: String,
    /// The flag that switched CUDA graphs off for this test. Such a server is never measured for a comparison unless
    /// the plan asks for it.
    pub eager_flag: Option<String>,
    /// From start to the first answer, in milliseconds.
    pub ready_after_ms: Option<u64>,
    /// The names under `/v1/models`.
    pub listed_models: Vec<String>,
    /// Requests of the benchmark that were answered, all of them streamed.
    pub answered: u64,
    /// Requests of the benchmark.
    pub requests: u64,
    /// The server's log.
    pub log: Option<Uuid>,
    /// What the benchmark measured.
    pub benchmark: Option<Uuid>,
    /// When it ended.
    #[serde(with = "time::serde::rfc3339")]
    pub at: OffsetDateTime,
    /// Whether it was passed before, by this version with this model on this host.
    #[serde(default)]
    pub reused: bool,
}

impl SmokeRecord {
    /// The record as a check.
    pub(crate) fn check(&self, framework: Framework) -> PreflightCheck {
        let check = PreflightCheck::about(framework, "smoke test");
        if let Some(failure) = &self.failure {
            let advice = "the server's log says more; the flags of the plan are tried all the same where that can help";
            return check.fail(failure.clone(), Some(advice.to_owned()));
        }
        if self.reused {
            let day = self.at.date();
            return check.pass(format!("passed on {day} by this version with this model"));
        }
        let ready =
            self.ready_after_ms.map(|ms| format!("ready after {:.1} s, ", ms as f64 / 1000.0)).unwrap_or_default();
        let eager = self.eager_flag.as_ref().map(|flag| format!(" (with {flag}, this once)")).unwrap_or_default();
        check.pass(format!("{ready}{} of {} streamed requests answered{eager}", self.answered, self.requests))
    }
}

/// What was found for one framework of the plan.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FrameworkPreflight {
    /// Which.
    pub framework: Framework,
    /// Whether its server is simulated.
    pub simulated: bool,
    /// The program that its command runs.
    pub program: Option<String>,
    /// Its exact version.
    pub version: Option<String>,
    /// The commit that it was built from.
    pub commit: Option<String>,
    /// The captured help texts.
    pub help: Vec<HelpSnapshot>,
    /// Flags and values that it does not take, and what became of them.
    pub changes: Vec<FlagChange>,
    /// Why its base flags cannot be started there.
    pub blocked: Option<String>,
    /// What the host lacks to start it at all.
    pub gap: Option<String>,
    /// Its part of the plan as it fits, where that differs from the plan.
    pub part: Option<FrameworkPlan>,
    /// The switch that takes CUDA graphs away, where its server has it: smoke tests start quicker with it.
    pub eager_flag: Option<String>,
    /// The smoke test; `None` where there was none.
    pub smoke: Option<SmokeRecord>,
}

impl FrameworkPreflight {
    pub(super) fn new(framework: Framework) -> Self {
        FrameworkPreflight {
            framework,
            simulated: false,
            program: None,
            version: None,
            commit: None,
            help: Vec::new(),
            changes: Vec::new(),
            blocked: None,
            gap: None,
            part: None,
            eager_flag: None,
            smoke: None,
        }
    }

    /// Whether a minimal server is to be started.
    pub(crate) fn is_to_be_smoked(&self, choice: SmokeChoice) -> bool {
        let can_start = self.gap.is_none() && self.blocked.is_none();
        can_start
            && match choice {
                SmokeChoice::Auto => !self.simulated,
                SmokeChoice::Always => true,
                SmokeChoice::Never => false,
            }
    }

    /// The captured help of its server, or of its benchmark clients.
    pub fn help_of(&self, of: HelpOf) -> Option<&HelpSnapshot> {
        self.help.iter().find(|help| help.of == of && help.artifact_id.is_some())
    }
}

/// What a preflight found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PreflightReport {
    /// The host's name.
    pub host: String,
    /// When it ended.
    #[serde(with = "time::serde::rfc3339")]
    pub checked_at: OffsetDateTime,
    /// Every check, in order.
    pub checks: Vec<PreflightCheck>,
    /// The frameworks of the plan.
    pub frameworks: Vec<FrameworkPreflight>,
    /// Why nothing at all can be measured there now.
    pub stop: Option<String>,
}

impl PreflightReport {
    /// Whether no check failed.
    pub fn passed(&self) -> bool {
        self.checks.iter().all(|check| check.finding != Finding::Fail)
    }

    /// What was found for a framework.
    pub fn framework(&self, framework: Framework) -> Option<&FrameworkPreflight> {
        self.frameworks.iter().find(|found| found.framework == framework)
    }

    /// The plan as it fits the host.
    pub fn fitted(&self, plan: &Plan) -> Plan {
        let mut plan = plan.clone();
        for found in &self.frameworks {
            if let (Some(fitted), Some(part)) = (&found.part, plan.frameworks.get_mut(&found.framework)) {
                part.clone_from(fitted);
            }
        }
        plan
    }

    /// The flags that were not passed as the plan has them, for the report.
    pub fn substitutions(&self) -> Vec<Substitution> {
        let of = |found: &FrameworkPreflight| {
            let framework = found.framework.id().to_owned();
            found.changes.clone().into_iter().map(move |change| Substitution {
                framework: framework.clone(),
                flag: change.flag,
                substitute: change.substitute,
                reason: change.reason,
            })
        };
        self.frameworks.iter().flat_map(of).collect()
    }
}
