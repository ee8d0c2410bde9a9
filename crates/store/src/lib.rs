//! Postgres: the only SQL of Podium.
//!
//! A [`Store`] is a pool of connections; its methods are grouped by what they keep, a file each. Values go in as plain
//! `New…` structs and come out as plain structs; nothing here knows a use case.
//!
//! What a worker writes about a run is **fenced**: such methods take a [`Lease`] and fail with [`Error::LeaseLost`] once
//! another worker has claimed the run. They also take the events that tell watchers of the change, and store both in one
//! transaction, so that neither exists without the other.

mod artifacts;
mod audit;
mod candidates;
mod convert;
mod error;
mod events;
mod hosts;
mod imports;
mod launches;
mod lease;
mod live_log;
mod measurements;
mod operate;
mod people;
mod plans;
mod pool;
mod preflight;
mod reports;
mod rows;
mod run_list;
mod run_marks;
mod runs;
mod secrets;
mod shares;
#[cfg(feature = "testing")]
pub mod testing;

pub use artifacts::{Artifact, ArtifactLimits, ArtifactPart, NewArtifactLink, RunArtifact};
pub use audit::{AuditEntry, NewAuditEntry};
pub use candidates::{Candidate, CandidateOutcome, NewCandidate};
pub use error::{Error, OnConstraint, Result};
pub use events::{EventListener, NewEvent, RunEvent, Wake};
pub use hosts::{Host, NewHost, NewMachine};
pub use imports::NewImportedRun;
pub use launches::{Launch, LaunchUpdate, NewLaunch};
pub use lease::{Claim, ClaimedRun, Lease};
pub use live_log::LivePart;
pub use measurements::{FinishedMeasurement, Measurement, NewMeasurement, Samples};
pub use people::{NewPerson, Person};
pub use plans::{NewPlan, Plan};
pub use pool::Store;
pub use preflight::HostKnowledge;
pub use reports::{NewReport, Report};
pub use rows::{NewRow, Row};
pub use run_list::{ListedRun, RunKind, RunQuery, RunSort, RunWords, Shelf};
pub use runs::{NewRun, Run, RunEnd};
pub use secrets::{ApiToken, Holder, NewApiToken};
pub use shares::{NewShare, Share};

/// A new id; ids made later sort later.
pub fn new_id() -> uuid::Uuid {
    uuid::Uuid::now_v7()
}
