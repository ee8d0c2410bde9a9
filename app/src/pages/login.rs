//! `/login`: name and password.

use leptos::prelude::*;
use leptos_meta::Title;
use leptos_router::hooks::use_query_map;

use crate::components::{TextField, refusal, respond_with};
use crate::context::{Accounts, known_caller};
use crate::posted::RejectedSignIn;

/// The form; after a failure with what is wrong above it.
#[component]
pub fn LoginPage() -> impl IntoView {
    let rejected = use_context::<RejectedSignIn>();
    let is_open = use_context::<Accounts>().is_some_and(|accounts| !accounts.demanded);
    let body = if is_open {
        view! {
            <p>"This Podium asks for no accounts: it listens to this machine alone, and whoever reaches it is its owner."</p>
            <p>
                <a class="button" href="/">
                    "See all runs"
                </a>
            </p>
        }
        .into_any()
    } else if rejected.is_none() && known_caller().is_some() {
        view! {
            <p>"You are signed in."</p>
            <p class="button-row">
                <a class="button button-primary" href="/">
                    "See all runs"
                </a>
                <a class="button" href="/account">
                    "Your account"
                </a>
            </p>
        }
        .into_any()
    } else {
        form(rejected).into_any()
    };
    view! {
        <Title text="Sign in" />
        <h1>"Sign in"</h1>
        {body}
    }
}

fn form(rejected: Option<RejectedSignIn>) -> impl IntoView {
    let notice = rejected.as_ref().map(|rejected| {
        respond_with(&rejected.error);
        refusal("You are not signed in", &rejected.error)
    });
    let asked = use_query_map().with_untracked(|query| query.get("next").unwrap_or_default());
    let (name, next) = rejected.map_or((String::new(), asked), |rejected| (rejected.name, rejected.next));
    view! {
        {notice}
        <form class="card sign-in" method="post" action="/login">
            <input type="hidden" name="next" value=next />
            <TextField name="name" label="Name" value=name autocomplete="username" />
            <TextField name="password" label="Password" kind="password" autocomplete="current-password" />
            <button class="button button-primary" type="submit">
                "Sign in"
            </button>
        </form>
        <p class="muted">"Forgotten? Whoever looks after this Podium makes a new invitation for you."</p>
    }
}
