//! Prompts of set lengths, written piece by piece.

use std::ops::Range;

use crate::error::Error;
use crate::random::{TextCalibration, WORDS, token_ids};
use crate::rng::Rng;
use crate::tokenizer::PromptTokenizer;

/// A prompt that grows: a shared beginning, what a turn adds, an answer.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Draft {
    Ids(Vec<u32>),
    Text(TextDraft),
}

/// A text with what is known of its length.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct TextDraft {
    pub text: String,
    words: u32,
    /// Tokens, the special ones around the text included; of an exact writer alone.
    tokens: u32,
    /// Where the words of the last piece begin, each with the space before it.
    starts: Vec<usize>,
}

/// Writes prompts in one of the three ways that there are.
#[derive(Debug)]
pub(crate) enum Writer<'a> {
    /// Token ids: exact without a tokenizer.
    Ids(Range<u32>),
    /// Words, about as many tokens as the calibration says.
    Words(TextCalibration),
    /// Words that the tokenizer makes exactly so many tokens of.
    Exact(ExactWriter<'a>),
}

impl Writer<'_> {
    /// A draft without a word.
    pub fn blank(&self) -> Draft {
        match self {
            Writer::Ids(_) => Draft::Ids(Vec::new()),
            Writer::Words(_) => Draft::Text(TextDraft::default()),
            Writer::Exact(writer) => Draft::Text(TextDraft { tokens: writer.around, ..TextDraft::default() }),
        }
    }

    /// Tokens that a draft has before its first word.
    pub fn around(&self) -> u32 {
        match self {
            Writer::Ids(_) | Writer::Words(_) => 0,
            Writer::Exact(writer) => writer.around,
        }
    }

    /// Writes on until the draft has `total` tokens.
    pub fn extend_to(&self, draft: &mut Draft, total: u32, rng: &mut Rng) -> Result<(), Error> {
        match (self, draft) {
            (Writer::Ids(ids), Draft::Ids(written)) => {
                let more = total.saturating_sub(written.len() as u32);
                written.extend(token_ids(rng, ids, more));
                Ok(())
            }
            (Writer::Words(calibration), Draft::Text(draft)) => {
                draft.starts.clear();
                for _ in draft.words..calibration.words_for(total).max(draft.words + 1) {
                    draft.push(word(rng, &WORDS));
                }
                Ok(())
            }
            (Writer::Exact(writer), Draft::Text(draft)) => writer.extend_to(draft, total, rng),
            // A writer is only given the drafts that it began.
            (_, Draft::Ids(_) | Draft::Text(_)) => Ok(()),
        }
    }
}

impl TextDraft {
    fn push(&mut self, word: &str) {
        self.starts.push(self.text.len());
        if !self.text.is_empty() {
            self.text.push(' ');
        }
        self.text.push_str(word);
        self.words += 1;
    }

    /// Takes the last word of the last piece away; `false` where the piece has none.
    fn pop(&mut self) -> bool {
        let Some(start) = self.starts.pop() else { return false };
        self.text.truncate(start);
        self.words -= 1;
        true
    }
}

/// Finds texts of an exact number of tokens.
#[derive(Debug)]
pub(crate) struct ExactWriter<'a> {
    tokenizer: &'a PromptTokenizer,
    /// Whether the tokenizer's special tokens count.
    special: bool,
    /// Tokens of an empty prompt.
    around: u32,
    /// Words and how many tokens each adds to a text.
    costs: Vec<(&'static str, u32)>,
    /// Words that add one token; letters where there is no such word.
    single: Vec<&'static str>,
    /// What corrects a text by one token: letters, which are one token even without a space before them.
    fillers: Vec<&'static str>,
}

/// How often the tokenizer's count may differ from the sum of the words' before a text is given up.
const MAX_CORRECTIONS: u32 = 200;

/// Bytes of a text after which a new piece is counted with the end of the text alone. Longer texts would be encoded
/// again for each piece.
const CONTEXT_BYTES: usize = 256;

impl<'a> ExactWriter<'a> {
    /// A writer for prompts whose tokens are counted with the special ones (`special`, as on `/v1/completions`), or for
    /// the text inside a chat message that `around` tokens of a template surround.
    pub fn new(tokenizer: &'a PromptTokenizer, special: bool, around: u32) -> Result<Self, Error> {
        let around = if special { tokenizer.count("")? } else { around };
        let alone = tokenizer.count_inside("the")?;
        let cost = |word: &&'static str| {
            let tokens = tokenizer.count_inside(&format!("the {word}"))?;
            Ok((*word, tokens.saturating_sub(alone).max(1)))
        };
        let costs = WORDS.iter().map(cost).collect::<Result<Vec<_>, Error>>()?;
        let letters = LETTERS.iter().map(cost).collect::<Result<Vec<_>, Error>>()?;
        let one = |list: &[(&'static str, u32)]| -> Vec<_> {
            list.iter().filter(|(_, cost)| *cost == 1).map(|(word, _)| *word).collect()
        };
        let (words, letters) = (one(&costs), one(&letters));
        let fillers = if letters.is_empty() { words.clone() } else { letters };
        let single = if words.is_empty() { fillers.clone() } else { words };
        Ok(ExactWriter { tokenizer, special, around, costs, single, fillers })
    }

