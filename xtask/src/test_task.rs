//! `cargo xtask test`: every check and every test, with the counts at the end.

use std::fs::{self, File};
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context as _, Result, bail};

use crate::paths::Paths;
use crate::process::{cargo, display, is_cargo_progress};
use crate::steps::Steps;
use crate::tally::{Counts, Tally};
use crate::{api, apt, browser, checks, engines, site};

/// What the tests run against.
const PACKAGES: [&str; 12] = [
    "postgresql",
    "postgresql-client",
    "python3-venv",
    "openssh-server",
    "openssh-client",
    "slurmctld",
    "slurmd",
    "slurm-client",
    "munge",
    "podman",
    "runc",
    "conmon",
];

/// The whole gate, the same on a developer's machine and elsewhere.
///
/// # Errors
/// Never by itself: what fails is printed as a step.
pub fn run(paths: &Paths) -> Result<bool> {
    let mut steps = Steps::new(1 + checks::COUNT + 7);
    let mut tally = Tally::default();

    let have_packages = steps.run("system packages", "install them by hand, then run `make test` again", || {
        let installed = apt::ensure(&PACKAGES)?;
        Ok(if installed.is_empty() { String::new() } else { format!("installed {}", installed.join(" ")) })
    });
    let toolchain = checks::all(paths, &mut steps);

    steps.run("binaries", "mend what the compiler names", || browser::build_binary(paths));
    let advice = "read the failed tests' words above; `cargo test -p <crate> <name>` repeats one";
    steps.run("llama.cpp and a tiny model", "do what the last line above says, then run `make test` again", || {
        engines::set_up_llama(paths)
    });
    let environment = [(engines::FOLDER_VARIABLE, engines::own_folder(paths))];
    let mut test = |name: &str, which: &str| {
        let arguments = ["test", "--workspace", which, "--no-fail-fast"];
        let test = CargoTest { name, arguments: &arguments, environment: &environment };
        Ok(cargo_test(paths, &test, &mut tally)?.remark)
    };
    steps.run("tests", advice, || test("tests", "--all-targets"));
    steps.run("documentation tests", advice, || test("doc-tests", "--doc"));
    let site_advice = site::ADVICE;
    steps.run("site", site_advice, || match &toolchain {
        Some(toolchain) => site::build(paths, toolchain),
        None => bail!("there is no compiler for the browser code, see above"),
    });
    steps.run("browser tests", browser::ADVICE, || browser::test(paths, &mut tally));
    steps.run("API tests", api::ADVICE, || api::test(paths, &mut tally));

    let steps_passed = steps.finish();
    // A step that fails without a failed test (a lint, a build) must not leave a count that looks clean.
    if !steps_passed && tally.total().failed == 0 {
        tally.add("steps", Counts { failed: steps.failed().len() as u64, ..Counts::default() });
    }
    // A test may be skipped for a component that cannot be had, never silently for another reason.
    let skipped = tally.total().skipped;
    if skipped > 0 && have_packages {
        println!("{skipped} tests were skipped though everything they need is here: that counts as a failure");
    }
    println!("\n{}", tally.table());
    Ok(steps_passed && (skipped == 0 || !have_packages))
}

/// One `cargo test`.
pub struct CargoTest<'a> {
    /// Names the file that keeps its output.
    pub name: &'a str,
    /// What cargo is told.
    pub arguments: &'a [&'a str],
    /// What the tests find in their environment.
    pub environment: &'a [(&'a str, PathBuf)],
}

/// A `cargo test` without a failure.
pub struct TestOutput {
    /// How many passed, in words.
    pub remark: String,
    /// Everything that it printed.
    pub text: String,
}

/// Runs a `cargo test` and counts what it printed.
///
/// # Errors
/// When it cannot be started or a test fails; the message has the failed tests' words.
pub fn cargo_test(paths: &Paths, test: &CargoTest<'_>, tally: &mut Tally) -> Result<TestOutput> {
    fs::create_dir_all(&paths.target)?;
    let log = paths.target.join(format!("podium-{}.log", test.name));
    let mut command = cargo(paths);
    command.args(test.arguments).envs(test.environment.iter().map(|(name, value)| (name, value)));
    // Both streams into one file: only so do cargo's headings and the tests' lines keep their order.
    let status = into_file(&mut command, &log)?;
    let text = fs::read_to_string(&log).with_context(|| format!("cannot read {}", log.display()))?;
    let before = tally.total();
    tally.add_cargo_test(&text);
    if !status {
        bail!("{}\n(the whole output is in {})", without_passed(&text), log.display());
    }
    Ok(TestOutput { remark: format!("{} passed", tally.total().passed - before.passed), text })
}

fn into_file(command: &mut Command, log: &std::path::Path) -> Result<bool> {
    let shown = display(command);
    let file = File::create(log).with_context(|| format!("cannot write {}", log.display()))?;
    let status =
        command.stdout(file.try_clone()?).stderr(file).status().with_context(|| format!("cannot start `{shown}`"))?;
    Ok(status.success())
}

/// What matters after a failure.
fn without_passed(output: &str) -> String {
    output
        .lines()
        .filter(|line| !(line.starts_with("test ") && line.ends_with(" ... ok")))
        .filter(|line| !is_cargo_progress(line))
        .collect::<Vec<_>>()
        .join("\n")
}
