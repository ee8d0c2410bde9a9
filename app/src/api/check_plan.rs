use leptos::prelude::*;
use leptos::server_fn::codec::Json;

use crate::dto::PlanView;
use crate::error::AppError;

/// Reads a plan's text and tells everything that follows from it. A wrong plan is an answer, not an error.
#[server(endpoint = "plan/check", input = Json, output = Json)]
pub async fn check_plan(yaml: String) -> Result<PlanView, AppError> {
    let (service, caller) = (crate::context::service()?, crate::context::caller()?);
    let check = service.check_plan(caller, yaml).await.map_err(super::respond)?;
    Ok(crate::components::plan_view(&check))
}
