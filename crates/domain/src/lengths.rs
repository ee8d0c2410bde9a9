//! The shape of drawn requests: how lengths spread, what prompts share, how many turns a conversation has.

mod text;

use std::ops::RangeInclusive;

use serde::{Deserialize, Serialize};

/// How lengths spread around the one that a scenario gives.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case", deny_unknown_fields)]
pub enum LengthSpread {
    /// Every request has the scenario's length.
    #[default]
    Fixed,
    /// Evenly between `len × (1 − ratio)` and `len × (1 + ratio)`.
    Uniform {
        /// In [0, 1].
        ratio: f64,
    },
    /// Normally distributed around the scenario's length, within three deviations.
    Normal {
        /// The standard deviation as a share of the length, above 0.
        deviation: f64,
        /// Nothing longer is drawn, tokens.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        max: Option<u32>,
    },
    /// Log-normally distributed with the scenario's length as the median, within three deviations of the logarithm.
    LogNormal {
        /// The standard deviation of the natural logarithm, above 0.
        sigma: f64,
        /// Nothing longer is drawn, tokens.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        max: Option<u32>,
    },
    /// Drawn from recorded lengths; the scenario's own length is only a name for them.
    Empirical {
        /// A file with one length a line, tokens.
        path: String,
    },
}

/// Draws beyond this many deviations are drawn again.
const DEVIATIONS: f64 = 3.0;

impl LengthSpread {
    /// The shortest and the longest length that is drawn around `len`, tokens; `None` where a file says.
    pub fn bounds(&self, len: u32) -> Option<RangeInclusive<u32>> {
        let len_f = f64::from(len);
        // A float cast saturates, and what is below 1 token becomes 1.
        let tokens = |value: f64| (value.round() as u32).max(1);
        let capped = |low: f64, high: f64, max: &Option<u32>| {
            let high = tokens(high).min(max.unwrap_or(u32::MAX)).max(1);
            tokens(low).min(high)..=high
        };
        match self {
            LengthSpread::Fixed => Some(len..=len),
            LengthSpread::Uniform { ratio } => Some(capped(len_f * (1.0 - ratio), len_f * (1.0 + ratio), &None)),
            LengthSpread::Normal { deviation, max } => {
                let reach = DEVIATIONS * deviation;
                Some(capped(len_f * (1.0 - reach), len_f * (1.0 + reach), max))
            }
            LengthSpread::LogNormal { sigma, max } => {
                let reach = (DEVIATIONS * sigma).exp();
                Some(capped(len_f / reach, len_f * reach, max))
            }
            LengthSpread::Empirical { .. } => None,
        }
    }

    /// Whether every request has the scenario's length.
    pub fn is_fixed(&self) -> bool {
        *self == LengthSpread::Fixed
    }
}

/// Prompts that begin alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SharedPrefix {
    /// Different beginnings; each prompt has one of them.
    pub groups: u32,
    /// Tokens of the beginning, which are part of the prompt's length.
    pub prefix_len: u32,
}

/// Requests that follow each other, each with everything that was said before.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Conversation {
    /// Requests of one conversation, at least 1.
    pub turns: u32,
    /// Between the end of an answer and the next turn, seconds.
    pub think_time_s: f64,
}

/// The shape of drawn requests. The default is requests of one length that share nothing.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct PromptShape {
    /// How prompt lengths spread; in a conversation, those of what each turn adds.
    #[serde(skip_serializing_if = "LengthSpread::is_fixed")]
    pub input_len: LengthSpread,
    /// How answer lengths spread.
    #[serde(skip_serializing_if = "LengthSpread::is_fixed")]
    pub output_len: LengthSpread,
    /// Beginnings that prompts share.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shared_prefix: Option<SharedPrefix>,
    /// Conversations instead of single requests.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub conversation: Option<Conversation>,
}

impl PromptShape {
    /// Prompt plus answer of the longest request around these lengths, tokens; `None` where a file of lengths says.
    pub fn longest_sequence(&self, input_len: u32, output_len: u32) -> Option<u32> {
        let input = *self.input_len.bounds(input_len)?.end();
        let output = *self.output_len.bounds(output_len)?.end();
        let turns = self.conversation.map_or(1, |conversation| conversation.turns.max(1));
        Some(input.saturating_add(output).saturating_mul(turns))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_follow_the_length() {
        assert_eq!(LengthSpread::Fixed.bounds(100), Some(100..=100));
        assert_eq!(LengthSpread::Uniform { ratio: 0.25 }.bounds(100), Some(75..=125));
        assert_eq!(LengthSpread::Normal { deviation: 0.5, max: None }.bounds(100), Some(1..=250));
        assert_eq!(LengthSpread::Normal { deviation: 0.1, max: Some(120) }.bounds(100), Some(70..=120));
        let log_normal = LengthSpread::LogNormal { sigma: 1.0, max: None }.bounds(100);
        assert_eq!(log_normal, Some(5..=2009));
        assert_eq!(LengthSpread::Empirical { path: "l".into() }.bounds(100), None);
    }

    #[test]
    fn a_conversation_ends_with_all_of_its_turns() {
        let conversation = Some(Conversation { turns: 3, think_time_s: 1.0 });
        let shape = PromptShape { conversation, ..PromptShape::default() };
        assert_eq!(shape.longest_sequence(100, 20), Some(360));
        assert_eq!(PromptShape::default().longest_sequence(u32::MAX, 20), Some(u32::MAX));
    }

    #[test]
    fn shapes_survive_their_json() {
        let shape = PromptShape {
            input_len: LengthSpread::LogNormal { sigma: 0.5, max: None },
            shared_prefix: Some(SharedPrefix { groups: 2, prefix_len: 8 }),
            ..PromptShape::default()
        };
        let json = serde_json::to_string(&shape).unwrap();
        assert!(!json.contains("output_len"), "{json}");
        assert_eq!(serde_json::from_str::<PromptShape>(&json).unwrap(), shape);
        assert_eq!(serde_json::from_str::<PromptShape>("{}").unwrap(), PromptShape::default());
    }
}
