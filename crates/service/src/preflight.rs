//! Preflight: what is looked at on a host before anything is measured there, and what of a plan fits it.

mod alone;
mod checks;
mod help;
mod report;
mod smoke;

use podium_domain::framework::Framework;
use podium_domain::plan::{FrameworkPlan, Plan};
use podium_formats::help::{fit, fit_gpu};
use podium_formats::plan::version_manifest;
use podium_launcher::{Host, HostFacts, ResolvedCommand};
use time::OffsetDateTime;
use tokio::sync::mpsc::UnboundedSender;
use uuid::Uuid;

use crate::runs::is_simulated;
use crate::service::Service;
pub use alone::StartPreflight;
pub use report::{Finding, FrameworkPreflight, HelpSnapshot, PreflightCheck, PreflightReport, SmokeRecord};
pub(crate) use smoke::{SmokeEnd, SmokeTest};

/// One look at a host, for one plan.
pub(crate) struct Preflight<'a> {
    pub(crate) service: &'a Service,
    pub(crate) host: &'a Host,
    pub(crate) host_id: Uuid,
    /// What the host is called in the answer.
    pub(crate) host_name: &'a str,
    pub(crate) facts: &'a HostFacts,
    pub(crate) plan: &'a Plan,
    /// The plan's text, for what it states of versions.
    pub(crate) yaml: &'a str,
    /// Whether help texts that are known are asked for again.
    pub(crate) refresh: bool,
}

/// The checks so far; each is told as it is made.
pub(crate) struct Checks {
    made: Vec<PreflightCheck>,
    tell: UnboundedSender<PreflightCheck>,
}

impl Checks {
    fn add(&mut self, check: PreflightCheck) {
        // Nobody may be listening.
        let _ = self.tell.send(check.clone());
        self.made.push(check);
    }
}

