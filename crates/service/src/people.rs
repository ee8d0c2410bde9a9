//! People: who there is, what each may do, and what they did.

use podium_formats::plan::Problem;
use podium_store::{NewPerson, OnConstraint as _};
use serde_json::json;
use time::{Duration, OffsetDateTime};
use uuid::Uuid;

use crate::caller::{Caller, OWNER, Role};
use crate::error::{Error, Result};
use crate::secret::{hash, new_secret};
use crate::service::Service;
use crate::views::{AuditLine, Invitation, PersonState, PersonView};

/// How long an invitation holds.
const INVITATION: Duration = Duration::days(7);

/// The longest name of a person or a token, in characters.
pub(crate) const NAME_LIMIT: usize = 60;

/// Lines of the audit log that one request gets at most.
const AUDIT_LIMIT: u32 = 500;

impl Service {
    /// Everybody, by name.
    pub async fn people(&self, caller: Caller) -> Result<Vec<PersonView>> {
        caller.require(Role::Admin)?;
        self.store().people().await?.into_iter().map(person_view).collect()
    }

    /// The person on whose behalf the caller asks.
    pub async fn me(&self, caller: Caller) -> Result<PersonView> {
        caller.require(Role::Viewer)?;
        person_view(self.store().person(caller.person).await?)
    }

    /// The person of this name, without regard to case.
    pub async fn person_named(&self, caller: Caller, name: &str) -> Result<PersonView> {
        caller.require(Role::Admin)?;
        let missing = || Error::NotFound { what: format!("a person called `{name}`") };
        let people = self.people(caller).await?;
        people.into_iter().find(|person| person.name.to_lowercase() == name.to_lowercase()).ok_or_else(missing)
    }

    /// Adds a person, who chooses a password by the invitation.
    ///
    /// # Errors
    /// [`Error::Invalid`] for what is no name, [`Error::Conflict`] where it is taken.
    pub async fn add_person(&self, caller: Caller, name: &str, role: Role) -> Result<Invitation> {
        caller.require(Role::Admin)?;
        let name = valid_name(name, "name")?;
        let secret = new_secret();
        let until = OffsetDateTime::now_utc() + INVITATION;
        let new = NewPerson {
            name: name.clone(),
            role: role.word().to_owned(),
            invitation_sha256: hash(&secret),
            invitation_until: until,
        };
        let person = self.store().insert_person(&new).await.on_constraint("person_name_key", || taken(&name))?;
        let detail = json!({ "name": name, "role": role.word() });
        self.audit(caller, "person.add", format!("person {}", person.id), detail).await?;
        Ok(Invitation { person: person_view(person)?, secret, until })
    }

    /// Gives a person another role.
    ///
    /// # Errors
    /// [`Error::Conflict`] for the owner, who stays admin: somebody has to be.
    pub async fn set_role(&self, caller: Caller, person: Uuid, role: Role) -> Result<()> {
        caller.require(Role::Admin)?;
        not_the_owner(person)?;
        self.store().set_role(person, role.word()).await?;
        self.audit(caller, "person.role", format!("person {person}"), json!({ "role": role.word() })).await
    }

    /// Locks a person out, or lets the person in again. Sessions end; tokens rest meanwhile.
    ///
    /// # Errors
    /// [`Error::Conflict`] for the owner.
    pub async fn set_disabled(&self, caller: Caller, person: Uuid, disabled: bool) -> Result<()> {
        caller.require(Role::Admin)?;
        not_the_owner(person)?;
        self.store().set_disabled(person, disabled).await?;
        let action = if disabled { "person.disable" } else { "person.enable" };
        self.audit(caller, action, format!("person {person}"), json!({})).await
    }

    /// Ends the person's password, sessions and tokens; the invitation is the way back in.
    pub async fn reset_person(&self, caller: Caller, person: Uuid) -> Result<Invitation> {
        caller.require(Role::Admin)?;
        let invitation = self.invite(person, true).await?;
        self.audit(caller, "person.reset", format!("person {person}"), json!({})).await?;
        Ok(invitation)
    }

    /// The invitation with which the owner chooses a password first; `None` once that was done. An earlier one holds no
    /// longer.
    pub async fn set_up(&self) -> Result<Option<Invitation>> {
        match self.store().person(OWNER).await?.password_hash {
            Some(_) => Ok(None),
            None => Ok(Some(self.invite(OWNER, false).await?)),
        }
    }

    /// Who did what, newest first: what came before the line `before`, or the newest.
    pub async fn audit_log(&self, caller: Caller, before: Option<Uuid>, limit: u32) -> Result<Vec<AuditLine>> {
        caller.require(Role::Admin)?;
        let entries = self.store().audit_entries(before, i64::from(limit.min(AUDIT_LIMIT))).await?;
        let line = |entry: podium_store::AuditEntry| AuditLine {
            id: entry.id,
            at: entry.at,
            person: entry.person_name,
            action: entry.action,
            subject: entry.subject,
            detail: entry.detail,
        };
        Ok(entries.into_iter().map(line).collect())
    }

    async fn invite(&self, person: Uuid, forget_password: bool) -> Result<Invitation> {
        let secret = new_secret();
        let until = OffsetDateTime::now_utc() + INVITATION;
        self.store().invite_person(person, &hash(&secret), until, forget_password).await?;
        Ok(Invitation { person: person_view(self.store().person(person).await?)?, secret, until })
    }
}

pub(crate) fn person_view(person: podium_store::Person) -> Result<PersonView> {
    let now = OffsetDateTime::now_utc();
    let state = match (person.disabled_at, &person.password_hash, person.invitation_until) {
        (Some(_), _, _) => PersonState::Disabled,
        (None, Some(_), _) => PersonState::Active,
        (None, None, Some(until)) if until > now => PersonState::Invited,
        (None, None, _) => PersonState::NoPassword,
    };
    Ok(PersonView {
        id: person.id,
        role: stored_role(&person.role)?,
        is_owner: person.id == OWNER,
        name: person.name,
        state,
        created_at: person.created_at,
    })
}

pub(crate) fn stored_role(word: &str) -> Result<Role> {
    word.parse().map_err(|error: String| Error::internal(anyhow::anyhow!("a stored role cannot be read: {error}")))
}

/// A name without spaces around it.
pub(crate) fn valid_name(name: &str, field: &str) -> Result<String> {
    let name = name.trim();
    let count = name.chars().count();
    if count == 0 || count > NAME_LIMIT || name.chars().any(char::is_control) {
        let text = format!("a name has 1 to {NAME_LIMIT} characters");
        return Err(Error::Invalid { problems: vec![Problem::new(field, None, text)] });
    }
    Ok(name.to_owned())
}

pub(crate) fn taken(name: &str) -> Error {
    Error::Conflict(format!("there is somebody called `{name}` already: take another name"))
}

fn not_the_owner(person: Uuid) -> Result<()> {
    if person == OWNER {
        return Err(Error::Conflict("the owner stays admin: somebody has to let the others in".to_owned()));
    }
    Ok(())
}
