//! Hosts: this machine, from day one.

use podium_domain::report::THIS_MACHINE;
use podium_launcher::HostFacts;
use podium_store::NewHost;
use serde_json::json;
use uuid::Uuid;

use crate::caller::{Caller, Role};
use crate::error::{Error, Result};
use crate::service::Service;
use crate::views::HostView;

impl Service {
    /// Every host with what was last found on it. This machine is added, and looked at once, if it is not there.
    pub async fn hosts(&self, caller: Caller) -> Result<Vec<HostView>> {
        caller.require(Role::Viewer)?;
        let this = self.this_machine(caller).await?;
        if this.facts.is_none() {
            self.store_facts(this.id).await?;
        }
        self.store().hosts().await?.into_iter().map(view).collect()
    }

    /// Looks at a host again.
    pub async fn check_host(&self, caller: Caller, id: Uuid) -> Result<HostView> {
        caller.require(Role::Runner)?;
        self.store_facts(id).await?;
        view(self.store().host(id).await?)
    }

    pub(crate) async fn this_machine(&self, caller: Caller) -> Result<podium_store::Host> {
        let new = NewHost {
            name: THIS_MACHINE.to_owned(),
            kind: "local".to_owned(),
            config: json!({}),
            created_by: caller.person,
        };
        Ok(self.store().ensure_host(&new).await?)
    }

    /// Every host is this machine as long as there is one kind of host.
    async fn store_facts(&self, id: Uuid) -> Result<HostFacts> {
        let facts = self.host().facts().await;
        let json = serde_json::to_value(&facts).map_err(Error::internal)?;
        self.store().set_host_facts(id, &json).await?;
        Ok(facts)
    }
}

fn view(host: podium_store::Host) -> Result<HostView> {
    let facts = host.facts.map(serde_json::from_value).transpose().map_err(Error::internal)?;
    Ok(HostView { id: host.id, name: host.name, kind: host.kind, checked_at: host.checked_at, facts })
}
