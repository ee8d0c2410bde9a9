//! Plans that are kept, in versions.

use podium_formats::plan::Problem;
use podium_store::NewPlan;
use serde_json::json;
use uuid::Uuid;

use crate::caller::{Caller, Role};
use crate::error::{Error, Result};
use crate::people::valid_name;
use crate::service::Service;
use crate::views::KeptPlan;

/// The longest text of a plan, in bytes.
const MAX_TEXT_BYTES: usize = 1 << 20;

/// Plans that one request gets at most.
const LIST_LIMIT: u32 = 500;

impl Service {
    /// Keeps a plan's text under a name. It need not be without mistakes: a draft is kept as well.
    ///
    /// # Errors
    /// [`Error::Invalid`] for what is no name, and for a text that is too long or none.
    pub async fn keep_plan(&self, caller: Caller, name: &str, yaml: String) -> Result<KeptPlan> {
        caller.require(Role::Runner)?;
        let name = valid_name(name, "name")?;
        check_text(&yaml)?;
        let new = NewPlan { name, yaml, created_by: caller.person };
        let id = self.store().create_plan(&new).await?;
        self.audit(caller, "plan.create", format!("plan {id}"), json!({ "name": new.name })).await?;
        self.kept_plan(caller, id, None).await
    }

    /// Keeps a newer text of a plan; the older ones stay.
    ///
    /// # Errors
    /// As [`Service::keep_plan`].
    pub async fn keep_plan_version(&self, caller: Caller, id: Uuid, yaml: String) -> Result<KeptPlan> {
        caller.require(Role::Runner)?;
        check_text(&yaml)?;
        let version = self.store().add_plan_version(id, &yaml, caller.person).await?;
        self.audit(caller, "plan.version", format!("plan {id}"), json!({ "version": version })).await?;
        self.kept_plan(caller, id, Some(version)).await
    }

    /// The plans that are kept, in their newest version, newest plan first.
    pub async fn kept_plans(&self, caller: Caller, limit: u32) -> Result<Vec<KeptPlan>> {
        caller.require(Role::Viewer)?;
        let plans = self.store().plans(i64::from(limit.min(LIST_LIMIT))).await?;
        Ok(plans.into_iter().map(kept).collect())
    }

    /// A plan that is kept, in the given version or its newest.
    pub async fn kept_plan(&self, caller: Caller, id: Uuid, version: Option<i32>) -> Result<KeptPlan> {
        caller.require(Role::Viewer)?;
        Ok(kept(self.store().plan(id, version).await?))
    }
}

fn kept(plan: podium_store::Plan) -> KeptPlan {
    KeptPlan { id: plan.id, name: plan.name, version: plan.version, yaml: plan.yaml, created_at: plan.created_at }
}

fn check_text(yaml: &str) -> Result<()> {
    let text = if yaml.len() > MAX_TEXT_BYTES {
        "a plan's text has 1 MiB at most"
    } else if yaml.contains('\0') {
        // The database has no place for it, and no plan needs it.
        "a plan's text has no NUL characters"
    } else {
        return Ok(());
    };
    Err(Error::Invalid { problems: vec![Problem::new("yaml", None, text)] })
}
