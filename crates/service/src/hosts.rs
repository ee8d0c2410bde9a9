//! Hosts: this machine from day one, and those that somebody adds.

use podium_domain::report::THIS_MACHINE;
use podium_formats::plan::Problem;
use podium_launcher::{HostFacts, LocalHost, SshConfig};
use podium_store::{NewHost, NewMachine};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::caller::{Caller, Role};
use crate::error::{Error, Result};
use crate::service::Service;
use crate::views::HostView;

/// The word of a host that is reached by SSH.
const SSH: &str = "ssh";

/// The word of a cluster that Slurm shares out.
const SLURM: &str = "slurm";

/// The word of this machine's containers.
const CONTAINER: &str = "container";

/// The word of the machine that Podium runs on.
const LOCAL: &str = "local";

/// The longest name of a host, in characters.
const NAME_LIMIT: usize = 60;

impl Service {
    /// Every host with what was last found on it. This machine is added, and looked at once, if it is not there.
    pub async fn hosts(&self, caller: Caller) -> Result<Vec<HostView>> {
        caller.require(Role::Viewer)?;
        let this = self.this_machine(caller).await?;
        if this.facts.is_none() {
            self.store_facts(&this).await?;
        }
        self.store().hosts().await?.into_iter().map(view).collect()
    }

    /// This machine, as a host.
    pub async fn this_host(&self, caller: Caller) -> Result<HostView> {
        caller.require(Role::Viewer)?;
        view(self.this_machine(caller).await?)
    }

    /// One host by its name.
    ///
    /// # Errors
    /// [`Error::NotFound`] where no host has it.
    pub async fn host_named(&self, caller: Caller, name: &str) -> Result<HostView> {
        let hosts = self.hosts(caller).await?;
        let known: Vec<_> = hosts.iter().map(|host| format!("`{}`", host.name)).collect();
        let missing = || Error::NotFound { what: format!("the host `{name}` (known: {})", known.join(", ")) };
        hosts.iter().find(|host| host.name == name).cloned().ok_or_else(missing)
    }

    /// Looks at a host again. A host that cannot be reached is no error: its facts say why.
    pub async fn check_host(&self, caller: Caller, id: Uuid) -> Result<HostView> {
        caller.require(Role::Runner)?;
        let host = self.store().host(id).await?;
        self.store_facts(&host).await?;
        view(self.store().host(id).await?)
    }

    /// Adds a host that is reached by SSH, containers of this machine, or a cluster. Nothing is connected; see [`Service::check_host`].
    ///
    /// # Errors
    /// [`Error::Invalid`] with every problem of the settings, [`Error::Conflict`] where the name is taken.
    pub async fn add_host(&self, caller: Caller, name: &str, config: &SshConfig) -> Result<HostView> {
        caller.require(Role::Admin)?;
        valid(name, config)?;
        let new = NewHost {
            name: name.to_owned(),
            kind: kind_of(config).to_owned(),
            config: serde_json::to_value(config).map_err(Error::internal)?,
            // Whoever has the key reaches a host of SSH.
            machine: is_bound(config).then(|| self.machine().to_owned()),
            created_by: caller.person,
        };
        let Some(host) = self.store().insert_host(&new).await? else { return Err(taken(name)) };
        self.audit(caller, "host.add", format!("host {}", host.id), json!({ "name": name })).await?;
        view(host)
    }

    /// Changes how a host is called and reached. What was found on it is forgotten.
    ///
    /// # Errors
    /// As [`Service::add_host`]; this machine cannot be changed.
    pub async fn edit_host(&self, caller: Caller, id: Uuid, name: &str, config: &SshConfig) -> Result<HostView> {
        caller.require(Role::Admin)?;
        valid(name, config)?;
        self.not_this_machine(id).await?;
        let known = self.store().host(id).await?;
        if known.kind != kind_of(config) || known.machine.is_some() != is_bound(config) {
            let text = "a host stays of its kind, and stays reached by SSH or stays here: remove it and add the other";
            return Err(Error::Invalid { problems: vec![Problem::new("destination", None, text)] });
        }
        let json = serde_json::to_value(config).map_err(Error::internal)?;
        if !self.store().update_host(id, name, &json).await? {
            return Err(taken(name));
        }
        self.audit(caller, "host.edit", format!("host {id}"), json!({ "name": name })).await?;
        view(self.store().host(id).await?)
    }

