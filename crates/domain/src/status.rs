//! The states of runs, candidates and measurements, by the words that the database, the API and the pages use.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A word that is not a status of the kind that was asked for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a known status")]
pub struct UnknownStatus(pub String);

macro_rules! status {
    ($(#[$meta:meta])* $name:ident { $($(#[$vmeta:meta])* $variant:ident = $word:literal,)* }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum $name { $($(#[$vmeta])* $variant,)* }

        impl $name {
            /// Every status of this kind.
            pub const ALL: &[$name] = &[$($name::$variant,)*];

            /// The status as its word.
            pub fn word(self) -> &'static str {
                match self { $($name::$variant => $word,)* }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.word())
            }
        }

        impl FromStr for $name {
            type Err = UnknownStatus;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Self::ALL.iter().copied().find(|s| s.word() == text).ok_or_else(|| UnknownStatus(text.to_owned()))
            }
        }
    };
}

status! {
    /// Where a run is.
    RunStatus {
        /// Waiting for a worker.
        Queued = "queued",
        /// Leased by a worker.
        Running = "running",
        /// A cancel was asked for; the worker is stopping what it started.
        Cancelling = "cancelling",
        /// Stopped on request.
        Cancelled = "cancelled",
        /// Every candidate was tried; says nothing about winners.
        Completed = "completed",
        /// Could not be carried out at all; the reason is stored.
        Failed = "failed",
    }
}

impl RunStatus {
    /// Whether nothing will change any more.
    pub fn is_final(self) -> bool {
        matches!(self, RunStatus::Cancelled | RunStatus::Completed | RunStatus::Failed)
    }
}

status! {
    /// Where a candidate is. The last five are the words of result rows.
    CandidateStatus {
        /// Not tried yet.
        Pending = "pending",
        /// Being launched or measured.
        Running = "running",
        /// Launched and measured.
        Ok = "ok",
        /// Failed for a known reason that is not memory or time.
        Failed = "failed",
        /// Ran out of memory.
        Oom = "oom",
        /// Missed its health or benchmark deadline.
        Timeout = "timeout",
        /// Not tried, with a reason.
        Skipped = "skipped",
    }
}

status! {
    /// Where a measurement is.
    MeasurementStatus {
        /// Not taken yet.
        Pending = "pending",
        /// Being taken.
        Measuring = "measuring",
        /// Taken and stored.
        Done = "done",
        /// Could not be taken; the reason is stored.
        Failed = "failed",
        /// Not needed or not possible; the reason is stored.
        Skipped = "skipped",
    }
}

status! {
    /// Where a launch (one engine process) is.
    LaunchState {
        /// The process was started.
        Starting = "starting",
        /// The process lives and is not ready yet.
        Loading = "loading",
        /// It answered one real request.
        Ready = "ready",
        /// Warm-up requests were answered.
        Warm = "warm",
        /// A measurement is being taken.
        Measuring = "measuring",
        /// It was told to stop.
        Draining = "draining",
        /// It ended as it was told to.
        Stopped = "stopped",
        /// It did not become ready, or ended by itself.
        Failed = "failed",
    }
}
