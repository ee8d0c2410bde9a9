//! The API against its own document: Schemathesis sends what the document allows, and what it does not, and no answer may
//! be a failure of the server.

use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};

use crate::demo::stop::Guarded;
use crate::paths::Paths;
use crate::process::{capture, succeed};
use crate::steps::Steps;
use crate::tally::{Counts, Tally};
use crate::{apt, browser, site};

/// What to do when an answer is a failure.
pub const ADVICE: &str =
    "the lines above end with a request that repeats it; `cargo xtask api` repeats these tests alone";

/// The release that the tests are written for.
const RELEASE: &str = "schemathesis==4.32.5";

/// What every answer has to be.
const CHECKS: &str = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance";

/// Examples of each operation: enough to reach every parameter, and few enough for a gate.
const EXAMPLES: &str = "25";

/// To stop the server and its database.
const STOP_GRACE: Duration = Duration::from_secs(60);

/// `cargo xtask api`.
///
/// # Errors
/// Never by itself: what fails is printed as a step.
pub fn run(paths: &Paths) -> Result<bool> {
    let mut steps = Steps::new(2);
    let mut tally = Tally::default();
    steps.run("binary", "mend what the compiler names", || browser::build_binary(paths));
    steps.run("API tests", ADVICE, || test(paths, &mut tally));
    let passed = steps.finish();
    println!("{}", tally.table());
    Ok(passed)
}

/// Runs the tests against the binary and the site that are there.
///
/// # Errors
/// When Schemathesis cannot be had, the server does not start, or an answer is not what the document says.
pub fn test(paths: &Paths, tally: &mut Tally) -> Result<String> {
    let program = schemathesis(paths)?;
    let (data, folder) = (tempfile::tempdir()?, tempfile::tempdir()?);
    let log = folder.path().join("podium.log");
    let mut command = Command::new(paths.target.join("debug/podium"));
    command.args(["serve", "--no-worker", "--listen", "127.0.0.1:0", "--data-dir"]).arg(data.path());
    command.arg("--site-dir").arg(paths.site()).env_remove("DATABASE_URL");
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(File::create(&log)?);
    let mut child = command.spawn().context("cannot start podium")?;
    let stdout = child.stdout.take().context("podium's standard output is a pipe")?;
    let mut server = Guarded::new(child, "podium", STOP_GRACE);
    let mut line = String::new();
    BufReader::new(stdout).read_line(&mut line)?;
    let Some(url) = line.trim_end().strip_prefix("listening on ") else {
        bail!("podium did not start ({}):\n{}", site::ADVICE, std::fs::read_to_string(&log)?);
    };
    let mut tester = Command::new(program);
    tester.current_dir(folder.path()).arg("run").arg(format!("{url}/api/v1/openapi.json"));
    tester.args(["--checks", CHECKS, "--max-examples", EXAMPLES, "--seed", "1", "--no-color"]);
    let finished = capture(&mut tester)?;
    server.stop()?;
    let operations = operations(&finished.stdout).unwrap_or_default();
    if !finished.success || operations == 0 {
        tally.add("api", Counts { failed: 1, ..Counts::default() });
        bail!("{}", finished.output());
    }
    tally.add("api", Counts { passed: operations, ..Counts::default() });
    Ok(format!("{operations} operations"))
}

/// The program, in an environment of its own that is made once.
fn schemathesis(paths: &Paths) -> Result<PathBuf> {
    let environment = paths.cache.join(RELEASE.replace("==", "-"));
    let program = environment.join("bin/schemathesis");
    if !program.is_file() {
        apt::ensure(&["python3-venv"])?;
        succeed(Command::new("python3").args(["-m", "venv"]).arg(&environment))?;
        succeed(Command::new(environment.join("bin/pip")).args(["install", "--quiet", RELEASE]))
            .context("Schemathesis cannot be installed; check the network and pip's settings")?;
    }
    Ok(program)
}

/// How many operations were tested, as Schemathesis sums up: `  Tested: 13`.
fn operations(output: &str) -> Option<u64> {
    output.lines().find_map(|line| line.trim().strip_prefix("Tested:")?.trim().parse().ok())
}

#[cfg(test)]
mod tests {
    use super::operations;

    #[test]
    fn the_sum_is_read() {
        assert_eq!(operations("API Operations:\n  Selected: 13/13\n  Tested: 13\n"), Some(13));
        assert_eq!(operations("nothing"), None);
    }
}
