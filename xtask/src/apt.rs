//! Debian packages: what a fresh machine lacks is installed, and nothing is asked.

use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result, bail};

use crate::process::{capture, on_path};

/// Tells Debian's PostgreSQL package not to create and start a cluster of its own.
const CREATE_CLUSTER_CONF: &str = "/etc/postgresql-common/createcluster.conf";

/// Packages that are not installed yet, of those named.
///
/// # Errors
/// When this is no Debian system.
pub fn missing<'a>(packages: &[&'a str]) -> Result<Vec<&'a str>> {
    let mut missing = Vec::new();
    for &package in packages {
        let status = capture(Command::new("dpkg-query").args(["-W", "-f=${Status}", package]))
            .context("dpkg-query is needed to see what is installed")?;
        if !status.stdout.ends_with("install ok installed") {
            missing.push(package);
        }
    }
    Ok(missing)
}

/// Installs what is missing of `packages`. Returns what was installed.
///
/// # Errors
/// With the packages' names and apt's words, when this is no Debian system, the user is not root, or apt fails.
pub fn ensure<'a>(packages: &[&'a str]) -> Result<Vec<&'a str>> {
    if on_path("apt-get").is_none() {
        bail!("this is no Debian system, so the equivalent of these must be installed by hand: {}", packages.join(" "));
    }
    let missing = missing(packages)?;
    if missing.is_empty() {
        return Ok(missing);
    }
    if missing.iter().any(|package| package.starts_with("postgresql")) {
        forbid_main_cluster()?;
    }
    let by_hand = || format!("install by hand, then try again: apt-get install {}", missing.join(" "));
    if let Err(first) = install(&missing) {
        // The package lists may be absent or stale.
        let update = capture(apt_get().arg("update")).with_context(by_hand)?;
        if !update.success {
            bail!("{}\napt-get update failed; {}", update.output(), by_hand());
        }
        install(&missing).with_context(|| format!("{first:#}")).with_context(by_hand)?;
    }
    Ok(missing)
}

fn install(packages: &[&str]) -> Result<()> {
    // --no-remove: a package that the machine's owner chose is never thrown out for ours.
    let finished =
        capture(apt_get().args(["install", "--yes", "--no-install-recommends", "--no-remove"]).args(packages))?;
    if !finished.success {
        bail!("{}", finished.output());
    }
    Ok(())
}

fn apt_get() -> Command {
    let mut command = Command::new("apt-get");
    command.env("DEBIAN_FRONTEND", "noninteractive").args(["--quiet=2", "-o", "DPkg::Lock::Timeout=300"]);
    command
}

/// Must stand before the package is installed, whose scripts read it.
fn forbid_main_cluster() -> Result<()> {
    let path = Path::new(CREATE_CLUSTER_CONF);
    if path.exists() {
        return Ok(());
    }
    let folder = path.parent().context("the configuration file has a folder")?;
    std::fs::create_dir_all(folder)
        .and_then(|()| std::fs::write(path, "create_main_cluster = false\n"))
        .with_context(|| format!("cannot write {CREATE_CLUSTER_CONF}; it keeps Debian from starting a second database"))
}
