//! Help texts of what is installed on a host: captured once for each version, and stored as files.

use std::time::Duration;

use podium_formats::help::{HelpFlags, HelpSet, parse};
use podium_launcher::{CommandSpec, HelpCommand, HelpOf, ResolvedCommand, help_commands};
use podium_store::{ArtifactLimits, HostKnowledge};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use time::OffsetDateTime;
use uuid::Uuid;

use super::{Checks, FrameworkPreflight, HelpSnapshot, Preflight, PreflightCheck};
use crate::error::{Error, Result};
use crate::service::Service;

/// A help text that is known of a host, as it is stored.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct KnownHelp {
    framework: podium_domain::framework::Framework,
    snapshot: HelpSnapshot,
    /// What is in it, where it is a server's.
    flags: Option<HelpFlags>,
}

/// A framework in Python takes many seconds to say what it accepts, on a busy machine more than a minute.
const HELP_DEADLINE: Duration = Duration::from_secs(300);

/// More than any help text has.
const HELP_LIMIT_BYTES: usize = 4 << 20;

impl Preflight<'_> {
    /// Captures the help texts of a framework; the flags of its server, where they could be had.
    pub(super) async fn help(
        &self,
        found: &mut FrameworkPreflight,
        command: &[String],
        resolved: &ResolvedCommand,
        checks: &mut Checks,
    ) -> std::result::Result<Option<HelpFlags>, podium_store::Error> {
        let check = PreflightCheck::about(found.framework, "help");
        let Some(commands) = help_commands(found.framework, command) else {
            checks.add(check.skip("its command is not the framework's own, and asking it might start a server"));
            return Ok(None);
        };
        let program = resolved.argv.first().map_or("", String::as_str);
        let mut server = None;
        for command in &commands {
            let key = match (&found.version, found.simulated) {
                // A simulated engine answers at once, and two of one version may differ.
                (Some(version), false) => Some(format!(
                    "{program} {version} {} {}",
                    found.commit.as_deref().unwrap_or_default(),
                    podium_domain::flags::shell_join(&command.argv)
                )),
                _ => None,
            };
            let known = self.known_help(found, command, key.as_deref()).await?;
            if command.of == HelpOf::Server {
                server = known.flags.filter(|flags| flags.is_usable() && known.snapshot.problem.is_none());
            }
            found.help.push(known.snapshot);
        }
        checks.add(help_check(check, &found.help, server.is_some()));
        Ok(server)
    }

    async fn known_help(
        &self,
        found: &FrameworkPreflight,
        command: &HelpCommand,
        key: Option<&str>,
    ) -> std::result::Result<KnownHelp, podium_store::Error> {
        let store = self.service.store();
        if let Some(key) = key.filter(|_| !self.refresh)
            && let Some(value) = store.host_knowledge(self.host_id, HostKnowledge::Help, key).await?
            // What another version of Podium wrote in another form is as good as none.
            && let Ok(mut known) = serde_json::from_value::<KnownHelp>(value)
        {
            known.snapshot.reused = true;
            return Ok(known);
        }
        let known = self.capture(found, command).await?;
        if let Some(key) = key.filter(|_| known.snapshot.problem.is_none()) {
            let value = serde_json::to_value(&known).unwrap_or(Value::Null);
            store.keep_host_knowledge(self.host_id, HostKnowledge::Help, key, &value).await?;
        }
        Ok(known)
    }

    async fn capture(
        &self,
        found: &FrameworkPreflight,
        command: &HelpCommand,
    ) -> std::result::Result<KnownHelp, podium_store::Error> {
        let mut shown = &command.argv;
        let mut said = self.ask(found, shown).await;
        let enough = |said: &std::result::Result<String, String>| {
            said.as_ref().is_ok_and(|text| command.of == HelpOf::Benchmark || parse(text).is_usable())
        };
        if let Some(older) = command.older.as_ref().filter(|_| !enough(&said)) {
            let second = self.ask(found, older).await;
            if enough(&second) {
                (said, shown) = (second, older);
            }
        }
        let mut snapshot = HelpSnapshot {
            of: command.of,
            file_name: command.file_name.clone(),
            command: podium_domain::flags::shell_join(&self.host.scrubber().scrub_argv(shown)),
            artifact_id: None,
            flags: 0,
            problem: None,
            captured_at: OffsetDateTime::now_utc(),
            reused: false,
        };
        let mut flags = None;
        match said {
            Ok(text) => {
                let store = self.service.store();
                let artifact = store.put_artifact(text.as_bytes(), "text/plain", ArtifactLimits::default()).await?;
                snapshot.artifact_id = Some(artifact.id);
                let parsed = parse(&text);
                snapshot.flags = parsed.flags.len();
                if command.of == HelpOf::Server {
                    if !parsed.is_usable() {
                        snapshot.problem = Some("it lists hardly any flags".to_owned());
                    }
                    flags = Some(parsed);
                }
            }
            Err(problem) => snapshot.problem = Some(problem),
        }
        Ok(KnownHelp { framework: found.framework, snapshot, flags })
    }

    /// Runs a help command; its text without secrets.
    async fn ask(&self, found: &FrameworkPreflight, argv: &[String]) -> std::result::Result<String, String> {
        let resolved = self.host.resolve_command(found.framework, argv, self.facts).await;
        let resolved = resolved.map_err(|missing| missing.to_string())?;
        let mut command = CommandSpec::new(resolved.to_the_end());
        command.env = resolved.env;
        command.deadline = HELP_DEADLINE;
        command.output_limit_bytes = HELP_LIMIT_BYTES;
        let output = self.host.run(&command).await.map_err(|error| error.to_string())?;
        if !output.exit.success() {
            let said = output.stderr.lines().chain(output.stdout.lines()).rfind(|line| !line.trim().is_empty());
            let said = said.map(|line| format!(": {}", line.trim())).unwrap_or_default();
            return Err(format!("it ended with {}{}", output.exit, self.host.scrubber().scrub(&said)));
        }
        let text = if output.stdout.trim().is_empty() { output.stderr } else { output.stdout };
        Ok(self.host.scrubber().scrub(&text).into_owned())
    }
}

fn help_check(check: PreflightCheck, help: &[HelpSnapshot], usable: bool) -> PreflightCheck {
    let told: Vec<_> = help
        .iter()
        .map(|snapshot| match &snapshot.problem {
            Some(problem) => format!("`{}`: {problem}", snapshot.command),
            None if snapshot.reused => format!("`{}`: {} flags, known", snapshot.command, snapshot.flags),
            None => format!("`{}`: {} flags", snapshot.command, snapshot.flags),
        })
        .collect();
    if usable {
        return check.pass(told.join("; "));
    }
    let advice = "run the command by hand on the host; without it flags are checked against Podium's own table alone";
    check.warn(told.join("; "), Some(advice.to_owned()))
}

impl Service {
    /// The newest captured help of each framework's server on a host; empty where no preflight ran there.
    ///
    /// # Errors
    /// The host is not known, or the database failed.
    pub(crate) async fn known_help(&self, host_id: Uuid) -> Result<HelpSet> {
        let known = self.store().all_host_knowledge(host_id, HostKnowledge::Help).await.map_err(Error::from)?;
        let known = known.into_iter().filter_map(|value| serde_json::from_value::<KnownHelp>(value).ok());
        // Later ones replace earlier ones.
        let newest: std::collections::BTreeMap<_, _> =
            known.filter_map(|known| Some((known.framework, known.flags?))).collect();
        let mut set = HelpSet::default();
        for (framework, flags) in newest {
            set.add(framework, flags);
        }
        Ok(set)
    }
}
