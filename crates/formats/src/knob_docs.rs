//! The knob tables as a page for people.

use std::fmt::Write as _;

use podium_domain::framework::Framework;
use podium_domain::knobs::{Family, Knob, KnobKind, TENSORRT_LLM_OPTIONS, concepts};

/// `docs/knobs.md`: every knob of every framework, with its type, its meaning, where it was seen and what the other
/// frameworks call it.
pub fn markdown() -> String {
    let mut text = String::from(
        "# Knobs\n\nThe flags that Podium knows by meaning, from its own tables. Every other flag of a listed release is \
         accepted too, and `podium validate --help-dir` checks all of them against the help texts of your releases.\n\n\
         What is said about a release is evidence from one image, not a promise about another. *Pinned* knobs stay fixed \
         in the base flags unless a plan searches them on purpose, which Podium warns about.\n",
    );
    for framework in Framework::ALL {
        let evidence = framework.evidence();
        let verified = if evidence.verified { "" } else { " **Unverified:** no running server was asked." };
        let (name, release) = (framework.name(), evidence.release);
        section(
            &mut text,
            &format!("## {name}\n\nFrom {release}: {}, {}.{verified}", evidence.taken_from, evidence.date),
        );
        for knob in framework.spec().knobs {
            let listed = framework.released_flags().any(|known| known == knob.name);
            let other = concepts::equivalents(framework, knob.name)
                .filter(|(_, name)| *name != knob.name)
                .map(|(framework, name)| format!("`{name}` ({})", framework.name()));
            row(
                &mut text,
                knob,
                if listed { "" } else { "of another release; " },
                &other.collect::<Vec<_>>().join(", "),
            );
        }
    }
    section(
        &mut text,
        "## TensorRT-LLM, in the file of `extra_llm_api_options`\n\nFrom published documentation up to 1.4.0rc1, November \
         2026. **Unverified:** no running server was asked, and a key that is not listed is no error.",
    );
    for knob in TENSORRT_LLM_OPTIONS {
        row(&mut text, knob, "", "");
    }
    text
}

fn section(text: &mut String, head: &str) {
    text.push_str(&format!("\n{head}\n\n| knob | acts on | value | meaning | elsewhere |\n|---|---|---|---|---|\n"));
}

fn row(text: &mut String, knob: &Knob, note: &str, elsewhere: &str) {
    let pinned = if knob.pinned { " (pinned)" } else { "" };
    let written = writeln!(
        text,
        "| `{}`{pinned} | {} | {} | {note}{} | {elsewhere} |",
        knob.name,
        family(knob.family),
        value(knob),
        knob.help
    );
    // Writing to a String cannot fail.
    debug_assert!(written.is_ok());
}

fn family(family: Family) -> &'static str {
    match family {
        Family::Model => "model",
        Family::Parallelism => "parallelism",
        Family::Memory => "memory",
        Family::Batching => "batching",
        Family::Attention => "kernels",
        Family::Graphs => "graphs",
        Family::PrefixAndSpeculative => "prefix cache, speculation",
        Family::Dtype => "number formats",
        Family::Other => "other",
    }
}

fn value(knob: &Knob) -> String {
    match knob.kind {
        KnobKind::Int => "whole number".to_owned(),
        KnobKind::Float => "number".to_owned(),
        KnobKind::Bool if knob.negatable => "switch, `no_` turns it off".to_owned(),
        KnobKind::Bool => "switch".to_owned(),
        KnobKind::Text => "text".to_owned(),
        KnobKind::Choice(words) => words.join(", "),
        KnobKind::Json => "mapping or list".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `UPDATE_DOCS=1 cargo test -p podium-formats knob_docs` writes the page anew.
    #[test]
    fn the_page_is_that_of_the_tables() {
        let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/knobs.md");
        if std::env::var_os("UPDATE_DOCS").is_some() {
            std::fs::write(page, markdown()).unwrap();
        }
        let written = std::fs::read_to_string(page).unwrap();
        assert!(
            written == markdown(),
            "docs/knobs.md is old: run UPDATE_DOCS=1 cargo test -p podium-formats knob_docs"
        );
    }

    #[test]
    fn every_knob_has_a_row_of_five_cells() {
        let knobs: usize = Framework::ALL.iter().map(|framework| framework.spec().knobs.len()).sum();
        let text = markdown();
        let rows: Vec<_> = text.lines().filter(|line| line.starts_with("| `")).collect();
        assert_eq!(rows.len(), knobs + TENSORRT_LLM_OPTIONS.len());
        for row in rows {
            assert_eq!(row.matches('|').count(), 6, "{row}");
        }
    }
}
