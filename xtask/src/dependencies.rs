//! Finds dependencies that nothing uses: each costs build time and a licence to watch.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result, bail};

use crate::metadata::packages;
use crate::paths::Paths;

/// What to do about one.
pub const ADVICE: &str = "remove the dependency from the named Cargo.toml";

/// Compares every member's manifest with its sources, and the workspace's table with the members.
///
/// # Errors
/// With every unused dependency.
pub fn check(paths: &Paths) -> Result<String> {
    let mut unused = Vec::new();
    let mut named_by_members = BTreeSet::new();
    for package in packages(paths)?.iter().filter(|package| package.is_member) {
        let mut identifiers = BTreeSet::new();
        collect_identifiers(&package.folder, &mut identifiers)?;
        for dependency in &package.dependencies {
            // A crate that asks for itself turns its own features on for its tests.
            if *dependency == package.name.replace('-', "_") {
                continue;
            }
            if !identifiers.contains(dependency) {
                unused.push(format!("{}: `{dependency}` is not named in its sources", package.name));
            }
            named_by_members.insert(dependency.clone());
        }
    }
    let manifest = paths.root.join("Cargo.toml");
    let manifest_text = fs::read_to_string(&manifest).with_context(|| format!("cannot read {}", manifest.display()))?;
    for name in workspace_table(&manifest_text) {
        if !named_by_members.contains(&name.replace('-', "_")) {
            unused.push(format!("Cargo.toml: `{name}` in [workspace.dependencies] is taken by no member"));
        }
    }
    if !unused.is_empty() {
        bail!("{}", unused.join("\n"));
    }
    Ok(format!("{} in use", named_by_members.len()))
}

/// The names in `[workspace.dependencies]`.
fn workspace_table(manifest: &str) -> Vec<&str> {
    manifest
        .lines()
        .skip_while(|line| line.trim() != "[workspace.dependencies]")
        .skip(1)
        .take_while(|line| !line.starts_with('['))
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| line.split_once('='))
        .map(|(name, _)| name.trim())
        .collect()
}

/// Every identifier of every Rust file under `folder`, outside of comment lines.
fn collect_identifiers(folder: &Path, identifiers: &mut BTreeSet<String>) -> Result<()> {
    for entry in fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))? {
        let path = entry?.path();
        if path.is_dir() {
            collect_identifiers(&path, identifiers)?;
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let text = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
            // A module may be a file of another crate's tests.
            for named in text.lines().filter_map(|line| line.trim().strip_prefix("#[path = \"")?.strip_suffix("\"]")) {
                let module = path.with_file_name(named);
                let shared =
                    fs::read_to_string(&module).with_context(|| format!("cannot read {}", module.display()))?;
                identifiers.extend(identifiers_in(&shared).map(str::to_owned));
            }
            identifiers.extend(identifiers_in(&text).map(ToOwned::to_owned));
        }
    }
    Ok(())
}

fn identifiers_in(text: &str) -> impl Iterator<Item = &str> {
    text.lines()
        .filter(|line| !line.trim_start().starts_with("//"))
        .flat_map(|line| line.split(|character: char| !character.is_alphanumeric() && character != '_'))
        .filter(|word| !word.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_in_a_comment_is_no_use() {
        let found: Vec<_> = identifiers_in("// serde would help\nuse tokio::net;\n").collect();
        assert_eq!(found, ["use", "tokio", "net"]);
    }

    #[test]
    fn the_table_ends_at_the_next_header() {
        let manifest = "[workspace]\na = 1\n[workspace.dependencies]\n# why\nserde = \"1\"\nweb-sys = { version = \
                        \"0.3\" }\n\n[profile.dev]\ndebug = 1\n";
        assert_eq!(workspace_table(manifest), ["serde", "web-sys"]);
    }
}
