//! `/invite/{token}`: choosing a password, for the owner at the very first and for whoever is invited.

use leptos::prelude::*;
use leptos_axum::ResponseOptions;
use leptos_meta::Title;
use leptos_router::hooks::use_params_map;
use podium_service::PersonView;

use crate::components::{TextField, loaded, problem_at, refusal, respond_with};
use crate::context::service;
use crate::posted::RejectedInvitation;

/// The form of an invitation that holds; otherwise the page for what is not there.
#[component]
pub fn InvitePage() -> impl IntoView {
    let secret = use_params_map().with_untracked(|params| params.get("token").unwrap_or_default());
    let rejected = use_context::<RejectedInvitation>();
    if let Some(response) = use_context::<ResponseOptions>() {
        response.insert_header(http::header::CACHE_CONTROL, http::HeaderValue::from_static("private, no-store"));
    }
    loaded(async move {
        let person = service()?.invited(&secret).await?;
        Ok(page(&person, &secret, rejected))
    })
}

fn page(person: &PersonView, secret: &str, rejected: Option<RejectedInvitation>) -> impl IntoView + use<> {
    let error = rejected.as_ref().map(|rejected| &rejected.error);
    let notice = error.map(|error| {
        respond_with(error);
        refusal("Nothing was changed", error)
    });
    let wrong = |field: &str| problem_at(error, field);
    let (name_wrong, password_wrong, repeated_wrong) = (wrong("name"), wrong("password"), wrong("repeated"));
    let name = rejected.as_ref().map_or_else(|| person.name.clone(), |rejected| rejected.name.clone());
    let lead = if person.is_owner {
        "This Podium is yours: choose the name and the password of its owner, who may do everything.".to_owned()
    } else {
        format!("You are invited as {}. Choose the password with which you sign in.", person.role)
    };
    view! {
        <Title text="Choose a password" />
        <h1>"Choose a password"</h1>
        <p>{lead}</p>
        {notice}
        <form class="card sign-in" method="post" action=format!("/invite/{secret}")>
            <TextField name="name" label="Name" value=name autocomplete="username" is_wrong=name_wrong />
            <TextField
                name="password"
                label="Password"
                kind="password"
                autocomplete="new-password"
                hint="10 characters or more"
                is_wrong=password_wrong
            />
            <TextField
                name="repeated"
                label="The same again"
                kind="password"
                autocomplete="new-password"
                is_wrong=repeated_wrong
            />
            <button class="button button-primary" type="submit">
                "Save and sign in"
            </button>
        </form>
    }
}
