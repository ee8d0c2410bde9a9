//! `podium sim`

use std::process::ExitCode;

use clap::Args;
use podium_domain::framework::Framework;

/// Serve a simulated engine that takes a framework's own flags
#[derive(Debug, Args)]
#[command(
    disable_help_flag = true,
    disable_version_flag = true,
    override_usage = "podium sim <FRAMEWORK> [FLAGS OF THAT FRAMEWORK]...",
    after_help = "Examples:
  podium sim vllm demo/model-8b --max-num-seqs 64 --port 8000
  podium sim sglang --model-path demo/model-8b --tp-size 2 --port 30000
  podium sim vllm --help"
)]
pub(super) struct SimArgs {
    /// sglang, vllm, tensorrt_llm, tokenspeed or llama_cpp
    framework: Framework,

    /// The framework's own command line; --help lists its flags
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, value_name = "FLAGS")]
    flags: Vec<String>,
}

pub(super) async fn run(args: SimArgs) -> ExitCode {
    podium_sim::run(args.framework, args.flags).await
}
