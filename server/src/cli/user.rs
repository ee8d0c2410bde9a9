//! `podium user`

use std::io::Read as _;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::{Args, Subcommand};
use podium_service::{Caller, Invitation, PersonState, PersonView, Role, Service};

use super::{DataArgs, Opened, print};

/// Add people, and change what they may do, on podium's own machine
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  podium user add ada --role runner
  podium user list
  podium user role ada admin
  podium user disable ada
  podium user reset owner        the way back in for whoever forgot the owner's password

Viewers read; runners start, stop and share runs as well; admins may do everything. Accounts count where `podium serve`
demands them: on any address but a loopback one, or with --accounts.")]
pub(super) struct UserArgs {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Add a person; prints the link with which the person chooses a password
    #[command(after_help = "Examples:
  podium user add ada
  podium user add ada --role runner --url https://podium.example.org
  pass show podium/ada | podium user add ada --password-stdin")]
    Add(AddArgs),
    /// Everybody, with role and state
    #[command(after_help = "Examples:
  podium user list")]
    List(ListArgs),
    /// Give a person another role
    #[command(after_help = "Examples:
  podium user role ada admin")]
    Role(RoleArgs),
    /// Lock a person out: sessions end, tokens rest
    #[command(after_help = "Examples:
  podium user disable ada")]
    Disable(NameArgs),
    /// Let a person in again
    #[command(after_help = "Examples:
  podium user enable ada")]
    Enable(NameArgs),
    /// End a person's password, sessions and tokens; prints the link to a new password
    #[command(after_help = "Examples:
  podium user reset ada
  pass show podium/ada | podium user reset ada --password-stdin")]
    Reset(ResetArgs),
}

#[derive(Debug, Args)]
struct AddArgs {
    /// The name to sign in with
    name: String,

    /// What the person may do: viewer, runner or admin
    #[arg(long, value_name = "ROLE", default_value = "viewer")]
    role: Role,

    #[command(flatten)]
    way_in: WayIn,

    #[command(flatten)]
    data: DataArgs,
}

/// How a person gets a password.
#[derive(Debug, Args)]
struct WayIn {
    /// Take the password from standard input instead of printing a link
    #[arg(long)]
    password_stdin: bool,

    /// Where `podium serve` is reached: the printed link begins with it
    #[arg(long, env = "PODIUM_URL", value_name = "URL", default_value = "http://127.0.0.1:8080")]
    url: String,
}

#[derive(Debug, Args)]
struct ListArgs {
    #[command(flatten)]
    data: DataArgs,
}

#[derive(Debug, Args)]
struct RoleArgs {
    /// The person's name
    name: String,

    /// viewer, runner or admin
    role: Role,

    #[command(flatten)]
    data: DataArgs,
}

#[derive(Debug, Args)]
struct NameArgs {
    /// The person's name
    name: String,

    #[command(flatten)]
    data: DataArgs,
}

#[derive(Debug, Args)]
struct ResetArgs {
    /// The person's name
    name: String,

    #[command(flatten)]
    way_in: WayIn,

    #[command(flatten)]
    data: DataArgs,
}

pub(super) async fn run(args: UserArgs) -> anyhow::Result<ExitCode> {
    let data = match &args.action {
        Action::Add(args) => &args.data,
        Action::List(args) => &args.data,
        Action::Role(args) => &args.data,
        Action::Disable(args) | Action::Enable(args) => &args.data,
        Action::Reset(args) => &args.data,
    };
    let Opened { database, service } = data.open().await?;
    let outcome = act(&args.action, &service).await;
    database.close().await?;
    outcome
}

async fn act(action: &Action, service: &Service) -> anyhow::Result<ExitCode> {
    let caller = Caller::owner();
    let text = match action {
        Action::Add(args) => {
            let password = args.way_in.password()?;
            let invitation = service.add_person(caller, &args.name, args.role).await?;
            args.way_in.finish(service, invitation, password).await?
        }
        Action::List(_) => service.people(caller).await?.iter().map(line).collect(),
        Action::Role(args) => {
            let person = service.person_named(caller, &args.name).await?;
            service.set_role(caller, person.id, args.role).await?;
            format!("{} is {} now\n", person.name, args.role)
        }
        Action::Disable(args) => {
            let person = service.person_named(caller, &args.name).await?;
            service.set_disabled(caller, person.id, true).await?;
            format!("{} is locked out\n", person.name)
        }
        Action::Enable(args) => {
            let person = service.person_named(caller, &args.name).await?;
            service.set_disabled(caller, person.id, false).await?;
            format!("{} is let in again\n", person.name)
        }
        Action::Reset(args) => {
            let password = args.way_in.password()?;
            let person = service.person_named(caller, &args.name).await?;
            let invitation = service.reset_person(caller, person.id).await?;
            args.way_in.finish(service, invitation, password).await?
        }
    };
    print(&text)?;
    Ok(ExitCode::SUCCESS)
}

impl WayIn {
    /// The password on standard input, its last line break left out, if it is to come from there.
    fn password(&self) -> anyhow::Result<Option<String>> {
        if !self.password_stdin {
            return Ok(None);
        }
        let mut text = String::new();
        std::io::stdin().read_to_string(&mut text).context("the password cannot be read from standard input")?;
        Ok(Some(text.trim_end_matches(['\r', '\n']).to_owned()))
    }

    async fn finish(
        &self,
        service: &Service,
        invitation: Invitation,
        password: Option<String>,
    ) -> anyhow::Result<String> {
        let person = invitation.person;
        Ok(match password {
            Some(password) => {
                service.choose_password(Caller::owner(), person.id, password).await?;
                format!("{} ({}) can sign in\n", person.name, person.role)
            }
            None => {
                let base_url = self.url.trim_end_matches('/');
                let link = format!("{base_url}/invite/{}", invitation.secret);
                format!("{} ({}) chooses a password within 7 days at {link}\n", person.name, person.role)
            }
        })
    }
}

fn line(person: &PersonView) -> String {
    let state = match person.state {
        PersonState::Active => "active",
        PersonState::Invited => "invited",
        PersonState::NoPassword => "no password yet",
        PersonState::Disabled => "disabled",
    };
    let owner = if person.is_owner { ", owner" } else { "" };
    format!("{}: {}{owner}, {state}\n", person.name, person.role)
}
