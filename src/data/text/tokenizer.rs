//! Texts -> token numbers, by the tokenizer that comes with a backbone.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use thiserror::Error;
use tokenizers::{PostProcessor, Tokenizer, TruncationDirection, TruncationParams, TruncationStrategy};

use super::wordpiece::{VOCABULARY, tokenizer_json};
use crate::data::digest::Digest;

/// A tokenizer with its length limit.
pub struct TextTokenizer {
    tokenizer: Tokenizer,
    spec: TextSpec,
    path: PathBuf,
}

/// Names all that can change the tokens of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct TextSpec {
    /// Of the bytes of `tokenizer.json`; of what says the same, where there is a list of word pieces alone.
    pub tokenizer_blake3: Digest,
    /// Longer texts are cut to this many tokens, special tokens included.
    pub max_tokens: usize,
    /// What is done to letters before the tokenizer sees them.
    #[serde(default, skip_serializing_if = "LetterCase::is_usual")]
    pub letters: LetterCase,
}

/// What becomes of capital letters before a text is parted into tokens.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LetterCase {
    /// The tokenizer gets the text as it is.
    #[default]
    Kept,
    /// As sentence-transformers does with `do_lower_case`.
    Lowered,
}

impl LetterCase {
    fn is_usual(&self) -> bool {
        *self == Self::Kept
    }
}

/// Why texts cannot be turned into tokens.
#[derive(Debug, Error)]
pub enum TextError {
    #[error(
        "the tokenizer {} cannot be read: {source}; check that the backbone's folder is complete",
        path.display()
    )]
    Read { path: PathBuf, source: std::io::Error },
    #[error(
        "the tokenizer {} cannot be understood: {why}; fetch the backbone's tokenizer again",
        path.display()
    )]
    BadTokenizer { path: PathBuf, why: String },
    #[error(
        "{max_tokens} tokens leave no room for a text: the tokenizer {} adds {special} special \
         tokens; allow more tokens",
        path.display()
    )]
    TooFewTokens { path: PathBuf, max_tokens: usize, special: usize },
    #[error("the tokenizer {} fails on the text “{text}”: {why}", path.display())]
    Encode { path: PathBuf, text: String, why: String },
}

impl TextTokenizer {
    /// Reads a `tokenizer.json` of the Hugging Face tokenizers library, or BERT's `vocab.txt`. The padding and truncation
    /// that the file asks for are replaced: no padding, and at most `max_tokens` tokens, cut on
    /// the right.
    ///
    /// # Errors
    ///
    /// When the file cannot be read or understood, or `max_tokens` leaves no room for a text.
    pub fn load(path: &Path, max_tokens: usize, letters: LetterCase) -> Result<TextTokenizer, TextError> {
        let bytes = match path.file_name().is_some_and(|name| name == VOCABULARY) {
            true => {
                tokenizer_json(path).map_err(|why| TextError::BadTokenizer { path: path.to_owned(), why })?
            }
            false => {
                std::fs::read(path).map_err(|source| TextError::Read { path: path.to_owned(), source })?
            }
        };
        let bad = |error: tokenizers::Error| TextError::BadTokenizer {
            path: path.to_owned(),
            why: error.to_string(),
        };
        let mut tokenizer = Tokenizer::from_bytes(&bytes).map_err(bad)?;
        let special = tokenizer.get_post_processor().map_or(0, |added| added.added_tokens(false));
        if max_tokens <= special {
            return Err(TextError::TooFewTokens { path: path.to_owned(), max_tokens, special });
        }
        let truncation = TruncationParams {
            direction: TruncationDirection::Right,
            max_length: max_tokens,
            strategy: TruncationStrategy::LongestFirst,
            stride: 0,
        };
        tokenizer.with_padding(None).with_truncation(Some(truncation)).map_err(bad)?;
        let spec = TextSpec { tokenizer_blake3: Digest::of(&bytes), max_tokens, letters };
        Ok(TextTokenizer { tokenizer, spec, path: path.to_owned() })
    }

    /// What names this tokenizer and its limit.
    pub fn spec(&self) -> TextSpec {
        self.spec
    }

    /// One more than the largest number that it gives a token.
    pub fn size(&self) -> usize {
        self.tokenizer.get_vocab(true).into_values().max().map_or(0, |largest| largest as usize + 1)
    }

    /// The token numbers of one text, special tokens included, at most `max_tokens` of them. None
    /// where the tokenizer adds no special ones and finds nothing in the text.
    ///
    /// # Errors
    ///
    /// When the tokenizer has no number for a piece and none for the unknown.
    pub fn encode(&self, text: &str) -> Result<Vec<u32>, TextError> {
        // No more of a long text becomes tokens than are kept, and never less.
        let mut most = FIRST_LOOK.max(self.spec.max_tokens.saturating_mul(BYTES_PER_TOKEN));
        loop {
            let beginning = beginning(text, most);
            let tokens = self.encode_all(beginning)?;
            if tokens.len() >= self.spec.max_tokens || beginning.len() == text.len() {
                return Ok(tokens);
            }
            most = most.saturating_mul(4);
        }
    }

