//! The load generator: sends the requests of one measurement at their times, stamps what comes back, and says how far
//! the result can be trusted.
//!
//! [`run`] does one [`LoadJob`] on the calling thread. The binary `podium-agent` runs the same in a process of its own,
//! with the job on standard input and [`AgentMessage`]s on standard output, so that nothing else disturbs a measurement.
//!
//! How times are taken: every socket read is stamped before its bytes are looked at, and all events in it carry that
//! stamp; a request's clock starts on an established connection, just before its first byte is written; bodies are
//! serialised before the measurement starts.

mod calibrate;
mod clock;
mod early_stop;
mod error;
mod event;
mod exchange;
mod export;
mod health;
mod job;
mod live;
mod margin;
mod message;
mod priority;
mod prompt_set;
mod run;
mod sample;
mod sample_file;
mod sse;
mod stop;
mod summary;
mod telemetry;
mod timer;
mod transport;
mod verdict;

pub use calibrate::calibrate_text;
pub use error::Error;
pub use event::FinishReason;
pub use export::{vllm_result, write_request_lines};
pub use job::{LoadJob, PROTOCOL_VERSION};
pub use margin::Margin;
pub use message::{AgentMessage, Counters, LoadReport};
pub use podium_workload as workload;
pub use run::{LoadOutcome, run};
pub use sample::{EventGaps, FailureClass, RequestSample};
pub use sample_file::{read_from, read_samples, write_samples, write_to};
pub use stop::StopHandle;
pub use telemetry::TelemetrySpec;
