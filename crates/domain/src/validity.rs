//! Whether a measurement can be trusted, and why not.

use serde::{Deserialize, Serialize};

/// One reason to doubt or reject a measurement.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Reason {
    /// A stable word for programs, for example `client_limited`.
    pub code: String,
    /// What was seen, with its figures, for people.
    pub text: String,
}

/// The verdict on one measurement. An invalid measurement is stored and shown, and never wins.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "verdict", content = "reasons", rename_all = "snake_case")]
pub enum Validity {
    /// Nothing speaks against it.
    Valid,
    /// It may win, visibly marked.
    Doubtful(Vec<Reason>),
    /// It may not win.
    Invalid(Vec<Reason>),
}

impl Validity {
    /// The verdict that follows from the reasons that were found: any `invalid` one decides, the others are kept.
    pub fn from_reasons(invalid: Vec<Reason>, doubtful: Vec<Reason>) -> Self {
        if !invalid.is_empty() {
            Validity::Invalid(invalid.into_iter().chain(doubtful).collect())
        } else if !doubtful.is_empty() {
            Validity::Doubtful(doubtful)
        } else {
            Validity::Valid
        }
    }

    /// Replaces the reason of this code, where it is there, by one that says more.
    pub fn explain(&mut self, code: &str, better: Reason) {
        if let Validity::Doubtful(reasons) | Validity::Invalid(reasons) = self
            && let Some(reason) = reasons.iter_mut().find(|reason| reason.code == code)
        {
            *reason = better;
        }
    }

    /// `valid`, `doubtful` or `invalid`.
    pub fn word(&self) -> &'static str {
        match self {
            Validity::Valid => "valid",
            Validity::Doubtful(_) => "doubtful",
            Validity::Invalid(_) => "invalid",
        }
    }

    /// The reasons, none for a valid measurement.
    pub fn reasons(&self) -> &[Reason] {
        match self {
            Validity::Valid => &[],
            Validity::Doubtful(reasons) | Validity::Invalid(reasons) => reasons,
        }
    }

    /// Whether a measurement with this verdict may win.
    pub fn may_win(&self) -> bool {
        !matches!(self, Validity::Invalid(_))
    }
}
