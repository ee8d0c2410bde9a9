//! `podium candidates`

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use podium_domain::candidate::{Candidate, generate_all};
use podium_domain::flags::word;
use podium_domain::framework::Framework;
use serde_json::json;

use super::{plans, print};

/// List the server commands that a plan stands for
#[derive(Debug, Args)]
#[command(
    after_help = "Options of TensorRT-LLM that have no flag go into a YAML file that the command names; a run writes it, and its
content is shown below the command.

Examples:
  podium candidates plan.yaml
  podium candidates plan.yaml --framework vllm --json"
)]
pub(super) struct CandidatesArgs {
    /// The plan
    plan: PathBuf,

    /// Only this framework's
    #[arg(long)]
    framework: Option<Framework>,

    /// Print JSON for programs
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &CandidatesArgs) -> anyhow::Result<ExitCode> {
    let Some(plan) = plans::read(&args.plan)? else { return Ok(ExitCode::FAILURE) };
    let wanted = |framework: Framework| args.framework.is_none_or(|only| only == framework);
    let sets = generate_all(&plan)?;
    let candidates: Vec<&Candidate> =
        sets.iter().flat_map(|set| &set.candidates).filter(|candidate| wanted(candidate.framework)).collect();
    if args.json {
        let list: Vec<_> = candidates
            .iter()
            .map(|c| {
                let mut entry = json!({
                    "framework": c.framework,
                    "candidate_id": c.candidate_id,
                    "flags": c.flags,
                    "argv": c.argv,
                    "command": c.command,
                });
                if let Some(file) = c.options_file() {
                    entry["options_file"] = json!(file);
                }
                entry
            })
            .collect();
        print(&format!("{}\n", serde_json::to_string_pretty(&list)?))?;
        return Ok(ExitCode::SUCCESS);
    }
    let lines: String = candidates.iter().map(|c| shown(c)).collect();
    print(&lines)?;
    for value in sets.iter().flat_map(|set| &set.untried).filter(|value| wanted(value.framework)) {
        eprintln!(
            "not tried within the limit: {} {}={}; raise search.max_candidates_per_framework",
            value.framework,
            value.knob,
            word(&value.value)
        );
    }
    Ok(ExitCode::SUCCESS)
}

/// The id, the command, and what is in the file that the command names.
fn shown(candidate: &Candidate) -> String {
    let mut text = format!("{}\n    {}\n", candidate.candidate_id, candidate.command);
    if let Some(file) = candidate.options_file() {
        text.push_str(&format!("    {}:\n", file.name));
        text.extend(file.text.lines().map(|line| format!("        {line}\n")));
    }
    text
}
