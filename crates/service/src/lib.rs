//! The use cases of Podium: author, run, watch, compare, report, share.
//!
//! Pages, server functions, the command line and the worker all come through [`Service`]; each method takes the
//! [`Caller`] on whose behalf it works and checks its role.

mod author;
mod caller;
pub mod charts;
mod clean;
mod compare;
mod datasets;
mod error;
mod events;
mod hosts;
mod import;
mod operate;
mod password;
mod people;
mod plans;
mod preflight;
mod reports;
mod review;
mod runs;
mod secret;
mod service;
mod signing_in;
mod views;
mod worker;

pub use author::ExamplePlan;
pub use caller::{Caller, OWNER, Role};
pub use clean::{Cleaned, LeftoverState, LeftoverView};
pub use compare::{Compared, ComparedLine, Comparison, MAX_PICKS, Pick, Trend, TrendPoint};
pub use datasets::longest_row;
pub use error::{Error, Result};
pub use import::{ImportFile, ImportRequest, MAX_IMPORT_BYTES};
pub use podium_formats::cookbook::CookbookPlan;
pub use podium_store::{RunKind, RunQuery, RunSort, RunWords, Shelf};
pub use preflight::{
    Finding, FrameworkPreflight, HelpSnapshot, PreflightCheck, PreflightReport, SmokeRecord, StartPreflight,
};
pub use review::RunFacets;
pub use service::Service;
pub use signing_in::SESSION;
pub use views::*;
pub use worker::{Worker, WorkerOptions};
