//! The simulated engine: a deterministic model of continuous batching on a virtual clock.
//!
//! Nothing here knows real time or does I/O. A driver calls [`Engine::start_step`], waits until the step's end (or, in
//! [`replay`], just says that it is then) and calls [`Engine::finish_step`] for the tokens. Queueing, saturation,
//! preemption and running out of memory follow from the KV accounting ([`kv`]), the memory plan ([`memory`]) and the
//! cost of a step ([`cost`]); there is no switch for any of them.

pub mod config;
pub mod cost;
pub mod hardware;
pub mod kv;
pub mod memory;
pub mod replay;
pub mod stats;

mod random;
mod schedule;
mod sequence;

pub use config::{EngineConfig, MemoryRule, NumberFormat, PrefillMode};
pub use hardware::{Gpu, Model};
pub use memory::{LaunchFailure, MemoryPlan};
pub use schedule::{Crash, Emission, Engine, Finish};
pub use sequence::{NewRequest, Rejection, RequestId};
pub use stats::{Histogram, Stats};

#[cfg(test)]
mod invariant_tests;
#[cfg(test)]
mod knob_tests;
