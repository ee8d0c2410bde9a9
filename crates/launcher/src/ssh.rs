//! The way to a machine that is reached by SSH: this side keeps the connection and puts the agent in place.

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use openssh::{ControlPersist, ForwardType, KnownHosts, Session, SessionBuilder};
use tokio::sync::Mutex;

use crate::agent_host::HostError;
use crate::agent_program::{self, Shell};
use crate::link::Exec;
use crate::processes;
use crate::ssh_config::SshConfig;

/// A connection by SSH, which is made when it is first needed.
#[derive(Debug)]
pub(crate) struct SshLink {
    config: SshConfig,
    agent: PathBuf,
    connection: Mutex<Option<Connection>>,
}

#[derive(Debug, Clone)]
struct Connection {
    session: Arc<Session>,
    /// The agent's program there, relative to the user's home.
    agent: Arc<str>,
}

const CONNECT_DEADLINE: Duration = Duration::from_secs(15);

/// How long the `ssh` of this machine may take to say whether it is connected.
const CHECK_DEADLINE: Duration = Duration::from_secs(10);

/// A connection that nobody uses ends by itself after so many seconds: one whose worker was killed, above all.
const IDLE_S: NonZeroUsize = NonZeroUsize::MIN.saturating_add(59);

/// After about three of these without an answer the connection counts as cut.
const ALIVE_INTERVAL: Duration = Duration::from_secs(5);

/// What putting the agent in place may take; a slow line included.
const AGENT_DEADLINE: Duration = Duration::from_secs(600);

impl SshLink {
    /// A connection with these settings; `agent` is this machine's `podium-agent`. Nothing is connected yet.
    pub(crate) fn new(config: SshConfig, agent: &Path) -> Self {
        let agent = config.agent.clone().unwrap_or_else(|| agent.to_owned());
        Self { config, agent, connection: Mutex::new(None) }
    }

    /// Connects and puts the agent in place, unless that is done.
    pub(crate) async fn connect(&self) -> Result<(), HostError> {
        self.connection().await.map(|_| ())
    }

    async fn connection(&self) -> Result<Connection, HostError> {
        let mut held = self.connection.lock().await;
        if let Some(connection) = held.as_ref() {
            if matches!(tokio::time::timeout(CHECK_DEADLINE, connection.session.check()).await, Ok(Ok(()))) {
                return Ok(connection.clone());
            }
            tracing::warn!(host = self.config.destination, "the connection was lost; it is made again");
        }
        if let Some(lost) = held.take() {
            end_clients(&lost.session).await;
        }
        let session = Arc::new(open(&self.config).await?);
        let placed = tokio::time::timeout(AGENT_DEADLINE, agent_program::ensure(&session, &self.agent)).await;
        let agent = placed
            .map_err(|_| {
                let minutes = AGENT_DEADLINE.as_secs() / 60;
                self.lost(&format!("it was not in place after {minutes} minutes; look at the login's start-up files"))
            })?
            .map_err(HostError)?;
        Ok(held.insert(Connection { session, agent: agent.into() }).clone())
    }

