//! Simulated serving engines.
//!
//! Two servers live here, both speak the OpenAI protocol, and neither runs a model:
//!
//! - [`truth::TruthServer`] sends tokens at set times and misbehaves on request. It is what the load generator is
//!   tested against.

pub mod cli;
pub mod engine;
pub mod openai;
pub mod truth;
