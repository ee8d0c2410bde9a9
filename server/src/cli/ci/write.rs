//! The comparison for people and for pipelines.

use std::fmt::Write as _;

use podium_domain::report::figure;
use uuid::Uuid;

use super::verdict::{Line, Verdict};

/// As Markdown: the answer first, then a table.
pub(super) fn markdown(verdict: &Verdict, baseline: Uuid, run: Uuid) -> String {
    let failed = verdict.lines.iter().filter(|line| line.failure.is_some()).count();
    let limit = verdict.max_regression * 100.0;
    let answer = match (verdict.lines.len(), failed) {
        (0, _) => "The baseline measured nothing to compare with.".to_owned(),
        (_, 0) => format!("No regression: nothing lost more than {limit:.1} % of its throughput."),
        (all, failed) => format!("Regression in {failed} of {all} comparisons."),
    };
    let mut text = format!("**{answer}**\n\n");
    if !verdict.lines.is_empty() {
        text.push_str(
            "| scenario | framework | baseline req/s | now req/s | change | |\n|---|---|---:|---:|---:|---|\n",
        );
    }
    for line in &verdict.lines {
        let now = line.now_rps.map_or_else(|| "–".to_owned(), figure);
        let change = line.change().map_or_else(|| "–".to_owned(), |change| format!("{:+.1} %", change * 100.0));
        let said = line.failure.as_deref().unwrap_or("ok");
        let (scenario, framework) = (cell(&line.scenario), cell(&line.framework));
        // Writing to a text never fails.
        let _ = writeln!(
            text,
            "| {scenario} | {framework} | {} | {now} | {change} | {} |",
            figure(line.before_rps),
            cell(said)
        );
    }
    let _ = writeln!(text, "\nBaseline: run {baseline}. This run: {run}.");
    text
}

/// As JUnit XML: a test case for each comparison.
pub(super) fn junit(verdict: &Verdict) -> String {
    let failed = verdict.lines.iter().filter(|line| line.failure.is_some()).count();
    let cases: String = verdict.lines.iter().map(case).collect();
    format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n<testsuite name=\"podium\" tests=\"{}\" \
         failures=\"{failed}\">\n{cases}</testsuite>\n</testsuites>\n",
        verdict.lines.len()
    )
}

fn case(line: &Line) -> String {
    let head = format!("<testcase classname=\"{}\" name=\"{}\"", escaped(&line.scenario), escaped(&line.framework));
    match &line.failure {
        None => format!("{head}/>\n"),
        Some(failure) => {
            let candidate = line.candidate_id.as_deref().unwrap_or("no candidate");
            let (failure, candidate) = (escaped(failure), escaped(candidate));
            format!("{head}><failure message=\"{failure}\">{candidate}</failure></testcase>\n")
        }
    }
}

/// Text inside an element or an attribute. What XML has no place for is replaced.
fn escaped(text: &str) -> String {
    text.chars().fold(String::new(), |mut out, c| {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            c if c.is_control() => out.push(' '),
            c => out.push(c),
        }
        out
    })
}

/// Text inside a cell of a table.
fn cell(text: &str) -> String {
    text.replace(['\n', '\r'], " ").replace('|', "\\|")
}

#[cfg(test)]
mod tests {
    use super::super::verdict::tests::report;
    use super::*;

    #[test]
    fn people_and_pipelines_read_the_same() {
        let mut verdict = Verdict::of(
            &report(&[("vllm", 10.0, true), ("sglang", 20.0, true)]),
            &report(&[("vllm", 10.0, true), ("sglang", 10.0, true)]),
            0.03,
        );
        verdict.lines[1].scenario = "a|b \"<&".to_owned();
        let text = markdown(&verdict, Uuid::nil(), Uuid::nil());
        assert!(text.starts_with("**Regression in 1 of 2 comparisons.**"), "{text}");
        assert!(text.contains("| chat | SGLang | 20") && text.contains("-50.0 %") && text.contains("a\\|b"), "{text}");
        let xml = junit(&verdict);
        assert!(xml.contains("tests=\"2\" failures=\"1\""), "{xml}");
        assert!(xml.contains("<testcase classname=\"a|b &quot;&lt;&amp;\" name=\"vLLM\"/>"), "{xml}");
        assert!(
            xml.contains("<failure message=\"50.0 % of the throughput is lost, and 3.0 % may be\">sglang-10"),
            "{xml}"
        );
    }
}
