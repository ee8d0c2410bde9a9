//! `benchmark.qps` and `benchmark.concurrency_search`: where the highest load is searched.

use std::fmt::Display;

use podium_domain::plan::{Benchmark, ConcurrencyRange, Dataset, QpsRange, SearchRange};

use super::context::{At, Findings, Section};
use super::problem::Problem;
use super::workload::{MAX_CONCURRENCY, MAX_RATE_RPS};

/// `qps`
pub(super) fn rate(findings: &mut Findings, at: &At<'_>) -> Option<QpsRange> {
    let load = |findings: &mut Findings, at: &At<'_>| findings.positive(at, MAX_RATE_RPS);
    range(findings, at, load, 0.1, "a rate search needs `lower` and `upper`, requests per second")
}

/// `concurrency_search`
pub(super) fn concurrency(findings: &mut Findings, at: &At<'_>) -> Option<ConcurrencyRange> {
    let load = |findings: &mut Findings, at: &At<'_>| findings.whole(at, 1..=MAX_CONCURRENCY);
    range(findings, at, load, 1, "a concurrency search needs `lower` and `upper`, requests in flight")
}

/// Whether there are requests enough to keep the searched number in flight.
pub(super) fn enough_requests(findings: &mut Findings, dataset: &Dataset, benchmark: &Benchmark) {
    let Some(upper) = benchmark.concurrency_search.map(|range| range.upper) else { return };
    if upper > dataset.num_prompts {
        let message = format!(
            "at most the {} requests of `dataset.num_prompts` can be in flight: lower it, or raise those",
            dataset.num_prompts
        );
        findings.problems.push(Problem::new("benchmark.concurrency_search.upper", None, message));
    }
}

/// A search's range, whose loads `load` reads; `needed` says what a range without an end lacks.
fn range<T: Copy + PartialOrd + Display>(
    findings: &mut Findings,
    at: &At<'_>,
    load: impl Fn(&mut Findings, &At<'_>) -> Option<T>,
    default_tolerance: T,
    needed: &str,
) -> Option<SearchRange<T>> {
    let mut section = findings.section(at)?;
    let bound = |findings: &mut Findings, section: &mut Section<'_>, key: &'static str| match section.get(key) {
        Some(at) => load(findings, &at),
        None => {
            findings.missing(section, key, format!("is missing: {needed}"));
            None
        }
    };
    let lower = bound(findings, &mut section, "lower");
    let upper = bound(findings, &mut section, "upper");
    let tolerance = match section.get("tolerance") {
        Some(at) => load(findings, &at),
        None => {
            findings.fill(section.child("tolerance"), default_tolerance);
            Some(default_tolerance)
        }
    };
    let max_rounds = match section.get("max_rounds") {
        Some(at) => findings.whole(&at, 1..=30),
        None => {
            findings.fill(section.child("max_rounds"), 5);
            Some(5)
        }
    };
    if let (Some(lower), Some(upper)) = (lower, upper)
        && lower >= upper
    {
        findings.problem(at, format!("`lower` must be below `upper`, found {lower} and {upper}"));
    }
    findings.finish(section);
    Some(SearchRange { lower: lower?, upper: upper?, tolerance: tolerance?, max_rounds: max_rounds? })
}
