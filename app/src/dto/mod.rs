//! What crosses between the server and the islands: small values of text and numbers.
//!
//! The service's own views never reach the browser build; `convert` makes these from them on the server.

mod live;
mod plan;

pub use live::{LiveChange, LiveTick, LogPart, Measured, NewLink, RunState};
pub use plan::{FormEdit, HostChoice, PlanView};