impl Preflight<'_> {
    /// Everything but the smoke test, which starts a server. Each check is told as soon as it is made.
    ///
    /// # Errors
    /// The database failed; whatever is wrong with the host is in the answer.
    pub(crate) async fn look(
        &self,
        tell: UnboundedSender<PreflightCheck>,
    ) -> Result<PreflightReport, podium_store::Error> {
        let mut checks = Checks { made: Vec::new(), tell };
        let stop = self.host_checks(&mut checks).await;
        let mut frameworks = Vec::new();
        for (&framework, part) in &self.plan.frameworks {
            // A host that cannot be used is asked nothing more: its answer would be the same for each framework.
            if stop.is_none() {
                frameworks.push(self.framework(framework, part, &mut checks).await?);
            }
        }
        Ok(PreflightReport {
            host: self.host_name.to_owned(),
            checked_at: OffsetDateTime::now_utc(),
            checks: checks.made,
            frameworks,
            stop,
        })
    }

    async fn framework(
        &self,
        framework: Framework,
        part: &FrameworkPlan,
        checks: &mut Checks,
    ) -> Result<FrameworkPreflight, podium_store::Error> {
        let mut found = FrameworkPreflight::new(framework);
        let command = server_words(part);
        found.simulated = is_simulated(&command);
        let check = |what: &str| PreflightCheck::about(framework, what);
        let resolved = match self.host.resolve_command(framework, &command, self.facts).await {
            Ok(resolved) => resolved,
            Err(missing) => {
                let advice = missing.hint.clone();
                checks.add(check("program").fail(format!("environment gap: {missing}"), advice));
                found.gap = Some(missing.to_string());
                return Ok(found);
            }
        };
        self.program(&mut found, &resolved, checks);
        self.stated(&found, checks);
        let known = self.help(&mut found, &command, &resolved, checks).await?;
        let mut fitted = part.clone();
        if let Some(flags) = &known {
            let fit = fit(framework, &mut fitted, flags);
            found.changes = fit.changes;
            found.blocked = fit.blocked;
        }
        let knows = |flag: &&str| known.as_ref().is_some_and(|flags| flags.knows(flag));
        found.eager_flag = framework.eager_switch().filter(knows).map(str::to_owned);
        if let Some(gpu) = self.facts.gpus.first().filter(|_| !found.simulated) {
            found.changes.extend(fit_gpu(framework, &mut fitted, &gpu.model));
        }
        checks.add(flags_check(&found, known.is_some()));
        if fitted != *part {
            found.part = Some(fitted);
        }
        self.model(&found, part, checks).await;
        Ok(found)
    }

    /// Whether it is the software that the plan states.
    fn stated(&self, found: &FrameworkPreflight, checks: &mut Checks) {
        let Some(stated) = version_manifest(self.yaml).remove(&found.framework) else { return };
        let pairs = [("version", stated.version, &found.version), ("commit", stated.commit, &found.commit)];
        let other: Vec<_> = pairs
            .into_iter()
            .filter_map(|(what, stated, here)| {
                let (stated, here) = (stated?, here.as_ref()?);
                // A commit may be shortened on either side, and a build may add a word to a version (`0.32.0+cpu`).
                let same = here.starts_with(&stated) || (what == "commit" && stated.starts_with(here.as_str()));
                (!same).then(|| format!("the plan states {what} {stated}, the host has {here}"))
            })
            .collect();
        let check = PreflightCheck::about(found.framework, "stated version");
        checks.add(match (found.simulated, other.is_empty()) {
            (true, _) => check.skip("a simulated engine is of no version"),
            (false, true) => check.pass("the host has what the plan's version_manifest states, as far as both say it"),
            (false, false) => {
                let advice =
                    "figures of another version say little about the stated one: install that, or correct the plan";
                check.warn(other.join("; "), Some(advice.to_owned()))
            }
        });
    }

    /// Which program it is, and of which version.
    fn program(&self, found: &mut FrameworkPreflight, resolved: &ResolvedCommand, checks: &mut Checks) {
        let install = self.facts.frameworks.iter().find(|install| install.framework == found.framework);
        // The interpreter of an install may be another file than the install's own program.
        let own = install.filter(|install| {
            let program = std::path::Path::new(resolved.argv.first().map_or("", String::as_str));
            install.program == program || install.program.parent() == program.parent()
        });
        found.program = resolved.argv.first().cloned();
        found.version = resolved.version.clone().or_else(|| own.and_then(|install| install.version.clone()));
        found.commit = own.and_then(|install| install.commit.clone());
        let program = found.program.clone().unwrap_or_default();
        let check = PreflightCheck::about(found.framework, "version");
        let commit = found.commit.as_ref().map(|commit| format!(", commit {commit}")).unwrap_or_default();
        checks.add(match &found.version {
            Some(version) if found.simulated => check.pass(format!("simulated, by Podium {version}")),
            Some(version) => check.pass(format!("{version}{commit} ({program})")),
            None => check.warn(
                format!("{program} does not say its version before it runs"),
                Some("the version that the running server tells is recorded".to_owned()),
            ),
        });
    }
}

/// The words of a server command, without model and flags.
fn server_words(part: &FrameworkPlan) -> Vec<String> {
    podium_domain::flags::shell_split(&part.server_command).unwrap_or_default()
}

fn flags_check(found: &FrameworkPreflight, has_help: bool) -> PreflightCheck {
    let check = PreflightCheck::about(found.framework, "flags");
    if let Some(blocked) = &found.blocked {
        let advice = "its candidates are skipped: change the plan's base flags, or install another version";
        return check.fail(blocked.clone(), Some(advice.to_owned()));
    }
    let told = found.changes.iter().map(|change| match &change.substitute {
        Some(substitute) => format!("{} is passed as {substitute}: {}", change.flag, change.reason),
        None => format!("{} was removed: {}", change.flag, change.reason),
    });
    let told = told.collect::<Vec<_>>();
    match (told.is_empty(), has_help) {
        (true, true) => check.pass("the server accepts every flag of the plan".to_owned()),
        (true, false) => check.warn("not checked: there is no help text to check them against".to_owned(), None),
        (false, _) => {
            let advice = "the report says so; write flags that this version takes into the plan to have them measured";
            check.warn(told.join("; "), Some(advice.to_owned()))
        }
    }
}
