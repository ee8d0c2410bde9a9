//! One page per file, rendered on the server.

mod account;
mod api;
mod audit;
mod compare;
mod cookbook;
mod home;
mod hosts;
mod import;
mod invite;
mod login;
mod new_plan;
mod not_found;
mod people;
mod report;
mod run;
mod shared;

pub use account::AccountPage;
pub use api::ApiPage;
pub use audit::AuditPage;
pub use compare::{ComparePage, Compared};
pub use cookbook::CookbookPage;
pub use home::HomePage;
pub use hosts::HostsPage;
pub use import::ImportPage;
pub use invite::InvitePage;
pub use login::LoginPage;
pub use new_plan::NewPlanPage;
pub use not_found::NotFoundPage;
pub use people::PeoplePage;
pub use report::ReportPage;
pub use run::RunPage;
pub use shared::SharedReportPage;
