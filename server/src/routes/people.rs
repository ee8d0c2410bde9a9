//! Adding people, and changing what they may do, by forms.

use axum::Extension;
use axum::extract::{Form, Path, State};
use axum::http::Uri;
use axum::http::request::Parts;
use axum::response::{IntoResponse, Redirect, Response};
use leptos::prelude::provide_context;
use podium_app::context::id;
use podium_app::error::AppError;
use podium_app::posted::{FreshInvitation, RejectedPerson};
use podium_service::{Caller, Invitation};
use serde::Deserialize;

use crate::state::AppState;

/// The page of all people.
const PAGE: &str = "/people";

/// What the form says.
#[derive(Debug, Deserialize)]
pub(super) struct PersonFields {
    name: String,
    role: String,
}

/// Adds a person, and shows the invitation this once.
pub(super) async fn add(
    State(state): State<AppState>,
    Extension(caller): Extension<Caller>,
    parts: Parts,
    Form(fields): Form<PersonFields>,
) -> Response {
    let done = async {
        let role = role_of(&fields.role)?;
        Ok(Some(state.service.add_person(caller, &fields.name, role).await?))
    };
    answer(&state, parts, done.await, Some(fields.name)).await
}

/// What the form says.
#[derive(Debug, Deserialize)]
pub(super) struct RoleFields {
    role: String,
}

/// Gives a person another role.
pub(super) async fn role(
    State(state): State<AppState>,
    Extension(caller): Extension<Caller>,
    Path(person): Path<String>,
    parts: Parts,
    Form(fields): Form<RoleFields>,
) -> Response {
    let done = async {
        state.service.set_role(caller, id(&person, "this person")?, role_of(&fields.role)?).await?;
        Ok(None)
    };
    answer(&state, parts, done.await, None).await
}

/// Locks a person out.
pub(super) async fn disable(
    State(state): State<AppState>,
    Extension(caller): Extension<Caller>,
    Path(person): Path<String>,
    parts: Parts,
) -> Response {
    set_disabled(&state, caller, &person, parts, true).await
}

/// Lets a person in again.
pub(super) async fn enable(
    State(state): State<AppState>,
    Extension(caller): Extension<Caller>,
    Path(person): Path<String>,
    parts: Parts,
) -> Response {
    set_disabled(&state, caller, &person, parts, false).await
}

async fn set_disabled(state: &AppState, caller: Caller, person: &str, parts: Parts, disabled: bool) -> Response {
    let done = async {
        state.service.set_disabled(caller, id(person, "this person")?, disabled).await?;
        Ok(None)
    };
    answer(state, parts, done.await, None).await
}

/// Ends a person's password, sessions and tokens, and shows the new invitation this once.
pub(super) async fn reset(
    State(state): State<AppState>,
    Extension(caller): Extension<Caller>,
    Path(person): Path<String>,
    parts: Parts,
) -> Response {
    let done = async { Ok(Some(state.service.reset_person(caller, id(&person, "this person")?).await?)) };
    answer(&state, parts, done.await, None).await
}

fn role_of(word: &str) -> Result<podium_service::Role, AppError> {
    word.parse().map_err(|message| AppError::Invalid { message, fields: Vec::new() })
}

/// Shows the page with an invitation or with what was not done; leads to it where there is nothing to show once.
async fn answer(
    state: &AppState,
    mut parts: Parts,
    done: Result<Option<Invitation>, AppError>,
    name: Option<String>,
) -> Response {
    // The form's own address may be no page.
    parts.uri = Uri::from_static(PAGE);
    match done {
        Ok(None) => Redirect::to(PAGE).into_response(),
        Ok(Some(invitation)) => {
            let path = format!("/invite/{}", invitation.secret);
            let fresh = FreshInvitation { name: invitation.person.name, path, until: invitation.until };
            state.page(parts, move || provide_context(fresh.clone())).await
        }
        Err(error) => {
            let rejected = RejectedPerson { name: name.unwrap_or_default(), error };
            state.page(parts, move || provide_context(rejected.clone())).await
        }
    }
}