    /// Ends the connection. The next use makes a new one.
    pub(crate) async fn close(&self) {
        let Some(connection) = self.connection.lock().await.take() else { return };
        // Where somebody still uses it, the last of them closes it.
        let Ok(session) = Arc::try_unwrap(connection.session) else { return };
        let socket = session.control_socket().to_owned();
        match tokio::time::timeout(CHECK_DEADLINE, session.close()).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::debug!(%error, "a connection did not end well"),
            Err(_) => end_clients_of(socket).await,
        }
    }

    /// Gives up a connection over which nothing comes any more. The next use makes a new one.
    pub(crate) async fn abandon(&self) {
        if let Some(connection) = self.connection.lock().await.take() {
            tracing::warn!(host = self.config.destination, "nothing is heard of the host: the connection is cut");
            end_clients(&connection.session).await;
        }
    }

    /// Starts the agent with a word of ours. The command line holds nothing else.
    pub(crate) async fn spawn(&self, word: &'static str) -> Result<Exec, HostError> {
        let Connection { session, agent } = self.connection().await?;
        let mut command = session.arc_raw_command(&*agent);
        command.raw_arg(word);
        Exec::far(command).await.map_err(|error| self.lost(&error))
    }

    /// Starts another program of the host with constant words.
    pub(crate) async fn spawn_words(&self, words: &[String]) -> Result<Exec, HostError> {
        let Connection { session, .. } = self.connection().await?;
        let Some((program, arguments)) = words.split_first() else { return Err(self.lost(&"no program was named")) };
        let mut command = session.arc_command(program);
        command.args(arguments);
        Exec::far(command).await.map_err(|error| self.lost(&error))
    }

    pub(crate) fn lost(&self, error: &dyn std::fmt::Display) -> HostError {
        let destination = &self.config.destination;
        HostError(format!(
            "the agent on {destination} cannot be talked to: {error}; see whether `ssh` reaches the host"
        ))
    }

    /// Opens a path from a port of this machine to one of the host; this machine's port.
    pub(crate) async fn forward(&self, port: u16) -> Result<u16, HostError> {
        let local = crate::ports::free_port().map_err(|error| self.lost(&error))?;
        let ends = (loopback(local), loopback(port));
        let session = self.connection().await?.session;
        session.request_port_forward(ForwardType::Local, ends.0, ends.1).await.map_err(|error| self.lost(&error))?;
        Ok(local)
    }

    pub(crate) async fn unforward(&self, local: u16, port: u16) {
        let held = self.connection.lock().await.clone();
        if let Some(connection) = held
            && let Err(error) =
                connection.session.close_port_forward(ForwardType::Local, loopback(local), loopback(port)).await
        {
            tracing::debug!(%error, "a forwarded port did not close");
        }
    }
}

impl Shell for Arc<Session> {
    async fn start(&self, script: &str) -> Result<Exec, String> {
        let mut command = self.clone().arc_command("sh");
        command.arg("-c").arg(script);
        Exec::far(command).await
    }
}

fn loopback(port: u16) -> std::net::SocketAddr {
    (std::net::Ipv4Addr::LOCALHOST, port).into()
}

/// Ends the `ssh` processes of a connection: one that hangs would not end when it is asked to.
async fn end_clients(session: &Session) {
    end_clients_of(session.control_socket().to_owned()).await;
}

/// Those that were started with this control socket, whose folder has a name that was drawn for it.
async fn end_clients_of(socket: PathBuf) {
    processes::off_thread(move || {
        let socket = socket.display().to_string();
        for process in processes::all().into_iter().filter(|process| process.name == "ssh") {
            if process.command().split(' ').any(|word| word == socket) {
                // What is gone by now needs no end.
                let _ = processes::send_signal(process.identity, rustix::process::Signal::KILL);
            }
        }
    })
    .await;
}

async fn open(config: &SshConfig) -> Result<Session, HostError> {
    if let Some((_, problem)) = config.problems().into_iter().next() {
        return Err(HostError(problem));
    }
    let mut builder = SessionBuilder::default();
    builder
        .known_hosts_check(KnownHosts::Strict)
        .connect_timeout(CONNECT_DEADLINE)
        .server_alive_interval(ALIVE_INTERVAL)
        .control_persist(ControlPersist::IdleFor(IDLE_S))
        .control_directory(std::env::temp_dir());
    if let Some(file) = &config.config_file {
        builder.config_file(file);
    }
    builder.connect(&config.destination).await.map_err(|error| {
        let mut text = error.to_string();
        if let Some(cause) = std::error::Error::source(&error) {
            text = format!("{text}: {cause}");
        }
        let shown = config.config_file.as_ref().map(|file| format!("-F {} ", file.display())).unwrap_or_default();
        HostError(format!(
            "{} is not reached by SSH: {}. Mend it until `ssh {shown}-o BatchMode=yes {} true` succeeds: the host's key \
             must be known, and no password may be asked for",
            config.destination,
            text.trim().trim_end_matches('.'),
            config.destination
        ))
    })
}
