//! Texts: files of class folders, rows of tables, words that were typed.

#![warn(clippy::indexing_slicing, reason = "what comes from outside is not indexed")]

mod facts;
mod length;
mod read;
mod tokenizer;
mod wordpiece;

pub use facts::FACTS;
pub(crate) use facts::is_read_me;
pub use length::about_tokens;
pub use read::{MAX_TEXT_BYTES, check_file};
pub use tokenizer::{LetterCase, TextError, TextSpec, TextTokenizer};
pub use wordpiece::VOCABULARY;
