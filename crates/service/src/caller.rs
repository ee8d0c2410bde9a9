//! Who asks: every use case takes a [`Caller`] and checks its role.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::error::Error;

/// What a person may do. Each role may do everything that the one before it may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Reads runs, reports and hosts.
    Viewer,
    /// Starts and stops runs, shares reports.
    Runner,
    /// Everything.
    Admin,
}

impl Role {
    /// Every role, the least first.
    pub const ALL: [Role; 3] = [Role::Viewer, Role::Runner, Role::Admin];

    /// The role as its word.
    pub fn word(self) -> &'static str {
        match self {
            Role::Viewer => "viewer",
            Role::Runner => "runner",
            Role::Admin => "admin",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

impl FromStr for Role {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Role::ALL
            .into_iter()
            .find(|role| role.word() == text)
            .ok_or_else(|| format!("`{text}` is not a role: use viewer, runner or admin"))
    }
}

/// The person on whose behalf a use case runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Caller {
    /// The person's id in the database.
    pub person: Uuid,
    /// What the person may do.
    pub role: Role,
}

/// The person that the first migration inserts: the owner, and whoever reaches a Podium without accounts.
pub const OWNER: Uuid = Uuid::from_u128(1);

impl Caller {
    /// The owner: whoever reaches a Podium that asks for no accounts, and the command line on its own machine.
    pub fn owner() -> Self {
        Caller { person: OWNER, role: Role::Admin }
    }

    /// Refuses callers whose role is below `needed`.
    pub(crate) fn require(self, needed: Role) -> Result<(), Error> {
        if self.role >= needed { Ok(()) } else { Err(Error::Forbidden { needed }) }
    }
}
