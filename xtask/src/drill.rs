//! `cargo xtask drill`: whole runs with faults at random moments, see `docs/reliability.md`.

use std::ffi::OsString;

use anyhow::{Context as _, Result};
use clap::Args;

use crate::apt;
use crate::paths::Paths;
use crate::process::{cargo, succeed};
use crate::steps::Steps;

/// What the rounds run on; `faketime` moves a worker's clock.
const PACKAGES: [&str; 6] =
    ["postgresql", "postgresql-client", "openssh-server", "openssh-client", "python3", "faketime"];

/// Which rounds.
#[derive(Debug, Args)]
pub struct DrillArgs {
    /// How many rounds; the faults take turns
    #[arg(long, default_value_t = 20)]
    count: u32,

    /// Repeats an earlier drill, or goes on with one that was interrupted [default: a new one, which is printed]
    #[arg(long)]
    seed: Option<u64>,

    /// Only this fault, for example worker-killed
    #[arg(long)]
    only: Option<String>,
}

/// Builds the programs and carries the rounds out. They take up to a minute each; their results are kept by seed.
///
/// # Errors
/// When the drill cannot be started; what else fails is printed as a step or by the drill.
pub fn run(paths: &Paths, arguments: &DrillArgs) -> Result<bool> {
    let mut steps = Steps::new(2);
    let prepared = steps.run("system packages", "install them by hand, then run `make drill` again", || {
        let installed = apt::ensure(&PACKAGES)?;
        Ok(if installed.is_empty() { String::new() } else { format!("installed {}", installed.join(" ")) })
    }) && steps.run("binaries", "mend what the compiler names", || {
        let packages = ["--package", "podium-server", "--package", "podium-loadgen", "--package", "podium-tests"];
        succeed(cargo(paths).args(["build", "--bins"]).args(packages)).map(|_| String::new())
    });
    if !prepared {
        return Ok(steps.finish());
    }
    let program = paths.target.join("debug/drill");
    let mut words: Vec<OsString> = vec!["--count".into(), arguments.count.to_string().into()];
    words.extend(arguments.seed.iter().flat_map(|seed| ["--seed".into(), seed.to_string().into()]));
    words.extend(arguments.only.iter().flat_map(|only| ["--only".into(), only.into()]));
    words.extend(["--records".into(), paths.target.join("drill").into()]);
    let status = std::process::Command::new(&program)
        .args(words)
        .status()
        .with_context(|| format!("cannot start {}", program.display()))?;
    Ok(status.success())
}
