//! `/account`: one's own password and tokens.

use leptos::prelude::*;
use leptos_meta::Title;
use podium_service::{ApiTokenView, Caller, PersonView, Role};
use time::OffsetDateTime;

use crate::components::{
    Command, Moment, ScrollTable, TextField, loaded, problem_at, refusal, respond_with, role_choice,
};
use crate::context::{Accounts, caller, service};
use crate::error::AppError;
use crate::posted::{FreshToken, RejectedAccount};

/// Who one is, the form that changes the password, and the tokens.
#[component]
pub fn AccountPage() -> impl IntoView {
    let rejected = use_context::<RejectedAccount>().map(|rejected| rejected.error);
    let fresh = use_context::<FreshToken>();
    let has_password = use_context::<Accounts>().is_some_and(|accounts| accounts.demanded);
    loaded(async move {
        let (service, caller) = (service()?, caller()?);
        let (me, tokens) = (service.me(caller).await?, service.api_tokens(caller).await?);
        Ok(page(&me, caller, &tokens, rejected.as_ref(), fresh, has_password))
    })
}

fn page(
    me: &PersonView,
    caller: Caller,
    tokens: &[ApiTokenView],
    rejected: Option<&AppError>,
    fresh: Option<FreshToken>,
    has_password: bool,
) -> impl IntoView + use<> {
    let notice = rejected.map(|error| {
        respond_with(error);
        refusal("Nothing was changed", error)
    });
    let sign_out = has_password.then(|| {
        view! {
            <form method="post" action="/logout">
                <button class="button" type="submit">
                    "Sign out"
                </button>
            </form>
        }
    });
    let password = if has_password {
        password_form(rejected).into_any()
    } else {
        view! {
            <p class="muted">
                "This Podium asks for no accounts: whoever reaches it is its owner. Tokens and passwords count once it is started with accounts."
            </p>
        }
        .into_any()
    };
    view! {
        <Title text="Account" />
        <div class="page-head">
            <h1>{me.name.clone()}</h1>
            {sign_out}
        </div>
        <p class="muted">{format!("Role: {}", me.role)}</p>
        {notice}
        {password}
        {tokens_section(caller.role, tokens, rejected, fresh)}
    }
}

fn password_form(rejected: Option<&AppError>) -> impl IntoView + use<> {
    let wrong = |field: &str| problem_at(rejected, field);
    let (old_wrong, new_wrong, repeated_wrong) = (wrong("old_password"), wrong("new_password"), wrong("repeated"));
    view! {
        <section id="password">
            <h2>"Password"</h2>
            <form class="card sign-in" method="post" action="/account/password">
                <TextField
                    name="old_password"
                    label="Password now"
                    kind="password"
                    autocomplete="current-password"
                    is_wrong=old_wrong
                />
                <TextField
                    name="new_password"
                    label="New password"
                    kind="password"
                    autocomplete="new-password"
                    hint="10 characters or more"
                    is_wrong=new_wrong
                />
                <TextField
                    name="repeated"
                    label="The new one again"
                    kind="password"
                    autocomplete="new-password"
                    is_wrong=repeated_wrong
                />
                <button class="button button-primary" type="submit">
                    "Change the password"
                </button>
                <p class="field-hint">"You are signed out everywhere else."</p>
            </form>
        </section>
    }
}

fn tokens_section(
    most: Role,
    tokens: &[ApiTokenView],
    rejected: Option<&AppError>,
    fresh: Option<FreshToken>,
) -> impl IntoView + use<> {
    let fresh = fresh.map(|fresh| {
        view! {
            <div class="notice" role="status">
                <p>{format!("The token {} is made. Copy it now: it is shown this once.", fresh.name)}</p>
                <Command id="new-token".to_owned() text=fresh.secret />
            </div>
        }
    });
    let table = (!tokens.is_empty()).then(|| {
        view! {
            <ScrollTable
                caption="Your tokens"
                columns=["Name", "Role", "Made", "Last used", "State"]
                actions="Revoke"
                lines={tokens.iter().map(token_line).collect_view()}
            />
        }
    });
    let wrong = |field: &str| problem_at(rejected, field);
    let (name_wrong, days_wrong) = (wrong("token_name"), wrong("days"));
    view! {
        <section id="tokens">
            <h2>"Tokens for programs"</h2>
            <p>
                "A program sends one as " <code>"Authorization: Bearer …"</code>
                "; the command line takes it from " <code>"PODIUM_TOKEN"</code> ". "
                <a href="/api">"What programs can do"</a>
            </p>
            {fresh}
            {table}
            <form class="card sign-in" method="post" action="/account/tokens">
                <TextField name="token_name" label="What it is for" is_wrong=name_wrong />
                <div class="field">
                    <label for="token-role">"What it may do at most"</label>
                    {role_choice("token-role".to_owned(), "What it may do at most", Role::Viewer, most)}
                </div>
                <TextField name="days" label="Days until it ends" kind="number" value="90".to_owned() is_wrong=days_wrong />
                <button class="button button-primary" type="submit">
                    "Make a token"
                </button>
            </form>
        </section>
    }
}

fn token_line(token: &ApiTokenView) -> impl IntoView + use<> {
    let (state, is_open) = match token.revoked_at {
        Some(_) => ("revoked", false),
        None if token.expires_at <= OffsetDateTime::now_utc() => ("expired", false),
        None => ("open", true),
    };
    let used = match token.last_used_at {
        Some(at) => view! { <Moment at /> }.into_any(),
        None => "never".into_any(),
    };
    let revoke = is_open.then(|| {
        let label = format!("Revoke {}", token.name);
        view! {
            <form method="post" action=format!("/account/tokens/{}/revoke", token.id)>
                <button class="button button-small button-danger" type="submit" aria-label=label>
                    "Revoke"
                </button>
            </form>
        }
    });
    view! {
        <tr>
            <th scope="row">{token.name.clone()}</th>
            <td>{token.role.word()}</td>
            <td>
                <Moment at=token.created_at />
            </td>
            <td>{used}</td>
            <td>
                <span class=if is_open { "status status-ok" } else { "status" }>{state}</span>
            </td>
            <td>{revoke}</td>
        </tr>
    }
}
