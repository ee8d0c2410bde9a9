//! What a posted form leaves for the page that answers it, in context.

use podium_launcher::SshConfig;
use uuid::Uuid;

use crate::dto::NewLink;
use crate::error::AppError;

/// A plan that could not be started. The editor's page shows it again, with what is wrong.
#[derive(Clone, Debug)]
pub struct RejectedPlan {
    /// The text as it was sent.
    pub yaml: String,
    /// Where it came from; see the editor's `source`.
    pub source: String,
    /// The host that was chosen.
    pub host: Option<String>,
    /// Why.
    pub error: AppError,
}

/// Files that could not be imported. The page shows its form again, with what was written in it and what is wrong; files
/// have to be chosen again, since a page cannot put them into a form.
#[derive(Clone, Debug, Default)]
pub struct RejectedImport {
    /// The form's other fields: name and value.
    pub fields: Vec<(String, String)>,
    /// Why.
    pub error: Option<AppError>,
}

/// Something that could not be done with a host. The page of hosts says so, at the form where there was one.
#[derive(Clone, Debug)]
pub struct RejectedHost {
    /// What the form said.
    pub form: Option<HostInput>,
    /// Why it was not done.
    pub error: AppError,
}

/// The form of a host as it was sent.
#[derive(Clone, Debug)]
pub struct HostInput {
    /// The id of the host that was to be changed; `None` for a new one.
    pub host: Option<Uuid>,
    /// What the host is to be called.
    pub name: String,
    /// How it is to be reached.
    pub config: SshConfig,
}

/// A link that was just made. The report's page shows it this once.
#[derive(Clone, Debug)]
pub struct FreshLink(pub NewLink);

/// A try to sign in that failed. The form is shown again.
#[derive(Clone, Debug)]
pub struct RejectedSignIn {
    /// The name that was written.
    pub name: String,
    /// The page to go on to.
    pub next: String,
    /// Why.
    pub error: AppError,
}

/// An invitation that was not accepted. The form is shown again.
#[derive(Clone, Debug)]
pub struct RejectedInvitation {
    /// The name that was written.
    pub name: String,
    /// Why.
    pub error: AppError,
}

/// A link's password that was wrong. The form is shown again.
#[derive(Clone, Debug)]
pub struct RejectedUnlock {
    /// Why.
    pub error: AppError,
}

/// An invitation that was just made. The page of people shows it this once.
#[derive(Clone, Debug)]
pub struct FreshInvitation {
    /// Whom it is for.
    pub name: String,
    /// Its path, with the secret.
    pub path: String,
    /// Until when it holds.
    pub until: time::OffsetDateTime,
}

/// Something that could not be done with a person.
#[derive(Clone, Debug)]
pub struct RejectedPerson {
    /// The name that was written.
    pub name: String,
    /// Why.
    pub error: AppError,
}

/// A token that was just made. The page of the account shows it this once.
#[derive(Clone, Debug)]
pub struct FreshToken {
    /// What it is called.
    pub name: String,
    /// Its secret.
    pub secret: String,
}

/// Something that could not be done with an account.
#[derive(Clone, Debug)]
pub struct RejectedAccount {
    /// Why.
    pub error: AppError,
}
