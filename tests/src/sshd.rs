//! A real SSH server on the loopback address, with keys made for it and a home folder of its own.

use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use podium_launcher::{LoadFrom, SshConfig};
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;
use tokio::process::Child;

use crate::binaries::podium_program;
use crate::wait::until;

/// The program, which wants to be started by its whole path.
const PROGRAM: &str = "/usr/sbin/sshd";

/// The alias of the server in its SSH configuration.
const ALIAS: &str = "far";

/// A running SSH server. It ends with its owner.
#[derive(Debug)]
pub struct Sshd {
    folder: TempDir,
    server: Child,
    port: u16,
}

impl Drop for Sshd {
    fn drop(&mut self) {
        // Those that were frozen would stay.
        self.cut_if_any();
    }
}

impl Sshd {
    /// Starts one and waits until it answers.
    ///
    /// # Panics
    /// When it cannot be had: `apt-get install openssh-server openssh-client`.
    pub async fn start() -> Self {
        assert!(
            Path::new(PROGRAM).is_file(),
            "{PROGRAM} is not there: `apt-get install openssh-server openssh-client`"
        );
        let folder = tempfile::tempdir().expect("a temporary folder");
        let at = |name: &str| folder.path().join(name);
        for key in ["host_key", "user_key"] {
            make_key(&at(key));
        }
        let (host_key, user_key) = (public(&at("host_key")), public(&at("user_key")));
        write(&at("authorized_keys"), &user_key);
        std::fs::create_dir(at("home")).expect("a folder");
        // The user's own home is left alone: what was asked for runs in another one. It goes through the user's shell
        // as it would anyway.
        let home = at("home").display().to_string();
        let forced = format!("cd {home} && HOME={home} exec sh -c \"$SSH_ORIGINAL_COMMAND\"");
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        let port = listener.local_addr().expect("it is bound").port();
        drop(listener);
        let lines = [
            format!("ListenAddress 127.0.0.1:{port}"),
            format!("HostKey {}", at("host_key").display()),
            format!("AuthorizedKeysFile {}", at("authorized_keys").display()),
            format!("PidFile {}", at("pid").display()),
            format!("ForceCommand {forced}"),
            "UsePAM no".to_owned(),
            "StrictModes no".to_owned(),
            "PasswordAuthentication no".to_owned(),
            "MaxSessions 100".to_owned(),
            "MaxStartups 100".to_owned(),
        ];
        write(&at("sshd_config"), &lines.join("\n"));
        write(&at("known_hosts"), &format!("[127.0.0.1]:{port} {host_key}"));
        let client = [
            format!("Host {ALIAS}"),
            "  HostName 127.0.0.1".to_owned(),
            format!("  Port {port}"),
            format!("  IdentityFile {}", at("user_key").display()),
            "  IdentitiesOnly yes".to_owned(),
            format!("  UserKnownHostsFile {}", at("known_hosts").display()),
            "  GlobalKnownHostsFile /dev/null".to_owned(),
        ];
        write(&at("ssh_config"), &client.join("\n"));
        // Where the server drops its rights to; a started system has it.
        if rustix::process::geteuid().is_root() {
            std::fs::create_dir_all("/run/sshd").expect("a folder");
        }
        let server = tokio::process::Command::new(PROGRAM)
            .args(["-D", "-e", "-f"])
            .arg(at("sshd_config"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(std::fs::File::create(at("log")).expect("a file"))
            .kill_on_drop(true)
            .spawn()
            .expect("sshd starts");
        until("sshd listens", async || std::net::TcpStream::connect((Ipv4Addr::LOCALHOST, port)).ok()).await;
        Sshd { folder, server, port }
    }

    /// How the server is reached, with the load beside the engine.
    pub fn config(&self) -> SshConfig {
        SshConfig {
            destination: ALIAS.to_owned(),
            config_file: Some(self.folder.path().join("ssh_config")),
            podium: Some(podium_program()),
            load_from: LoadFrom::Target,
            ..SshConfig::default()
        }
    }

    /// The home folder of those who come by SSH.
    pub fn home(&self) -> PathBuf {
        self.folder.path().join("home")
    }

    /// Cuts every connection: the server's own processes that serve them are killed, and what they started is not.
    ///
    /// # Panics
    /// When there is none.
    pub fn cut(&self) {
        assert!(self.cut_if_any() > 0, "there was no connection to cut");
    }

    /// As [`Sshd::cut`]; how many processes served connections.
    pub fn cut_if_any(&self) -> usize {
        self.signal_connections(Signal::KILL)
    }

    /// Lets every connection fall silent without an end: its processes stop where they are.
    ///
    /// # Panics
    /// When there is none.
    pub fn freeze(&self) {
        assert!(self.signal_connections(Signal::STOP) > 0, "there was no connection to freeze");
    }

    /// Stops the `ssh` processes that hold this server's connections, where they are.
    ///
    /// # Panics
    /// When there is none.
    pub fn freeze_client(&self) {
        let sockets = sockets_to(self.port);
        let holds = |pid: i32| {
            let links = std::fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
            links
                .filter_map(|link| std::fs::read_link(link.path()).ok())
                .any(|to| sockets.iter().any(|s| to.ends_with(s)))
        };
        let clients = processes().into_iter().filter(|(pid, name, _)| name == "ssh" && holds(*pid));
        let stopped = clients.filter(|(pid, ..)| signal(*pid, Signal::STOP)).count();
        assert!(stopped > 0, "there was no client to freeze");
    }

    fn signal_connections(&self, with: Signal) -> usize {
        let mut signalled = 0;
        let server = self.server.id().map(u32::cast_signed);
        let mut parents: Vec<i32> = server.into_iter().collect();
        while let Some(parent) = parents.pop() {
            for (pid, name, its_parent) in processes() {
                if its_parent != parent || !name.starts_with("sshd") {
                    continue;
                }
                parents.push(pid);
                signalled += usize::from(signal(pid, with));
            }
        }
        signalled
    }

    /// What works in the home folder, which everything that came by SSH does: ids of processes.
    pub fn at_work(&self) -> Vec<i32> {
        let in_home =
            |pid: &i32| std::fs::read_link(format!("/proc/{pid}/cwd")).is_ok_and(|at| at.starts_with(self.home()));
        processes().into_iter().map(|(pid, ..)| pid).filter(in_home).collect()
    }

    /// What is left of the agent's files of runs, its program aside.
    pub fn files_left(&self) -> Vec<PathBuf> {
        let work = self.home().join(".cache/podium/work");
        let entries =
            |folder: PathBuf| std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
        let loads = work.join("loads");
        entries(work).filter(|path| *path != loads).chain(entries(loads.clone())).collect()
    }

    /// Forgets the server's key: strict checking then refuses it.
    ///
    /// # Panics
    /// When the file cannot be written.
    pub fn forget_key(&self) {
        write(&self.folder.path().join("known_hosts"), "");
    }
}

/// Whether the process got the signal: it may have ended by itself, with its parent.
fn signal(pid: i32, signal: Signal) -> bool {
    Pid::from_raw(pid).is_some_and(|pid| kill_process(pid, signal).is_ok())
}

/// `socket:[inode]` of every connection from this machine to the port.
fn sockets_to(port: u16) -> Vec<String> {
    let table = std::fs::read_to_string("/proc/net/tcp").unwrap_or_default();
    let to = format!(":{port:04X}");
    let lines = table.lines().map(|line| line.split_ascii_whitespace().collect::<Vec<_>>());
    lines
        .filter(|line| line.get(2).is_some_and(|far| far.ends_with(&to)))
        .filter_map(|line| Some(format!("socket:[{}]", line.get(9)?)))
        .collect()
}

/// Every process: its id, its name and its parent's id.
fn processes() -> Vec<(i32, String, i32)> {
    let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let stats = entries.filter_map(|entry| std::fs::read_to_string(entry.path().join("stat")).ok());
    let read = stats.filter_map(|stat| {
        // The name is in brackets and may hold anything.
        let (start, rest) = stat.rsplit_once(") ")?;
        let (pid, name) = start.split_once(" (")?;
        Some((pid.parse().ok()?, name.to_owned(), rest.split(' ').nth(1)?.parse().ok()?))
    });
    read.collect()
}

fn make_key(path: &Path) {
    let made = Command::new("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(path).status();
    assert!(made.expect("ssh-keygen starts").success(), "no key was made");
}

fn public(key: &Path) -> String {
    let path = key.with_extension("pub");
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display())).trim().to_owned()
}

fn write(path: &Path, text: &str) {
    std::fs::write(path, format!("{text}\n")).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
}
