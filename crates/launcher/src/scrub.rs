//! Secrets are taken out of everything an engine prints, as it is read: engines echo their arguments and environment.

use std::borrow::Cow;
use std::sync::{Arc, LazyLock};

use regex::Regex;

use crate::environment::Environment;

/// What stands where a secret stood.
pub(crate) const MASK: &str = "[secret]";

/// A secret shorter than this is not masked by its value: it would mask ordinary words.
const MIN_SECRET_LENGTH: usize = 6;

/// No known token is longer; a longer run of token characters is text.
pub(crate) const MAX_SECRET_LENGTH: usize = 1024;

static SHAPES: LazyLock<Option<Regex>> =
    LazyLock::new(|| Regex::new(r"\b(?:hf_[A-Za-z0-9]{16,}|sk-[A-Za-z0-9_\-]{16,})").ok());

/// Masks the values of secret variables and strings shaped like tokens.
#[derive(Clone, Default)]
pub struct Scrubber {
    /// Longest first, so that a secret that contains another one is masked whole.
    secrets: Arc<[String]>,
}

impl std::fmt::Debug for Scrubber {
    /// Says how many secrets it knows, never which.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Scrubber").field("secrets", &self.secrets.len()).finish()
    }
}

impl Scrubber {
    /// A scrubber that knows the secrets of these variables: `HF_TOKEN`, `HUGGINGFACE_HUB_TOKEN`, `*_API_KEY`, and
    /// other names that end in `TOKEN`, `SECRET` or `PASSWORD`.
    pub fn for_environment(environment: &Environment, more: &[(String, String)]) -> Self {
        let more = more.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let mut secrets: Vec<String> = environment
            .iter()
            .chain(more)
            .filter(|(name, value)| names_a_secret(name) && value.trim().len() >= MIN_SECRET_LENGTH)
            .map(|(_, value)| value.trim().to_owned())
            .collect();
        secrets.sort_by(|a, b| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
        secrets.dedup();
        Self { secrets: secrets.into() }
    }

    /// One that also knows the secrets of these variables.
    pub(crate) fn with(&self, more: &[(String, String)]) -> Self {
        let more = Self::for_environment(&Environment::default(), more);
        let mut secrets: Vec<String> = self.secrets.iter().chain(more.secrets.iter()).cloned().collect();
        secrets.sort_by(|a, b| b.len().cmp(&a.len()).then_with(|| a.cmp(b)));
        secrets.dedup();
        Self { secrets: secrets.into() }
    }

    /// The text with every secret masked.
    pub fn scrub<'a>(&self, text: &'a str) -> Cow<'a, str> {
        let mut text = Cow::Borrowed(text);
        for secret in self.secrets.iter() {
            if text.contains(secret.as_str()) {
                text = Cow::Owned(text.replace(secret.as_str(), MASK));
            }
        }
        let shapes = SHAPES.as_ref().filter(|shapes| shapes.is_match(&text));
        match shapes {
            Some(shapes) => Cow::Owned(shapes.replace_all(&text, MASK).into_owned()),
            None => text,
        }
    }

    /// An argument list with every secret masked.
    pub fn scrub_argv(&self, argv: &[String]) -> Vec<String> {
        argv.iter().map(|word| self.scrub(word).into_owned()).collect()
    }

    /// The largest place at or before `wanted` where `text` may be cut without cutting through a secret.
    pub(crate) fn safe_cut(&self, text: &str, wanted: usize) -> usize {
        let mut cut = text.floor_char_boundary(wanted);
        let shapes = SHAPES.iter().flat_map(|shapes| shapes.find_iter(text)).map(|found| found.range());
        let values = self
            .secrets
            .iter()
            .flat_map(|secret| text.match_indices(secret.as_str()).map(|(start, found)| start..start + found.len()));
        for range in shapes.chain(values) {
            if range.start < cut && cut < range.end && range.len() <= MAX_SECRET_LENGTH {
                cut = range.start;
            }
        }
        cut
    }
}

/// Whether a variable of this name holds something that must not be shown.
pub(crate) fn names_a_secret(name: &str) -> bool {
    let name = name.to_ascii_uppercase();
    ["TOKEN", "API_KEY", "SECRET", "SECRET_KEY", "PASSWORD"].iter().any(|end| name.ends_with(end))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scrubber() -> Scrubber {
        let environment = Environment::from_pairs([
            ("HF_TOKEN", "plain-secret-value"),
            ("MY_API_KEY", "another one"),
            ("SHORT_API_KEY", "EMPTY"),
            ("HOME", "not-a-secret"),
        ]);
        Scrubber::for_environment(&environment, &[("PGPASSWORD".into(), "plain-secret".into())])
    }

    #[test]
    fn values_and_shapes_are_masked_and_nothing_else() {
        let text = "a=plain-secret-value b=another one c=EMPTY d=not-a-secret e=plain-secret \
                    f=hf_AbCdEfGhIjKlMnOpQr g=sk-proj-0123456789abcdefg h=hf_transfer task-0123456789abcdefg";
        assert_eq!(
            scrubber().scrub(text),
            "a=[secret] b=[secret] c=EMPTY d=not-a-secret e=[secret] f=[secret] g=[secret] h=hf_transfer \
             task-0123456789abcdefg"
        );
    }

    #[test]
    fn a_cut_never_goes_through_a_secret() {
        let text = "xx plain-secret-value yy hf_AbCdEfGhIjKlMnOpQr zz";
        for wanted in 0..=text.len() {
            let cut = scrubber().safe_cut(text, wanted);
            let (head, tail) = text.split_at(cut);
            let both = format!("{}{}", scrubber().scrub(head), scrubber().scrub(tail));
            assert_eq!(both, "xx [secret] yy [secret] zz", "cut at {cut}");
        }
    }

    #[test]
    fn debug_output_holds_no_secret() {
        assert_eq!(format!("{:?}", scrubber()), "Scrubber { secrets: 3 }");
    }
}
