//! Texts: files of class folders, rows of tables, words that were typed.

mod facts;
mod read;
mod tokenizer;

pub use facts::FACTS;
pub use read::{MAX_TEXT_BYTES, check_file};
pub use tokenizer::{TextError, TextSpec, TextTokenizer};
