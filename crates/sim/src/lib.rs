//! Simulated serving engines.
//!
//! Two servers live here, both speak the OpenAI protocol, and neither runs a model:
//!
//! - [`run`] and [`serve_on`] give a server that behaves like one of the frameworks: it takes that framework's own
//!   command line and models continuous batching, so that flags have the effects that they have in reality, with
//!   **fictional** figures. Everything it says carries a mark: the response header `x-podium-simulated: 1`, and
//!   `"simulated": true` in `/v1/models`. The model itself is in [`engine`] and needs no clock.
//! - [`truth::TruthServer`] sends tokens at set times and misbehaves on request. It is what the load generator is
//!   tested against.

pub mod cli;
pub mod engine;
pub mod openai;
pub mod truth;

mod server;

pub use cli::ServerOptions;
pub use server::{Death, ServeError, SimServer, run, serve_on};
