//! `/people`: who may do what, for admins.

use leptos::prelude::*;
use leptos_meta::Title;
use podium_service::{PersonState, PersonView, Role};

use crate::components::{Command, ScrollTable, TextField, loaded, problem_at, refusal, respond_with, role_choice};
use crate::context::{Accounts, caller, public_origin, service};
use crate::format::absolute;
use crate::posted::{FreshInvitation, RejectedPerson};

/// Everybody, and the form that adds somebody.
#[component]
pub fn PeoplePage() -> impl IntoView {
    let rejected = use_context::<RejectedPerson>();
    let fresh = use_context::<FreshInvitation>();
    let is_open = use_context::<Accounts>().is_some_and(|accounts| !accounts.demanded);
    loaded(async move {
        let people = service()?.people(caller()?).await?;
        Ok(page(&people, rejected.as_ref(), fresh, is_open))
    })
}

fn page(
    people: &[PersonView],
    rejected: Option<&RejectedPerson>,
    fresh: Option<FreshInvitation>,
    is_open: bool,
) -> impl IntoView + use<> {
    let notice = rejected.map(|rejected| {
        respond_with(&rejected.error);
        refusal("Nothing was changed", &rejected.error)
    });
    let origin = public_origin().unwrap_or_default();
    let fresh = fresh.map(|fresh| {
        let (until, link) = (absolute(fresh.until), format!("{origin}{}", fresh.path));
        view! {
            <div class="notice" role="status">
                <p>{format!("Send this link to {}. It is shown this once, and holds until {until}.", fresh.name)}</p>
                <Command id="new-invitation".to_owned() text=link />
            </div>
        }
    });
    let open = is_open.then(|| {
        view! {
            <p class="notice">
                "At the moment nobody has to sign in: this Podium listens to this machine alone, and whoever reaches it is its owner. Start it with --accounts, or on an address for others."
            </p>
        }
    });
    let name = rejected.map(|rejected| rejected.name.clone()).unwrap_or_default();
    let name_wrong = problem_at(rejected.map(|rejected| &rejected.error), "name");
    view! {
        <Title text="People" />
        <h1>"People"</h1>
        {open}
        {notice}
        {fresh}
        <ScrollTable
            caption="Viewers read; runners start, stop and share runs as well; admins may do everything."
            columns=["Name", "Role", "State"]
            actions="What can be done"
            lines={people.iter().map(line).collect_view()}
        />
        <section id="add">
            <h2>"Add somebody"</h2>
            <form class="card sign-in" method="post" action="/people">
                <TextField name="name" label="Name" value=name is_wrong=name_wrong />
                <div class="field">
                    <label for="new-role">"Role"</label>
                    {role_choice("new-role".to_owned(), "Role", Role::Viewer, Role::Admin)}
                </div>
                <button class="button button-primary" type="submit">
                    "Add, and make an invitation"
                </button>
            </form>
        </section>
    }
}

fn line(person: &PersonView) -> impl IntoView + use<> {
    let (id, name) = (person.id, person.name.clone());
    let (state, look) = match person.state {
        PersonState::Active => ("active", "status status-ok"),
        PersonState::Invited => ("invited", "status"),
        PersonState::NoPassword => ("no password yet", "status"),
        PersonState::Disabled => ("disabled", "status"),
    };
    let role = if person.is_owner {
        view! { "owner, admin" }.into_any()
    } else {
        view! {
            <form class="role-form" method="post" action=format!("/people/{id}/role")>
                {role_choice_of(person)}
                <button class="button button-small" type="submit" aria-label=format!("Save the role of {name}")>
                    "Save"
                </button>
            </form>
        }
        .into_any()
    };
    let (verb, word) =
        if person.state == PersonState::Disabled { ("enable", "Let in again") } else { ("disable", "Disable") };
    let lock = (!person.is_owner).then(|| {
        view! {
            <form method="post" action=format!("/people/{id}/{verb}")>
                <button class="button button-small" type="submit" aria-label=format!("{word}: {name}")>
                    {word}
                </button>
            </form>
        }
    });
    view! {
        <tr data-person=id.to_string() data-state=state>
            <th scope="row">{name.clone()}</th>
            <td>{role}</td>
            <td>
                <span class=look>{state}</span>
            </td>
            <td>
                <div class="button-row">
                    {lock}
                    <form method="post" action=format!("/people/{id}/reset")>
                        <button
                            class="button button-small button-danger"
                            type="submit"
                            aria-label=format!("Reset {name}")
                        >
                            "Reset"
                        </button>
                    </form>
                </div>
            </td>
        </tr>
    }
}

fn role_choice_of(person: &PersonView) -> impl IntoView + use<> {
    role_choice(format!("role-{}", person.id), "Role", person.role, Role::Admin)
}
