//! What a use case can answer instead of its result. The variants say who must act.

use podium_formats::plan::Problem;
use uuid::Uuid;

use crate::caller::Role;

/// A use case's error. Its text is for the person who asked and never holds database text.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The input is wrong; every problem is listed.
    #[error("{}", invalid_text(.problems))]
    Invalid {
        /// What is wrong, and where.
        problems: Vec<Problem>,
    },
    /// The caller's role is too low.
    #[error("this needs the role {needed}")]
    Forbidden {
        /// The lowest role that may.
        needed: Role,
    },
    /// There is no such thing, or it was deleted or revoked.
    #[error("{what} was not found")]
    NotFound {
        /// For example `run 0198…`.
        what: String,
    },
    /// The thing is in a state that does not allow this.
    #[error("{0}")]
    Conflict(String),
    /// The database or a host cannot be reached at the moment.
    #[error("{0}")]
    Unavailable(String),
    /// A fault of Podium or its surroundings; the log has the chain under this reference.
    #[error("something went wrong inside Podium; the log has the details under reference {reference}")]
    Internal {
        /// Also in the log.
        reference: Uuid,
    },
}

/// The result of a use case.
pub type Result<T, E = Error> = std::result::Result<T, E>;

fn invalid_text(problems: &[Problem]) -> String {
    match problems {
        [one] => one.to_string(),
        many => {
            format!("{} problems: {}", many.len(), many.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))
        }
    }
}

impl Error {
    /// Logs `error` with its chain once, and hides it behind a reference.
    pub(crate) fn internal(error: impl Into<anyhow::Error>) -> Self {
        let reference = Uuid::new_v4();
        let error = error.into();
        tracing::error!(%reference, error = format!("{error:#}"), "internal error");
        Error::Internal { reference }
    }
}

impl From<podium_store::Error> for Error {
    fn from(error: podium_store::Error) -> Self {
        match error {
            podium_store::Error::NotFound { what } => Error::NotFound { what: format!("the {what}") },
            podium_store::Error::Unavailable(source) => {
                tracing::warn!(error = format!("{:#}", anyhow::Error::from(source)), "the database cannot be reached");
                Error::Unavailable("the database cannot be reached at the moment; try again shortly".to_owned())
            }
            other => Error::internal(other),
        }
    }
}