    fn encode_all(&self, text: &str) -> Result<Vec<u32>, TextError> {
        let lowered = match self.spec.letters {
            LetterCase::Kept => None,
            LetterCase::Lowered => Some(text.to_lowercase()),
        };
        match self.tokenizer.encode(lowered.as_deref().unwrap_or(text), true) {
            Ok(encoding) => Ok(encoding.get_ids().to_vec()),
            Err(error) => Err(TextError::Encode {
                path: self.path.clone(),
                text: text.chars().take(60).collect(),
                why: error.to_string(),
            }),
        }
    }
}

/// Bytes of a text that are made tokens at first, and for each token that is kept.
const FIRST_LOOK: usize = 64 << 10;
const BYTES_PER_TOKEN: usize = 64;

/// At most `most` bytes of `text`, ending between two words; all of it where there is no such place in them.
fn beginning(text: &str, most: usize) -> &str {
    let cut = text.as_bytes().get(..most).and_then(|part| part.iter().rposition(u8::is_ascii_whitespace));
    cut.and_then(|cut| text.get(..cut)).unwrap_or(text)
}

impl TextSpec {
    /// Names the tokenizer and the limit in one.
    pub fn digest(&self) -> Digest {
        let mut hasher = blake3::Hasher::new();
        hasher.update(b"frostline text preprocessing 1").update(&self.tokenizer_blake3.0);
        hasher.update(&(self.max_tokens as u64).to_le_bytes());
        if self.letters == LetterCase::Lowered {
            hasher.update(b"lowered");
        }
        Digest(*hasher.finalize().as_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A word-level tokenizer that asks for padding and truncation of its own.
    const TOKENIZER: &str = r#"{
        "version": "1.0",
        "truncation": {"direction": "Right", "max_length": 4, "strategy": "LongestFirst", "stride": 0},
        "padding": {"strategy": {"Fixed": 128}, "direction": "Right", "pad_to_multiple_of": null,
                    "pad_id": 0, "pad_type_id": 0, "pad_token": "[PAD]"},
        "added_tokens": [], "normalizer": {"type": "Lowercase"}, "pre_tokenizer": {"type": "Whitespace"},
        "post_processor": {"type": "BertProcessing", "sep": ["[SEP]", 3], "cls": ["[CLS]", 2]},
        "decoder": null,
        "model": {"type": "WordLevel", "unk_token": "[UNK]", "vocab":
            {"[PAD]": 0, "[UNK]": 1, "[CLS]": 2, "[SEP]": 3, "red": 4, "fox": 5, "runs": 6}}
    }"#;

    fn tokenizer(max_tokens: usize) -> Result<TextTokenizer, TextError> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tokenizer.json");
        std::fs::write(&path, TOKENIZER).unwrap();
        TextTokenizer::load(&path, max_tokens, LetterCase::Kept)
    }

    #[test]
    fn padding_is_off_and_the_limit_is_ours() {
        let check = |max_tokens, text, expected: &[u32]| {
            assert_eq!(tokenizer(max_tokens).unwrap().encode(text).unwrap(), expected, "{text}");
        };
        check(256, "Red fox runs", &[2, 4, 5, 6, 3]);
        check(256, "fox fox fox fox fox fox", &[2, 5, 5, 5, 5, 5, 5, 3]);
        check(4, "red fox runs", &[2, 4, 5, 3]);
        check(3, "red fox runs", &[2, 4, 3]);
        check(256, "", &[2, 3]);
        check(256, "blue", &[2, 1, 3]);
    }

    /// Meant to fail where the first look is the last.
    #[test]
    fn the_beginning_of_a_long_text_gives_the_tokens_of_the_whole() {
        let blank = " ".repeat(3 * FIRST_LOOK);
        let texts = [
            "red fox runs ".repeat(100_000),
            format!("{blank}red fox{blank}runs fox"),
            "x".repeat(FIRST_LOOK * 5),
            format!("red {} fox runs", "y".repeat(FIRST_LOOK * 2)),
            "füchse rennen ".repeat(20_000),
        ];
        for (text, max_tokens) in texts.iter().zip([256, 8, 8, 256, 2000]) {
            let tokenizer = tokenizer(max_tokens).unwrap();
            assert_eq!(tokenizer.encode(text).unwrap(), tokenizer.encode_all(text).unwrap());
        }
        assert_eq!(beginning("red fox", 5), "red");
        assert_eq!(beginning("füchse", 2), "füchse");
    }

    #[test]
    fn what_cannot_be_used_is_said() {
        let missing = TextTokenizer::load(Path::new("/nowhere/tokenizer.json"), 8, LetterCase::Kept);
        assert!(matches!(missing, Err(TextError::Read { .. })));
        assert!(matches!(tokenizer(2), Err(TextError::TooFewTokens { special: 2, .. })));
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tokenizer.json");
        std::fs::write(&path, "{}").unwrap();
        let error = TextTokenizer::load(&path, 8, LetterCase::Kept).err().unwrap().to_string();
        assert!(error.contains("tokenizer.json"), "{error}");
    }

    #[test]
    fn the_spec_names_file_and_limit() {
        let (a, b) = (tokenizer(8).unwrap().spec(), tokenizer(9).unwrap().spec());
        assert_eq!(a.tokenizer_blake3, Digest::of(TOKENIZER.as_bytes()));
        assert_ne!(a.digest(), b.digest());
    }
}
