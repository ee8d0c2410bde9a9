//! What must hold for any input, whoever made it.

use podium_domain::candidate::generate_all;
use podium_domain::form::PlanEdit;
use podium_formats::help::{self, HelpSet};
use podium_formats::{plan, rows};

/// What an input is read as.
#[derive(Debug, Clone, Copy)]
pub enum Kind {
    /// A plan.
    Plan,
    /// A help text.
    Help,
    /// A file of TensorRT-LLM's options.
    Options,
    /// Result rows.
    Rows,
}

/// Checks one input; whether it was valid, or which invariant it broke.
pub fn check(kind: Kind, input: &[u8], help: &HelpSet) -> Result<bool, String> {
    let text = String::from_utf8_lossy(input);
    match kind {
        Kind::Plan => check_plan(&text, help),
        Kind::Help => {
            let parsed = help::parse(&text);
            let named = parsed.flags.keys().all(|name| parsed.knows(name));
            if named { Ok(parsed.is_usable()) } else { Err("a flag is not found under its own name".to_owned()) }
        }
        Kind::Options => Ok(plan::check_tensorrt_options(&text).problems.is_empty()),
        Kind::Rows => {
            let read = rows::read(input).map_err(|error| error.to_string())?;
            let mut written = Vec::new();
            rows::write(&mut written, &read.rows).map_err(|error| error.to_string())?;
            let again = rows::read(written.as_slice()).map_err(|error| error.to_string())?;
            if again.rows.len() != read.rows.len() || !again.problems.is_empty() {
                return Err("a row that was written does not read back".to_owned());
            }
            Ok(read.problems.is_empty() && !read.rows.is_empty())
        }
    }
}

fn check_plan(text: &str, help: &HelpSet) -> Result<bool, String> {
    let reading = plan::read(text);
    if reading.plan.is_some() != reading.problems.is_empty() {
        return Err("a plan and problems, or neither".to_owned());
    }
    let _ = plan::read_with_help(text, Some(help));
    let _ = plan::project(text);
    let edit = PlanEdit::SetScalar { path: "dataset.num_prompts".to_owned(), value: "21".to_owned() };
    let edited = plan::apply(text, &edit);
    let Some(found) = reading.plan else { return Ok(false) };
    if let Ok(edited) = edited
        && plan::read(&edited).plan.is_none_or(|plan| plan.dataset.num_prompts != 21)
    {
        return Err("an edit of a valid plan did not do what it says".to_owned());
    }
    let limit = found.search.max_candidates_per_framework as usize;
    for set in generate_all(&found).map_err(|error| error.to_string())? {
        let baseline_first = set.candidates.first().is_some_and(|candidate| candidate.baseline);
        if !baseline_first || set.candidates.len() > limit {
            return Err("no baseline in front, or more candidates than the limit".to_owned());
        }
    }
    Ok(true)
}
