//! One page per file, rendered on the server.

mod cookbook;
mod home;
mod hosts;
mod import;
mod new_plan;
mod not_found;
mod report;
mod run;
mod shared;

pub use cookbook::CookbookPage;
pub use home::HomePage;
pub use hosts::HostsPage;
pub use import::ImportPage;
pub use new_plan::NewPlanPage;
pub use not_found::NotFoundPage;
pub use report::ReportPage;
pub use run::RunPage;
pub use shared::SharedReportPage;
