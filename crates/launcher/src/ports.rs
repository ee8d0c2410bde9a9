//! TCP ports of this machine: is one free, and if not, whose is it?

use std::collections::HashSet;
use std::io;
use std::net::{Ipv4Addr, TcpListener};

use serde::{Deserialize, Serialize};

use crate::processes;

/// The process that listens on a port.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PortOwner {
    /// Its process id.
    pub pid: i32,
    /// Its command line, scrubbed by nobody: show it only to the machine's own users.
    pub command: String,
}

/// Whether an engine could listen on a port.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "state")]
pub enum PortState {
    /// Nobody listens there.
    Free,
    /// Somebody does; who, where `/proc` shows it to this user.
    Taken {
        /// The listening process.
        owner: Option<PortOwner>,
    },
}

impl PortState {
    /// Whether nobody listens there.
    pub fn is_free(&self) -> bool {
        matches!(self, PortState::Free)
    }
}

/// A loopback port that was free a moment ago; the kernel does not hand it out again soon.
pub(crate) fn free_port() -> io::Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}

/// Whether `port` can be listened on at the loopback address.
pub(crate) fn state(port: u16) -> PortState {
    match TcpListener::bind((Ipv4Addr::LOCALHOST, port)) {
        Ok(_) => PortState::Free,
        Err(_) => PortState::Taken { owner: owner(port) },
    }
}

/// The process that listens on `port`, where `/proc` shows it to this user.
pub(crate) fn owner(port: u16) -> Option<PortOwner> {
    let inodes = listening_inodes(port);
    if inodes.is_empty() {
        return None;
    }
    let all = processes::all();
    let owner = all.iter().find(|process| {
        let links = std::fs::read_dir(format!("/proc/{}/fd", process.identity.pid)).into_iter().flatten();
        links.flatten().filter_map(|entry| std::fs::read_link(entry.path()).ok()).any(|link| {
            let link = link.to_string_lossy();
            let inode = link.strip_prefix("socket:[").and_then(|rest| rest.strip_suffix(']'));
            inode.and_then(|inode| inode.parse::<u64>().ok()).is_some_and(|inode| inodes.contains(&inode))
        })
    })?;
    Some(PortOwner { pid: owner.identity.pid, command: owner.command() })
}

/// The inodes of the sockets that listen on `port`, on any address.
fn listening_inodes(port: u16) -> HashSet<u64> {
    let tables = ["/proc/net/tcp", "/proc/net/tcp6"].iter().filter_map(|path| std::fs::read_to_string(path).ok());
    tables.flat_map(|table| table.lines().filter_map(|line| listening_inode(line, port)).collect::<Vec<_>>()).collect()
}

/// The inode of one line of `/proc/net/tcp` if it is a listening socket of `port`.
fn listening_inode(line: &str, port: u16) -> Option<u64> {
    const LISTEN: &str = "0A";
    let fields: Vec<&str> = line.split_ascii_whitespace().collect();
    let (_, hex_port) = fields.get(1)?.rsplit_once(':')?;
    let listens = *fields.get(3)? == LISTEN && u16::from_str_radix(hex_port, 16).ok()? == port;
    listens.then(|| fields.get(9)?.parse().ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listener_is_seen_with_its_owner() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let PortState::Taken { owner: Some(owner) } = state(port) else { panic!("{:?}", state(port)) };
        assert_eq!(owner.pid as u32, std::process::id());
        drop(listener);
        assert!(state(port).is_free());
    }
}
