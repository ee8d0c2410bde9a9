use leptos::prelude::*;
use leptos::server_fn::codec::Json;

use crate::dto::RunState;
use crate::error::AppError;

/// The parts of a run's page that change while it runs.
#[server(endpoint = "run/state", input = Json, output = Json)]
pub async fn watch_run(run_id: String) -> Result<RunState, AppError> {
    let (service, caller) = (crate::context::service()?, crate::context::caller()?);
    let run = crate::context::id(&run_id, "this run").map_err(super::respond)?;
    let view = service.run(caller, run).await.map_err(super::respond)?;
    Ok(crate::components::run_state(&view))
}
