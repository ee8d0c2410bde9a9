//! Plans of the tests: files in `tests/plans`, and the frameworks that a test adds to one.

use std::path::PathBuf;

/// A file of `tests/plans`.
pub fn path(name: &str) -> PathBuf {
    folder("plans").join(name)
}

/// A file of `tests/fixtures`.
fn fixture(name: &str) -> PathBuf {
    folder("fixtures").join(name)
}

/// The command of a server that is a script of `tests/fixtures`. A bare `python3` would be the framework's interpreter.
pub fn script(name: &str) -> String {
    format!("/usr/bin/env python3 {}", fixture(name).display())
}

/// A plan that is shipped.
pub fn shipped(name: &str) -> PathBuf {
    folder("../configs").join(name)
}

fn folder(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(name)
}

/// The text of a file of `tests/plans`.
///
/// # Panics
/// When there is no such file.
pub fn text(name: &str) -> String {
    let path = path(name);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// One framework of a plan: its id and its server command, with a baseline alone.
pub fn framework(id: &str, server_command: &str) -> String {
    with_flags(id, server_command, "{}", "{}")
}

/// One framework of a plan; flags and searched values are YAML mappings on one line.
pub fn with_flags(id: &str, server_command: &str, flags: &str, search: &str) -> String {
    format!(
        "  {id}:\n    server_command: {server_command:?}\n    base_server_flags: {flags}\n    search_space: {search}\n"
    )
}

/// The plan `name`, whose file ends with `frameworks:`, with these.
///
/// # Panics
/// When there is no such file.
pub fn plan(name: &str, frameworks: &[String]) -> String {
    text(name) + &frameworks.concat()
}

/// A simulated engine's command with no loading time to speak of.
pub fn simulated(framework: &str, more: &str) -> String {
    format!("podium sim {framework} --sim-startup-s 0.1 {more}").trim_end().to_owned()
}
