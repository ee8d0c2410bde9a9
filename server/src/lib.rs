//! The web server behind the `podium` binary.
//!
//! [`Application`] is what the binary and the tests share: build it from [`Settings`], read the port it got, run it
//! until it is told to stop.

// The types of rendered pages nest deeply.
#![recursion_limit = "256"]

mod access;
pub mod cli;
mod database;
mod guard;
mod headers;
mod metrics;
mod pg_programs;
mod router;
mod routes;
mod settings;
mod site;
mod startup;
mod state;

pub use database::{Database, data_dir};
pub use settings::{PublicUrl, Settings};
pub use site::{Site, SiteError};
pub use startup::{Application, StartError};
