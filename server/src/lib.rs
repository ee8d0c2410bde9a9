//! The web server behind the `podium` binary.
//!
//! [`Application`] is what the binary and the tests share: build it from [`Settings`], read the port it got, run it
//! until it is told to stop.

pub mod cli;
mod guard;
mod headers;
mod router;
mod settings;
mod site;
mod startup;

pub use settings::Settings;
pub use site::{Site, SiteError};
pub use startup::{Application, StartError};
