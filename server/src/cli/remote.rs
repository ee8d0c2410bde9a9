//! A Podium to work with: this machine's own data, or a server elsewhere by its API.

mod connection;

use std::time::Duration;

use anyhow::{Context as _, bail};
use clap::Args;
use http::{Method, StatusCode};
use podium_domain::report::Report;
use podium_service::{Caller, Error, RunQuery, RunWords, Service};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use self::connection::Connection;
use super::{DataArgs, Opened, cancel_on_signal};
use crate::routes::api::{Made, NewRun, RunDetail, RunLine};
use crate::settings::PublicUrl;

/// The variable with the token for a server.
const TOKEN: &str = "PODIUM_TOKEN";

/// How often a run elsewhere is asked where it is.
const POLL: Duration = Duration::from_secs(2);

/// Which Podium a command works with.
#[derive(Debug, Args)]
pub(super) struct ServerArgs {
    /// Work with the podium that is served there instead of this machine's data; PODIUM_TOKEN holds the token
    #[arg(long, env = "PODIUM_SERVER", value_name = "URL")]
    pub(super) server: Option<PublicUrl>,
}

impl ServerArgs {
    /// The server, if one was named.
    pub(super) fn remote(&self) -> anyhow::Result<Option<Remote>> {
        let Some(server) = &self.server else { return Ok(None) };
        let token = std::env::var(TOKEN).ok().filter(|token| !token.is_empty());
        Ok(Some(Remote { connection: Connection::new(server.clone())?, token }))
    }

    /// The server, or this machine's own data.
    pub(super) async fn open(&self, data: &DataArgs) -> anyhow::Result<Podium> {
        Ok(match self.remote()? {
            Some(remote) => Podium::There(remote),
            None => Podium::Here(data.open().await?),
        })
    }
}

/// A Podium that is open.
pub(super) enum Podium {
    /// This machine's data.
    Here(Opened),
    /// A server.
    There(Remote),
}

impl Podium {
    /// The newest runs.
    pub(super) async fn runs(&self, search: Option<&str>, limit: u32) -> anyhow::Result<Vec<RunLine>> {
        match self {
            Self::Here(Opened { service, .. }) => {
                let words = search.map(RunWords::of).unwrap_or_default();
                let query = RunQuery { words, ..RunQuery::default() };
                let runs = service.list_runs(Caller::owner(), &query, limit).await?;
                Ok(runs.into_iter().map(Into::into).collect())
            }
            Self::There(remote) => {
                let search = search.map(|text| format!("&search={}", query_value(text))).unwrap_or_default();
                remote.get(&format!("/api/v1/runs?limit={limit}{search}")).await
            }
        }
    }

    /// One run.
    pub(super) async fn run(&self, id: Uuid) -> anyhow::Result<RunDetail> {
        match self {
            Self::Here(Opened { service, .. }) => Ok(service.run(Caller::owner(), id).await?.into()),
            Self::There(remote) => remote.run(id).await,
        }
    }

    /// The report of a run.
    pub(super) async fn report(&self, id: Uuid) -> anyhow::Result<Report> {
        match self {
            Self::Here(Opened { service, .. }) => report_of(service, id).await,
            Self::There(remote) => remote.report(id).await,
        }
    }

    /// Asks for the end of a run; one that has ended already is no error.
    pub(super) async fn cancel(&self, id: Uuid) -> anyhow::Result<()> {
        match self {
            Self::Here(Opened { service, .. }) => match service.cancel_run(Caller::owner(), id).await {
                Ok(()) | Err(Error::Conflict(_)) => Ok(()),
                Err(error) => Err(error.into()),
            },
            Self::There(remote) => remote.cancel(id).await,
        }
    }

    /// Closes what is open.
    pub(super) async fn close(self) -> anyhow::Result<()> {
        match self {
            Self::Here(Opened { database, .. }) => database.close().await,
            Self::There(_) => Ok(()),
        }
    }
}

/// The report of a run of this machine's data.
pub(super) async fn report_of(service: &Service, run: Uuid) -> anyhow::Result<Report> {
    let found = service.run_report(Caller::owner(), run).await?;
    found.map(|view| view.report).with_context(|| format!("the run {run} has no report: it is made when the run ends"))
}

