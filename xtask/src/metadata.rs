//! What cargo knows about the workspace and everything it depends on.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use serde_json::Value;

use crate::paths::Paths;
use crate::process::{cargo, succeed};

/// One package of the graph.
#[derive(Debug)]
pub struct Package {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// The licence expression, where the package states one.
    pub license: Option<String>,
    /// The folder of its manifest.
    pub folder: PathBuf,
    /// Whether it is ours.
    pub is_member: bool,
    /// What its manifest asks for, as names in Rust code: `wasm_bindgen` for `wasm-bindgen`.
    pub dependencies: Vec<String>,
}

/// All packages, for every target and feature, as the lock file has them.
///
/// # Errors
/// When cargo fails or its answer has another shape.
pub fn packages(paths: &Paths) -> Result<Vec<Package>> {
    let answer = succeed(cargo(paths).args(["metadata", "--format-version=1", "--locked"]))
        .context("the lock file may be stale: run `cargo update --workspace`")?;
    let metadata: Value = serde_json::from_str(&answer.stdout).context("cargo metadata printed no JSON")?;
    let members = list(&metadata, "workspace_members");
    list(&metadata, "packages").iter().map(|package| read_package(package, members)).collect()
}

fn read_package(package: &Value, members: &[Value]) -> Result<Package> {
    let manifest = text(package, "manifest_path").context("a package without a manifest path")?;
    let folder = Path::new(manifest).parent().context("a manifest lies in a folder")?.to_path_buf();
    let dependencies = list(package, "dependencies")
        .iter()
        .filter_map(|dependency| text(dependency, "rename").or_else(|| text(dependency, "name")))
        .map(|name| name.replace('-', "_"))
        .collect();
    Ok(Package {
        name: text(package, "name").context("a package without a name")?.to_owned(),
        version: text(package, "version").unwrap_or_default().to_owned(),
        license: text(package, "license").map(ToOwned::to_owned),
        folder,
        is_member: members.contains(&package["id"]),
        dependencies,
    })
}

fn list<'a>(value: &'a Value, key: &str) -> &'a [Value] {
    value[key].as_array().map_or(&[], Vec::as_slice)
}

fn text<'a>(value: &'a Value, key: &str) -> Option<&'a str> {
    value[key].as_str()
}
