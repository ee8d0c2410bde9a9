use leptos::prelude::*;
use leptos::server_fn::codec::Json;

use crate::dto::{FormEdit, PlanView};
use crate::error::AppError;

/// Applies one edit of the form to a plan's text, which keeps everything else, and checks the result.
#[server(endpoint = "plan/edit", input = Json, output = Json)]
pub async fn edit_plan(
    yaml: String,
    edit: FormEdit,
    #[server(default)] host: Option<String>,
) -> Result<PlanView, AppError> {
    let (service, caller) = (crate::context::service()?, crate::context::caller()?);
    let edit = crate::form_edit::resolve(edit).map_err(super::respond)?;
    let check = service.edit_plan(caller, yaml, edit).await.map_err(super::respond)?;
    let check = super::on_host(&service, caller, check, host).await?;
    Ok(crate::components::plan_view(&check))
}
