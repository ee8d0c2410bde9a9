//! Server functions, one per file: parse, one call of the service, map the error.
//!
//! Each names its `endpoint`, for the default is a hash of the folder it was built in, and returns
//! [`AppError`](crate::error::AppError). Structured input is sent as JSON (`input = Json`).

mod check_plan;
mod edit_plan;
mod launch_log;
mod share_report;
mod watch_run;

pub use check_plan::check_plan;
pub use edit_plan::edit_plan;
pub use launch_log::launch_log;
pub use share_report::share_report;
pub use watch_run::watch_run;

/// Adds what the captured help of the chosen host says of a plan's flags.
#[cfg(feature = "ssr")]
pub(crate) async fn on_host(
    service: &podium_service::Service,
    caller: podium_service::Caller,
    check: podium_service::PlanCheck,
    host: Option<String>,
) -> Result<podium_service::PlanCheck, crate::error::AppError> {
    // A page without a choice of hosts sends none, or an empty word.
    let Some(host) = host.and_then(|host| host.parse().ok()) else { return Ok(check) };
    service.check_against_host(caller, check, host).await.map_err(respond)
}

/// Gives a failure its status on its way out of a server function.
#[cfg(feature = "ssr")]
fn respond(error: impl Into<crate::error::AppError>) -> crate::error::AppError {
    error.into().respond()
}
