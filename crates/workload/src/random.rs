//! Random prompts of a set length.

use std::ops::Range;

use serde::{Deserialize, Serialize};

use crate::rng::Rng;

/// The first token id that is drawn: special, byte and reserved tokens have the smallest ids in common tokenizers.
const FIRST_ORDINARY_ID: u32 = 1000;

/// The vocabulary that is assumed when the model's is not known: smaller than that of any model in use.
const SAFE_VOCABULARY: u32 = 2000;

/// The token ids that random prompts are drawn from.
///
/// The lowest thousand is left out (special and byte tokens), and the top fiftieth of a known vocabulary too, because
/// added special tokens and padding sit there. Never empty: a vocabulary too small for that gives its upper half.
pub fn token_id_range(vocab_size: Option<u32>) -> Range<u32> {
    let Some(vocab_size) = vocab_size else { return FIRST_ORDINARY_ID..SAFE_VOCABULARY };
    let end = (vocab_size - vocab_size / 50).max(1);
    let start = if end > FIRST_ORDINARY_ID + FIRST_ORDINARY_ID / 10 { FIRST_ORDINARY_ID } else { end / 2 };
    start..end
}

/// Draws `input_len` token ids from `ids`.
pub(crate) fn token_ids(rng: &mut Rng, ids: &Range<u32>, input_len: u32) -> Vec<u32> {
    let width = u64::from(ids.end.saturating_sub(ids.start));
    (0..input_len).map(|_| ids.start + rng.below(width) as u32).collect()
}

/// How the words of a text prompt become tokens: `tokens = base_tokens + tokens_per_word × words`.
///
/// Common English words are one token each in large vocabularies, which is the default. Two requests of different
/// length to the real model give the real line ([`TextCalibration::fit`]); it must be fitted once for all frameworks
/// of a comparison, or their prompts differ.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TextCalibration {
    /// Tokens of the template around the prompt.
    pub base_tokens: f64,
    /// Tokens of one word with its space.
    pub tokens_per_word: f64,
}

impl Default for TextCalibration {
    fn default() -> Self {
        TextCalibration { base_tokens: 0.0, tokens_per_word: 1.0 }
    }
}

impl TextCalibration {
    /// The line through the prompt lengths that a server reported, `(words, prompt tokens)` each, by least squares.
    /// `None` when fewer than two different word counts were tried or the line does not rise.
    pub fn fit(observed: &[(u32, u32)]) -> Option<Self> {
        let n = observed.len() as f64;
        let mean_words = observed.iter().map(|(words, _)| f64::from(*words)).sum::<f64>() / n;
        let mean_tokens = observed.iter().map(|(_, tokens)| f64::from(*tokens)).sum::<f64>() / n;
        let (mut covariance, mut variance) = (0.0, 0.0);
        for &(words, tokens) in observed {
            covariance += (f64::from(words) - mean_words) * (f64::from(tokens) - mean_tokens);
            variance += (f64::from(words) - mean_words).powi(2);
        }
        let tokens_per_word = covariance / variance;
        (tokens_per_word.is_finite() && tokens_per_word > 0.0)
            .then_some(TextCalibration { base_tokens: mean_tokens - tokens_per_word * mean_words, tokens_per_word })
    }

    /// How many words make about `tokens` tokens; at least one.
    pub fn words_for(&self, tokens: u32) -> u32 {
        let words = (f64::from(tokens) - self.base_tokens) / self.tokens_per_word;
        // A float cast saturates, and turns an undefined ratio into 0.
        (words.round() as u32).max(1)
    }
}

/// Draws a text of `words` common words.
pub(crate) fn text(rng: &mut Rng, words: u32) -> String {
    let mut text = String::with_capacity(words as usize * 7);
    for index in 0..words {
        if index > 0 {
            text.push(' ');
        }
        text.push_str(WORDS[rng.below(WORDS.len() as u64) as usize]);
    }
    text
}

/// Common short words: one token each in the vocabularies of current models.
#[rustfmt::skip]
pub(crate) const WORDS: [&str; 230] = [
    "about", "above", "after", "again", "air", "all", "also", "always", "animal", "answer", "area", "ask", "back", "bad",
    "base", "be", "because", "bed", "before", "begin", "best", "better", "big", "bird", "black", "blue", "boat", "body",
    "book", "both", "box", "boy", "bring", "build", "busy", "but", "call", "came", "can", "car", "care", "carry", "case",
    "cause", "change", "check", "child", "city", "class", "clear", "close", "cold", "color", "come", "common", "could",
    "country", "course", "cover", "cross", "cut", "dark", "day", "deep", "did", "do", "dog", "door", "down", "draw",
    "dry", "each", "early", "earth", "east", "easy", "eat", "end", "enough", "even", "ever", "every", "eye", "face",
    "fact", "fall", "family", "far", "farm", "fast", "father", "feel", "feet", "few", "field", "find", "fire", "first",
    "fish", "five", "fly", "food", "foot", "for", "form", "found", "four", "free", "friend", "from", "front", "full",
    "game", "gave", "get", "girl", "give", "go", "gold", "good", "got", "great", "green", "ground", "group", "grow",
    "had", "half", "hand", "hard", "have", "head", "hear", "heat", "help", "here", "high", "hill", "hold", "home",
    "horse", "hot", "hour", "house", "idea", "inch", "island", "just", "keep", "kind", "king", "knew", "know", "land",
    "large", "last", "late", "laugh", "lay", "lead", "learn", "leave", "left", "less", "let", "letter", "life", "light",
    "like", "line", "list", "listen", "live", "long", "look", "love", "low", "machine", "made", "main", "make", "man",
    "many", "map", "mark", "mean", "men", "mile", "mind", "money", "moon", "more", "morning", "most", "mother", "mountain",
    "move", "much", "music", "must", "name", "near", "need", "never", "new", "next", "night", "north", "note", "number",
    "ocean", "off", "often", "old", "one", "only", "open", "order", "our", "out", "over", "page", "paper", "part",
    "pass", "people", "place", "plan", "plant", "play",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_stay_inside_the_ordinary_range() {
        assert_eq!(token_id_range(None), 1000..2000);
        assert_eq!(token_id_range(Some(2048)), 1000..2008);
        assert!(token_id_range(Some(128_256)).end < 128_000, "added tokens are left out");
        for vocabulary in [0, 1, 2, 100, 1000, 1100, 1123, 50_000] {
            let range = token_id_range(Some(vocabulary));
            assert!(range.start < range.end && range.end <= vocabulary.max(1), "{vocabulary}: {range:?}");
        }
    }

    #[test]
    fn a_calibration_is_the_line_through_what_was_seen() {
        let fitted = TextCalibration::fit(&[(10, 35), (100, 215)]).unwrap();
        assert!((fitted.base_tokens - 15.0).abs() < 1e-9 && (fitted.tokens_per_word - 2.0).abs() < 1e-9);
        assert_eq!(fitted.words_for(215), 100);
        assert_eq!(fitted.words_for(1), 1);
        assert_eq!(TextCalibration::fit(&[(10, 35), (10, 36)]), None);
        assert_eq!(TextCalibration::fit(&[]), None);
    }

    #[test]
    fn text_has_the_asked_number_of_words() {
        let text = text(&mut Rng::new(1, "k", "p"), 57);
        assert_eq!(text.split(' ').count(), 57);
    }
}