    /// Takes a host out of the lists. Runs on it keep its name; one that has not begun fails.
    ///
    /// # Errors
    /// This machine cannot be removed.
    pub async fn remove_host(&self, caller: Caller, id: Uuid) -> Result<()> {
        caller.require(Role::Admin)?;
        self.not_this_machine(id).await?;
        self.store().delete_host(id).await?;
        self.audit(caller, "host.remove", format!("host {id}"), json!({})).await
    }

    async fn not_this_machine(&self, id: Uuid) -> Result<()> {
        match self.store().host(id).await?.kind.as_str() {
            LOCAL => Err(Error::Conflict("this machine is always there: it cannot be changed or removed".to_owned())),
            _ => Ok(()),
        }
    }

    pub(crate) async fn this_machine(&self, caller: Caller) -> Result<podium_store::Host> {
        let new = NewMachine {
            machine: self.machine().to_owned(),
            only_name: THIS_MACHINE.to_owned(),
            host_name: podium_launcher::host_name(),
            created_by: caller.person,
        };
        Ok(self.store().ensure_machine(&new).await?)
    }

    /// The host to work with; the error is a sentence with what to do.
    pub(crate) fn launcher_host(&self, host: &podium_store::Host) -> Result<podium_launcher::Host, String> {
        if host.machine.as_deref().is_some_and(|machine| machine != self.machine()) {
            return Err(format!(
                "{} is another machine, and only a podium there reaches it: run this command on it, or start `podium \
                 worker` there with this database",
                host.name
            ));
        }
        match host.kind.as_str() {
            LOCAL => Ok(self.host().clone()),
            SSH | CONTAINER | SLURM => match (serde_json::from_value(host.config.clone()), self.host()) {
                (Ok(config), podium_launcher::Host::Local(this)) => Ok(reached(this, config)),
                (Err(error), _) => Err(format!("the settings of {} cannot be read: {error}; edit the host", host.name)),
                (Ok(_), _) => Err("Podium's own machine is not a local one".to_owned()),
            },
            other => Err(format!("{} is a host of the kind {other}, which this version does not know", host.name)),
        }
    }

    async fn store_facts(&self, host: &podium_store::Host) -> Result<HostFacts> {
        let reached = self.launcher_host(host).map_err(Error::Conflict)?;
        let facts = reached.facts().await;
        reached.close().await;
        let json = serde_json::to_value(&facts).map_err(Error::internal)?;
        self.store().set_host_facts(host.id, &json).await?;
        Ok(facts)
    }
}

fn kind_of(config: &SshConfig) -> &'static str {
    match () {
        () if config.slurm.is_some() => SLURM,
        () if config.is_here() => CONTAINER,
        () => SSH,
    }
}

/// Whether only this machine reaches what the settings describe.
fn is_bound(config: &SshConfig) -> bool {
    config.is_here() || config.is_cluster_here()
}

fn reached(this: &LocalHost, config: SshConfig) -> podium_launcher::Host {
    match config.is_here() {
        _ if config.slurm.is_some() => podium_launcher::Host::cluster(this, config),
        true => podium_launcher::Host::Local(this.clone().with_container(config.container)),
        false => podium_launcher::Host::ssh(this, config),
    }
}

fn taken(name: &str) -> Error {
    Error::Conflict(format!("there is a host `{name}` already: take another name, or edit that one"))
}

fn valid(name: &str, config: &SshConfig) -> Result<()> {
    let mut problems: Vec<_> =
        config.problems().into_iter().map(|(setting, text)| Problem::new(setting, None, text)).collect();
    let plain = !name.is_empty() && name == name.trim() && !name.chars().any(char::is_control);
    if !plain || name.chars().count() > NAME_LIMIT {
        let text = format!("`{name}` is no name for a host: take 1 to {NAME_LIMIT} characters without spaces around");
        problems.push(Problem::new("name", None, text));
    }
    if problems.is_empty() { Ok(()) } else { Err(Error::Invalid { problems }) }
}

fn view(host: podium_store::Host) -> Result<HostView> {
    let facts = host.facts.filter(|facts| *facts != Value::Null).map(serde_json::from_value).transpose();
    let ssh = (host.kind != LOCAL).then(|| serde_json::from_value(host.config)).transpose();
    Ok(HostView {
        id: host.id,
        name: host.name,
        kind: host.kind,
        checked_at: host.checked_at,
        facts: facts.map_err(Error::internal)?,
        ssh: ssh.map_err(Error::internal)?,
    })
}
