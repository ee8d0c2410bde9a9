use leptos::prelude::*;
use leptos::server_fn::codec::Json;

use crate::dto::NewLink;
use crate::error::AppError;

/// Makes a link to a report; `days` until its end and `password` may be empty. The answer is the only time that its secret is told.
#[server(endpoint = "report/share", input = Json, output = Json)]
pub async fn share_report(
    report_id: String,
    include_private: bool,
    days: String,
    password: String,
) -> Result<NewLink, AppError> {
    let (service, caller) = (crate::context::service()?, crate::context::caller()?);
    let report = crate::context::id(&report_id, "this report").map_err(super::respond)?;
    let options = crate::context::share_options(include_private, &days, password).map_err(super::respond)?;
    let made = service.share_report(caller, report, options).await.map_err(super::respond)?;
    Ok(NewLink { path: format!("/r/{}", made.token) })
}
