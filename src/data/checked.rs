//! What came of checking one file of a scan.

use serde::{Deserialize, Serialize};

use super::digest::Digest;
use super::finding::Finding;

/// What came of checking one file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Checked {
    /// A sample, though perhaps a doubtful one.
    Sample {
        content: Content,
        /// What is doubtful.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        findings: Vec<Finding>,
    },
    /// Its content cannot be used.
    LeftOut(Finding),
    /// It could not be read, which may be otherwise the next time.
    Unread(Finding),
}

/// What a sample consists of.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Content {
    /// For a sample of words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// Of the bytes of the file, or of the text.
    pub digest: Digest,
}
