//! The site: what the browser loads, built into `<target>/site`.
//!
//! cargo (wasm32) → wasm-bindgen → style sheet → compressed copies → digest. The server serves everything under a
//! path that holds the digest.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use flate2::Compression;
use flate2::write::GzEncoder;
use sha2::{Digest as _, Sha256};
use wasm_bindgen_cli_support::Bindgen;

use crate::paths::Paths;
use crate::process::succeed;
use crate::steps::Steps;
use crate::wasm::WasmToolchain;
use crate::{style, wasm};

/// The most that a first visit may load: script, module and style sheet, each gzipped, in bytes.
const BUDGET_GZIP_BYTES: u64 = 200_000;

/// Files in `pkg/`, in the order of the report.
const FILES: [&str; 3] = ["podium_bg.wasm", "podium.js", "podium.css"];

/// `cargo xtask site`.
///
/// # Errors
/// Never by itself: what fails is printed as a step.
pub fn run(paths: &Paths) -> Result<bool> {
    let mut steps = Steps::new(2);
    let mut toolchain = None;
    steps.run("compiler for the browser code", wasm::ADVICE, || {
        let (found, remark) = wasm::set_up(paths)?;
        toolchain = Some(found);
        Ok(remark)
    });
    if let Some(toolchain) = toolchain {
        steps.run("site", ADVICE, || build(paths, &toolchain));
    }
    Ok(steps.finish())
}

/// What to do when the site does not build.
pub const ADVICE: &str = "read the compiler's words above; `cargo xtask site` repeats this step alone";

/// Builds what changed and checks the size budget. Returns the sizes as a remark.
///
/// # Errors
/// When the code does not compile, a tool fails, or the budget is exceeded.
pub fn build(paths: &Paths, toolchain: &WasmToolchain) -> Result<String> {
    let module = compile(paths, toolchain)?;
    let site = paths.site();
    let package = site.join("pkg");
    fs::create_dir_all(&package).with_context(|| format!("cannot make {}", package.display()))?;

    bind(&module, &package, &site.join("module-digest"))?;
    write_if_changed(&package.join("podium.css"), style::join(&paths.root.join("style"))?.as_bytes())?;
    let icon = paths.root.join("style/icon.svg");
    let icon_bytes = fs::read(&icon).with_context(|| format!("cannot read {}", icon.display()))?;
    write_if_changed(&site.join("icon.svg"), &icon_bytes)?;

    let mut gzip_total = 0;
    let mut sizes = Vec::new();
    for name in FILES {
        let gzip = compress(&package.join(name))?;
        gzip_total += gzip;
        sizes.push(format!("{} {:.1}", name.rsplit('.').next().unwrap_or(name), kilobytes(gzip)));
    }
    write_digest(&site)?;

    if gzip_total > BUDGET_GZIP_BYTES {
        bail!(
            "the site is {:.1} kB gzipped ({}), over its budget of {:.0} kB; move code from islands to pages or drop a \
             dependency of the browser code",
            kilobytes(gzip_total),
            sizes.join(", "),
            kilobytes(BUDGET_GZIP_BYTES)
        );
    }
    Ok(format!("{:.1} kB gzip of {:.0} kB ({})", kilobytes(gzip_total), kilobytes(BUDGET_GZIP_BYTES), sizes.join(", ")))
}

fn compile(paths: &Paths, toolchain: &WasmToolchain) -> Result<PathBuf> {
    let profile = "wasm-release";
    succeed(toolchain.cargo(paths).args(["build", "--package", "podium-frontend", "--lib", "--profile", profile]))?;
    Ok(paths.target.join(wasm::TARGET).join(profile).join("podium_frontend.wasm"))
}

/// Runs wasm-bindgen, unless `stamp` says that this very module was the last one.
fn bind(module: &Path, package: &Path, stamp: &Path) -> Result<()> {
    let bytes = fs::read(module).with_context(|| format!("cannot read {}", module.display()))?;
    let digest = hexadecimal(&Sha256::digest(&bytes));
    let complete = package.join("podium.js").is_file() && package.join("podium_bg.wasm").is_file();
    if complete && fs::read_to_string(stamp).is_ok_and(|last| last == digest) {
        return Ok(());
    }
    Bindgen::new()
        .input_bytes("podium", bytes)
        .web(true)?
        .typescript(false)
        .remove_name_section(true)
        .remove_producers_section(true)
        .generate(package)
        .context("wasm-bindgen failed; its crate and the library in xtask must be the same version")?;
    fs::write(stamp, digest).with_context(|| format!("cannot write {}", stamp.display()))
}

/// Writes `<file>.gz` beside it and returns its length in bytes.
fn compress(file: &Path) -> Result<u64> {
    let bytes = fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(&bytes)?;
    let compressed = encoder.finish()?;
    let mut name = file.as_os_str().to_owned();
    name.push(".gz");
    write_if_changed(Path::new(&name), &compressed)?;
    Ok(compressed.len() as u64)
}

/// The digest of all served files: 16 hexadecimal digits in `<site>/digest`.
fn write_digest(site: &Path) -> Result<()> {
    let mut digest = Sha256::new();
    let served = FILES.iter().map(|name| site.join("pkg").join(name)).chain([site.join("icon.svg")]);
    for file in served {
        digest.update(fs::read(&file).with_context(|| format!("cannot read {}", file.display()))?);
    }
    let digest = hexadecimal(&digest.finalize());
    write_if_changed(&site.join("digest"), &digest.as_bytes()[..16])
}

fn write_if_changed(file: &Path, bytes: &[u8]) -> Result<()> {
    if fs::read(file).is_ok_and(|present| present == bytes) {
        return Ok(());
    }
    fs::write(file, bytes).with_context(|| format!("cannot write {}", file.display()))
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn kilobytes(bytes: u64) -> f64 {
    bytes as f64 / 1_000.0
}
