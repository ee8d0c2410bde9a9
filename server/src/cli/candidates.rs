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
#[command(after_help = "Examples:
  podium candidates plan.yaml
  podium candidates plan.yaml --framework vllm --json")]
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
                json!({
                    "framework": c.framework,
                    "candidate_id": c.candidate_id,
                    "flags": c.flags,
                    "argv": c.argv,
                    "command": c.command,
                })
            })
            .collect();
        print(&format!("{}\n", serde_json::to_string_pretty(&list)?))?;
        return Ok(ExitCode::SUCCESS);
    }
    let lines: String = candidates.iter().map(|c| format!("{}\n    {}\n", c.candidate_id, c.command)).collect();
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
