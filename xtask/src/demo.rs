//! `cargo xtask demo`: what `make demo` builds.

use std::path::PathBuf;

use anyhow::Result;

use crate::paths::Paths;
use crate::process::{cargo, succeed};
use crate::steps::Steps;
use crate::{apt, site, wasm};

/// What the product runs on.
const PACKAGES: [&str; 2] = ["postgresql", "postgresql-client"];

/// A release build that is ready to run.
#[derive(Debug)]
pub struct Built {
    /// The `podium` binary. It finds the site one level above its folder.
    pub podium: PathBuf,
}

/// Builds and says how to start.
///
/// # Errors
/// Never by itself: what fails is printed as a step.
pub fn run(paths: &Paths) -> Result<bool> {
    let mut steps = Steps::new(4);
    let built = build(paths, &mut steps);
    let passed = steps.finish();
    if let Some(built) = built {
        println!("\nStart the dashboard: {} serve", built.podium.display());
    }
    Ok(passed)
}

/// Builds the binaries in release and the site. `None` when a step failed, which it has said by then.
pub fn build(paths: &Paths, steps: &mut Steps) -> Option<Built> {
    let packages = steps.run("system packages", "install them by hand, then run `make demo` again", || {
        let installed = apt::ensure(&PACKAGES)?;
        Ok(if installed.is_empty() { String::new() } else { format!("installed {}", installed.join(" ")) })
    });
    let binaries = packages
        && steps.run("binaries (release)", "mend what the compiler names", || {
            let packages = ["--package", "podium-server", "--package", "podium-loadgen"];
            succeed(cargo(paths).args(["build", "--release", "--bins"]).args(packages)).map(|_| String::new())
        });
    let mut toolchain = None;
    let compiler = binaries
        && steps.run("compiler for the browser code", wasm::ADVICE, || {
            let (found, remark) = wasm::set_up(paths)?;
            toolchain = Some(found);
            Ok(remark)
        });
    let toolchain = toolchain.filter(|_| compiler)?;
    steps
        .run("site", site::ADVICE, || site::build(paths, &toolchain))
        .then(|| Built { podium: paths.target.join("release/podium") })
}
