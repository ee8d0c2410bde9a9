//! How long the requests of a file are.

use podium_domain::stats::percentile;
use serde::Serialize;

use super::{CanonicalRequest, DatasetFile, DatasetRows, Prompt, estimated_tokens};
use crate::error::Error;
use crate::tokenizer::PromptTokenizer;

/// How prompt lengths were found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Measured {
    /// The file says them.
    Stated,
    /// The tokenizer counted them; a chat template adds to them.
    Tokenizer,
    /// Four characters are taken as a token.
    Estimate,
}

/// The lengths of every request of a file, tokens, in the file's order.
#[derive(Debug, Clone, PartialEq)]
pub struct RowLengths {
    /// How `input` was found.
    pub measured: Measured,
    /// Of the prompts.
    pub input: Vec<u32>,
    /// Of the answers.
    pub output: Vec<u32>,
}

/// Tokens that a chat template puts around one message, about: role, beginning and end marks. Counted for sequence
/// limits, where too much is safer than too little.
const TEMPLATE_TOKENS_PER_MESSAGE: u32 = 8;

impl RowLengths {
    /// Measures every row.
    ///
    /// # Errors
    /// When the tokenizer cannot encode a prompt.
    pub fn of(file: &DatasetFile, tokenizer: Option<&PromptTokenizer>) -> Result<Self, Error> {
        match &file.rows {
            DatasetRows::Trace(rows) => Ok(RowLengths {
                measured: Measured::Stated,
                input: rows.iter().map(|row| row.input_length).collect(),
                output: rows.iter().map(|row| row.output_length).collect(),
            }),
            DatasetRows::Requests(rows) => Ok(RowLengths {
                measured: if tokenizer.is_some() { Measured::Tokenizer } else { Measured::Estimate },
                input: rows.iter().map(|row| prompt_tokens(row, tokenizer)).collect::<Result<_, _>>()?,
                output: rows.iter().map(|row| row.output_len).collect(),
            }),
        }
    }

    /// Prompt plus answer of the longest request, tokens.
    pub fn longest_sequence(&self) -> u32 {
        self.input.iter().zip(&self.output).map(|(input, output)| input.saturating_add(*output)).max().unwrap_or(0)
    }
}

/// Tokens of a row's prompt; a chat message is counted with what a template puts around it.
fn prompt_tokens(row: &CanonicalRequest, tokenizer: Option<&PromptTokenizer>) -> Result<u32, Error> {
    match (&row.prompt, tokenizer) {
        (Prompt::Text(text), Some(tokenizer)) => tokenizer.count(text),
        (Prompt::Text(text), None) => Ok(estimated_tokens(text.chars().count())),
        (Prompt::Chat(messages), tokenizer) => {
            let mut tokens = 0u32;
            for message in messages {
                let text = content(message.get("content"));
                let inside = match tokenizer {
                    Some(tokenizer) => tokenizer.count_inside(&text)?,
                    None => estimated_tokens(text.chars().count()),
                };
                tokens = tokens.saturating_add(inside).saturating_add(TEMPLATE_TOKENS_PER_MESSAGE);
            }
            Ok(tokens)
        }
    }
}

/// The text of a message, its parts joined.
fn content(content: Option<&serde_json::Value>) -> String {
    match content {
        Some(serde_json::Value::String(text)) => text.clone(),
        Some(serde_json::Value::Array(parts)) => {
            let texts: Vec<_> = parts.iter().filter_map(|part| part.get("text")?.as_str()).collect();
            texts.join("\n")
        }
        _ => String::new(),
    }
}

/// The figures of one kind of length.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LengthFigures {
    /// The shortest, tokens.
    pub min: u32,
    /// The median, tokens.
    pub p50: f64,
    /// The 95th percentile, tokens.
    pub p95: f64,
    /// The longest, tokens.
    pub max: u32,
    /// The arithmetic mean, tokens.
    pub mean: f64,
    /// How many lengths fall into each of some equally wide ranges, as `[from, to, count]` with `to` outside.
    pub histogram: Vec<(u32, u32, u32)>,
}

impl LengthFigures {
    /// The figures of some lengths, with at most `bins` ranges; `None` without a length.
    pub fn of(lengths: &[u32], bins: u32) -> Option<Self> {
        let mut sorted = lengths.to_vec();
        sorted.sort_unstable();
        let (min, max) = (*sorted.first()?, *sorted.last()?);
        let values: Vec<f64> = sorted.iter().map(|length| f64::from(*length)).collect();
        let width = (max - min + 1).div_ceil(bins.max(1)).max(1);
        let mut histogram: Vec<(u32, u32, u32)> = (0..(max - min + 1).div_ceil(width))
            .map(|bin| (min + bin * width, (min + bin * width).saturating_add(width), 0))
            .collect();
        for length in &sorted {
            if let Some(bin) = histogram.get_mut(((length - min) / width) as usize) {
                bin.2 += 1;
            }
        }
        Some(LengthFigures {
            min,
            p50: percentile(&values, 50.0)?,
            p95: percentile(&values, 95.0)?,
            max,
            mean: values.iter().sum::<f64>() / values.len() as f64,
            histogram,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dataset::{ReadOptions, parse_dataset};
    use crate::tokenizer::tests::fixture;

    #[test]
    fn every_length_is_in_one_range() {
        let figures = LengthFigures::of(&[1, 5, 5, 9, 100], 10).unwrap();
        assert_eq!((figures.min, figures.max, figures.p50, figures.mean), (1, 100, 5.0, 24.0));
        assert_eq!(figures.histogram.iter().map(|bin| bin.2).sum::<u32>(), 5);
        assert_eq!((figures.histogram[0], figures.histogram.len()), ((1, 11, 4), 10));
        assert_eq!(LengthFigures::of(&[7], 10).unwrap().histogram, [(7, 8, 1)]);
        assert_eq!(LengthFigures::of(&[], 10), None);
    }

    #[test]
    fn rows_are_counted_with_what_a_template_adds() {
        let text = concat!(
            r#"{"prompt": "the cat", "output_len": 5}"#,
            "\n",
            r#"{"prompt": [{"role": "user", "content": "the cat"}], "output_len": 7}"#,
        );
        let file = parse_dataset(text, &ReadOptions::default()).unwrap();
        let tokenizer = PromptTokenizer::load(&fixture()).unwrap();
        let lengths = RowLengths::of(&file, Some(&tokenizer)).unwrap();
        let inside = tokenizer.count_inside("the cat").unwrap();
        assert_eq!(lengths.measured, Measured::Tokenizer);
        assert_eq!(lengths.input, [inside + 1, inside + TEMPLATE_TOKENS_PER_MESSAGE]);
        assert_eq!(lengths.longest_sequence(), inside + TEMPLATE_TOKENS_PER_MESSAGE + 7);
        let estimated = RowLengths::of(&file, None).unwrap();
        assert_eq!((estimated.measured, estimated.input[0]), (Measured::Estimate, 2));
    }
}
