use leptos::prelude::*;
use leptos::server_fn::codec::Json;
use podium_domain::form::PlanEdit;

use crate::dto::PlanState;
use crate::error::AppError;

/// Applies one edit of the form to a plan's text, which keeps everything else, and checks the result.
#[server(endpoint = "plan/edit", input = Json, output = Json)]
pub async fn edit_plan(yaml: String, edit: PlanEdit) -> Result<PlanState, AppError> {
    let (service, caller) = (crate::context::service()?, crate::context::caller()?);
    service.edit_plan(caller, yaml, edit).await.map(Into::into).map_err(super::respond)
}
