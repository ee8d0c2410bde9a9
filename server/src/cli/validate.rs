//! `podium validate`

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::Args;
use podium_formats::help;
use podium_formats::plan::{self, Surroundings};
use serde_json::json;

use super::{plans, print};

/// Check plan files: every mistake at once, each with its place
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  podium validate plan.yaml
  podium validate configs/ --json
  podium validate plan.yaml --help-dir ./help    flags are checked against captured --help texts
  podium validate plan.yaml --strict             other tools of the format have to take it too

A line of output is `file:line: place in the plan: message`. The files of a help folder are told by their names: sglang
and launch, vllm and serve, trtllm and serve, tokenspeed and serve, llama and server.

Exit code 1 when any file has a problem.")]
pub(super) struct ValidateArgs {
    /// Plan files, or folders with .yaml and .yml files at any depth
    #[arg(required = true, value_name = "FILE OR FOLDER")]
    files: Vec<PathBuf>,

    /// A folder of captured --help texts of the frameworks
    #[arg(long, value_name = "FOLDER")]
    help_dir: Option<PathBuf>,

    /// Demand the full schema: what Podium would fill in for a run plan is a problem
    #[arg(long)]
    strict: bool,

    /// Print JSON for programs
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &ValidateArgs) -> anyhow::Result<ExitCode> {
    let help = match &args.help_dir {
        Some(dir) => {
            Some(help::folder(dir).with_context(|| format!("cannot read the help texts in {}", dir.display()))?)
        }
        None => None,
    };
    let mut failed = false;
    let mut entries = Vec::new();
    let mut text = String::new();
    for file in plans::files(&args.files)? {
        let yaml = plans::text(&file)?;
        let longest_row = plans::longest_row(&file);
        let surroundings = Surroundings { help: help.as_ref(), longest_row: Some(&longest_row) };
        let reading = plan::read_with(&yaml, &surroundings);
        let mut problems = if args.strict { plan::strict_problems(&reading) } else { reading.problems };
        let mut warnings = reading.warnings;
        let options = plan::check_options_files(&yaml, &|name| plans::text_beside(&file, name));
        problems.extend(options.problems);
        warnings.extend(options.warnings);
        // Stable: several problems of one line keep the order of the checks.
        problems.sort_by_key(|problem| problem.line);
        warnings.sort_by_key(|warning| warning.line);
        let valid = problems.is_empty() && reading.plan.is_some();
        failed |= !valid;
        if args.json {
            entries.push(json!({
                "file": file,
                "valid": valid,
                "problems": problems,
                "warnings": warnings,
                "filled": reading.filled,
            }));
            continue;
        }
        for problem in &problems {
            text.push_str(&format!("{}\n", plans::line(&file, problem)));
        }
        for warning in &warnings {
            text.push_str(&format!("warning: {}\n", plans::line(&file, warning)));
        }
        for filled in &reading.filled {
            text.push_str(&format!("filled in: {}: {}: {}\n", file.display(), filled.path, filled.value));
        }
        if valid {
            text.push_str(&format!("{}: valid\n", file.display()));
        }
    }
    if args.json {
        text = format!("{}\n", serde_json::to_string_pretty(&entries)?);
    }
    print(&text)?;
    Ok(if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}
