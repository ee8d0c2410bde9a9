//! Counts of tests by component, from what the runners print.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result};
use serde_json::Value;

/// How many tests ended how.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Ran and held.
    pub passed: u64,
    /// Ran and did not hold.
    pub failed: u64,
    /// Did not run.
    pub skipped: u64,
}

impl Counts {
    fn add(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.skipped += other.skipped;
    }
}

/// Counts by component.
#[derive(Debug, Default)]
pub struct Tally {
    components: BTreeMap<String, Counts>,
}

impl Tally {
    /// Adds to a component.
    pub fn add(&mut self, component: &str, counts: Counts) {
        self.components.entry(component.to_owned()).or_default().add(counts);
    }

    /// Over all components.
    #[must_use]
    pub fn total(&self) -> Counts {
        let mut total = Counts::default();
        self.components.values().for_each(|counts| total.add(*counts));
        total
    }

    /// A line per component, and the sum as the last one.
    #[must_use]
    pub fn table(&self) -> String {
        let width = self.components.keys().map(String::len).max().unwrap_or_default().max("component".len());
        let mut table = format!("{:<width$}  {:>7}  {:>7}  {:>7}\n", "component", "passed", "failed", "skipped");
        for (component, Counts { passed, failed, skipped }) in &self.components {
            table.push_str(&format!("{component:<width$}  {passed:>7}  {failed:>7}  {skipped:>7}\n"));
        }
        let Counts { passed, failed, skipped } = self.total();
        table.push_str(&format!("\n{passed} passed, {failed} failed, {skipped} skipped"));
        table
    }

    /// Reads the output of `cargo test`, both streams in the order in which they were written.
    ///
    /// Unit tests count under their crate, integration tests under their first module or else their file, documentation
    /// under its own name. Tests that are ignored because something else runs them are not counted.
    pub fn add_cargo_test(&mut self, output: &str) {
        let mut source = Source::Unit("unknown".to_owned());
        for line in output.lines() {
            if let Some(next) = Source::read(line) {
                source = next;
            } else if let Some((name, counts)) = read_test_line(line) {
                self.add(&source.component(name), counts);
            }
        }
    }

    /// Reads Playwright's JSON report.
    ///
    /// # Errors
    /// When it is no such report.
    pub fn add_playwright(&mut self, report: &str) -> Result<()> {
        let report: Value = serde_json::from_str(report).context("Playwright's report is no JSON")?;
        let count = |key: &str| {
            report["stats"][key].as_u64().with_context(|| format!("Playwright's report has no number stats.{key}"))
        };
        // A flaky test failed once: it is not let pass.
        let counts = Counts {
            passed: count("expected")?,
            failed: count("unexpected")? + count("flaky")?,
            skipped: count("skipped")?,
        };
        self.add("browser", counts);
        Ok(())
    }
}

/// The test binary whose lines are being read.
#[derive(Debug, PartialEq, Eq)]
enum Source {
    /// The unit tests of a crate.
    Unit(String),
    /// An integration-test binary, by its file's name.
    Integration(String),
    /// Examples in documentation.
    Documentation,
}

impl Source {
    /// `     Running unittests src/lib.rs (…/deps/podium_domain-0123abcd)` and its like.
    fn read(line: &str) -> Option<Self> {
        let line = line.trim_start();
        if line.starts_with("Doc-tests ") {
            return Some(Self::Documentation);
        }
        let running = line.strip_prefix("Running ")?;
        let binary = running.rsplit('/').next()?.trim_end_matches(')');
        let name = binary.rsplit_once('-').map_or(binary, |(name, _)| name);
        if running.starts_with("unittests ") {
            Some(Self::Unit(name.strip_prefix("podium_").unwrap_or(name).to_owned()))
        } else {
            Some(Self::Integration(name.to_owned()))
        }
    }

    fn component(&self, test: &str) -> String {
        match self {
            Self::Unit(name) => name.clone(),
            Self::Integration(file) => {
                format!("integration: {}", test.split_once("::").map_or(file.as_str(), |(module, _)| module))
            }
            Self::Documentation => "documentation".to_owned(),
        }
    }
}

/// Reasons of ignored tests that are no skips: another make target runs them, or another test does, as a process.
const NOT_OURS: [&str; 2] = ["ignored, make ", "ignored, a process that other tests start"];

/// `test path::name ... ok`, `... FAILED`, `... ignored, why`; a documentation test has spaces in its name.
fn read_test_line(line: &str) -> Option<(&str, Counts)> {
    let (name, outcome) = line.strip_prefix("test ")?.rsplit_once(" ... ")?;
    let counts = match outcome {
        "ok" => Counts { passed: 1, ..Counts::default() },
        "FAILED" => Counts { failed: 1, ..Counts::default() },
        _ if NOT_OURS.iter().any(|reason| outcome.starts_with(reason)) => Counts::default(),
        _ if outcome.starts_with("ignored") => Counts { skipped: 1, ..Counts::default() },
        _ => return None,
    };
    Some((name, counts))
}

#[cfg(test)]
mod tests {
    use super::*;

    const CARGO_TEST: &str = "\
     Running unittests src/lib.rs (/t/debug/deps/podium_domain-0123abcd)

running 2 tests
test rank::tests::fastest_wins ... ok
test rank::tests::ties ... FAILED
     Running tests/main.rs (/t/debug/deps/main-0123abcd)
test worker::runs_a_plan ... ok
test llama_server::answers ... ignored
test engines::all ... ignored, make test-engines
test starts_at_once ... ok
   Doc-tests podium_domain
test crates/domain/src/rank.rs - rank (line 12) - compile ... ok
";

    #[test]
    fn cargo_tests_are_told_apart_by_component() {
        let mut tally = Tally::default();
        tally.add_cargo_test(CARGO_TEST);
        let counts = |component: &str| tally.components[component];
        assert_eq!(counts("domain"), Counts { passed: 1, failed: 1, skipped: 0 });
        assert_eq!(counts("integration: worker").passed, 1);
        assert_eq!(counts("integration: llama_server").skipped, 1);
        assert_eq!(counts("integration: engines"), Counts::default());
        assert_eq!(counts("integration: main").passed, 1);
        assert_eq!(counts("documentation").passed, 1);
        assert!(tally.table().ends_with("\n4 passed, 1 failed, 1 skipped"));
    }

    #[test]
    fn a_flaky_browser_test_is_a_failure() {
        let mut tally = Tally::default();
        tally
            .add_playwright(r#"{"stats":{"expected":5,"unexpected":1,"flaky":1,"skipped":2}}"#)
            .expect("a report with statistics");
        assert_eq!(tally.total(), Counts { passed: 5, failed: 2, skipped: 2 });
        assert!(tally.add_playwright("{}").is_err());
    }
}
