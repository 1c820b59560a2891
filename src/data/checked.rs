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
        #[serde(rename = "finding", default, with = "doubts", skip_serializing_if = "Vec::is_empty")]
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

/// A single finding is written as itself, as older files have it.
mod doubts {
    use super::Finding;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Written {
        One(Finding),
        More(Vec<Finding>),
    }

    pub(super) fn serialize<S: Serializer>(findings: &[Finding], serializer: S) -> Result<S::Ok, S::Error> {
        match findings {
            [one] => one.serialize(serializer),
            more => more.serialize(serializer),
        }
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<Finding>, D::Error> {
        Ok(match Written::deserialize(deserializer)? {
            Written::One(one) => vec![one],
            Written::More(more) => more,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::PathBuf;

    #[test]
    fn doubts_are_read_as_they_were_written() {
        let finding = |kind: crate::data::finding::FindingKind| Finding {
            file: PathBuf::from("a.tif"),
            line: None,
            kind,
            reason: "why".into(),
            remedy: "what".into(),
        };
        use crate::data::finding::FindingKind::{Assumed, WronglyNamed};
        let all = [finding(WronglyNamed), finding(Assumed)];
        for number in 0..=2 {
            let content = Content { text: None, digest: Digest::of(b"a") };
            let checked = Checked::Sample { content, findings: all[..number].to_vec() };
            let text = serde_json::to_string(&checked).unwrap();
            assert_eq!(serde_json::from_str::<Checked>(&text).unwrap(), checked, "{text}");
            assert_eq!(text.contains("\"finding\":{"), number == 1, "{text}");
        }
    }
}