    fn extend_to(&self, draft: &mut TextDraft, total: u32, rng: &mut Rng) -> Result<(), Error> {
        draft.starts.clear();
        let from = context_start(&draft.text);
        // Tokens of the text before what is encoded again below.
        let before = draft.tokens - self.encoded(&draft.text, from)?.min(draft.tokens);
        let mut have = draft.tokens;
        while have < total {
            let (mut word, mut cost) = self.costs[rng.below(self.costs.len() as u64) as usize];
            if cost > total - have {
                if self.single.is_empty() {
                    return Err(Error::NoExactText { tokens: total });
                }
                (word, cost) = (self::word(rng, &self.single), 1);
            }
            draft.push(word);
            have += cost;
        }
        // The sum of the words is nearly always right; the tokenizer has the last word.
        for _ in 0..MAX_CORRECTIONS {
            let tokens = before + self.encoded(&draft.text, from)?;
            let going = match tokens.cmp(&total) {
                std::cmp::Ordering::Equal => {
                    draft.tokens = total;
                    return Ok(());
                }
                std::cmp::Ordering::Less if self.fillers.is_empty() => false,
                std::cmp::Ordering::Less => {
                    draft.push(word(rng, &self.fillers));
                    true
                }
                std::cmp::Ordering::Greater => draft.pop(),
            };
            if !going {
                break;
            }
        }
        Err(Error::NoExactText { tokens: total })
    }

    /// Tokens of `text` from the byte `from` on; with those around the prompt where that is its beginning.
    fn encoded(&self, text: &str, from: usize) -> Result<u32, Error> {
        let part = text.get(from..).unwrap_or_default();
        match (from, self.special) {
            (0, true) => self.tokenizer.count(part),
            (0, false) => Ok(self.around + self.tokenizer.count_inside(part)?),
            _ => self.tokenizer.count_inside(part),
        }
    }
}

/// Where the end of a text begins that is enough to count what follows it: at a space, so at the start of a word.
fn context_start(text: &str) -> usize {
    match text.len().checked_sub(CONTEXT_BYTES) {
        Some(from) => text.bytes().skip(from).position(|byte| byte == b' ').map_or(0, |at| from + at),
        None => 0,
    }
}

fn word(rng: &mut Rng, words: &[&'static str]) -> &'static str {
    words[rng.below(words.len() as u64) as usize]
}

/// What is one token in every vocabulary that has bytes or letters with the space before them.
const LETTERS: [&str; 26] = [
    "a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l", "m", "n", "o", "p", "q", "r", "s", "t", "u", "v", "w",
    "x", "y", "z",
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tokenizer::tests::fixture;

    #[test]
    fn texts_have_exactly_the_tokens_that_the_tokenizer_counts() {
        let tokenizer = PromptTokenizer::load(&fixture()).unwrap();
        let writer = Writer::Exact(ExactWriter::new(&tokenizer, true, 0).unwrap());
        let mut rng = Rng::new(1, "draft", "test");
        for total in [2, 3, 17, 100, 999, 4000] {
            let mut draft = writer.blank();
            writer.extend_to(&mut draft, total, &mut rng).unwrap();
            let Draft::Text(TextDraft { text, .. }) = draft else { panic!("text was asked for") };
            assert_eq!(tokenizer.count(&text).unwrap(), total, "{text}");
        }
    }

    #[test]
    fn pieces_add_up_to_an_exact_whole() {
        let tokenizer = PromptTokenizer::load(&fixture()).unwrap();
        let writer = Writer::Exact(ExactWriter::new(&tokenizer, false, 9).unwrap());
        let mut rng = Rng::new(2, "draft", "test");
        let mut draft = writer.blank();
        for total in [512, 1024, 1100, 1101, 1600] {
            writer.extend_to(&mut draft, total, &mut rng).unwrap();
            let Draft::Text(TextDraft { text, .. }) = &draft else { panic!("text was asked for") };
            assert_eq!(tokenizer.count_inside(text).unwrap() + 9, total);
        }
    }

    #[test]
    fn lengths_below_what_surrounds_a_prompt_are_refused() {
        let tokenizer = PromptTokenizer::load(&fixture()).unwrap();
        let writer = Writer::Exact(ExactWriter::new(&tokenizer, false, 30).unwrap());
        let error = writer.extend_to(&mut writer.blank(), 20, &mut Rng::new(1, "a", "b")).unwrap_err();
        assert!(matches!(error, Error::NoExactText { tokens: 20 }), "{error}");
    }

    #[test]
    fn ids_and_words_grow_to_their_length() {
        let mut rng = Rng::new(3, "draft", "test");
        for writer in [Writer::Ids(1000..2000), Writer::Words(TextCalibration::default())] {
            let mut draft = writer.blank();
            for total in [5, 12] {
                let before = draft.clone();
                writer.extend_to(&mut draft, total, &mut rng).unwrap();
                match (&before, &draft) {
                    (Draft::Ids(before), Draft::Ids(after)) => {
                        assert!(after.len() == total as usize && after.starts_with(before));
                    }
                    (Draft::Text(before), Draft::Text(after)) => {
                        assert!(
                            after.text.split(' ').count() == total as usize && after.text.starts_with(&before.text)
                        );
                    }
                    _ => panic!("a draft keeps its form"),
                }
            }
        }
    }
}
