//! What is checked without running the product.

use anyhow::Result;

use crate::paths::Paths;
use crate::process::{cargo, on_path, succeed};
use crate::steps::Steps;
use crate::wasm::WasmToolchain;
use crate::{apt, dependencies, licences, sqlx, wasm};

/// How many steps [`all`] takes.
pub const COUNT: usize = 7;

/// `cargo xtask check`.
///
/// # Errors
/// Never by itself: what fails is printed as a step.
pub fn run(paths: &Paths) -> Result<bool> {
    let mut steps = Steps::new(COUNT);
    all(paths, &mut steps);
    Ok(steps.finish())
}

/// Runs every check, and gives the compiler for the browser code on to what comes after.
pub fn all(paths: &Paths, steps: &mut Steps) -> Option<WasmToolchain> {
    let mut toolchain = None;
    steps.run("compiler for the browser code", wasm::ADVICE, || {
        ensure_lint_tools()?;
        let (found, remark) = wasm::set_up(paths)?;
        toolchain = Some(found);
        Ok(remark)
    });
    steps.run("formatting", "run `cargo fmt --all`", || {
        succeed(cargo(paths).args(["fmt", "--all", "--check", "--", "--color", "never"])).map(|_| String::new())
    });
    steps.run("clippy (host)", "mend what it names; `cargo clippy --workspace --all-targets` repeats it", || {
        let arguments = ["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"];
        succeed(cargo(paths).args(arguments)).map(|_| String::new())
    });
    steps.run("clippy (browser)", "mend what it names; it compiles app with `hydrate` for wasm32", || {
        let toolchain = toolchain.as_ref().ok_or_else(|| anyhow::anyhow!("there is no compiler for it, see above"))?;
        let packages = ["--package", "podium-frontend", "--package", "podium-app", "--lib"];
        succeed(toolchain.clippy(paths)?.args(packages).args(["--", "-D", "warnings"])).map(|_| String::new())
    });
    steps.run("queries against the migrations", sqlx::ADVICE, || sqlx::check(paths));
    steps.run("unused dependencies", dependencies::ADVICE, || dependencies::check(paths));
    steps.run("licences", licences::ADVICE, || licences::check(paths));
    toolchain
}

/// Debian's compiler comes without formatter and linter; rustup's usually brings both.
fn ensure_lint_tools() -> Result<()> {
    if on_path("rustfmt").is_none() {
        apt::ensure(&["rustfmt-web"])?;
    }
    if on_path("cargo-clippy").is_none() {
        apt::ensure(&["rust-web-clippy"])?;
    }
    Ok(())
}
