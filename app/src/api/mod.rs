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

/// Gives a failure its status on its way out of a server function.
#[cfg(feature = "ssr")]
fn respond(error: impl Into<crate::error::AppError>) -> crate::error::AppError {
    error.into().respond()
}
