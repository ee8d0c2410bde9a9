use leptos::prelude::*;
use leptos::server_fn::codec::Json;

use crate::dto::PlanView;
use crate::error::AppError;

/// Reads a plan's text and tells everything that follows from it. A wrong plan is an answer, not an error.
/// With a host, its flags are checked against what the host's frameworks say that they take.
#[server(endpoint = "plan/check", input = Json, output = Json)]
pub async fn check_plan(yaml: String, #[server(default)] host: Option<String>) -> Result<PlanView, AppError> {
    let (service, caller) = (crate::context::service()?, crate::context::caller()?);
    let check = service.check_plan(caller, yaml).await.map_err(super::respond)?;
    let check = super::on_host(&service, caller, check, host).await?;
    Ok(crate::components::plan_view(&check))
}
