//! How somebody becomes a [`Caller`]: by a password and then a session, or by a program's token.

use podium_formats::plan::Problem;
use podium_store::{Holder, NewApiToken, OnConstraint as _};
use serde_json::json;
use time::{Duration, OffsetDateTime};
use uuid::Uuid;

use crate::caller::{Caller, Role};
use crate::error::{Error, Result};
use crate::password::{self, Purpose};
use crate::people::{person_view, stored_role, taken, valid_name};
use crate::secret::{hash, new_secret};
use crate::service::Service;
use crate::views::{ApiTokenView, NewApiTokenView, PersonView, Session};

/// How long a session holds.
pub const SESSION: Duration = Duration::days(14);

/// How long a token may hold, in days.
const TOKEN_DAYS: std::ops::RangeInclusive<u32> = 1..=3650;

/// What every token of a program begins with, so that people and scanners of repositories know one when they see it.
const TOKEN_PREFIX: &str = "podium_";

impl Service {
    /// Begins a session for whoever knows the name and its password; `None` where they do not fit, without saying which.
    pub async fn sign_in(&self, name: &str, password: String) -> Result<Option<Session>> {
        let person = match self.store().person_named(name.trim()).await {
            Ok(person) => Some(person),
            Err(podium_store::Error::NotFound { .. }) => None,
            Err(error) => return Err(error.into()),
        };
        let known = person.as_ref().and_then(|person| person.password_hash.clone());
        let fits = password::fits(password, known).await?;
        match person.filter(|person| fits && person.disabled_at.is_none()) {
            Some(person) => Ok(Some(self.begin_session(person.id).await?)),
            None => Ok(None),
        }
    }

    /// Ends a session.
    pub async fn sign_out(&self, secret: &str) -> Result<()> {
        Ok(self.store().end_session(&hash(secret)).await?)
    }

    /// Whose session this is; `None` for one that is over.
    pub async fn caller_of_session(&self, secret: &str) -> Result<Option<Caller>> {
        self.store().session_holder(&hash(secret)).await?.map(caller).transpose()
    }

    /// Whose token this is; `None` for one that is over.
    pub async fn caller_of_token(&self, secret: &str) -> Result<Option<Caller>> {
        self.store().token_holder(&hash(secret)).await?.map(caller).transpose()
    }

    /// Whom an invitation is for.
    ///
    /// # Errors
    /// [`Error::NotFound`] for one that is unknown, used or over, without saying which.
    pub async fn invited(&self, secret: &str) -> Result<PersonView> {
        person_view(self.store().invited_person(&hash(secret)).await?)
    }

    /// Uses up an invitation: the person gets a password, and may be called differently from now on.
    ///
    /// # Errors
    /// As [`Service::invited`]; [`Error::Invalid`] for a bad name or password, [`Error::Conflict`] where the name is taken.
    pub async fn accept_invitation(&self, secret: &str, name: &str, password: String) -> Result<Session> {
        self.invited(secret).await?;
        let name = valid_name(name, "name")?;
        let password_hash = password::hash(password, Purpose::Person, "password").await?;
        let accepted = self.store().accept_invitation(&hash(secret), &name, &password_hash).await;
        let person = accepted.on_constraint("person_name_key", || taken(&name))?;
        let role = stored_role(&person.role)?;
        let caller = Caller { person: person.id, role };
        self.audit(caller, "person.password", format!("person {}", person.id), json!({ "by": "invitation" })).await?;
        self.begin_session(person.id).await
    }
    /// Gives the caller another password. All sessions end; the one that is answered begins.
    ///
    /// # Errors
    /// [`Error::Invalid`] where the old password is not right or the new one is none.
    pub async fn change_password(&self, caller: Caller, old: String, new: String) -> Result<Session> {
        caller.require(Role::Viewer)?;
        let person = self.store().person(caller.person).await?;
        if !password::fits(old, person.password_hash).await? {
            return Err(invalid("old_password", "this is not the password that holds now".to_owned()));
        }
        self.set_password(caller, person.id, new, "new_password").await?;
        self.begin_session(person.id).await
    }

    /// Gives anybody a password, as the command line on Podium's own machine may.
    ///
    /// # Errors
    /// [`Error::Invalid`] for what is no password.
    pub async fn choose_password(&self, caller: Caller, person: Uuid, new: String) -> Result<()> {
        caller.require(Role::Admin)?;
        self.set_password(caller, person, new, "password").await
    }

    async fn set_password(&self, caller: Caller, person: Uuid, new: String, field: &str) -> Result<()> {
        let password_hash = password::hash(new, Purpose::Person, field).await?;
        self.store().set_password(person, &password_hash).await?;
        self.audit(caller, "person.password", format!("person {person}"), json!({})).await
    }

    /// The caller's tokens, newest first; those that are over too.
    pub async fn api_tokens(&self, caller: Caller) -> Result<Vec<ApiTokenView>> {
        caller.require(Role::Viewer)?;
        self.store().api_tokens(caller.person).await?.into_iter().map(token_view).collect()
    }

    /// Makes a token for a program. Its secret is in the answer and nowhere else.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a bad name or time; [`Error::Forbidden`] for a token that may more than its owner.
    pub async fn create_api_token(&self, caller: Caller, name: &str, role: Role, days: u32) -> Result<NewApiTokenView> {
        caller.require(role)?;
        let name = valid_name(name, "token_name")?;
        if !TOKEN_DAYS.contains(&days) {
            let text = format!("a token holds {} to {} days", TOKEN_DAYS.start(), TOKEN_DAYS.end());
            return Err(invalid("days", text));
        }
        let secret = format!("{TOKEN_PREFIX}{}", new_secret());
        let new = NewApiToken {
            person_id: caller.person,
            name: name.clone(),
            role: role.word().to_owned(),
            secret_sha256: hash(&secret),
            expires_at: OffsetDateTime::now_utc() + Duration::days(i64::from(days)),
        };
        let token = token_view(self.store().insert_api_token(&new).await?)?;
        let detail = json!({ "name": name, "role": role.word(), "days": days });
        self.audit(caller, "token.create", format!("token {}", token.id), detail).await?;
        Ok(NewApiTokenView { token, secret })
    }

    /// Revokes one of the caller's tokens.
    pub async fn revoke_api_token(&self, caller: Caller, token: Uuid) -> Result<()> {
        caller.require(Role::Viewer)?;
        self.store().revoke_api_token(caller.person, token).await?;
        self.audit(caller, "token.revoke", format!("token {token}"), json!({})).await
    }

    async fn begin_session(&self, person: Uuid) -> Result<Session> {
        let secret = new_secret();
        self.store().begin_session(person, &hash(&secret), OffsetDateTime::now_utc() + SESSION).await?;
        Ok(Session { secret })
    }
}

/// A secret allows what its holder may, and no more than its own limit.
fn caller(holder: Holder) -> Result<Caller> {
    let role = stored_role(&holder.person_role)?;
    let limit = holder.secret_role.as_deref().map(stored_role).transpose()?;
    Ok(Caller { person: holder.person_id, role: limit.map_or(role, |limit| role.min(limit)) })
}

fn invalid(field: &str, text: String) -> Error {
    Error::Invalid { problems: vec![Problem::new(field, None, text)] }
}

fn token_view(token: podium_store::ApiToken) -> Result<ApiTokenView> {
    Ok(ApiTokenView {
        id: token.id,
        role: stored_role(&token.role)?,
        name: token.name,
        created_at: token.created_at,
        expires_at: token.expires_at,
        last_used_at: token.last_used_at,
        revoked_at: token.revoked_at,
    })
}
