//! A compiler for the browser code (`wasm32-unknown-unknown`).
//!
//! Rust's own way is one command of rustup. Where that download cannot be had, Debian's security suite carries a
//! current compiler together with the source of its standard library: that library is built for the browser once,
//! into a private sysroot, after which the project's own builds are ordinary.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, bail};

use crate::apt;
use crate::paths::Paths;
use crate::process::{capture, cargo, cargo_at, on_path, succeed};
use crate::steps::Steps;

/// The target's name.
pub const TARGET: &str = "wasm32-unknown-unknown";

/// What to do when there is no compiler.
pub const ADVICE: &str = "give the machine a Rust standard library for wasm32: `rustup target add \
     wasm32-unknown-unknown`, or on Debian 12 `apt-get install rustc-web cargo-web rust-web-src rust-web-clippy`";

const DEBIAN_RUSTC: &str = "/usr/bin/rustc";
const DEBIAN_CARGO: &str = "/usr/bin/cargo";
const DEBIAN_CARGO_CLIPPY: &str = "/usr/bin/cargo-clippy";
const DEBIAN_PACKAGES: [&str; 4] = ["rustc-web", "cargo-web", "rust-web-src", "rust-web-clippy"];

/// How the browser code is compiled here.
#[derive(Clone, Debug)]
pub enum WasmToolchain {
    /// The compiler that also builds the host has the target.
    Installed,
    /// Debian's compiler with a sysroot of our own.
    Debian {
        /// Holds `lib/rustlib/wasm32-unknown-unknown/lib`.
        sysroot: PathBuf,
        /// An `lld` that links WebAssembly.
        linker: PathBuf,
    },
}

impl WasmToolchain {
    /// A cargo for the browser target; add the subcommand's words. `--target` is set by environment.
    #[must_use]
    pub fn cargo(&self, paths: &Paths) -> Command {
        match self {
            Self::Installed => for_browser(cargo(paths)),
            Self::Debian { sysroot, linker } => debian(DEBIAN_CARGO, paths, sysroot, linker),
        }
    }

    /// `cargo clippy` of the same compiler; add its arguments.
    ///
    /// # Errors
    /// When it is Debian's and cannot be installed.
    pub fn clippy(&self, paths: &Paths) -> Result<Command> {
        match self {
            Self::Installed => {
                let mut command = self.cargo(paths);
                command.arg("clippy");
                Ok(command)
            }
            Self::Debian { sysroot, linker } => {
                apt::ensure(&["rust-web-clippy"])?;
                // Started by its path: cargo would look into ~/.cargo/bin first, and take another compiler's.
                let mut command = debian(DEBIAN_CARGO_CLIPPY, paths, sysroot, linker);
                command.env("CARGO", DEBIAN_CARGO).arg("clippy");
                Ok(command)
            }
        }
    }
}

fn for_browser(mut command: Command) -> Command {
    command.env("CARGO_BUILD_TARGET", TARGET);
    command
}

fn debian(program: &str, paths: &Paths, sysroot: &Path, linker: &Path) -> Command {
    let mut command = for_browser(cargo_at(Path::new(program), paths));
    command
        .env("RUSTC", DEBIAN_RUSTC)
        .env_remove("RUSTUP_TOOLCHAIN")
        // The libraries of the compiler that runs xtask.
        .env_remove("LD_LIBRARY_PATH")
        .env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER", linker)
        .env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUSTFLAGS", format!("--sysroot={}", sysroot.display()));
    command
}

/// `cargo xtask wasm-setup`.
///
/// # Errors
/// Never by itself: what fails is printed as a step.
pub fn run(paths: &Paths) -> Result<bool> {
    let mut steps = Steps::new(1);
    steps.run("compiler for the browser code", ADVICE, || set_up(paths).map(|(_, remark)| remark));
    Ok(steps.finish())
}

/// Finds or makes a compiler; says which it took.
///
/// # Errors
/// When neither rustup nor Debian gives one.
pub fn set_up(paths: &Paths) -> Result<(WasmToolchain, String)> {
    if target_is_installed()? {
        return Ok((WasmToolchain::Installed, "the host's compiler has the target".to_owned()));
    }
    if let Some(sysroot) = finished_sysroot(paths)? {
        let linker = linker()?;
        return Ok((WasmToolchain::Debian { sysroot, linker }, "Debian's compiler, sysroot from the cache".to_owned()));
    }
    let rustup_words = match add_by_rustup()? {
        None => return Ok((WasmToolchain::Installed, "the target was added by rustup".to_owned())),
        Some(words) => words,
    };
    apt::ensure(&DEBIAN_PACKAGES).with_context(|| format!("{rustup_words}; and Debian's packages cannot be had"))?;
    let linker = linker()?;
    let sysroot = build_sysroot(paths, &linker)?;
    let remark = format!("{rustup_words}, so Debian's compiler and a sysroot built with it");
    Ok((WasmToolchain::Debian { sysroot, linker }, remark))
}

/// Whether `rustc` on PATH has the target's standard library.
fn target_is_installed() -> Result<bool> {
    let libdir = succeed(Command::new("rustc").args(["--print", "target-libdir", "--target", TARGET]))?;
    let Ok(entries) = fs::read_dir(libdir.stdout.trim()) else { return Ok(false) };
    Ok(entries.flatten().any(|entry| entry.file_name().to_string_lossy().starts_with("libstd-")))
}

