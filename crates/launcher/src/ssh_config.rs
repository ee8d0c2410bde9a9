//! How an SSH host is set up.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::container::ContainerConfig;
use crate::scrub::names_a_secret;
use crate::wire::Setup;

/// Where the load generator of a run works.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LoadFrom {
    /// Beside the engine: the network is no part of what is measured.
    #[default]
    Target,
    /// Beside Podium, through a forwarded port: the network is.
    Controller,
}

/// How an SSH host is reached and used. Keys, ports, users and jump hosts belong into the SSH configuration.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SshConfig {
    /// What `ssh` is given: a host's name or an alias of the SSH configuration, or `user@host`.
    pub destination: String,
    /// An SSH configuration file to use instead of the user's own.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub config_file: Option<PathBuf>,
    /// The working folder on the host; the user's home where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub folder: Option<PathBuf>,
    /// Where `podium` is on the host, for simulated engines; looked up on PATH where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub podium: Option<PathBuf>,
    /// A `podium-agent` of this machine to copy to the host instead of the one beside `podium`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<PathBuf>,
    /// Variables for everything that is started on the host. No secrets: this is stored.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub env: BTreeMap<String, String>,
    /// How engines are put into containers there; they are started as plain processes where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub container: Option<ContainerConfig>,
    /// Where the load comes from.
    #[serde(default)]
    pub load_from: LoadFrom,
}

impl SshConfig {
    /// Everything that is wrong with it: the setting, and a sentence that says what to do. Nothing is looked up.
    pub fn problems(&self) -> Vec<(&'static str, String)> {
        let mut problems = Vec::new();
        let plain = |c: char| c.is_ascii_alphanumeric() || "._-@:%[]".contains(c);
        if self.destination.is_empty() || self.destination.starts_with('-') || !self.destination.chars().all(plain) {
            let text = format!(
                "`{}` is no SSH destination: give a host's name, an alias of the SSH configuration, or user@host",
                self.destination
            );
            problems.push(("destination", text));
        }
        let paths = [
            ("config_file", "the SSH configuration", &self.config_file),
            ("folder", "the folder", &self.folder),
            ("podium", "podium", &self.podium),
            ("agent", "the agent", &self.agent),
        ];
        for (setting, what, path) in paths {
            if let Some(path) = path.as_ref().filter(|path| !path.is_absolute()) {
                problems.push((setting, format!("{what} `{}` is no absolute path: begin it with /", path.display())));
            }
        }
        for (name, value) in &self.env {
            let plain = |c: char| c.is_ascii_alphanumeric() || c == '_';
            if name.is_empty() || name.starts_with(|c: char| c.is_ascii_digit()) || !name.chars().all(plain) {
                problems.push(("env", format!("`{name}` cannot be the name of a variable: write NAME=VALUE")));
            } else if value.contains('\0') {
                problems.push(("env", format!("the value of {name} holds a zero byte, which no variable can")));
            } else if names_a_secret(name) {
                let text = format!(
                    "{name} looks like a secret, and a host's settings are stored: set it in the environment of \
                     `podium` instead, which hands it to engines without writing it down"
                );
                problems.push(("env", text));
            }
        }
        problems.extend(self.container.iter().flat_map(ContainerConfig::problems));
        problems
    }

    pub(crate) fn setup(&self, secrets: impl Iterator<Item = (String, String)>) -> Setup {
        let own = self.env.iter().map(|(name, value)| (name.clone(), value.clone()));
        Setup {
            folder: self.folder.clone(),
            podium: self.podium.clone(),
            env: secrets.chain(own).collect(),
            container: self.container.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_destination_is_never_an_option_and_settings_hold_no_secret() {
        let good = |destination: &str| SshConfig { destination: destination.into(), ..SshConfig::default() };
        for destination in ["gpu1", "me@10.0.0.7", "ssh://me@gpu1:2222"] {
            let problems = good(destination).problems();
            assert_eq!(problems.is_empty(), !destination.contains('/'), "{destination}: {problems:?}");
        }
        for destination in ["", "-oProxyCommand=x", "a b", "a;b", "$(x)", "a\nb"] {
            assert_eq!(good(destination).problems().len(), 1, "{destination}");
        }
        let env = BTreeMap::from([("HF_TOKEN".to_owned(), "x".to_owned()), ("PATH".to_owned(), "/bin".to_owned())]);
        let config = SshConfig { env, folder: Some("models".into()), ..good("gpu1") };
        assert_eq!(config.problems().len(), 2, "{:?}", config.problems());
    }
}
