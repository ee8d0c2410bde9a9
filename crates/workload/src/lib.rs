//! What is sent to a server, and when: datasets, prompts, request bodies and arrival schedules.
//!
//! Everything follows from a [`WorkloadSpec`] and a [`Schedule`]'s inputs alone, so every framework and every
//! candidate meets the same prompts at the same times, and [`Workload::prompt_set_hash`] proves it. The seed of one
//! measurement is the plan's seed together with a key that names scenario, load and repeat ([`measurement_key`]): two
//! measurements never share prompts, so none of them finds the other's prompts in a prefix cache.

mod arrivals;
mod body;
mod build;
mod dataset;
mod draft;
mod drawn;
mod error;
mod lengths;
mod random;
mod rng;
mod schedule;
mod spec;
mod tokenizer;
mod trace;

pub use arrivals::{Arrivals, parse_trace, read_trace, trace_at_rate};
pub use build::{PreparedRequest, SessionStep, Workload, build};
pub use dataset::{
    BLOCK_TOKENS, CanonicalRequest, DatasetFile, DatasetKind, DatasetRows, LengthFigures, Measured, Prompt,
    ReadOptions, RowLengths, SkippedRow, TraceRow, parse_dataset, parse_rows, read_dataset,
};
pub use error::Error;
pub use lengths::read_lengths;
pub use random::{TextCalibration, token_id_range};
pub use rng::Rng;
pub use schedule::Schedule;
pub use spec::{DatasetSpec, PromptForm, Protocol, WorkloadSpec, measurement_key};
pub use tokenizer::{PromptTokenizer, find_tokenizer};
pub use trace::trace_requests;
