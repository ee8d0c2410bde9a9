//! The agent's program: which one a host gets, and whether it can run there.

use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::link::Exec;

/// The agent's place on a host, below the user's home. The hash is part of it, so that versions do not disturb each
/// other and a command line is the same for every job.
fn remote_path(hash: &str) -> String {
    format!(".cache/podium/agent-{hash}/podium-agent")
}

/// What a host says of itself before anything is copied there. It is a constant script: only the hash is put in.
fn probe_script(hash: &str) -> String {
    format!(
        "uname -s; uname -m; getconf GNU_LIBC_VERSION 2>/dev/null || echo none; \
         sha256sum {} 2>/dev/null || echo none",
        remote_path(hash)
    )
}

fn copy_script(hash: &str) -> String {
    format!(
        "umask 077 && d=.cache/podium/agent-{hash} && mkdir -p \"$d\" && cat > \"$d/new.$$\" && \
         chmod 700 \"$d/new.$$\" && mv \"$d/new.$$\" \"$d/podium-agent\" && sha256sum \"$d/podium-agent\""
    )
}

/// A machine's `sh` in the user's home, for constant scripts of ours.
pub(crate) trait Shell: Sync {
    /// Starts a script; the error is what the system or the way there said.
    fn start(&self, script: &str) -> impl Future<Output = Result<Exec, String>> + Send;
}

/// Sees to it that the machine of the shell has the agent; its path there, below the user's home.
///
/// # Errors
/// A sentence with what to do.
pub(crate) async fn ensure(shell: &impl Shell, program: &Path) -> Result<String, String> {
    let architecture = ask(shell, "uname -m", &[]).await?;
    let program = program_for(program, architecture.trim());
    let bytes = tokio::fs::read(&program).await.map_err(|error| {
        format!(
            "{} cannot be read ({error}): it is installed beside podium; build or install both, or name it in the \
             host's setting `agent`",
            program.display()
        )
    })?;
    let hash = hex::encode(Sha256::digest(&bytes));
    let told = ask(shell, &probe_script(&hash), &[]).await?;
    let mut lines = told.lines();
    let mut next = || lines.next().unwrap_or_default().trim().to_owned();
    let (system, machine, libc, found) = (next(), next(), next(), next());
    if system != "Linux" {
        return Err(format!("the host runs {system}: engines are started on Linux only"));
    }
    fits(&bytes, &machine, &libc)?;
    if !found.starts_with(&hash) {
        let written = ask(shell, &copy_script(&hash), &bytes).await?;
        if !written.starts_with(&hash) {
            return Err("podium-agent arrived damaged on the host: check its disk, then try again".to_owned());
        }
        tracing::info!(hash, "podium-agent was copied to a host");
    }
    Ok(remote_path(&hash))
}

/// `podium-agent-<architecture>` beside the program, where there is one: a host of another kind.
fn program_for(program: &Path, architecture: &str) -> PathBuf {
    if architecture == std::env::consts::ARCH || architecture.contains('/') {
        return program.to_owned();
    }
    let other = program.with_file_name(format!("podium-agent-{architecture}"));
    if other.is_file() { other } else { program.to_owned() }
}

/// Whether the program can run on a machine of this architecture and C library.
fn fits(program: &[u8], machine: &str, libc: &str) -> Result<(), String> {
    let built_for = match program.get(..20) {
        Some([0x7f, b'E', b'L', b'F', 2, .., kind, 0]) => match kind {
            0x3e => "x86_64",
            0xb7 => "aarch64",
            _ => "another architecture",
        },
        _ => "no Linux machine",
    };
    if built_for != machine {
        return Err(format!(
            "podium-agent is built for {built_for} and the host is {machine}: build it for {machine} and put it beside \
             podium as podium-agent-{machine}, or name it in the host's setting `agent`"
        ));
    }
    let Some(needed) = needed_glibc(program) else { return Ok(()) };
    let has = libc.strip_prefix("glibc ").and_then(version);
    if has.is_some_and(|has| has >= needed) {
        return Ok(());
    }
    let (major, minor) = needed;
    Err(format!(
        "podium-agent needs the C library glibc {major}.{minor} and the host has {libc}: build it on a system as old as \
         the host, or statically, and name it in the host's setting `agent`"
    ))
}

/// The newest glibc that the program asks for; `None` for one that needs none.
fn needed_glibc(program: &[u8]) -> Option<(u32, u32)> {
    const MARK: &[u8] = b"GLIBC_";
    let starts = program.windows(MARK.len()).enumerate().filter(|(_, window)| *window == MARK);
    let versions = starts.filter_map(|(start, _)| {
        let rest = &program[start + MARK.len()..];
        let end = rest.iter().position(|&byte| byte == 0).filter(|&end| end < 12)?;
        version(std::str::from_utf8(&rest[..end]).ok()?)
    });
    versions.max()
}

fn version(text: &str) -> Option<(u32, u32)> {
    let mut parts = text.split('.').map(str::parse);
    Some((parts.next()?.ok()?, parts.next()?.ok()?))
}

/// Runs a constant script of ours with `sh`.
async fn ask(shell: &impl Shell, script: &str, input: &[u8]) -> Result<String, String> {
    let failed = |error: &dyn std::fmt::Display| format!("the host did not answer: {error}; try it by hand");
    let Exec { mut stdin, mut stdout, mut child } = shell.start(script).await.map_err(|error| failed(&error))?;
    let feed = async move {
        stdin.write_all(input).await?;
        stdin.shutdown().await
    };
    let (mut said, mut complaints) = (Vec::new(), Vec::new());
    let mut stderr = child.stderr();
    let complain = async {
        match &mut stderr {
            Some(stderr) => stderr.read_to_end(&mut complaints).await,
            None => Ok(0),
        }
    };
    let (fed, told, complained) = tokio::join!(feed, stdout.read_to_end(&mut said), complain);
    let status = child.wait().await.map_err(|error| failed(&error))?;
    if !status.success() {
        let complaints = String::from_utf8_lossy(&complaints);
        return Err(format!("podium-agent could not be put on the host: {}", complaints.trim()));
    }
    for outcome in [fed, told.map(drop), complained.map(drop)] {
        outcome.map_err(|error| failed(&error))?;
    }
    Ok(String::from_utf8_lossy(&said).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_program_must_fit_architecture_and_c_library() {
        let mut elf = vec![0; 64];
        elf[..5].copy_from_slice(&[0x7f, b'E', b'L', b'F', 2]);
        elf[18] = 0x3e;
        assert_eq!(fits(&elf, "x86_64", "none"), Ok(()), "a static program needs no library");
        elf.extend(b"\0GLIBC_2.9\0GLIBC_2.34\0GLIBC_PRIVATE\0");
        assert_eq!(needed_glibc(&elf), Some((2, 34)));
        assert_eq!(fits(&elf, "x86_64", "glibc 2.36"), Ok(()));
        assert!(fits(&elf, "x86_64", "glibc 2.9").unwrap_err().contains("glibc 2.34"));
        assert!(fits(&elf, "x86_64", "none").is_err());
        assert!(fits(&elf, "aarch64", "glibc 2.36").unwrap_err().contains("podium-agent-aarch64"));
    }
}
