//! Ways to a machine on which an agent works, and the agent at work at the other end of one.

use std::io;
use std::process::ExitStatus;
use std::sync::Arc;

use openssh::{OwningCommand, Session};
use tokio::io::{AsyncRead, AsyncWrite, BufReader};
use tokio::process::Command;

use crate::agent_host::HostError;
use crate::slurm::{Interruption, SlurmLink};
use crate::ssh::SshLink;

/// How the agent of a machine is started and talked to.
#[derive(Debug)]
pub(crate) enum Link {
    /// By SSH.
    Ssh(Box<SshLink>),
    /// By Slurm, on a node that a job of ours holds.
    Slurm(Box<SlurmLink>),
}

impl Link {
    /// Connects and puts the agent in place, unless that is done.
    pub(crate) async fn connect(&self) -> Result<(), HostError> {
        match self {
            Link::Ssh(ssh) => ssh.connect().await,
            Link::Slurm(slurm) => slurm.connect().await,
        }
    }

    /// Ends the connection. The next use makes a new one.
    pub(crate) async fn close(&self) {
        match self {
            Link::Ssh(ssh) => ssh.close().await,
            Link::Slurm(slurm) => slurm.close().await,
        }
    }

    /// Gives up a connection over which nothing comes any more. The next use makes a new one.
    pub(crate) async fn abandon(&self) {
        match self {
            Link::Ssh(ssh) => ssh.abandon().await,
            Link::Slurm(slurm) => slurm.abandon().await,
        }
    }

    /// Starts the agent with a word of ours. The command line holds nothing of a plan.
    pub(crate) async fn spawn(&self, word: &'static str) -> Result<Exec, HostError> {
        match self {
            Link::Ssh(ssh) => ssh.spawn(word).await,
            Link::Slurm(slurm) => slurm.spawn(word).await,
        }
    }

    /// Opens a path from a port of this machine to one of the other; this machine's port.
    pub(crate) async fn forward(&self, port: u16) -> Result<u16, HostError> {
        match self {
            Link::Ssh(ssh) => ssh.forward(port).await,
            Link::Slurm(slurm) => {
                Err(slurm.lost(&"no port is forwarded to a node: the load comes from the node itself"))
            }
        }
    }

    /// Closes what [`Link::forward`] opened.
    pub(crate) async fn unforward(&self, local: u16, port: u16) {
        if let Link::Ssh(ssh) = self {
            ssh.unforward(local, port).await;
        }
    }

    /// The node's name, on a cluster.
    pub(crate) fn node(&self) -> Option<&str> {
        match self {
            Link::Ssh(_) => None,
            Link::Slurm(slurm) => Some(slurm.node()),
        }
    }

    /// What took the machine away from us; `None` where nothing did.
    pub(crate) async fn interruption(&self) -> Option<Interruption> {
        match self {
            Link::Ssh(_) => None,
            Link::Slurm(slurm) => slurm.interruption().await,
        }
    }

    /// Gives the machine back, and ends the connection.
    pub(crate) async fn release(&self) -> Result<(), HostError> {
        match self {
            Link::Ssh(ssh) => {
                ssh.close().await;
                Ok(())
            }
            Link::Slurm(slurm) => slurm.release().await,
        }
    }

    /// Says what to look at when the agent cannot be talked to.
    pub(crate) fn lost(&self, error: &dyn std::fmt::Display) -> HostError {
        match self {
            Link::Ssh(ssh) => ssh.lost(error),
            Link::Slurm(slurm) => slurm.lost(error),
        }
    }
}

/// What the agent reads.
pub(crate) type ExecInput = Box<dyn AsyncWrite + Send + Sync + Unpin>;

/// What a program that was started at the other end writes.
pub(crate) type ExecOutput = Box<dyn AsyncRead + Send + Sync + Unpin>;

/// A program at work at the other end of a link: the agent on one job, above all.
pub(crate) struct Exec {
    pub(crate) stdin: ExecInput,
    pub(crate) stdout: BufReader<ExecOutput>,
    pub(crate) child: ExecChild,
}

/// The process here that stands for it.
pub(crate) enum ExecChild {
    Here(tokio::process::Child),
    Far(openssh::Child<Arc<Session>>),
}

impl Exec {
    /// Starts a program on the machine of a session.
    pub(crate) async fn far(mut command: OwningCommand<Arc<Session>>) -> Result<Self, String> {
        use openssh::Stdio;
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().await.map_err(|error| error.to_string())?;
        let (Some(stdin), Some(stdout)) = (child.stdin().take(), child.stdout().take()) else {
            return Err("it has no pipes".to_owned());
        };
        Ok(Exec { stdin: Box::new(stdin), stdout: BufReader::new(Box::new(stdout)), child: ExecChild::Far(child) })
    }

    /// Starts a program of this machine.
    pub(crate) fn here(mut command: Command) -> Result<Self, String> {
        use std::process::Stdio;
        // A terminal's interrupt reaches its own group only.
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0);
        let mut child = command.spawn().map_err(|error| error.to_string())?;
        let (Some(stdin), Some(stdout)) = (child.stdin.take(), child.stdout.take()) else {
            return Err("it has no pipes".to_owned());
        };
        Ok(Exec { stdin: Box::new(stdin), stdout: BufReader::new(Box::new(stdout)), child: ExecChild::Here(child) })
    }
}

impl ExecChild {
    /// What it complains of; once.
    pub(crate) fn stderr(&mut self) -> Option<ExecOutput> {
        match self {
            ExecChild::Here(child) => Some(Box::new(child.stderr.take()?)),
            ExecChild::Far(child) => Some(Box::new(child.stderr().take()?)),
        }
    }

    /// Waits for its end.
    pub(crate) async fn wait(self) -> io::Result<ExitStatus> {
        match self {
            ExecChild::Here(mut child) => child.wait().await,
            ExecChild::Far(child) => child.wait().await.map_err(io::Error::other),
        }
    }
}
