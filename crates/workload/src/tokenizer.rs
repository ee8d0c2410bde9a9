//! The model's own tokenizer, from a file.

use std::path::{Path, PathBuf};

use crate::error::Error;

/// The file in a model's folder.
const FILE_NAME: &str = "tokenizer.json";

/// A tokenizer that was read from a `tokenizer.json`.
#[derive(Debug)]
pub struct PromptTokenizer {
    inner: tokenizers::Tokenizer,
}

impl PromptTokenizer {
    /// Reads a `tokenizer.json`, or the one in a model's folder.
    ///
    /// # Errors
    /// When there is none, or it is none that can be read.
    pub fn load(path: &Path) -> Result<Self, Error> {
        let file = if path.is_dir() { path.join(FILE_NAME) } else { path.to_owned() };
        let failed = |detail: String| Error::Tokenizer { path: file.clone(), detail };
        let bytes = std::fs::read(&file).map_err(|error| failed(error.to_string()))?;
        let mut inner = tokenizers::Tokenizer::from_bytes(bytes).map_err(|error| failed(error.to_string()))?;
        // A stored length limit would cut what is counted, and padding would add to it.
        inner.with_truncation(None).map_err(|error| failed(error.to_string()))?;
        inner.with_padding(None);
        Ok(PromptTokenizer { inner })
    }

    /// Tokens of `text` as a server counts a prompt on `/v1/completions`, the special ones around it included.
    ///
    /// # Errors
    /// When the tokenizer cannot encode it.
    pub fn count(&self, text: &str) -> Result<u32, Error> {
        self.encoded_len(text, true)
    }

    /// Tokens of `text` alone.
    ///
    /// # Errors
    /// When the tokenizer cannot encode it.
    pub fn count_inside(&self, text: &str) -> Result<u32, Error> {
        self.encoded_len(text, false)
    }

    fn encoded_len(&self, text: &str, special: bool) -> Result<u32, Error> {
        let encoding = self.inner.encode_fast(text, special).map_err(|error| Error::Encode(error.to_string()))?;
        Ok(u32::try_from(encoding.len()).unwrap_or(u32::MAX))
    }

    /// Entries of the vocabulary, added tokens included.
    pub fn vocab_size(&self) -> u32 {
        u32::try_from(self.inner.get_vocab_size(true)).unwrap_or(u32::MAX)
    }
}

/// The first of `names` that is a tokenizer on this machine: a `.json` file, or a folder that holds a `tokenizer.json`.
/// Names of a hub are none: nothing is downloaded.
pub fn find_tokenizer<'a>(names: impl IntoIterator<Item = &'a str>) -> Option<PathBuf> {
    names.into_iter().map(Path::new).find_map(|path| match path.extension().and_then(|e| e.to_str()) {
        Some("json") => path.is_file().then(|| path.to_owned()),
        // A model that is one file (a GGUF) may have its tokenizer beside it.
        Some("gguf") => path.parent().map(|folder| folder.join(FILE_NAME)).filter(|file| file.is_file()),
        _ => Some(path.join(FILE_NAME)).filter(|file| file.is_file()),
    })
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A tokenizer whose words are mostly not one token: every letter is one, and some pairs are merged.
    pub(crate) fn fixture() -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("fixtures/tokenizer.json")
    }

    #[test]
    fn text_is_counted_with_and_without_special_tokens() {
        let tokenizer = PromptTokenizer::load(&fixture()).unwrap();
        let inside = tokenizer.count_inside("the cat").unwrap();
        assert!(inside > 0);
        assert_eq!(tokenizer.count("the cat").unwrap(), inside + 1, "the fixture puts one token in front");
        assert!(tokenizer.vocab_size() > 256);
    }

    #[test]
    fn tokenizers_are_found_in_folders_and_beside_models() {
        let folder = fixture().parent().unwrap().display().to_string();
        let beside = format!("{folder}/model.gguf");
        assert_eq!(find_tokenizer(["org/model", &folder]), Some(fixture()));
        assert_eq!(find_tokenizer([beside.as_str()]), Some(fixture()));
        assert_eq!(find_tokenizer(["org/model", "/no/such/tokenizer.json"]), None);
    }

    #[test]
    fn what_is_no_tokenizer_is_named() {
        let text = PromptTokenizer::load(Path::new("/no/such/tokenizer.json")).unwrap_err().to_string();
        assert!(text.contains("/no/such/tokenizer.json"), "{text}");
        let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml");
        assert!(PromptTokenizer::load(&manifest).is_err());
    }
}