/// Asks rustup for the target. `None` when it is there now, else the reason in a few words.
fn add_by_rustup() -> Result<Option<String>> {
    if on_path("rustup").is_none() {
        return Ok(Some("there is no rustup".to_owned()));
    }
    let added = capture(Command::new("rustup").args(["target", "add", TARGET]))?;
    if added.success && target_is_installed()? {
        return Ok(None);
    }
    Ok(Some("rustup cannot get the target".to_owned()))
}

/// A linker for WebAssembly: rustup's toolchains hold one; else Debian's, of the compiler's own LLVM version.
fn linker() -> Result<PathBuf> {
    if let Some(rust_lld) = linker_of_rustup() {
        return Ok(rust_lld);
    }
    let version = succeed(Command::new(DEBIAN_RUSTC).arg("-vV"))?;
    let llvm_major = version
        .stdout
        .lines()
        .find_map(|line| line.strip_prefix("LLVM version: "))
        .and_then(|version| version.split('.').next())
        .with_context(|| format!("{DEBIAN_RUSTC} -vV does not name its LLVM version"))?;
    apt::ensure(&[format!("lld-{llvm_major}").as_str()])?;
    Ok(PathBuf::from(format!("/usr/bin/wasm-ld-{llvm_major}")))
}

fn linker_of_rustup() -> Option<PathBuf> {
    on_path("rustup")?;
    let sysroot = capture(Command::new("rustc").args(["--print", "sysroot"])).ok()?;
    let libraries = Path::new(sysroot.stdout.trim()).join("lib/rustlib");
    let hosts = fs::read_dir(libraries).ok()?;
    hosts.flatten().map(|host| host.path().join("bin/rust-lld")).find(|lld| lld.is_file())
}

/// The sysroot's folder names the compiler, so that another compiler gets another one.
fn sysroot_folder(paths: &Paths) -> Result<PathBuf> {
    let version = succeed(Command::new(DEBIAN_RUSTC).arg("--version"))?;
    // `rustc 1.96.0 (ac68faa20 2026-05-25) …`: number and commit.
    let mut words = version.stdout.split_whitespace().skip(1);
    let number = words.next().context("rustc --version names no version")?;
    let commit = words.next().unwrap_or_default().trim_start_matches('(');
    Ok(paths.cache.join("wasm-sysroot").join(format!("{number}-{commit}")))
}

fn finished_sysroot(paths: &Paths) -> Result<Option<PathBuf>> {
    if !Path::new(DEBIAN_RUSTC).is_file() || !Path::new(DEBIAN_CARGO).is_file() {
        return Ok(None);
    }
    let folder = sysroot_folder(paths)?;
    Ok(library_folder(&folder).is_dir().then_some(folder))
}

fn library_folder(sysroot: &Path) -> PathBuf {
    sysroot.join("lib/rustlib").join(TARGET).join("lib")
}

/// Builds Rust's standard library for the browser and puts it where a compiler looks for it.
fn build_sysroot(paths: &Paths, linker: &Path) -> Result<PathBuf> {
    let folder = sysroot_folder(paths)?;
    fs::create_dir_all(&paths.cache).with_context(|| format!("cannot make {}", paths.cache.display()))?;
    let work = tempfile::tempdir_in(&paths.cache)?;
    fs::create_dir(work.path().join("src"))?;
    fs::write(work.path().join("src/lib.rs"), "#![no_std]\n")?;
    fs::write(work.path().join("Cargo.toml"), EMPTY_PACKAGE)?;
    let target = work.path().join("target");

    succeed(
        Command::new(DEBIAN_CARGO)
            .current_dir(work.path())
            .env("RUSTC", DEBIAN_RUSTC)
            // The one place where an unstable flag is used: it is how the library is built from source.
            .env("RUSTC_BOOTSTRAP", "1")
            .env("CARGO_TARGET_DIR", &target)
            .env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER", linker)
            // The site links with full LTO, for which every library must carry its bitcode.
            .env("CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_RUSTFLAGS", "-Cembed-bitcode=yes")
            .args(["build", "--release", "-Zbuild-std=std,panic_abort", "--target", TARGET]),
    )
    .context("Debian's compiler could not build the standard library")?;

    // Filled under another name and moved at once: a folder of that name is always complete.
    let staged = work.path().join("sysroot");
    fs::create_dir_all(library_folder(&staged))?;
    let built = target.join(TARGET).join("release/deps");
    for entry in fs::read_dir(&built).with_context(|| format!("cannot read {}", built.display()))? {
        let entry = entry?;
        let name = entry.file_name();
        let is_library = Path::new(&name).extension().is_some_and(|extension| extension == "rlib");
        if is_library && !name.to_string_lossy().starts_with("libempty-") {
            fs::copy(entry.path(), library_folder(&staged).join(&name))?;
        }
    }
    if let Some(parent) = folder.parent() {
        fs::create_dir_all(parent)?;
    }
    if folder.exists() {
        bail!("{} is there but holds no library; remove it and try again", folder.display());
    }
    fs::rename(&staged, &folder).with_context(|| format!("cannot move the sysroot to {}", folder.display()))?;
    Ok(folder)
}

const EMPTY_PACKAGE: &str = r#"[package]
name = "empty"
version = "0.0.0"
edition = "2024"

[workspace]

[profile.release]
opt-level = "z"
codegen-units = 1
panic = "abort"
strip = "debuginfo"
"#;
