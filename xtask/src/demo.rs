//! `cargo xtask demo`: from a fresh machine to two reports in the browser.

mod environment;
mod folder;
mod page;
mod plans;
mod server;
pub(crate) mod stop;

use std::io::IsTerminal as _;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::Result;

use self::environment::Environment;
use self::folder::DemoFolder;
use self::plans::{DemoPlan, Outcome};
use self::server::Server;
use self::stop::Interrupt;
use crate::paths::Paths;
use crate::process::{cargo, succeed};
use crate::steps::{Steps, seconds};
use crate::{apt, engines, site, wasm};

/// What the product and llama.cpp's environment run on.
const PACKAGES: [&str; 3] = ["postgresql", "postgresql-client", "python3-venv"];

const PLANS: [DemoPlan; 2] = [
    DemoPlan { title: "simulated engines", file: "demo-simulated.yaml", options: &[] },
    DemoPlan {
        title: "engines on this processor",
        file: "demo-cpu.yaml",
        // Idle priority: on a small machine an engine would keep the load generator from sending and reading in time.
        options: &["--skip-missing", "--idle-engines"],
    },
];

/// A release build that is ready to run.
#[derive(Debug)]
struct Built {
    podium: PathBuf,
    site: PathBuf,
    /// Where the engines are: `<folder>/llama/…`.
    engines: PathBuf,
}

/// Builds in release, starts the dashboard on an empty data folder, and carries out both demo plans.
///
/// Succeeds when both reports can be had from the dashboard, whoever won. Then serves until Ctrl-C where standard
/// output is a terminal or `keep` says so, and stops everything it started.
///
/// # Errors
/// When the signals that end it cannot be listened for; what else fails is printed as a step.
pub fn run(paths: &Paths, keep: bool) -> Result<bool> {
    let began = Instant::now();
    let mut steps = Steps::new(6 + PLANS.len());
    let Some(built) = build(paths, &mut steps) else { return Ok(steps.finish()) };
    let build_time = began.elapsed();

    let interrupt = Interrupt::listen()?;
    let environment = Environment::new(paths, &built.engines);
    let mut started = None;
    steps.run("dashboard", "read its words above; its log is in the named folder", || {
        let folder = DemoFolder::take(paths)?;
        let server = Server::start(&built.podium, &built.site, &folder, &environment, &interrupt)?;
        let remark = format!("the page answers at {} after {}", server.url(), seconds(began.elapsed()));
        started = Some((folder, server));
        Ok(remark)
    });
    let Some((folder, mut server)) = started else { return Ok(steps.finish()) };

    let mut outcomes = Vec::new();
    for plan in &PLANS {
        let advice = format!(
            "read the run's words above and the dashboard's in {}; `podium run configs/{}` repeats this run alone",
            folder.log().display(),
            plan.file
        );
        steps.run_aloud(plan.title, &advice, || {
            let outcome = plan.carry_out(paths, &built.podium, &server, &folder, &environment, &interrupt)?;
            let remark = outcome.remark();
            outcomes.push(outcome);
            Ok(remark)
        });
        if interrupt.came() {
            break;
        }
    }
    let passed = steps.finish();
    if passed {
        print_summary(&outcomes, build_time, began.elapsed());
    }
    let kept = if !interrupt.came() && (keep || std::io::stdout().is_terminal()) {
        println!(
            "\nThe dashboard stays at {}, its data is in {}. Ctrl-C ends it.",
            server.url(),
            folder.data().display()
        );
        server.wait(&interrupt)
    } else {
        Ok(())
    };
    server.stop()?;
    kept?;
    Ok(passed)
}

fn print_summary(outcomes: &[Outcome], build_time: Duration, total: Duration) {
    println!("\nBoth reports are there:");
    for outcome in outcomes {
        println!("  {:<26} {}  ({})", outcome.title, outcome.report_url, seconds(outcome.elapsed));
    }
    println!("build {}, everything {}", seconds(build_time), seconds(total));
}

/// Gets what is missing and builds. `None` when a step failed, which it has said by then.
fn build(paths: &Paths, steps: &mut Steps) -> Option<Built> {
    let mut toolchain = None;
    let prepared = steps.run("system packages", "install them by hand, then run `make demo` again", || {
        let installed = apt::ensure(&PACKAGES)?;
        Ok(if installed.is_empty() { String::new() } else { format!("installed {}", installed.join(" ")) })
    }) && steps.run(
        "llama.cpp and a tiny model",
        "do what the last line above says, then run `make demo` again",
        || engines::set_up_llama(paths),
    ) && steps.run("binaries (release)", "mend what the compiler names", || {
        let packages = ["--package", "podium-server", "--package", "podium-loadgen"];
        succeed(cargo(paths).args(["build", "--release", "--bins"]).args(packages)).map(|_| String::new())
    }) && steps.run("compiler for the browser code", wasm::ADVICE, || {
        let (found, remark) = wasm::set_up(paths)?;
        toolchain = Some(found);
        Ok(remark)
    });
    let toolchain = toolchain.filter(|_| prepared)?;
    steps.run("site", site::ADVICE, || site::build(paths, &toolchain)).then(|| Built {
        podium: paths.target.join("release/podium"),
        site: paths.site(),
        engines: engines::own_folder(paths),
    })
}