/// A server and the token for it.
pub(super) struct Remote {
    connection: Connection,
    token: Option<String>,
}

impl Remote {
    /// Starts a run.
    pub(super) async fn start(&self, new: &NewRun) -> anyhow::Result<Uuid> {
        let made: Made = self.post("/api/v1/runs", new).await?;
        Ok(made.id)
    }

    /// One run.
    pub(super) async fn run(&self, id: Uuid) -> anyhow::Result<RunDetail> {
        self.get(&format!("/api/v1/runs/{id}")).await
    }

    /// The report of a run.
    pub(super) async fn report(&self, id: Uuid) -> anyhow::Result<Report> {
        self.get(&format!("/api/v1/runs/{id}/report")).await
    }

    async fn cancel(&self, id: Uuid) -> anyhow::Result<()> {
        self.send(Method::POST, &format!("/api/v1/runs/{id}/cancel"), None).await?;
        Ok(())
    }

    /// Says what goes on until the run has ended. Ctrl-C cancels the run.
    pub(super) async fn follow(&self, id: Uuid) -> anyhow::Result<RunDetail> {
        let interrupted = CancellationToken::new();
        tokio::spawn(cancel_on_signal(interrupted.clone()));
        let mut told = String::new();
        let mut is_cancelling = false;
        loop {
            let run = self.run(id).await?;
            if told != run.activity {
                eprintln!("{}/{} {}", run.measured, run.planned, run.activity);
                told.clone_from(&run.activity);
            }
            if run.run.is_final {
                return Ok(run);
            }
            tokio::select! {
                () = tokio::time::sleep(POLL) => {}
                () = interrupted.cancelled(), if !is_cancelling => {
                    is_cancelling = true;
                    eprintln!("cancelling: the engine is being stopped, what was measured is kept");
                    self.cancel(id).await?;
                }
            }
        }
    }

    /// The address of a page of the server.
    pub(super) fn page(&self, path: &str) -> String {
        format!("{}{path}", self.connection.origin())
    }

    async fn get<T: DeserializeOwned>(&self, path: &str) -> anyhow::Result<T> {
        self.read(&self.send(Method::GET, path, None).await?)
    }

    async fn post<T: DeserializeOwned>(&self, path: &str, body: &impl Serialize) -> anyhow::Result<T> {
        self.read(&self.send(Method::POST, path, Some(serde_json::to_vec(body)?)).await?)
    }

    fn read<T: DeserializeOwned>(&self, body: &[u8]) -> anyhow::Result<T> {
        serde_json::from_slice(body).with_context(|| {
            format!("the answer of {} cannot be read; is it podium, and of this version?", self.connection.origin())
        })
    }

    /// The body of an answer that is no failure.
    async fn send(&self, method: Method, path: &str, body: Option<Vec<u8>>) -> anyhow::Result<bytes::Bytes> {
        let (status, answer) = self.connection.send(method, path, self.token.as_deref(), body).await?;
        if status.is_success() {
            return Ok(answer);
        }
        let origin = self.connection.origin();
        let problem: serde_json::Value = serde_json::from_slice(&answer).unwrap_or_default();
        let detail = problem["detail"].as_str().map_or_else(|| format!("status {status}"), str::to_owned);
        if status == StatusCode::UNAUTHORIZED {
            bail!(
                "{origin} does not know you: put a token of your account into {TOKEN} (its page is {origin}/account)"
            );
        }
        let errors = problem["errors"].as_array().cloned().unwrap_or_default();
        let at = |error: &serde_json::Value| {
            let text = |name: &str| error[name].as_str().unwrap_or_default().to_owned();
            format!("\n  {}: {}", text("path"), text("message"))
        };
        let errors: String = if errors.len() > 1 { errors.iter().map(at).collect() } else { String::new() };
        bail!("{origin} says: {detail}{errors}")
    }
}

/// Text inside the value of a query.
fn query_value(text: &str) -> String {
    let encoded = |byte: u8| {
        if byte.is_ascii_alphanumeric() { char::from(byte).to_string() } else { format!("%{byte:02X}") }
    };
    text.bytes().map(encoded).collect()
}
