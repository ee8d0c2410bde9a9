//! The error that crosses from the server to the browser.

use leptos::prelude::{FromServerFnError, ServerFnErrorErr};
use leptos::server_fn::codec::JsonEncoding;
use serde::{Deserialize, Serialize};

/// A problem with one field of what the user sent.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FieldProblem {
    /// Where: the path inside the plan or form, for example `frameworks.vllm.search_space.max_num_seqs`.
    pub path: String,
    /// What is wrong and what to do about it.
    pub message: String,
}

/// Why a request was not done, in words that are fit for the page.
///
/// The variants are told apart by who has to act. Nothing here holds a source error: what went wrong inside is
/// logged once on the server under the reference that [`AppError::Internal`] carries.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum AppError {
    /// The user has to change the input. Status 400.
    #[error("{message}")]
    Invalid {
        /// The summary sentence.
        message: String,
        /// Every field that is wrong, not only the first.
        fields: Vec<FieldProblem>,
    },
    /// The caller may not do this. Status 403.
    #[error("{message}")]
    Forbidden {
        /// What was refused and why.
        message: String,
    },
    /// There is no such thing. Status 404.
    #[error("{what} was not found; it may have been deleted")]
    NotFound {
        /// What was looked for, in the user's words: `this run`, `the plan "chat"`.
        what: String,
    },
    /// The thing is in a state in which this cannot be done. Status 409.
    #[error("{message}")]
    Conflict {
        /// What stands in the way.
        message: String,
    },
    /// Something that the server needs is away; trying again later may help. Status 503.
    #[error("{message}")]
    Unavailable {
        /// What is away.
        message: String,
    },
    /// A fault of the server. Status 500.
    #[error("something went wrong on the server; its log has the details under reference {reference}")]
    Internal {
        /// What to search the server's log for.
        reference: String,
    },
    /// The request did not reach the server function, or its answer could not be read.
    #[error("the request did not get through ({detail}); check that podium is still running, then try again")]
    Transport {
        /// The transport's own words.
        detail: String,
    },
}

impl AppError {
    /// The HTTP status that goes with this error.
    #[must_use]
    pub const fn status_code(&self) -> u16 {
        match self {
            Self::Invalid { .. } => 400,
            Self::Forbidden { .. } => 403,
            Self::NotFound { .. } => 404,
            Self::Conflict { .. } => 409,
            Self::Unavailable { .. } => 503,
            Self::Internal { .. } | Self::Transport { .. } => 500,
        }
    }

    /// Sets the status of the response that is being made and gives the error back: the last step of a server
    /// function that fails, since the framework alone would answer every failure with 500.
    ///
    /// Outside a request it does nothing but give the error back.
    #[cfg(feature = "ssr")]
    #[must_use]
    pub fn respond(self) -> Self {
        if let Some(response) = leptos::prelude::use_context::<leptos_axum::ResponseOptions>() {
            let status =
                http::StatusCode::from_u16(self.status_code()).unwrap_or(http::StatusCode::INTERNAL_SERVER_ERROR);
            response.set_status(status);
        }
        self
    }
}

impl FromServerFnError for AppError {
    type Encoder = JsonEncoding;

    fn from_server_fn_error(error: ServerFnErrorErr) -> Self {
        match error {
            ServerFnErrorErr::Args(detail) | ServerFnErrorErr::MissingArg(detail) => {
                Self::Invalid { message: format!("the request could not be read: {detail}"), fields: Vec::new() }
            }
            other => Self::Transport { detail: other.to_string() },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_problem_survives_the_wire() {
        let sent = AppError::Invalid {
            message: "the plan has one problem".to_owned(),
            fields: vec![FieldProblem { path: "search.tier".to_owned(), message: "must be 1, 2 or 3".to_owned() }],
        };
        let received = AppError::de(sent.clone().ser());
        assert_eq!(received, sent);
    }

    #[test]
    fn arguments_that_cannot_be_read_are_the_callers_fault() {
        let error = AppError::from_server_fn_error(ServerFnErrorErr::Args("expected a number".to_owned()));
        assert_eq!(error.status_code(), 400);
        assert!(error.to_string().contains("expected a number"));
    }
}
