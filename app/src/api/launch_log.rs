use leptos::prelude::*;
use leptos::server_fn::codec::Json;

use crate::dto::LogPart;
use crate::error::AppError;

/// The part of a launch's log that begins at `offset`, in bytes; empty where there is nothing more yet.
#[server(endpoint = "launch/log", input = Json, output = Json)]
pub async fn launch_log(launch_id: String, offset: u64) -> Result<LogPart, AppError> {
    let (service, caller) = (crate::context::service()?, crate::context::caller()?);
    let launch = crate::context::id(&launch_id, "this launch").map_err(super::respond)?;
    service.launch_log(caller, launch, offset).await.map(Into::into).map_err(super::respond)
}
