//! The options of `podium load` that shape random prompts, as the keys of a plan's `dataset` do.

use clap::Args;
use podium_domain::lengths::{Conversation, LengthSpread, PromptShape, SharedPrefix};

use super::seconds;

/// How random prompts spread and what they share.
#[derive(Debug, Args)]
pub(super) struct ShapeArgs {
    /// Spread of --input-len: uniform:RATIO, normal:DEVIATION[:MAX], log_normal:SIGMA[:MAX] or empirical:FILE
    #[arg(long, value_name = "SPREAD", default_value_t, hide_default_value = true, conflicts_with = "dataset")]
    input_len_distribution: LengthSpread,

    /// Spread of --output-len, written in the same way
    #[arg(long, value_name = "SPREAD", default_value_t, hide_default_value = true, conflicts_with = "dataset")]
    output_len_distribution: LengthSpread,

    /// Every prompt begins with one of so many texts of so many tokens, for example 4x512
    #[arg(long, value_name = "GROUPSxTOKENS", conflicts_with = "dataset")]
    shared_prefix: Option<SharedPrefix>,

    /// Conversations of so many requests, each with everything said before
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1000), conflicts_with = "dataset")]
    turns: Option<u32>,

    /// Between an answer and the next turn
    #[arg(long, value_name = "SECONDS", value_parser = seconds, requires = "turns")]
    think_time: Option<f64>,
}

impl ShapeArgs {
    /// What the load process is told.
    pub(super) fn prompt_shape(&self) -> PromptShape {
        let conversation = |turns| Conversation { turns, think_time_s: self.think_time.unwrap_or(0.0) };
        PromptShape {
            input_len: self.input_len_distribution.clone(),
            output_len: self.output_len_distribution.clone(),
            shared_prefix: self.shared_prefix,
            // One turn is a request as any other.
            conversation: self.turns.filter(|turns| *turns > 1).map(conversation),
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::super::LoadArgs;
    use super::*;

    #[derive(Parser)]
    struct Load {
        #[command(flatten)]
        args: LoadArgs,
    }

    fn read(options: &str) -> Result<PromptShape, clap::Error> {
        let line = format!("load --base-url http://127.0.0.1:1 --model m --burst {options}");
        Ok(Load::try_parse_from(line.split(' '))?.args.shape.prompt_shape())
    }

    #[test]
    fn options_are_the_plans_keys() {
        let lengths = "--input-len 900 --output-len 90";
        assert_eq!(read(lengths).unwrap(), PromptShape::default());
        let shaped = format!(
            "{lengths} --input-len-distribution uniform:0.2 --output-len-distribution log_normal:0.5:400 \
             --shared-prefix 4x512 --turns 3 --think-time 2s"
        );
        let expected = PromptShape {
            input_len: LengthSpread::Uniform { ratio: 0.2 },
            output_len: LengthSpread::LogNormal { sigma: 0.5, max: Some(400) },
            shared_prefix: Some(SharedPrefix { groups: 4, prefix_len: 512 }),
            conversation: Some(Conversation { turns: 3, think_time_s: 2.0 }),
        };
        assert_eq!(read(&shaped).unwrap(), expected);
        assert_eq!(read(&format!("{lengths} --turns 1")).unwrap(), PromptShape::default());
        for refused in ["--think-time 2", "--turns 0", "--shared-prefix 512", "--input-len-distribution wide"] {
            assert!(read(&format!("{lengths} {refused}")).is_err(), "{refused}");
        }
        assert!(read("--dataset requests.jsonl --turns 3").is_err(), "a file's requests are as they are");
    }
}
