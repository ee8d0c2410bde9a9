//! Every dependency must come under a licence that this project may ship with.

use anyhow::{Result, bail};
use spdx::{Expression, ParseMode};

use crate::metadata::packages;
use crate::paths::Paths;

/// What to do about a refused one.
pub const ADVICE: &str = "take another crate, or, where the licence is permissive, add it to the list in \
     xtask/src/licences.rs";

/// Permissive licences, by their SPDX identifiers.
const ALLOWED: [&str; 14] = [
    "0BSD",
    "Apache-2.0",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "BSL-1.0",
    "CC0-1.0",
    "CDLA-Permissive-2.0",
    "ISC",
    "MIT",
    "MIT-0",
    "MPL-2.0",
    "Unicode-3.0",
    "Unlicense",
    "Zlib",
];

/// Checks the whole graph of the lock file.
///
/// # Errors
/// With every package whose licence is missing or not allowed.
pub fn check(paths: &Paths) -> Result<String> {
    let packages = packages(paths)?;
    let refused: Vec<String> = packages
        .iter()
        .filter_map(|package| {
            let why = match package.license.as_deref() {
                None => "states no licence".to_owned(),
                Some(license) if is_allowed(license) => return None,
                Some(license) => format!("is under {license}"),
            };
            Some(format!("{} {} {why}", package.name, package.version))
        })
        .collect();
    if !refused.is_empty() {
        bail!("{}", refused.join("\n"));
    }
    Ok(format!("{} packages", packages.len()))
}

/// Whether some way to fulfil the expression takes allowed licences alone.
fn is_allowed(license: &str) -> bool {
    // Older crates write `MIT/Apache-2.0`.
    let parsed = Expression::parse_mode(license, ParseMode::LAX);
    parsed.is_ok_and(|expression| expression.evaluate(is_listed))
}

fn is_listed(requirement: &spdx::LicenseReq) -> bool {
    requirement.license.id().is_some_and(|id| ALLOWED.contains(&id.name))
}

#[cfg(test)]
mod tests {
    use super::is_allowed;

    #[test]
    fn one_allowed_alternative_is_enough() {
        assert!(is_allowed("GPL-3.0-only OR MIT"));
        assert!(is_allowed("MIT/Apache-2.0"));
    }

    #[test]
    fn every_part_of_a_conjunction_counts() {
        assert!(!is_allowed("MIT AND GPL-3.0-only"));
        assert!(!is_allowed("GPL-3.0-only"));
        assert!(!is_allowed("no licence at all"));
    }
}
