//! The browser tests: Playwright drives the real binary in Chromium.

use std::fs;
use std::path::Path;
use std::process::Command;

use anyhow::{Context as _, Result, bail};

use crate::paths::Paths;
use crate::process::{capture, cargo, on_path, succeed};
use crate::steps::Steps;
use crate::tally::Tally;
use crate::{apt, site, wasm};

/// What to do when a test fails.
pub const ADVICE: &str = "read the test's words above; pictures and traces of it are under end2end/ in the build folder, \
     and `cargo xtask browser` repeats the browser tests alone";

/// `cargo xtask browser`.
///
/// # Errors
/// Never by itself: what fails is printed as a step.
pub fn run(paths: &Paths) -> Result<bool> {
    let mut steps = Steps::new(3);
    let mut tally = Tally::default();
    steps.run("site", site::ADVICE, || site::build(paths, &wasm::set_up(paths)?.0));
    steps.run("binary", "mend what the compiler names", || build_binary(paths));
    steps.run("browser tests", ADVICE, || test(paths, &mut tally));
    let passed = steps.finish();
    println!("{}", tally.table());
    Ok(passed)
}

/// Builds the `podium` binary and the load process, unoptimised.
///
/// # Errors
/// With the compiler's words.
pub fn build_binary(paths: &Paths) -> Result<String> {
    succeed(cargo(paths).args(["build", "--package", "podium-server", "--package", "podium-loadgen", "--bins"]))?;
    Ok(String::new())
}

/// Runs the tests against the binary and the site that are there.
///
/// # Errors
/// When Node.js or Chromium cannot be had, or a test fails.
pub fn test(paths: &Paths, tally: &mut Tally) -> Result<String> {
    ensure_tools()?;
    let folder = paths.root.join("end2end");
    install_modules(&folder)?;

    let output = paths.target.join("end2end");
    let report = output.join("playwright-report/results.json");
    // A report of an earlier run must not be taken for this one's.
    match fs::remove_file(&report) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            return Err(error).with_context(|| format!("cannot remove {}", report.display()));
        }
        _ => {}
    }
    let finished = capture(
        Command::new("node")
            .current_dir(&folder)
            .args(["node_modules/@playwright/test/cli.js", "test"])
            .env("PODIUM_BIN", paths.target.join("debug/podium"))
            .env("PODIUM_SITE_DIR", paths.site())
            .env("PODIUM_E2E_OUTPUT", &output),
    )?;
    match fs::read_to_string(&report) {
        Ok(report) => tally.add_playwright(&report)?,
        Err(_) => bail!("{}\nPlaywright ended without a report", finished.output()),
    }
    if !finished.success {
        bail!("{}", finished.output());
    }
    Ok(String::new())
}

fn ensure_tools() -> Result<()> {
    if on_path("node").is_none() || on_path("npm").is_none() {
        apt::ensure(&["nodejs", "npm"])?;
    }
    let named = std::env::var_os("PODIUM_CHROMIUM");
    if named.is_none() && !Path::new("/usr/bin/chromium").is_file() {
        apt::ensure(&["chromium", "fonts-dejavu-core"])?;
    }
    Ok(())
}

/// Installs what the lock file names, unless that was done.
fn install_modules(folder: &Path) -> Result<()> {
    let lock = fs::read(folder.join("package-lock.json")).context("end2end/package-lock.json cannot be read")?;
    let stamp = folder.join("node_modules/.podium-lock");
    if fs::read(&stamp).is_ok_and(|installed| installed == lock) {
        return Ok(());
    }
    succeed(Command::new("npm").current_dir(folder).env("PLAYWRIGHT_SKIP_BROWSER_DOWNLOAD", "1").args([
        "ci",
        "--ignore-scripts",
        "--no-audit",
        "--no-fund",
    ]))
    .context("the browser tests' node modules cannot be installed; check the network and npm's settings")?;
    fs::write(&stamp, lock).with_context(|| format!("cannot write {}", stamp.display()))
}
