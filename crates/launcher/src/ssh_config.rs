//! How an SSH host is set up.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::container::ContainerConfig;
use crate::scrub::names_a_secret;
use crate::slurm::SlurmConfig;
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
    /// What `ssh` is given: a host's name or an alias of the SSH configuration, or `user@host`. Empty for containers of
    /// this machine, and for a cluster whose login node it is.
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
    /// What is asked of Slurm, where the host is the login node of a cluster.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slurm: Option<SlurmConfig>,
    /// Where the load comes from.
    #[serde(default)]
    pub load_from: LoadFrom,
}

impl SshConfig {
    /// Whether it stands for containers of this machine, and SSH has no part in it.
    pub fn is_here(&self) -> bool {
        self.destination.is_empty() && self.container.is_some() && self.slurm.is_none()
    }

    /// Whether it stands for a cluster whose login node is this machine.
    pub fn is_cluster_here(&self) -> bool {
        self.destination.is_empty() && self.slurm.is_some()
    }

    /// Settings that only count for another machine.
    fn useless_here(&self) -> Vec<(&'static str, String)> {
        let set = [
            ("config_file", self.config_file.is_some()),
            ("folder", self.folder.is_some()),
            ("podium", self.podium.is_some()),
            ("agent", self.agent.is_some()),
            ("env", !self.env.is_empty()),
            ("load_from", self.load_from != LoadFrom::Target),
        ];
        let text = "it is for hosts that are reached by SSH: leave it empty for containers of this machine";
        set.into_iter().filter(|(_, set)| *set).map(|(setting, _)| (setting, text.to_owned())).collect()
    }

    /// Everything that is wrong with it: the setting, and a sentence that says what to do. Nothing is looked up.
    pub fn problems(&self) -> Vec<(&'static str, String)> {
        let mut problems = Vec::new();
        let plain = |c: char| c.is_ascii_alphanumeric() || "._-@:%[]".contains(c);
        if self.is_here() {
            problems.extend(self.useless_here());
        } else if self.is_cluster_here() {
            // Slurm's commands are run here.
        } else if self.destination.is_empty()
            || self.destination.starts_with('-')
            || !self.destination.chars().all(plain)
        {
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
        if let Some(slurm) = &self.slurm {
            problems.extend(slurm.problems());
            if self.load_from == LoadFrom::Controller {
                let text = "the nodes of a cluster are not reached from here: let the load come from the host";
                problems.push(("load_from", text.to_owned()));
            }
        }
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
    use crate::container::ContainerPlace;

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

    #[test]
    fn containers_of_this_machine_need_no_destination_and_nothing_of_ssh() {
        let image = ContainerPlace::Image { image: "i".into(), entrypoint: None };
        let places = BTreeMap::from([(podium_domain::framework::Framework::Vllm, image)]);
        let container = Some(ContainerConfig { places, ..ContainerConfig::default() });
        let here = SshConfig { container, ..SshConfig::default() };
        assert!(here.is_here());
        assert_eq!(here.problems(), []);
        let folder = SshConfig { folder: Some("/x".into()), ..here };
        assert_eq!(folder.problems().into_iter().map(|(setting, _)| setting).collect::<Vec<_>>(), ["folder"]);
    }
}
